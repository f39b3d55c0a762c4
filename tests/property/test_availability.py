"""Any service: more failures never cost less, ranges hold their medians, acceptances touch nothing else."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from nospof.audit.acceptance import apply_acceptance
from nospof.audit.baseline import baseline_of, compare
from nospof.audit.rates import RATE_OF_EVENT
from nospof.model.findings import AuditReport
from nospof.model.settings import Acceptance
from nospof.model.topology import AllOf, AnyOf, Event, Node, On, Requirement, Topology
from nospof.render.documents import plain
from support.audit_reports import reports
from support.availabilities import expected, service_of

NAMES = [f"n{number}" for number in range(6)]
KINDS = sorted(RATE_OF_EVENT)
NOW = 1_800_000_000.0
UNTIL = "2027-03-31"


@st.composite
def topologies(draw: st.DrawFn) -> Topology:
    nodes = [Node("root", requirement(draw), kind="load balancer")]
    for name in NAMES:
        faults = (name,) if draw(st.booleans()) else ()
        nodes.append(Node(name, faults=faults, kind="instance"))
    events = tuple(Event(name, draw(st.sampled_from(KINDS))) for name in NAMES)
    return Topology("root", tuple(nodes), events=(*events, Event("more", draw(st.sampled_from(KINDS)))))


def requirement(draw: st.DrawFn) -> Requirement:
    pools = draw(st.lists(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3), min_size=1, max_size=3))
    return AllOf(tuple(AnyOf(tuple(map(On, pool))) for pool in pools))


@given(topologies(), st.sampled_from(NAMES))
@settings(max_examples=40, deadline=None)
def test_minutes_never_fall_when_a_failure_is_added(topology: Topology, name: str) -> None:
    before = expected(service_of(topology)).model
    nodes = tuple(
        replace(one, faults=(*one.faults, "more")) if one.name == name else one for one in topology.nodes
    )
    after = expected(service_of(replace(topology, nodes=nodes))).model
    assert after.low >= before.low
    assert after.likely >= before.likely
    assert after.high >= before.high


@given(topologies())
@settings(max_examples=40, deadline=None)
def test_every_range_holds_its_median_and_terms_no_more_than_the_year(topology: Topology) -> None:
    found = expected(service_of(topology))
    for one in (found.model, *(each.minutes for each in found.terms)):
        assert 0 <= one.low <= one.likely <= one.high <= 530_000


@given(reports, st.data())
@settings(max_examples=60, deadline=None)
def test_an_acceptance_changes_only_what_it_names(report: AuditReport, data: st.DataObject) -> None:
    report = fresh(report)
    if not report.findings:
        return
    chosen = data.draw(st.sampled_from(report.findings))
    accepted = apply_acceptance(report, [Acceptance("why", "me", UNTIL, fingerprint=chosen.fingerprint)], NOW)
    for before, after in zip(report.findings, accepted.findings, strict=True):
        if before.fingerprint == chosen.fingerprint:
            assert after.suppressed is not None
            assert replace(after, suppressed=None) == before
        else:
            assert after == before


@given(reports)
@settings(max_examples=60, deadline=None)
def test_a_report_against_itself_is_unchanged(report: AuditReport) -> None:
    report = once_each(fresh(report))
    document = {"schema": "nospof.audit/1", **plain(report)}
    compared = compare(report, baseline_of(document, "earlier.json"))
    assert {one.baseline for one in compared.findings} <= {"unchanged"}
    assert not compared.gone


def fresh(report: AuditReport) -> AuditReport:
    """The report as it is before anybody accepted anything or compared it."""
    services = tuple(
        replace(one, findings=tuple(replace(each, suppressed=None, baseline="") for each in one.findings))
        for one in report.services
    )
    return replace(report, services=services, gone=(), complaints=())


def once_each(report: AuditReport) -> AuditReport:
    """The report with no fingerprint twice; the audit never makes two."""
    seen: set[str] = set()
    services = []
    for one in report.services:
        kept = []
        for each in one.findings:
            if each.fingerprint not in seen:
                seen.add(each.fingerprint)
                kept.append(each)
        services.append(replace(one, findings=tuple(kept)))
    return replace(report, services=tuple(services))
