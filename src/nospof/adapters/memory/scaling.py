"""Auto Scaling groups of the in-memory cloud: they act on their members, as AWS's do, unless suspended."""

from __future__ import annotations

from dataclasses import replace

from nospof.adapters.memory.account import refused, serves
from nospof.adapters.memory.balancing import Balancing
from nospof.model.auto_scaling import HEALTHY, IN_SERVICE, AutoScalingGroup, GroupMember

UNHEALTHY = "Unhealthy"


class Scaling(Balancing):
    """Groups that look at their members at every moment, mark what is not well and end what is marked.

    What they launch instead is a matter of templates, which the port does not know.
    """

    def _set_up(self, zone_count: int) -> None:
        super()._set_up(zone_count)
        self._scaling: dict[str, AutoScalingGroup] = {}

    # The port ------------------------------------------------------------------------------------

    @serves("autoscaling:DescribeAutoScalingInstances")
    def auto_scaling_group_of(self, instance_id: str) -> str:
        """See the port."""
        return next((one.name for one in self._scaling.values() if one.member(instance_id)), "")

    @serves("autoscaling:DescribeAutoScalingGroups")
    def auto_scaling_group(self, name: str) -> AutoScalingGroup | None:
        """See the port."""
        return self._scaling.get(name)

    @serves("autoscaling:SuspendProcesses", writes=True)
    def suspend_processes(self, group_name: str, processes: tuple[str, ...]) -> None:
        """See the port."""
        if group_name not in self._scaling:
            says = f"AutoScalingGroup name not found - {group_name}"
            raise refused("autoscaling:SuspendProcesses", "ValidationError", says)
        group = self._scaling[group_name]
        self._scaling[group_name] = replace(
            group, suspended=tuple(dict.fromkeys((*group.suspended, *processes)))
        )

    @serves("autoscaling:ResumeProcesses", writes=True)
    def resume_processes(self, group_name: str, processes: tuple[str, ...]) -> None:
        """See the port."""
        if group := self._scaling.get(group_name):
            left = tuple(one for one in group.suspended if one not in processes)
            self._scaling[group_name] = replace(group, suspended=left)

    @serves("autoscaling:SetInstanceHealth", writes=True)
    def mark_healthy(self, instance_id: str) -> None:
        """See the port."""
        self._mark(instance_id, health=HEALTHY)

    # What happens by itself, and what a test says --------------------------------------------------

    def settle(self) -> None:
        """Do everything that has become due; then every group looks at its members."""
        with self.lock:
            super().settle()
            for group in self._scaling.values():
                for member in group.members:
                    self._look_after(group, member)

    def join_auto_scaling_group(self, instance_id: str, name: str, **settings: object) -> None:
        """Make an instance a member of an Auto Scaling group, made with these settings if need be."""
        owner = f"arn:aws:autoscaling:{self.region}:{self.account_id}"
        new = AutoScalingGroup(name, f"{owner}:autoScalingGroup:0:autoScalingGroupName/{name}")
        group = replace(self._scaling.get(name, new), **settings)  # type: ignore[arg-type]
        others = tuple(one for one in group.members if one.instance_id != instance_id)
        self._scaling[name] = replace(group, members=(*others, GroupMember(instance_id)))

    def _look_after(self, group: AutoScalingGroup, member: GroupMember) -> None:
        state = self._instances[member.instance_id].state
        if member.lifecycle != IN_SERVICE or state in ("shutting-down", "terminated"):
            return
        if "HealthCheck" not in group.suspended and self._is_ill(group, member.instance_id):
            self._mark(member.instance_id, health=UNHEALTHY)
            member = replace(member, health=UNHEALTHY)
        if member.health == UNHEALTHY and not {"ReplaceUnhealthy", "Terminate"} & set(group.suspended):
            self._mark(member.instance_id, lifecycle="Terminating")
            self.terminate(member.instance_id)

    def _is_ill(self, group: AutoScalingGroup, instance_id: str) -> bool:
        if self._instances[instance_id].state != "running" or self._machines[instance_id].is_impaired:
            return True
        seats = [
            self._health(arn, *key, one)
            for arn in (group.target_group_arns if "ELB" in group.checks else ())
            for key, one in self._present(arn).items()
            if key[0] == instance_id
        ]
        return any(not one.is_healthy and one.reason != "Target.NotInUse" for one in seats)

    def _mark(self, instance_id: str, **marks: str) -> None:
        for name, group in self._scaling.items():
            marked = tuple(
                replace(one, **marks) if one.instance_id == instance_id else one for one in group.members
            )
            self._scaling[name] = replace(group, members=marked)
