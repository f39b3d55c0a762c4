"""Going back to an image: one member at a time, the broken one first, and nobody else is worse off."""

from __future__ import annotations

from typing import Any

import pytest

from nospof.adapters.memory import MemoryService
from nospof.errors import PreconditionFailed, ProcedureFailed, UsageError
from nospof.model.cloud import TAG_DRAINED, TAG_GUARANTEE, TAG_RUN
from nospof.model.layout import TAG_DATA
from nospof.model.maintaining import TAG_BACK, BackRequest, BackResult, RunRequest
from nospof.model.requests import PairRequest
from nospof.procedures.maintain_back import maintain_back
from nospof.procedures.maintain_run import maintain_run
from nospof.procedures.pair import pair
from nospof.runtime.memory import Killed, MemorySteps
from support.memory_world import UPLOADS, keep_data, keep_files, memory_world, one_instance, stick
from support.undoing import told

UPGRADE = "apt-get -y upgrade"
STEP = "give it the root volume of its image"


class Service:
    """A pair whose second member an upgrade has broken: it is out of service, with an image to go back to."""

    def __init__(self, *, breaks: bool = True) -> None:
        self.cloud = one_instance()
        request = PairRequest(self.cloud.the_instance.id, service="www", stateless=True)
        made = MemorySteps("before").tell(pair, memory_world(self.cloud), request)
        self.members, self.group = made.members, made.target_group_arn
        if breaks:
            self.cloud.acts[UPGRADE] = self.upgrade
        try:
            MemorySteps("run-1").tell(maintain_run, memory_world(self.cloud), RunRequest("www", UPGRADE))
        except ProcedureFailed:
            assert breaks
        for one in self.cloud.instances(TAG_GUARANTEE):  # as a keeper would
            self.cloud.untag(one.id, (TAG_GUARANTEE,))
        self.cloud.calls.clear()

    def upgrade(self, one: str) -> int:
        if one == self.members[1]:
            self.cloud.serve(one, MemoryService(status=500))
        return 0

    def back(self, instance_id: str = "", steps: MemorySteps | None = None) -> BackResult:
        steps = steps or MemorySteps("run-2")
        return steps.tell(maintain_back, memory_world(self.cloud), BackRequest("run-1", instance_id))

    def healthy(self) -> list[str]:
        self.cloud.clock.sleep(60)
        return sorted(one.instance_id for one in self.cloud.targets(self.group) if one.is_healthy)

    def written(self, name: str) -> list[Any]:
        return [call.arguments[0] for call in self.cloud.writes if call.name == name]


def test_a_broken_member_is_as_it_was_and_serves_again():
    service = Service()
    first, second = service.members
    assert service.healthy() == [first]
    before = service.cloud.instance(second)
    result = service.back(second)
    (member,) = result.members
    assert (member.instance_id, member.old_volume) == (second, before.attachments[0].volume_id)
    after = service.cloud.instance(second)
    assert after.private_ip == before.private_ip
    assert after.attachments != before.attachments
    assert service.cloud.volumes((member.old_volume,))[0].attached_to == ()
    assert service.healthy() == sorted(service.members)
    assert service.cloud.instances(TAG_DRAINED) == service.cloud.instances(TAG_GUARANTEE) == ()
    assert service.written("replace_root") == [second]


def test_all_go_back_one_after_the_other_the_broken_one_first():
    service = Service()
    first, second = service.members
    assert [one.instance_id for one in service.back().members] == [second, first]
    assert service.written("replace_root") == [second, first]
    assert service.healthy() == sorted(service.members)


def test_a_member_that_is_off_is_started_for_it():
    service = Service()
    second = service.members[1]
    service.cloud.stop_instance(second)
    service.cloud.clock.sleep(60)
    service.back(second)
    assert service.healthy() == sorted(service.members)


def test_a_run_that_dies_after_the_replacement_replaces_nothing_a_second_time():
    service = Service()
    second = service.members[1]
    steps = MemorySteps("run-2", die_at=f"after {STEP}: {second}")
    with pytest.raises(Killed):
        service.back(second, steps)
    volume = service.cloud.instance(second).attachments[0].volume_id
    service.back(second, steps)
    assert service.cloud.instance(second).attachments[0].volume_id == volume
    assert service.healthy() == sorted(service.members)


