"""A twin joins its source behind a balancer of others: nothing of theirs changes but who is registered."""

from contextlib import nullcontext
from dataclasses import replace

import pytest

from nospof.adapters.memory import MemoryService
from nospof.errors import PreconditionFailed, ProcedureFailed, UsageError
from nospof.model.cloud import TAG_RUN, TAG_SERVICE, TAG_TWIN_OF, HealthCheck, Instance
from nospof.model.requests import CloneRequest, DrillRequest, PairRequest, TakeRequest
from nospof.procedures.clone import clone
from nospof.procedures.drill import service_facts
from nospof.procedures.maintain import take
from nospof.procedures.pair import pair
from nospof.procedures.registry import PROCEDURES, pair_plan
from nospof.procedures.repair import find_troubles
from nospof.runtime.memory import Killed, MemorySteps
from support.memory_world import memory_world, one_instance
from support.standing import members, put_behind, put_behind_classic
from support.undoing import things, told

ASKED = {"service": "www", "stateless": True}
JOINED = "put the twin into service and watch it serve"


def tell(cloud, **request):
    asked = PairRequest(cloud.the_instance.id, **{**ASKED, **request})
    return MemorySteps("run-1").tell(pair, memory_world(cloud), asked)


def plan(cloud, **request):
    return pair_plan(memory_world(cloud), PairRequest(cloud.the_instance.id, **{**ASKED, **request}))


def refusal(cloud, kind=PreconditionFailed, **request):
    before = things(cloud)
    with pytest.raises(kind) as refused:
        tell(cloud, **request)
    assert things(cloud) == before
    return str(refused.value)


def writes(cloud):
    return {call.name for call in cloud.writes}


def twin_of(cloud) -> Instance:
    return cloud.instances(tag=TAG_TWIN_OF)[0]


def with_a_twin(**options):
    cloud = one_instance(**options)
    MemorySteps("before").tell(clone, memory_world(cloud), CloneRequest(cloud.the_instance.id))
    return cloud


# What comes of it -----------------------------------------------------------------------------------


def test_c101_the_twin_stands_beside_its_source_and_no_second_way_in_is_made():
    cloud = one_instance()
    group = put_behind(cloud, port=80)
    result = tell(cloud)
    assert members(cloud, group) == [cloud.the_instance.id, twin_of(cloud).id]
    assert [one.is_healthy for one in cloud.targets(group.arn)] == [True, True]
    assert not {"create_load_balancer", "create_target_group", "create_listener", "allow"} & writes(cloud)
    assert (result.target_group_arn, result.watched_requests) == (group.arn, 20)
    assert len(set(result.zones)) == 2
    assert "no name changes" in result.next_steps[0]


class Commands:
    """The operator's command, which notes who is a member while it runs."""

    def __init__(self, cloud, group, says=""):
        self.cloud, self.group, self.says, self.seen = cloud, group, says, []

    def run(self, command, variables, within_seconds):
        self.seen.append((command, variables["NOSPOF_TWIN_URL"], members(self.cloud, self.group)))
        return self.says


@pytest.mark.parametrize("says", ["", "it ended with 1"])
def test_c60_the_twin_takes_a_write_at_its_own_address_before_any_client_reaches_it(says):
    cloud = one_instance()
    group = put_behind(cloud, port=80)
    commands = Commands(cloud, group, says)
    request = PairRequest(cloud.the_instance.id, **ASKED, write_check="try it")
    with pytest.raises(ProcedureFailed, match="no traffic") if says else nullcontext():
        MemorySteps("run-1").tell(pair, replace(memory_world(cloud), commands=commands), request)
    url = f"http://{twin_of(cloud).public_ip}:80"
    assert commands.seen == [("try it", url, [cloud.the_instance.id])]
    assert len(members(cloud, group)) == (1 if says else 2)


def test_nothing_of_theirs_is_tagged():
    cloud = one_instance()
    group = put_behind(cloud)
    tell(cloud)
    assert cloud.target_group_named("theirs") == group
    assert {TAG_RUN, TAG_SERVICE}.isdisjoint(cloud.load_balancer_named("theirs").tags)


