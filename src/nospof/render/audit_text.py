"""The audit's report as text for people: the verdict first; the same report, the same bytes."""

from __future__ import annotations

import shutil
import sys
import textwrap
from datetime import UTC, datetime

from nospof.model.findings import (
    AuditReport,
    Availability,
    Fact,
    Finding,
    Location,
    Remedy,
    ServiceReport,
    counted,
)
from nospof.render.audit_drawing import draw
from nospof.render.figures import contract_says, minutes_range, percent_range

WIDTH = 100
"""The width of what is not shown on a terminal: the same account, the same bytes."""
NARROWEST = 60
PROOF_LINES = 24
"""A longer proof is cut in the text; the JSON has all of it."""
FACT_LINES = 8
NAMES = 8
PAIR_CLASSES = 4
TERMS = 4
ASSUMPTIONS = 3
"""An expectation is never told without the first of these; the JSON has all of them."""


def render_text(report: AuditReport, *, pairs: bool = False) -> str:
    """Return the report as plain text, at most 100 columns wide where words can be broken.

    Args:
        report: what to tell.
        pairs: list every pair of failures that stops a service, not only their number.
    """
    blocks = [wrap(first_upper(report.verdict))]
    blocks += [service_text(service, pairs=pairs) for service in report.services]
    blocks += listing("Not serving:", report.not_serving)
    blocks += listing("Could not be read:", tuple(one.says for one in report.unread))
    blocks += listing("Gone since the earlier report:", report.gone)
    blocks += listing("About what was accepted:", report.complaints)
    blocks.append(
        "\n".join(wrap(one) for one in (*report.scope, *map("Assumed: {}".format, report.assumptions)))
    )
    return printable("\n\n".join([*filter(None, blocks), origin(report)]))


def printable(text: str) -> str:
    """Return text without what a terminal would obey; names are given by strangers."""
    return "".join(one for one in text if one == "\n" or one.isprintable())


def listing(title: str, lines: tuple[str, ...]) -> list[str]:
    """Return a block with a title, or none where there is nothing to list."""
    return ["\n".join([title, *(wrap(one, "  ", "    ") for one in lines)])] if lines else []


