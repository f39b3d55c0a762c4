"""`nospof explain`: what a rule of the audit says, why it matters, and what mends it."""

from __future__ import annotations

import difflib
from dataclasses import asdict
from typing import Any

import click

from nospof.cli.options import format_option
from nospof.errors import UsageError
from nospof.model.rules import FAMILIES, RULES, Rule
from nospof.render.audit_text import wrap
from nospof.render.documents import written

SCHEMA = "nospof.rules/1"


@click.command()
@click.argument("rule", default="")
@format_option
def explain(rule: str, output_format: str) -> int:
    """Say what a RULE of the audit means; without one, list all.

    RULE is an id such as NSP101 or a name such as domain/zone.
    """
    chosen = [find(rule)] if rule else list(RULES.values())
    if output_format == "json":
        click.echo(written({"schema": SCHEMA, "rules": [plain(one) for one in chosen]}))
    else:
        click.echo(rule_text(chosen[0]) if rule else list_text())
    return 0


def find(word: str) -> Rule:
    """Return the rule that goes by an id, a name, or the last part of a name that only one rule has.

    Raises:
        UsageError: no rule does.
    """
    wanted = word.strip().lower()
    names = {name: rule for rule in RULES.values() for name in (rule.id.lower(), rule.slug)}
    ends = [rule for rule in RULES.values() if rule.slug.partition("/")[2] == wanted]
    if wanted in names:
        return names[wanted]
    if len(ends) == 1:
        return ends[0]
    near = difflib.get_close_matches(wanted, [*names, *(name.partition("/")[2] for name in names)], 1)
    same = [rule for name, rule in names.items() if near and near[0] in (name, name.partition("/")[2])]
    hint = f"did you mean {same[0].id} ({same[0].slug})?" if same else "nospof explain lists all"
    raise UsageError(f"no rule is called {word!r}; {hint}")


def plain(rule: Rule) -> dict[str, Any]:
    """Return a rule as JSON shows it; related rules that nothing finds yet are left out."""
    return {**asdict(rule), "family": rule.family, "related": list(related(rule))}


def related(rule: Rule) -> tuple[str, ...]:
    """Return the related rules that the audit finds."""
    return tuple(one for one in rule.related if one in RULES)


def rule_text(rule: Rule) -> str:
    """Return one rule for people."""
    blocks = [
        f"{rule.id}  {rule.slug}\n{wrap(rule.title)}",
        wrap(said(rule.why)),
        wrap(f"What is looked at: {said(rule.looks_at)}"),
        wrap(f"What mends it: {said(rule.remedy)}"),
    ]
    if names := [f"{one} ({RULES[one].slug})" for one in related(rule)]:
        blocks.append(wrap(f"See also: {', '.join(names)}"))
    return "\n\n".join(blocks)


def list_text() -> str:
    """Return all rules, a line each, by family."""
    blocks = []
    for family, says in FAMILIES.items():
        mine = [rule for rule in RULES.values() if rule.family == family]
        lines = [wrap(f"{rule.id}  {rule.title}", "  ", "          ") for rule in mine]
        if mine:
            blocks.append("\n".join([f"{family}: {says}", *lines]))
    return "\n\n".join([*blocks, "More about one: nospof explain NSP101"])


def said(text: str) -> str:
    """Return a text without the marks that set code apart."""
    return text.replace("`", "")