def test_the_twin_is_in_every_group_on_the_port_its_source_is_registered_with():
    cloud = one_instance(service=MemoryService(port=8080))
    groups = [put_behind(cloud, name, port=8080) for name in ("a", "b")]
    tell(cloud)
    twin = twin_of(cloud).id
    for group in groups:
        assert (twin, 8080) in {(one.instance_id, one.port) for one in cloud.targets(group.arn)}


def test_a_group_of_addresses_gets_the_twins_address():
    cloud = one_instance()
    group = put_behind(cloud, by_address=True)
    tell(cloud)
    assert set(members(cloud, group)) == {cloud.the_instance.private_ip, twin_of(cloud).private_ip}


def test_the_balancer_named_is_joined_and_the_other_is_left_alone():
    cloud = one_instance()
    one, other = put_behind(cloud, "one"), put_behind(cloud, "other")
    tell(cloud, balancer="other")
    assert (len(members(cloud, one)), len(members(cloud, other))) == (1, 2)


def test_a_balancer_of_its_own_is_made_when_that_is_asked_for():
    cloud = one_instance()
    group = put_behind(cloud)
    tell(cloud, new_balancer=True)
    assert cloud.load_balancer_named("nospof-www")
    assert len(members(cloud, group)) == 1


def test_the_twin_goes_where_the_balancer_stands():
    cloud = one_instance(zone_count=3)
    put_behind(cloud, zone_count=2)
    stands = cloud.load_balancer_named("theirs").zones
    for subnet in cloud.subnets(cloud.the_instance.vpc_id):
        if subnet.zone in stands and subnet.zone != cloud.the_instance.zone:
            cloud._subnets[subnet.id] = replace(subnet, free_addresses=1)
    tell(cloud)
    assert twin_of(cloud).zone in stands


def test_told_twice_it_changes_nothing():
    cloud = one_instance()
    put_behind(cloud)
    tell(cloud)
    before = things(cloud)
    tell(cloud)
    assert things(cloud) == before


# The twin is proved first, and taken out when it does not serve ---------------------------------------


def test_a_twin_that_does_not_answer_well_is_never_registered():
    cloud = with_a_twin()
    group = put_behind(cloud)
    cloud.serve(twin_of(cloud).id, MemoryService(status=500))
    with pytest.raises(ProcedureFailed, match="has taken no traffic"):
        tell(cloud)
    assert members(cloud, group) == [cloud.the_instance.id]


def test_a_twin_without_the_text_expected_is_never_registered():
    cloud = with_a_twin()
    group = put_behind(cloud)
    with pytest.raises(ProcedureFailed, match="does not contain 'welcome'"):
        tell(cloud, expect="welcome")
    assert members(cloud, group) == [cloud.the_instance.id]


class BrokenPage:
    """Eyes to which the twin answers 500 at one page, and well wherever its balancer's check asks."""

    def __init__(self, cloud, path):
        self._probe, self._twin, self._path = memory_world(cloud).probe, twin_of(cloud), path

    def get(self, url, **more):
        answer = self._probe.get(url, **more)
        is_broken = self._twin.id in answer.body and url.endswith(self._path)
        return replace(answer, status=500) if is_broken else answer


def test_a_twin_whose_page_is_broken_is_never_registered_though_the_check_would_pass():
    cloud = with_a_twin()
    group = put_behind(cloud)
    world = replace(memory_world(cloud), probe=BrokenPage(cloud, "/start"))
    asked = PairRequest(cloud.the_instance.id, page="/start", **ASKED)
    with pytest.raises(ProcedureFailed, match=r"answers 500 at http://\S+/start; it has taken no traffic"):
        MemorySteps("run-1").tell(pair, world, asked)
    assert members(cloud, group) == [cloud.the_instance.id]


class BadTwin:
    """Eyes to which the twin, asked through a balancer, answers 500 while `is_bad`."""

    def __init__(self, cloud, twin_id):
        self._probe, self._twin_id, self.is_bad = memory_world(cloud).probe, twin_id, True

    def get(self, url, **more):
        answer = self._probe.get(url, **more)
        is_theirs = self.is_bad and ".elb." in url and self._twin_id in answer.body
        return replace(answer, status=500) if is_theirs else answer


