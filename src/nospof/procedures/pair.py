"""Pair: a balancer in front of the source and its twin, the twin proved before it takes traffic."""

from __future__ import annotations

from dataclasses import replace

from nospof.errors import PreconditionFailed, ProcedureFailed
from nospof.model.answers import Answer
from nospof.model.cloud import (
    TAG_SERVICE,
    TAG_STATE,
    TAG_TWIN_OF,
    IngressRule,
    Instance,
    Listener,
    LoadBalancer,
    LoadBalancerRequest,
    SecurityGroupRequest,
    Tags,
    Target,
    TargetGroup,
    TargetGroupRequest,
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
from nospof.procedures.looking import look_inside
from nospof.procedures.rehearse import rehearse
from nospof.procedures.waiting import TimedOut, wait_for

HTTP_PORT = 80
BALANCER_SECONDS = 900.0
HEALTHY_SECONDS = 600.0
FIRST_ANSWERS_SECONDS = 30.0
"""The nodes of a new balancer learn of a healthy target one after the other."""
NAME_SECONDS = 600.0
"""A new balancer's name takes minutes to be known everywhere; "unknown" may be remembered as long."""
WATCHED_REQUESTS = 20


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


def build_entry(steps: Steps, world: World, plan: PairPlan) -> tuple[TargetGroup, LoadBalancer]:
    """Build the way in: security group, target group, balancer, listener."""
    guard = steps.do("create the balancer's security group", create_guard, world, plan.security_group)
    steps.do("let clients reach the balancer", allow_all, world, guard, plan.clients)
    for instances in plan.opens:
        rule = IngressRule(plan.target_group.port, from_group=guard)
        steps.do("let the balancer reach the instances", allow, world, instances, rule)
    group = steps.do("create the target group", create_group, world, plan.target_group)
    balancer = steps.do("create the load balancer", create_balancer, world, plan.balancer, guard)
    balancer = steps.do("wait until the balancer is active", wait_active, world, balancer.name)
    steps.do("create the listener", listen, world, balancer.arn, plan.listener_port, group.arn)
    return group, balancer


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


def create_guard(world: World, request: SecurityGroupRequest) -> str:
    """Make the balancer's security group; return its id."""
    return world.cloud.create_security_group(request)


def allow_all(world: World, group_id: str, rules: tuple[IngressRule, ...]) -> str:
    """Open a security group for several rules; return the group's id."""
    for rule in rules:
        world.cloud.allow(group_id, rule)
    return group_id


def allow(world: World, group_id: str, rule: IngressRule) -> str:
    """Open a security group for a rule; return the group's id."""
    world.cloud.allow(group_id, rule)
    return group_id


def create_group(world: World, request: TargetGroupRequest) -> TargetGroup:
    """Make the target group."""
    return world.cloud.create_target_group(request)


def create_balancer(world: World, request: LoadBalancerRequest, guard: str) -> LoadBalancer:
    """Make the balancer behind its security group."""
    guarded = LoadBalancerRequest(
        request.name, request.subnet_ids, (guard,), request.is_internal, request.tags
    )
    return world.cloud.create_load_balancer(guarded)


def wait_active(world: World, name: str) -> LoadBalancer:
    """Wait until the balancer serves."""

    def is_active(balancer: LoadBalancer | None) -> bool:
        if balancer and balancer.state == "failed":
            raise ProcedureFailed(f"the balancer {name} ended failed; delete it and resume")
        return balancer is not None and balancer.state == "active"

    balancer = wait_for(
        world,
        f"the balancer {name} to be active",
        lambda: world.cloud.load_balancer_named(name),
        is_active,
        within_seconds=BALANCER_SECONDS,
        says=lambda found: found.state if found else "not listed yet",
    )
    if balancer is None:
        raise ProcedureFailed(f"the balancer {name} is gone: somebody deleted it during the run")
    return balancer


def listen(world: World, balancer_arn: str, port: int, group_arn: str) -> Listener:
    """Make the listener.

    Raises:
        ProcedureFailed: the port is taken by a listener that leads elsewhere.
    """
    listener = world.cloud.create_listener(balancer_arn, port, group_arn)
    if group_arn not in dict(listener.forwards_to):
        raise ProcedureFailed(
            f"port {port} of the balancer already leads elsewhere ({listener.arn}); nothing was changed "
            "there. Choose another --listener-port"
        )
    return listener


def register(world: World, group_arn: str, instance_id: str, port: int) -> str:
    """Put an instance into the group."""
    world.cloud.register(group_arn, instance_id, port)
    return instance_id


def wait_healthy(world: World, group_arn: str, instance_ids: tuple[str, ...]) -> tuple[Target, ...]:
    """Wait until the balancer itself finds every one of these healthy."""

    def are_healthy(targets: tuple[Target, ...]) -> bool:
        return {target.instance_id for target in targets if target.is_healthy} >= set(instance_ids)

    return wait_for(
        world,
        f"{' and '.join(instance_ids)} to be healthy",
        lambda: world.cloud.targets(group_arn),
        are_healthy,
        within_seconds=HEALTHY_SECONDS,
        says=lambda targets: "; ".join(
            f"{target.instance_id} {target.state} {target.reason} {target.description}".strip()
            for target in targets
        ),
    )


def verify(world: World, twin_id: str, url: str, request: PairRequest, *, is_internal: bool) -> str:
    """Ask for the page through the balancer, whose only member the twin is, and at the twin itself.

    This is how the twin is proved before it takes traffic: nobody else knows the balancer yet. Where a
    pair is made again the balancer may have other members, and then the twin's own answer counts; from
    where the twin or an internal balancer cannot be reached, the balancer's own check has to do, and
    the answer says so.

    Raises:
        ProcedureFailed: the page is not good, or does not say what it must.
        TimedOut: the balancer's name is not known even after ten minutes.
    """
    twin = world.cloud.instance(twin_id)
    own = world.probe.get(url_of(twin, request.port, request.health_path))
    through = ask_through(world, f"{url}{request.health_path}", NAME_SECONDS if not is_internal else 0.0)
    asked = tuple(answer for answer in (through, own) if answer.status)
    if not asked and not is_internal:
        raise TimedOut(f"{url} could not be reached: {through.says}; it has taken no traffic")
    for answer in asked:
        if not answer.is_good:
            raise ProcedureFailed(
                f"the twin {twin_id} answers {answer.says} at {answer.url}; it has taken no traffic. Mend it "
                "and resume"
            )
        if request.expect and request.expect not in answer.body:
            raise ProcedureFailed(
                f"the twin's page at {answer.url} does not contain {request.expect!r}; it has taken no "
                "traffic"
            )
    if not asked:
        return "not asked: neither the twin nor its internal balancer can be reached from here"
    return "; ".join(f"{answer.says} at {answer.url}" for answer in asked)


def ask_through(world: World, url: str, name_seconds: float) -> Answer:
    """Return the balancer's answer: its name may be unknown for minutes, its first answers errors."""
    began = world.clock.now()
    answered_at: float | None = None
    while True:
        answer = world.probe.get(url)
        now = world.clock.now()
        if answer.status and answered_at is None:
            answered_at = now
        ends = began + name_seconds if answered_at is None else answered_at + FIRST_ANSWERS_SECONDS
        if answer.is_good or now >= ends:
            return answer
        world.reporter.progress(f"waiting for {url}: {answer.says}")
        world.clock.sleep(world.poll_seconds)


def mark(world: World, instance_ids: tuple[str, ...], tags: Tags) -> tuple[str, ...]:
    """Tag the members, so that the audit and later runs know them."""
    for instance_id in instance_ids:
        world.cloud.tag(instance_id, tags)
    return instance_ids


def watch(world: World, url: str, balancer: LoadBalancerRequest) -> int:
    """Ask through the balancer a number of times, all of which must be served; return how many.

    An internal balancer that cannot be reached from here is not watched: 0.

    Raises:
        ProcedureFailed: at least one was not served.
    """
    if balancer.is_internal and not world.probe.get(url).status:
        return 0
    failures = []
    for number in range(WATCHED_REQUESTS):
        answer = world.probe.get(url)
        if not answer.is_good:
            failures.append(answer.says)
        world.reporter.progress(
            f"watched {number + 1} of {WATCHED_REQUESTS} requests", (number + 1) / WATCHED_REQUESTS
        )
        world.clock.sleep(0.1)
    if failures:
        raise ProcedureFailed(
            f"{len(failures)} of {WATCHED_REQUESTS} requests through {url} were not served (first: "
            f"{failures[0]}). The source still answers at its own address; nothing was pointed at the "
            "balancer"
        )
    return WATCHED_REQUESTS
