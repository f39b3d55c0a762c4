"""A reading divided between two processes: the same estate, the same errors, nothing left behind."""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from nospof.adapters.divided import DividedDiscovery, divided
from nospof.adapters.saved.account import SavedDiscovery, SavingDiscovery
from nospof.errors import CloudError
from nospof.model.estate import Estate
from nospof.services.reading import read_estate
from support.children import children, forget_others
from support.scripted_discovery import ScriptedDiscovery, many

NOW = 1_800_000_000.0
GROUPS = "autoscaling:DescribeAutoScalingGroups"
HEALTH = "elbv2:DescribeTargetHealth"


class ToldBy(ScriptedDiscovery):
    """Adds to each page which process answered."""

    def pages(
        self, call: str, arguments: Mapping[str, object], *, is_global: bool = False
    ) -> Iterator[dict[str, Any]]:
        for page in super().pages(call, arguments, is_global=is_global):
            yield {**page, "told by": os.getpid()}


def account() -> dict[str, Any]:
    answers = many(30, scaled=False)
    answers["ec2:DescribeInstances"] = [{"Reservations": [{"Instances": [{"InstanceId": "i-1"}]}]}]
    return answers


def told(estate: Estate) -> tuple[Any, ...]:
    items = {kind: [(one.id, one.fields) for one in each] for kind, each in estate.items.items()}
    return items, estate.unread, estate.assumptions, estate.account


@pytest.fixture(autouse=True)
def only_our_processes_count() -> None:
    forget_others()


def test_the_estate_is_the_same_and_no_process_is_left() -> None:
    alone = ScriptedDiscovery(account())
    shared = ScriptedDiscovery(account())
    estate = read_estate(DividedDiscovery(shared), NOW)
    assert told(estate) == told(read_estate(alone, NOW))
    assert 0 < shared.times(HEALTH) < alone.times(HEALTH) == 30
    gc.collect()
    assert children() == []


def test_two_processes_answer() -> None:
    discovery = DividedDiscovery(ToldBy({**account(), GROUPS: [{}]}))
    asked = ((GROUPS, {}), ("ec2:DescribeInstances", {}))
    there, here = (next(iter(discovery.pages(call, each)))["told by"] for call, each in asked)
    assert here == os.getpid() != there


def test_pages_before_a_refusal_are_kept_and_the_refusal_is_the_same() -> None:
    discovery = DividedDiscovery(
        ScriptedDiscovery({GROUPS: [{"a": 1}, {"a": 2}]}, refused={GROUPS: "Denied"})
    )
    pages = discovery.pages(GROUPS, {})
    assert [next(pages), next(pages)] == [{"a": 1}, {"a": 2}]
    with pytest.raises(CloudError, match="was refused") as refused:
        next(pages)
    assert (refused.value.code, refused.value.operation) == ("Denied", GROUPS)


def test_what_is_refused_there_is_named() -> None:
    refused = {GROUPS: "AccessDenied", HEALTH: "Throttling"}
    estate = read_estate(DividedDiscovery(ScriptedDiscovery(account(), refused=refused)), NOW)
    assert estate.unread == read_estate(ScriptedDiscovery(account(), refused=refused), NOW).unread
    assert {one.reason for one in estate.unread} == set(refused.values())


class Mortal(ScriptedDiscovery):
    """Kills the process that is not the test's own when it is asked for a call."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        super().__init__(answers)
        self.here = os.getpid()

    def pages(
        self, call: str, arguments: Mapping[str, object], *, is_global: bool = False
    ) -> Iterator[dict[str, Any]]:
        if call == HEALTH and os.getpid() != self.here:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().pages(call, arguments, is_global=is_global)


def test_what_a_process_that_is_killed_leaves_unanswered_is_asked_here() -> None:
    estate = read_estate(DividedDiscovery(Mortal(account())), NOW)
    assert told(estate) == told(read_estate(ScriptedDiscovery(account()), NOW))


class Unsendable(ScriptedDiscovery):
    """Fails with an error that no process can be sent."""

    def pages(self, call: str, arguments: Mapping[str, object], *, is_global: bool = False) -> Any:
        error = ValueError("a fault of ours")
        error.cause = lambda: None  # type: ignore[attr-defined]
        raise error


def test_an_error_that_cannot_be_sent_is_raised_all_the_same() -> None:
    discovery = DividedDiscovery(Unsendable({}))
    for _ in range(20):
        with pytest.raises(ValueError, match="a fault of ours"):
            list(discovery.pages(GROUPS, {}))


def test_what_both_processes_save_is_read_again(tmp_path: Path) -> None:
    saving = SavingDiscovery(ScriptedDiscovery(account(), refused={GROUPS: "AccessDenied"}), tmp_path, NOW)
    live = read_estate(DividedDiscovery(saving), NOW)
    assert told(read_estate(SavedDiscovery(tmp_path), NOW)) == told(live)


def test_one_processor_is_not_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = ScriptedDiscovery({})
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert divided(alone) is alone
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    assert isinstance(divided(alone), DividedDiscovery)


def state_of(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0]
    except FileNotFoundError:
        return "gone"


def test_the_process_that_asks_ends_when_the_one_it_reads_for_is_killed() -> None:
    told, tells = os.pipe()
    parent = os.fork()
    if not parent:
        discovery = DividedDiscovery(ScriptedDiscovery({}))
        os.write(tells, f"{children()[0]}\n".encode())
        signal.pause()
        del discovery
    reader = int(os.read(told, 20))
    assert state_of(reader) in ("S", "R")
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    ends = time.monotonic() + 20
    while state_of(reader) not in ("gone", "Z"):
        assert time.monotonic() < ends
        time.sleep(0.01)
    os.close(told)
    os.close(tells)
