"""Maintenance taken early: one member at a time, drained first, put back whatever fails."""

from contextlib import nullcontext
from dataclasses import replace

import pytest

from nospof.adapters.memory import MemoryService
from nospof.adapters.memory.account import Timings
from nospof.errors import CloudError, PreconditionFailed, ProcedureFailed
from nospof.model.answers import Answer
from nospof.model.cloud import TAG_GUARANTEE, HealthCheck, LoadBalancerRequest, TargetGroupRequest
from nospof.model.requests import PairRequest, TakeRequest
from nospof.procedures.guarantee import keep_guarantees
from nospof.procedures.maintain import MOVED_BY_STOP_AND_START, take
from nospof.procedures.membership import DRAIN_SECONDS
from nospof.procedures.pair import pair
from nospof.procedures.turn import MemberSteps, member_facts, wait_for_page
from nospof.procedures.waiting import TimedOut
from nospof.runtime.memory import Killed, MemorySteps
from support.between import After
from support.memory_world import memory_world, one_instance


class Service:
    """A pair on the reference cloud, one member of which has maintenance announced."""

    def __init__(self, code="system-reboot"):
        self.cloud = one_instance()
        request = PairRequest(self.cloud.the_instance.id, service="www", stateless=True)
        self.pair = MemorySteps("before").tell(pair, memory_world(self.cloud), request)
        self.member, self.other = self.pair.members
        self.groups = [self.pair.target_group_arn]
        self.event = self.cloud.announce(self.member, code) if code else None
        self.cloud.calls.clear()

    def second_group(self):
        """Put both members into another group with a balancer of its own."""
        cloud = self.cloud
        vpc = cloud.the_instance.vpc_id
        group = cloud.create_target_group(TargetGroupRequest("zz-second", vpc, 80, HealthCheck()))
        subnets = tuple(subnet.id for subnet in cloud.subnets(vpc))
        balancer = cloud.create_load_balancer(LoadBalancerRequest("zz-second", subnets))
        cloud.create_listener(balancer.arn, 80, group.arn)
        for member in self.pair.members:
            cloud.register(group.arn, member, 80)
        cloud.clock.sleep(60)
        self.groups.append(group.arn)
        cloud.calls.clear()
        return self

    def take(self, through=None, steps=None, **request):
        steps = steps or MemorySteps("run-1")
        return steps.tell(take, memory_world(self.cloud, through), TakeRequest(self.member, **request))

    def healthy(self):
        return [
            sorted(target.instance_id for target in self.cloud.targets(arn) if target.is_healthy)
            for arn in self.groups
        ]

    def assert_whole(self):
        self.cloud.clock.sleep(60)
        assert self.healthy() == [sorted(self.pair.members)] * len(self.groups)
        assert self.cloud.instance(self.member).state == "running"


def written(service):
    return [call.name for call in service.cloud.writes]


# What comes of it -----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", sorted(MOVED_BY_STOP_AND_START))
def test_c44_c45_the_event_is_gone_and_the_member_serves_again(code):
    service = Service(code)
    began = service.cloud.clock.now()
    result = service.take()
    assert result.instance_id == service.member
    assert result.events_cleared == (service.event.id,)
    assert 0 < result.seconds_out_of_service <= service.cloud.clock.now() - began
    service.assert_whole()
    assert TAG_GUARANTEE not in service.cloud.instance(service.member).tags


def test_the_member_is_drained_before_it_stops_and_back_only_when_it_works():
    service = Service()
    service.take()
    assert written(service) == [
        "tag",
        "tag",
        "deregister",
        "tag",
        "stop_instance",
        "start_instance",
        "register",
        "untag",
        "untag",
    ]


def test_c75_nothing_of_the_member_is_left_in_the_group_when_it_stops():
    service = Service()
    seen = []

    class Watching(After):
        def stop_instance(self, instance_id):
            seen.extend(target.instance_id for target in service.cloud.targets(service.groups[0]))
            service.cloud.stop_instance(instance_id)

    service.take(Watching(service.cloud))
    assert seen == [service.other]


def test_the_other_member_serves_all_the_time():
    service = Service()
    seen = []

    class Watching:
        def __getattr__(self, name):
            seen.append(service.other in service.healthy()[0])
            return getattr(service.cloud, name)

    service.take(Watching())
    assert len(seen) > 20
    assert all(seen)


