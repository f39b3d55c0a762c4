"""Security groups: which rules are the same, and which groups something still needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.ec2.models import security_groups as moto_groups
from moto.elbv2.models import elbv2_backends

from nospof.localcloud.awserrors import AwsError

MotoSecurityGroupRule = moto_groups.SecurityGroupRule


class SecurityGroupRule(MotoSecurityGroupRule):
    """A rule. What it is described as makes it no other rule: moto keeps it twice, and finds it no more."""

    @property
    def description(self) -> str | None:
        """What the source is described as."""
        return self.ip_range.get("Description") or self.source_group.get("Description")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecurityGroupRule) and self._essence() == other._essence()

    __hash__ = None  # type: ignore[assignment]  # as moto's own: it is changed in place

    def _essence(self) -> tuple[Any, ...]:
        ports = (self.ip_protocol, self.from_port, self.to_port)
        source = (
            self.ip_range.get("CidrIp"),
            self.ip_range.get("CidrIpv6"),
            self.source_group.get("GroupId"),
        )
        return (*ports, *source, self.prefix_list_id)


def refuse_needed(backend: Any, group_id: str) -> None:
    """Refuse to delete a security group that something needs.

    Raises:
        AwsError: DependencyViolation.
    """
    if any(True for _ in _needs(backend, group_id)):
        raise AwsError("DependencyViolation", f"resource {group_id} has a dependent object")


def _needs(backend: Any, group_id: str) -> Iterator[str]:
    """Yield what is in the group, and the other groups that let it in."""
    for instance in backend.all_instances():
        if instance.state != "terminated" and group_id in {group.id for group in instance.security_groups}:
            yield instance.id
    for balancer in elbv2_backends[backend.account_id][backend.region_name].load_balancers.values():
        if group_id in (balancer.security_groups or ()):
            yield balancer.arn
    for groups in backend.groups.values():
        for other in groups.values():
            peers = {rule.source_group.get("GroupId") for rule in other.ingress_rules}
            if other.id != group_id and group_id in peers:
                yield other.id
