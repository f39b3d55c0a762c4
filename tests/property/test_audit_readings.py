"""Readings that are taken from another service of the same shape are those that the engine gives itself.

Names are swapped for others that sort the other way round, so an answer that hung on a name would show.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nospof.audit import readings
from nospof.audit.analysis import Analysis, analyse_pairs
from nospof.audit.graph import Graph
from nospof.audit.readings import AlikeReadings, Readings, names_of, read_both_ways, shape_of
from nospof.model.topology import (
    UP,
    VIEWS,
    AllOf,
    AnyOf,
    AtLeast,
    Node,
    On,
    Requirement,
    Split,
    State,
    Topology,
    Unknown,
)

NAMES = [f"n{number}" for number in range(6)]
SHARED = ["zone:a", "zone:b", "window"]
LEAF = st.builds(On, st.sampled_from(NAMES))


def gates(inner: st.SearchStrategy[Requirement]) -> st.SearchStrategy[Requirement]:
    parts = st.lists(inner, max_size=3).map(tuple)
    weighted = st.lists(st.tuples(st.integers(0, 3), inner), min_size=1, max_size=3).map(tuple)
    return st.one_of(
        st.builds(AllOf, parts),
        st.builds(AnyOf, parts),
        st.builds(AtLeast, st.integers(0, 4), weighted),
        st.builds(Split, weighted),
        st.builds(Unknown, inner, inner),
    )


NEEDS = st.one_of(st.just(UP), st.recursive(LEAF, gates, max_leaves=5))
EVENTS = st.lists(st.sampled_from([*SHARED, *NAMES]), max_size=2, unique=True).map(tuple)
NODES = [
    st.builds(
        Node,
        st.just(name),
        NEEDS,
        EVENTS,
        EVENTS,
        EVENTS,
        st.one_of(st.just(UP), LEAF),
        st.lists(st.tuples(st.sampled_from(VIEWS[1:]), NEEDS), max_size=2).map(tuple),
    )
    for name in NAMES
]
FAILED = st.frozensets(st.sampled_from(NAMES), max_size=1)
STATES = st.lists(st.builds(State, st.sampled_from(["db", "files"]), NEEDS), max_size=2).map(tuple)
TOPOLOGIES = st.builds(
    Topology,
    st.just("n0"),
    st.tuples(*NODES),
    STATES,
    st.just(()),
    FAILED,
    FAILED,
)


def other(name: str) -> str:
    """Return another name, which sorts the other way round."""
    return "".join(chr(0x10FFF - ord(letter)) for letter in name)


def renamed(value: Any) -> Any:
    """Return a topology, or a part of one, by other names; views are words of ours, not names."""
    if isinstance(value, str):
        return value if value in VIEWS else other(value)
    if isinstance(value, (tuple, frozenset)):
        return type(value)(map(renamed, value))
    if isinstance(value, int):
        return value
    changed = {one.name: renamed(getattr(value, one.name)) for one in fields(value) if one.init}
    return type(value)(**changed)


def told(found: Readings) -> object:
    """Return all that readings say, for whoever asks."""
    graphs = [
        shown(found.graphs.of(view, pessimistic=pessimistic))
        for view in VIEWS
        for pessimistic in (True, False)
    ]
    each = (found.worst, found.best, found.worst_now, found.best_now)
    return [said(one) for one in each], graphs


def said(one: Analysis) -> object:
    """Return what an analysis says, in the order in which it says it."""
    loses = list(one.loses.items())
    return list(one.views.items()), loses, one.cold, one.failed, shown(one.graph), analyse_pairs(one)


def shown(graph: Graph) -> object:
    """Return a graph without what it remembers."""
    return replace(graph, witnesses={}), list(graph.index), graph.event_ids, graph.parents


THOROUGH = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@THOROUGH
@given(TOPOLOGIES)
def test_what_differs_in_names_only_has_the_same_answers_by_its_own_names(topology: Topology) -> None:
    alike, twin = AlikeReadings(), renamed(topology)
    first = alike.of(topology)
    found = alike.of(twin)
    assert told(found) == told(read_both_ways(twin))
    assert told(alike.of(topology)) == told(first) == told(read_both_ways(topology))


A, B, C = On("a"), On("b"), On("c")
BASE = Topology(
    "r",
    (
        Node("r", AtLeast(2, ((1, A), (2, B), (1, C))), views=(("egress", A),)),
        Node("a", UP, ("x",), ("z", "y"), ("w",), blind=B),
        Node("b", Split(((1, A), (2, C))), ("y",), ("z",)),
        Node("c", AnyOf((A, B)), ("w",)),
    ),
    (State("db", A), State("files", AnyOf((A, B)))),
    failed_now=frozenset({"b"}),
    maybe_failed_now=frozenset({"c"}),
)


def base_with(place: int, **changes: Any) -> Topology:
    """Return the base with one node changed."""
    nodes = list(BASE.nodes)
    nodes[place] = replace(nodes[place], **changes)
    return replace(BASE, nodes=tuple(nodes))


DIFFERENT = {
    "how many": base_with(0, requirement=AtLeast(3, ((1, A), (2, B), (1, C)))),
    "a weight": base_with(0, requirement=AtLeast(2, ((1, A), (1, B), (1, C)))),
    "who has which weight": base_with(0, requirement=AtLeast(2, ((2, A), (1, B), (1, C)))),
    "a share": base_with(2, requirement=Split(((1, A), (1, C)))),
    "whether it moves": base_with(2, requirement=AtLeast(1, ((1, A), (2, C)))),
    "all or any": base_with(3, requirement=AllOf((A, B))),
    "known or not": base_with(3, requirement=Unknown(A, B)),
    "which is the worst": base_with(3, requirement=Unknown(B, A)),
    "where a gate ends": base_with(3, requirement=AnyOf((A, AllOf((B,))))),
    "the order": base_with(3, requirement=AnyOf((B, A))),
    "a fault": base_with(1, faults=()),
    "whose fault": base_with(1, faults=("y",)),
    "the order of domains": base_with(1, domains=("y", "z")),
    "a domain that is only possible": base_with(1, domains=("z",), possible_domains=("y", "w")),
    "what is not seen": base_with(1, blind=UP),
    "the view": base_with(0, views=(("recovery", A),)),
    "what a view needs": base_with(0, views=(("egress", C),)),
    "copies": replace(BASE, states=(State("db", B), BASE.states[1])),
    "whose copies": replace(BASE, states=(State("db", A), State("db", AnyOf((A, B))))),
    "domains in an order": base_with(3, domains=("z", "y")),
    "domains in another order": base_with(3, domains=("y", "z")),
    "faults in an order": base_with(3, faults=("w", "x")),
    "faults in another order": base_with(3, faults=("x", "w")),
    "what has failed": replace(BASE, failed_now=frozenset({"a"})),
    "what may have failed": replace(BASE, maybe_failed_now=frozenset()),
    "the entry": replace(BASE, root="c"),
    "the order of nodes": replace(BASE, nodes=BASE.nodes[::-1]),
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_what_differs_in_anything_else_has_another_shape_and_its_own_answers(what: str) -> None:
    different, alike = DIFFERENT[what], AlikeReadings()
    alike.of(BASE)
    others = [BASE, *(each for name, each in DIFFERENT.items() if name != what)]
    assert shape_of(different, names_of(different)) not in [shape_of(each, names_of(each)) for each in others]
    assert told(alike.of(different)) == told(read_both_ways(different))
    assert told(alike.of(renamed(different))) == told(read_both_ways(renamed(different)))


def test_no_more_shapes_are_kept_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "KEPT", 1)
    alike = AlikeReadings()
    for each in (BASE, *DIFFERENT.values()):
        assert told(alike.of(each)) == told(read_both_ways(each))
    assert len(alike._known) == 1
