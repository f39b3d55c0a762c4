"""The twin is what its source is, and is launched once, where there is room: told on the reference cloud."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import Any

import pytest

from nospof.adapters.memory import MemoryCloud
from nospof.adapters.memory.account import OPERATIONS
from nospof.adapters.memory.machines import Disk
from nospof.errors import CloudError, PreconditionFailed, ProcedureFailed
from nospof.model.cloud import TAG_GUARANTEE, TAG_RUN, TAG_TWIN_OF
from nospof.model.requests import CloneRequest, PairRequest
from nospof.model.surroundings import Surroundings
from nospof.model.traits import DiskTraits, Traits
from nospof.procedures.clone import clone
from nospof.procedures.pair import pair
from nospof.procedures.registry import clone_plan, pair_plan
from nospof.render.result_text import clone_text
from nospof.runtime.memory import Killed, MemorySteps
from support.memory_world import Silent, memory_world, one_instance

RUN = "run-1"
NO_ROOM = "InsufficientInstanceCapacity"
DISKS = (
    DiskTraits("/dev/sda1", "gp3", 8, 6000, 250, tags={"Name": "root", "backup": "daily"}),
    DiskTraits("/dev/sdf", "io2", 100, 9000, 0, delete_on_termination=False, tags={"backup": "daily"}),
)
TRAITS = Traits(
    http_endpoint="enabled",
    http_tokens="required",
    hop_limit=2,
    metadata_tags="enabled",
    cpu_credits="standard",
    shutdown_behavior="terminate",
    hostname_type="resource-name",
    has_name_record=True,
    is_monitored_in_detail=True,
    is_ebs_optimized=True,
    is_termination_protected=True,
    checks_source_and_destination=False,
    disks=DISKS,
)


def with_traits(traits: Traits = TRAITS, **around: Any) -> MemoryCloud:
    """Return a cloud whose instance is told to have these settings."""
    disks = tuple(Disk(one.device, one.size_gib) for one in traits.disks) or (Disk("/dev/sda1", 8),)
    cloud = one_instance(disks=disks)
    told = Surroundings(elastic_addresses=(cloud.the_instance.public_ip,), traits=traits, **around)
    cloud.surround(cloud.the_instance.id, told)
    return cloud


def tell(cloud: MemoryCloud, steps: MemorySteps | None = None, **request: Any) -> Any:
    steps = steps or MemorySteps(RUN)
    return steps.tell(clone, memory_world(cloud), CloneRequest(cloud.the_instance.id, **request))


def launches(cloud: MemoryCloud) -> list[Any]:
    return [call.arguments[0] for call in cloud.calls if call.name == "launch"]


def twins(cloud: MemoryCloud) -> list[str]:
    return [one.id for one in cloud.instances(tag=TAG_TWIN_OF)]


# What it is -----------------------------------------------------------------------------------------


def test_the_twin_has_every_setting_of_its_source_and_every_disk_as_it_was_bought() -> None:
    cloud = with_traits()
    twin = tell(cloud).twin
    told = cloud.surroundings(twin).traits
    assert replace(told, disks=()) == replace(TRAITS, disks=())
    bare = [replace(one, tags={}) for one in told.disks]
    assert bare == [replace(one, tags={}) for one in DISKS]


def test_c24_each_disk_has_the_tags_of_its_sources_and_the_runs_and_none_of_awss() -> None:
    marks = {"aws:cloudformation:stack-name": "s", "AWS:x": "y", TAG_RUN: "old", TAG_GUARANTEE: "g"}
    disks = tuple(replace(one, tags={**one.tags, **marks}) for one in DISKS)
    cloud = with_traits(replace(TRAITS, disks=disks))
    twin = tell(cloud).twin
    ours = {TAG_RUN: RUN, TAG_TWIN_OF: cloud.the_instance.id}
    told = {one.device: one.tags for one in cloud.surroundings(twin).traits.disks}
    assert told == {
        "/dev/sda1": {"Name": "root", "backup": "daily", **ours},
        "/dev/sdf": {"backup": "daily", **ours},
    }


def test_the_calls_made_are_those_planned_for_what_no_launch_can_do_as_well() -> None:
    planned = clone_plan(memory_world(with_traits()), CloneRequest(with_traits().the_instance.id))
    cloud = with_traits()
    tell(cloud)
    once = [call for call, _ in groupby((call.name, call.arguments[0]) for call in cloud.writes)]
    assert [OPERATIONS[name].aws_name for name, _ in once] == [
        f"{call.service}:{call.operation}" for call in planned.calls
    ]
    assert [call.operation for call in planned.calls][-3:] == [
        "RunInstances",
        "ModifyInstanceAttribute",
        "CreateTags",
    ]


@pytest.mark.parametrize("denied", ["check_source_and_destination", "tag"])
def test_what_no_launch_can_do_is_rehearsed_before_anything_is_written(denied: str) -> None:
    cloud = with_traits()
    cloud.deny(denied)
    with pytest.raises(PreconditionFailed):
        tell(cloud)
    assert cloud.writes == []


def test_a_source_whose_settings_nobody_could_read_is_cloned_with_awss_own() -> None:
    cloud = with_traits(Traits(), unread=("settings of i: denied",))
    twin = tell(cloud).twin
    assert twin.state == "running"
    assert cloud.instance(twin.id).tags[TAG_RUN] == RUN
    (volume,) = cloud.volumes(tuple(at.volume_id for at in twin.attachments))
    assert volume.tags[TAG_RUN] == RUN


def test_a_source_on_a_dedicated_host_has_a_twin_on_whichever_there_is_and_that_is_told() -> None:
    cloud = with_traits(tenancy="host", host_id="h-1")
    plan = clone_plan(memory_world(cloud), CloneRequest(cloud.the_instance.id))
    assert any("h-1; the twin goes to whichever" in one for one in plan.warnings)
    twin = tell(cloud).twin
    assert cloud.surroundings(twin).tenancy == "host"


def test_that_further_disks_come_from_snapshots_nobody_could_ask_about_is_told() -> None:
    def says(cloud: MemoryCloud) -> bool:
        plan = clone_plan(memory_world(cloud), CloneRequest(cloud.the_instance.id))
        return any("not checked: ec2:RunInstances on the snapshots" in one for one in plan.warnings)

    assert says(with_traits())
    assert not says(with_traits(replace(TRAITS, disks=DISKS[:1])))


def test_a_dedicated_source_has_a_dedicated_twin() -> None:
    cloud = with_traits(tenancy="dedicated")
    assert cloud.surroundings(tell(cloud).twin).tenancy == "dedicated"


def test_a_twin_that_cannot_hibernate_is_told() -> None:
    cloud = with_traits(replace(TRAITS, can_hibernate=True))
    plan = clone_plan(memory_world(cloud), CloneRequest(cloud.the_instance.id))
    assert any("can hibernate; the twin cannot" in one for one in plan.warnings)


# Where there is room --------------------------------------------------------------------------------


def test_c32_where_there_is_no_room_the_next_zone_is_tried_with_a_token_of_its_own() -> None:
    cloud = one_instance()
    cloud.fail("launch", NO_ROOM)
    result = tell(cloud)
    first, second = launches(cloud)
    assert (first.token, first.subnet_id) == ("run-1-twin", second.subnet_id.replace("3", "2"))
    assert second.token.startswith("run-1-twin-")
    assert result.twin.zone == "eu-central-1c"
    assert twins(cloud) == [result.twin.id]


@pytest.mark.parametrize("code", [NO_ROOM, "Unsupported", "InsufficientHostCapacity"])
def test_c36_another_type_is_tried_in_every_zone_once_its_own_found_room_in_none(code: str) -> None:
    cloud = one_instance()
    cloud.fail("launch", code, times=2)
    result = tell(cloud, or_types="t3.medium, t3.large")
    assert [(one.type, one.subnet_id[-1]) for one in launches(cloud)] == [
        ("t3.small", "2"),
        ("t3.small", "3"),
        ("t3.medium", "2"),
    ]
    assert result.twin.type == "t3.medium"
    assert len({one.token for one in launches(cloud)}) == 3


def test_c36_a_type_that_its_own_zone_alone_offers_has_a_twin_of_another() -> None:
    cloud = one_instance()
    cloud.offer("t3.small", (cloud.the_instance.zone,))
    cloud.offer("t3.medium", ("eu-central-1c",))
    twin = tell(cloud, or_types="t3.medium").twin
    assert (twin.type, twin.zone) == ("t3.medium", "eu-central-1c")


def test_c36_only_the_zone_that_was_asked_for_is_tried() -> None:
    cloud = one_instance()
    cloud.fail("launch", NO_ROOM)
    twin = tell(cloud, zone="eu-central-1b", or_types="t3.medium").twin
    assert (twin.type, twin.zone) == ("t3.medium", "eu-central-1b")


def test_a_type_that_no_zone_offers_is_refused_before_anything_is_written() -> None:
    cloud = one_instance()
    with pytest.raises(PreconditionFailed, match=r"x9\.unheard-of, which --or-type names"):
        tell(cloud, or_types="x9.unheard-of")
    assert cloud.writes == []


def test_another_type_is_part_of_the_plan_and_rehearsed() -> None:
    cloud = one_instance()
    plan = clone_plan(memory_world(cloud), CloneRequest(cloud.the_instance.id, or_types="t3.medium"))
    assert [call.parameters["InstanceType"] for call in plan.calls if call.operation == "RunInstances"] == [
        "t3.small",
        "t3.medium",
    ]
    assert plan.details["where there is no room"] == (
        "t3.small in eu-central-1c, then t3.medium in eu-central-1b, then t3.medium in eu-central-1c"
    )


def test_credits_are_not_asked_for_with_a_type_that_has_none() -> None:
    cloud = with_traits()
    cloud.fail("launch", NO_ROOM, times=2)
    tell(cloud, or_types="m6i.large")
    assert [one.traits.cpu_credits for one in launches(cloud)] == ["standard", "standard", ""]


def test_each_try_is_told() -> None:
    cloud, told = one_instance(), []
    cloud.fail("launch", NO_ROOM)

    class Listening(Silent):
        def warn(self, says: str) -> None:
            told.append(says)

    world = replace(memory_world(cloud), reporter=Listening())
    MemorySteps(RUN).tell(clone, world, CloneRequest(cloud.the_instance.id))
    assert f"no room for the twin: t3.small in eu-central-1b ({NO_ROOM}); trying the next place" in told


def test_c36_a_pair_tries_no_zone_in_which_its_balancer_will_not_stand() -> None:
    # The third zone has room for a twin, and not for a balancer, which would send it nothing there.
    def crowded() -> MemoryCloud:
        cloud = one_instance()
        last = cloud.subnets(cloud.the_instance.vpc_id)[-1]
        cloud._subnets[last.id] = replace(last, free_addresses=3)
        cloud.fail("launch", NO_ROOM)
        return cloud

    cloud = crowded()
    request = PairRequest(cloud.the_instance.id, service="www", stateless=True, or_types="t3.medium")
    plan = pair_plan(memory_world(cloud), request)
    assert plan.details["where there is no room"] == "t3.medium in eu-central-1b"
    result = MemorySteps(RUN).tell(pair, memory_world(cloud), request)
    assert [(one.type, one.subnet_id[-1]) for one in launches(cloud)] == [
        ("t3.small", "2"),
        ("t3.medium", "2"),
    ]
    assert result.zones == ("eu-central-1a", "eu-central-1b")


def test_no_room_anywhere_names_every_place_and_the_source_runs() -> None:
    cloud = one_instance()
    cloud.fail("launch", NO_ROOM, times=99)
    with pytest.raises(ProcedureFailed) as failed:
        tell(cloud)
    for zone in ("eu-central-1b", "eu-central-1c"):
        assert f"t3.small in {zone} ({NO_ROOM})" in str(failed.value)
    assert "--or-type" in str(failed.value)
    assert (cloud.the_instance.state, twins(cloud)) == ("running", [])


@pytest.mark.parametrize("code", ["VcpuLimitExceeded", "InstanceLimitExceeded", "UnauthorizedOperation"])
def test_c35_a_quota_is_never_taken_for_a_lack_of_room(code: str) -> None:
    cloud = one_instance()
    cloud.fail("launch", code)
    with pytest.raises(CloudError) as refused:
        tell(cloud, or_types="t3.medium")
    assert refused.value.code == code
    assert len(launches(cloud)) == 1


def test_c31_c32_a_lost_answer_after_a_zone_without_room_makes_one_twin() -> None:
    cloud = one_instance()
    cloud.late_ids = 3
    cloud.fail("launch", NO_ROOM)
    cloud.fail("launch", "ReadTimeout", after=True)
    result = tell(cloud)
    assert twins(cloud) == [result.twin.id]


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("place", ["launch the twin", "launch the twin in eu-central-1c as t3.small"])
def test_c31_c32_a_run_that_dies_while_it_looks_for_room_has_one_twin_when_it_is_taken_up(
    side: str, place: str
) -> None:
    # Once it is taken up there is room everywhere: a zone that had none must not be asked again.
    cloud = one_instance()
    cloud.fail("launch", NO_ROOM)
    steps = MemorySteps(RUN, die_at=f"{side} {place}")
    with pytest.raises(Killed):
        tell(cloud, steps)
    result = tell(cloud, steps)
    assert twins(cloud) == [result.twin.id]
    assert result.twin.state == "running"


# What it runs first ---------------------------------------------------------------------------------


def test_c51_the_twin_runs_nospofs_own_script_and_not_its_sources() -> None:
    cloud = one_instance()
    cloud._machines[cloud.the_instance.id].user_data = "#!/bin/sh\ndrush site-install\n"
    twin = tell(cloud).twin
    assert "copy of" in cloud._machines[twin.id].user_data
    assert "drush" not in cloud._machines[twin.id].user_data


def test_c51_the_sources_script_is_copied_when_that_is_asked_for_and_is_nowhere_in_the_plan() -> None:
    cloud = one_instance()
    cloud._machines[cloud.the_instance.id].user_data = "password=hunter2"
    asked = CloneRequest(cloud.the_instance.id, copy_user_data=True)
    plan = clone_plan(memory_world(cloud), asked)
    assert plan.details["first boot"] == f"the user data of {cloud.the_instance.id}"
    assert any("sets up a second time" in one.replace("\n", " ") for one in plan.warnings)
    assert "hunter2" not in repr(plan)
    twin = tell(cloud, copy_user_data=True).twin
    assert cloud._machines[twin.id].user_data == "password=hunter2"


def test_c51_user_data_that_is_not_there_cannot_be_copied() -> None:
    cloud = one_instance()
    with pytest.raises(PreconditionFailed, match="--copy-user-data wants it"):
        tell(cloud, copy_user_data=True)
    assert cloud.writes == []


def test_a_twin_that_runs_windows_is_given_no_script_of_another_system_and_that_is_told() -> None:
    cloud = with_traits(Traits(is_windows=True))
    plan = clone_plan(memory_world(cloud), CloneRequest(cloud.the_instance.id))
    assert any("Sysprep" in one for one in plan.warnings)
    assert plan.details["first boot"] == "nothing of nospof's"
    assert cloud._machines[tell(cloud).twin.id].user_data == ""


def test_a_twin_of_another_type_is_called_that() -> None:
    cloud = one_instance()
    assert ", a " not in clone_text(tell(cloud)).splitlines()[0]
    cloud.fail("launch", NO_ROOM, times=2)
    result = tell(cloud, MemorySteps("run-2"), or_types="t3.medium")
    assert f"{result.twin.id}, a t3.medium, in eu-central-1b is the twin" in clone_text(result)


def test_c49_a_twin_without_a_metadata_service_keeps_its_sources_identity_and_that_is_told() -> None:
    cloud = with_traits(Traits(http_endpoint="disabled"))
    plan = clone_plan(memory_world(cloud), CloneRequest(cloud.the_instance.id))
    assert any("keeps the source's" in one for one in plan.warnings)
