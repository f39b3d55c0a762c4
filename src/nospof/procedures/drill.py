"""Drill: break one member of a service under load, and count what its clients saw."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from nospof.errors import NospofError, PreconditionFailed, UsageError
from nospof.model.answers import Answer
from nospof.model.cloud import TAG_SERVICE, Instance, Listener, LoadBalancer, Target, TargetGroup
from nospof.model.drill import Fault, LoadResult, LoadSpec, Objective, Verdict
from nospof.model.layout import Layout
from nospof.model.requests import DrillRequest
from nospof.model.results import DrillResult
from nospof.model.sharing import Sharing
from nospof.planning.clone import refuse_what_another_run_holds
from nospof.planning.members import plan_drill
from nospof.planning.preflight import refuse_what_must_not_stop
from nospof.planning.verdict import is_steady, judge, with_writes
from nospof.ports.load import LoadRun
from nospof.ports.steps import Steps
from nospof.ports.world import World
from nospof.procedures.auto_scaling import group_of
from nospof.procedures.clone import wait_until_ok
from nospof.procedures.data import layout_in_step, wait_in_step
from nospof.procedures.files import sharing_in_step, wait_files_in_step
from nospof.procedures.guarantee import is_impaired, promise, release
from nospof.procedures.membership import wait_healthy
from nospof.procedures.power import bring_back, stop
from nospof.procedures.rehearse import ask_first
from nospof.procedures.waiting import ask
from nospof.procedures.writing import places_of, refuse_unless_taken, verdicts_on, wait_until_taken, writing

FAULTS = ("kill", "stop")
SHORTEST_SECONDS = 12
STEADY_SHARE = 0.25
"""The first quarter of the load proves that the service is whole before it is broken."""
BACK_SHARE = 0.6
"""After this share of the load the member is brought back, so that its return is under load too."""
AFTER_SHARE = 0.2
"""So long, at least, the service is seen whole again before it is judged."""
BEGIN_SECONDS = 60.0
"""The load comes from a program of its own, whose start takes a while where the computer is busy."""
RETURN_SECONDS = 600
"""The load goes on until the member serves again, at most so long past what was asked for."""


@dataclass(frozen=True)
class ServiceFacts:
    """A service as it stands before it is broken, with who keeps its data and who shares its files."""

    group: TargetGroup
    balancer: LoadBalancer
    listener: Listener
    targets: tuple[Target, ...]
    victim: str
    victim_instance: Instance
    answer: Answer
    layout: Layout | None = None
    sharing: Sharing | None = None

    @property
    def members(self) -> tuple[str, ...]:
        """The instances that serve."""
        return tuple(sorted({target.instance_id for target in self.targets}))

    def url(self, path: str) -> str:
        """Return where clients come in."""
        return url_of_entry(self.balancer, self.listener, path)


def url_of_entry(balancer: LoadBalancer, listener: Listener, path: str) -> str:
    """Return a page's address at a balancer."""
    return f"{listener.protocol.lower()}://{balancer.dns_name}:{listener.port}{path}"


def drill(steps: Steps, world: World, request: DrillRequest) -> DrillResult:
    """Break a member and judge. Guarantee: the member is running and serves again at the end."""
    facts = steps.read("look at the service", service_facts, world, request)
    refuse_to_break_what_is_not_whole(facts, request)
    refuse_what_another_run_holds(facts.victim_instance, steps.token)
    steps.read("see whether this fault can be put here", check_fault, world, facts, request.fault)
    victim = facts.victim
    plan = plan_drill(victim, steps.token)
    ask_first(steps, world, plan)
    steps.do("promise that the member comes back", promise, world, victim, steps.token, must_work=True)
    verdict = steps.do(
        f"load the service and {request.fault} {victim}", load_and_break, world, facts, request, steps.token
    )
    steps.do("bring the member back", restore, world, victim)
    steps.do("wait until it passes its status checks", wait_until_ok, world, victim)
    if facts.layout:
        steps.do("wait until its data is in step", wait_in_step, world, facts.layout)
    if facts.sharing:
        steps.do("wait until its files are in step", wait_files_in_step, world, facts.sharing)
    steps.do("wait until all members are healthy", wait_healthy, world, facts.group.arn, facts.members)
    steps.do("release the promise", release, world, victim, steps.token)
    return DrillResult(request.service, facts.url(request.path), request.fault, victim, verdict)


