"""Who goes with whom: small fleets whose order is known, and large ones."""

from __future__ import annotations

import pytest

from nospof.model.window import window_of
from nospof.planning.fleet import Limits, Member, room_of, share_of, timetable, together, waves_of

NOW = 1_796_000_400.0
"""Mon 2026-11-30 01:00 UTC."""
HOUR = 3600.0


def names(waves):
    return [[one.instance_id for one in wave] for wave in waves]


def test_two_pairs_go_side_by_side_one_member_of_each_at_a_time():
    pairs = [Member(f"{name}{n}", (name,)) for name in ("www", "shop") for n in (1, 2)]
    assert names(waves_of(pairs, Limits()).waves) == [["shop1", "www1"], ["shop2", "www2"]]


def test_a_member_of_two_services_goes_with_none_of_either():
    members = [Member("both", ("www", "shop")), Member("www1", ("www",)), Member("shop1", ("shop",))]
    assert names(waves_of(members, Limits()).waves) == [["both"], ["shop1", "www1"]]


def test_whoever_is_due_first_goes_first():
    members = [Member(f"i-{n}", ("www",), due=NOW - n) for n in range(4)]
    assert names(waves_of(members, Limits()).waves) == [["i-3"], ["i-2"], ["i-1"], ["i-0"]]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [(0, 1, [["a", "c"], ["b", "d"]]), (1, 0, [["b", "d"], ["a", "c"]])],
)
def test_whoever_is_due_first_waits_where_going_first_would_cost_a_wave(first, second, expected):
    """Four in a row, whose ends are due first: side by side, they would leave two in the middle apart."""
    row = [
        Member("a", ("ab",), due=NOW + first),
        Member("b", ("ab", "bc")),
        Member("c", ("bc", "cd")),
        Member("d", ("cd",), due=NOW + second),
    ]
    assert names(waves_of(row, Limits()).waves) == expected


def test_a_zone_keeps_its_cap_over_services_that_know_nothing_of_each_other():
    members = [Member(f"i-{n}", (f"s{n}",), "a") for n in range(5)]
    assert [len(wave) for wave in waves_of(members, Limits(zones={"a": 2})).waves] == [2, 2, 1]


def test_a_service_without_place_is_held_and_holds_nobody_else():
    members = [Member("alone", ("www",)), Member("other", ("shop",))]
    found = waves_of(members, Limits({"www": 0}))
    assert (names(found.waves), [one.instance_id for one in found.held]) == ([["other"]], ["alone"])


@pytest.mark.parametrize(
    ("size", "at_least", "room"),
    [(1, None, 0), (2, None, 1), (3, None, 1), (3, 2, 1), (1000, 900, 100), (2, 0, 1), (2, 5, 0)],
)
def test_all_but_one_serve_where_nothing_else_is_said_and_never_none(size, at_least, room):
    assert room_of(size, at_least) == room


def test_one_of_a_zone_may_always_be_out():
    assert [share_of(size, 0.25) for size in (1, 3, 4, 11)] == [1, 1, 1, 2]


def test_a_thousand_of_a_service_take_a_thousand_waves_and_with_room_for_fifty_twenty():
    members = [Member(f"i-{n:04}", ("www",)) for n in range(1000)]
    assert len(waves_of(members, Limits()).waves) == 1000
    assert len(waves_of(members, Limits({"www": 50})).waves) == 20


def test_now_goes_who_has_place_beside_those_who_are_out_already():
    members = [Member("www1", ("www",), "a"), Member("shop1", ("shop",), "a"), Member("x1", ("x",), "b")]
    assert [one.instance_id for one in together(members, Limits({"www": 0}, {"a": 1}))] == ["shop1", "x1"]
    assert [one.instance_id for one in together(members, Limits({}, {"a": 0}))] == ["x1"]


def test_turns_are_in_the_windows_of_all_services_of_a_member():
    windows = {"www": window_of("daily 02:00-04:00"), "shop": window_of("daily 03:00-05:00")}
    (turn,) = timetable([Member("both", ("www", "shop"))], Limits(), windows, NOW, 900)
    assert turn.span.begins == NOW + 2 * HOUR


def test_what_a_window_has_no_room_for_is_late_or_goes_in_the_next():
    windows = {"www": window_of("daily 02:00-02:30")}
    due = NOW + 12 * HOUR
    members = [Member(f"i-{n}", ("www",), due=due) for n in range(3)]
    turns = timetable(members, Limits(), windows, NOW, 900)
    assert [(one.span.begins - NOW) / HOUR for one in turns] == [1.0, 1.25, 25.0]
    assert [one.is_late for one in turns] == [False, False, True]


def test_a_turn_longer_than_every_window_fits_nowhere_and_is_late():
    (turn,) = timetable(
        [Member("i-1", ("www",))], Limits(), {"www": window_of("daily 02:00-02:10")}, NOW, 900
    )
    assert (turn.span, turn.is_late) == (None, True)


def test_windows_that_never_meet_leave_a_member_of_both_without_a_turn():
    windows = {"www": window_of("Mon 02:00-04:00"), "shop": window_of("Tue 05:00-06:00")}
    (turn,) = timetable([Member("both", ("www", "shop"))], Limits(), windows, NOW, 900)
    assert turn.span is None


def test_the_order_is_taken_in_which_fewer_are_late():
    """In two waves the row's last would be over too late; three turns one after the other are in time."""
    row = [
        Member("a", ("ab",), due=NOW + 900),
        Member("b", ("ab", "bc")),
        Member("c", ("bc", "cd")),
        Member("d", ("cd",), due=NOW + 900),
    ]
    turns = timetable(row, Limits(), {}, NOW, 900)
    assert not any(one.is_late for one in turns)
    assert len({one.span.begins for one in turns}) == 3
