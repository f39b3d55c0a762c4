"""Undo on the reference cloud: back to the one instance, which serves throughout; nothing else goes."""

from dataclasses import replace

import pytest

from nospof.adapters.memory import MemoryService
from nospof.adapters.memory.account import OPERATIONS
from nospof.errors import PreconditionFailed, UsageError
from nospof.model.cloud import (
    TAG_GUARANTEE,
    TAG_RUN,
    TAG_SERVICE,
    TAG_TWIN_OF,
    HealthCheck,
    IngressRule,
    LaunchRequest,
    TargetGroupRequest,
)
from nospof.model.requests import CloneRequest, PairRequest
from nospof.model.surroundings import Whereabouts
from nospof.procedures.guarantee import Guarantee
from nospof.procedures.pair import pair
from nospof.procedures.registry import PROCEDURES, undo_plan
from nospof.procedures.undo import undo
from nospof.procedures.waiting import TimedOut
from nospof.runtime.memory import MemorySteps
from nospof.services.undoing import undo_request
from support.memory_world import memory_world, one_instance
from support.undoing import run_of, things, told

RUN = "pair-1"


def undone(cloud, request, run_id="undo-1"):
    return MemorySteps(run_id).tell(undo, memory_world(cloud), request)


def paired(**options):
    """A cloud whose instance was paired, what it was before, and the request that undoes that."""
    cloud = one_instance(**options)
    before = things(cloud)
    return cloud, before, told(cloud, "pair", RUN)


def twin_of(cloud):
    return cloud.instances(tag=TAG_TWIN_OF)[0]


def steps_of(procedure):
    cloud = one_instance()
    steps = MemorySteps(RUN)
    asked = {"clone": CloneRequest(cloud.the_instance.id)}
    request = asked.get(procedure) or PairRequest(cloud.the_instance.id, service="www", stateless=True)
    steps.tell(PROCEDURES[procedure].story, memory_world(cloud), request)
    return steps.names


def refused(cloud, request):
    """Return why it is refused; nothing may have been written."""
    cloud.calls.clear()
    with pytest.raises(PreconditionFailed) as caught:
        undone(cloud, request)
    assert cloud.writes == []
    return str(caught.value)


def test_a_pair_is_undone_to_what_was_before():
    cloud, before, request = paired()
    result = undone(cloud, request)
    assert things(cloud) == before
    assert (result.instance_id, result.left_alone) == (cloud.the_instance.id, ())
    assert len(result.removed) == 7


def test_a_clone_is_undone_to_what_was_before():
    cloud = one_instance()
    before = things(cloud)
    request = told(cloud, "clone", RUN)
    undone(cloud, replace(request, clients_are_back=False))
    assert things(cloud) == before


@pytest.mark.parametrize(
    ("procedure", "place"),
    [
        (name, f"{side} {step}")
        for name in ("clone", "pair")
        for step in steps_of(name)
        for side in ("before", "after")
    ],
)
def test_c108_whatever_a_run_left_where_it_died_is_taken_apart(procedure, place):
    cloud = one_instance()
    before = things(cloud)
    request = told(cloud, procedure, RUN, die_at=place)
    if TAG_GUARANTEE in cloud.the_instance.tags:  # Its keeper has done its work.
        cloud.untag(cloud.the_instance.id, (TAG_GUARANTEE,))
    cloud.clock.sleep(120)
    if things(cloud) == before:
        assert "nothing that can be taken away" in refused(cloud, request)
    else:
        undone(cloud, request)
    assert things(cloud) == before


def test_somebody_serves_at_every_moment_and_the_twin_goes_only_when_drained():
    """C75: the balancer has let go of the twin before it is terminated."""
    cloud, _, request = paired()
    source, twin = cloud.the_instance.id, twin_of(cloud).id
    undone(cloud, request)
    names = [call.name for call in cloud.writes]
    drained, gone, ended = (
        max(n for n, name in enumerate(names) if name == wanted)
        for wanted in ("deregister", "delete_load_balancer", "terminate_instance")
    )
    assert drained < gone < ended
    assert [call.arguments[0] for call in cloud.writes if call.name == "terminate_instance"] == [twin]
    assert not any(call.name == "deregister" and call.arguments[1] == source for call in cloud.calls)


def test_c75_the_twin_is_waited_for_until_the_balancer_has_let_go_of_it():
    cloud, _, request = paired()
    group = cloud.target_group_named("nospof-www")
    balancer = cloud.load_balancer_named("nospof-www")
    states = []
    real = cloud.delete_load_balancer

    def look(arn):
        states.extend((one.instance_id, one.state) for one in cloud.targets(group.arn))
        real(arn)

    cloud.delete_load_balancer = look
    undone(cloud, request)
    assert balancer
    assert states == [(cloud.the_instance.id, "healthy")]


