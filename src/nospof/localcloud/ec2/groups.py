"""Security groups that something still needs: AWS does not delete them, moto does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.elbv2.models import elbv2_backends

from nospof.localcloud.awserrors import AwsError


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
