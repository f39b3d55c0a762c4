"""Load balancers of the in-memory cloud, with Elastic Load Balancing's words for health."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nospof.adapters.memory.account import refused, serves
from nospof.adapters.memory.images import Images
from nospof.model.cloud import (
    HealthCheck,
    Listener,
    LoadBalancer,
    LoadBalancerRequest,
    Target,
    TargetGroup,
    TargetGroupRequest,
    classic_name,
)

NAME_LENGTH = 32


@dataclass
class Member:
    """A registration: when it began, and until when it drains (0: it does not)."""

    since: float
    draining_until: float = 0.0


class Balancing(Images):
    """Balancers, listeners, target groups and who is in them."""

    def _set_up(self, zone_count: int) -> None:
        super()._set_up(zone_count)
        self.undeletable: set[str] = set()
        self._balancers: dict[str, LoadBalancer] = {}
        self._guards: dict[str, tuple[str, ...]] = {}
        self._listeners: dict[str, Listener] = {}
        self._target_groups: dict[str, TargetGroup] = {}
        self._members: dict[str, dict[tuple[str, int], Member]] = {}
        self._joined_at: dict[str, float] = {}
        self._sticky: dict[str, int] = {}

    def sticky_seconds_of(self, target_group_arn: str) -> int:
        """Return how long visitors stay at a member of a group; 0 for wherever there is room."""
        return self._sticky.get(target_group_arn, 0)

    # Reading -------------------------------------------------------------------------------------

    @serves("elasticloadbalancing:DescribeLoadBalancers")
    def load_balancers(self) -> tuple[LoadBalancer, ...]:
        """See the port."""
        return tuple(sorted(self._balancers.values(), key=lambda one: (one.name, one.arn)))

    @serves("elasticloadbalancing:DescribeLoadBalancers")
    def load_balancer_named(self, name: str) -> LoadBalancer | None:
        """See the port."""
        named = (one for one in self._balancers.values() if one.name == name and one.type != "classic")
        return next(named, None)

    @serves("elasticloadbalancing:DescribeTargetGroups")
    def target_groups(self) -> tuple[TargetGroup, ...]:
        """See the port."""
        return tuple(sorted(self._target_groups.values(), key=lambda group: group.name))

    @serves("elasticloadbalancing:DescribeTargetGroups")
    def target_group_named(self, name: str) -> TargetGroup | None:
        """See the port."""
        return self._group_named(name)

    def _group_named(self, name: str) -> TargetGroup | None:
        return next((group for group in self._target_groups.values() if group.name == name), None)

    @serves("elasticloadbalancing:DescribeTargetHealth")
    def targets(self, target_group_arn: str) -> tuple[Target, ...]:
        """See the port."""
        self._group(target_group_arn, "elasticloadbalancing:DescribeTargetHealth")
        members = self._present(target_group_arn)
        return tuple(self._health(target_group_arn, *key, members[key]) for key in sorted(members))

    def _present(self, arn: str) -> dict[tuple[str, int], Member]:
        """Return the members of a group without those whose draining is over."""
        members = self._members[arn]
        for key in [key for key, one in members.items() if 0 < one.draining_until <= self.now()]:
            del members[key]
        return members

    def _health(self, arn: str, instance_id: str, port: int, member: Member) -> Target:
        state, reason, says = self._health_words(arn, instance_id, port, member)
        return Target(instance_id, port, state, reason, says)

    def _health_words(self, arn: str, target_id: str, port: int, member: Member) -> tuple[str, str, str]:
        group, now = self._target_groups[arn], self.now()
        instance_id = self._who(target_id)
        if member.draining_until:
            return "draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"
        if not group.balancer_arns:
            return "unused", "Target.NotInUse", "Target group is not configured to receive traffic"
        if not instance_id:
            return "unhealthy", "Target.Timeout", "Request timed out"
        if self._instances[instance_id].state != "running":
            return "unused", "Target.InvalidState", "Target is in the stopped state"
        if not all(
            self._instances[instance_id].zone in self._balancers[one].zones for one in group.balancer_arns
        ):
            return (
                "unused",
                "Target.NotInUse",
                "Target is in a zone that is not enabled for the load balancer",
            )
        machine = self._machines[instance_id]
        asked_since = max(member.since, self._joined_at[arn])
        is_new = now < asked_since + self.timings.health
        initial = ("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
        if not self.answers_now(instance_id) or port != machine.service.port:
            return initial if is_new else ("unhealthy", "Target.FailedHealthChecks", "Health checks failed")
        check = group.health_check
        status = machine.service.status_of(check.path)
        if check.path and not check.accepts(status):
            says = f"Health checks failed with these codes: [{status}]"
            return initial if is_new else ("unhealthy", "Target.ResponseCodeMismatch", says)
        if now < max(asked_since, machine.up_at) + self.timings.health:
            is_first = machine.up_at <= asked_since
            return initial if is_first or is_new else ("unhealthy", "Target.FailedHealthChecks", "Failed")
        return "healthy", "", ""

    # Writing -------------------------------------------------------------------------------------

    @serves("elasticloadbalancing:CreateTargetGroup", writes=True)
    def create_target_group(self, request: TargetGroupRequest) -> TargetGroup:
        """See the port."""
        operation = "elasticloadbalancing:CreateTargetGroup"
        _check_name(request.name, operation)
        found = self._group_named(request.name)
        if found is not None:
            wanted = (request.port, request.health_check, request.protocol)
            is_same = (found.port, found.health_check, found.protocol) == wanted
            if not is_same or found.vpc_id != request.vpc_id:
                says = f"a target group named {request.name} exists and differs"
                raise refused(operation, "DuplicateTargetGroupName", says)
            made = replace(found, deregistration_delay_seconds=request.deregistration_delay_seconds)
        else:
            made = TargetGroup(
                arn=self._arn("targetgroup", request.name),
                name=request.name,
                port=request.port,
                target_type="instance",
                health_check=request.health_check,
                deregistration_delay_seconds=request.deregistration_delay_seconds,
                protocol=request.protocol,
                tags=dict(request.tags),
                vpc_id=request.vpc_id,
            )
            self._members[made.arn] = {}
        self._target_groups[made.arn] = made
        self._sticky[made.arn] = request.sticky_seconds
        return made

    @serves("elasticloadbalancing:CreateLoadBalancer", writes=True)
    def create_load_balancer(self, request: LoadBalancerRequest) -> LoadBalancer:
        """See the port."""
        operation = "elasticloadbalancing:CreateLoadBalancer"
        _check_name(request.name, operation)
        for balancer in self._balancers.values():
            if balancer.name == request.name:
                return balancer
        subnets = [self.subnet(subnet_id, operation) for subnet_id in request.subnet_ids]
        zones = tuple(sorted({subnet.zone for subnet in subnets}))
        if len(zones) < min(2, len(subnets)) or len(zones) != len(subnets):
            says = "a load balancer takes one subnet of each Availability Zone"
            raise refused(operation, "InvalidConfigurationRequest", says)
        if len(zones) < 2:
            says = "At least two subnets in two different Availability Zones must be specified"
            raise refused(operation, "ValidationError", says)
        arn = self._arn("loadbalancer/app", request.name)
        dns = f"{request.name}-{self.number('dns')}.{self.region}.elb.memory"
        made = LoadBalancer(
            arn, request.name, dns, "application", "provisioning", subnets[0].vpc_id, zones,
            zone_id="Z0MEMORY", tags=dict(request.tags),
        )  # fmt: skip
        self._balancers[arn] = made
        self._guards[arn] = request.security_groups
        self.later(self.timings.balancer, lambda: self._active(arn))
        return made

    def _active(self, arn: str) -> None:
        if arn in self._balancers:
            self._balancers[arn] = replace(self._balancers[arn], state="active")

    @serves("elasticloadbalancing:RegisterTargets", writes=True)
    def register(self, target_group_arn: str, instance_id: str, port: int) -> None:
        """See the port."""
        operation = "elasticloadbalancing:RegisterTargets"
        self._group(target_group_arn, operation)
        instance = self._instances.get(self._who(instance_id))
        if instance is None:
            raise refused(operation, "InvalidTarget", f"{instance_id} does not exist")
        if instance.state != "running" and not classic_name(target_group_arn):
            raise refused(operation, "InvalidTarget", f"{instance_id} is not in a running state")
        members = self._present(target_group_arn)
        member = members.get((instance_id, port))
        if member is None or member.draining_until:
            members[instance_id, port] = Member(self.now())

    @serves("elasticloadbalancing:DeregisterTargets", writes=True)
    def deregister(self, target_group_arn: str, instance_id: str, port: int) -> None:
        """See the port."""
        group = self._group(target_group_arn, "elasticloadbalancing:DeregisterTargets")
        member = self._present(target_group_arn).get((instance_id, port))
        if member is None or member.draining_until:
            return
        delay = group.deregistration_delay_seconds or 0 if group.balancer_arns else 0
        member.draining_until = self.now() + max(delay, 1e-6)

    @serves("elasticloadbalancing:DescribeLoadBalancerAttributes")
    def is_deletion_protected(self, balancer_arn: str) -> bool:
        """See the port."""
        return balancer_arn in self.undeletable

    @serves("elasticloadbalancing:DeleteLoadBalancer", writes=True)
    def delete_load_balancer(self, balancer_arn: str) -> None:
        """See the port. Its interfaces go some time after it."""
        if balancer_arn in self.undeletable:
            says = "deletion protection is enabled"
            raise refused("elasticloadbalancing:DeleteLoadBalancer", "OperationNotPermitted", says)
        if self._balancers.pop(balancer_arn, None) is None:
            return
        self.later(self.timings.interfaces, lambda: self._guards.update({balancer_arn: ()}))
        mine = [arn for arn, one in self._listeners.items() if one.balancer_arn == balancer_arn]
        for arn in mine:
            del self._listeners[arn]
        for group in self._target_groups.values():
            if group.balancer_arns == (balancer_arn,):
                self._target_groups[group.arn] = replace(group, balancer_arns=())
                self._joined_at.pop(group.arn, None)

    @serves("elasticloadbalancing:DeleteTargetGroup", writes=True)
    def delete_target_group(self, target_group_arn: str) -> None:
        """See the port."""
        group = self._target_groups.get(target_group_arn)
        if group is not None and group.balancer_arns:
            says = f"{group.name} is in use by a listener"
            raise refused("elasticloadbalancing:DeleteTargetGroup", "ResourceInUse", says)
        self._target_groups.pop(target_group_arn, None)

    def is_worn(self, group_id: str) -> bool:
        """Whether an interface of an instance or of a balancer is in a security group."""
        worn = [one.security_groups for one in self._instances.values() if one.state != "terminated"]
        return any(group_id in groups for groups in (*worn, *self._guards.values()))

    # What happens to the cloud from outside ------------------------------------------------------

    def add_classic_balancer(
        self, name: str, zones: tuple[str, ...], port: int = 80, check: HealthCheck | None = None
    ) -> TargetGroup:
        """Make a classic balancer that listens on port 80, without a call of the API; return its group."""
        arn = f"arn:aws:elasticloadbalancing:{self.region}:{self.account_id}:loadbalancer/{name}"
        vpc_id = next(iter(self._subnets.values())).vpc_id
        dns = f"{name}-{self.number('dns')}.{self.region}.elb.memory"
        self._balancers[arn] = LoadBalancer(
            arn, name, dns, "classic", "active", vpc_id, zones, is_cross_zone=False
        )
        self._listeners[f"{arn}:80"] = Listener(f"{arn}:80", arn, 80, "HTTP", ((arn, 1),))
        self._target_groups[arn] = TargetGroup(
            arn,
            f"classic/{name}",
            port,
            "instance",
            check or HealthCheck(port=port),
            (arn,),
            deregistration_delay_seconds=30,
            vpc_id=vpc_id,
        )
        self._members[arn], self._joined_at[arn] = {}, self.now()
        return self._target_groups[arn]

    # What the parts use --------------------------------------------------------------------------

    def _balancer(self, arn: str, operation: str) -> LoadBalancer:
        return self.find(self._balancers, arn, operation, "LoadBalancerNotFound")

    def _group(self, arn: str, operation: str) -> TargetGroup:
        return self.find(self._target_groups, arn, operation, "TargetGroupNotFound")

    def _who(self, target_id: str) -> str:
        """Return the id of the instance a target is, or whose address it is; nothing where there is none."""
        there = [one for one in self._instances.values() if one.state != "terminated"]
        by_address = (one.id for one in there if one.private_ip == target_id)
        return target_id if target_id in self._instances else next(by_address, "")

    def _arn(self, kind: str, name: str) -> str:
        owner = f"arn:aws:elasticloadbalancing:{self.region}:{self.account_id}"
        return f"{owner}:{kind}/{name}/{self.number('arn'):016x}"

    def receivers(self, target_group_arn: str) -> list[tuple[str, int]]:
        """Return who gets the group's traffic: the healthy, or everybody when nobody is."""
        members = self._present(target_group_arn)
        health = {key: self._health(target_group_arn, *key, one) for key, one in sorted(members.items())}
        healthy = [key for key, target in health.items() if target.is_healthy]
        asked = healthy or [key for key, target in health.items() if target.state != "draining"]
        return [(self._who(target_id), port) for target_id, port in asked]


def _check_name(name: str, operation: str) -> None:
    if not name or len(name) > NAME_LENGTH:
        says = f"the name {name!r} must have 1 to {NAME_LENGTH} characters"
        raise refused(operation, "ValidationError", says)
