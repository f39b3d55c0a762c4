"""Architectures whose single points of failure were worked out by hand, and what the engine says of each.

The notation: `root X; name[*|~] [@zone] [!event] [:= needs]`. A plain node has a fault of its own;
`*` is run by somebody else and `~` is a mere relation, so they have none. `n VIEW> needs` is needed in
that view only, `n blind> needs` is needed but its health check cannot see it, `state S := copies`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest

from nospof.audit.analysis import analyse, analyse_pairs
from nospof.audit.cuts import blast_radius
from nospof.audit.graph import build_graph
from nospof.audit.proofs import prove
from nospof.model.topology import (
    NEVER,
    UP,
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

TOKEN = re.compile(r"\s*(\d+of\(|split\(|[()&|,]|[^\s()&|,]+)")


class Reader:
    """Reads `a & (b | 2of(c, d, e))`; `&` binds tighter than `|`."""

    def __init__(self, text: str) -> None:
        self.tokens = TOKEN.findall(text)

    def peek(self) -> str:
        return self.tokens[0] if self.tokens else ""

    def take(self, wanted: str = "") -> str:
        word = self.tokens.pop(0)
        assert not wanted or word == wanted, f"expected {wanted}, found {word}"
        return word

    def either(self) -> Requirement:
        parts = [self.both()]
        while self.peek() == "|":
            self.take()
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def both(self) -> Requirement:
        parts = [self.one()]
        while self.peek() == "&":
            self.take()
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def one(self) -> Requirement:
        word = self.take()
        if word == "(":
            inner = self.either()
            self.take(")")
            return inner
        if word == "split(":
            return Split(tuple(self.weighted(has_weights=True)))
        if word.endswith("of("):
            return AtLeast(int(word[:-3]), tuple(self.weighted(has_weights=False)))
        return NEVER if word == "never" else On(word)

    def weighted(self, *, has_weights: bool) -> list[tuple[int, Requirement]]:
        parts: list[tuple[int, Requirement]] = []
        while True:
            weight = int(self.take()) if has_weights else 1
            parts.append((weight, self.either()))
            if self.take() == ")":
                return parts


@dataclass
class Sketch:
    """A node while its lines are read."""

    faults: tuple[str, ...]
    domains: tuple[str, ...]
    requirement: Requirement = UP
    blind: Requirement = UP
    views: list[tuple[str, Requirement]] = field(default_factory=list)


def read_topology(text: str) -> Topology:
    root = ""
    sketches: dict[str, Sketch] = {}
    states: list[State] = []
    for statement in filter(None, (part.strip() for part in re.split(r"[;\n]", text))):
        head, _, needs = statement.partition(":=")
        words = head.split()
        if words[0] == "root":
            root = words[1]
        elif words[0] == "state":
            states.append(State(words[1], Reader(needs).either()))
        elif len(words) > 1 and words[1].endswith(">"):
            extra = Reader(statement.split(">", 1)[1]).either()
            if words[1] == "blind>":
                sketches[words[0]].blind = extra
            else:
                sketches[words[0]].views.append((words[1][:-1], extra))
        else:
            name = words[0].rstrip("*~")
            domains = tuple(f"zone:{w[1:]}" if w[0] == "@" else w[1:] for w in words[1:])
            faults = () if words[0] != name else (name,)
            sketches[name] = Sketch(faults, domains, Reader(needs).either() if needs else UP)
    nodes = (
        Node(name, s.requirement, s.faults, s.domains, blind=s.blind, views=tuple(s.views))
        for name, s in sketches.items()
    )
    return Topology(root, tuple(nodes), tuple(states))


PAIR = "root alb; alb* := (alb.a | alb.b) & (web1 | web2); alb.a* @a; alb.b* @b"
FULL_PAIR = f"""{PAIR}
web1 @a := vol1 & rds & efs & mt.a; web2 @b := vol2 & rds & efs & mt.b; vol1 @a; vol2 @b; mt.a @a; mt.b @b
efs*; rds~ := rds.p | rds.s; rds.p @a; rds.s @b; nat.a @a; nat.b @b; ami*; state db := rds.p | rds.s
web1 egress> nat.a; web2 egress> nat.b; web1 recovery> ami & nat.a; web2 recovery> ami & nat.b
state files := efs"""
QUORUM_AT_TWO = "root db; db~ := 2of(e1, e2) & (pg1 | pg2); pg1~ := n1; pg2~ := n2; e1~ := n1; e2~ := n2"
SELF_HEALING = f"""{PAIR.replace("(web1 | web2)", "i1")}; i1 @a; lt*; nat @b; i1 recovery> ami & lt & nat"""
MOVED_ADDRESS = """ha1 @a := app; ha2 @b := app; mover~ := ec2-api & ha2; ec2-api; app~ := w1 | w2
w1 @a; w2 @b"""
OWN_HARDWARE = """root svc; svc~ := host & net; host !rack:r1 := sys & db & power; sys~ := d1 | d2; d1; d2
db~ := s1 & s2; s1; s2; psu1; psu2; feedA; feedB; net~ := (nic1 | nic2) & (bgp1 | bgp2); nic1; nic2
bgp1 := tor1; bgp2 := tor1; tor1 !rack:r1; state dbfiles := s1 & s2"""

ARCHITECTURES: dict[str, tuple[str, str]] = {
    "R01 one instance with its volume and an Elastic IP": (
        "root dns; dns* := eip; eip* := web; web @a := vol; vol @a; state content := vol",
        "serving: web vol zone:a; loses content: vol; pairs 0; blast vol: dns eip web vol",
    ),
    "R02 two equal DNS records without health checks in one zone": (
        """root dns; dns* := split(50 web1, 50 web2); web1 @a := vol1; web2 @a := vol2; vol1 @a; vol2 @a""",
        """serving: zone:a; partial: web1(50%) web2(50%) vol1(50%) vol2(50%)
        pairs 4: {web1 vol1}x{web2 vol2}""",
    ),
    "R02 with a health check on every record": (
        """root dns; dns* := web1 | web2; web1 @a := vol1; web2 @a := vol2; vol1 @a; vol2 @a""",
        "serving: zone:a; pairs 4: {web1 vol1}x{web2 vol2}",
    ),
    "R03 a balancer in two zones with one target": (
        "root alb; alb* := (alb.a | alb.b) & tg; alb.a* @a; alb.b* @b; tg~ := web1; web1 @a := vol1; vol1 @a",
        "serving: web1 vol1 zone:a; pairs 0",
    ),
    "R04 a pair that shares the database inside one of them": (
        """root alb; alb* := (alb.a | alb.b) & (web1 | web2); alb.a* @a; alb.b* @b; web1~ := m1 & mysql
        web2~ := m2 & mysql; mysql~ := m1; m1 @a := vol1; m2 @b := vol2
        vol1 @a; vol2 @b; state db := vol1""",
        "serving: m1 vol1 zone:a; loses db: vol1; pairs 0; blast m1: alb web1 web2 mysql m1",
    ),
    "R05 a pair on a database in one zone": (
        f"{PAIR}; web1 @a := vol1 & rds; web2 @b := vol2 & rds; vol1 @a; vol2 @b; rds @a; state db := rds",
        """serving: rds zone:a; loses db: rds; pairs 6: {web1 vol1}x{web2 vol2 zone:b}
        blast rds: alb web1 web2 rds""",
    ),
    "R06 a full pair": (
        FULL_PAIR,
        "pairs 19: {web1 vol1 mt.a zone:a}x{web2 vol2 mt.b zone:b} {rds.p zone:a}x{rds.s zone:b}",
    ),
    "R06 a full pair whose health check cannot see the mount": (
        """root alb; alb* := web1 | web2; web1 @a := vol1; web2 @b := vol2; vol1 @a; vol2 @b; mt.a @a; mt.b @b
        web1 blind> mt.a; web2 blind> mt.b""",
        "partial: mt.a(50%) mt.b(50%); pairs 16: {web1 vol1 mt.a zone:a}x{web2 vol2 mt.b zone:b}",
    ),
    "R07 a pair on one mount target": (
        f"""{PAIR}; web1 @a := vol1 & efs & mt.a; web2 @b := vol2 & efs & mt.a; vol1 @a; vol2 @b; mt.a @a
        efs*; state files := efs""",
        "serving: mt.a zone:a; pairs 6: {web1 vol1}x{web2 vol2 zone:b}",
    ),
    "R07 with storage in one zone": (
        f"""{PAIR}; web1 @a := vol1 & efs; web2 @b := vol2 & efs; vol1 @a; vol2 @b; efs @a
        state files := efs""",
        "serving: efs zone:a; loses files: efs; pairs 6: {web1 vol1}x{web2 vol2 zone:b}",
    ),
    "R08 two of three votes in one zone": (
        """root svc; svc~ := (web1 | web2) & galera; web1 @a; web2 @b; galera~ := 2of(g1, g2, arb) & (g1 | g2)
        g1 @a; g2 @b; arb @a""",
        "serving: zone:a; pairs 7: {web1}x{web2 zone:b} {g1 arb}x{g2 zone:b} {g1}x{arb}",
    ),
    "R09 the arbitrator in a third zone": (
        """root galera; galera~ := 2of(g1, g2, arb) & (g1 | g2); g1 @a := vol1; g2 @b := vol2; vol1 @a
        vol2 @b
        arb @c; state db := vol1 | vol2""",
        """pairs 21: {g1 vol1 zone:a}x{g2 vol2 zone:b} {g1 vol1 zone:a}x{arb zone:c}
        {g2 vol2 zone:b}x{arb zone:c}""",
    ),
    "R10 a quorum of two is worse than one": (
        f"{QUORUM_AT_TWO}; n1 @a; n2 @b",
        "serving: n1 n2 zone:a zone:b; pairs 0",
    ),
    "R10 with a third vote elsewhere": (
        f"{QUORUM_AT_TWO.replace('2of(e1, e2)', '2of(e1, e2, e3)')}; n1 @a; n2 @b; e3 @c",
        "pairs 12: {n1 zone:a}x{n2 zone:b} {n1 zone:a}x{e3 zone:c} {n2 zone:b}x{e3 zone:c}",
    ),
    "R11 one NAT gateway, a bastion, a monitor": (
        f"""{PAIR}; web1 @a; web2 @b; nat @a; bastion @a; mon @b; web1 egress> nat; web2 egress> nat
        web1 admin> bastion & mon; web2 admin> bastion & mon""",
        "egress: nat zone:a; admin: bastion mon zone:b; pairs 4: {web1 zone:a}x{web2 zone:b}",
    ),
    "R11 where the service must call out to serve": (
        f"{PAIR}; web1 @a := nat; web2 @b := nat; nat @a",
        "serving: nat zone:a; pairs 2: {web1}x{web2 zone:b}",
    ),
    "R12 a group of one whose image is gone": (
        f"{SELF_HEALING}; ami~ := never",
        "serving: i1 zone:a; recovery: order-0; pairs 0",
    ),
    "R12 with the image back": (
        f"{SELF_HEALING}; ami*",
        "serving: i1 zone:a; recovery: nat zone:b; pairs 0",
    ),
    "R13 two services that need each other": (
        """root gw; gw~ := app & auth; app~ := a1 | a2; auth~ := b1 | b2; a1 @a := auth; a2 @b := auth
        b1 @a := app; b2 @b := app""",
        "cold: gw app auth a1 a2 b1 b2; pairs 7: {a1 zone:a}x{a2 zone:b} {b1 zone:a}x{b2 zone:b}",
    ),
    "R13 where one of them starts without the other": (
        """root gw; gw~ := app & auth; app~ := a1 | a2; auth~ := b1 | b2; a1 @a := auth; a2 @b := auth
        b1 @a; b2 @b""",
        "pairs 7: {a1 zone:a}x{a2 zone:b} {b1 zone:a}x{b2 zone:b}",
    ),
    "R14 four servers of which the peak needs three": (
        "root tg; tg~ := 3of(w1, w2, w3, w4); w1 @a; w2 @a; w3 @b; w4 @b",
        "serving: zone:a zone:b; pairs 6: {w1}x{w2 w3 w4} {w2}x{w3 w4} {w3}x{w4}",
    ),
    "R15 announced events in one window and a certificate": (
        f"""{PAIR.replace("(web1 | web2)", "(web1 | web2) & cert")}
        web1 @a !event:W1; web2 @b !event:W1; cert* !cert-expiry:2026-12-04""",
        "serving: event:W1 cert-expiry:2026-12-04; pairs 4: {web1 zone:a}x{web2 zone:b}",
    ),
    "R16 an address moved by the survivor, as it stands": (
        f"root eip; eip~ := ha1 | (ha2 & mover); {MOVED_ADDRESS}",
        "pairs 9: {ha1 zone:a}x{ha2 zone:b ec2-api} {w1 zone:a}x{w2 zone:b}",
    ),
    "R16 whoever holds the address": (
        f"root eip; eip~ := 2of(ha1, ha2, mover); {MOVED_ADDRESS.replace('ec2-api & ha2', 'ec2-api')}",
        "pairs 11: {ha1 zone:a}x{ha2 zone:b ec2-api} {ha2 zone:b}x{ec2-api} {w1 zone:a}x{w2 zone:b}",
    ),
    "R17 own hardware": (
        f"{OWN_HARDWARE}; power~ := (psu1 & feedA) | (psu2 & feedB)",
        """serving: host rack:r1 s1 s2 tor1; loses dbfiles: s1 s2
        pairs 7: {psu1 feedA}x{psu2 feedB} {d1}x{d2} {nic1}x{nic2} {bgp1}x{bgp2}""",
    ),
    "R17 with both power supplies on one feed": (
        f"{OWN_HARDWARE}; power~ := feedA & (psu1 | psu2)",
        """serving: host rack:r1 s1 s2 tor1 feedA; loses dbfiles: s1 s2
        pairs 4: {psu1}x{psu2} {d1}x{d2} {nic1}x{nic2} {bgp1}x{bgp2}""",
    ),
}

EVERY = pytest.mark.parametrize(("text", "answers"), ARCHITECTURES.values(), ids=ARCHITECTURES)


def answer(answers: str, key: str) -> str:
    for line in re.split(r"[;\n]\s*(?=[a-z])", answers):
        if line.split(":")[0].split(" ")[0] == key.split(" ")[0] and line.startswith(key):
            return line[len(key) :].lstrip(":").strip()
    return ""


def pairs_in(products: str) -> set[frozenset[str]]:
    found = set()
    for first, second in re.findall(r"\{([^}]*)\}x\{([^}]*)\}", products):
        found |= {frozenset((a, b)) for a in first.split() for b in second.split() if a != b}
    return found


@EVERY
@pytest.mark.parametrize("pessimistic", [True, False])
def test_events_that_stop_the_service_are_exactly_the_known_ones(
    text: str, answers: str, pessimistic: bool
) -> None:
    serving = analyse(read_topology(text), pessimistic=pessimistic).serving
    assert set(serving.total) == set(answer(answers, "serving").split())
    assert not serving.is_broken
    partial = {f"{event}({float(share):.0%})" for event, share in serving.partial}
    assert partial == set(answer(answers, "partial").split())


@EVERY
def test_other_views_hold_only_what_serving_does_not(text: str, answers: str) -> None:
    analysis = analyse(read_topology(text))
    for view in ("degraded", "egress", "recovery", "admin"):
        expected = answer(answers, view)
        cuts = analysis.views.get(view)
        if expected == "order-0":
            assert cuts is not None
            assert cuts.is_broken
        else:
            assert set(cuts.total if cuts else ()) == set(expected.split())
            assert not (cuts and (cuts.is_broken or cuts.partial))


@EVERY
def test_data_is_lost_by_the_faults_of_its_copies_only(text: str, answers: str) -> None:
    for state, events in analyse(read_topology(text)).loses.items():
        assert set(events) == set(answer(answers, f"loses {state}").split())


@EVERY
def test_pairs_are_exactly_the_known_ones(text: str, answers: str) -> None:
    products = analyse_pairs(analyse(read_topology(text)))
    found = [frozenset((a, b)) for one in products for a in one.first for b in one.second]
    expected = re.search(r"pairs (\d+)", answers)
    assert expected
    assert set(found) == pairs_in(answers)
    assert len(found) == int(expected[1])
    assert sum(len(one) for one in products) == len(found)


@EVERY
def test_what_cannot_start_from_cold_is_known(text: str, answers: str) -> None:
    assert analyse(read_topology(text)).cold == set(answer(answers, "cold").split())


@EVERY
def test_blast_radius_is_known(text: str, answers: str) -> None:
    for event, nodes in re.findall(r"blast (\S+): ([^;\n]*)", answers):
        assert blast_radius(build_graph(read_topology(text)), event) == set(nodes.split())


@EVERY
def test_every_cut_has_a_proof_that_ends_in_it(text: str, answers: str) -> None:
    topology = read_topology(text)
    for event in answer(answers, "serving").split():
        proof = prove(topology, [event])
        assert proof[0].node == topology.root
        assert event in proof[-1].says or "see above" in proof[-1].says
    for pair in pairs_in(answers):
        said = "\n".join(line.says for line in prove(topology, pair))
        assert all(event in said for event in pair)


def test_proof_reads_like_an_explanation() -> None:
    text, _ = ARCHITECTURES["R05 a pair on a database in one zone"]
    lines = [f"{'  ' * line.depth}{line.says}" for line in prove(read_topology(text), ["zone:a"])]
    assert lines == [
        "alb stops, because this stops:",
        "  what it needs stops, because all 2 alternatives are lost:",
        "    web1 fails: zone:a",
        "    web2 stops, because this stops:",
        "      rds fails: zone:a",
    ]


def test_proof_of_a_lost_quorum_counts_votes() -> None:
    text, _ = ARCHITECTURES["R08 two of three votes in one zone"]
    said = [line.says for line in prove(read_topology(text), ["zone:a"])]
    assert "what it needs stops, because 1 of 3 left, 2 needed; lost:" in said


def test_there_is_no_proof_of_what_does_not_happen() -> None:
    text, _ = ARCHITECTURES["R06 a full pair"]
    assert prove(read_topology(text), ["zone:a"]) == ()


def test_what_is_not_known_is_bounded_from_both_sides() -> None:
    known = read_topology(ARCHITECTURES["R05 a pair on a database in one zone"][0])
    two_zones = (Node("p", faults=("p",), domains=("zone:a",)), Node("s", faults=("s",), domains=("zone:b",)))
    one_zone = Node("one", faults=("rds",), domains=("zone:a",))
    unknown = Node("rds", Unknown(On("one"), AnyOf((On("p"), On("s")))))
    nodes = tuple(unknown if node.name == "rds" else node for node in known.nodes)
    topology = Topology("alb", (*nodes, *two_zones, one_zone))
    assert set(analyse(topology, pessimistic=True).serving.total) == {"rds", "zone:a"}
    assert analyse(topology, pessimistic=False).serving.total == ()


def test_a_possible_domain_counts_only_in_the_worst_case() -> None:
    nodes = [Node(name, faults=(name,), possible_domains=("rack",)) for name in ("w1", "w2")]
    topology = Topology("lb", (Node("lb", AnyOf((On("w1"), On("w2")))), *nodes))
    assert analyse(topology).serving.total == ("rack",)
    assert analyse(topology, pessimistic=False).serving.total == ()


def test_now_counts_what_has_failed_already() -> None:
    nodes = [Node(name, faults=(name,)) for name in ("w1", "w2")]
    topology = Topology("lb", (Node("lb", AnyOf((On("w1"), On("w2")))), *nodes), failed_now=frozenset({"w1"}))
    assert analyse(topology).serving.total == ()
    assert analyse(topology, now=True).serving.total == ("w2",)


def test_a_service_that_is_down_has_no_single_points_but_is_broken() -> None:
    topology = Topology("w", (Node("w", faults=("w",)),), failed_now=frozenset({"w"}))
    serving = analyse(topology, now=True).serving
    assert serving.is_broken
    assert serving.total == ()


def chain(length: int) -> Topology:
    nodes = [Node(f"n{i}", On(f"n{i + 1}"), (f"n{i}",)) for i in range(length)]
    return Topology("n0", (*nodes, Node(f"n{length}", faults=(f"n{length}",))))


def test_a_chain_of_100_000_nodes_is_all_single_points() -> None:
    topology = chain(100_000)
    graph = build_graph(topology)
    proof = prove(topology, ["n100000"])
    assert len(analyse(topology).serving.total) == 100_001
    assert len(blast_radius(graph, "n99999")) == 100_000
    assert len(proof) == 100_001


def test_a_ring_of_100_000_nodes_falls_as_one() -> None:
    nodes = [Node(f"n{i}", On(f"n{(i + 1) % 100_000}")) for i in range(99_999)]
    topology = Topology("n0", (*nodes, Node("n99999", On("n0"), ("fault",))))
    analysis = analyse(topology)
    assert analysis.serving.total == ("fault",)
    assert len(analysis.cold) == 100_000
    assert prove(topology, ["fault"])[-1].says == "n99999 fails: fault"


def test_deep_requirements_do_not_recurse() -> None:
    requirement: Requirement = On("w")
    for _ in range(20_000):
        requirement = AnyOf((AllOf((requirement, On("v"))),))
    topology = Topology("lb", (Node("lb", requirement), Node("w", faults=("w",)), Node("v", faults=("v",))))
    assert set(analyse(topology).serving.total) == {"w", "v"}


def test_diamonds_do_not_blow_up_a_proof() -> None:
    nodes = [
        Node(f"{side}{i}", AnyOf((On(f"l{i + 1}"), On(f"r{i + 1}"))))
        for i in range(60)
        for side in ("l", "r")
    ]
    leaves = [Node(f"{side}60", domains=("zone:a",)) for side in ("l", "r")]
    proof = prove(Topology("l0", (*nodes, *leaves)), ["zone:a"])
    assert 60 < len(proof) < 300
