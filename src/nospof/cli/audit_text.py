"""The audit's report as text for people and as JSON for programs; the same report, the same bytes."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from nospof.cli.audit_drawing import draw
from nospof.model.findings import AuditReport, Fact, Finding, Remedy, ServiceReport, counted

SCHEMA = "nospof.audit/1"
WIDTH = 100
"""The width of what is not shown on a terminal: the same account, the same bytes."""
NARROWEST = 60
PROOF_LINES = 24
"""A longer proof is cut in the text; the JSON has all of it."""
FACT_LINES = 8
NAMES = 8
PAIR_CLASSES = 4


def render_text(report: AuditReport) -> str:
    """Return the report as plain text, at most 100 columns wide where words can be broken."""
    blocks = [wrap(first_upper(report.verdict))]
    blocks += [service_text(service) for service in report.services]
    if report.not_serving:
        blocks.append("\n".join(["Not serving:", *(wrap(one, "  ") for one in report.not_serving)]))
    if report.unread:
        blocks.append("\n".join(["Could not be read:", *(wrap(one.says, "  ") for one in report.unread)]))
    blocks.append("\n".join(wrap(one) for one in report.scope))
    when = datetime.fromtimestamp(report.read_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    blocks.append(f"Account {report.account}, {report.region}, read {when}.")
    return "\n\n".join(blocks)


def render_summary(report: AuditReport) -> str:
    """Return the report in a few lines: the verdict, and a line for each finding."""
    lines = [wrap(first_upper(report.verdict))]
    lines += [wrap(f"{mark_of(one)} {one.title}", "  ", "    ") for one in report.findings]
    return "\n".join(lines)


def service_text(service: ServiceReport) -> str:
    """Return one service: the drawing, the findings with proof and remedy, what it rests on."""
    title = f"{service.name}, entered by {service.entry}" if service.entry != service.name else service.name
    blocks = [f"{title}\n{'─' * min(len(title), width())}\n{draw(service.parts, width())}"]
    blocks += findings_text(service.findings)
    if not service.findings:
        blocks.append("  No single point of failure in what was read.")
    lines = [wrap(pairs_text(service), "  ", "    ")]
    lines += [wrap(f"note: {one}", "  ", "    ") for one in service.notes]
    lines += [wrap(f"assumed: {one}", "  ", "    ") for one in service.assumptions]
    lines += [wrap(f"not read: {one}", "  ", "    ") for one in service.not_read]
    blocks.append("\n".join(filter(None, lines)))
    return "\n\n".join(blocks)


def pairs_text(service: ServiceReport) -> str:
    """Return how many pairs of failures would stop the service, with the first few of them."""
    if service.pairs_refused:
        return service.pairs_refused
    if not service.pairs:
        return ""
    shown = "; ".join(
        f"one of {{{listed(first)}}} with one of {{{listed(second)}}}"
        for first, second in service.pair_classes[:PAIR_CLASSES]
    )
    more = "; ..." if len(service.pair_classes) > PAIR_CLASSES else ""
    return f"Two failures at once stop it in {counted(service.pairs, 'pair')}: {shown}{more}"


def mark_of(finding: Finding) -> str:
    """Return the severity, with a question mark where the finding is only possible."""
    return f"[{finding.severity}{'?' if finding.confidence == 'possible' else ''}]"


def findings_text(findings: tuple[Finding, ...]) -> list[str]:
    """Return a block for each finding; a remedy that was told already is only pointed to."""
    told: dict[Remedy, int] = {}
    blocks = []
    for number, finding in enumerate(findings, 1):
        lines = finding_lines(number, finding)
        if finding.remedy.says:
            first = told.setdefault(finding.remedy, number)
            lines += remedy_lines(finding.remedy) if first == number else [f"     mend: as {first}"]
        blocks.append("\n".join(lines))
    return blocks


def finding_lines(number: int, finding: Finding) -> list[str]:
    """Return what is wrong with one finding, why, and what was read."""
    head = f"{number}. {mark_of(finding)} {finding.rule} {finding.title}"
    lines = [wrap(head, "  ", "     ")]
    if finding.due:
        lines.append(f"     due {finding.due}")
    if len(finding.members) > 1:
        lines.append(wrap(f"with it: {listed(finding.members)}", "     ", "       "))
    lines += cut_short([f"       {'  ' * step.depth}{step.says}" for step in finding.proof], PROOF_LINES)
    read = [wrap(f"read: {says}", "     ", "       ") for says in facts_says(finding.facts)]
    return lines + cut_short(read, FACT_LINES)


def cut_short(lines: list[str], most: int) -> list[str]:
    """Return the first lines, and how many are left out."""
    if len(lines) <= most:
        return lines
    return [*lines[:most], f"       ... {len(lines) - most} more with --format json"]


def listed(names: tuple[str, ...]) -> str:
    """Return names with commas between, the first few where there are many."""
    more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
    return ", ".join(names[:NAMES]) + more


def remedy_lines(remedy: Remedy) -> list[str]:
    """Return what to do, and what trying it on the model gave."""
    lines = [wrap(f"mend: {remedy.says}", "     ", "       ")]
    lines += [f"       $ {command}" for command in remedy.commands]
    if remedy.is_tried:
        lines.append(wrap(f"tried on the model: {tried_text(remedy)}", "     ", "       "))
    return lines


def facts_says(facts: tuple[Fact, ...]) -> list[str]:
    """Return a line for each call and resource, with all that was read there."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for fact in facts:
        grouped.setdefault((fact.call, fact.about), []).append(f"{fact.field} = {fact.value}")
    return [f"{call} {about}: {', '.join(values)}" for (call, about), values in grouped.items()]


def tried_text(remedy: Remedy) -> str:
    """Return what the second audit, with the remedy in place, said."""
    if not remedy.is_verified:
        return "not enough by itself"
    new = f", brings {', '.join(remedy.adds)}" if remedy.adds else ""
    return f"removes {', '.join(remedy.removes)}{new}"


def width() -> int:
    """Return how wide to write: as the terminal is, where there is one, but not wider than reads well."""
    if not sys.stdout.isatty():
        return WIDTH
    return max(NARROWEST, min(WIDTH, shutil.get_terminal_size().columns))


def wrap(text: str, first: str = "", rest: str | None = None) -> str:
    """Return text broken at words; ids, ARNs and commands are never broken."""
    return textwrap.fill(
        text,
        width(),
        initial_indent=first,
        subsequent_indent=first if rest is None else rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def first_upper(text: str) -> str:
    """Return the text with a capital first letter."""
    return text[:1].upper() + text[1:]


def render_json(report: AuditReport) -> str:
    """Return the whole report as JSON, keys sorted, with the schema's id."""
    document = {
        "schema": SCHEMA,
        "verdict": report.verdict,
        "exit_code": int(report.exit_code),
        "complete": report.is_complete,
        **plain(report),
    }
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False)


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it; a finding also says its slug and fingerprint."""
    if is_dataclass(value):
        found = {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        if isinstance(value, Finding):
            found |= {"slug": value.slug, "fingerprint": value.fingerprint}
        return found
    if isinstance(value, Fraction):
        return round(float(value), 6)
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return value
