"""Who goes when, as `maintain plan` shows it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nospof.cli.fleet_text import fleet_text, news_text
from nospof.cli.maintain_watch import ZoneCap
from nospof.errors import UsageError
from nospof.model.cloud import TAG_DRAINED
from nospof.model.events import Place
from nospof.model.news import FleetPlan, News
from nospof.services.fleet import fleet_plan
from support.fleets import DAY, HOUR, Fleet
from support.memory_world import memory_world


def plan_of(fleet: Fleet, **more: Any) -> FleetPlan:
    return fleet_plan(memory_world(fleet.cloud), fleet.policy, **more)


def who(plan: FleetPlan) -> list[list[str]]:
    return [[turn.instance_id for turn in wave.turns] for wave in plan.waves]


def test_what_is_announced_is_planned_in_windows_wave_by_wave_and_nothing_is_changed():
    fleet = Fleet("www", "shop")
    (w1, w2), (s1, _) = fleet.pairs["www"], fleet.pairs["shop"]
    for one in (w1, w2, s1):
        fleet.cloud.announce(one, in_seconds=3 * DAY)
    fleet.cloud.calls.clear()
    plan = plan_of(fleet)
    assert (who(plan), plan.late, plan.held) == ([[w1, s1], [w2]], (), ())
    assert list(fleet.cloud.writes) == []
    text = fleet_text(plan)
    assert text.startswith("3 members in 2 waves of 15 min, in 123456789012 eu-central-1")
    assert "1. Sat 2027-01-16 02:00 UTC to 02:15" in text
    assert f"{w1} of www" in text


def test_with_all_members_everybody_has_a_turn():
    fleet = Fleet("www", "shop")
    assert len(fleet.watch.watched) == 0
    assert who(plan_of(fleet)) == []
    assert fleet_text(plan_of(fleet)).startswith("Nothing is announced")
    assert [len(wave) for wave in who(plan_of(fleet, everybody=True))] == [2, 2]


def test_who_is_too_late_has_no_turn_or_no_window_is_said():
    fleet = Fleet("www", "shop")
    late, stubborn = fleet.pairs["www"]
    fleet.cloud.announce(late, in_seconds=6 * HOUR)
    fleet.cloud.announce(stubborn, "foo-bar", in_seconds=3 * DAY)
    fleet.cloud.announce(fleet.pairs["shop"][0], in_seconds=3 * DAY)
    fleet.policy = replace(fleet.policy, windows={"www": fleet.windows["www"]})
    plan = plan_of(fleet)
    assert [one.instance_id for one in plan.late] == [late]
    assert plan.no_window == ("shop",)
    text = fleet_text(plan)
    assert f"TOO LATE: {late} of www" in text
    assert f"foo-bar of {stubborn} is not cleared" in text
    assert "No window is written in nospof.yaml for shop" in text
    assert "1 TOO LATE" in text


def test_one_that_is_drained_now_belongs_to_its_service_still():
    fleet = Fleet()
    one, other = fleet.pairs["www"]
    fleet.cloud.tag(other, {TAG_DRAINED: "nospof-www:80"})
    fleet.cloud.deregister(fleet.cloud.target_groups()[0].arn, other, 80)
    fleet.cloud.announce(one, in_seconds=3 * DAY)
    plan = plan_of(fleet)
    assert (who(plan), plan.held) == ([[one]], ())


def test_a_service_that_is_not_there_is_named():
    fleet = Fleet(services=("wwww",))
    with pytest.raises(UsageError, match="wwww"):
        plan_of(fleet)


def test_news_are_a_line_with_when_aws_may_act():
    place = Place("123456789012", "eu-central-1")
    news = News(1_800_000_000.0, "moved", place, "AWS has moved x", due=1_800_003_600.0)
    assert (
        news_text(news) == "2027-01-15 08:00:00Z  moved      AWS has moved x (due Fri 2027-01-15 09:00 UTC)"
    )


@pytest.mark.parametrize(("text", "cap"), [("2", (2, 0.0)), ("25%", (0, 0.25)), ("100%", (0, 1.0))])
def test_a_cap_is_a_number_or_a_share(text, cap):
    assert ZoneCap().convert(text, None, None) == cap


@pytest.mark.parametrize("text", ["0", "0%", "101%", "-1", "x", "2.5", "5%%", "%", "²"])
def test_what_is_no_cap_is_refused(text):
    import click

    with pytest.raises(click.BadParameter):
        ZoneCap().convert(text, None, None)