def test_a_source_that_left_the_balancer_is_put_back_before_the_twin_leaves():
    cloud, before, request = paired()
    group = cloud.target_group_named("nospof-www")
    cloud.deregister(group.arn, cloud.the_instance.id, group.port)
    cloud.clock.sleep(60)
    cloud.calls.clear()
    undone(cloud, request)
    names = [call.name for call in cloud.writes]
    assert names.index("register") < names.index("deregister")
    assert things(cloud) == before


def test_a_source_the_balancer_does_not_find_healthy_keeps_its_twin():
    cloud, _, request = paired()
    cloud.serve(cloud.the_instance.id, MemoryService(paths={"/": 200, "/health": 500}))
    group = cloud.target_group_named("nospof-www")
    check = replace(group.health_check, path="/health")
    cloud._target_groups[group.arn] = replace(group, health_check=check)
    with pytest.raises(TimedOut):
        undone(cloud, request)
    assert twin_of(cloud).state == "running"
    assert cloud.load_balancer_named("nospof-www")


def test_clients_that_may_come_through_the_balancer_need_the_owners_word():
    cloud, _, request = paired()
    says = refused(cloud, replace(request, clients_are_back=False))
    assert "--clients-are-back" in says
    assert cloud.load_balancers()[0].dns_name in says
    plan = undo_plan(memory_world(cloud), replace(request, clients_are_back=False))
    assert any("--clients-are-back" in warning for warning in plan.warnings)
    assert not any("--clients-are-back" in w for w in undo_plan(memory_world(cloud), request).warnings)


def test_names_that_lead_to_the_balancer_keep_it_whatever_the_owner_says():
    cloud, _, request = paired()
    cloud.lead("www.example.com", cloud.load_balancers()[0].dns_name)
    cloud.lead("other.example.com", "elsewhere")
    says = refused(cloud, request)
    assert "www.example.com in Route 53 lead to the load balancer" in says
    assert "other" not in says
    assert any("www.example.com" in warning for warning in undo_plan(memory_world(cloud), request).warnings)
    cloud.replace_records("Z1", cloud.record_sets("Z1"), ())
    undone(cloud, request)
    assert cloud.load_balancers() == ()


def test_names_that_may_not_be_read_are_said_not_to_be_checked():
    cloud, before, request = paired()
    cloud.deny("names_of")
    plan = undo_plan(memory_world(cloud), request)
    assert any(warning.startswith("not checked: which names") for warning in plan.warnings)
    undone(cloud, request)
    assert things(cloud) == before


def test_the_plan_names_every_call_in_order_and_changes_nothing():
    cloud, _, request = paired()
    before = things(cloud)
    cloud.calls.clear()
    plan = undo_plan(memory_world(cloud), request)
    assert cloud.writes == []
    assert things(cloud) == before
    undone(cloud, request)
    planned = [
        f"{'elasticloadbalancing' if c.service == 'elbv2' else 'ec2'}:{c.operation}" for c in plan.calls
    ]
    made = [OPERATIONS[call.name].aws_name for call in cloud.writes]
    assert list(dict.fromkeys(made)) == list(dict.fromkeys(planned))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda cloud, source: cloud.stop_instance(source), "is stopping"),
        (lambda cloud, source: cloud.serve(source, MemoryService(status=500)), "says 500"),
        (lambda cloud, source: cloud.serve(source, MemoryService(port=81)), "connection refused"),
        (lambda cloud, source: cloud.impair(source), "status checks fail"),
        (
            lambda cloud, source: cloud.tag(source, {TAG_GUARANTEE: str(Guarantee("take-9", 2e9))}),
            "another run works on",
        ),
        (lambda cloud, _: cloud.protect_from_termination(twin_of(cloud).id), "--no-disable-api-termination"),
        (
            lambda cloud, _: cloud.undeletable.update(one.arn for one in cloud.load_balancers()),
            "Key=deletion_protection.enabled,Value=false",
        ),
        (lambda cloud, _: cloud.join_auto_scaling_group(twin_of(cloud).id, "web"), "Auto Scaling group web"),
        (
            lambda cloud, _: cloud.tag(twin_of(cloud).id, {TAG_GUARANTEE: str(Guarantee("take-9", 2e9))}),
            "another run works on",
        ),
        (lambda cloud, _: cloud.deny("terminate_instance"), "ec2:TerminateInstances"),
    ],
)
def test_it_is_refused_untouched_where_the_source_would_not_serve_or_others_would_suffer(spoil, says):
    cloud, _, request = paired()
    spoil(cloud, cloud.the_instance.id)
    assert says in refused(cloud, request)