def service_facts(world: World, request: DrillRequest) -> ServiceFacts:
    """Find the service's way in by its tag, and its members."""
    cloud = world.cloud
    groups = [group for group in cloud.target_groups() if group.tags.get(TAG_SERVICE) == request.service]
    groups = groups or joined_groups(world, request.service)
    if not groups:
        known = sorted({g.tags[TAG_SERVICE] for g in cloud.target_groups() if TAG_SERVICE in g.tags})
        raise UsageError(
            f"no target group is tagged {TAG_SERVICE}={request.service}, and none has just its members; "
            f"known services: {', '.join(known) or 'none; make one with nospof pair'}"
        )
    group = groups[0]
    for balancer in cloud.load_balancers():
        for listener in cloud.listeners(balancer.arn):
            if group.arn in dict(listener.forwards_to):
                targets = cloud.targets(group.arn)
                victim = victim_among(targets, request)
                instance = cloud.instance(victim)
                return ServiceFacts(
                    group,
                    balancer,
                    listener,
                    targets,
                    victim,
                    instance,
                    ask_for_page(world, balancer, listener, request),
                    layout_in_step(world, instance),
                    sharing_in_step(world, instance),
                )
    raise PreconditionFailed(f"no balancer forwards to {group.name}; there is nothing to drill yet")


def ask_for_page(world: World, balancer: LoadBalancer, listener: Listener, request: DrillRequest) -> Answer:
    """Return how the service answers at its way in.

    Raises:
        UsageError: TLS ends there, and nobody said for which name.
    """
    if listener.protocol == "HTTPS" and not request.name:
        raise UsageError(
            f"{balancer.name} ends TLS, and its certificate is for the name clients use; say it: "
            "--name www.example.org"
        )
    answer = world.probe.get(url_of_entry(balancer, listener, request.path), host=request.name)
    return replace(answer, body="", cookies="")


def joined_groups(world: World, service: str) -> list[TargetGroup]:
    """Return the groups of others in which all marked members of a service are, and nobody else."""
    members = world.cloud.instances(TAG_SERVICE, service)
    return [
        group
        for group in (world.cloud.target_groups() if members else ())
        if group.balancer_arns
        and TAG_SERVICE not in group.tags
        and {one.instance_id for one in world.cloud.targets(group.arn)} == {one.id for one in members}
    ]


def victim_among(targets: tuple[Target, ...], request: DrillRequest) -> str:
    """Return the member to break: the one asked for, else the first by id."""
    members = sorted({target.instance_id for target in targets})
    victim = request.instance_id or next(iter(members), "")
    if victim not in members:
        raise UsageError(
            f"{victim or 'nobody'} is no member of {request.service}; members: {', '.join(members) or 'none'}"
        )
    return victim


def refuse_to_break_what_is_not_whole(facts: ServiceFacts, request: DrillRequest) -> None:
    """Refuse a drill that would be an outage, or would prove nothing (C64)."""
    if request.fault not in FAULTS:
        raise UsageError(f"there is no fault {request.fault!r}; there are: {', '.join(FAULTS)}")
    if request.seconds < SHORTEST_SECONDS:
        raise UsageError(f"a drill needs at least {SHORTEST_SECONDS} s to see the service before and after")
    if not facts.answer.is_good:
        raise PreconditionFailed(
            f"{facts.answer.url} answers {facts.answer.says} while nothing is broken, so a drill would prove "
            "nothing. Name a page that answers well with --path. Nothing was changed."
        )
    sick = [f"{target.instance_id} is {target.state}" for target in facts.targets if not target.is_healthy]
    if sick or len(facts.members) < 2:
        raise PreconditionFailed(
            f"{request.service} is not whole, so it is not broken on purpose: "
            f"{'; '.join(sick) or 'it has one member'}. Nothing was changed."
        )


def check_fault(world: World, facts: ServiceFacts, kind: str) -> str:
    """Return the fault's name when it can be put here and the victim survives being brought back."""
    world.faults.refuse_unless_possible(kind)
    refuse_what_must_not_stop(
        world.cloud.instance(facts.victim),
        group_of(world, facts.victim),
        is_stop_protected=world.cloud.is_stop_protected(facts.victim),
    )
    return kind


