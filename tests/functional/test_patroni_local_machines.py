"""A PostgreSQL becomes one of two and plain again, on machines with real processes.

Its votes are counted by Patroni's own Raft, so that nothing but wheels is needed. One story is told once, and
each test is one claim about it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from support.machines import Bench, can_partition, partitions_or_skip
from support.postgres_machines import HBA, Ledger, Trio, hba, refusals, write_image, written
from support.waiting import eventually

REST = "0123456789abcdef"
ORDERS = "shop.public.orders"
Said = dict[str, Any]


class Story:
    """What was seen in the course of it."""

    def __init__(self, trio: Trio) -> None:
        self.trio = trio
        self.said: dict[str, Said] = {}
        self.did: dict[str, list[str]] = {}
        self.ledgers: dict[str, Ledger] = {}
        self.lost: dict[str, set[str]] = {}
        self.refusals: list[str] = []

    def write(self, called: str, names: str, act: Any, after_seconds: float = 0.5) -> None:
        """Have applications write while something is done; note what became of what was acknowledged."""
        with written(self.trio, names) as ledger:
            self.ledgers[called] = ledger
            time.sleep(0.5)
            act()
            eventually(lambda: ledger.acknowledged_after(time.monotonic() - 0.2), "writes go on")
            time.sleep(after_seconds)
        self.lost[called] = set(ledger.acknowledged) - self.trio.orders(names[0])

    def tell(self) -> None:
        """Make the source one of two, break both, and make it plain again."""
        trio = self.trio
        self.said["examined"] = trio.ask("a", "examine")
        for where in ("roles", "restarted"):
            self.said[f"killed at {where}"] = {"says": trio.die("a", where, trio.layout("a"))}
        self.said["restarted, and killed"] = trio.ask("a", "state")
        self.apply("alone", "a", trio.layout("a"))
        self.write("alone", "a", lambda: self.apply("alone again", "a", trio.layout("a")))
        trio.copy("b", "a")
        trio.bench.machine("c")
        trio.bench.boot("c")
        self.said["stranger"] = trio.ask("b", "state")
        log = trio.disk("b") / "var/log/postgresql.service.log"
        self.said["stranger's door"] = {"open": trio.is_door_open("b"), "log": log.read_text()}
        three = trio.layout("ab", "c")
        self.apply("arbitrator", "c", three)
        self.said["killed before"] = {"says": trio.die("a", "before the layout of several", three)}
        self.said["killed before, and seen"] = trio.ask("a", "state")
        self.write("adopted", "a", lambda: self.apply("first", "a", three))
        self.apply("second", "b", three)
        self.wait_until_in_step("b")
        self.said |= {f"{name} of three": trio.ask(name, "state") for name in "abc"}
        self.did["again"] = [one for name in "cab" for one in trio.apply(name, three)]
        self.write("handed over", "ab", lambda: self.act("handover", "a", "handover"))
        self.wait_until_in_step("a")
        with ThreadPoolExecutor() as both:
            checked = both.map(lambda name: trio.ask(name, "check"), "ab")
            self.said |= dict(zip(("a checked", "b checked"), checked, strict=True))
        self.write("compared", "a", self.compare)
        self.write("rested", "ab", self.rest)
        self.restore()
        self.write("killed", "a", self.kill)
        trio.bench.boot("b")
        self.wait_until_in_step("b")
        self.said["b came back"] = trio.ask("b", "state")
        if can_partition():
            self.write("cut off", "ab", self.cut_off)
            self.wait_until_in_step("a")
        self.said["before plain"] = {"orders": trio.orders("a")}
        self.apply("plain", "a", trio.layout(""))
        self.apply("plain again", "a", trio.layout(""))
        self.said["plain"] = {"orders": trio.orders("a")}
        self.apply("arbitrator ends", "c", trio.layout(""))

    def apply(self, called: str, name: str, layout: Any) -> None:
        self.did[called] = self.trio.apply(name, layout)

    def act(self, called: str, name: str, act: str, **asked: Any) -> None:
        self.said[called] = self.trio.ask(name, act, **asked)
        assert not self.said[called]["problem"], self.said[called]

    def rest(self) -> None:
        """Have the replica's database at rest, copy its disk, wake it; a second time it wakes by itself."""
        trio, ledger = self.trio, self.ledgers["rested"]
        self.said["writer's rest"] = trio.ask("b", "rest", rest_id=REST, seconds=300)
        before = set(ledger.acknowledged)
        self.act("rest", "a", "rest", rest_id=REST, seconds=300)
        self.act("rested at", "a", "position")
        trio.bench.hypervisor.snapshot("a", trio.bench.root / "rested")
        self.said["in the copy"] = {"at least": before, "at most": set(ledger.acknowledged)}
        self.act("woken", "a", "wake", rest_id=REST)
        self.wait_until_in_step("a")
        self.act("forgotten", "a", "rest", rest_id=REST, seconds=1)
        self.wait_until_in_step("a")
        self.said["woken too late"] = trio.ask("a", "wake", rest_id=REST)

    def restore(self) -> None:
        """Make a machine of the copy, and its database a plain server."""
        trio = self.trio
        trio.bench.machine("d", trio.bench.root / "rested")
        trio.bench.boot("d")
        self.said["restored"] = trio.ask("d", "state")
        self.act("restored at", "d", "position")
        self.apply("restored", "d", trio.layout(""))
        self.said["in the copy"]["has"] = trio.orders("d") & set(self.ledgers["rested"].acknowledged)
        self.act("restored and read", "d", "check")
        trio.bench.hypervisor.destroy("d")

    def kill(self) -> None:
        """Take the power from who leads, and tell the other that it is gone."""
        self.trio.bench.hypervisor.power_off("b")
        self.act("failover", "a", "failover", gone="b")

    def cut_off(self) -> None:
        """Keep who leads from all others until another leads; clients still reach it, and write there."""
        with self.trio.apart("a", "b", "c"):
            eventually(
                lambda: self.trio.ask("b", "state")["role"] == "primary",
                "another leads",
                timeout_seconds=120,
                every_seconds=0.5,
            )
            self.refusals = refusals(self.trio, "a", self.ledgers["cut off"], 2.0)

    def compare(self) -> None:
        """Read a table on both members while it is written to, until they were seen to hold the same."""

        def hold_the_same() -> bool:
            with ThreadPoolExecutor() as both:
                asked = both.map(lambda name: self.trio.ask(name, "check", tables=[ORDERS]), "ab")
                a, b = (one["tables"][0]["seen"] for one in asked)
            self.said["compared"] = {"contents": min(len(a), len(b)), "same": bool(set(a) & set(b))}
            return bool(self.said["compared"]["same"])

        eventually(hold_the_same, "both were seen to hold the same", timeout_seconds=60)

    def wait_until_in_step(self, name: str) -> None:
        eventually(
            lambda: self.trio.ask(name, "state")["ready"],
            f"{name} is in step",
            timeout_seconds=120,
            every_seconds=0.2,
        )


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    with tempfile.TemporaryDirectory(prefix="nospof-patroni-", dir="/tmp") as directory:
        image = Path(directory) / "image"
        write_image(image)
        bench = Bench(Path(directory) / "machines", None)
        try:
            told = Story(Trio(bench, image))
            told.tell()
            yield told
        finally:
            bench.close()