def test_the_promise_is_written_before_the_member_leaves_and_kept_until_it_is_healthy():
    service = Service()
    steps = MemorySteps("run-1")
    service.take(steps=steps)
    promised = steps.names.index("promise that the member comes back")
    released = steps.names.index("release the promise")
    drained = steps.names.index("drain it from every group it serves in")
    healthy = steps.names.index("wait until nospof-www finds it healthy")
    assert promised < drained < healthy < released


def test_a_member_of_two_groups_leaves_both_and_comes_back_to_both():
    service = Service().second_group()
    service.take()
    assert written(service).count("deregister") == written(service).count("register") == 2
    assert written(service).index("stop_instance") > max(
        number for number, name in enumerate(written(service)) if name == "deregister"
    )
    service.assert_whole()


# Refusals -------------------------------------------------------------------------------------------


def other_is_sick(service):
    service.cloud.impair(service.other)


def other_serves_nothing(service):
    service.cloud.serve(service.other, MemoryService(status=503))


def other_has_left(service):
    service.cloud.deregister(service.groups[0], service.other, 80)
    service.cloud.clock.sleep(DRAIN_SECONDS)


def member_has_left(service):
    service.cloud.deregister(service.groups[0], service.member, 80)
    service.cloud.clock.sleep(DRAIN_SECONDS)


def member_is_off(service):
    service.cloud.stop_instance(service.member)
    service.cloud.clock.sleep(service.cloud.timings.stopping)


def unknown_event_too(service):
    service.cloud.announce(service.member, "foo-bar")


def second_group_without_the_other(service):
    service.second_group()
    service.cloud.deregister(service.groups[1], service.other, 80)
    service.cloud.clock.sleep(DRAIN_SECONDS)


@pytest.mark.parametrize(
    ("prepare", "says", "next_step"),
    [
        (other_is_sick, "no other member of nospof-www is healthy", "Mend the others"),
        (other_serves_nothing, "no other member of nospof-www is healthy", "Mend the others"),
        (other_has_left, "no other member of nospof-www is healthy", "Mend the others"),
        (second_group_without_the_other, "no other member of zz-second is healthy", "Mend the others"),
        (member_has_left, "behind no load balancer", "nospof pair"),
        (member_is_off, "stopped, not running", "start-instances"),
        (unknown_event_too, "not known to clear foo-bar", "wait for its window"),
    ],
)
def test_what_would_be_an_outage_is_refused_and_writes_nothing(prepare, says, next_step):
    service = Service()
    prepare(service)
    service.cloud.calls.clear()
    with pytest.raises(PreconditionFailed) as refused:
        service.take()
    assert says in str(refused.value)
    assert next_step in str(refused.value)
    assert str(refused.value).endswith("Nothing was changed.")
    assert service.cloud.writes == []


@pytest.mark.parametrize("description", ["[Completed] done", "[Canceled] not needed", "[completed] done"])
def test_c41_an_event_that_is_over_is_none_to_take(description):
    service = Service(code="")
    service.cloud.announce(service.member, description=description)
    with pytest.raises(PreconditionFailed, match="no maintenance is announced"):
        service.take()
    assert service.cloud.writes == []


def test_the_facts_name_those_who_serve_beside_the_member():
    service = Service()
    facts = member_facts(memory_world(service.cloud), service.member)
    (group,) = facts.memberships
    assert (group.group_name, group.port) == ("nospof-www", 80)
    assert [other.instance_id for other in group.others] == [service.other]
    assert [event.id for event in facts.events] == [service.event.id]


# Half-way -------------------------------------------------------------------------------------------


def never_drains(service, arn):
    """The cloud, whose group never lets go of the member."""

    class Stuck(After):
        def targets(self, wanted):
            seen = service.cloud.targets(wanted)
            gone = service.member not in {target.instance_id for target in seen}
            if wanted == arn and gone:
                return (*seen, replace(seen[0], instance_id=service.member, state="draining"))
            return seen

    return Stuck(service.cloud)


def test_c75_a_member_that_does_not_drain_is_put_back_and_never_stopped():
    service = Service()
    with pytest.raises(TimedOut, match="drained from nospof-www; last seen: draining"):
        service.take(never_drains(service, service.groups[0]))
    assert "stop_instance" not in written(service)
    service.assert_whole()