def load_and_break(world: World, facts: ServiceFacts, request: DrillRequest, run_id: str) -> Verdict:
    """Load, see that it is steady, break, watch, bring back, read back what was written, and judge the whole.

    The guarantee is written again: a keeper may have kept and released it before this run was resumed.
    """
    longest = request.seconds + RETURN_SECONDS
    spec = LoadSpec(facts.url(request.path), request.rate_per_second, longest, host=request.name)
    clock = world.clock
    with (
        writing(world, facts.url(""), request.writes, seconds=longest, host=request.name) as written,
        world.load.start(spec) as load,
    ):
        began = wait_begun(world, load)
        hold(world, load, until=began + request.seconds * STEADY_SHARE, says="before the fault")
        steadiness = is_steady(load.snapshot(), facts.members)
        if not steadiness.is_steady:
            raise PreconditionFailed(
                f"{request.service} is not steady under {request.rate_per_second}/s before anything was "
                f"broken: {'; '.join(steadiness.reasons)}"
            )
        refuse_unless_taken(world, written, facts.url(""))
        promise(world, facts.victim, run_id, must_work=True)
        broken_at = clock.now()
        try:
            put_fault(world, request.fault, facts.victim)
            back_at = began + request.seconds * BACK_SHARE
            detected_at = watch_detection(world, load, facts, until=back_at)
        finally:
            seen = replace(world, clock=Seeing(world, load, "the member comes back"))
            restore(seen, facts.victim)
        wait_healthy(seen, facts.group.arn, facts.members)
        wait_until_taken(world, written)
        ended_at = clock.now()
        after = max(began + request.seconds, ended_at + request.seconds * AFTER_SHARE)
        hold(world, load, until=after, says="after the fault")
        load.stop()
        result: LoadResult = load.finish()
        places = places_of(world, facts.url(""), facts.group, facts.targets) if written else ()
        writes = verdicts_on(world, written, places, Objective())
    fault = Fault(request.fault, facts.victim, broken_at, ended_at, detected_at)
    return with_writes(judge(result, (fault,), Objective()), writes)


def wait_begun(world: World, load: LoadRun) -> float:
    """Wait until requests fall due, and return when; what is to be seen of them is counted from here."""
    patience = world.clock.now() + BEGIN_SECONDS
    while not load.snapshot().due and world.clock.now() < patience:
        world.reporter.progress("the load begins")
        world.clock.sleep(world.poll_seconds)
    return world.clock.now()


def hold(world: World, load: LoadRun, *, until: float, says: str) -> None:
    """Let the load go on, and say how it goes."""
    while world.clock.now() < until:
        world.reporter.loaded(says, load.snapshot())
        world.clock.sleep(world.poll_seconds)


class Seeing:
    """A clock by which a load is told of while something else is waited for."""

    def __init__(self, world: World, load: LoadRun, phase: str) -> None:
        self._world, self._load, self._phase = world, load, phase

    def now(self) -> float:
        """Return seconds since the epoch, UTC."""
        return self._world.clock.now()

    def sleep(self, seconds: float) -> None:
        """Tell of the load and wait. That it ended is said by who needs it: this also brings members back."""
        with suppress(NospofError):
            self._world.reporter.loaded(self._phase, self._load.snapshot())
        self._world.clock.sleep(seconds)


def put_fault(world: World, kind: str, instance_id: str) -> None:
    """Break the instance."""
    if kind == "kill":
        world.faults.kill(instance_id)
    else:
        ask(lambda: world.cloud.stop_instance(instance_id))


def watch_detection(world: World, load: LoadRun, facts: ServiceFacts, *, until: float) -> float | None:
    """Watch until the time, and return when the balancer stopped calling the victim healthy."""
    detected_at = None
    while world.clock.now() < until:
        seen = load.snapshot()
        if detected_at is None:
            healthy = {t.instance_id for t in world.cloud.targets(facts.group.arn) if t.is_healthy}
            detected_at = None if facts.victim in healthy else world.clock.now()
        world.reporter.loaded("broken, noticed" if detected_at else "broken, not noticed yet", seen)
        world.clock.sleep(world.poll_seconds)
    return detected_at


def restore(world: World, instance_id: str) -> str:
    """Bring a broken member back: stop what only seems to run, and start it. Safe to repeat."""
    if is_impaired(world, world.cloud.instance(instance_id)):
        stop(world, instance_id)
    return bring_back(world, instance_id).state