def test_a_replacement_that_fails_leaves_the_member_out_and_says_what_it_has():
    service = Service()
    service.cloud.roots_fail = True
    with pytest.raises(ProcedureFailed, match=r"it has the root volume it had\. It stays out of service"):
        service.back(service.members[1])
    assert service.healthy() == [service.members[0]]


def test_an_image_that_is_no_better_leaves_the_member_out_and_nobody_else_is_touched():
    service = Service()
    first, second = service.members
    image = next(one for one in service.cloud.images(TAG_BACK, second))
    service.cloud._contents[image.id] = service.cloud._contents[image.id].__class__(
        service.cloud._contents[image.id].disks, MemoryService(status=500)
    )
    with pytest.raises(ProcedureFailed, match=r"does not get well: .*says 500"):
        service.back()
    assert service.written("replace_root") == [second]
    assert service.healthy() == [first]


def test_old_data_catches_up_before_the_member_serves():
    cloud = one_instance()
    keep_data(cloud)
    told(cloud, "pair", "run-0", stateless=False)
    world = memory_world(cloud)
    MemorySteps("run-1").tell(maintain_run, world, RunRequest("www", UPGRADE))
    assert cloud.write(cloud.the_instance.id, "after the image")
    MemorySteps("run-2").tell(maintain_back, world, BackRequest("run-1"))
    for one in cloud.instances(TAG_DATA):
        assert "after the image" in cloud.rows_of(one.id)


# Refusals -------------------------------------------------------------------------------------------


def other_is_sick(service: Service) -> None:
    service.cloud.impair(service.members[0])
    service.cloud.clock.sleep(60)


def worked_on(service: Service) -> None:
    service.cloud.tag(service.members[1], {TAG_GUARANTEE: "working run=run-0 by=2099-01-01T00:00:00Z"})


def image_is_pending(service: Service) -> None:
    service.cloud.create_image(service.members[1], "newer", {TAG_RUN: "run-1", TAG_BACK: service.members[1]})


def no_mark(service: Service) -> None:
    service.cloud.untag(service.members[1], (TAG_DRAINED,))


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (other_is_sick, "no other member of nospof-www is healthy"),
        (worked_on, "another run works on"),
        (image_is_pending, "is pending, so nothing can be made of it"),
        (no_mark, "no mark says where it belongs"),
    ],
)
def test_what_would_make_it_worse_is_refused_before_anything_is_written(prepare, says):
    service = Service()
    prepare(service)
    service.cloud.calls.clear()
    with pytest.raises(PreconditionFailed, match=says) as refused:
        service.back(service.members[1])
    assert str(refused.value).endswith("Nothing was changed.")
    assert service.cloud.writes == []


def test_where_the_others_data_is_not_in_step_nobody_goes_back():
    cloud = one_instance()
    keep_data(cloud)
    told(cloud, "pair", "run-0", stateless=False)
    world = memory_world(cloud)
    MemorySteps("run-1").tell(maintain_run, world, RunRequest("www", UPGRADE))
    writer = next(
        one.id for one in cloud.instances(TAG_DATA) if cloud.database_state(one.id).role == "primary"
    )
    other = next(one.id for one in cloud.instances(TAG_DATA) if one.id != writer)
    stick(cloud, writer)
    with pytest.raises(PreconditionFailed, match="is not safe"):
        MemorySteps("run-2").tell(maintain_back, world, BackRequest("run-1", other))


def test_a_member_with_directories_in_step_does_not_go_back():
    cloud = one_instance()
    keep_files(cloud)
    told(cloud, "pair", "run-0", stateless=False, sync=UPLOADS)
    world = memory_world(cloud)
    MemorySteps("run-1").tell(maintain_run, world, RunRequest("www", UPGRADE))
    with pytest.raises(PreconditionFailed, match="directories that are kept in step"):
        MemorySteps("run-2").tell(maintain_back, world, BackRequest("run-1"))


@pytest.mark.parametrize(("run", "instance"), [("run-9", ""), ("run-1", "i-unknown")])
def test_what_has_no_image_is_not_known(run, instance):
    service = Service(breaks=False)
    with pytest.raises(UsageError, match="there is no image"):
        MemorySteps("run-2").tell(maintain_back, memory_world(service.cloud), BackRequest(run, instance))
