"""Which votes an event takes, and what is left of the majority without them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nospof.audit.builder import Service
from nospof.model.topology import AtLeast, Event, Node, Requirement, names_in, parts_of


@dataclass(frozen=True)
class Shortage:
    """A cluster that an event leaves without a majority.

    Args:
        cluster: its node.
        taken: the nodes of the votes that the event takes.
        missing: those of votes that are not there in any case.
        votes: the nodes of all.
        need: how many decide.
    """

    cluster: Node
    taken: tuple[Node, ...]
    missing: tuple[Node, ...]
    votes: tuple[Node, ...]
    need: int

    @property
    def left(self) -> int:
        """How many votes are left."""
        return len(self.votes) - len(self.taken) - len(self.missing)


def shortage_of(service: Service, event_id: str) -> Shortage | None:
    """Return the first cluster that an event leaves without a majority of its votes; None for none."""
    nodes = service.topology.by_name
    for cluster in service.topology.nodes:
        majority = majority_of(cluster.requirement) if cluster.kind == "cluster" else None
        if majority is None:
            continue
        votes = tuple(nodes[names_in(part)[0]] for _, part in majority.parts if names_in(part))
        missing = tuple(one for one in votes if one.kind == "gone")
        taken = tuple(one for one in votes if event_id in events_of(service, one))
        found = Shortage(cluster, taken, missing, votes, majority.need)
        if taken and found.left < found.need:
            return found
    return None


def majority_of(requirement: Requirement) -> AtLeast | None:
    """Return the majority that a cluster needs."""
    if isinstance(requirement, AtLeast):
        return requirement
    return next((one for one in parts_of(requirement) if isinstance(one, AtLeast)), None)


def events_of(service: Service, vote: Node) -> Iterator[str]:
    """Yield the events that take a vote: those of its machine and of that one's disks."""
    yield from (*vote.faults, *vote.domains, *vote.possible_domains)
    for name in names_in(vote.requirement):
        disk = service.topology.by_name[name]
        if disk.kind == "volume":
            yield from disk.faults


def machine_of(vote: Node) -> str:
    """Return the machine whose vote it is, as commands name it."""
    return vote.faults[0] if vote.faults else vote.name


def shortage_says(service: Service, event: Event) -> str:
    """Return why an event leaves a cluster without a majority; empty where it does not."""
    found = shortage_of(service, event.id)
    if found is None:
        return ""
    total, label = len(found.votes), found.cluster.says
    if total == 2 and len(found.taken) == 1:
        return f"{label} has two votes and no third, so two machines are less available than one"
    if found.missing:
        who = " and ".join(one.says for one in found.missing)
        return (
            f"{who} is gone, and {found.left} of the {total} votes of {label} are left; {found.need} decide"
        )
    who = " and ".join(map(voter_says, found.taken))
    has = "have" if len(found.taken) > 1 else "has"
    return f"{who} {has} {len(found.taken)} of the {total} votes of {label}, and {found.need} decide"


def voter_says(vote: Node) -> str:
    """Return the machine whose vote it is, as titles name it."""
    return f"{machine_of(vote)} (which only votes)" if is_arbitrator(vote) else machine_of(vote)


def is_arbitrator(vote: Node) -> bool:
    """Whether a vote is an arbitrator's."""
    return " arbitrator on " in vote.name
