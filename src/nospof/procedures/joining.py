"""Join: the twin is put beside its source behind a balancer that is there; its clients see nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nospof.errors import CloudError, NospofError, ProcedureFailed
from nospof.model.answers import Answer
from nospof.model.cloud import (
    TAG_SERVICE,
    Instance,
    LoadBalancer,
    Seat,
    Target,
    TargetGroup,
)
from nospof.model.requests import PairRequest
from nospof.model.results import PairResult
from nospof.model.standing import Standing
from nospof.planning.joining import JoinPlan
from nospof.planning.members import marks_of
from nospof.ports.steps import Steps
from nospof.ports.world import World
from nospof.procedures.membership import mark, register, wait_healthy
from nospof.procedures.proving import (
    At,
    as_a_balancer_asks,
    files_of,
    refuse_a_bad_page,
    refuse_another_page,
    watch,
    write_to,
)

PLAIN = ("HTTP", "TCP", "TCP_UDP")
"""The listeners that can be asked in plain HTTP."""


def join(
    steps: Steps,
    world: World,
    request: PairRequest,
    plan: JoinPlan,
    source: Instance,
    twin: Instance,
    *,
    is_alone: bool = False,
) -> PairResult:
    """Put the twin beside its source behind each balancer; every step can be repeated.

    Args:
        is_alone: whether the source is off, so that the twin alone can be healthy.
    """
    standings, both = plan.standings, (source.id, twin.id)
    steps.do("ask the twin at its own address", prove, world, twin, standings, request)
    if request.write_check:
        written = (twin.id, asked_in(standings[0]), "", request.write_check)
        steps.do("write to the twin and read it back", write_to, world, *written)
    watched = steps.do(
        "put the twin into service and watch it serve", bring_in, world, twin, standings, is_alone=is_alone
    )
    marks = marks_of(plan.service, is_kept=plan.data is not None)
    steps.do("mark both as members of the service", mark, world, both, marks)
    first = standings[0]
    names = " and ".join(dict.fromkeys(one.balancer.dns_name for one in standings))
    return PairResult(
        service=plan.service,
        url=first.entry.url if first.entry else first.balancer.dns_name,
        balancer_arn=first.balancer.arn,
        target_group_arn=first.group.arn,
        members=both,
        zones=(source.zone, twin.zone),
        watched_requests=watched,
        watched_failures=0,
        next_steps=(f"nothing: clients come in through {names} as before, and no name changes",),
    )


# Looking -----------------------------------------------------------------------------------------


def standings(world: World, source: Instance, request: PairRequest) -> tuple[Standing, ...]:
    """Return where the source stands behind balancers of others; those of services are nospof's own."""
    if request.new_balancer:
        return ()
    cloud, found = world.cloud, []
    for group in cloud.target_groups():
        if group.balancer_arns and group.vpc_id == source.vpc_id and TAG_SERVICE not in group.tags:
            there = [one for one in cloud.targets(group.arn) if one.state != "draining"]
            mine = group.target_id(source)
            found += [
                (group, one, tuple(other for other in there if other.instance_id != mine))
                for one in there
                if one.instance_id == mine
            ]
    balancers = {one.arn: one for one in cloud.load_balancers()} if found else {}
    return tuple(
        standing(world, source, request, (group, balancers[arn], target, others))
        for group, target, others in found
        for arn in group.balancer_arns
        if arn in balancers
    )


def standing(
    world: World,
    source: Instance,
    request: PairRequest,
    place: tuple[TargetGroup, LoadBalancer, Target, tuple[Target, ...]],
) -> Standing:
    """Return a place with the answers that the source gives there and through the balancer."""
    group, balancer, target, others = place
    answer = asked_at(world, source, group, target.port, request)
    path = group.health_check.path or request.health_path
    ports = [
        one.port
        for one in world.cloud.listeners(balancer.arn)
        if one.protocol in PLAIN and dict(one.forwards_to).get(group.arn)
    ]
    entry = None
    if ports and (answer.status or group.protocol == "HTTP"):
        entry = replace(world.probe.get(f"http://{balancer.dns_name}:{ports[0]}{path}"), body="")
    return Standing(group, balancer, target, others, answer, entry)


