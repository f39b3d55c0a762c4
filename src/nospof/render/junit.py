"""The report as JUnit XML, for dashboards: a suite for each service, a case for each rule.

A rule that found nothing passes, so that coverage can be seen. What somebody accepted, what is only
possible and what was not read is skipped, with the reason: neither passed nor failed.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from xml.etree import ElementTree

from nospof.model.findings import AuditReport, Finding, ServiceReport
from nospof.model.rules import EVERY_RULE, RULES
from nospof.render.audit_text import facts_says

FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, however it is written."""
NOT_FOR_ALL = frozenset({"NSP208", "NSP901"})
"""Asked on request only, or answered by the case about what was read."""


def render_junit(report: AuditReport) -> str:
    """Return the report as one JUnit document."""
    when = datetime.fromtimestamp(report.read_at, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    root = ElementTree.Element("testsuites", name="nospof audit")
    suites = [suite_of(report, one, when) for one in report.services]
    suites.append(reading_suite(report, when))
    for suite in suites:
        root.append(suite)
    for count in ("tests", "failures", "errors", "skipped"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in suites)))
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'


def suite_of(report: AuditReport, service: ServiceReport, when: str) -> ElementTree.Element:
    """Return the suite of one service."""
    by_rule: dict[str, list[Finding]] = {rule: [] for rule in RULES if rule not in NOT_FOR_ALL}
    for one in service.findings:
        by_rule.setdefault(one.rule, []).append(one)
    cases = [case_of(report, service, rule, found) for rule, found in sorted(by_rule.items())]
    cases.append(read_case(service.name, service.not_read))
    return suite(service.name, when, cases)


def case_of(
    report: AuditReport, service: ServiceReport, rule: str, found: list[Finding]
) -> ElementTree.Element:
    """Return the case of one rule: it fails by what makes the exit code."""
    case = new_case(service.name, f"{rule} {EVERY_RULE[rule].slug}")
    failing = [one for one in found if one.confidence == "certain" and report.counts_for_exit(one)]
    if failing:
        title = "; ".join(one.title for one in failing)
        failure = ElementTree.SubElement(case, "failure", message=clean(title), type=failing[0].severity)
        failure.text = clean("\n\n".join(told(one) for one in failing))
    elif found:
        reasons = dict.fromkeys(f"{reason(one)}: {one.title}" for one in found)
        ElementTree.SubElement(case, "skipped", message=clean("; ".join(reasons)))
    return case


def reason(finding: Finding) -> str:
    """Return why a finding does not fail its case."""
    if accepted := finding.suppressed:
        return f"accepted by {accepted.owner} until {accepted.until} ({accepted.reason})"
    if finding.confidence == "possible":
        settle = f", to settle it: {finding.would_settle}" if finding.would_settle else ""
        return f"only possible{settle}"
    return f"{finding.severity}, which is not what was asked to fail on"


def told(finding: Finding) -> str:
    """Return what a finding says, with its proof, facts and remedy."""
    lines = [f"[{finding.severity}] {finding.title}"]
    lines += [f"{'  ' * (step.depth + 1)}{step.says}" for step in finding.proof]
    lines += [f"read: {says}" for says in facts_says(finding.facts)]
    if finding.remedy.says:
        lines += [f"mend: {finding.remedy.says}", *(f"  $ {one}" for one in finding.remedy.commands)]
    return "\n".join([*lines, f"fingerprint: {finding.fingerprint}"])


def reading_suite(report: AuditReport, when: str) -> ElementTree.Element:
    """Return the suite about the reading itself."""
    missing = [one.says for one in report.unread]
    if not report.services:
        missing.append(report.verdict)
    return suite("nospof audit", when, [read_case("nospof audit", tuple(missing))])


def read_case(name: str, missing: tuple[str, ...]) -> ElementTree.Element:
    """Return the case that everything was read; skipped, with what was not, otherwise."""
    case = new_case(name, "everything was read")
    if missing:
        ElementTree.SubElement(case, "skipped", message=clean(f"not read: {'; '.join(missing)}"))
    return case


def new_case(service: str, name: str) -> ElementTree.Element:
    """Return a case without an outcome, which is a pass."""
    return ElementTree.Element("testcase", classname=clean(f"nospof.{service}"), name=clean(name), time="0")


def suite(name: str, when: str, cases: list[ElementTree.Element]) -> ElementTree.Element:
    """Return a suite with its counts."""
    element = ElementTree.Element("testsuite", name=clean(name), timestamp=when, time="0")
    element.set("tests", str(len(cases)))
    element.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    element.set("errors", "0")
    element.set("skipped", str(sum(case.find("skipped") is not None for case in cases)))
    element.extend(cases)
    return element


def clean(text: str) -> str:
    """Return text without what XML cannot hold."""
    return FORBIDDEN.sub("", text)
