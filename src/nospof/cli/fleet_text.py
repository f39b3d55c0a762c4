"""A fleet's maintenance as text: its plan, and the news of it."""

from __future__ import annotations

from datetime import UTC, datetime

from nospof.cli.events_text import moment, place_text
from nospof.model.news import FleetPlan, News, PlannedTurn
from nospof.render.audit_text import wrap


def fleet_text(plan: FleetPlan) -> str:
    """Return who goes when, wave by wave, and what does not fit."""
    count = sum(len(one.turns) for one in plan.waves)
    if not (count or plan.never or plan.held):
        return f"Nothing is announced in {place_text(plan.place)}, so nobody has to go."
    members, waves = counted(count, "member"), counted(len(plan.waves), "wave")
    lines = [f"{members} in {waves} of {plan.turn_seconds / 60:.0f} min, in {place_text(plan.place)}"]
    for number, wave in enumerate(plan.waves, 1):
        lines += ["", f"{number}. {moment(wave.begins)} to {clock(wave.ends)}"]
        lines += [turn_text(one) for one in wave.turns]
    if plan.never:
        lines += ["", "Fits into no window of a year:", *map(turn_text, plan.never)]
    if plan.held:
        lines += ["", "Has no turn:", *(wrap(one, "  ", "    ") for one in plan.held)]
    if plan.no_window:
        names = ", ".join(plan.no_window)
        says = f"No window is written in nospof.yaml for {names}: any time is one here, and `maintain watch` "
        lines += ["", wrap(f"{says}leaves them to you.", "", "  ")]
    if plan.late:
        lines += ["", f"{len(plan.late)} TOO LATE: what is marked so is not over before AWS acts."]
    return "\n".join(lines)


def turn_text(turn: PlannedTurn) -> str:
    """Return a member's turn as a line."""
    what = (
        f"{', '.join(turn.event_codes)} due {moment(turn.due)}" if turn.due else ", ".join(turn.event_codes)
    )
    says = f"{turn.instance_id} of {', '.join(turn.services)} ({turn.zone}){': ' if what else ''}{what}"
    return wrap(f"{'TOO LATE: ' if turn.is_late else ''}{says}", "  ", "    ")


def news_text(news: News) -> str:
    """Return one of the news in a line: when, which kind, what; and when AWS may act."""
    due = f" (due {moment(news.due)})" if news.due else ""
    when = datetime.fromtimestamp(news.at, UTC)
    return f"{when:%Y-%m-%d %H:%M:%S}Z  {news.kind:9}  {news.says}{due}"


def counted(count: int, what: str) -> str:
    """Return how many there are of something."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def clock(seconds: float) -> str:
    """Return a time of day, UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%H:%M}"
