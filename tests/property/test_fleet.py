"""Any fleet: limits hold in every wave and at every moment, waves are few, and nobody could go earlier."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nospof.model.window import window_of
from nospof.planning.fleet import (
    NEVER,
    SLOT_SECONDS,
    Limits,
    Member,
    Slots,
    Turn,
    first_fit,
    timetable,
    together,
    waves_of,
)

SERVICES, ZONES = [f"s{n}" for n in range(5)], ["a", "b", "c"]
NOW = 1_800_000_000.0
"""Fri 2027-01-15 08:00 UTC: the windows begin a little later, in the middle of turns."""
HOURS = {"s0": window_of("daily 08:05-10:00"), "s1": window_of("Fri,Sun 09:15-12:30 Europe/Berlin")}

few = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
places = st.dictionaries(st.sampled_from(SERVICES), st.integers(1, 3))
limits = st.builds(Limits, places, st.dictionaries(st.sampled_from(ZONES), st.integers(1, 4)))


@st.composite
def fleets(draw: st.DrawFn, most: int = 25) -> list[Member]:
    return [
        Member(
            f"i-{number}",
            tuple(draw(st.sets(st.sampled_from(SERVICES), max_size=3))),
            draw(st.sampled_from(["", *ZONES])),
            draw(st.sampled_from([NEVER, *(NOW + 3600.0 * n for n in range(1, 200, 20))])),
        )
        for number in range(draw(st.integers(0, most)))
    ]


def are_within(members: Sequence[Member], limit: Limits) -> bool:
    """Whether all of these may be out at one time, counted by hand."""
    taken = Counter(key for one in members for key in one.keys)
    return all(count <= limit.places(key) for key, count in taken.items())


def bound(members: Sequence[Member], limit: Limits) -> int:
    """The most waves there may be: see the module."""
    sizes = Counter(key for one in members for key in one.keys)

    def forced(one: Member) -> int:
        singles = {key for key in one.keys if limit.places(key) == 1}
        neighbours = sum(1 for other in members if other is not one and singles & set(other.keys))
        others = [key for key in one.keys if key not in singles and limit.places(key) < NEVER]
        return neighbours + sum(int((sizes[key] - 1) // limit.places(key)) for key in others)

    return 1 + max(map(forced, members), default=-1)


@few
@given(fleets(), limits)
def test_limits_hold_in_every_wave_and_everybody_is_in_one(members: list[Member], limit: Limits) -> None:
    found = waves_of(members, limit)
    assert all(are_within(wave, limit) for wave in found.waves)
    assert sorted(one.instance_id for wave in found.waves for one in wave) == sorted(
        one.instance_id for one in members
    )
    assert found.held == ()


@few
@given(fleets(), limits)
def test_waves_are_no_more_than_neighbours_force_and_no_fewer_than_places_do(
    members: list[Member], limit: Limits
) -> None:
    count = len(waves_of(members, limit).waves)
    sizes = Counter(key for one in members for key in one.keys)
    least = max((-(-size // limit.places(key)) for key, size in sizes.items()), default=0)
    assert least <= count <= bound(members, limit)


@few
@given(fleets(), limits)
def test_nobody_could_go_in_an_earlier_wave(members: list[Member], limit: Limits) -> None:
    found = waves_of(members, limit).waves
    for number, wave in enumerate(found):
        for one in wave:
            assert not any(are_within([*earlier, one], limit) for earlier in found[:number])


@few
@given(fleets(), limits)
def test_who_is_due_earlier_costs_no_wave(members: list[Member], limit: Limits) -> None:
    sizes = Counter(key for one in members for key in one.keys)

    def crowd(one: Member) -> float:
        return sum(-(-sizes[key] // max(1.0, limit.places(key))) for key in one.keys)

    largest_first = sorted(members, key=lambda one: (-crowd(one), one.due, one.instance_id))
    placed = first_fit(largest_first, Slots(limit))
    assert len(waves_of(members, limit).waves) <= len(set(placed.values()))


@few
@given(fleets(), limits, st.randoms())
def test_the_waves_are_the_same_in_whatever_order_members_are_given(members, limit, random) -> None:
    again = random.sample(members, len(members))
    assert waves_of(again, limit) == waves_of(members, limit)


@few
@given(fleets(), limits)
def test_whoever_goes_together_is_within_the_limits_and_nobody_else_has_place(members, limit) -> None:
    now = together(members, limit)
    assert are_within(now, limit)
    assert not any(are_within([*now, one], limit) for one in members if one not in now)


@few
@given(fleets(most=15), limits, st.sampled_from([600.0, 900.0, 2000.0]))
def test_limits_hold_at_every_moment_of_a_timetable_and_windows_do(members, limit, turn_seconds) -> None:
    turns = timetable(members, limit, HOURS, NOW, turn_seconds)
    assert sorted(one.member.instance_id for one in turns) == sorted(one.instance_id for one in members)
    for turn in turns:
        assert turn.span
        assert turn.span.begins >= NOW
        assert 0 <= turn.span.ends - turn.span.begins - turn_seconds < SLOT_SECONDS
        assert are_within([one.member for one in turns if meets(one, turn.span.begins)], limit)
        for service in set(turn.member.services) & set(HOURS):
            window = HOURS[service].next(turn.span.begins)
            assert window.begins <= turn.span.begins
            assert turn.span.ends <= window.ends


def meets(turn: Turn, moment: float) -> bool:
    return turn.span is not None and turn.span.is_at(moment)