@pytest.mark.parametrize("which", [0, 1])
def test_a_member_that_does_not_drain_from_one_of_two_groups_is_put_back_into_both(which):
    service = Service().second_group()
    with pytest.raises(TimedOut, match="drained"):
        service.take(never_drains(service, service.groups[which]))
    assert "stop_instance" not in written(service)
    service.assert_whole()


def test_a_drain_that_is_refused_for_one_of_two_groups_puts_the_member_back_into_both():
    service = Service().second_group()
    second = service.groups[1]

    class Refusing(After):
        def deregister(self, arn, instance_id, port):
            if arn == second:
                raise CloudError("refused", code="UnauthorizedOperation")
            service.cloud.deregister(arn, instance_id, port)

    with pytest.raises(CloudError, match="refused"):
        service.take(Refusing(service.cloud))
    service.assert_whole()


def test_where_the_other_one_is_drained_in_the_same_moment_the_member_is_back_before_it_has_waited():
    service = Service()
    moments = []

    class Racing(After):
        def deregister(self, arn, instance_id, port):
            service.cloud.deregister(arn, instance_id, port)
            service.cloud.deregister(arn, service.other, port)
            moments.append(service.cloud.clock.now())

        def register(self, arn, instance_id, port):
            moments.append(service.cloud.clock.now())
            service.cloud.register(arn, instance_id, port)

    with pytest.raises(ProcedureFailed, match="no other member of nospof-www is healthy any more"):
        service.take(Racing(service.cloud))
    drained, back = moments
    assert back == drained
    assert "stop_instance" not in written(service)


def test_after_a_failed_drain_a_resumed_run_drains_again_before_it_stops():
    service = Service().second_group()
    steps = MemorySteps("run-1")
    with pytest.raises(TimedOut):
        service.take(never_drains(service, service.groups[1]), steps)
    service.cloud.calls.clear()
    service.take(steps=steps)
    names = written(service)
    assert names.count("deregister") == 2
    assert names.index("deregister") < names.index("stop_instance")
    service.assert_whole()


def test_a_run_resumed_when_the_others_have_died_does_not_take_the_last_member_out():
    service = Service()
    steps = MemorySteps("run-1", die_at="before drain it from every group it serves in")
    with pytest.raises(Killed):
        service.take(steps=steps)
    service.cloud.impair(service.other)
    service.cloud.clock.sleep(60)
    service.cloud.calls.clear()
    with pytest.raises(ProcedureFailed, match="no other member of nospof-www is healthy any more"):
        service.take(steps=steps)
    assert "deregister" not in written(service)
    assert "stop_instance" not in written(service)
    assert service.healthy() == [[service.member]]


def test_a_member_whose_fellow_dies_while_it_drains_is_put_back_and_not_stopped():
    service = Service()
    dying = After(service.cloud, deregister=lambda *_: service.cloud.impair(service.other))
    with pytest.raises(ProcedureFailed, match="healthy any more"):
        service.take(dying)
    assert "stop_instance" not in written(service)
    service.cloud.clock.sleep(60)
    assert service.healthy() == [[service.member]]


def test_a_member_whose_stop_hangs_is_running_again_afterwards():
    service = Service()
    service.cloud.timings = Timings(stopping=1000)
    with pytest.raises(TimedOut, match="to stop"):
        service.take()
    assert service.cloud.instance(service.member).state == "running"


def dies_after(service, last):
    """The cloud as a process sees it that is killed right after a call."""
    dead = []

    class Dying:
        def __getattr__(self, name):
            method = getattr(service.cloud, name)

            def call(*args, **kwargs):
                if dead:
                    raise Killed(name)
                value = method(*args, **kwargs)
                if name == last:
                    dead.append(name)
                    raise Killed(name)
                return value

            return call

    return Dying()


def test_a_run_killed_twice_with_the_member_off_leaves_it_promised_each_time():
    service = Service()
    steps = MemorySteps("run-1")
    for _ in range(2):
        with pytest.raises(Killed):
            service.take(dies_after(service, "stop_instance"), steps)
        assert len(keep_guarantees(memory_world(service.cloud), lambda _run_id: nullcontext(True))) == 1
        assert service.cloud.instance(service.member).state == "running"
    service.take(steps=steps)
    service.assert_whole()


