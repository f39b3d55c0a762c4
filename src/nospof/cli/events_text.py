"""Announced maintenance as text, and as a calendar (RFC 5545)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby

from nospof.model.cloud import MaintenanceEvent
from nospof.model.events import Announced, EventsFound, Place, Together
from nospof.render.audit_text import first_upper, wrap

HOUR = 3600.0
OCTETS = 75
"""The longest line of a calendar, without its end (RFC 5545, 3.1)."""


def events_text(found: EventsFound) -> str:
    """Return what is ahead, by time, with what it means and what to do; then what is over."""
    places = ", ".join(place_text(one) for one in found.places) or "nowhere"
    count = len(found.ahead)
    lines = [f"{count or 'No'} announced event{'' if count == 1 else 's'} ahead in {places}"]
    lines += [f"NOT READ: {one}" for one in found.unread]
    for window in found.together:
        lines += ["", together_text(window)]
    for when, events in groupby(found.ahead, lambda one: window_text(one.event, found.read_at)):
        lines += ["", when]
        for one in events:
            lines += event_text(one)
    if found.unmatched:
        lines += [
            "",
            "Named in the mail, and not ahead:",
            *(wrap(one, "  ", "    ") for one in found.unmatched),
        ]
    if found.over:
        lines += ["", "Over, and still listed by AWS:"]
        lines += [
            wrap(f"{one.instance_id} {one.event.code}: {one.event.description}", "  ", "    ")
            for one in found.over
        ]
    return "\n".join(lines)


def together_text(one: Together) -> str:
    """Return the warning that all of a service may be out at once, and the way out of it."""
    who = " and ".join(one.instance_ids)
    return wrap(
        f"ALL OF {one.service} AT ONCE: {who} may be out in one moment from {moment(one.starts_at)}. Take "
        f"them before, one after the other: nospof maintain apply {one.service}"
    )


def event_text(one: Announced) -> list[str]:
    """Return an event: who, what, why it matters, what to do."""
    services = ", ".join(each.name for each in one.serving)
    who = " ".join(each for each in (one.instance_id, f"({one.name})" if one.name else "", one.zone) if each)
    head = f"{one.event.code}: {who}{' of ' + services if services else ''}"
    code = one.event.description
    lines = [
        wrap(head, "  ", "    "),
        wrap(f"AWS says: {code}", "    ", "      ") if code else "",
        wrap(f"{first_upper(one.happens)}. Cleared by: {one.clears}.", "    ", "      "),
        wrap(f"{one.urgency}: {one.because}", "    ", "      "),
        *(wrap(each, "    ", "      ") for each in one.windows),
        *(wrap(each, "    $ ", "      ") for each in one.do),
    ]
    return [line for line in lines if line]


def place_text(place: Place) -> str:
    """Return an account's region as people call it."""
    return " ".join(
        one for one in (place.account, place.region, place.profile and f"({place.profile})") if one
    )


def window_text(event: MaintenanceEvent, now: float) -> str:
    """Return a window in UTC and in this computer's time, and how far off it is."""
    if not event.not_before:
        return "At a time that AWS does not say"
    end = moment(event.not_after) if event.not_after > event.not_before else "an end that AWS does not say"
    local = datetime.fromtimestamp(event.not_before).astimezone()
    here = (
        ""
        if local.utcoffset() == datetime.fromtimestamp(0, UTC).utcoffset()
        else f", {local:%a %H:%M %Z} here"
    )
    return f"{moment(event.not_before)} to {end}{here} ({away(event.not_before - now)})"


def moment(seconds: float) -> str:
    """Return a moment in UTC: Sat 2026-12-05 02:00 UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%a %Y-%m-%d %H:%M} UTC"


def away(seconds: float) -> str:
    """Return how far off something is, as people say it."""
    if seconds <= 0:
        return "it may happen at any moment now"
    if seconds < 2 * 24 * HOUR:
        return f"in {seconds / HOUR:.0f} h"
    return f"in {seconds / 24 / HOUR:.0f} days"


def calendar(found: EventsFound) -> str:
    """Return what is ahead as a calendar, and what is over: cancelled, where its time has not come.

    An entry keeps its UID, so that an event that was moved moves in the calendar that reads this again.
    """
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//nospof//maintenance//EN"]
    for one in found.ahead:
        services = ", ".join(each.name for each in one.serving) or one.name or one.instance_id
        says = [
            f"{first_upper(one.happens)}. Cleared by: {one.clears}.",
            f"{one.urgency}: {one.because}",
            *one.windows,
            *one.do,
        ]
        lines += entry(
            one.place,
            one.instance_id,
            one.event,
            found.read_at,
            f"{services}: {one.event.code}",
            "\n".join(says),
        )
    for over in found.over:
        summary = f"{over.instance_id}: {over.event.code}"
        lines += entry(
            over.place, over.instance_id, over.event, found.read_at, summary, over.event.description
        )
    lines.append("END:VCALENDAR")
    return "".join(f"{part}\r\n" for line in lines for part in folded(line))


def entry(
    place: Place, instance_id: str, event: MaintenanceEvent, read_at: float, summary: str, says: str
) -> Iterator[str]:
    """Yield the lines of one entry; none where AWS does not say when."""
    if not event.not_before:
        return
    ends = event.not_after if event.not_after > event.not_before else event.not_before + HOUR
    yield "BEGIN:VEVENT"
    yield f"UID:{event.id or event.code}.{instance_id}.{place.region}.{place.account}@nospof"
    yield f"DTSTAMP:{instant(read_at)}"
    yield f"DTSTART:{instant(event.not_before)}"
    yield f"DTEND:{instant(ends)}"
    yield f"SUMMARY:{escaped(summary)}"
    yield f"DESCRIPTION:{escaped(says)}"
    yield f"LOCATION:{escaped(place_text(place))}"
    yield f"STATUS:{'CONFIRMED' if event.is_live or event.not_before <= read_at else 'CANCELLED'}"
    yield "END:VEVENT"


def instant(seconds: float) -> str:
    """Return a moment as calendars write it."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y%m%dT%H%M%SZ}"


def escaped(text: str) -> str:
    """Return a text as a value (RFC 5545, 3.3.11)."""
    for plain, written in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\n", "\\n")):
        text = text.replace(plain, written)
    return text.replace("\r", "")


def folded(line: str) -> Iterator[str]:
    """Yield a line in parts of which none is too long; those after the first begin with a space."""
    part = ""
    for letter in line:
        if len((part + letter).encode()) > OCTETS:
            yield part
            part = " "
        part += letter
    yield part
