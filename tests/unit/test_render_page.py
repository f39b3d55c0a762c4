"""The report as one HTML page: self-contained, escaped, readable in light and dark."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import fields, replace
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from nospof.model.findings import AuditReport, Finding, Part
from nospof.render.page import own_file, render_html
from support.audit_reports import HOSTILE, reports, single_database

VOID = {"meta", "br", "link", "img", "input", "hr"}
TAGS = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "section", "article", "script"),
    *("h1", "h2", "h3", "h4", "p", "div", "span", "strong", "b", "a", "pre", "button", "details", "summary"),
    *("table", "tr", "th", "td", "dl", "dt", "dd", "ul", "li"),
    *("svg", "defs", "pattern", "path", "rect", "text", "g"),
}


class Page(HTMLParser):
    """Reads a page, refuses what does not nest, and keeps what is asked of it."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.inline: dict[str, str] = {}
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("script", "style"):
            self.inline[self.open[-1]] = data
        else:
            self.text += data


def hostile() -> AuditReport:
    """A report in which every text that can be is a name that tries to be markup."""
    report = single_database()
    (service,) = report.services
    findings = tuple(poisoned(one) for one in service.findings)
    parts = tuple(
        Part(one.tier, one.zone, HOSTILE, HOSTILE, one.is_single_point, one.id) for one in service.parts
    )
    return poisoned(replace(report, services=(poisoned(replace(service, findings=findings, parts=parts)),)))


def poisoned(value: Any) -> Any:
    changes: dict[str, Any] = {}
    for field in fields(value):
        old = getattr(value, field.name)
        if (
            isinstance(old, str)
            and field.type == "str"
            and not (isinstance(value, Finding) and field.name == "rule")
        ):
            changes[field.name] = HOSTILE
        if isinstance(old, tuple) and old and all(isinstance(each, str) for each in old):
            changes[field.name] = (HOSTILE,) * len(old)
    return replace(value, **changes)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(reports)
def test_any_report_is_well_formed_and_has_no_element_that_is_not_ours(report):
    page = Page(render_html(report))
    assert {tag for tag, _ in page.tags} <= TAGS
    assert sum(tag == "script" for tag, _ in page.tags) == 1


def test_a_hostile_name_is_shown_and_never_obeyed():
    text = render_html(hostile())
    page = Page(text)
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert "<script>alert('\"&')</script>" in page.text
    assert page.text.count("alert(") > 30


def test_the_page_needs_nothing_from_elsewhere_and_its_policy_forbids_it():
    text = render_html(single_database())
    page = Page(text)
    for tag, attributes in page.tags:
        assert tag not in ("link", "img", "iframe", "object", "base", "form")
        assert "style" not in attributes
        for name in ("src", "action", "xlink:href"):
            assert name not in attributes
        assert attributes.get("href", "#").startswith("#")
    assert "url(" not in page.inline["style"]
    assert "@import" not in page.inline["style"]
    (policy,) = [one["content"] for _, one in page.tags if one.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.inline[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_links_within_the_page_lead_somewhere_and_ids_are_unique():
    report = single_database()
    twice = replace(report, services=(*report.services, replace(report.services[0], name="second")))
    page = Page(render_html(twice))
    ids = [one["id"] for _, one in page.tags if "id" in one]
    assert len(set(ids)) == len(ids)
    wanted = {one["href"][1:] for _, one in page.tags if "href" in one}
    wanted |= set(re.findall(r"url\(#([\w-]+)\)", render_html(twice)))
    assert wanted <= set(ids)
    assert "2 services" in page.text


def test_the_page_says_all_that_matters():
    page = Page(render_html(single_database()))
    for says in (
        "2 single points of failure (1 possible)",
        "Read: 3 instances",
        "database orders fails",
        "infra/data base.tf:42",
        "accepted",
        "one zone by contract",
        "Tried on the model: removes NSP103, NSP201.",
        "99.94 .. 99.99 %",
        "What AWS pays credit for, which is another thing: 99.48 %",
        "a zone fails 0.05 .. 0.2 .. 0.5 times a year",
        "does web-1 keep uploads on its own disk?",
        "3 pairs would stop it",
        "NSP102 www.example.org stops when volume vol-0 fails",
        "rds:DescribeDBInstances orders: MultiAZ = False",
    ):
        assert says in page.text
    assert sum("data-copy" in attributes for _, attributes in page.tags) == 2


# Colours ------------------------------------------------------------------------------------------


def palettes() -> list[dict[str, str]]:
    """Return the colours by name: in light, in dark, in print."""
    blocks = re.findall(r":root \{(.*?)\}", own_file("page.css"), re.DOTALL)
    return [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", block)) for block in blocks]


def luminance(colour: str) -> float:
    """Return the relative luminance, as WCAG 2 defines it."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * one for one in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("number", [0, 1, 2], ids=["light", "dark", "print"])
def test_text_has_the_contrast_that_readable_text_needs(number):
    colours = palettes()[number]
    pairs = [
        ("ink", ground) for ground in ("back", "panel", "band", "code", "bad-soft", "warn-soft", "good-soft")
    ]
    pairs += [("soft", ground) for ground in ("back", "panel", "band", "good-soft")]
    pairs += [(mood, f"{mood}-soft") for mood in ("bad", "warn", "good", "calm")]
    pairs += [("calm", "panel"), ("bad", "panel"), ("ink", "calm-soft")]
    poor = [(text, ground) for text, ground in pairs if contrast(colours[text], colours[ground]) < 4.5]
    assert not poor