def test_a_twin_that_serves_badly_is_taken_out_at_once_and_is_brought_in_when_resumed():
    cloud = with_a_twin()
    group, eyes = put_behind(cloud), BadTwin(cloud, twin_of(cloud).id)
    world, steps = replace(memory_world(cloud), probe=eyes), MemorySteps("run-1")
    asked = PairRequest(cloud.the_instance.id, **ASKED)
    with pytest.raises(ProcedureFailed, match="was taken out again"):
        steps.tell(pair, world, asked)
    assert members(cloud, group) == [cloud.the_instance.id]
    eyes.is_bad = False
    steps.tell(pair, world, asked)
    assert len(members(cloud, group)) == 2


def test_a_twin_that_was_in_service_before_is_not_taken_out():
    cloud = one_instance()
    group = put_behind(cloud)
    tell(cloud)
    eyes = BadTwin(cloud, twin_of(cloud).id)
    eyes.is_bad = False  # while it is looked at
    world = replace(memory_world(cloud), probe=eyes)
    steps, asked = MemorySteps("run-2", f"before {JOINED}"), PairRequest(cloud.the_instance.id, **ASKED)
    with pytest.raises(Killed):
        steps.tell(pair, world, asked)
    eyes.is_bad = True
    with pytest.raises(ProcedureFailed):
        steps.tell(pair, world, asked)
    assert len(members(cloud, group)) == 2


# What is refused ------------------------------------------------------------------------------------


def test_a_balancer_the_source_is_not_behind_is_refused_with_those_it_is_behind():
    cloud = one_instance()
    put_behind(cloud)
    assert "it is behind theirs" in refusal(cloud, balancer="other")
    assert "nor behind any" in refusal(one_instance(), balancer="other")


def test_both_words_at_once_make_no_sense():
    assert "exclude each other" in refusal(one_instance(), UsageError, balancer="a", new_balancer=True)


def test_a_source_that_its_balancer_finds_unhealthy_is_refused():
    cloud = one_instance()
    group = put_behind(cloud)
    cloud._target_groups[group.arn] = replace(group, health_check=replace(group.health_check, matcher="204"))
    assert "could not tell whether its twin works" in refusal(cloud)


def test_a_twin_in_a_zone_where_the_balancer_does_not_stand_is_refused_with_the_command():
    cloud = one_instance(zone_count=3)
    put_behind(cloud, zone_count=2)
    elsewhere = [one.name for one in cloud.zones()][2]
    said = refusal(cloud, zone=elsewhere)
    assert "would get no traffic" in said
    assert "aws elbv2 set-subnets" in said


def test_a_source_that_an_auto_scaling_group_registered_is_refused_with_another_way():
    cloud = with_a_twin()
    put_behind(cloud)
    cloud.join_auto_scaling_group(cloud.the_instance.id, "web")
    assert "--min-size 2" in refusal(cloud)


def test_what_is_told_before_anybody_says_yes():
    cloud = one_instance()
    put_behind(cloud)
    made = plan(cloud)
    said = "\n".join(made.warnings)
    assert "theirs has nobody to send to" in said
    assert "no name changes" in said
    operations = [call.operation for call in made.calls]
    assert "DeregisterTargets" in operations
    assert "CreateLoadBalancer" not in operations


def test_without_the_right_to_take_the_twin_out_again_nothing_is_begun():
    cloud = one_instance()
    put_behind(cloud)
    cloud.deny("deregister")
    assert "elasticloadbalancing:DeregisterTargets" in refusal(cloud)


# What works with such a pair --------------------------------------------------------------------------


def test_undone_the_twin_is_drained_out_and_their_balancer_is_as_it_was():
    cloud = one_instance()
    put_behind(cloud)
    before = things(cloud)
    request = told(cloud, "pair", "run-0")
    assert request.joined
    request = replace(request, clients_are_back=False)
    MemorySteps("run-1").tell(PROCEDURES["undo"].story, memory_world(cloud), request)
    assert things(cloud) == before


def test_undone_where_it_died_before_the_twin_was_in_service():
    cloud = one_instance()
    put_behind(cloud)
    before = things(cloud)
    request = told(cloud, "pair", "run-0", die_at=f"after {JOINED}")
    MemorySteps("run-1").tell(PROCEDURES["undo"].story, memory_world(cloud), request)
    assert things(cloud) == before


