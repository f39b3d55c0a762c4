"""Repair on the reference cloud: what runs left wrong is found without a journal, and nothing goes."""

from contextlib import nullcontext
from dataclasses import replace

import pytest

from nospof.errors import CloudError
from nospof.model.cloud import TAG_DRAINED, TAG_GUARANTEE, TAG_RUN, TAG_SERVICE, TAG_TWIN_OF
from nospof.model.requests import TakeRequest
from nospof.procedures.guarantee import Guarantee, keep_guarantees, promise
from nospof.procedures.maintain import take
from nospof.procedures.repair import find_troubles
from nospof.procedures.undo import undo
from nospof.runtime.memory import Killed, MemorySteps
from support.memory_world import memory_world, one_instance
from support.undoing import things, told

PAIR, TAKE = "pair-1", "take-1"
KNOWN = {PAIR: "done"}


def dead(_run_id):
    return nullcontext(True)


def living(run_id):
    return nullcontext(run_id != TAKE)


def elsewhere(_run_id):
    return nullcontext(None)


def troubles(cloud, states=KNOWN, claim=dead, *, mends=False):
    return find_troubles(memory_world(cloud), states, claim, mends=mends)


def paired():
    cloud = one_instance()
    told(cloud, "pair", PAIR)
    return cloud


def half_taken(place="after drain it from every group it serves in"):
    """A pair whose source was being maintained by a run that died."""
    cloud = paired()
    cloud.announce(cloud.the_instance.id)
    with pytest.raises(Killed):
        MemorySteps(TAKE, die_at=place).tell(take, memory_world(cloud), TakeRequest(cloud.the_instance.id))
    return cloud


def members(cloud):
    group = cloud.target_group_named("nospof-www")
    return {one.instance_id: one.state for one in cloud.targets(group.arn)}


def test_nothing_is_wrong_after_a_run_that_ended_well():
    cloud = paired()
    cloud.calls.clear()
    assert troubles(cloud, mends=True) == ()
    assert cloud.writes == []
    cloud.announce(cloud.the_instance.id)
    MemorySteps(TAKE).tell(take, memory_world(cloud), TakeRequest(cloud.the_instance.id))
    assert troubles(cloud) == ()
    assert TAG_DRAINED not in cloud.the_instance.tags


def test_looking_changes_nothing():
    cloud = half_taken()
    cloud.stop_instance(cloud.the_instance.id)
    before = things(cloud)
    cloud.calls.clear()
    assert troubles(cloud, {})
    assert cloud.writes == []
    assert things(cloud) == before


def test_what_a_dead_run_left_off_is_brought_back():
    cloud = paired()
    source = cloud.the_instance.id
    promise(memory_world(cloud), source, "clone-9")
    cloud.stop_instance(source)
    cloud.clock.sleep(60)
    (found,) = troubles(cloud)
    assert (f"{source} is stopped" in found.says, found.mends) == (True, "nospof runs keep")
    (found,) = troubles(cloud, mends=True)
    assert "is running again" in found.done
    assert cloud.the_instance.state == "running"
    assert troubles(cloud) == ()


def test_a_member_that_a_dead_take_left_out_is_put_back_and_serves():
    cloud = half_taken()
    source = cloud.the_instance.id
    keep_guarantees(memory_world(cloud), dead)
    cloud.clock.sleep(60)
    assert source not in members(cloud)
    (found,) = troubles(cloud)
    assert f"{source} was taken out of nospof-www and not put back" in found.says
    (found,) = troubles(cloud, mends=True)
    assert found.done
    cloud.clock.sleep(60)
    assert members(cloud)[source] == "healthy"
    assert troubles(cloud) == ()
    assert TAG_DRAINED not in cloud.the_instance.tags


def test_a_member_left_off_and_out_is_brought_back_and_put_back_at_once():
    cloud = half_taken("before wait until it passes its status checks")
    source = cloud.the_instance.id
    cloud.stop_instance(source)
    cloud.clock.sleep(60)
    assert all(found.done for found in troubles(cloud, mends=True))
    cloud.clock.sleep(60)
    assert members(cloud)[source] == "healthy"


def test_a_note_on_a_member_that_is_back_is_no_trouble_and_is_taken_off():
    cloud = half_taken("after put it back into nospof-www")
    keep_guarantees(memory_world(cloud), dead)
    assert TAG_DRAINED in cloud.the_instance.tags
    assert troubles(cloud) == ()
    cloud.calls.clear()
    assert troubles(cloud, mends=True) == ()
    assert [call.name for call in cloud.writes] == ["untag"]
    assert TAG_DRAINED not in cloud.the_instance.tags


def test_a_member_that_cannot_be_put_back_keeps_its_note():
    cloud = half_taken()
    keep_guarantees(memory_world(cloud), dead)
    cloud.clock.sleep(60)
    cloud.deny("register")
    (found,) = troubles(cloud, mends=True)
    assert (found.done, "cannot be now" in found.says) == ("", True)
    assert TAG_DRAINED in cloud.the_instance.tags


@pytest.mark.parametrize("claim", [living, elsewhere])
def test_what_a_run_that_lives_or_may_live_works_on_is_let_alone(claim):
    cloud = half_taken()
    cloud.calls.clear()
    assert troubles(cloud, KNOWN, claim, mends=True) == () or claim is elsewhere
    assert not [call for call in cloud.writes if call.arguments[0] == cloud.the_instance.id]
    assert TAG_DRAINED in cloud.the_instance.tags


def test_a_run_of_another_machine_is_over_when_its_promise_is_due():
    cloud = half_taken()
    cloud.clock.sleep(1000)
    assert any("was taken out" in found.says for found in troubles(cloud, KNOWN, elsewhere))