def test_a_twin_goes_whose_protection_is_its_sources_and_the_source_keeps_its_own():
    cloud = one_instance()
    source = cloud.the_instance.id
    cloud.protect_from_termination(source)
    before = things(cloud)
    request = told(cloud, "pair", RUN)
    twin = twin_of(cloud).id
    assert cloud.is_termination_protected(twin)
    plan = undo_plan(memory_world(cloud), request)
    (lifted,) = [call.says for call in plan.calls if call.operation == "ModifyInstanceAttribute"]
    assert lifted == f"let {twin} be terminated: it has its protection from {source}, which keeps its own"
    undone(cloud, request)
    assert things(cloud) == before
    assert cloud.is_termination_protected(source)


def test_nospof_does_not_terminate_the_instance_it_runs_on():
    cloud, _, request = paired()
    twin = twin_of(cloud).id
    world = replace(memory_world(cloud), whereabouts=lambda: Whereabouts(instance_id=twin))
    with pytest.raises(PreconditionFailed, match=f"nospof itself runs on {twin}"):
        MemorySteps("undo-1").tell(undo, world, request)


def test_a_protected_source_is_undone_without_a_touch_of_its_protection():
    cloud, _, request = paired()
    cloud.protect_from_stop(cloud.the_instance.id, on=True)
    cloud.deny("protect_from_stop")
    undone(cloud, request)
    assert cloud.is_stop_protected(cloud.the_instance.id)
    assert TAG_GUARANTEE not in cloud.the_instance.tags


def test_a_stranger_in_the_group_is_not_cut_off():
    cloud, _, request = paired()
    third = cloud.add_instance()
    group = cloud.target_group_named("nospof-www")
    cloud.register(group.arn, third.id, group.port)
    assert f"{third.id} serves in nospof-www" in refused(cloud, request)


def test_another_service_on_the_same_balancer_is_not_cut_off():
    cloud, _, request = paired()
    vpc = cloud.the_instance.vpc_id
    other = cloud.create_target_group(TargetGroupRequest("shop", vpc, 80, HealthCheck()))
    cloud.create_listener(cloud.load_balancers()[0].arn, 8443, other.arn)
    assert "shop is behind the load balancer as well" in refused(cloud, request)


def test_a_twin_that_a_pair_of_another_run_uses_is_not_taken_from_it():
    cloud = one_instance()
    of_clone = told(cloud, "clone", "clone-1")
    told(cloud, "pair", RUN)
    twin = twin_of(cloud).id
    assert f"{twin} serves in nospof-www" in refused(cloud, of_clone)


def test_a_pair_that_found_its_twin_leaves_it_and_says_whose_it_is():
    cloud = one_instance()
    of_clone = told(cloud, "clone", "clone-1")
    between = things(cloud)
    result = undone(cloud, told(cloud, "pair", RUN))
    assert things(cloud) == between
    assert result.left_alone == (f"the twin {twin_of(cloud).id}: clone-1 made it",)
    undone(cloud, of_clone, "undo-2")
    assert len(cloud.instances()) == 1


def test_what_lost_its_tag_is_left_alone_and_named():
    cloud, _, request = paired()
    image = cloud.images(TAG_RUN, RUN)[0]
    cloud.untag(image.id, (TAG_RUN,))
    balancer = cloud.load_balancers()[0]
    cloud._balancers[balancer.arn] = replace(balancer, tags={})
    plan = undo_plan(memory_world(cloud), request)
    assert f"stays: the image {image.id}: no tag says that a run made it" in plan.warnings
    assert "stays: the load balancer nospof-www: no tag says that a run made it" in plan.warnings
    assert {"DeregisterImage", "DeleteLoadBalancer"}.isdisjoint(call.operation for call in plan.calls)


def test_a_thing_that_loses_its_tag_while_the_run_goes_on_is_left_alone():
    cloud, _, request = paired()
    twin, guard = twin_of(cloud).id, cloud.security_groups(TAG_RUN, RUN)[0].id
    rules = cloud.ingress_rules(cloud.default_group)
    real = cloud.delete_load_balancer

    def retag(arn):
        real(arn)
        cloud.untag(twin, (TAG_RUN,))
        cloud.untag(guard, (TAG_RUN,))

    cloud.delete_load_balancer = retag
    removed = undone(cloud, request).removed
    assert not any(twin in what or "rule" in what for what in removed)
    assert cloud.instance(twin).state == "running"
    assert cloud.ingress_rules(cloud.default_group) == rules
    assert guard in cloud._groups