def origin(report: AuditReport) -> str:
    """Return what was read and when, in one line."""
    moment = datetime.fromtimestamp(report.read_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    when = f"read {moment}" if report.read_at else ""
    account = f"account {report.account}" if report.account else report.source
    source = f" ({report.source})" if report.account and report.source != "AWS" else ""
    where = ", ".join(filter(None, (f"{account}{source}", report.region, when)))
    return f"{first_upper(where)}."


def service_text(service: ServiceReport, *, pairs: bool = False) -> str:
    """Return one service: the drawing, the findings with proof and remedy, what it rests on."""
    title = f"{service.name}, entered by {service.entry}" if service.entry != service.name else service.name
    blocks = [f"{title}\n{'─' * min(len(title), width())}\n{draw(service.parts, width())}"]
    blocks += findings_text(service.findings)
    if not service.findings:
        blocks.append("  No single point of failure in what was read.")
    lines = availability_lines(service.availability) if service.availability else []
    lines += pairs_lines(service, whole=pairs)
    lines += [wrap(f"note: {one}", "  ", "    ") for one in service.notes]
    lines += [wrap(f"assumed: {one}", "  ", "    ") for one in service.assumptions]
    lines += [wrap(f"not read: {one}", "  ", "    ") for one in service.not_read]
    lines += [wrap(f"question: {one}", "  ", "    ") for one in service.questions]
    blocks.append("\n".join(lines))
    return "\n\n".join(filter(None, blocks))


def availability_lines(availability: Availability) -> list[str]:
    """Return what can be expected, as ranges with the first assumptions; what AWS pays for stands apart."""
    model = availability.model
    lines = [wrap(f"expected: {percent_range(model)}, {minutes_range(model)} of outage a year", "  ", "    ")]
    if availability.terms:
        terms = "; ".join(f"{one.says} {minutes_range(one.minutes)}" for one in availability.terms[:TERMS])
        more = len(availability.terms) - TERMS
        lines.append(wrap(f"most of it: {terms}{f'; {more} more' if more > 0 else ''}", "  ", "    "))
    lines += [wrap(f"assuming {one}", "  ", "    ") for one in availability.assumptions[:ASSUMPTIONS]]
    lines.append(wrap(f"what AWS pays credit for: {contract_says(availability)}", "  ", "    "))
    if availability.excluded:
        lines.append(wrap(f"not in it: {'; '.join(availability.excluded)}", "  ", "    "))
    return lines


def pairs_lines(service: ServiceReport, *, whole: bool) -> list[str]:
    """Return how many pairs of failures would stop the service, with all of them or the first few."""
    if service.pairs_refused:
        return [wrap(service.pairs_refused, "  ", "    ")]
    if not service.pairs:
        return []
    says = f"Two failures at once stop it in {counted(service.pairs, 'pair')}:"
    named = ", ".join if whole else listed
    ways = [
        f"one of {{{named(first)}}} with one of {{{named(second)}}}"
        for first, second in service.pair_classes[: None if whole else PAIR_CLASSES]
    ]
    if whole:
        return [f"  {says}", *(wrap(one, "    ", "      ") for one in ways)]
    more = "; ..." if len(service.pair_classes) > PAIR_CLASSES else ""
    return [wrap(f"{says} {'; '.join(ways)}{more}", "  ", "    ")]


def mark_of(finding: Finding) -> str:
    """Return the severity with a question mark where it is only possible, and what the baseline says."""
    words = [f"{finding.severity}{'?' if finding.confidence == 'possible' else ''}"]
    if finding.suppressed:
        words.append("accepted")
    if finding.baseline not in ("", "unchanged"):
        words.append(finding.baseline)
    return f"[{', '.join(words)}]"


def accepted_last(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return findings in their order, but what somebody accepted after the others."""
    return tuple(sorted(findings, key=lambda one: one.suppressed is not None))


def findings_text(findings: tuple[Finding, ...]) -> list[str]:
    """Return a block for each finding; a remedy that was told already is only pointed to."""
    told: dict[Remedy, int] = {}
    blocks = []
    for number, finding in enumerate(accepted_last(findings), 1):
        lines = finding_lines(number, finding)
        if finding.remedy.says:
            first = told.setdefault(finding.remedy, number)
            lines += remedy_lines(finding.remedy) if first == number else [f"     mend: as {first}"]
        blocks.append("\n".join(lines))
    return blocks


def finding_lines(number: int, finding: Finding) -> list[str]:
    """Return what is wrong with one finding, why, and what was read."""
    head = f"{number}. {mark_of(finding)} {finding.rule} {finding.title}"
    lines = [wrap(head, "  ", "     "), *(wrap(one, "     ", "       ") for one in about(finding))]
    lines += cut_short(
        [f"       {'  ' * step.depth}{one_line(step.says)}" for step in finding.proof], PROOF_LINES
    )
    read = [wrap(f"read: {says}", "     ", "       ") for says in facts_says(finding.facts)]
    return lines + cut_short(read, FACT_LINES)


def about(finding: Finding) -> list[str]:
    """Return what is to be said of a finding before its proof, a line each."""
    lines = [f"due {finding.due}"] if finding.due else []
    if finding.location.file:
        lines.append(f"at {place(finding.location)}")
    if accepted := finding.suppressed:
        lines.append(f"accepted by {accepted.owner} until {accepted.until}: {accepted.reason}")
    if finding.minutes:
        heals = ", mends itself" if finding.is_self_healing else ""
        lines.append(f"costs {minutes_range(finding.minutes)} a year{heals}")
    if len(finding.members) > 1:
        lines.append(f"with it: {listed(finding.members)}")
    if finding.would_settle:
        lines.append(f"to settle it: {finding.would_settle}")
    return lines


def place(location: Location) -> str:
    """Return a location as editors take it: file, or file:line."""
    return f"{location.file}:{location.line}" if location.line else location.file


def one_line(text: str) -> str:
    """Return text without line breaks, which could pass for lines of the report."""
    return " ".join(text.splitlines())


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
    lines += [f"       $ {one_line(command)}" for command in remedy.commands]
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