def test_a_drain_that_failed_leaves_no_note():
    cloud = paired()
    cloud.announce(cloud.the_instance.id)
    twin = cloud.instances(tag=TAG_TWIN_OF)[0].id
    cloud.later(1.0, lambda: cloud.impair(twin))
    cloud.fail("deregister", "AccessDenied")
    with pytest.raises(CloudError):
        MemorySteps(TAKE).tell(take, memory_world(cloud), TakeRequest(cloud.the_instance.id))
    assert TAG_DRAINED not in cloud.the_instance.tags


def test_c77_members_that_marks_and_groups_do_not_agree_on_are_named():
    cloud = paired()
    stranger, outside = cloud.add_instance(), cloud.add_instance(tags={TAG_SERVICE: "www"})
    group = cloud.target_group_named("nospof-www")
    cloud.register(group.arn, stranger.id, group.port)
    found = {trouble.says: trouble.mends for trouble in troubles(cloud, mends=True)}
    assert set(found) == {
        f"{stranger.id} serves in nospof-www and is not marked as a member of www",
        f"{outside.id} is marked as a member of www and serves in none of its target groups",
    }
    assert all(mends.startswith("aws ec2 ") for mends in found.values())
    assert stranger.id in members(cloud)
    assert outside.id not in members(cloud)


def test_a_name_that_no_target_group_has_is_nobodys_mark():
    cloud = one_instance(tags={TAG_SERVICE: "shop"})
    assert troubles(cloud) == ()


@pytest.mark.parametrize("state", ["failed", "interrupted"])
def test_c108_what_a_half_made_pair_left_is_listed_with_the_way_on_and_the_way_back(state):
    cloud = one_instance()
    told(cloud, "pair", PAIR, die_at="before register the source")
    cloud.untag(cloud.the_instance.id, (TAG_GUARANTEE,))
    (found,) = troubles(cloud, {PAIR: state}, mends=True)
    assert found.mends == f"nospof runs resume {PAIR}, or nospof runs undo {PAIR}"
    for kind in ("load balancer", "target group", "instance", "image", "snapshot", "security group"):
        assert kind in found.says
    assert troubles(cloud, {PAIR: "running"}) == ()


def test_what_a_run_nobody_knows_made_is_listed_with_commands_in_an_order_that_works():
    cloud = paired()
    (found,) = troubles(cloud, {})
    commands = found.mends.split(": ", 1)[1].split(" && ")
    assert [command.split()[2] for command in commands] == [
        "delete-load-balancer",
        "delete-target-group",
        "terminate-instances",
        "deregister-image",
        "delete-snapshot",
        "delete-security-group",
    ]
    assert PAIR in found.says


def test_an_image_whose_twin_is_gone_is_named_and_undo_takes_it():
    cloud = one_instance()
    request = told(cloud, "clone", "clone-1")
    assert troubles(cloud, {"clone-1": "done"}) == ()
    cloud.terminate(cloud.instances(TAG_RUN, "clone-1")[0].id)
    cloud.clock.sleep(60)
    (found,) = troubles(cloud, {"clone-1": "done"})
    assert found.mends == "nospof runs undo clone-1"
    MemorySteps("undo-1").tell(undo, memory_world(cloud), request)
    assert troubles(cloud, {"clone-1": "done"}) == ()


@pytest.mark.parametrize(("states", "claim"), [({TAKE: "running"}, dead), ({}, living)])
def test_what_a_run_that_lives_has_made_so_far_is_not_left_over(states, claim):
    cloud = one_instance()
    told(cloud, "clone", TAKE, die_at="before launch the twin")
    assert cloud.images(TAG_RUN, TAKE)
    assert troubles(cloud, states, claim) == ()


def test_a_twin_does_not_inherit_where_its_source_belongs():
    cloud = one_instance(tags={"Name": "site", TAG_DRAINED: "nospof-www:80"})
    told(cloud, "clone", "clone-1")
    assert TAG_DRAINED not in cloud.instances(TAG_RUN, "clone-1")[0].tags


def test_a_guarantee_of_a_run_of_another_machine_that_is_not_due_is_no_trouble():
    cloud = one_instance()
    guarantee = Guarantee("take-9", cloud.clock.now() + 60)
    cloud.tag(cloud.the_instance.id, {TAG_GUARANTEE: str(guarantee)})
    assert troubles(cloud, claim=elsewhere) == ()
    cloud.tag(cloud.the_instance.id, {TAG_GUARANTEE: str(replace(guarantee, deadline=0.0))})
    assert len(troubles(cloud, claim=elsewhere)) == 1


@pytest.mark.parametrize(
    "place",
    [
        "after drain everybody else",
        "after delete the load balancer",
        "after terminate the twin",
        "before release the promise",
    ],
)
def test_an_undo_that_was_interrupted_is_named_once_with_how_to_go_on(place):
    cloud = one_instance()
    request = told(cloud, "pair", PAIR)
    with pytest.raises(Killed):
        MemorySteps("undo-1", die_at=place).tell(undo, memory_world(cloud), request)
    keep_guarantees(memory_world(cloud), dead)
    cloud.clock.sleep(600)
    states = {**KNOWN, "undo-1": "interrupted"}
    (found,) = find_troubles(memory_world(cloud), states, dead, mends=False, undoing={PAIR: "undo-1"})
    assert found.says.startswith(f"undo-1 has begun to take {PAIR} apart and is interrupted")
    assert found.mends == "nospof runs resume undo-1"
    assert ("instance i-" in found.says) is place.startswith(("after drain", "after delete"))
    assert ("left: nothing" in found.says) is place.startswith("before")
