"""The report as one HTML file that needs nothing else: no network, no fonts, no library.

Everything that was read is escaped, and the page's own policy lets no script run but the one that is
in it. It reads without scripts, in light, in dark and on paper.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from importlib.resources import files

from nospof.errors import ExitCode
from nospof.model.findings import AuditReport, Availability, Finding, Remedy, ServiceReport, counted
from nospof.model.rules import EVERY_RULE
from nospof.render.audit_text import (
    PAIR_CLASSES,
    accepted_last,
    facts_says,
    listed,
    origin,
    place,
    tried_text,
)
from nospof.render.audit_text import first_upper as upper
from nospof.render.figures import contract_says, minutes_range, percent_range
from nospof.render.picture import draw_svg

DEEPEST = 5
"""A proof is indented this far; deeper lines stand as far as this one."""
LEGEND = (
    '<p class="legend"><span><b>✗ red</b> a single point of failure</span><span><b>hatched</b> a zone whose '
    "failure takes the service down</span><span>dotted: the way that breaks</span></p>"
)
MOODS = {ExitCode.FINDINGS: "bad", ExitCode.INCOMPLETE: "warn"}


def render_html(report: AuditReport) -> str:
    """Return the report as one page."""
    style, script = (own_file(name) for name in ("page.css", "page.js"))
    policy = (
        f"default-src 'none'; style-src '{digest(style)}'; script-src '{digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    body = [
        f'<header><h1>nospof audit</h1>\n<div class="verdict {MOODS.get(report.exit_code, "good")}">'
        f"{verdict_html(report)}</div>\n"
        f'<p class="origin">{escape(origin(report))}</p></header>',
        "<main>",
        *contents(report),
        *(service_html(service, number) for number, service in enumerate(report.services)),
        *around(report),
        "</main>",
    ]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            '<head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>nospof audit: {escape(title_of(report))}</title>",
            f"<style>{style}</style></head>",
            "<body>",
            *body,
            f"<script>{script}</script>",
            "</body></html>",
        ]
    )


def own_file(name: str) -> str:
    """Return a file that is shipped beside this module."""
    return (files(__package__) / name).read_text(encoding="utf-8")


def digest(text: str) -> str:
    """Return how a policy names an inline text that may be used."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def title_of(report: AuditReport) -> str:
    """Return what the page is about, in a few words."""
    return ", ".join(filter(None, (report.account, report.region))) or report.source


def verdict_html(report: AuditReport) -> str:
    """Return the verdict; what was read follows in a smaller line of its own."""
    found, sep, read = upper(report.verdict).partition("; read: ")
    rest = f'<p class="read">Read: {escape(read)}</p>' if sep else ""
    return f"<p>{escape(found)}{'.' if sep else ''}</p>{rest}"


def contents(report: AuditReport) -> list[str]:
    """Return a table of the services, where there are several."""
    if len(report.services) < 2:
        return []
    rows = "".join(
        f'<tr><td><a href="#s{number}">{escape(one.name)}</a></td><td class="number">'
        f"{sum(each.is_single_point and not each.suppressed for each in one.findings)}</td>"
        f'<td class="number">{len(one.findings)}</td><td>{expected(one)}</td></tr>'
        for number, one in enumerate(report.services)
    )
    head = "<tr><th>service</th><th>single points</th><th>findings</th><th>expected availability</th></tr>"
    title = counted(len(report.services), "service")
    return [f'<h3>{title}</h3><div class="scroll"><table>{head}{rows}</table></div>']


def expected(service: ServiceReport) -> str:
    """Return the availability to expect, as a range."""
    return percent_range(service.availability.model) if service.availability else ""


