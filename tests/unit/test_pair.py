"""The story of a pair, told on the reference cloud: the twin is proved before it takes traffic."""

from dataclasses import replace
from itertools import groupby

import pytest

from nospof.adapters.memory import MemoryService
from nospof.adapters.memory.account import OPERATIONS
from nospof.adapters.memory.cloud import MemoryCloud
from nospof.adapters.memory.probe import MemoryProbe
from nospof.errors import NospofError, PreconditionFailed, ProcedureFailed
from nospof.model.answers import Answer
from nospof.model.cloud import (
    TAG_RUN,
    TAG_SERVICE,
    TAG_STATE,
    TAG_TWIN_OF,
    HealthCheck,
    IngressRule,
    LoadBalancerRequest,
    SecurityGroupRequest,
    TargetGroupRequest,
)
from nospof.model.requests import CloneRequest, PairRequest
from nospof.procedures.clone import clone
from nospof.procedures.entry import listen
from nospof.procedures.pair import find_twin, pair
from nospof.procedures.proving import verify
from nospof.procedures.registry import pair_plan
from nospof.procedures.waiting import TimedOut
from nospof.runtime.memory import MemorySteps
from support.memory_world import memory_world, one_instance

RUN = "run-1"
VPC = one_instance().the_instance.vpc_id


def request_for(cloud, **request):
    return PairRequest(cloud.the_instance.id, **{"service": "www", "stateless": True, **request})


def tell(cloud, world=None, **request):
    return MemorySteps(RUN).tell(pair, world or memory_world(cloud), request_for(cloud, **request))


def with_twin(**options):
    """A cloud whose instance has a twin already; its calls so far are forgotten."""
    cloud = one_instance(**options)
    MemorySteps("before").tell(clone, memory_world(cloud), CloneRequest(cloud.the_instance.id))
    cloud.calls.clear()
    return cloud


def twin_of(cloud):
    return cloud.instances(tag=TAG_TWIN_OF)[0]


def open_to_everybody(cloud: MemoryCloud) -> MemoryCloud:
    cloud.allow(cloud.default_group, IngressRule(80, "0.0.0.0/0"))
    cloud.calls.clear()
    return cloud


def subject(call):
    """What a write is about: tags and registrations name it differently."""
    return call.arguments[1] if call.name in ("register", "deregister") else call.arguments[0]


def made(cloud):
    once = [call for call, _ in groupby((call.name, subject(call)) for call in cloud.writes)]
    return [OPERATIONS[name].aws_name for name, _ in once]


# What comes of it -----------------------------------------------------------------------------------


def test_a_pair_is_two_healthy_members_in_two_zones_behind_a_balancer_that_serves():
    cloud = one_instance()
    result = tell(cloud)
    assert result.members == (cloud.the_instance.id, result.clone.twin.id)
    assert len(set(result.zones)) == 2
    assert [target.is_healthy for target in cloud.targets(result.target_group_arn)] == [True, True]
    assert (result.watched_requests, result.watched_failures) == (20, 0)
    assert MemoryProbe(cloud).get(result.url).is_good


def test_a_twin_that_is_there_is_taken_and_nothing_is_cloned():
    cloud = with_twin()
    result = tell(cloud)
    assert result.clone is None
    assert result.members == (cloud.the_instance.id, twin_of(cloud).id)
    assert not {"create_image", "launch", "stop_instance"} & {call.name for call in cloud.writes}


def test_the_source_is_never_stopped_for_a_pair_whose_twin_is_there():
    cloud = with_twin()
    launched = cloud.the_instance.launched_at
    tell(cloud)
    assert cloud.the_instance.launched_at == launched
    assert cloud.the_instance.state == "running"


def test_both_members_are_marked():
    cloud = with_twin()
    for member in tell(cloud).members:
        tags = cloud.instance(member).tags
        assert (tags[TAG_SERVICE], tags[TAG_STATE]) == ("www", "none")


