"""Pair: a balancer in front of the source and its twin, the twin proved before it takes traffic."""

from __future__ import annotations

from dataclasses import replace

from nospof.errors import PreconditionFailed, ProcedureFailed
from nospof.model.cloud import (
    TAG_TWIN_OF,
    Instance,
    LoadBalancer,
)
from nospof.model.requests import CloneRequest, PairRequest
from nospof.model.results import CloneResult, PairResult
from nospof.planning.certificates import names_for
from nospof.planning.clone import plan_clone
from nospof.planning.concerns import CONSENTS
from nospof.planning.cut_over import cut_over
from nospof.planning.https_rules import HTTPS_PORT, protocol_of
from nospof.planning.joining import JoinPlan, as_served, chosen, zones_for_twin
from nospof.planning.members import marks_of
from nospof.planning.pair import PairPlan, is_open, plan_way_in, resource_name, service_of
from nospof.planning.pair_rules import PairFacts, keeps_something
from nospof.planning.twin import CloneFacts
from nospof.ports.steps import Steps
from nospof.ports.world import World
from nospof.procedures.clone import clone_facts, copy, on_at_last, prepare, wait_until_ok
from nospof.procedures.data import data_facts, keep_in_step, stand_alone
from nospof.procedures.entry import build_entry
from nospof.procedures.external import with_stores
from nospof.procedures.files import files_facts, share_files
from nospof.procedures.joining import join, standings
from nospof.procedures.looking import look_inside
from nospof.procedures.membership import mark, register, wait_healthy
from nospof.procedures.mounting import mount_at_twin, mounts_facts, move_files
from nospof.procedures.proving import At, as_a_balancer_asks, verify, watch, write_to
from nospof.procedures.rehearse import ask_first
from nospof.procedures.way_in import ask_as_behind_tls, ask_on_443, walk_in


def pair(steps: Steps, world: World, request: PairRequest) -> PairResult:
    """Pair an instance with its twin. Guarantee: the source serves throughout."""
    facts = steps.read("look at the service and what surrounds it", pair_facts, world, request)
    plan = plan_way_in(facts, request, steps.token)
    ask_first(steps, world, plan.plan, plan.plan.warnings, of=" of the pair")
    source, asked = facts.source, clone_for(request, facts, plan)
    twin, cloned = have_a_twin(steps, world, facts, plan, asked)
    if plan.data:
        keep_in_step(steps, world, plan.data, source, twin, request)
    if plan.files:
        share_files(steps, world, plan.files, source, twin)
    if plan.mounts:
        mount_at_twin(steps, world, plan.mounts, twin)
    short = cloned if cloned and cloned.no_room else None
    if isinstance(plan, JoinPlan):
        joined = join(steps, world, request, plan, source, twin, is_alone=short is not None)
        if short:
            cloned = on_at_last(
                steps, world, short, asked, f"its twin {twin.id} serves alone at {joined.url}"
            )
        return replace(joined, clone=cloned)
    group, balancer = build_entry(steps, world, plan)
    port = request.port
    twin_alone = (twin.id,)
    both = (source.id, twin.id)
    steps.do("register the twin", register, world, group.arn, twin.id, port)
    steps.do("wait until the balancer finds the twin healthy", wait_healthy, world, group.arn, twin_alone)
    url, host = entry_of(balancer, plan)
    prove(steps, world, facts, plan, request, twin.id, balancer)
    if short:
        cloned = on_at_last(steps, world, short, asked, f"its twin {twin.id} serves alone at {url}")
    steps.do("register the source", register, world, group.arn, source.id, port)
    steps.do("wait until the balancer finds both healthy", wait_healthy, world, group.arn, both)
    marks = marks_of(plan.service, is_kept=keeps_something(facts, stateless=request.stateless))
    steps.do("mark both as members of the service", mark, world, both, marks)
    watched = steps.do(
        "watch the pair serve",
        watch_the_new_way_in,
        world,
        f"{url}{request.health_path}",
        is_internal=plan.balancer.is_internal,
        host=host,
    )
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
        next_steps=cut_over(source, facts.around, balancer, clients_go_to(balancer, plan), plan.service),
        names=plan.secure.names if plan.secure else (),
    )


def have_a_twin(
    steps: Steps, world: World, facts: PairFacts, plan: PairPlan | JoinPlan, asked: CloneRequest
) -> tuple[Instance, CloneResult | None]:
    """Return a twin whose status checks pass, and the clone where it was made for this.

    Directories move to EFS before, so that the copy is born with them. A database that its copy is to join
    becomes a cluster before: whoever has to restart it does so while little else has been changed.
    """
    prepared = None if facts.twin else prepare(steps, world, asked)
    if plan.mounts:
        move_files(steps, world, plan.mounts, facts.source)
    if plan.data:
        stand_alone(steps, world, plan.data, facts.source)
    cloned = copy(steps, world, asked, prepared) if prepared else None
    twin = cloned.twin if cloned else facts.twin
    assert twin is not None  # noqa: S101 - there or cloned
    steps.do("wait until the twin passes its status checks", wait_until_ok, world, twin.id)
    if plan.data and cloned and cloned.no_room:
        closed = f"its twin {twin.id} has a copy of its data that nobody may write to"
        cloned = replace(on_at_last(steps, world, cloned, asked, closed), no_room="")
    return twin, cloned