def service_html(service: ServiceReport, number: int) -> str:
    """Return one service: picture, findings, what can be expected, what it rests on."""
    entry = f'<p class="soft">entered by {escape(service.entry)}</p>' if service.entry != service.name else ""
    findings = accepted_last(service.findings)
    blocks = [
        f'<section class="service" id="s{number}">\n<h2>{escape(service.name)}</h2>{entry}',
        f'<div class="scroll">{draw_svg(service, number)}</div>',
        LEGEND,
    ]
    if findings:
        blocks.append(findings_table(findings, number))
        blocks += [finding_html(one, f"s{number}f{place}") for place, one in enumerate(findings, 1)]
    else:
        blocks.append("<h3>Findings</h3><p>No single point of failure in what was read.</p>")
    if service.availability:
        blocks.append(availability_html(service.availability))
    blocks.append(pairs_html(service))
    blocks += [
        lines_html(title, lines)
        for title, lines in (
            ("Notes", service.notes),
            ("Not read", service.not_read),
            ("Questions that would settle more", service.questions),
            ("Taken for true", service.assumptions),
        )
    ]
    return "\n".join([*filter(None, blocks), "</section>"])


def findings_table(findings: tuple[Finding, ...], number: int) -> str:
    """Return the findings, a row each."""
    rows = "".join(
        f'<tr><td>{severity_tag(one)}</td><td class="number">{one.rule}</td>'
        f'<td><a href="#s{number}f{place}">{escape(one.title)}</a></td>'
        f'<td class="number">{minutes_range(one.minutes) if one.minutes else ""}</td></tr>'
        for place, one in enumerate(findings, 1)
    )
    costs = "minutes a year" if any(one.minutes for one in findings) else ""
    head = f'<tr><th>severity</th><th>rule</th><th>finding</th><th class="number">{costs}</th></tr>'
    return f'<h3>Findings</h3><div class="scroll"><table class="findings">{head}{rows}</table></div>'


def severity_tag(finding: Finding) -> str:
    """Return the severity, with a question mark where it is only possible."""
    doubt = "?" if finding.confidence == "possible" else ""
    kind = "accepted" if finding.suppressed else finding.severity
    accepted = ", accepted" if finding.suppressed else ""
    return f'<span class="tag {kind}">{finding.severity}{doubt}{accepted}</span>'


def finding_html(finding: Finding, anchor: str) -> str:
    """Return one finding: what, why, from which facts, and what mends it."""
    rule = EVERY_RULE[finding.rule]
    tags = [severity_tag(finding), f'<span class="soft">{rule.id} {escape(rule.slug)}</span>']
    if finding.time == "now":
        tags.append('<span class="tag">now</span>')
    if finding.baseline not in ("", "unchanged"):
        tags.append(f'<span class="tag {finding.baseline}">{finding.baseline}</span>')
    kind = f"{finding.severity}{' accepted' if finding.suppressed else ''}"
    blocks = [
        f'<article class="{kind}" id="{anchor}"><p class="tags">{"".join(tags)}</p>',
        f"<h4>{escape(finding.title)}</h4>",
        details_html(finding),
    ]
    if finding.proof:
        lines = "".join(
            f'<li class="d{min(step.depth, DEEPEST)}">{escape(step.says)}</li>' for step in finding.proof
        )
        blocks.append(f'<details open><summary>Proof</summary><ul class="proof">{lines}</ul></details>')
    if finding.facts:
        facts = "".join(f"<li>{escape(says)}</li>" for says in facts_says(finding.facts))
        blocks.append(f'<details><summary>What was read</summary><ul class="plain">{facts}</ul></details>')
    why = escape(f"{rule.title} {rule.why}".replace("`", ""))
    blocks.append(f"<details><summary>Why it matters</summary><p>{why}</p></details>")
    if finding.remedy.says:
        blocks.append(remedy_html(finding.remedy))
    return "\n".join([*filter(None, blocks), "</article>"])