def test_nothing_stands_in_the_way_of_a_server_as_packages_make_it(story: Story) -> None:
    examined = story.said["examined"]
    assert examined["engine"] == "postgresql"
    assert examined["directory"] == "/var/lib/postgresql/data"
    assert {one["kind"] for one in examined["obstacles"]} <= {"use"}


def test_the_application_goes_on_behind_the_door_as_it_was(story: Story) -> None:
    assert not story.lost["alone"]
    assert any("through a door" in one for one in story.did["alone"])


def test_a_program_that_is_killed_leaves_what_the_next_puts_right(story: Story) -> None:
    for name in ("killed at roles", "killed at restarted", "killed before"):
        assert story.said[name]["says"] == "the process that was to do it was killed"
    assert story.said["restarted, and killed"]["role"] == "alone"
    assert story.said["killed before, and seen"]["role"] == "alone"


def test_a_repeat_restarts_nothing(story: Story) -> None:
    assert not any("restarted" in one for one in story.did["alone again"])
    assert story.did["again"] == []


def test_a_copy_that_nobody_let_in_starts_no_database(story: Story) -> None:
    assert story.said["stranger"]["role"] == "stranger"
    assert not story.said["stranger's door"]["open"]
    assert "a copy that nobody let in" in story.said["stranger's door"]["log"]


