"""Maintenance of one's own: one member at a time, each command once, and nobody after one that went wrong."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from nospof.adapters.memory import MemoryService
from nospof.errors import PreconditionFailed, ProcedureFailed, UsageError
from nospof.model.cloud import TAG_DRAINED, TAG_GUARANTEE, TAG_RUN
from nospof.model.maintaining import TAG_BACK, CommandState, RunRequest, RunResult
from nospof.model.requests import PairRequest
from nospof.procedures.discard import discard
from nospof.procedures.maintain_run import REBOOT_SECONDS, maintain_run
from nospof.procedures.pair import pair
from nospof.procedures.repair import find_troubles
from nospof.runtime.memory import Killed, MemorySteps
from nospof.services.backups import discard_request
from support.memory_world import keep_data, memory_world, one_instance
from support.undoing import run_of, told


def dead(_run_id: str) -> Any:
    return nullcontext(True)


UPGRADE = "apt-get -y upgrade"


class Service:
    """A pair on the reference cloud."""

    def __init__(self) -> None:
        self.cloud = one_instance()
        request = PairRequest(self.cloud.the_instance.id, service="www", stateless=True)
        made = MemorySteps("before").tell(pair, memory_world(self.cloud), request)
        self.members, self.group = made.members, made.target_group_arn
        self.cloud.calls.clear()

    def run(self, steps: MemorySteps | None = None, **asked: Any) -> RunResult:
        request = RunRequest(**{"service": "www", "command": UPGRADE, **asked})
        steps = steps or MemorySteps("run-1")
        return steps.tell(maintain_run, memory_world(self.cloud), request)

    def fails(self, **asked: Any) -> str:
        with pytest.raises(ProcedureFailed) as failed:
            self.run(**asked)
        return str(failed.value)

    def healthy(self) -> list[str]:
        self.cloud.clock.sleep(60)
        return sorted(one.instance_id for one in self.cloud.targets(self.group) if one.is_healthy)

    def on(self, member: str, act: Any) -> None:
        """Have the command do something to one member, and end well on others."""
        self.cloud.acts[UPGRADE] = lambda one: act(one) if one == member else 0


def written(service: Service) -> list[str]:
    return [call.name for call in service.cloud.writes]


# What comes of it -----------------------------------------------------------------------------------


def test_each_member_does_it_once_with_an_image_of_its_disks_at_rest():
    service = Service()
    result = service.run()
    first, second = service.members
    assert service.cloud.done == [(first, UPGRADE), (second, UPGRADE)]
    assert [one.instance_id for one in result.turns] == [first, second]
    images = {one.tags[TAG_BACK]: one for one in service.cloud.images(TAG_RUN, "run-1")}
    assert {one.instance_id: one.image_id for one in result.turns} == {
        one: images[one].id for one in service.members
    }
    for one in images.values():
        assert set(service.cloud.source_states_of(one.name)) == {"stopped"}
    assert service.healthy() == sorted(service.members)
    assert service.cloud.instances(TAG_GUARANTEE) == service.cloud.instances(TAG_DRAINED) == ()


def test_the_second_is_touched_only_when_the_first_is_whole_again():
    service = Service()
    seen: list[list[str]] = []
    service.cloud.acts[UPGRADE] = lambda _one: seen.append(service.healthy()) or 0
    service.run()
    first, second = service.members
    assert seen == [[second], [first]]


def test_with_the_owners_word_nothing_is_stopped_and_no_image_taken():
    service = Service()
    result = service.run(no_image=True)
    assert [one.image_id for one in result.turns] == ["", ""]
    assert not {"stop_instance", "create_image"} & set(written(service))
    assert len(service.cloud.done) == 2


def test_whoever_takes_the_writes_has_the_last_turn():
    cloud = one_instance()
    keep_data(cloud)
    told(cloud, "pair", "run-0", stateless=False)
    writer = next(
        one.id for one in cloud.instances("nospof:data") if cloud.database_state(one.id).role == "primary"
    )
    request = RunRequest("www", UPGRADE, no_image=True)
    result = MemorySteps("run-1").tell(maintain_run, memory_world(cloud), request)
    assert result.turns[-1].instance_id == writer


# Reboots --------------------------------------------------------------------------------------------


def test_a_reboot_is_waited_for():
    service = Service()
    service.run(reboot=True, no_image=True)
    assert written(service).count("reboot_instance") == 2
    assert "stop_instance" not in written(service)
    assert service.healthy() == sorted(service.members)


def test_a_member_that_does_not_come_back_by_a_reboot_is_stopped_and_started():
    service = Service()
    service.cloud.timings = replace(service.cloud.timings, reboot=REBOOT_SECONDS * 2)
    service.run(reboot=True, no_image=True)
    assert written(service).count("stop_instance") == written(service).count("start_instance") == 2
    assert service.healthy() == sorted(service.members)


def test_a_run_that_dies_right_after_the_reboot_reboots_no_second_time():
    service = Service()
    steps = MemorySteps("run-1", die_at=f"after reboot it: {service.members[0]}")
    with pytest.raises(Killed):
        service.run(steps, reboot=True, no_image=True)
    service.run(steps, reboot=True, no_image=True)
    assert written(service).count("reboot_instance") == 2


def test_a_command_that_is_cut_off_by_a_reboot_is_told_so():
    service = Service()
    first = service.members[0]
    service.cloud.later(300, lambda: None)
    steps = MemorySteps("run-1", die_at=f"before have it do the command: {first}")
    with pytest.raises(Killed):
        service.run(steps)
    service.cloud.begin_command(first, "run-1", UPGRADE)
    service.cloud.reboot_instance(first)
    with pytest.raises(ProcedureFailed, match="was cut off by a reboot"):
        service.run(steps)
    assert service.cloud.done == [(first, UPGRADE)]


# What goes wrong ------------------------------------------------------------------------------------


def test_where_a_command_fails_a_member_that_answers_well_is_put_back_and_nobody_comes_after_it():
    service = Service()
    first, second = service.members
    service.on(first, lambda _one: 100)
    said = service.fails()
    assert said.startswith(f"the command on {first} ended with 100; it said last:\n  | did it\n")
    assert f"{first} answers well and is back in service. Not begun: {second}." in said
    assert f"nospof maintain back run-1 {first}" in said
    assert service.cloud.done == [(first, UPGRADE)]
    assert service.healthy() == sorted(service.members)


def test_where_the_member_does_not_get_well_it_stays_out_and_its_mark_stands():
    service = Service()
    first, second = service.members

    def breaks(one: str) -> int:
        service.cloud.serve(one, MemoryService(status=500))
        return 0

    service.on(second, breaks)
    said = service.fails()
    assert f"{second} does not get well" in said
    assert "says 500" in said
    assert f"It stays out of service. Done before: {first}." in said
    assert f"nospof maintain back run-1 {second}" in said
    assert service.healthy() == [first]
    assert [one.id for one in service.cloud.instances(TAG_DRAINED)] == [second]


def test_both_what_the_command_said_and_why_the_member_is_not_well_are_told():
    service = Service()

    def breaks(one: str) -> int:
        service.cloud.serve(one, MemoryService(status=500))
        return 7

    service.on(service.members[0], breaks)
    said = service.fails(no_image=True)
    assert "ended with 7" in said
    assert "does not get well" in said
    assert "maintain back" not in said


def test_a_failed_run_that_is_resumed_does_nothing_a_second_time():
    service, steps = Service(), MemorySteps("run-1")
    service.on(service.members[0], lambda _one: 100)
    for _ in range(2):
        with pytest.raises(ProcedureFailed, match="ended with 100"):
            service.run(steps)
    assert service.cloud.done == [(service.members[0], UPGRADE)]


def test_a_member_whose_image_fails_does_nothing_and_is_told():
    service = Service()
    service.cloud.fail_image()
    said = service.fails()
    assert "ended failed" in said
    assert f"{service.members[0]} runs and is out of service: put it back (nospof runs repair --yes)" in said
    assert service.cloud.done == []
    states = {"run-1": "failed"}
    list(find_troubles(memory_world(service.cloud), states, lambda _: nullcontext(True), mends=True))
    assert service.healthy() == sorted(service.members)


# Refusals -------------------------------------------------------------------------------------------


def alone(service: Service) -> None:
    service.cloud.untag(service.members[1], ("nospof:service",))


def sick(service: Service) -> None:
    service.cloud.serve(service.members[1], MemoryService(status=503))
    service.cloud.clock.sleep(60)


def worked_on(service: Service) -> None:
    service.cloud.tag(service.members[1], {TAG_GUARANTEE: "working run=run-0 by=2099-01-01T00:00:00Z"})


def unreached(service: Service) -> None:
    service.cloud.fail("command_state", "InvalidInstanceId")


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (alone, "is the only member of www"),
        (sick, "no other member of nospof-www is healthy"),
        (worked_on, "a run works on|another run works on"),
        (unreached, "Systems Manager does not reach into"),
    ],
)
def test_what_would_go_wrong_for_any_member_is_refused_before_anything_is_written(prepare, says):
    service = Service()
    prepare(service)
    service.cloud.calls.clear()
    with pytest.raises(PreconditionFailed, match=says) as refused:
        service.run()
    assert str(refused.value).endswith("Nothing was changed.")
    assert written(service) == []


@pytest.mark.parametrize("asked", [{"service": "wwww"}, {"command": " "}, {"timeout_seconds": 0}])
def test_what_makes_no_sense_is_not_begun(asked):
    service = Service()
    with pytest.raises(UsageError):
        service.run(**asked)
    assert written(service) == []


# What is known of it afterwards ---------------------------------------------------------------------


def test_its_images_are_no_trouble_once_it_is_done_and_are_named_with_it_when_it_failed():
    service = Service()
    service.run()
    world = memory_world(service.cloud)
    assert find_troubles(world, {"run-1": "done", "before": "done"}, dead, mends=False) == ()
    (failed,) = find_troubles(world, {"run-1": "failed", "before": "done"}, dead, mends=False)
    assert failed.mends == "nospof runs resume run-1, or nospof maintain back run-1"
    (unknown,) = find_troubles(world, {"before": "done"}, dead, mends=False)
    assert unknown.mends.startswith("nospof maintain back run-1, or when nobody uses it: aws ec2 deregister")


def test_an_undo_of_it_takes_its_images_away_and_nothing_else():
    service, steps = Service(), MemorySteps("run-1")
    service.run(steps)
    request = discard_request(run_of("maintain-run", RunRequest("www", UPGRADE), steps, "done"))
    MemorySteps("run-2").tell(discard, memory_world(service.cloud), request)
    assert service.cloud.images(TAG_BACK) == service.cloud.snapshots(TAG_BACK) == ()
    assert service.healthy() == sorted(service.members)


def test_how_a_command_ended_is_told_with_the_last_of_what_it_said():
    assert CommandState("ended", 1).how == "ended with 1 and said nothing"
    said = CommandState("ended", 124, "it took longer than 9 s and was killed", tuple("abcdefghijkl"))
    assert said.how.startswith(
        "ended with 124 (it took longer than 9 s and was killed); it said last:\n  | c\n"
    )
