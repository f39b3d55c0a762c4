"""The report as SARIF 2.1.0, for code scanning.

An accepted finding is marked and stays: a result that vanishes is taken for fixed. What stands in a
file is located there; what was read from an account is located by its name.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from nospof import __version__
from nospof.model.findings import AuditReport, Finding, Severity
from nospof.model.rules import EVERY_RULE, Rule
from nospof.render.audit_text import accepted_last, facts_says, place, tried_text
from nospof.render.documents import written

SCHEMA_URI = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FINGERPRINT = "nospof/v1"
LEVELS: dict[Severity, str] = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}
STATES = {"new": "new", "unchanged": "unchanged", "worse": "updated", "better": "updated"}
"""What the baseline says, in SARIF's words."""


def render_sarif(report: AuditReport) -> str:
    """Return the report as one SARIF run."""
    findings = accepted_last(report.findings)
    ids = sorted({one.rule for one in findings})
    places = {rule: number for number, rule in enumerate(ids)}
    run = {
        "tool": {
            "driver": {
                "name": "nospof",
                "semanticVersion": __version__,
                "rules": [descriptor(EVERY_RULE[rule]) for rule in ids],
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [invocation(report)],
        "results": [result(one, places[one.rule]) for one in findings],
        "properties": {
            "account": report.account,
            "region": report.region,
            "source": report.source,
            "complete": report.is_complete,
        },
    }
    return written({"$schema": SCHEMA_URI, "version": "2.1.0", "runs": [run]})


def descriptor(rule: Rule) -> dict[str, Any]:
    """Return a rule as viewers show it beside its results."""
    why, looks_at, remedy = (text.replace("`", "") for text in (rule.why, rule.looks_at, rule.remedy))
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in re.split(r"[/-]", rule.slug)),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": f"{rule.title} {why}"},
        "help": {
            "text": f"{why}\n\nWhat is looked at: {looks_at}\n\nWhat mends it: {remedy}",
            "markdown": f"{rule.why}\n\n**What is looked at:** {rule.looks_at}\n\n"
            f"**What mends it:** {rule.remedy}",
        },
        "properties": {"slug": rule.slug, "tags": [rule.family, "availability"]},
    }


def invocation(report: AuditReport) -> dict[str, Any]:
    """Return how the reading went: what was not read is told, so that silence is not taken for good."""
    missing = [one.says for one in report.unread]
    missing += dict.fromkeys(what for service in report.services for what in service.not_read)
    told = [("warning", f"Not read: {what}") for what in missing]
    told += [("warning", what) for what in report.complaints]
    told += [("note", what) for what in report.scope]
    return {
        "executionSuccessful": True,
        "exitCode": int(report.exit_code),
        "exitCodeDescription": report.verdict,
        "toolExecutionNotifications": [
            {"level": level, "message": {"text": says}} for level, says in told if says
        ],
    }


def result(finding: Finding, rule_index: int) -> dict[str, Any]:
    """Return one finding."""
    found: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": rule_index,
        "kind": "fail",
        "level": level_of(finding),
        "message": {"text": message(finding)},
        "locations": [location_of(finding)],
        "partialFingerprints": {FINGERPRINT: finding.fingerprint},
        "properties": {
            "slug": finding.slug,
            "service": finding.service,
            "severity": finding.severity,
            "confidence": finding.confidence,
            "view": finding.view,
            "time": finding.time,
            "members": list(finding.members),
        },
    }
    if finding.proof:
        found["relatedLocations"] = [
            {"id": number, **step_location(step.says, finding.service)}
            for number, step in enumerate(finding.proof)
        ]
        found["codeFlows"] = [{"message": {"text": "Why it stops"}, "threadFlows": [flow(finding)]}]
    if finding.baseline:
        found["baselineState"] = STATES[finding.baseline]
    if finding.suppressed:
        accepted = finding.suppressed
        found["suppressions"] = [
            {
                "kind": "external",
                "status": "accepted",
                "justification": f"{accepted.reason} (accepted by {accepted.owner} until {accepted.until})",
            }
        ]
    return found


def level_of(finding: Finding) -> str:
    """Return the level; what is only possible is no error."""
    level = LEVELS[finding.severity]
    return "warning" if level == "error" and finding.confidence == "possible" else level


def message(finding: Finding) -> str:
    """Return what a reader of the result needs: the title, what it rests on, what mends it."""
    doubt = " (possible)" if finding.confidence == "possible" else ""
    lines = [f"{finding.title}{doubt}."]
    if finding.would_settle:
        lines.append(f"To settle it: {finding.would_settle}")
    lines += [f"Read: {says}" for says in facts_says(finding.facts)]
    if finding.remedy.says:
        tried = f" Tried on the model: {tried_text(finding.remedy)}." if finding.remedy.is_tried else ""
        lines.append(f"Mend: {finding.remedy.says}.{tried}")
        lines += [f"  {command}" for command in finding.remedy.commands]
    return "\n".join(lines)


def location_of(finding: Finding) -> dict[str, Any]:
    """Return where a finding stands: in its file, and always by the names of what it is about."""
    named = finding.members or (finding.service,)
    found: dict[str, Any] = {
        "logicalLocations": [
            {"name": one, "fullyQualifiedName": f"{finding.service}/{one}", "kind": "resource"}
            for one in named
        ]
    }
    if finding.location.file:
        physical: dict[str, Any] = {"artifactLocation": {"uri": uri_of(finding.location.file)}}
        if finding.location.line > 0:
            physical["region"] = {"startLine": finding.location.line}
        found["physicalLocation"] = physical
        found["message"] = {"text": place(finding.location)}
    return found


def uri_of(file: str) -> str:
    """Return a file's path as a URI reference, absolute only where the path is."""
    path = file.replace("\\", "/")
    if re.match(r"[A-Za-z]:/", path):
        return f"file:///{quote(path, safe='/:')}"
    return f"file://{quote(path)}" if path.startswith("/") else quote(path.removeprefix("./"))


def step_location(says: str, service: str) -> dict[str, Any]:
    """Return a line of a proof as a location."""
    return {
        "message": {"text": says},
        "logicalLocations": [{"fullyQualifiedName": service, "kind": "service"}],
    }


def flow(finding: Finding) -> dict[str, Any]:
    """Return the proof as a chain, each line as deep as it stands."""
    return {
        "locations": [
            {"location": step_location(step.says, finding.service), "nestingLevel": step.depth}
            for step in finding.proof
        ]
    }