def test_patroni_takes_the_running_server_over_without_a_failed_write(story: Story) -> None:
    assert not story.lost["adopted"]
    assert story.ledgers["adopted"].failed == 0


def test_three_vote_and_both_doors_lead_to_one_writer(story: Story) -> None:
    a, b, c = (story.said[f"{name} of three"] for name in "abc")
    assert [a["role"], b["role"], c["role"]] == ["primary", "replica", "arbitrator"]
    assert [a["votes"], b["votes"], c["votes"]] == [3, 3, 3]
    assert a["writer"] == b["writer"] != ""
    assert b["lag_bytes"] >= 0


def test_a_planned_switchover_loses_nothing(story: Story) -> None:
    assert story.said["handover"]["did"] == [f"writes were handed to {story.trio.seat('b').address}"]
    assert not story.lost["handed over"]


def test_both_members_hold_the_same(story: Story) -> None:
    assert story.said["a checked"]["tables"] == story.said["b checked"]["tables"] != []


def test_a_table_that_is_written_to_is_seen_to_be_the_same_on_both(story: Story) -> None:
    assert story.said["compared"]["same"]
    assert story.said["compared"]["contents"] > 1, "it was not written to meanwhile"
    assert not story.lost["compared"]


def test_a_replica_rests_with_all_that_was_acknowledged_and_no_write_fails_beside_it(story: Story) -> None:
    assert "hand them over first" in story.said["writer's rest"]["problem"]
    assert story.said["woken"]["did"][-1] == "its database runs again"
    assert story.ledgers["rested"].failed == 0
    assert not story.lost["rested"]
    assert "had been started before" in story.said["woken too late"]["problem"]


def test_a_copy_of_a_resting_replica_becomes_a_plain_server_with_what_it_had(story: Story) -> None:
    assert story.said["restored"]["role"] == "stranger"
    assert story.said["restored at"]["did"] == story.said["rested at"]["did"]
    copied = story.said["in the copy"]
    assert copied["at least"] <= copied["has"] <= copied["at most"]
    assert [one["name"] for one in story.said["restored and read"]["tables"]] == [ORDERS]


def test_the_primary_is_killed_and_nothing_acknowledged_is_lost(story: Story) -> None:
    assert story.said["failover"]["did"] == ["nobody waits for b any longer", "another member leads"]
    assert not story.lost["killed"]


def test_the_old_primary_comes_back_as_a_replica(story: Story) -> None:
    assert (story.said["b came back"]["role"], story.said["b came back"]["ready"]) == ("replica", True)


def test_a_primary_that_is_cut_off_refuses_writes_once_another_leads_and_nothing_is_lost(
    story: Story,
) -> None:
    partitions_or_skip()
    assert not story.lost["cut off"]
    assert story.refusals
    assert not [key for key in story.ledgers["cut off"].acknowledged if key.startswith("a-")]


def test_the_plain_server_has_all_and_its_own_settings(story: Story) -> None:
    assert story.said["plain"]["orders"] == story.said["before plain"]["orders"]
    disk = story.trio.disk("a")
    assert hba(disk) == HBA
    assert "nospof" not in (disk / "var/lib/postgresql/data/postgresql.conf").read_text()
    assert not list((disk / "etc/nospof").iterdir())
    assert not list((disk / "etc/systemd/system").glob("nospof*"))
    assert story.trio.roles("a") == {"postgres", "shop"}


def test_an_arbitrator_that_is_none_any_more_keeps_nothing(story: Story) -> None:
    disk = story.trio.disk("c")
    assert story.did["arbitrator ends"] == ["this machine votes no more"]
    assert not list((disk / "etc/nospof").iterdir())
