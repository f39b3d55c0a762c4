"""What stands behind a finding: which nodes an event strikes, what was read about them, and where."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from nospof.audit.builder import Service
from nospof.model.findings import Fact, Location
from nospof.model.topology import names_in


class Evidence:
    """Answers about one service; each index is made once."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.topology = service.topology

    def classes(self, events: Iterable[str]) -> list[tuple[str, tuple[str, ...]]]:
        """Return each event with what fails with the same effect: a machine stands for its disks."""
        events = list(events)
        disks_of = {one: self.disks_of(one) for one in events if self.topology.event(one).kind == "instance"}
        told = {disk for disks in disks_of.values() for disk in disks}
        found = []
        for event in sorted(events):
            if event in told:
                continue
            if event in disks_of:
                found.append((event, (event, *(disk for disk in disks_of[event] if disk in events))))
            else:
                found.append((event, tuple(sorted(self.struck_by.get(event, ()))) or (event,)))
        return found

    @cached_property
    def struck_by(self) -> dict[str, list[str]]:
        """The nodes that each event hits."""
        found: dict[str, list[str]] = {}
        for node in self.topology.nodes:
            for event in dict.fromkeys((*node.faults, *node.domains, *node.possible_domains)):
                found.setdefault(event, []).append(node.name)
        return found

    def disks_of(self, name: str) -> list[str]:
        """Return the volumes that a machine needs."""
        node = self.topology.by_name.get(name)
        needed = names_in(node.requirement) if node else ()
        return [each for each in needed if self.topology.by_name[each].kind == "volume"]

    def facts_about(self, nodes: Iterable[str]) -> tuple[Fact, ...]:
        """Return what was read about nodes and about the targets that are them: each fact once, in order."""
        wanted = set(nodes)
        wanted |= {target for node in list(wanted) for target in self.targets_of.get(node, ())}
        found = {fact for node in wanted for fact in self.service.facts_of.get(node, ())}
        return tuple(sorted(found, key=lambda fact: (fact.call, fact.about, fact.field, fact.value)))

    @cached_property
    def targets_of(self) -> dict[str, list[str]]:
        """The targets that each machine is."""
        found: dict[str, list[str]] = {}
        for node in self.topology.nodes:
            if node.kind == "target":
                for name in names_in(node.requirement):
                    found.setdefault(name, []).append(node.name)
        return found

    def location_of(self, nodes: Iterable[str]) -> Location:
        """Return where the first of the nodes that stands in a file does."""
        items = (self.service.item_of.get(node) for node in nodes)
        return next((one.location for one in items if one and one.location.file), Location())

    @cached_property
    def blind_needs(self) -> set[str]:
        """The nodes that something needs and its health check cannot see."""
        return {name for node in self.topology.nodes for name in names_in(node.blind)}
