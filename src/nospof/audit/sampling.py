"""Minutes a year from rates: 4,000 parameter sets, the same every time.

What is uncertain is the rate of a kind, not which of its members fails: all events of a kind share
their draws, so a sum over a thousand machines costs what a sum over one does. The draws are one
from each of 4,000 equally likely slices, in an order fixed by the rate's name.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import exp, floor, log, log10, sqrt
from random import Random

from nospof.audit.rates import BETA, Rate
from nospof.model.findings import Minutes
from nospof.model.settings import Range

SAMPLES = 4_000
MIDDLES = tuple((place + 0.5) / SAMPLES for place in range(SAMPLES))
"""The middle of each slice."""
YEAR_MINUTES = 525_600.0
PLACES = tuple(int(part * SAMPLES) for part in (0.05, 0.5, 0.95))

COMMON_CAUSE = f"common cause, {'/'.join(f'{part:.0%}' for part in BETA)} of the failures of "
"""A rate whose kind begins so is of what takes all alike members at once."""

Cause = tuple[Rate, Rate | None]
"""A failure, or two that are under repair at the same time."""


class Form:
    """A sum of causes, each so many times: what the minutes of something are made of."""

    def __init__(self) -> None:
        self._times: dict[Cause, float] = {}

    def add(self, rate: Rate, times: float = 1.0, other: Rate | None = None) -> None:
        """Add a cause; the order of a pair does not matter."""
        if times <= 0:
            return
        cause = (rate, other)
        if other is not None and place_of(other) < place_of(rate):
            cause = (other, rate)
        self._times[cause] = self._times.get(cause, 0.0) + times

    def plus(self, other: Form) -> None:
        """Add another sum."""
        for (rate, second), times in other._times.items():
            self.add(rate, times, second)

    def __bool__(self) -> bool:
        return bool(self._times)

    def __iter__(self) -> Iterator[tuple[Cause, float]]:
        return iter(self._times.items())

    @property
    def minutes(self) -> Minutes:
        """The range of the sum, to two significant digits."""
        return _range(tuple(sorted(self._times.items(), key=_place)))


def place_of(rate: Rate) -> tuple[str, Range, Range]:
    """Return what sorts rates, the same every time."""
    return rate.kind, rate.per_year, rate.minutes


def _place(each: tuple[Cause, float]) -> tuple[object, ...]:
    (rate, other), times = each
    return (*place_of(rate), *(place_of(other) if other else ("",)), times)


@lru_cache(maxsize=8_192)
def _range(causes: tuple[tuple[Cause, float], ...]) -> Minutes:
    total = [0.0] * SAMPLES
    for (rate, other), times in causes:
        costs = costs_of(rate)
        if other is None:
            total = [sum_ + times * cost for sum_, cost in zip(total, costs, strict=True)]
        else:
            part = times / YEAR_MINUTES
            pairs = zip(total, costs, costs_of(other), strict=True)
            total = [sum_ + part * first * second for sum_, first, second in pairs]
    total.sort()
    low, likely, high = (two_digits(min(total[place], YEAR_MINUTES)) for place in PLACES)
    return Minutes(low, likely, high)


@lru_cache(maxsize=1_024)
def costs_of(rate: Rate) -> tuple[float, ...]:
    """Return the minutes a year of one thing that fails at a rate, in each of the samples."""
    often = draws(rate.per_year, f"{rate.kind} per year")
    long = draws(rate.minutes, f"{rate.kind} minutes")
    costs = zip(often, long, strict=True)
    if rate.kind.startswith(COMMON_CAUSE):
        part = draws(BETA, "beta")
        return tuple(a * b * c for (a, b), c in zip(costs, part, strict=True))
    return tuple(a * b for a, b in costs)


def draws(span: Range, name: str) -> tuple[float, ...]:
    """Return samples whose logarithms are distributed as a triangle: low, likely, high."""
    low, likely, high = map(log, span)
    if low == high:
        return (span[1],) * SAMPLES
    bend, width = (likely - low) / (high - low), high - low
    found = [exp(low + width * _triangle(middle, bend)) for middle in MIDDLES]
    Random(name).shuffle(found)  # noqa: S311 (no secret: the same name gives the same order)
    return tuple(found)


def _triangle(part: float, bend: float) -> float:
    """Return the quantile of a triangle over 0 .. 1 with its tip at the bend."""
    if part < bend:
        return sqrt(part * bend)
    return 1 - sqrt((1 - part) * (1 - bend))


def two_digits(number: float) -> float:
    """Return a number rounded to two significant digits."""
    return round(number, 1 - floor(log10(number))) if number > 0 else 0.0
