"""Minutes of outage a year as people read them: always a range, never more digits than it bears."""

from __future__ import annotations

from math import ceil, floor, log10

from nospof.model.findings import Availability, Minutes

YEAR_MINUTES = 525_600
HOURS_FROM = 120
"""From this many minutes on, hours are easier to picture."""
DAYS_FROM = 48 * 60
MOST_DECIMALS = 7


def minutes_range(minutes: Minutes) -> str:
    """Return "5 .. 17 .. 60 min" or "36 min .. 84 min .. 3.7 h".

    One year in twenty is better than the first, half are better than the second, and one in twenty is
    worse than the third.
    """
    says = [duration(each) for each in (minutes.low, minutes.likely, minutes.high)]
    units = {one.partition(" ")[2] for one in says}
    if len(units) == 1:
        return f"{' .. '.join(one.partition(' ')[0] for one in says)} {units.pop()}"
    return " .. ".join(says)


def percent_range(minutes: Minutes) -> str:
    """Return the availability as a range, "99.91 .. 99.97 %", with as many digits as tell its ends apart."""
    worst, best = (100 * (1 - min(each, YEAR_MINUTES) / YEAR_MINUTES) for each in (minutes.high, minutes.low))
    width = best - worst
    decimals = min(MOST_DECIMALS, max(0, ceil(-log10(width)))) if width > 0 else 2
    return f"{rounded(worst, decimals)} .. {rounded(best, decimals)} %"


def contract_says(availability: Availability) -> str:
    """Return what AWS pays credit for: the figure, or that there is none, and what it is made of."""
    contract = f"{availability.contract:.6g} %" if availability.contract is not None else "no figure"
    return "; ".join((contract, *availability.contract_says))


def rounded(percent: float, decimals: int) -> str:
    """Return a percentage, never rounded up to 100: nobody can promise that."""
    says = f"{percent:.{decimals}f}"
    if float(says) >= 100 > percent:
        return f"{floor(percent * 10**decimals) / 10**decimals:.{decimals}f}"
    return says


def duration(minutes: float) -> str:
    """Return minutes with two significant digits, in the unit that is easiest to picture."""
    if minutes >= DAYS_FROM:
        return f"{two_digits(minutes / 1440)} days"
    if minutes >= HOURS_FROM:
        return f"{two_digits(minutes / 60)} h"
    return f"{two_digits(minutes)} min"


def two_digits(number: float) -> str:
    """Return a number with two significant digits, without an exponent."""
    if number <= 0:
        return "0"
    decimals = max(0, 1 - floor(log10(number)))
    says = f"{round(number, 1 - floor(log10(number))):.{min(decimals, MOST_DECIMALS)}f}"
    return says.rstrip("0").rstrip(".") if "." in says else says
