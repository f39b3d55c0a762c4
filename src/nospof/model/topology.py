"""What a service is made of, and what each part needs: the audit's picture of the world.

A node is a resource with a requirement on other nodes. An event is something that can happen; it
may hit several nodes, and a node may be hit by several events. Requirements are monotone: more
failures never help, so the answers of the audit are exact.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from nospof.errors import UsageError


@dataclass(frozen=True)
class On:
    """Up while the named node is up."""

    node: str


@dataclass(frozen=True)
class AllOf:
    """Up while every part is up. With no parts: always up."""

    parts: tuple[Requirement, ...]


@dataclass(frozen=True)
class AnyOf:
    """Up while at least one part is up. With no parts: never up."""

    parts: tuple[Requirement, ...]


@dataclass(frozen=True)
class AtLeast:
    """Up while the weights of the parts that are up add to `need` (a quorum, a capacity)."""

    need: int
    parts: tuple[tuple[int, Requirement], ...]


@dataclass(frozen=True)
class Split:
    """Clients are divided by weight and nobody moves them: a lost part loses its share."""

    parts: tuple[tuple[int, Requirement], ...]


@dataclass(frozen=True)
class Unknown:
    """Not known: the worst and the best it can be. The truth lies between the two."""

    pessimistic: Requirement
    optimistic: Requirement


Requirement = On | AllOf | AnyOf | AtLeast | Split | Unknown

UP: Requirement = AllOf(())
NEVER: Requirement = AnyOf(())

VIEWS = ("serving", "degraded", "egress", "recovery", "admin")
"""An event is filed under the first view in which it is a cut; data has states of its own."""


@dataclass(frozen=True)
class Node:
    """A part of a service.

    Args:
        name: its identity within the topology.
        requirement: what it needs to serve.
        faults: its own faults; none for what somebody else runs and for pure relations.
        domains: events it shares with others: a zone, a host, an announced maintenance.
        possible_domains: events it may share; counted only in the pessimistic reading.
        blind: what it needs and its health check cannot see.
        views: what it needs beyond serving, per view.
        kind: "instance", "volume", "load balancer", ...
        label: what people call it; the name where empty.
    """

    name: str
    requirement: Requirement = UP
    faults: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    possible_domains: tuple[str, ...] = ()
    blind: Requirement = UP
    views: tuple[tuple[str, Requirement], ...] = ()
    kind: str = ""
    label: str = ""

    @property
    def says(self) -> str:
        """The node as people call it."""
        return self.label or self.name


@dataclass(frozen=True)
class Event:
    """Something that can happen. `starts_at` is set (seconds since the epoch) when it is announced."""

    id: str
    kind: str
    label: str = ""
    starts_at: float = 0.0

    @property
    def says(self) -> str:
        """The event as people call it."""
        return self.label or self.id


@dataclass(frozen=True)
class State:
    """Data, and the copies it lives on; it is lost when the requirement on the copies fails.

    Only a copy's own fault destroys it: an outage of its zone hides the data, no more.
    """

    name: str
    copies: Requirement


@dataclass(frozen=True)
class Topology:
    """A service: the node its clients enter by, and everything it may need.

    `failed_now` are nodes that are down at the moment; `maybe_failed_now` those that may be.
    Events without an entry in `events` are known by their id alone.
    """

    root: str
    nodes: tuple[Node, ...]
    states: tuple[State, ...] = ()
    events: tuple[Event, ...] = ()
    failed_now: frozenset[str] = frozenset()
    maybe_failed_now: frozenset[str] = frozenset()
    by_name: dict[str, Node] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_name = {node.name: node for node in self.nodes}
        object.__setattr__(self, "by_name", by_name)
        if len(by_name) != len(self.nodes):
            raise UsageError("a topology names a node twice; give every node a name of its own")
        self._refuse_unknown_names()
        for node in self.nodes:
            for view, _ in node.views:
                if view not in VIEWS[1:]:
                    raise UsageError(
                        f"{node.name} needs something in the view {view!r}; use one of {VIEWS[1:]}"
                    )

    def _refuse_unknown_names(self) -> None:
        wanted = {self.root, *self.failed_now, *self.maybe_failed_now}
        for node in self.nodes:
            wanted.update(names_in(node.requirement, node.blind, *(extra for _, extra in node.views)))
        wanted.update(names_in(*(state.copies for state in self.states)))
        if missing := sorted(wanted - self.by_name.keys()):
            raise UsageError(f"a topology speaks of {', '.join(missing)} but does not describe it")

    @property
    def has_unknown(self) -> bool:
        """Whether the pessimistic and the optimistic reading can differ."""
        return any(node.possible_domains for node in self.nodes) or self.has_open_requirements

    @cached_property
    def has_open_requirements(self) -> bool:
        """Whether what something needs can differ between the two readings, not only what hits it."""
        waiting: list[Requirement] = []
        for node in self.nodes:
            waiting += [node.requirement, node.blind, *(extra for _, extra in node.views)]
        while waiting:
            requirement = waiting.pop()
            if isinstance(requirement, Unknown):
                return True
            waiting.extend(parts_of(requirement))
        return False

    def event(self, event_id: str) -> Event:
        """Return what is known of an event."""
        for event in self.events:
            if event.id == event_id:
                return event
        return Event(event_id, "", event_id)


def parts_of(requirement: Requirement) -> tuple[Requirement, ...]:
    """Return the direct parts of a requirement, without their weights."""
    # By type, the commonest first: the audit of a large account asks this a million times.
    if isinstance(requirement, On):
        return ()
    if isinstance(requirement, (AllOf, AnyOf)):
        return requirement.parts
    if isinstance(requirement, Unknown):
        return requirement.pessimistic, requirement.optimistic
    if any(weight < 0 for weight, _ in requirement.parts):
        raise UsageError("a weight is below zero; more failures would help, which cannot be")
    return tuple(part for _, part in requirement.parts)


def names_in(*requirements: Requirement) -> list[str]:
    """Return the nodes that requirements speak of, depth first."""
    found = []
    waiting = list(reversed(requirements))
    while waiting:
        requirement = waiting.pop()
        if isinstance(requirement, On):
            found.append(requirement.node)
        elif parts := parts_of(requirement):
            waiting.extend(reversed(parts))
    return found
