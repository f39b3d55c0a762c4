"""From the facts of an account to the topology of one service: what each resource needs to serve.

balancer := any of its zones, and its listeners' groups; group := any target; target := its
machine; machine := all its volumes. What was not read becomes a requirement with two bounds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from nospof.audit.account import ROLE_KINDS, AccountFacts, Entry
from nospof.audit.windows import overlapping
from nospof.model.cloud import Instance, Listener, LoadBalancer, Target
from nospof.model.topology import (
    UP,
    AllOf,
    AnyOf,
    Event,
    Node,
    On,
    Requirement,
    Split,
    Topology,
    Unknown,
)

IN_SERVICE = frozenset({"healthy", "unavailable"})
"""Target states that get traffic; "unavailable" means that the group does not check."""
PERHAPS_IN_SERVICE = frozenset({"initial", ""})
OUR_SPREAD_GROUP = "nospof-i-"
"""Placement groups with such names are made by `clone`, always with the strategy "spread"."""


@dataclass
class Service:
    """A service as it was read, ready to be analysed.

    Args:
        members: the ids of its machines, by id.
        zone_of: the zone of each node that has one.
        outside: targets that get no traffic because their zone is not enabled: (group, target).
        state_of: what is wrong with a node now, in words.
        guessed: whether the listeners' shares of the clients were assumed equal.
        not_read: what inside this service the readers do not understand.
    """

    entry: Entry
    topology: Topology
    members: tuple[str, ...] = ()
    zone_of: dict[str, str] = field(default_factory=dict)
    outside: list[tuple[str, Target]] = field(default_factory=list)
    state_of: dict[str, str] = field(default_factory=dict)
    guessed: bool = False
    not_read: list[str] = field(default_factory=list)


def read_service(facts: AccountFacts, entry: Entry) -> Service:
    """Return the service that is entered here."""
    return _Reader(facts, entry).read()


class _Reader:
    def __init__(self, facts: AccountFacts, entry: Entry) -> None:
        self.facts = facts
        self.entry = entry
        self.nodes: dict[str, Node] = {}
        self.events: dict[str, Event] = {}
        self.failed: set[str] = set()
        self.maybe_failed: set[str] = set()
        self.members: dict[str, None] = {}
        self.service = Service(entry, Topology("", (Node(""),)))

    def read(self) -> Service:
        if self.entry.is_balancer:
            root = self.balancer(self.facts.balancers[self.entry.id])
        else:
            root = self.lone_instance(self.facts.instances[self.entry.id])
        self.service.members = tuple(sorted(self.members))
        self.hit_by_announcements()
        self.service.topology = Topology(
            root,
            tuple(self.nodes.values()),
            events=tuple(self.events.values()),
            failed_now=frozenset(self.failed),
            maybe_failed_now=frozenset(self.maybe_failed),
        )
        return self.service

    def add(self, node: Node, zone: str = "") -> On:
        self.nodes[node.name] = node
        if zone:
            self.service.zone_of[node.name] = zone
        return On(node.name)

    def happens(self, event: Event) -> str:
        self.events.setdefault(event.id, event)
        return event.id

    def zone(self, name: str) -> str:
        zone = next((one for one in self.facts.zones if one.name == name), None)
        label = f"zone {name} ({zone.id})" if zone and zone.id else f"zone {name}"
        return self.happens(Event(f"zone:{name}", "zone", label))

    def is_off(self, node: str, says: str, *, certain: bool = True) -> None:
        (self.failed if certain else self.maybe_failed).add(node)
        self.service.state_of[node] = says

    def unread(self, what: str) -> Requirement:
        """Return a requirement on something nobody could read: perhaps a single point, perhaps nothing."""
        name = f"unread:{what}"
        fault = self.happens(Event(name, "unread", f"{what} (could not be read)"))
        self.add(Node(name, faults=(fault,), kind="unread", label=what))
        return Unknown(On(name), UP)

    # The entry -----------------------------------------------------------------------------------

    def balancer(self, balancer: LoadBalancer) -> str:
        zones = [self.balancer_zone(balancer, zone) for zone in balancer.zones]
        needs: list[Requirement] = [AnyOf(tuple(zones))] if zones else [self.unread("balancer zones")]
        needs.append(self.listeners(balancer))
        name = balancer.name
        self.add(Node(name, AllOf(tuple(needs)), kind="load balancer", label=f"balancer {name}"))
        if balancer.state == "failed":
            self.is_off(name, "failed")
        elif balancer.state != "active":
            self.is_off(name, balancer.state, certain=False)
        return name

    def balancer_zone(self, balancer: LoadBalancer, zone: str) -> On:
        name = f"{balancer.name}@{zone}"
        label = f"balancer {balancer.name} in {zone}"
        return self.add(Node(name, domains=(self.zone(zone),), kind="balancer zone", label=label), zone)

    def listeners(self, balancer: LoadBalancer) -> Requirement:
        if balancer.arn not in self.facts.listeners:
            attached = [self.group(balancer, arn) for arn in self.facts.groups_of(balancer)]
            return AllOf((self.unread("listeners"), *attached))
        listeners = self.facts.listeners[balancer.arn]
        ways = [self.forward(balancer, one) for one in listeners if one.forwards_to]
        named = {arn for one in listeners for arn, _ in one.forwards_to}
        ways += [self.group(balancer, arn) for arn in self.facts.groups_of(balancer) if arn not in named]
        distinct = list(dict.fromkeys(ways))
        if not distinct:
            self.service.not_read.append(f"what the listeners of {balancer.name} answer (no target group)")
            return UP
        if len(distinct) == 1:
            return distinct[0]
        self.service.guessed = True
        return Split(tuple((1, way) for way in distinct))

    def forward(self, balancer: LoadBalancer, listener: Listener) -> Requirement:
        if len(listener.forwards_to) == 1:
            return self.group(balancer, listener.forwards_to[0][0])
        weighted = [(weight, arn) for arn, weight in listener.forwards_to if weight]
        if len(weighted) == 1:
            return self.group(balancer, weighted[0][1])
        return Split(tuple((weight, self.group(balancer, arn)) for weight, arn in weighted))

    # Groups and targets --------------------------------------------------------------------------

    def group(self, balancer: LoadBalancer, arn: str) -> Requirement:
        known = self.facts.groups.get(arn)
        name = known.name if known else arn.split("/")[1] if arn.count("/") > 1 else arn
        if arn not in self.facts.targets:
            return self.unread(f"targets of {name}")
        if f"group {name}" in self.nodes:
            return On(f"group {name}")
        targets = [one for one in self.facts.targets[arn] if not self.is_outside(balancer, name, one)]
        kind = known.target_type if known else ""
        parts = [self.target(name, kind, one) for one in targets]
        needs: Requirement = AnyOf(tuple(parts))
        if balancer.type == "network" and not balancer.is_cross_zone:
            needs = self.within_zones(balancer, name, targets, parts)
        return self.add(Node(f"group {name}", needs, kind="target group", label=f"target group {name}"))

    def within_zones(
        self, balancer: LoadBalancer, group: str, targets: list[Target], parts: list[On]
    ) -> Requirement:
        """Return what a balancer needs that sends to its own zone only: a zone with leg and target."""
        zones = {part: self.zone_of_target(one) for part, one in zip(parts, targets, strict=True)}
        legs: list[Requirement] = []
        for zone in balancer.zones:
            # Where the zone was not read the target is in one of these; its possible domain says the rest.
            local = [part for part in parts if zones[part] in ("", zone)]
            label = f"targets of {group} in {zone}"
            here = self.add(Node(label, AnyOf(tuple(local)), kind="target zone"), zone)
            legs.append(AllOf((On(f"{balancer.name}@{zone}"), here)))
        return AnyOf(tuple(legs))

    def zone_of_target(self, target: Target) -> str:
        instance = self.facts.instance_at(target.instance_id)
        return instance.zone if instance else ""

    def is_outside(self, balancer: LoadBalancer, group: str, target: Target) -> bool:
        zone = self.zone_of_target(target)
        if not zone or not balancer.zones or zone in balancer.zones:
            return False
        self.service.outside.append((group, target))
        return True

    def target(self, group: str, kind: str, target: Target) -> On:
        name = f"{group}/{target.instance_id}:{target.port}"
        machine = self.machine(kind, target)
        label = f"target {target.instance_id}:{target.port}"
        node = self.add(Node(name, machine, kind="target", label=label), self.zone_of_target(target))
        if target.state not in IN_SERVICE:
            reason = f" ({target.reason})" if target.reason else ""
            certain = target.state not in PERHAPS_IN_SERVICE
            self.is_off(name, f"{target.state or 'no state'}{reason}", certain=certain)
        return node

    def machine(self, kind: str, target: Target) -> Requirement:
        instance = self.facts.instance_at(target.instance_id)
        if instance:
            return self.instance(instance)
        if kind in ("lambda", "alb"):
            self.service.not_read.append(f"the {kind} target {target.instance_id}")
            return self.unread(f"{kind} target {target.instance_id}")
        if kind == "instance" and not self.facts.is_unread("instances"):
            # A target whose machine is gone never answers again.
            return AnyOf(())
        if not kind:
            # A group that was not read may hold instances, addresses, or what never is one machine.
            return Unknown(self.unread_machine(target.instance_id), UP)
        if kind == "ip":
            self.service.not_read.append(f"the machine at {target.instance_id}")
        return self.unread_machine(target.instance_id)

    def unread_machine(self, name: str) -> On:
        self.members[name] = None
        somewhere = self.happens(Event("zone:unread", "zone", "the zone of machines not read"))
        fault = self.happens(Event(name, "instance", f"machine {name}"))
        return self.add(Node(name, UP, (fault,), (), (somewhere,), kind="instance", label=f"machine {name}"))

    # Machines ------------------------------------------------------------------------------------

    def lone_instance(self, instance: Instance) -> str:
        machine: Requirement = self.instance(instance)
        if self.facts.is_unread(*ROLE_KINDS):
            # Perhaps it is one of many behind a balancer that was not read.
            machine = Unknown(machine, UP)
        name = f"entry {instance.id}"
        self.add(Node(name, machine, kind="entry", label=f"service {self.entry.service}"))
        return name

    def instance(self, instance: Instance) -> On:
        if instance.id in self.nodes:
            return On(instance.id)
        self.members[instance.id] = None
        label = f"instance {instance.name} ({instance.id})" if instance.name != instance.id else instance.id
        fault = self.happens(Event(instance.id, "instance", label))
        zone = instance.zone
        volumes = tuple(self.volume(each.volume_id, zone) for each in instance.attachments)
        node = Node(
            instance.id,
            AllOf(volumes),
            (fault,),
            (self.zone(zone),) if zone else (),
            self.perhaps_shared(instance),
            kind="instance",
            label=label,
        )
        self.judge(instance)
        return self.add(node, zone)

    def perhaps_shared(self, instance: Instance) -> tuple[str, ...]:
        group = instance.placement_group
        found = []
        if group and not group.startswith(OUR_SPREAD_GROUP):
            label = f"a rack that members of placement group {group} may share"
            found.append(self.happens(Event(f"rack:{group}", "rack", label)))
        if self.facts.is_unread("instance status"):
            label = "maintenance that AWS may have announced (could not be read)"
            found.append(self.happens(Event("unread:instance status", "unread", label)))
        return tuple(found)

    def judge(self, instance: Instance) -> None:
        """Note what is wrong with an instance now."""
        status = self.facts.statuses.get(instance.id)
        if instance.state == "pending":
            self.is_off(instance.id, "pending", certain=False)
        elif instance.state != "running":
            self.is_off(instance.id, instance.state)
        elif status and "impaired" in (status.instance_check, status.system_check):
            # The cloud's checks are not the service's: an impaired machine may serve.
            self.is_off(instance.id, "impaired", certain=False)

    def volume(self, volume_id: str, zone: str) -> On:
        known = self.facts.volumes.get(volume_id)
        zone = known.zone if known and known.zone else zone
        fault = self.happens(Event(volume_id, "volume", f"volume {volume_id}"))
        domains = (self.zone(zone),) if zone else ()
        label = f"volume {volume_id}"
        return self.add(Node(volume_id, UP, (fault,), domains, kind="volume", label=label), zone)

    def hit_by_announcements(self) -> None:
        announced = [
            (member, event)
            for member in self.members
            if member in self.facts.statuses
            for event in self.facts.statuses[member].events
            if event.is_live
        ]
        for window in overlapping(announced):
            event = Event(window.id, "maintenance", window.says, window.starts_at)
            self.happens(event)
            for member in window.instance_ids:
                node = self.nodes[member]
                self.nodes[member] = Node(
                    node.name,
                    node.requirement,
                    node.faults,
                    (*node.domains, event.id),
                    node.possible_domains,
                    kind=node.kind,
                    label=node.label,
                )