def test_an_undo_is_refused_while_only_the_twin_serves_there():
    cloud = one_instance()
    group = put_behind(cloud)
    request = told(cloud, "pair", "run-0")
    cloud.deregister(group.arn, cloud.the_instance.id, 80)
    with pytest.raises(PreconditionFailed, match="nobody but the twin is healthy in theirs"):
        MemorySteps("run-1").tell(PROCEDURES["undo"].story, memory_world(cloud), request)


@pytest.mark.parametrize("by_address", [False, True])
def test_maintenance_drains_a_member_out_of_their_group_and_puts_it_back(by_address):
    cloud = one_instance()
    group = put_behind(cloud, by_address=by_address)
    tell(cloud)
    cloud.announce(cloud.the_instance.id)
    cloud.calls.clear()
    MemorySteps("run-2").tell(take, memory_world(cloud), TakeRequest(cloud.the_instance.id))
    assert [one.is_healthy for one in cloud.targets(group.arn)] == [True, True]
    assert "deregister" in writes(cloud)


def test_a_drill_finds_such_a_pair_by_its_members():
    cloud = one_instance()
    group = put_behind(cloud)
    tell(cloud)
    facts = service_facts(memory_world(cloud), DrillRequest("www"))
    assert (facts.group.arn, len(facts.members)) == (group.arn, 2)


def test_repair_has_nothing_to_say_of_it():
    cloud = one_instance()
    put_behind(cloud)
    tell(cloud)
    assert (
        find_troubles(memory_world(cloud), {"run-1": "done"}, lambda _run: nullcontext(True), mends=False)
        == ()
    )


# Classic balancers ------------------------------------------------------------------------------------


def test_a_twin_joins_a_classic_balancer_and_is_drained_out_of_it_again():
    cloud = one_instance()
    group = put_behind_classic(cloud)
    before = things(cloud)
    request = told(cloud, "pair", "run-0")
    assert members(cloud, group) == [cloud.the_instance.id, twin_of(cloud).id]
    assert not {"create_load_balancer", "create_target_group"} & writes(cloud)
    MemorySteps("run-1").tell(PROCEDURES["undo"].story, memory_world(cloud), request)
    assert things(cloud) == before


def test_the_calls_of_a_classic_balancer_are_its_own():
    cloud = one_instance()
    put_behind_classic(cloud)
    calls = [call for call in plan(cloud).calls if call.service == "elb"]
    assert [call.operation for call in calls] == [
        "RegisterInstancesWithLoadBalancer",
        "DeregisterInstancesFromLoadBalancer",
    ]
    assert {call.on for call in calls} == {("loadbalancer/old",)}
    assert {call.parameters["LoadBalancerName"] for call in calls} == {"old"}


def test_a_check_that_only_connects_asks_of_the_twin_what_its_source_answers():
    cloud = with_a_twin()
    cloud.serve(cloud.the_instance.id, MemoryService(status=404))
    cloud.serve(twin_of(cloud).id, MemoryService(status=500))
    group = put_behind_classic(cloud, check=HealthCheck(path="", matcher="", protocol="TCP", port=80))
    with pytest.raises(ProcedureFailed, match="answers 500"):
        tell(cloud)
    cloud.serve(twin_of(cloud).id, MemoryService(status=404))
    tell(cloud)
    assert len(members(cloud, group)) == 2


def test_maintenance_drains_a_member_out_of_a_classic_balancer_and_repair_puts_back_one_left_out():
    cloud = one_instance()
    group = put_behind_classic(cloud)
    tell(cloud)
    cloud.announce(cloud.the_instance.id)
    steps = MemorySteps("run-2", "before wait until it passes its status checks")
    with pytest.raises(Killed):
        steps.tell(take, memory_world(cloud), TakeRequest(cloud.the_instance.id))
    assert members(cloud, group) == [twin_of(cloud).id]
    cloud.clock.sleep(3600)
    dead = find_troubles(memory_world(cloud), {}, lambda _run: nullcontext(True), mends=True)
    assert "is in classic/old again" in "; ".join(one.done for one in dead)
    assert len(members(cloud, group)) == 2


def test_a_classic_balancer_in_one_zone_is_refused_with_its_own_command():
    cloud = one_instance()
    group = put_behind_classic(cloud)
    one_zone = (cloud.the_instance.zone,)
    cloud._balancers[group.arn] = replace(cloud._balancers[group.arn], zones=one_zone)
    assert "aws elb attach-load-balancer-to-subnets --load-balancer-name old" in refusal(cloud)
