"""Reports for the tests of their renderings: a whole one by hand, and any at all by Hypothesis."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import strategies as st

from nospof.model.findings import (
    SEVERITIES,
    AuditReport,
    Availability,
    Fact,
    Finding,
    Location,
    Minutes,
    Part,
    ProofStep,
    Remedy,
    ServiceReport,
    Suppression,
    Term,
    Unread,
)
from nospof.model.rules import EVERY_RULE

HOSTILE = "<script>alert('\"&')</script> \x00\x1b[31m ]]> \ufffe --> `x` $(id) %0a\n\tend \\"
"""A name that tries to be markup in every format."""


def single_database() -> AuditReport:
    """A pair of web servers in two zones on one database: something of everything."""
    zones = ("eu-west-1a", "eu-west-1b")
    parts = (
        Part("zone", zones[0], zones[0], "", is_single_point=True),
        Part("zone", zones[1], zones[1]),
        Part("entry", "", "www.example.org", id="record"),
        Part("entry", "", "load balancer www", id="alb"),
        Part("balancer", zones[0], "leg of www", id="leg-a"),
        Part("balancer", zones[1], "leg of www", id="leg-b"),
        Part("group", "", "target group www", id="group"),
        Part("instance", zones[0], "web-1 i-0aaaaaaaaaaaaaaa1", id="web-1"),
        Part("instance", zones[1], "web-2 i-0bbbbbbbbbbbbbbb2", "unhealthy", id="web-2"),
        Part("database", zones[0], "database orders", "", is_single_point=True, id="db"),
        Part("volume", zones[0], "vol-0aaaaaaaaaaaaaaa1", id="vol-1"),
        Part("volume", zones[1], "vol-0bbbbbbbbbbbbbbb2", id="vol-2"),
    )
    links = (
        ("record", "alb"),
        ("alb", "leg-a"),
        ("alb", "leg-b"),
        ("alb", "group"),
        ("group", "web-1"),
        ("group", "web-2"),
        ("web-1", "db"),
        ("web-2", "db"),
        ("web-1", "vol-1"),
        ("web-2", "vol-2"),
    )
    service = ServiceReport(
        name="www.example.org",
        entry="load balancer www",
        members=("web-1", "web-2"),
        zones=zones,
        parts=parts,
        findings=findings_of_single_database(),
        pairs=3,
        pair_classes=((("web-1", "vol-1"), ("web-2",)), (("web-1",), ("vol-2",))),
        notes=("AWS announced instance-reboot of web-2 for 2026-12-03; the others serve meanwhile",),
        not_read=("inside the instances of www.example.org (databases, sessions, uploads): web-1, web-2",),
        assumptions=("a healthy target can bear the whole load",),
        questions=("does web-1 keep uploads on its own disk?",),
        availability=expectation(),
        links=links,
    )
    return AuditReport(
        account="123456789012",
        region="eu-west-1",
        read_at=1_795_000_000.0,
        counts={"instance": 3, "volume": 2, "load balancer": 1, "database": 1},
        services=(service,),
        unread=(Unread("caches", "elasticache:DescribeReplicationGroups", "AccessDenied"),),
        not_serving=("i-0ccccccccccccccc3 (batch) serves nobody",),
        scope=("Asked: can the loss of one machine or disk, one zone stop it?", "Not asked: a bad change."),
        gone=("NSP102 www.example.org stops when volume vol-0 fails",),
        complaints=("NSP402 of www was accepted by ops@example.org until 2026-10-01, which is over",),
    )


def expectation() -> Availability:
    return Availability(
        contract=99.48,
        contract_says=("ALB 99.99 x EC2 99.99 x RDS in one zone 99.5", "your own faults are not in it"),
        model=Minutes(75, 144, 294),
        terms=(
            Term("a bad change", Minutes(16, 56, 190)),
            Term("zone eu-west-1a", Minutes(8, 36, 120), ("f",)),
            Term("database orders", Minutes(5, 17, 60), ("f",)),
            Term("AWS's own services", Minutes(1, 5, 20)),
            Term("pairs of failures", Minutes(0.001, 0.01, 0.1)),
        ),
        assumptions=(
            "a zone fails 0.05 .. 0.2 .. 0.5 times a year for 60 .. 240 .. 600 min (assumption)",
            "a database fails 0.2 .. 0.7 .. 2 times a year for 8 .. 25 .. 90 min (assumption)",
        ),
        excluded=("overload", "data corruption"),
        beyond_pairs=0.0004,
    )


def findings_of_single_database() -> tuple[Finding, ...]:
    service = "www.example.org"
    twin = Remedy(
        "turn Multi-AZ on for database orders",
        ("aws rds modify-db-instance --db-instance-identifier orders --multi-az --apply-immediately",),
        is_tried=True,
        is_verified=True,
        removes=("NSP103", "NSP201"),
        adds=(),
    )
    facts = (
        Fact("rds:DescribeDBInstances", "orders", "MultiAZ", "False"),
        Fact("rds:DescribeDBInstances", "orders", "AvailabilityZone", "eu-west-1a"),
    )
    proof = (
        ProofStep(0, "service www.example.org stops, because this stops:"),
        ProofStep(1, "target group www: 0 of 2 targets left, 1 needed"),
        ProofStep(2, "web-1 needs database orders"),
        ProofStep(2, "web-2 needs database orders"),
        ProofStep(3, "database orders fails"),
    )
    return (
        Finding(
            "NSP103",
            service,
            "www.example.org stops when database orders fails: it has no standby",
            "database:orders",
            "critical",
            members=("orders",),
            stops=("web-1", "web-2"),
            proof=proof,
            facts=facts,
            remedy=twin,
            location=Location("infra/data base.tf", 42),
            minutes=Minutes(5, 17, 60),
            baseline="worse",
        ),
        Finding(
            "NSP201",
            service,
            "www.example.org stops when zone eu-west-1a fails",
            "zone:eu-west-1a",
            "critical",
            members=("leg-a", "orders", "web-1"),
            proof=proof,
            facts=facts,
            remedy=twin,
            minutes=Minutes(8, 36, 120),
            suppressed=Suppression("one zone by contract", "ops@example.org", "2027-03-31"),
            baseline="unchanged",
        ),
        Finding(
            "NSP901",
            service,
            "www.example.org may hang on something unread: caches",
            "unread:caches",
            "medium",
            confidence="possible",
            would_settle="does www.example.org use a cache?",
            remedy=Remedy("let the audit read it (elasticache:DescribeReplicationGroups), then ask again"),
            baseline="new",
        ),
        Finding(
            "NSP407",
            service,
            "About 10 % of the clients of www.example.org are lost when group beta fails",
            "group:beta",
            "low",
            members=("beta",),
            share=Fraction(1, 10),
            minutes=Minutes(0.2, 1, 4),
            is_self_healing=True,
        ),
    )


def fleet(instances: int = 90) -> AuditReport:
    """A service with more machines than a picture can hold."""
    zones = ("us-east-1a", "us-east-1b", "us-east-1c")
    machines = [Part("instance", zones[n % 3], f"web-{n:02}", id=f"i-{n:02}") for n in range(instances)]
    parts = [
        *(Part("zone", zone, zone) for zone in zones),
        Part("entry", "", "shop", id="alb"),
        *machines,
        Part("instance", zones[0], "batch", "", is_single_point=True, id="batch"),
    ]
    links = tuple(("alb", one.id) for one in (*machines, parts[-1]))
    service = ServiceReport("shop", "shop", (), zones, tuple(parts), (), links=links)
    return AuditReport("1", "us-east-1", 0.0, {"instance": instances + 1}, (service,), (), (), ("Asked.",))


# Any report at all ------------------------------------------------------------------------------

texts = st.one_of(st.text(max_size=12), st.just(HOSTILE), st.sampled_from(["web-1", "a", "zone:a"]))
lines = st.lists(texts, max_size=3).map(tuple)
minutes = st.lists(st.floats(0, 525_600), min_size=3, max_size=3).map(lambda three: Minutes(*sorted(three)))
parts = st.builds(
    Part,
    tier=st.sampled_from(["zone", "entry", "balancer", "instance", "database", "volume"]),
    zone=st.sampled_from(["", "a", "b", HOSTILE]),
    name=texts,
    state=st.one_of(st.just(""), texts),
    is_single_point=st.booleans(),
    id=st.sampled_from(["", "1", "2", "3"]),
)
findings = st.builds(
    Finding,
    rule=st.sampled_from(sorted(EVERY_RULE)),
    service=texts,
    title=texts,
    event=texts,
    severity=st.sampled_from(SEVERITIES),
    confidence=st.sampled_from(["certain", "possible"]),
    members=lines,
    view=st.sampled_from(["serving", "egress", "data", "failover"]),
    order=st.integers(0, 1),
    time=st.sampled_from(["configured", "now"]),
    share=st.fractions(0, 1, max_denominator=9),
    due=st.sampled_from(["", "2026-12-03T10:00:00Z"]),
    stops=lines,
    proof=st.lists(st.builds(ProofStep, st.integers(0, 9), texts), max_size=3).map(tuple),
    facts=st.lists(st.builds(Fact, texts, texts, texts, texts), max_size=2).map(tuple),
    remedy=st.builds(Remedy, texts, lines, st.booleans(), st.booleans(), lines, lines),
    location=st.builds(Location, texts, st.integers(0, 9)),
    minutes=st.none() | minutes,
    is_self_healing=st.booleans(),
    would_settle=texts,
    suppressed=st.none() | st.builds(Suppression, texts, texts, texts),
    baseline=st.sampled_from(["", "new", "worse", "better", "unchanged"]),
)
availabilities = st.builds(
    Availability,
    contract=st.none() | st.floats(0, 100),
    contract_says=lines,
    model=minutes,
    terms=st.lists(st.builds(Term, texts, minutes, lines), max_size=2).map(tuple),
    assumptions=lines,
    excluded=lines,
    beyond_pairs=st.floats(0, 1),
)
services = st.builds(
    ServiceReport,
    name=texts,
    entry=texts,
    members=lines,
    zones=lines,
    parts=st.lists(parts, max_size=8).map(tuple),
    findings=st.lists(findings, max_size=3).map(tuple),
    pairs=st.integers(0, 9),
    pair_classes=st.lists(st.tuples(lines, lines), max_size=2).map(tuple),
    pairs_refused=st.one_of(st.just(""), texts),
    notes=lines,
    not_read=lines,
    assumptions=lines,
    questions=lines,
    availability=st.none() | availabilities,
    links=st.lists(st.tuples(st.sampled_from("123x"), st.sampled_from("123x")), max_size=4).map(tuple),
)
reports = st.builds(
    AuditReport,
    account=texts,
    region=texts,
    read_at=st.floats(0, 4e9),
    counts=st.dictionaries(texts, st.integers(0, 9), max_size=2),
    services=st.lists(services, max_size=2).map(tuple),
    unread=st.lists(st.builds(Unread, texts, texts, texts, texts), max_size=2).map(tuple),
    not_serving=lines,
    scope=lines,
    source=texts,
    assumptions=lines,
    gone=lines,
    complaints=lines,
    fail_on=st.sampled_from(["critical", "high", "medium", "low", "new"]),
    allows_incomplete=st.booleans(),
)