def test_everything_made_carries_the_run():
    cloud = one_instance()
    result = tell(cloud)
    guard = next(group for group in cloud._groups.values() if group.name == "nospof-www")
    made_here = [
        guard,
        cloud.target_group_named("nospof-www"),
        cloud.load_balancer_named("nospof-www"),
        cloud.image(result.clone.image_id),
        result.clone.twin,
    ]
    assert [thing.tags[TAG_RUN] for thing in made_here] == [RUN] * 5


def guard_of(cloud):
    (guard,) = [key for key, group in cloud._groups.items() if group.name == "nospof-www"]
    return guard


def test_the_balancer_may_reach_the_members():
    cloud = with_twin()
    tell(cloud)
    assert IngressRule(80, from_group=guard_of(cloud)) in cloud.ingress_rules(cloud.default_group)


@pytest.mark.parametrize("who", ["0.0.0.0/0", "10.0.0.0/8", "another group"])
def test_who_may_reach_the_source_may_reach_the_balancer_and_nobody_else(who):
    cloud = with_twin()
    office = cloud.create_security_group(SecurityGroupRequest("office", "o", cloud.the_instance.vpc_id))
    peer = {"cidr": who} if "/" in who else {"from_group": office}
    cloud.allow(cloud.default_group, IngressRule(80, **peer))
    cloud.allow(cloud.default_group, IngressRule(22, "0.0.0.0/0"))
    tell(cloud, port=80, listener_port=8080)
    assert cloud.ingress_rules(guard_of(cloud)) == (IngressRule(8080, **peer),)


def test_a_source_without_a_public_address_is_not_put_on_the_internet():
    cloud = with_twin()
    source = cloud.the_instance
    cloud._instances[source.id] = replace(source, public_ip="")
    tell(cloud)
    (made,) = [call.arguments[0] for call in cloud.writes if call.name == "create_load_balancer"]
    assert made.is_internal
    assert "is private" in " ".join(pair_plan(memory_world(cloud), request_for(cloud)).warnings)


def test_an_internal_balancer_that_cannot_be_reached_from_here_rests_on_its_own_check():
    cloud = with_twin()
    cloud._instances[cloud.the_instance.id] = replace(cloud.the_instance, public_ip="")

    class Outside:
        def get(self, url, *, host="", headers=None, verify=True, timeout_seconds=5.0):
            return Answer(url, 0, 5.0, error="timed out")

    result = tell(cloud, replace(memory_world(cloud), probe=Outside()))
    assert (result.watched_requests, len(result.members)) == (0, 2)


def test_a_port_that_leads_elsewhere_is_not_taken_over():
    cloud = with_twin()
    tell(cloud)
    other = cloud.create_target_group(
        TargetGroupRequest("other", cloud.the_instance.vpc_id, 80, HealthCheck())
    )
    (balancer,) = cloud.load_balancers()
    with pytest.raises(ProcedureFailed, match="port 80 of the balancer already leads elsewhere"):
        listen(memory_world(cloud), balancer.arn, 80, other.arn)


def test_members_that_are_open_already_are_not_opened_again():
    cloud = open_to_everybody(with_twin())
    tell(cloud)
    assert cloud.ingress_rules(cloud.default_group) == (IngressRule(80, "0.0.0.0/0"),)


def test_telling_it_again_makes_nothing_twice():
    cloud = with_twin()
    first = tell(cloud)
    again = MemorySteps("run-2").tell(pair, memory_world(cloud), request_for(cloud))
    assert again.members == first.members
    assert len(cloud.load_balancers()) == len(cloud.target_groups()) == 1
    assert len(cloud.targets(first.target_group_arn)) == 2


# The plan is what happens ---------------------------------------------------------------------------

