"""Writes docs/assumptions.md and docs/assumptions.yaml from the rates themselves. Run it after changing one.

.venv/bin/python docs/update_assumptions.py
"""

from __future__ import annotations

from pathlib import Path

from nospof.audit.rates import BETA, DEFAULTS, PROMISES, RATE_OF_EVENT
from nospof.audit.sampling import SAMPLES
from nospof.model.settings import Range

PAGE = Path(__file__).with_name("assumptions.md")
EXAMPLE = Path(__file__).with_name("assumptions.yaml")
HEAD = f"""\
# Assumptions

What a service can be expected to give is told as two lines that are never mixed. The *contract* is the
product of what AWS pays credit for along the chain that is needed outright; it excludes your own faults. The
*model* is minutes of outage a year, from the rates below. Nobody publishes how often a zone or an instance
fails, so most rates are assumptions and say so; replace them with your own in `nospof.yaml`, for a kind or
for one resource, as [assumptions.yaml](assumptions.yaml) shows. This page is written by
`docs/update_assumptions.py` and tested to be fresh.

## How the minutes come about

| what | minutes a year |
|---|---|
| a single point of failure | times a year x minutes to restore |
| what heals itself | the same, with the minutes that healing takes |
| what cannot be rebuilt (a finding on recovery) | the same, with the high end of its minutes |
| a part of the clients | the same x their share |
| planned work on what nothing stands in for | restarts of your own, maintenance by AWS |
| what is announced | once, if it is in the year to come |
| two failures at once | 525,600 x the unavailability of one x that of the other |
| a failed member of a pool | until its health check notices x its share of the clients |
| what all members of a pool share | {"/".join(f"{one:.0%}" for one in BETA)} of a member's own failures |
| a managed service that is needed outright | what remains though it spreads over zones |
| a bad change | for each service with machines of its own |

Each pair of figures is low, likely, high. {SAMPLES:,} sets of them are drawn with logarithms that lie in a
triangle, the same sets every time; all events of a kind share their draws, because it is the rate that nobody
knows. The range is from the best twentieth to the worst twentieth, with two significant digits. Cuts of three
and more failures are bounded by the sum over all triples, with the high ends, were they independent.

Not in it: overload, corrupt data, attacks, clients' own networks, and what has no figure, which is named. The
whole region or account is told beside it.

## Rates
"""
SLA_HEAD = """
## What AWS promises

A date is that of the page as it was read. Look at the page before you rely on a figure. What is not listed
has no figure here; a service that needs it has no product.

| kind | spread over zones | percent | source | date |
|---|---|---|---|---|
"""


def span(each: Range) -> str:
    """Return a range as the page shows it."""
    return " / ".join(f"{one:g}" for one in each)


def rates() -> str:
    """Return the table of rates."""
    rows = ["| rate | a year | minutes each | label | source | events |", "|---|---|---|---|---|---|"]
    for one in DEFAULTS:
        events = ", ".join(event for event, kind in RATE_OF_EVENT.items() if kind == one.kind)
        cells = (one.kind, span(one.per_year), span(one.minutes), one.label, one.source, events)
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def promises() -> str:
    """Return the rows of promises."""
    return "\n".join(
        f"| {one.kind} | {'yes' if one.is_spread else 'no'} | {one.percent:g} | <{one.url}> | {one.as_of} |"
        for one in PROMISES
    )


def render() -> str:
    """Return the page."""
    return f"{HEAD}\n{rates()}\n{SLA_HEAD}{promises()}\n"


def example() -> str:
    """Return a settings file that says what is assumed anyway, to be changed."""
    lines = [
        "# What nospof assumes, as nospof.yaml would say it: keep the lines that you know better.",
        "# A line with resource instead of kind is of that event alone: i-0ab1, zone:eu-west-1a.",
        "assumptions:",
    ]
    for one in DEFAULTS:
        lines += [
            f"  - kind: {one.kind}",
            f"    per_year: [{', '.join(f'{part:g}' for part in one.per_year)}]",
            f"    minutes: [{', '.join(f'{part:g}' for part in one.minutes)}]",
            f'    source: "{one.label}: {one.source}"',
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(render())
    EXAMPLE.write_text(example())