def prove(
    steps: Steps,
    world: World,
    facts: PairFacts,
    plan: PairPlan,
    request: PairRequest,
    twin_id: str,
    balancer: LoadBalancer,
) -> None:
    """Prove the twin through a balancer that nobody else knows yet."""
    url, host = entry_of(balancer, plan)
    inside = plan.balancer.is_internal
    asked = (twin_id, url, request)
    steps.do("ask the twin for a page", verify, world, *asked, is_internal=inside, host=host)
    if plan.secure:
        cidrs = tuple(one.cidr for one in facts.subnets if one.id in plan.balancer.subnet_ids)
        tried = (balancer.dns_name, plan.secure, request, cidrs, inside)
        steps.do("walk in by the balancer as clients will", walk_in, world, *tried)
    if request.write_check:
        written = (twin_id, At(request.port, host=host), url, request.write_check)
        steps.do("write to the twin and read it back", write_to, world, *written)


def entry_of(balancer: LoadBalancer, plan: PairPlan) -> tuple[str, str]:
    """Return where the pair is asked until a name leads there, and by which name: by none over plain HTTP."""
    if plan.secure is None:
        return f"http://{balancer.dns_name}:{plan.listener_port}", ""
    return f"https://{balancer.dns_name}:{plan.secure.port}", plan.secure.names[0]


def clients_go_to(balancer: LoadBalancer, plan: PairPlan) -> str:
    """Return where clients are pointed: over TLS they keep their name, and only it leads elsewhere."""
    return balancer.dns_name if plan.secure else entry_of(balancer, plan)[0]


def watch_the_new_way_in(world: World, url: str, *, is_internal: bool, host: str = "") -> int:
    """Watch a balancer that no client knows yet.

    Raises:
        ProcedureFailed: at least one request was not served.
    """
    try:
        return watch(world, url, is_internal=is_internal, host=host)
    except ProcedureFailed as error:
        raise ProcedureFailed(
            f"{error}. The source still answers at its own address; nothing was pointed at the balancer"
        ) from error


def clone_for(request: PairRequest, facts: PairFacts, plan: PairPlan | JoinPlan) -> CloneRequest:
    """Return the clone that a plan needs: where no balancer stands, or will, a twin gets no traffic."""
    if isinstance(plan, JoinPlan):
        return clone_request(as_served(request, plan.standings), plan.zones)
    zones = {subnet.zone for subnet in facts.subnets if subnet.id in plan.balancer.subnet_ids}
    return clone_request(request, () if request.same_zone else tuple(sorted(zones - {facts.source.zone})))


def clone_request(request: PairRequest, zones: tuple[str, ...] = ()) -> CloneRequest:
    """Return the clone a pair needs when there is no twin yet.

    Args:
        zones: where the twin may be, where the request names none; empty for anywhere.
    """
    return CloneRequest(
        request.instance_id,
        zone=request.zone or ",".join(zones),
        same_zone=request.same_zone,
        or_types=request.or_types,
        or_type_for_source=request.or_type_for_source,
        copy_user_data=request.copy_user_data,
        live=request.live,
        hold_seconds=request.hold_seconds,
        require_consistent=request.require_consistent,
        port=request.port,
        path=request.health_path,
        dead_man_seconds=request.dead_man_seconds,
        dead_man_role=request.dead_man_role,
        **{consent: getattr(request, consent) for consent in CONSENTS},
    )


def pair_facts(world: World, request: PairRequest) -> PairFacts:
    """Read everything the decision rests on."""
    cloud = world.cloud
    source = cloud.instance(request.instance_id)
    behind = standings(world, source, request)
    joined = chosen(behind, request)
    request = as_served(request, joined)
    name = resource_name(service_of(source, request))
    twin = find_twin(world, source, request.twin_id)
    closed = (closed_group(world, member, request.port) for member in (source, twin) if member)
    rules = [rule for group in source.security_groups for rule in cloud.ingress_rules(group)]
    certificates = cloud.certificates() if request.certificate else ()
    if twin:
        twin_zone, inside, around = twin.zone, look_inside(world, source), cloud.surroundings(source)
    else:
        asked = clone_request(request, zones_for_twin(joined, source, request))
        of_clone = clone_facts(world, asked)
        twin_zone, inside, around = zone_of_clone(of_clone, asked), of_clone.inside, of_clone.around
    names = names_for(request, around, certificates)
    named = tuple(name for name in names if not name.startswith("*."))
    makes_one, scheme = not joined and not request.balancer, protocol_of(request.port).lower()
    facts = PairFacts(
        source=source,
        twin=twin,
        twin_zone=twin_zone,
        subnets=cloud.subnets(source.vpc_id),
        closed=tuple(dict.fromkeys(filter(None, closed))),
        clients=tuple(rule for rule in rules if rule.port in (0, request.port)),
        balancer=cloud.load_balancer_named(name),
        target_group=cloud.target_group_named(name),
        answer=as_a_balancer_asks(world, source, request.port, request.health_path, scheme),
        around=around,
        inside=inside,
        behind=behind,
        auto_scaling_group=cloud.auto_scaling_group_of(source.id) if joined else "",
        now=world.clock.now(),
        names=names,
        certificates=certificates,
        on_443=ask_on_443(world, source, named) if makes_one and request.port != HTTPS_PORT else None,
        trails=ask_as_behind_tls(world, source, named, request) if request.certificate else (),
        secure_clients=tuple(rule for rule in rules if rule.port in (0, HTTPS_PORT)),
        data=data_facts(world, source, inside, request, twin),
        files=files_facts(world, source, request),
        mounts=mounts_facts(world, source, request),
    )
    return with_stores(world, facts)


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
