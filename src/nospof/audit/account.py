"""The facts an audit rests on, and the services found in them.

A service is what clients enter by: a load balancer with a listener, or an instance that stands
behind no balancer. What could not be read is part of the facts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

from nospof.model.cloud import (
    TAG_SERVICE,
    TAG_TWIN_OF,
    Identity,
    Instance,
    InstanceStatus,
    Listener,
    LoadBalancer,
    Target,
    TargetGroup,
    Volume,
    Zone,
)
from nospof.model.findings import Unread


@dataclass(frozen=True)
class AccountFacts:
    """Everything that was read, by id (ARN for balancers and groups), and what was not."""

    identity: Identity
    read_at: float
    zones: tuple[Zone, ...] = ()
    instances: dict[str, Instance] = field(default_factory=dict)
    statuses: dict[str, InstanceStatus] = field(default_factory=dict)
    volumes: dict[str, Volume] = field(default_factory=dict)
    balancers: dict[str, LoadBalancer] = field(default_factory=dict)
    listeners: dict[str, tuple[Listener, ...]] = field(default_factory=dict)
    groups: dict[str, TargetGroup] = field(default_factory=dict)
    targets: dict[str, tuple[Target, ...]] = field(default_factory=dict)
    unread: tuple[Unread, ...] = ()

    def is_unread(self, *kinds: str) -> bool:
        """Whether anything of these kinds could not be read."""
        return any(one.kind in kinds for one in self.unread)

    def instance_at(self, target_id: str) -> Instance | None:
        """Return the instance with this id or private address."""
        if target_id in self.instances:
            return self.instances[target_id]
        return self._by_address.get(target_id)

    def groups_of(self, balancer: LoadBalancer) -> tuple[str, ...]:
        """Return the ARNs of the groups a balancer may send to: its listeners' and, by rules, others."""
        forwarded = (arn for one in self.listeners.get(balancer.arn, ()) for arn, _ in one.forwards_to)
        return tuple(dict.fromkeys((*forwarded, *self._attached.get(balancer.arn, ()))))

    @cached_property
    def _by_address(self) -> dict[str, Instance]:
        return {one.private_ip: one for one in self.instances.values() if one.private_ip}

    @cached_property
    def _attached(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for arn, group in self.groups.items():
            for balancer in group.balancer_arns:
                found.setdefault(balancer, []).append(arn)
        return found


@dataclass(frozen=True)
class Entry:
    """Where clients enter a service: a balancer's ARN or an instance's id."""

    service: str
    id: str
    is_balancer: bool


ROLE_KINDS = ("load balancers", "listeners", "target groups", "targets")
"""Without these nobody knows whether an instance stands alone."""


def find_entries(facts: AccountFacts) -> tuple[Entry, ...]:
    """Return the services, by name; where two have the same name, each gets its id behind it."""
    found = [
        Entry(_balancer_service(facts, balancer), balancer.arn, True)
        for balancer in facts.balancers.values()
        if facts.listeners.get(balancer.arn) or balancer.arn not in facts.listeners
    ]
    behind = instances_behind(facts, found)
    found += [
        Entry(one.tags.get(TAG_SERVICE) or one.name, one.id, False)
        for one in facts.instances.values()
        if one.id not in behind and not why_not_serving(one)
    ]
    names = Counter(entry.service for entry in found)
    unique = [
        entry
        if names[entry.service] == 1
        else Entry(f"{entry.service} ({_short(facts, entry)})", entry.id, entry.is_balancer)
        for entry in found
    ]
    return tuple(sorted(unique, key=lambda entry: (entry.service, entry.id)))


def _short(facts: AccountFacts, entry: Entry) -> str:
    return facts.balancers[entry.id].name if entry.is_balancer else entry.id


def _balancer_service(facts: AccountFacts, balancer: LoadBalancer) -> str:
    """Return a balancer's service: its own tag, else the one tag its members agree on, else its name."""
    if TAG_SERVICE in balancer.tags:
        return balancer.tags[TAG_SERVICE]
    members = [
        facts.instance_at(target.instance_id)
        for arn in facts.groups_of(balancer)
        for target in facts.targets.get(arn, ())
    ]
    tags = {one.tags.get(TAG_SERVICE, "") for one in members if one}
    return tags.pop() if len(tags) == 1 and "" not in tags else balancer.tags.get("Name") or balancer.name


def instances_behind(facts: AccountFacts, entries: list[Entry]) -> set[str]:
    """Return the instances that a balancer in service sends to."""
    found: set[str] = set()
    for entry in entries:
        if entry.is_balancer:
            for arn in facts.groups_of(facts.balancers[entry.id]):
                members = (facts.instance_at(target.instance_id) for target in facts.targets.get(arn, ()))
                found.update(one.id for one in members if one)
    return found


def why_not_serving(instance: Instance) -> str:
    """Return why an instance behind no balancer is no service of its own, or an empty string."""
    if instance.tags.get(TAG_TWIN_OF):
        return f"{instance.name} ({instance.id}): a twin of {instance.tags[TAG_TWIN_OF]}, not serving yet"
    if instance.state != "running" and TAG_SERVICE not in instance.tags:
        return f"{instance.name} ({instance.id}): {instance.state}"
    return ""


def not_serving(facts: AccountFacts, entries: tuple[Entry, ...]) -> tuple[str, ...]:
    """Return a line for each instance that was read and serves nobody."""
    behind = instances_behind(facts, list(entries))
    reasons = (why_not_serving(one) for one in facts.instances.values() if one.id not in behind)
    return tuple(sorted(reason for reason in reasons if reason))