def details_html(finding: Finding) -> str:
    """Return what is known of a finding, in pairs of a word and what it is."""
    accepted = finding.suppressed
    pairs = {
        "due": finding.due,
        "stands at": place(finding.location) if finding.location.file else "",
        "accepted": f"by {accepted.owner} until {accepted.until}: {accepted.reason}" if accepted else "",
        "costs": f"{minutes_range(finding.minutes)} a year" if finding.minutes else "",
        "mends itself": "yes, with nobody woken" if finding.is_self_healing else "",
        "with it": listed(finding.members) if len(finding.members) > 1 else "",
        "to settle it": finding.would_settle,
    }
    rows = "".join(f"<dt>{word}</dt><dd>{escape(says)}</dd>" for word, says in pairs.items() if says)
    return f"<dl>{rows}</dl>" if rows else ""


def remedy_html(remedy: Remedy) -> str:
    """Return what to do, its commands, and what trying it on the model gave."""
    commands = "".join(
        f'<div class="command"><pre>{escape(one)}</pre><button type="button" data-copy>copy</button></div>'
        for one in remedy.commands
    )
    tried = (
        f'<p class="{"tried" if remedy.is_verified else "untried"}">Tried on the model: '
        f"{escape(tried_text(remedy))}.</p>"
        if remedy.is_tried
        else '<p class="untried">Advice: it could not be tried on what was read.</p>'
    )
    return f'<div class="mend"><p><strong>Mend:</strong> {escape(remedy.says)}.</p>{commands}{tried}</div>'


def availability_html(availability: Availability) -> str:
    """Return what can be expected: always a range, with what it is made of and what it assumes."""
    rows = "".join(
        f'<tr><td>{escape(one.says)}</td><td class="number">{minutes_range(one.minutes)}</td></tr>'
        for one in availability.terms
    )
    blocks = [
        "<h3>What can be expected</h3>",
        f"<p><strong>{percent_range(availability.model)}</strong>: {minutes_range(availability.model)} of "
        "outage a year. One year in twenty is better than the first figure, half are better than the middle "
        "one, one in twenty is worse than the last.</p>",
        '<div class="scroll"><table><tr><th>cause</th><th class="number">outage a year</th></tr>'
        f"{rows}</table></div>"
        if rows
        else "",
        f"<p>What AWS pays credit for, which is another thing: {escape(contract_says(availability))}.</p>",
        lines_html("Assumptions", availability.assumptions),
        lines_html("Not in these figures", availability.excluded),
    ]
    return "\n".join(filter(None, blocks))


def pairs_html(service: ServiceReport) -> str:
    """Return how many pairs of failures would stop the service, and which; the longer lists folded."""
    if service.pairs_refused:
        return f"<h3>Two failures at once</h3><p>{escape(service.pairs_refused)}</p>"
    if not service.pairs:
        return ""
    rows = "".join(
        f"<li>one of {{{escape(', '.join(first))}}} with one of {{{escape(', '.join(second))}}}</li>"
        for first, second in service.pair_classes
    )
    opened = " open" if len(service.pair_classes) <= PAIR_CLASSES else ""
    return (
        f"<h3>Two failures at once</h3><details{opened}><summary>{counted(service.pairs, 'pair')} would stop "
        f'it</summary><ul class="plain">{rows}</ul></details>'
    )


def around(report: AuditReport) -> list[str]:
    """Return what is said of the whole: unread, gone, complaints, not serving, scope."""
    lists = (
        ("Could not be read", tuple(one.says for one in report.unread)),
        ("Gone since the earlier report", report.gone),
        ("About what was accepted", report.complaints),
        ("Not serving", report.not_serving),
        ("Taken for true", report.assumptions),
        ("What was asked", report.scope),
    )
    return [html for title, lines in lists if (html := lines_html(title, lines))]


def lines_html(title: str, lines: tuple[str, ...]) -> str:
    """Return lines under a title, or nothing."""
    items = "".join(f"<li>{escape(one)}</li>" for one in lines)
    return f'<h3>{title}</h3><ul class="plain">{items}</ul>' if lines else ""
