"""Pair: a balancer in front of the source and its twin, the twin proved before it takes traffic."""

from __future__ import annotations

from nospof.errors import PreconditionFailed, ProcedureFailed
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
from nospof.planning.pair import PairFacts, PairPlan, is_open, plan_pair, resource_name, service_of
from nospof.ports.steps import Steps
from nospof.ports.world import World
from nospof.procedures.clone import clone, clone_facts, url_of, wait_until_ok
from nospof.procedures.rehearse import rehearse
from nospof.procedures.waiting import wait_for

BALANCER_SECONDS = 900.0
HEALTHY_SECONDS = 600.0
NAME_SECONDS = 600.0
"""A new balancer's name takes minutes to be known everywhere; "unknown" may be remembered as long."""
WATCHED_REQUESTS = 20


def pair(steps: Steps, world: World, request: PairRequest) -> PairResult:
    """Pair an instance with its twin. Guarantee: the source serves throughout."""
    facts = steps.read("look at the service and what surrounds it", pair_facts, world, request)
    plan = plan_pair(facts, request, steps.token)
    steps.read("ask the cloud whether it would allow each call of the pair", rehearse, world, plan.plan)
    source, twin, cloned = facts.source, facts.twin, None
    if twin is None:
        cloned = clone(steps, world, clone_request(request))
        twin = cloned.twin
    steps.do("wait until the twin passes its status checks", wait_until_ok, world, twin.id)
    group, balancer = build_entry(steps, world, plan)
    port = request.port
    twin_alone = (twin.id,)
    both = (source.id, twin.id)
    steps.do("register the twin", register, world, group.arn, twin.id, port)
    steps.do("wait until the balancer finds the twin healthy", wait_healthy, world, group.arn, twin_alone)
    url = f"http://{balancer.dns_name}:{request.listener_port}"
    steps.do("ask the twin for a page", verify, world, twin.id, url, request)
    steps.do("register the source", register, world, group.arn, source.id, port)
    steps.do("wait until the balancer finds both healthy", wait_healthy, world, group.arn, both)
    marks = {TAG_SERVICE: plan.service, TAG_STATE: "none"}
    steps.do("mark both as members of the service", mark, world, both, marks)
    failures = steps.do("watch the pair serve", watch, world, f"{url}{request.health_path}", WATCHED_REQUESTS)
    return PairResult(
        service=plan.service,
        url=url,
        balancer_arn=balancer.arn,
        target_group_arn=group.arn,
        members=both,
        zones=(source.zone, twin.zone),
        watched_requests=WATCHED_REQUESTS,
        watched_failures=failures,
        clone=cloned,
    )


def build_entry(steps: Steps, world: World, plan: PairPlan) -> tuple[TargetGroup, LoadBalancer]:
    """Build the way in: security group, target group, balancer, listener."""
    guard = steps.do("create the balancer's security group", create_guard, world, plan.security_group)
    steps.do(
        "let clients reach the balancer", allow, world, guard, IngressRule(plan.listener_port, "0.0.0.0/0")
    )
    for instances in plan.opens:
        rule = IngressRule(plan.target_group.port, from_group=guard)
        steps.do("let the balancer reach the instances", allow, world, instances, rule)
    group = steps.do("create the target group", create_group, world, plan.target_group)
    balancer = steps.do("create the load balancer", create_balancer, world, plan.balancer, guard)
    balancer = steps.do("wait until the balancer is active", wait_active, world, balancer.name)
    steps.do("create the listener", listen, world, balancer.arn, plan.listener_port, group.arn)
    return group, balancer


def clone_request(request: PairRequest) -> CloneRequest:
    """Return the clone a pair needs when there is no twin yet."""
    return CloneRequest(
        request.instance_id,
        zone=request.zone,
        same_zone=request.same_zone,
        port=request.port,
        path=request.health_path,
    )


def pair_facts(world: World, request: PairRequest) -> PairFacts:
    """Read everything the decision rests on."""
    cloud = world.cloud
    source = cloud.instance(request.instance_id)
    name = resource_name(service_of(source, request))
    twin = find_twin(world, source, request.twin_id)
    closed = (closed_group(world, member, request.port) for member in (source, twin) if member)
    return PairFacts(
        source=source,
        twin=twin,
        twin_zone=twin.zone if twin else zone_of_clone(world, request),
        subnets=cloud.subnets(source.vpc_id),
        closed=tuple(dict.fromkeys(filter(None, closed))),
        balancer=cloud.load_balancer_named(name),
        target_group=cloud.target_group_named(name),
        answer=world.probe.get(url_of(source, request.port, request.health_path)),
    )


def zone_of_clone(world: World, request: PairRequest) -> str:
    """Return where the clone would put the twin; nothing where the clone, asked next, will refuse."""
    asked = clone_request(request)
    try:
        return plan_clone(clone_facts(world, asked), asked, "").twin_zone
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
    """Make the listener."""
    return world.cloud.create_listener(balancer_arn, port, group_arn)


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


def verify(world: World, twin_id: str, url: str, request: PairRequest) -> str:
    """Ask for the page through the balancer, whose only member the twin is, and at the twin itself.

    This is how the twin is proved before it takes traffic: nobody else knows the balancer yet. Where a
    pair is made again the balancer may have other members, and then the twin's own answer counts; from
    where the twin cannot be reached, the balancer's check and its answer have to do.

    Raises:
        ProcedureFailed: the page is not good, or does not say what it must.
    """
    twin = world.cloud.instance(twin_id)
    own = world.probe.get(url_of(twin, request.port, request.health_path))
    through = wait_for(
        world,
        f"{url} to be reachable",
        lambda: world.probe.get(f"{url}{request.health_path}"),
        lambda answer: answer.status != 0,
        within_seconds=NAME_SECONDS,
        says=lambda answer: answer.says,
    )
    asked = (through, own) if own.status else (through,)
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
    return "; ".join(f"{answer.says} at {answer.url}" for answer in asked)


def mark(world: World, instance_ids: tuple[str, ...], tags: Tags) -> tuple[str, ...]:
    """Tag the members, so that the audit and later runs know them."""
    for instance_id in instance_ids:
        world.cloud.tag(instance_id, tags)
    return instance_ids


def watch(world: World, url: str, requests: int) -> int:
    """Ask through the balancer a number of times; return how many were not served.

    Raises:
        ProcedureFailed: at least one was not.
    """
    failures = []
    for number in range(requests):
        answer = world.probe.get(url)
        if not answer.is_good:
            failures.append(answer.says)
        world.reporter.progress(f"watched {number + 1} of {requests} requests", (number + 1) / requests)
        world.clock.sleep(0.1)
    if failures:
        raise ProcedureFailed(
            f"{len(failures)} of {requests} requests through {url} were not served (first: {failures[0]}). "
            "The source still answers at its own address; nothing was pointed at the balancer"
        )
    return 0
