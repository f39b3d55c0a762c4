"""Auto Scaling groups that act: a member that is off or ill is ended and another one launched.

moto keeps the groups and launches what is missing once an instance is terminated; it never looks at one.
The processes are AWS's: suspended ones do not act, and a member in Standby is nobody's business.
"""

from __future__ import annotations

import logging
import time
from typing import Any, cast

from moto.autoscaling.models import AutoScalingBackend

from nospof.localcloud.awserrors import AwsError
from nospof.localcloud.cloud import Cloud
from nospof.localcloud.elbv2 import balancing

log = logging.getLogger(__name__)

CHECK_SECONDS = 1.0
"""Between two looks of a group at a member; AWS takes some minutes."""
OFF = ("stopping", "stopped", "shutting-down", "terminated")
IN_SERVICE, UNHEALTHY = "InService", "Unhealthy"


def install() -> None:
    """Have moto refuse what AWS refuses. Called once, before the first request."""
    backend = cast(Any, AutoScalingBackend)
    for name in ("suspend_processes", "resume_processes"):
        setattr(backend, name, of_a_group(getattr(backend, name)))
    backend.set_instance_health = of_a_member(backend.set_instance_health)
    for name, checked in (
        ("attach_instances", attach),
        ("enter_standby_instances", enter_standby),
        ("exit_standby_instances", exit_standby),
    ):
        setattr(backend, name, of_a_group(checked(getattr(backend, name))))


def of_a_group(method: Any) -> Any:
    """Refuse a call about a group that does not exist."""

    def call(backend: Any, group_name: str, *args: Any, **kwargs: Any) -> Any:
        if group_name not in backend.autoscaling_groups:
            raise AwsError("ValidationError", f"AutoScalingGroup name not found - {group_name}")
        return method(backend, group_name, *args, **kwargs)

    return call


def of_a_member(method: Any) -> Any:
    """Refuse a call about an instance that is in no group."""

    def call(backend: Any, instance_id: str, *args: Any, **kwargs: Any) -> Any:
        if not any(member_of(group, instance_id) for group in backend.autoscaling_groups.values()):
            says = f"Instance Id not found - No managed instance found for instance ID: {instance_id}"
            raise AwsError("ValidationError", says)
        return method(backend, instance_id, *args, **kwargs)

    return call


def attach(method: Any) -> Any:
    """Let only what runs, and is in no group, become a member."""

    def call(backend: Any, group_name: str, instance_ids: list[str]) -> Any:
        for one in instance_ids:
            instance = backend.ec2_backend.get_instance(one)
            if instance.state != "running":
                raise AwsError("ValidationError", f"Invalid Instance ID(s): [{one}] is {instance.state}")
            if any(member_of(group, one) for group in backend.autoscaling_groups.values()):
                raise AwsError("ValidationError", f"Instance {one} is already part of an AutoScalingGroup")
            instance.autoscaling_group = backend.autoscaling_groups[group_name]
        return method(backend, group_name, instance_ids)

    return call


def enter_standby(method: Any) -> Any:
    """Keep the group's minimum, and take who leaves out of the group's balancers."""

    def call(backend: Any, group_name: str, instance_ids: list[str], should_decrement: bool) -> Any:
        group = backend.autoscaling_groups[group_name]
        if should_decrement and group.desired_capacity - len(instance_ids) < group.min_size:
            raise AwsError(
                "ValidationError",
                f"AutoScalingGroup {group_name} has min-size={group.min_size}, max-size={group.max_size} "
                f"and desired-size={group.desired_capacity}. To place into standby {len(instance_ids)} more "
                "instance, please update the AutoScalingGroup sizes appropriately.",
            )
        answer = method(backend, group_name, instance_ids, should_decrement)
        for arn in group.target_group_arns:
            backend.elbv2_backend.deregister_targets(arn, [{"Id": one} for one in instance_ids])
        return answer

    return call


def exit_standby(method: Any) -> Any:
    """Keep the group's maximum, and put who comes back into the group's balancers."""

    def call(backend: Any, group_name: str, instance_ids: list[str]) -> Any:
        group = backend.autoscaling_groups[group_name]
        if group.desired_capacity + len(instance_ids) > group.max_size:
            says = f"AutoScalingGroup {group_name} has max-size={group.max_size}: no more may be in service"
            raise AwsError("ValidationError", says)
        answer = method(backend, group_name, instance_ids)
        backend.update_attached_target_groups(group_name)
        return answer

    return call


def member_of(group: Any, instance_id: str) -> Any | None:
    """Return an instance's place in a group."""
    return next((one for one in group.instance_states if one.instance_id == instance_id), None)


class Groups:
    """What every group of a cloud does by itself, a look at a time."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._looked_at = 0.0

    def reconcile(self, backends: list[Any]) -> None:
        """Let every group look at its members and act, once a second."""
        if time.monotonic() - self._looked_at < CHECK_SECONDS:
            return
        self._looked_at = time.monotonic()
        for backend in backends:
            with self._cloud.lock:
                for group in list(backend.autoscaling_groups.values()):
                    for member in list(group.instance_states):
                        self._look_after(backend, group, member)

    def _look_after(self, backend: Any, group: Any, member: Any) -> None:
        suspended = {one["ProcessName"] for one in group.suspended_processes}
        # By its id: after a restart, a group's own copy of an instance is not the instance.
        instance = backend.ec2_backend.get_instance_by_id(member.instance_id)
        if instance is None or member.lifecycle_state != IN_SERVICE:
            return
        if "HealthCheck" not in suspended and is_ill(backend, group, instance):
            if member.health_status != UNHEALTHY:
                log.info("%s is %s: unhealthy in %s", instance.id, instance.state, group.name)
                self._cloud.dirty.set()
            member.health_status = UNHEALTHY
        if member.health_status == UNHEALTHY and not {"ReplaceUnhealthy", "Terminate"} & suspended:
            instance.terminate()
            backend.notify_terminate_instances([instance.id])
            self._cloud.dirty.set()


def is_ill(backend: Any, group: Any, instance: Any) -> bool:
    """Whether a group's checks find something wrong with a member."""
    if instance.state in OFF or instance.instance_status["Status"] == "impaired":
        return True
    if "ELB" not in group.health_check_type:
        return False
    known = backend.elbv2_backend.target_groups
    return any(
        health.state == "unhealthy"
        for arn in group.target_group_arns
        if arn in known
        for registration, health in balancing.current().healths(backend.elbv2_backend, known[arn])
        if registration["Id"] == instance.id
    )