def test_a_member_that_does_not_work_afterwards_gets_no_traffic():
    service = Service()
    sick = After(service.cloud, start_instance=service.cloud.impair)
    with pytest.raises(TimedOut, match="pass its status checks"):
        service.take(sick)
    assert "register" not in written(service)
    assert service.healthy() == [[service.other]]
    assert TAG_GUARANTEE in service.cloud.instance(service.member).tags


def test_a_member_whose_page_does_not_come_back_gets_no_traffic():
    service = Service()

    def break_page(instance_id):
        service.cloud.serve(instance_id, MemoryService(status=503))

    with pytest.raises(TimedOut, match="says 503"):
        service.take(After(service.cloud, start_instance=break_page))
    assert "register" not in written(service)


def test_an_event_that_the_move_did_not_clear_is_not_called_cleared():
    service = Service()
    late = []

    def announce_again(instance_id):
        late.append(service.cloud.announce(instance_id))

    result = service.take(After(service.cloud, register=lambda _arn, one, _port: announce_again(one)))
    assert result.events_cleared == (service.event.id,)
    assert late[0].id not in result.events_cleared


# Eyes -----------------------------------------------------------------------------------------------


class Saying:
    """Eyes that see these answers one after the other, the last one for ever."""

    def __init__(self, *answers):
        self._answers = list(answers)

    def get(self, url, *, host="", headers=None, verify=True, timeout_seconds=5.0):
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


REFUSED = Answer("u", 0, 0.1, error="connection refused")
SILENT = Answer("u", 0, 5.0, error="timed out after 5 s")


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ((REFUSED, REFUSED, Answer("u", 200, 0.1)), "200"),
        ((Answer("u", 503, 0.1), Answer("u", 200, 0.1)), "200"),
        ((REFUSED, SILENT), "timed out after 5 s"),
    ],
)
def test_a_refused_connection_is_waited_out_and_a_closed_way_left_to_the_balancer(answers, says):
    cloud = one_instance()
    world = replace(memory_world(cloud), probe=Saying(*answers))
    assert wait_for_page(world, cloud.the_instance.id, 80, "/") == says


def test_a_page_that_stays_away_is_an_error():
    cloud = one_instance()
    world = replace(memory_world(cloud), probe=Saying(REFUSED))
    with pytest.raises(TimedOut, match="connection refused"):
        wait_for_page(world, cloud.the_instance.id, 80, "/")


def test_of_two_runs_that_begin_at_once_the_one_that_sees_the_other_lets_go():
    service = Service()

    def begins(_instance_id, tags):
        if TAG_GUARANTEE in tags and TAG_GUARANTEE not in service.cloud.instance(service.other).tags:
            service.cloud.tag(service.other, {TAG_GUARANTEE: "working run=run-2 by=2099-01-01T00:00:00Z"})

    with pytest.raises(ProcedureFailed, match="another run began to work on"):
        service.take(After(service.cloud, tag=begins))
    assert "deregister" not in written(service)
    assert TAG_GUARANTEE not in service.cloud.instance(service.member).tags


def test_c46_both_members_of_one_window_are_taken_one_after_the_other():
    service = Service()
    service.cloud.announce(service.other)
    service.take()
    first = [call.arguments[0] for call in service.cloud.writes if call.name == "stop_instance"]
    service.assert_whole()
    service.member, service.other = service.other, service.member
    service.take(steps=MemorySteps("run-2"))
    stopped = [call.arguments[0] for call in service.cloud.writes if call.name == "stop_instance"]
    assert (first, stopped) == ([service.other], [service.other, service.member])
    service.assert_whole()


def test_the_steps_of_a_member_are_named_after_it_and_remembered_as_any():
    steps = MemorySteps("run-1")

    def story(steps):
        one = MemberSteps(steps, "i-1")
        return one.token, one.read("wait until it answers", str, 1), one.do("stop it", str, 2)

    assert steps.tell(story) == steps.tell(story) == ("run-1", "1", "2")
    assert steps.names == ["wait until it answers: i-1", "stop it: i-1"]
    assert steps.has_changed_something