def test_an_image_that_others_were_launched_from_stays_with_its_snapshots():
    cloud, _, request = paired()
    image = cloud.images(TAG_RUN, RUN)[0]
    subnet = cloud.subnets(cloud.the_instance.vpc_id)[0]
    other = cloud.launch(LaunchRequest("token", image.id, "t3.small", subnet.id))
    result = undone(cloud, request)
    assert [one.id for one in cloud.images(TAG_RUN, RUN)] == [image.id]
    assert cloud.snapshots(TAG_RUN, RUN)
    assert any(image.id in left and other.id in left for left in result.left_alone)


def test_the_placement_group_that_holds_the_source_stays_and_says_why():
    cloud = one_instance(zone_count=1)
    request = told(cloud, "clone", RUN, same_zone=True)
    result = undone(cloud, request)
    (left,) = result.left_alone
    assert "moved out only while it is off" in left
    assert [group.name for group in cloud.placement_groups()] == [cloud.the_instance.placement_group]


def test_a_placement_group_the_source_is_not_in_goes():
    cloud = one_instance(zone_count=1)
    request = told(cloud, "clone", RUN, same_zone=True)
    source = cloud.the_instance
    cloud._instances[source.id] = replace(source, placement_group="")
    undone(cloud, request)
    assert cloud.placement_groups() == ()


def test_the_marks_the_source_had_before_are_given_back():
    tags = {"Name": "site", TAG_SERVICE: "old", "kept": "1"}
    cloud, before, request = paired(tags=tags)
    assert cloud.the_instance.tags[TAG_SERVICE] == "www"
    assert (request.service_before, request.state_before) == ("old", "")
    undone(cloud, request)
    assert cloud.the_instance.tags == tags
    assert things(cloud) == before


def test_a_rule_of_somebody_else_for_the_same_port_stays():
    cloud, _, request = paired()
    rule = IngressRule(80, cidr="10.0.0.0/8")
    cloud.allow(cloud.default_group, rule)
    plan = undo_plan(memory_world(cloud), request)
    assert [call.operation for call in plan.calls].count("RevokeSecurityGroupIngress") == 1
    undone(cloud, request)
    assert cloud.ingress_rules(cloud.default_group) == (rule,)


def test_a_security_group_that_is_needed_elsewhere_ends_the_run_after_all_else_is_done():
    cloud, _, request = paired()
    guard = cloud.security_groups(TAG_RUN, RUN)[0].id
    worn_by = cloud.add_instance()
    cloud._instances[worn_by.id] = replace(worn_by, security_groups=(guard,))
    with pytest.raises(TimedOut, match="DependencyViolation"):
        undone(cloud, request)
    assert cloud.instances(TAG_RUN, RUN) == ()
    assert cloud.snapshots(TAG_RUN, RUN) == ()


def test_a_second_undo_finds_nothing():
    cloud, _, request = paired()
    undone(cloud, request)
    assert "nothing that can be taken away" in refused(cloud, request)


def test_the_promise_is_released_at_the_end():
    cloud, _, request = paired()
    undone(cloud, request)
    assert TAG_GUARANTEE not in cloud.the_instance.tags


class TestRequests:
    """What the journal says of a run is enough to undo it."""

    def run(self, state, procedure="pair"):
        cloud = one_instance()
        source = cloud.the_instance.id
        steps = MemorySteps(RUN)
        request = PairRequest(source, service="www", stateless=True, port=80, health_path="/")
        steps.tell(pair, memory_world(cloud), request)
        run = run_of("pair", request, steps, state)
        return replace(run, procedure=procedure), cloud

    def test_a_run_that_ended_is_undone_with_what_it_made(self):
        run, cloud = self.run("done")
        request = undo_request(run, clients_are_back=True)
        assert (request.twin_id, request.image_id) == (twin_of(cloud).id, cloud.images(TAG_RUN, RUN)[0].id)
        assert (request.service, request.answered, request.path) == ("www", True, "/")

    @pytest.mark.parametrize(
        ("state", "says"),
        [
            ("running", "nospof runs stop pair-1"),
            ("refused", "nothing to undo"),
            ("elsewhere", "--take-over"),
        ],
    )
    def test_a_run_that_lives_or_did_nothing_is_not_undone(self, state, says):
        run, _ = self.run(state)
        with pytest.raises(PreconditionFailed, match=says):
            undo_request(run)

    def test_a_run_that_makes_nothing_cannot_be_undone(self):
        run, _ = self.run("done", procedure="take")
        with pytest.raises(UsageError, match="is a take"):
            undo_request(run)
