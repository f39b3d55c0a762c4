"""Maintenance windows: when they are, over midnight and over the nights on which clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nospof.model.window import Span, Window, window_of

BERLIN = "Europe/Berlin"


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def shown(span: Span) -> tuple[str, str]:
    begins, ends = (f"{datetime.fromtimestamp(one, UTC):%a %m-%d %H:%M}" for one in (span.begins, span.ends))
    return begins, ends


def test_the_next_one_is_told_and_the_one_that_is_now() -> None:
    window = window_of("Sun 02:00-05:00")
    assert shown(window.next(at("2026-12-02 12:00"))) == ("Sun 12-06 02:00", "Sun 12-06 05:00")
    assert shown(window.next(at("2026-12-06 04:59"))) == ("Sun 12-06 02:00", "Sun 12-06 05:00")
    assert shown(window.next(at("2026-12-06 05:00"))) == ("Sun 12-13 02:00", "Sun 12-13 05:00")


def test_one_over_midnight_belongs_to_the_day_it_begins_on() -> None:
    window = window_of("Sat 22:00-04:00")
    assert shown(window.next(at("2026-12-06 03:00"))) == ("Sat 12-05 22:00", "Sun 12-06 04:00")
    assert shown(window.next(at("2026-12-06 04:00"))) == ("Sat 12-12 22:00", "Sun 12-13 04:00")


def test_a_time_zone_is_followed_through_summer_and_winter() -> None:
    window = window_of("Sun 02:00-05:00 Europe/Berlin")
    assert shown(window.next(at("2026-07-01 00:00"))) == ("Sun 07-05 00:00", "Sun 07-05 03:00")
    assert shown(window.next(at("2026-12-01 00:00"))) == ("Sun 12-06 01:00", "Sun 12-06 04:00")


def test_where_a_clock_is_put_forward_a_window_is_an_hour_shorter() -> None:
    # On 2026-03-29 in Berlin, 02:00 is followed by 03:00.
    assert shown(window_of(f"Sun 01:00-05:00 {BERLIN}").next(at("2026-03-28 12:00"))) == (
        "Sun 03-29 00:00",
        "Sun 03-29 03:00",
    )
    assert shown(window_of(f"Sun 02:30-05:00 {BERLIN}").next(at("2026-03-28 12:00"))) == (
        "Sun 03-29 01:30",
        "Sun 03-29 03:00",
    )


def test_one_that_a_clock_jumps_over_is_left_out_that_week() -> None:
    window = window_of(f"Sun 02:00-03:00 {BERLIN}")
    assert shown(window.next(at("2026-03-28 12:00"))) == ("Sun 04-05 00:00", "Sun 04-05 01:00")


def test_where_a_clock_is_put_back_a_window_is_an_hour_longer() -> None:
    # On 2026-10-25 in Berlin, the hour from 02:00 comes twice.
    window = window_of(f"Sun 01:00-05:00 {BERLIN}")
    assert shown(window.next(at("2026-10-24 12:00"))) == ("Sat 10-24 23:00", "Sun 10-25 04:00")
    assert shown(window_of(f"Sun 02:30-02:45 {BERLIN}").next(at("2026-10-24 12:00"))) == (
        "Sun 10-25 00:30",
        "Sun 10-25 00:45",
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sunday 2:00-5:00", "Sun 02:00-05:00 UTC"),
        ("Mon-Fri 22:00-04:00 America/New_York", "Mon,Tue,Wed,Thu,Fri 22:00-04:00 America/New_York"),
        ("Sat-Mon 01:00-02:00", "Mon,Sat,Sun 01:00-02:00 UTC"),
        ("Sat,Sun  01:00-02:00", "Sat,Sun 01:00-02:00 UTC"),
        ("Daily 00:00-23:59", "daily 00:00-23:59 UTC"),
    ],
)
def test_days_are_said_as_people_say_them(text: str, says: str) -> None:
    assert window_of(text).says == says
    assert window_of(says) == window_of(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is no window; write it as"),
        ("sometimes", "is no window; write it as"),
        ("Sun 2-5", "is no window; write it as"),
        ("Sun 02:00-05:00 in Berlin", "is no window; write it as"),
        ("Sun 02:00-25:00", "25:00 is no time of day"),
        ("Sun 02:60-05:00", "02:60 is no time of day"),
        ("Someday 02:00-05:00", "'Someday' is no day"),
        ("Sun 02:00-02:00", "begins when it ends"),
        ("Sun 02:00-05:00 Europe/Atlantis", "no time zone 'Europe/Atlantis' is known here"),
        ("Sun 02:00-05:00 ../etc/passwd", "no time zone"),
    ],
)
def test_what_is_no_window_is_refused_with_why(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        window_of(text)


WINDOWS = st.builds(
    Window,
    st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
    st.times().map(lambda one: one.replace(second=0, microsecond=0)),
    st.times().map(lambda one: one.replace(second=0, microsecond=0)),
    st.sampled_from(["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
).filter(lambda window: window.begins != window.ends)


@given(WINDOWS, st.floats(0, 4e9))
def test_windows_come_in_order_begin_on_their_days_and_none_that_goes_on_is_left_out(
    window: Window, now: float
) -> None:
    spans = list(islice(window.spans(now), 10))
    assert spans[0].ends > now
    assert all(one.begins < one.ends for one in spans)
    assert all(one.begins < other.begins for one, other in pairwise(spans))
    assert all(one.ends - one.begins <= timedelta(hours=25).total_seconds() for one in spans)
    assert window.next(spans[0].begins) == spans[0]
    assert window.next(spans[0].ends) == spans[1]
