"""What stands around an instance of the in-memory cloud, and what protects it."""

from __future__ import annotations

from dataclasses import replace

from nospof.adapters.memory.account import serves
from nospof.adapters.memory.machines import Machines
from nospof.adapters.memory.names import Names
from nospof.model.cloud import Attachment, Instance
from nospof.model.surroundings import Surroundings
from nospof.model.traits import DiskTraits


class Around(Names, Machines):
    """The part of the port that looks around an instance, and at what protects it."""

    @serves("ec2:DescribeInstanceAttribute")
    def is_stop_protected(self, instance_id: str) -> bool:
        """See the port."""
        self._get(instance_id, "ec2:DescribeInstanceAttribute")
        return self._machines[instance_id].is_stop_protected

    @serves("ec2:DescribeInstanceAttribute")
    def is_termination_protected(self, instance_id: str) -> bool:
        """See the port."""
        self._get(instance_id, "ec2:DescribeInstanceAttribute")
        return self._machines[instance_id].is_termination_protected

    @serves("ec2:DescribeAddresses")
    def surroundings(self, instance: Instance) -> Surroundings:
        """See the port. What one call stands for here are several at AWS."""
        machine = self._machines[instance.id]
        return machine.around or Surroundings(
            elastic_addresses=(instance.public_ip,),
            tenancy=machine.tenancy,
            has_user_data=bool(machine.user_data),
            traits=replace(
                machine.traits,
                is_termination_protected=machine.is_termination_protected,
                disks=tuple(self._disk(at) for at in self._instances[instance.id].attachments),
            ),
        )

    def _disk(self, at: Attachment) -> DiskTraits:
        volume, (iops, throughput) = self._volumes[at.volume_id], self._bought[at.volume_id]
        return DiskTraits(
            at.device,
            volume.type,
            volume.size_gib,
            iops,
            throughput,
            at.delete_on_termination,
            dict(volume.tags),
        )

    @serves("ec2:ModifyInstanceAttribute", writes=True)
    def allow_termination(self, instance_id: str) -> None:
        """See the port."""
        self._get(instance_id, "ec2:ModifyInstanceAttribute")
        self._machines[instance_id].is_termination_protected = False

    @serves("ec2:ModifyInstanceAttribute", writes=True)
    def protect_from_stop(self, instance_id: str, *, on: bool) -> None:
        """See the port."""
        self._get(instance_id, "ec2:ModifyInstanceAttribute")
        self._machines[instance_id].is_stop_protected = on