def asked_at(world: World, member: Instance, group: TargetGroup, port: int, request: PairRequest) -> Answer:
    """Ask a member at its own address as the group's check does."""
    check = group.health_check
    scheme = "https" if check.protocol == "HTTPS" else "http"
    return as_a_balancer_asks(world, member, check.port or port, check.path or request.health_path, scheme)


# Changing ----------------------------------------------------------------------------------------


def prove(world: World, twin: Instance, standings: tuple[Standing, ...], request: PairRequest) -> str:
    """Ask the twin as each check will, before a balancer knows of it.

    Where it cannot be reached from here, the balancer's own check has to do, and the answer says so.

    Raises:
        ProcedureFailed: the page is not good, or does not say what it must.
    """
    said = []
    for one in standings:
        answer = asked_at(world, twin, one.group, one.target.port, request)
        if answer.status and not one.accepts(answer):
            raise ProcedureFailed(
                f"the twin {twin.id} answers {answer.says} at {answer.url}, which {one.group.name} would not "
                "accept; it has taken no traffic. Mend it and resume"
            )
        said.append(f"{answer.says} at {answer.url}")
    return "; ".join(said) + page_of(world, twin, standings[0], request)


def page_of(world: World, twin: Instance, standing: Standing, request: PairRequest) -> str:
    """Ask the twin for the page with its files, where it answers such questions; return what it said.

    Raises:
        ProcedureFailed: the page that was named is not good, lacks the text, or a file that the source has.
    """
    path, at = request.page or request.health_path, asked_in(standing)
    page = world.probe.get(at.base(twin) + path, verify=False)
    if not page.status:
        return ""
    if request.page:
        refuse_a_bad_page(twin.id, page)
    refuse_another_page(page, request)
    files = files_of(world, page, request, at) if page.is_good else ""
    return f"; {page.says} at {page.url}{files}"


def asked_in(standing: Standing) -> At:
    """Return how the balancer speaks to its members in a place."""
    return At(standing.target.port, "https" if standing.group.protocol == "HTTPS" else "http")


def bring_in(world: World, twin: Instance, standings: tuple[Standing, ...], *, is_alone: bool = False) -> int:
    """Register the twin, wait until every balancer finds both healthy, watch; or take it out again.

    One step, for clients are served by it: nothing that serves badly stays until somebody resumes. A
    twin that was there before the run stays.

    Returns:
        how many requests were watched.

    Raises:
        ProcedureFailed: it does not serve, and was taken out.
    """
    seats = [one.seat_of(twin) for one in standings]
    try:
        for seat in seats:
            register(world, seat.group_arn, seat.target_id, seat.port)
        for one, seat in zip(standings, seats, strict=True):
            members = (seat.target_id,) if is_alone else (one.target.instance_id, seat.target_id)
            wait_healthy(world, seat.group_arn, members)
        return sum(
            watch(world, one.entry.url, is_internal=False)
            for one in standings
            if one.entry is not None and one.entry.is_good
        )
    except NospofError as error:
        new = [
            seat
            for one, seat in zip(standings, seats, strict=True)
            if seat.target_id not in {other.instance_id for other in one.others}
        ]
        raise ProcedureFailed(f"{error}. {take_out(world, twin.id, new)}. Mend it and resume") from error


def take_out(world: World, twin_id: str, seats: Sequence[Seat]) -> str:
    """Take a twin out of its groups, each one whatever became of the others; return what came of it."""
    stuck = []
    for seat in seats:
        try:
            world.cloud.deregister(seat.group_arn, seat.target_id, seat.port)
        except CloudError as error:
            stuck.append(f"{seat.group_name} ({error})")
    if stuck:
        return f"{twin_id} could not be taken out of {'; '.join(stuck)}: do that first"
    return f"{twin_id} was taken out again, and the others serve as before"
