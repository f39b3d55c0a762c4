"""Pair: a balancer in front of the source and its twin, the twin proved before it takes traffic."""

from __future__ import annotations

from dataclasses import replace

from nospof.errors import PreconditionFailed
from nospof.model.answers import Answer
from nospof.model.cloud import (
    TAG_SERVICE,
    TAG_STATE,
    TAG_TWIN_OF,
    Instance,
    Tags,
)
from nospof.model.requests import CloneRequest, PairRequest
from nospof.model.results import PairResult
from nospof.planning.clone import plan_clone
from nospof.planning.concerns import CONSENTS
from nospof.planning.cut_over import cut_over
from nospof.planning.pair import PairPlan, is_open, plan_pair, resource_name, service_of
from nospof.planning.pair_rules import PairFacts
from nospof.planning.twin import CloneFacts
from nospof.ports.steps import Steps
from nospof.ports.world import World
from nospof.procedures.clone import clone, clone_facts, url_of, wait_until_ok
from nospof.procedures.entry import build_entry
from nospof.procedures.looking import look_inside
from nospof.procedures.membership import register, wait_healthy
from nospof.procedures.proving import verify, watch
from nospof.procedures.rehearse import rehearse

HTTP_PORT = 80


def pair(steps: Steps, world: World, request: PairRequest) -> PairResult:
    """Pair an instance with its twin. Guarantee: the source serves throughout."""
    facts = steps.read("look at the service and what surrounds it", pair_facts, world, request)
    plan = plan_pair(facts, request, steps.token)
    unchecked = steps.read(
        "ask the cloud whether it would allow each call of the pair", rehearse, world, plan.plan
    )
    for warning in (*plan.plan.warnings, *unchecked):
        world.reporter.warn(warning)
    source, twin, cloned = facts.source, facts.twin, None
    if twin is None:
        cloned = clone(steps, world, clone_request(request, zones_of(facts, plan)))
        twin = cloned.twin
    steps.do("wait until the twin passes its status checks", wait_until_ok, world, twin.id)
    group, balancer = build_entry(steps, world, plan)
    port = request.port
    twin_alone = (twin.id,)
    both = (source.id, twin.id)
    steps.do("register the twin", register, world, group.arn, twin.id, port)
    steps.do("wait until the balancer finds the twin healthy", wait_healthy, world, group.arn, twin_alone)
    url = f"http://{balancer.dns_name}:{request.listener_port}"
    steps.do(
        "ask the twin for a page",
        verify,
        world,
        twin.id,
        url,
        request,
        is_internal=plan.balancer.is_internal,
    )
    steps.do("register the source", register, world, group.arn, source.id, port)
    steps.do("wait until the balancer finds both healthy", wait_healthy, world, group.arn, both)
    marks = {TAG_SERVICE: plan.service, TAG_STATE: "none"}
    steps.do("mark both as members of the service", mark, world, both, marks)
    watched = steps.do("watch the pair serve", watch, world, f"{url}{request.health_path}", plan.balancer)
    return PairResult(
        service=plan.service,
        url=url,
        balancer_arn=balancer.arn,
        target_group_arn=group.arn,
        members=both,
        zones=(source.zone, twin.zone),
        watched_requests=watched,
        watched_failures=0,
        clone=cloned,
        next_steps=cut_over(source, facts.around, balancer, url),
    )


def zones_of(facts: PairFacts, plan: PairPlan) -> tuple[str, ...]:
    """Return where the balancer will stand, without the source's zone: elsewhere a twin gets no traffic."""
    zones = {subnet.zone for subnet in facts.subnets if subnet.id in plan.balancer.subnet_ids}
    return tuple(sorted(zones - {facts.source.zone}))


def clone_request(request: PairRequest, zones: tuple[str, ...] = ()) -> CloneRequest:
    """Return the clone a pair needs when there is no twin yet.

    Args:
        zones: where the twin may be, where the request names none; empty for anywhere.
    """
    return CloneRequest(
        request.instance_id,
        zone=request.zone or ("" if request.same_zone else ",".join(zones)),
        same_zone=request.same_zone,
        or_types=request.or_types,
        copy_user_data=request.copy_user_data,
        live=request.live,
        port=request.port,
        path=request.health_path,
        **{consent: getattr(request, consent) for consent in CONSENTS},
    )


def pair_facts(world: World, request: PairRequest) -> PairFacts:
    """Read everything the decision rests on."""
    cloud = world.cloud
    source = cloud.instance(request.instance_id)
    name = resource_name(service_of(source, request))
    twin = find_twin(world, source, request.twin_id)
    closed = (closed_group(world, member, request.port) for member in (source, twin) if member)
    rules = [rule for group in source.security_groups for rule in cloud.ingress_rules(group)]
    if twin:
        twin_zone, inside, around = twin.zone, look_inside(world, source), cloud.surroundings(source)
    else:
        asked = clone_request(request)
        of_clone = clone_facts(world, asked)
        twin_zone, inside, around = zone_of_clone(of_clone, asked), of_clone.inside, of_clone.around
    return PairFacts(
        source=source,
        twin=twin,
        twin_zone=twin_zone,
        subnets=cloud.subnets(source.vpc_id),
        closed=tuple(dict.fromkeys(filter(None, closed))),
        clients=tuple(rule for rule in rules if rule.port in (0, request.port)),
        balancer=cloud.load_balancer_named(name),
        target_group=cloud.target_group_named(name),
        answer=as_a_balancer_asks(world, source, request),
        around=around,
        inside=inside,
    )


def as_a_balancer_asks(world: World, member: Instance, request: PairRequest) -> Answer:
    """Ask a member for the page of the check with its own private address as Host, as a balancer does."""
    host = f"{member.private_ip}:{request.port}" if request.port != HTTP_PORT else member.private_ip
    answer = world.probe.get(url_of(member, request.port, request.health_path), host=host)
    return replace(answer, body="")


def zone_of_clone(facts: CloneFacts, asked: CloneRequest) -> str:
    """Return where the clone would put the twin; nothing where the clone, asked next, will refuse."""
    try:
        return plan_clone(facts, asked, "").twin_zone
    except PreconditionFailed:
        return ""


def closed_group(world: World, member: Instance, port: int) -> str:
    """Return the security group of an instance to open, or nothing when its port is open to all."""
    rules = [rule for group in member.security_groups for rule in world.cloud.ingress_rules(group)]
    return "" if is_open(rules, port) else next(iter(member.security_groups), "")


def find_twin(world: World, source: Instance, twin_id: str) -> Instance | None:
    """Return the twin asked for, or the newest running one the source has, or None."""
    if twin_id:
        return world.cloud.instance(twin_id)
    twins = [t for t in world.cloud.instances(tag=TAG_TWIN_OF, value=source.id) if t.state == "running"]
    return max(twins, key=lambda twin: (twin.launched_at, twin.id), default=None)


def mark(world: World, instance_ids: tuple[str, ...], tags: Tags) -> tuple[str, ...]:
    """Tag the members, so that the audit and later runs know them."""
    for instance_id in instance_ids:
        world.cloud.tag(instance_id, tags)
    return instance_ids
