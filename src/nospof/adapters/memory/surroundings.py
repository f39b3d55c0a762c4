"""What stands around an instance of the in-memory cloud, and what protects it."""

from __future__ import annotations

from nospof.adapters.memory.account import serves
from nospof.adapters.memory.machines import Machines
from nospof.model.cloud import Instance
from nospof.model.surroundings import Surroundings


class Around(Machines):
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
        around = self._machines[instance.id].around
        return around or Surroundings(elastic_addresses=(instance.public_ip,))

    @serves("ec2:ModifyInstanceAttribute", writes=True)
    def protect_from_stop(self, instance_id: str, *, on: bool) -> None:
        """See the port."""
        self._get(instance_id, "ec2:ModifyInstanceAttribute")
        self._machines[instance_id].is_stop_protected = on
