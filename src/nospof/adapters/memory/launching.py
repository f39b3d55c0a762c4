"""Launching an instance of the in-memory cloud, with EC2's refusals."""

from __future__ import annotations

from dataclasses import replace

from nospof.adapters.memory.account import refused, serves
from nospof.adapters.memory.machines import Machine, Machines
from nospof.model.cloud import Instance, LaunchRequest, Tags


class Launching(Machines):
    """The part of the port that makes instances."""

    def _set_up(self, zone_count: int) -> None:
        super()._set_up(zone_count)
        self._launched_by: dict[str, tuple[LaunchRequest, str]] = {}

    @serves("ec2:RunInstances", writes=True)
    def launch(self, request: LaunchRequest) -> Instance:
        """See the port."""
        earlier = self._launched_by.get(request.token)
        if earlier is not None:
            return self._launched_again(earlier, request)
        operation = "ec2:RunInstances"
        subnet = self.subnet(request.subnet_id, operation)
        disks, service = self.contents_of_image(request.image_id, operation)
        if request.type not in self._offers:
            raise refused(operation, "InvalidParameterValue", f"no instance type {request.type}")
        if subnet.zone not in self._offers[request.type]:
            raise refused(operation, "Unsupported", f"{request.type} is not offered in {subnet.zone}")
        self._check_capacity(request.type, subnet.zone, operation)
        if request.placement_group:
            self._check_room(request.placement_group, subnet.zone, operation)
        made = Instance(
            id=self.new_id("i"),
            state="pending",
            type=request.type,
            image_id=request.image_id,
            zone=subnet.zone,
            subnet_id=subnet.id,
            vpc_id=subnet.vpc_id,
            private_ip=self.private_address(subnet),
            root_device=disks[0].device,
            security_groups=request.security_groups or (self.default_group,),
            profile_arn=request.profile_arn,
            key_name=request.key_name,
            placement_group=request.placement_group,
            launched_at=self.now(),
            tags=own_tags(request.tags),
        )
        machine = Machine(
            self.service_of_new or service,
            is_termination_protected=request.traits.is_termination_protected,
            traits=request.traits,
            tenancy=request.tenancy or "default",
            user_data=self._machines[request.user_data_of].user_data
            if request.user_data_of
            else request.user_data,
            token=request.token,
            server=self.server_of_image(request.image_id),
            uploads=self.uploads_of_image(request.image_id),
        )
        self.put_instance(made, disks, machine, own_tags(request.volume_tags))
        self._launched_by[request.token] = (request, made.id)
        self._boot(made.id)
        return self._instances[made.id]

    def _launched_again(self, earlier: tuple[LaunchRequest, str], request: LaunchRequest) -> Instance:
        """Adopt what the token already made, unless it is another kind of thing than asked for."""
        first, instance_id = earlier
        wanted = (request.image_id, request.type, request.subnet_id)
        if (first.image_id, first.type, first.subnet_id) != wanted:
            says = f"token {request.token} has already launched {instance_id} with other parameters"
            raise refused("ec2:RunInstances", "IdempotentParameterMismatch", says)
        return self._instances[instance_id]

    @serves("ec2:ModifyInstanceAttribute", writes=True)
    def check_source_and_destination(self, instance_id: str, *, on: bool) -> None:
        """See the port."""
        self._get(instance_id, "ec2:ModifyInstanceAttribute")
        machine = self._machines[instance_id]
        machine.traits = replace(machine.traits, checks_source_and_destination=on)


def own_tags(tags: Tags) -> Tags:
    """Return the tags without those whose prefix AWS keeps for itself."""
    return {key: value for key, value in tags.items() if not key.lower().startswith("aws:")}