SITUATIONS = {
    "no twin": one_instance,
    "a twin": with_twin,
    "no twin, open": lambda: open_to_everybody(one_instance()),
    "a twin, open": lambda: open_to_everybody(with_twin()),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_calls_made_are_those_planned_in_their_order(situation):
    cloud = SITUATIONS[situation]()
    planned = pair_plan(memory_world(cloud), request_for(cloud))
    assert cloud.writes == []
    tell(cloud)
    assert made(cloud) == [call.permission for call in planned.calls]


def planned_methods():
    methods = {operation.aws_name: name for name, operation in OPERATIONS.items() if operation.is_write}
    for situation, build in SITUATIONS.items():
        cloud = build()
        for call in pair_plan(memory_world(cloud), request_for(cloud)).calls:
            if call.can_rehearse:
                yield situation, methods[call.permission], call.permission


@pytest.mark.parametrize(("situation", "method", "action"), sorted(set(planned_methods())))
def test_c29_a_call_that_is_denied_is_named_before_anything_is_written(situation, method, action):
    cloud = SITUATIONS[situation]()
    cloud.deny(method)
    with pytest.raises(PreconditionFailed) as refused:
        tell(cloud)
    assert action in str(refused.value)
    assert str(refused.value).endswith("Nothing was changed.")
    assert cloud.writes == []


def test_the_plan_says_that_balancer_calls_could_not_be_checked_where_iam_may_not_be_asked():
    cloud = with_twin()
    assert not any(
        "no rehearsal" in one for one in pair_plan(memory_world(cloud), request_for(cloud)).warnings
    )
    cloud.deny("simulate")
    warnings = pair_plan(memory_world(cloud), request_for(cloud)).warnings
    assert any("no rehearsal" in one and "elasticloadbalancing:CreateLoadBalancer" in one for one in warnings)


# Refusals -------------------------------------------------------------------------------------------


def has_foreign_balancer(cloud):
    subnets = tuple(subnet.id for subnet in cloud.subnets(VPC))
    cloud.create_load_balancer(LoadBalancerRequest("nospof-www", subnets))


def has_foreign_group(cloud):
    cloud.create_target_group(TargetGroupRequest("nospof-www", VPC, 80, HealthCheck()))


def has_other_check(cloud):
    tags = {TAG_SERVICE: "www"}
    cloud.create_target_group(TargetGroupRequest("nospof-www", VPC, 80, HealthCheck("/up"), tags=tags))


def has_source_off(cloud):
    cloud.stop_instance(cloud.the_instance.id)


def has_page(status, location=""):
    return lambda cloud: cloud.serve(cloud.the_instance.id, MemoryService(status=status, location=location))


@pytest.mark.parametrize(
    ("prepare", "request_", "says"),
    [
        (has_foreign_balancer, {}, "load balancer named nospof-www"),
        (has_foreign_group, {}, "target group named nospof-www"),
        (has_other_check, {}, "not port 80 and GET /"),
        (has_source_off, {}, "start-instances"),
        (has_page(302, "/install"), {}, "302 to /install"),
        (has_page(503), {}, "503"),
        (has_page(204), {}, "204"),
        (lambda _: None, {"stateless": False}, "--stateless"),
        (lambda _: None, {"service": "it's"}, "--service"),
        (lambda c: c.protect_from_stop(c.the_instance.id, on=True), {}, "disableApiStop"),
        (lambda c: c.offer("t3.small", ("eu-central-1a",)), {}, "--same-zone"),
    ],
)
def test_a_refusal_writes_nothing_and_says_so(prepare, request_, says):
    cloud = one_instance()
    prepare(cloud)
    cloud.calls.clear()
    with pytest.raises(PreconditionFailed) as refused:
        tell(cloud, **request_)
    assert says in str(refused.value)
    assert str(refused.value).endswith("Nothing was changed.")
    assert cloud.writes == []


def test_c62_a_vpc_with_one_zone_is_refused_even_with_consent_to_one_zone():
    cloud = one_instance(zone_count=1)
    with pytest.raises(PreconditionFailed, match="needs two zones"):
        tell(cloud, same_zone=True)
    assert cloud.writes == []


def test_a_twin_asked_for_that_is_off_is_refused():
    cloud = with_twin()
    twin_id = twin_of(cloud).id
    cloud.stop_instance(twin_id)
    cloud.calls.clear()
    with pytest.raises(PreconditionFailed, match=f"twin {twin_id} is stopping"):
        tell(cloud, twin_id=twin_id)
    assert cloud.writes == []


def test_a_twin_in_the_sources_zone_needs_consent():
    cloud = one_instance()
    twin = cloud.add_instance(tags={TAG_TWIN_OF: cloud.the_instance.id})
    with pytest.raises(PreconditionFailed, match="both in"):
        tell(cloud)
    assert cloud.writes == []
    assert tell(cloud, same_zone=True).members == (cloud.the_instance.id, twin.id)


# Which twin -----------------------------------------------------------------------------------------


def test_the_newest_running_twin_is_taken():
    cloud = with_twin()
    older = twin_of(cloud)
    MemorySteps("again").tell(clone, memory_world(cloud), CloneRequest(cloud.the_instance.id))
    newer = next(one for one in cloud.instances(tag=TAG_TWIN_OF) if one.id != older.id)
    assert find_twin(memory_world(cloud), cloud.the_instance, "").id == newer.id
    cloud.stop_instance(newer.id)
    assert find_twin(memory_world(cloud), cloud.the_instance, "").id == older.id
    assert find_twin(memory_world(cloud), cloud.the_instance, newer.id).id == newer.id


def test_a_twin_of_another_instance_is_not_taken():
    cloud = one_instance()
    cloud.add_instance(tags={TAG_TWIN_OF: "i-other"})
    assert find_twin(memory_world(cloud), cloud.the_instance, "") is None


# The twin is proved first ---------------------------------------------------------------------------


def registered(cloud):
    return [call.arguments[1] for call in cloud.writes if call.name == "register"]


def test_the_twin_passed_its_checks_and_served_a_page_before_the_source_is_registered():
    cloud = with_twin()
    source_id, twin_id = cloud.the_instance.id, twin_of(cloud).id
    steps = MemorySteps(RUN)
    steps.tell(pair, memory_world(cloud), request_for(cloud))
    assert registered(cloud) == [twin_id, source_id]
    order = [
        "wait until the twin passes its status checks",
        "register the twin",
        "wait until the balancer finds the twin healthy",
        "ask the twin for a page",
        "register the source",
    ]
    assert [name for name in steps.names if name in order] == order


@pytest.mark.parametrize("status", [302, 503, 404])
def test_c60_a_twin_whose_page_is_not_good_is_never_joined_by_the_source(status):
    cloud = with_twin()
    twin_id = twin_of(cloud).id
    cloud.serve(twin_id, MemoryService(status=status))
    with pytest.raises(TimedOut, match=f"{twin_id} .*Target.ResponseCodeMismatch.*{status}"):
        tell(cloud)
    assert registered(cloud) == [twin_id]
    assert cloud.the_instance.state == "running"


def test_a_twin_that_hangs_is_never_registered():
    cloud = with_twin()
    cloud.impair(twin_of(cloud).id)
    with pytest.raises(TimedOut, match="pass its status checks; last seen: instance impaired"):
        tell(cloud)
    assert registered(cloud) == []
    assert cloud.load_balancers() == ()


class Answering:
    """Eyes that see one answer through balancers, and the truth elsewhere."""

    def __init__(self, cloud, answer):
        self._probe, self._answer = MemoryProbe(cloud), answer

    def get(self, url, *, host="", headers=None, verify=True, timeout_seconds=5.0):
        seen = self._probe.get(url, host=host, timeout_seconds=timeout_seconds)
        return replace(self._answer, url=url) if ".elb." in url else seen


@pytest.mark.parametrize("status", [302, 503, 502])
def test_a_bad_page_through_the_balancer_stops_before_the_source_is_registered(status):
    cloud = with_twin()
    twin_id = twin_of(cloud).id
    world = replace(memory_world(cloud), probe=Answering(cloud, Answer("", status, 0.1, location="/install")))
    with pytest.raises(ProcedureFailed, match=rf"twin {twin_id} answers {status} to /install .*no traffic"):
        tell(cloud, world)
    assert registered(cloud) == [twin_id]


def test_a_page_without_the_expected_text_stops_before_the_source_is_registered():
    cloud = with_twin()
    twin_id = twin_of(cloud).id
    with pytest.raises(ProcedureFailed, match="does not contain 'Welcome'"):
        tell(cloud, expect="Welcome")
    assert registered(cloud) == [twin_id]


def test_a_page_with_the_expected_text_passes():
    cloud = with_twin()
    assert tell(cloud, expect=f"served by {twin_of(cloud).id}").members[1] == twin_of(cloud).id


def test_the_page_asked_for_is_the_one_the_balancer_checks():
    asked = []

    class Seeing:
        def get(self, url, *, host="", headers=None, verify=True, timeout_seconds=5.0):
            asked.append(url)
            return Answer(url, 200, 0.1)

    cloud = one_instance()
    twin = cloud.the_instance
    world = replace(memory_world(cloud), probe=Seeing())
    verify(world, twin.id, "http://lb:80", PairRequest("i-1", health_path="/up"), is_internal=False)
    assert sorted(asked) == sorted(["http://lb:80/up", f"http://{twin.public_ip}:80/up"])


def test_another_member_behind_the_balancer_cannot_answer_for_a_broken_twin():
    cloud = with_twin()
    twin_id = twin_of(cloud).id

    class Balanced:
        """The balancer answers well, whoever does; the twin itself does not."""

        def get(self, url, *, host="", headers=None, verify=True, timeout_seconds=5.0):
            return Answer(url, 200 if url.startswith("http://lb") else 500, 0.1)

    world = replace(memory_world(cloud), probe=Balanced())
    with pytest.raises(ProcedureFailed, match=f"the twin {twin_id} answers 500"):
        verify(world, twin_id, "http://lb:80", PairRequest("i-1"), is_internal=False)


def test_a_request_that_is_not_served_while_watched_is_an_error():
    cloud = with_twin()
    good, seen = MemoryProbe(cloud), []

    class Flaky:
        def get(self, url, *, host="", headers=None, verify=True, timeout_seconds=5.0):
            if ".elb." in url:
                seen.append(url)
            return Answer(url, 503, 0.1) if len(seen) == 5 else good.get(url)

    with pytest.raises(ProcedureFailed, match=r"1 of 20 requests .* were not served .first: 503"):
        tell(cloud, replace(memory_world(cloud), probe=Flaky()))


def test_a_member_that_turns_unhealthy_beside_the_twin_is_an_error_that_names_it():
    cloud = with_twin()
    source_id = cloud.the_instance.id

    class Breaking:
        def __getattr__(self, name):
            return getattr(cloud, name)

        def register(self, arn, instance_id, port):
            cloud.register(arn, instance_id, port)
            if instance_id == source_id:
                cloud.impair(source_id)

    with pytest.raises(NospofError, match=f"{source_id} unhealthy"):
        tell(cloud, memory_world(cloud, Breaking()))


def test_a_balancer_that_never_serves_is_an_error_with_its_state():
    cloud = with_twin()
    cloud.timings = replace(cloud.timings, balancer=10**6)
    with pytest.raises(TimedOut, match="nospof-www to be active; last seen: provisioning"):
        tell(cloud)
    assert registered(cloud) == []


def test_a_twin_with_a_security_group_of_its_own_is_opened_to_the_balancer_as_well():
    cloud = with_twin()
    own = cloud.create_security_group(SecurityGroupRequest("twins", "twins", cloud.the_instance.vpc_id))
    cloud._instances[twin_of(cloud).id] = replace(twin_of(cloud), security_groups=(own,))
    tell(cloud)
    assert [rule.port for rule in cloud.ingress_rules(own)] == [80]


def test_an_instance_tagged_as_keeping_no_state_needs_no_further_word():
    cloud = with_twin()
    cloud.tag(cloud.the_instance.id, {TAG_STATE: "none"})
    assert tell(cloud, stateless=False).watched_failures == 0


def test_a_balancers_name_that_is_not_known_yet_is_waited_for():
    cloud = with_twin()
    good, asked = MemoryProbe(cloud), []

    class LateName:
        def get(self, url, *, host="", headers=None, verify=True, timeout_seconds=5.0):
            if ".elb." in url:
                asked.append(url)
                if len(asked) < 30:
                    return Answer(url, 0, 0.0, error="name or service not known")
            return good.get(url)

    assert tell(cloud, replace(memory_world(cloud), probe=LateName())).watched_failures == 0
