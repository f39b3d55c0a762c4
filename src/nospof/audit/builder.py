"""From an estate to the topology of one service: what each resource needs to serve.

The builder knows no kind. Each kind has an interpreter in `parts`, which adds the item's node and
returns what depends on it; whatever it needs in turn is built when it is first asked for. What was
not read becomes a requirement with two bounds, never an absence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import cast

from nospof.model.estate import CERTAIN, Estate, Item, Watched
from nospof.model.findings import Fact
from nospof.model.topology import (
    NEVER,
    UP,
    AllOf,
    Event,
    Node,
    On,
    Requirement,
    State,
    Topology,
    Unknown,
    names_in,
    parts_of,
)

SOMEWHERE = "zone:unplaced"
"""The pessimistic reading puts everything whose zone nobody could tell into one zone."""


@dataclass(frozen=True)
class Entry:
    """Where clients enter a service.

    Args:
        service: the service's name.
        kind: the kind of the item that clients meet first.
        id: that item's id.
        is_doubtful: perhaps it is no entry, but one part of many of a service that was not read.
    """

    service: str
    kind: str
    id: str
    is_doubtful: bool = False

    @property
    def key(self) -> str:
        """The item that clients meet first, whatever the service is called."""
        return f"{self.kind} {self.id}"


@dataclass
class Service:
    """A service as it was read, ready to be analysed.

    Args:
        members: the nodes of its machines, sorted.
        zone_of: the zone of each node that has one.
        state_of: what is wrong with a node now, in words.
        facts_of: what was read about a node.
        item_of: the item a node stands for.
        heals: events after which something brings the service back with nobody woken, and what does.
        outside: targets that get no traffic because their zone is not enabled: (group, target).
        not_read: what inside this service was not read or not understood.
        assumptions: what was taken for true.
        questions: what only a person can answer, each once, and what its answer would settle.
        possible_states: data that may be there; nobody looked.
        watched: the estate it was read from, which remembers what was asked for.
    """

    entry: Entry
    topology: Topology
    watched: Watched
    members: tuple[str, ...] = ()
    zone_of: dict[str, str] = field(default_factory=dict)
    state_of: dict[str, str] = field(default_factory=dict)
    facts_of: dict[str, tuple[Fact, ...]] = field(default_factory=dict)
    item_of: dict[str, Item] = field(default_factory=dict)
    heals: dict[str, str] = field(default_factory=dict)
    outside: list[tuple[str, Item]] = field(default_factory=list)
    not_read: list[str] = field(default_factory=list)
    assumptions: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    possible_states: set[str] = field(default_factory=set)

    @property
    def estate(self) -> Estate:
        """The part of the estate that the service rests on."""
        return self.watched.narrowed()


class Builder:
    """Builds one service. Interpreters use its public methods and nothing else.

    Args:
        estate: what was read; never changed.
        entry: where clients come in.
        interpreters: by kind: adds the node of an item and returns what depends on it.
        finishers: called once the graph is there, to add what concerns several nodes (announced
            windows, egress of every machine).
    """

    def __init__(
        self,
        estate: Estate,
        entry: Entry,
        interpreters: dict[str, Interpreter],
        finishers: Iterable[Finisher] = (),
    ) -> None:
        watched = Watched(estate)
        self.estate: Estate = cast(Estate, watched)
        self.entry = entry
        self.nodes: dict[str, Node] = {}
        self.service = Service(entry, Topology("", (Node(""),)), watched)
        self._interpreters = interpreters
        self._finishers = tuple(finishers)
        self._events: dict[str, Event] = {}
        self._failed: set[str] = set()
        self._maybe_failed: set[str] = set()
        self._members: dict[str, None] = {}
        self._states: list[State] = []
        self._under_way: set[tuple[str, str]] = set()
        self._built: dict[tuple[str, str], Requirement] = {}

    def build(self) -> Service:
        """Return the service that is entered here."""
        root = self.need(self.entry.kind, self.entry.id)
        if self.entry.is_doubtful:
            root = Unknown(root, UP)
        name = f"service {self.entry.service}"
        self.add(Node(name, root, kind="service", label=name))
        for finish in self._finishers:
            finish(self)
        self._let_unplaced_stand_anywhere()
        self.service.members = self.machines
        self.service.topology = Topology(
            name,
            tuple(self.nodes.values()),
            states=tuple(self._states),
            events=tuple(self._events.values()),
            failed_now=frozenset(self._failed),
            maybe_failed_now=frozenset(self._maybe_failed),
        )
        needed = surely_needed(self.service.topology)
        for state in self._states:
            if not needed.issuperset(names_in(state.copies)):
                self.service.possible_states.add(state.name)
        return self.service

    def _let_unplaced_stand_anywhere(self) -> None:
        """Let what stands in a zone nobody could tell perhaps fall with each zone that others stand in."""
        zones = [one for one in self._events if one.startswith("zone:")]
        for node in list(self.nodes.values()):
            if SOMEWHERE in node.possible_domains:
                possible = tuple(dict.fromkeys((*node.possible_domains, *zones)))
                self.change(node.name, possible_domains=possible)

    # What interpreters ask for --------------------------------------------------------------------

    def need(self, kind: str, key: str) -> Requirement:
        """Return what depends on the resource that goes by a key, and build it if it is new.

        One that nobody could read is a requirement with two bounds. One that is missing from a whole
        estate can never be up; from a part of one, it is somewhere else and was not read.
        """
        item = self.estate.find(kind, key)
        if item is not None:
            return self.of(item)
        if self.estate.is_whole and not self.estate.is_unread(kind):
            return self.gone(kind, key)
        return self.unread(f"{kind} {key}")

    def of(self, item: Item) -> Requirement:
        """Return what depends on an item, and build it if it is new."""
        at = (item.kind.name, item.id)
        if at in self._built:
            return self._built[at]
        if at in self._under_way:
            return On(self.name(item))  # It needs itself somewhere down the line: a cycle, which is allowed.
        self._under_way.add(at)
        found = self._interpreters[item.kind.name](self, item)
        self._under_way.discard(at)
        self._built[at] = found
        return found

    def knows(self, kind: str) -> bool:
        """Whether there is an interpreter for a kind."""
        return kind in self._interpreters

    def name(self, item: Item) -> str:
        """Return the node of an item: its id where EC2 gives unique ones, else with the kind in front."""
        return item.id if item.kind.name in ("instance", "volume") else f"{item.kind.name} {item.id}"

    def add(self, node: Node, *, item: Item | None = None, facts: Iterable[Fact] = (), zone: str = "") -> On:
        """Add a node; give the item it stands for, what was read about it, and its zone."""
        self.nodes[node.name] = node
        if item is not None:
            self.service.item_of[node.name] = item
        if facts:
            self.service.facts_of[node.name] = tuple(facts)
        if zone:
            self.service.zone_of[node.name] = zone
        return On(node.name)

    def change(self, name: str, **fields: object) -> None:
        """Replace fields of a node that is there already."""
        # As `dataclasses.replace`, which asks anew what fields there are: twenty times a service.
        self.nodes[name] = Node(**{**vars(self.nodes[name]), **fields})

    def also_needs(self, name: str, view: str, requirement: Requirement, *, certain: bool = True) -> None:
        """Let a node need something more, in a view; only in the pessimistic reading if not certain."""
        if requirement == UP:
            return
        wanted = requirement if certain else Unknown(requirement, UP)
        node = self.nodes[name]
        if view == "serving":
            self.change(name, requirement=AllOf((node.requirement, wanted)))
        elif view == "blind":
            self.change(name, blind=AllOf((node.blind, wanted)))
        else:
            self.change(name, views=(*node.views, (view, wanted)))

    @property
    def machines(self) -> tuple[str, ...]:
        """The nodes of the service's machines so far, sorted."""
        return tuple(sorted(self._members))

    def member(self, name: str) -> None:
        """Note that a node is one of the service's machines."""
        self._members[name] = None

    def only_votes(self, name: str) -> None:
        """Note that a machine is none of the service's: it votes for those that are."""
        self._members.pop(name, None)

    def event(self, id: str, kind: str, label: str = "", starts_at: float = 0.0) -> str:  # noqa: A002
        """Return the id of an event, after noting what it is."""
        if id not in self._events:
            self._events[id] = Event(id, kind, label, starts_at)
        return id

    def heals(self, event: str, says: str) -> None:
        """Note that something mends what an event breaks, with nobody woken."""
        self.service.heals[event] = says

    def state(self, name: str, copies: Requirement, *, certain: bool = True) -> None:
        """Note data, and the copies it lives on; not certain where nobody looked whether there is any."""
        if all(one.name != name for one in self._states):
            self._states.append(State(name, copies))
        if not certain:
            self.service.possible_states.add(name)

    def is_off(self, name: str, says: str, *, certain: bool = True) -> None:
        """Note that a node does not serve now, or perhaps; what it says ends the sentence "it is ..."."""
        (self._failed if certain else self._maybe_failed).add(name)
        self.service.state_of[name] = says

    def falls_with(self, name: str, other: str) -> None:
        """Note that a node is off now where another one is, or perhaps; of that one it is said already."""
        for each in (self._failed, self._maybe_failed):
            if other in each:
                each.add(name)

    # Zones ----------------------------------------------------------------------------------------

    def zone(self, name: str) -> str:
        """Return the event of a zone, by the zone's name or id."""
        known = self.estate.find("zone", name)
        if known is None:
            return self.event(f"zone:{name}", "zone", f"zone {name}")
        zone_id = known.text("ZoneId")
        label = f"zone {known.id} ({zone_id})" if zone_id else f"zone {known.id}"
        return self.event(f"zone:{known.id}", "zone", label)

    def zone_of_subnet(self, subnet_id: str) -> str:
        """Return the zone's name of a subnet, or nothing when nobody could tell."""
        subnet = self.estate.find("subnet", subnet_id)
        return subnet.text("AvailabilityZone") if subnet else ""

    def domains(self, zone: str, who: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the events of standing in a zone: the certain ones and the possible ones.

        What stands in a zone nobody could tell certainly falls with its own zone, and in the pessimistic
        reading with every zone there is.

        Args:
            zone: its name; empty when nobody could tell.
            who: what stands there, in a few words, for the label of its own zone.
        """
        if zone:
            return (self.zone(zone),), ()
        own = self.event(f"zone of {who}", "zone", f"the zone of {who} (not known which)")
        everywhere = {one.text("AvailabilityZone") for one in self.estate.of("subnet")}
        everywhere |= {
            one.id for one in self.estate.of("zone") if one.text("State", "available") == "available"
        }
        possible = [self.zone(one) for one in sorted(everywhere) if one]
        shared = self.event(SOMEWHERE, "zone", "one zone that everything of unknown zone may share")
        return (own,), (shared, *possible)

    # What is not there or not read ------------------------------------------------------------------

    def unread(self, what: str) -> Requirement:
        """Return a need of something nobody could read: perhaps a single point, perhaps nothing."""
        name = f"unread:{what}"
        fault = self.event(name, "unread", f"{what} (could not be read)")
        self.add(Node(name, faults=(fault,), kind="unread", label=what))
        return Unknown(On(name), UP)

    def gone(self, kind: str, key: str) -> Requirement:
        """Return a need of something that was read to be missing: it can never be up."""
        name = f"gone:{kind} {key}"
        self.is_off(name, "missing")
        return self.add(Node(name, NEVER, kind="gone", label=f"{kind} {key}"))

    def not_read(self, what: str) -> None:
        """Note what of this service was not read or not understood: the verdict is incomplete."""
        if what not in self.service.not_read:
            self.service.not_read.append(what)

    def assume(self, what: str) -> None:
        """Note what is taken for true without having been read."""
        if what not in self.service.assumptions:
            self.service.assumptions.append(what)

    def ask(self, question: str) -> None:
        """Note a question only a person can answer."""
        if question not in self.service.questions:
            self.service.questions.append(question)

    # Edges that no item declares ----------------------------------------------------------------------

    def apply_uses(self, name: str, item: Item) -> None:
        """Let a node need what the estate's uses say that its item needs; call it once the node is added."""
        for use in self.estate.uses_of(item.id):
            if not self.knows(use.used_kind):
                continue
            needed = self.need(use.used_kind, use.used)
            self.also_needs(name, use.view, needed, certain=use.provenance in CERTAIN)


def surely_needed(topology: Topology) -> set[str]:
    """Return the nodes that a service rests on in the optimistic reading too."""
    waiting: list[Requirement] = [On(topology.root)]
    found: set[str] = set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, Unknown):
            waiting.append(one.optimistic)
        elif not isinstance(one, On):
            waiting.extend(parts_of(one))
        elif one.node not in found:
            found.add(one.node)
            node = topology.by_name[one.node]
            waiting += [node.requirement, node.blind, *(extra for _, extra in node.views)]
    return found


Interpreter = Callable[[Builder, Item], Requirement]
Finisher = Callable[[Builder], None]
