"""When a service may be worked on: a time of the week, in a time zone, as people write it.

A window is said in the time that clocks on walls show. Where a clock is put forward over its beginning, it
begins when that hour would have come; where it is put back, it begins at the first of the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
TEXT = re.compile(r"(?P<days>\S+) (?P<begins>\d\d?:\d\d)-(?P<ends>\d\d?:\d\d)(?: (?P<zone>\S+))?")
EXAMPLE = "Sun 02:00-05:00 Europe/Berlin"
WEEK = 7


@dataclass(frozen=True)
class Span:
    """A stretch of time, seconds since the epoch; its end is not in it."""

    begins: float
    ends: float

    def is_at(self, moment: float) -> bool:
        """Whether a moment is in it."""
        return self.begins <= moment < self.ends


@dataclass(frozen=True)
class Window:
    """A time of the week. `days` are those it begins on, 0 for Monday; it may end on the next day."""

    days: tuple[int, ...]
    begins: time
    ends: time
    zone: str = "UTC"

    @property
    def says(self) -> str:
        """The window as people write it, each day by its name."""
        days = "daily" if len(self.days) == WEEK else ",".join(DAYS[day] for day in self.days)
        return f"{days} {self.begins:%H:%M}-{self.ends:%H:%M} {self.zone}"

    def spans(self, now: float) -> Iterator[Span]:
        """Yield when it is, from the one that is now or comes next, without an end."""
        zone = ZoneInfo(self.zone)
        day = datetime.fromtimestamp(now, zone).date() - timedelta(days=1)  # yesterday's may last until now
        while True:
            span = self._on(day, zone)
            # One that a clock jumps over whole is none.
            if day.weekday() in self.days and span.ends > max(now, span.begins):
                yield span
            day += timedelta(days=1)

    def next(self, now: float) -> Span:
        """Return the one that is now, or the next."""
        return next(self.spans(now))

    def _on(self, day: date, zone: ZoneInfo) -> Span:
        last = day if self.ends > self.begins else day + timedelta(days=1)
        begins, ends = (
            datetime.combine(each, at, zone).astimezone(UTC).timestamp()
            for each, at in ((day, self.begins), (last, self.ends))
        )
        return Span(begins, ends)


def window_of(text: str) -> Window:
    """Return the window that a text says, such as "Sun 02:00-05:00 Europe/Berlin" or "Mon-Fri 22:00-04:00".

    Raises:
        ValueError: it says none; the message says why.
    """
    found = TEXT.fullmatch(" ".join(text.split()))
    if found is None:
        raise ValueError(f'{text!r} is no window; write it as "{EXAMPLE}"')
    zone = found["zone"] or "UTC"
    if not is_zone(zone):
        raise ValueError(f"no time zone {zone!r} is known here; write it as Europe/Berlin or UTC")
    begins, ends = clock(found["begins"]), clock(found["ends"])
    if begins == ends:
        raise ValueError(f"{text!r} begins when it ends; write a whole day as daily 00:00-23:59")
    return Window(days_of(found["days"]), begins, ends, zone)


def clock(text: str) -> time:
    """Return a time of day. Raises ValueError: there is none such."""
    hours, minutes = map(int, text.split(":"))
    try:
        return time(hours, minutes)
    except ValueError:
        raise ValueError(f"{text} is no time of day; they go from 00:00 to 23:59") from None


def days_of(text: str) -> tuple[int, ...]:
    """Return the days that a word says: daily, Sun, "Sat,Sun", Mon-Fri, Sat-Mon. Raises ValueError."""
    if text.lower() == "daily":
        return tuple(range(WEEK))
    days: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        begin, end = number_of(first), number_of(last or first)
        days.update((begin + step) % WEEK for step in range((end - begin) % WEEK + 1))
    return tuple(sorted(days))


def number_of(name: str) -> int:
    """Return a day's number by the first three letters of its name. Raises ValueError: it is no day's."""
    short = name[:3].capitalize()
    if short not in DAYS:
        raise ValueError(f"{name!r} is no day; days are {', '.join(DAYS)} and daily")
    return DAYS.index(short)


@lru_cache
def is_zone(name: str) -> bool:
    """Whether this computer knows a time zone."""
    try:
        return ZoneInfo(name).key == name
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
