"""Writes docs/rules.md from the rules themselves. Run it after changing a rule.

.venv/bin/python docs/update_rules.py
"""

from __future__ import annotations

from pathlib import Path

from nospof.model.rules import FAMILIES, RULES, Rule

PAGE = Path(__file__).with_name("rules.md")
HEAD = """\
# Rules of the audit

Each finding has a rule. A rule's id never gets another meaning. What counts as a single point of failure
is decided by simulating every event on the service as it was read, not by these rules: a rule only names
what kind of event it was. A finding is *certain* when it holds however the unread parts turn out, and
*possible* otherwise. `nospof explain NSP101` says the same on the command line. This page is written by
`docs/update_rules.py` and tested to be fresh; to change a text, change the rule.
"""
FOOT = """\
What the audit does not look at is part of its report, under the scope and among what was not read: the
inside of the instances above all.
"""


def table(family: str) -> str:
    """Return the table of one family."""
    rows = [
        f"| {one.id} | `{one.slug}` | [{one.title}](#{one.id.lower()}) |"
        for one in RULES.values()
        if one.family == family
    ]
    return "\n".join(["| rule | name | it says |", "|---|---|---|", *rows])


def section(rule: Rule) -> str:
    """Return what there is to know of a rule."""
    related = [f"[{one}](#{one.lower()})" for one in rule.related if one in RULES]
    lines = [
        f"### {rule.id}",
        f"`{rule.slug}`: {rule.title}",
        rule.why,
        f"*What is looked at:* {rule.looks_at}",
        f"*What mends it:* {rule.remedy}",
    ]
    if related:
        lines.append(f"*See also:* {', '.join(related)}")
    return "\n\n".join(lines)


def render() -> str:
    """Return the page."""
    parts = [HEAD]
    for family, says in FAMILIES.items():
        mine = [one for one in RULES.values() if one.family == family]
        if mine:
            parts.append(f"## {family.capitalize()}: {says}\n\n{table(family)}\n")
            parts += [f"{section(one)}\n" for one in mine]
    return "\n".join([*parts, FOOT])


if __name__ == "__main__":
    PAGE.write_text(render())
