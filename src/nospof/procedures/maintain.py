"""Maintenance, one member at a time: drained, moved to other hardware, proved, put back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from textwrap import shorten
from urllib.parse import urlsplit

from nospof.errors import NospofError, PreconditionFailed, ProcedureFailed
from nospof.model.answers import Answer
from nospof.model.cloud import (
    TAG_DRAINED,
    Instance,
    InstanceStatus,
    MaintenanceEvent,
    Seat,
    Tags,
    Target,
)
from nospof.model.layout import Layout
from nospof.model.requests import TakeRequest
from nospof.model.results import TakeResult
from nospof.model.sharing import Sharing
from nospof.model.starts import DeadMan
from nospof.planning.clone import refuse_what_another_run_holds
from nospof.planning.concerns import SourceFacts
from nospof.planning.dead_man import dead_man_of, refuse_a_time_that_makes_no_sense
from nospof.planning.members import plan_take
from nospof.planning.pair_rules import TAG_LENGTH
from nospof.planning.preflight import TAKE_RULES, heed
from nospof.ports.steps import Steps
from nospof.ports.world import World
from nospof.procedures.clone import url_of, wait_until_ok
from nospof.procedures.data import layout_in_step, leave_writes, wait_in_step
from nospof.procedures.dead_man import kept_ahead, starter_asked_for
from nospof.procedures.files import leave_files, sharing_in_step, wait_files_in_step
from nospof.procedures.guarantee import promise, release
from nospof.procedures.looking import source_facts, worked_on_beside
from nospof.procedures.membership import register, wait_healthy
from nospof.procedures.mounting import refuse_what_is_not_mounted, wait_mounted
from nospof.procedures.power import bring_back, stop
from nospof.procedures.rehearse import rehearse
from nospof.procedures.waiting import wait_for

DRAIN_SECONDS = 900.0
"""Longer than the deregistration delay people set; AWS's own default is 300 s."""
ANSWER_SECONDS = 600.0

MOVED_BY_STOP_AND_START = frozenset(
    {"instance-reboot", "system-reboot", "system-maintenance", "instance-retirement", "instance-stop"}
)
"""The announced events that a stop and a start clears, because the instance moves to another host."""


@dataclass(frozen=True)
class Membership(Seat):
    """A target group the instance serves in, and the others that serve there now."""

    is_in_service: bool
    answer: Answer
    others: tuple[Target, ...]
    group_tags: Tags = field(default_factory=dict)


@dataclass(frozen=True)
class MemberFacts:
    """Everything the decision rests on, read before it, with who keeps its data and shares its files.

    `is_on_efs` says that all members have their files there.
    """

    about: SourceFacts
    events: tuple[MaintenanceEvent, ...]
    memberships: tuple[Membership, ...]
    layout: Layout | None = None
    sharing: Sharing | None = None
    is_on_efs: bool = False

    @property
    def instance(self) -> Instance:
        """The member itself."""
        return self.about.source


def take(steps: Steps, world: World, request: TakeRequest) -> TakeResult:
    """Take a member's announced events early. Guarantee: it is running and serves again at the end."""
    refuse_a_time_that_makes_no_sense(request.dead_man_seconds)
    facts = steps.read("look at the member and those beside it", member_facts, world, request)
    refuse_what_another_run_holds(facts.instance, steps.token)
    refuse_to_leave_the_service_alone(facts)
    warnings = heed(facts.about, request, TAKE_RULES)
    instance = facts.instance
    dead_man = dead_man_of(facts.about, request.dead_man_seconds)
    groups = [(one, one.group_tags) for one in facts.memberships]
    plan = plan_take(instance.id, groups, steps.token, dead_man)
    unchecked = steps.read("ask the cloud whether it would allow each call", rehearse, world, plan)
    for warning in (*warnings, *unchecked):
        world.reporter.warn(warning)
    began = steps.do(
        "promise that the member comes back", promise_at, world, instance.id, steps.token, dead_man
    )
    if facts.layout:
        leaving = (instance.id, facts.layout)
        steps.do("have another member take its writes", leave_writes, world, *leaving)
    steps.do("drain it from every group it serves in", leave, world, instance.id, facts.memberships)
    if facts.sharing:
        steps.do("have others have all of its files", leave_files, world, instance.id)
    steps.do("stop it and start it on other hardware", move, world, facts, steps.token, dead_man)
    steps.do("wait until it passes its status checks", wait_until_ok, world, instance.id)
    if facts.layout:
        steps.do("wait until its data is in step", wait_in_step, world, facts.layout)
    if facts.sharing:
        steps.do("wait until its files are in step", wait_files_in_step, world, facts.sharing)
    if facts.is_on_efs:
        steps.do("wait until it has its files", wait_mounted, world, instance.id)
    for group in facts.memberships:
        page = (group.port, urlsplit(group.answer.url).path)
        steps.do(f"wait until it answers on port {group.port}", wait_for_page, world, instance.id, *page)
        steps.do(
            f"put it back into {group.group_name}",
            register,
            world,
            group.group_arn,
            group.target_id,
            group.port,
        )
        steps.do(
            f"wait until {group.group_name} finds it healthy",
            wait_healthy,
            world,
            group.group_arn,
            (group.target_id,),
        )
    steps.do("release the promise", let_go, world, instance.id, steps.token)
    left = steps.do("see which events are left", live_events, world, instance.id)
    ended = steps.do("note the time", now, world)
    cleared = {event.id for event in facts.events} - {event.id for event in left}
    return TakeResult(instance.id, ended - began, tuple(sorted(cleared)))


def member_facts(world: World, request: TakeRequest) -> MemberFacts:
    """Read everything the decision rests on."""
    instance = world.cloud.instance(request.instance_id)
    memberships = []
    for group in world.cloud.target_groups():
        targets, target_id = world.cloud.targets(group.arn), group.target_id(instance)
        memberships += [
            Membership(
                group.arn,
                group.name,
                target.port,
                target_id,
                target.is_healthy,
                replace(
                    world.probe.get(
                        url_of(instance, target.port, request.path or group.health_check.path), verify=False
                    ),
                    body="",
                ),
                tuple(other for other in targets if other.instance_id != target_id and other.is_healthy),
                group.tags,
            )
            for target in targets
            if target.instance_id == target_id
        ]
    starter = starter_asked_for(world, request.dead_man_seconds, request.dead_man_role)
    return MemberFacts(
        replace(source_facts(world, instance), starter=starter),
        live_events(world, instance.id),
        tuple(memberships),
        layout_in_step(world, instance),
        sharing_in_step(world, instance),
        refuse_what_is_not_mounted(world, instance),
    )


def refuse_to_leave_the_service_alone(facts: MemberFacts) -> None:
    """Refuse where nothing would be gained, or where nobody else would serve meanwhile."""
    instance = facts.instance
    if instance.state != "running":
        raise PreconditionFailed(
            f"{instance.id} is {instance.state}, not running; start it first: aws ec2 start-instances "
            f"--instance-ids {instance.id}. Nothing was changed."
        )
    if not facts.events:
        raise PreconditionFailed(
            f"no maintenance is announced for {instance.id}, so there is none to take. Nothing was changed."
        )
    stubborn = [event.code for event in facts.events if event.code not in MOVED_BY_STOP_AND_START]
    if stubborn:
        raise PreconditionFailed(
            f"a stop and a start is not known to clear {', '.join(stubborn)} of {instance.id}. Ask AWS what "
            "it will do, and wait for its window. Nothing was changed."
        )
    if not facts.memberships:
        raise PreconditionFailed(
            f"{instance.id} is behind no load balancer: taking its maintenance is an outage. Pair it first: "
            f"nospof pair {instance.id}. If an earlier run took it out, resume that (nospof runs list) or "
            "put it back: nospof runs repair --yes. Nothing was changed."
        )
    for group in facts.memberships:
        if group.answer.status and not group.answer.is_good:
            raise PreconditionFailed(
                f"{group.answer.url} answers {group.answer.says} now, so nobody could tell later "
                f"whether {instance.id} works again. Name a page that answers well with --path. "
                "Nothing was changed."
            )
        if not group.others:
            raise PreconditionFailed(
                f"no other member of {group.group_name} is healthy, so {instance.id} must not leave it now. "
                "Mend the others first. Nothing was changed."
            )


def promise_at(world: World, instance_id: str, run_id: str, dead_man: DeadMan | None = None) -> float:
    """Write the guarantee; return when.

    Whoever works on a member marks it first and looks for the mark of others then, so that of two runs at
    once at least one sees the other.

    Raises:
        ProcedureFailed: another run works on another member by now; the guarantee is off again.
    """
    promise(world, instance_id, run_id, must_work=True, dead_man=dead_man)
    others = worked_on_beside(world, world.cloud.instance(instance_id))
    if others:
        release(world, instance_id, run_id)
        raise ProcedureFailed(
            f"another run began to work on {others[0].id}, and {instance_id} serves meanwhile. Wait for it "
            "and resume"
        )
    return world.clock.now()


def leave(world: World, instance_id: str, memberships: tuple[Membership, ...]) -> str:
    """Drain a member; where it belongs stands on it meanwhile, for whoever finds it after our death."""
    seats = " ".join(f"{group.group_name}:{group.port}" for group in memberships)
    world.cloud.tag(instance_id, {TAG_DRAINED: shorten(seats, TAG_LENGTH, placeholder="")})
    try:
        drain(world, memberships)
    except NospofError:
        world.cloud.untag(instance_id, (TAG_DRAINED,))
        raise
    return instance_id


def let_go(world: World, instance_id: str, run_id: str) -> None:
    """Take off what was written on the member: it is back where it belongs, and the guarantee was kept."""
    world.cloud.untag(instance_id, (TAG_DRAINED,))
    release(world, instance_id, run_id)


def drain(world: World, seats: Sequence[Seat]) -> None:
    """Take a member out of its groups, wait until nothing of it is left there (C75), or put it back.

    One step for all groups: out of some and in the others would be neither drained nor serving. That
    others serve is looked at again here and at the end, for what was read first may be long ago.

    Raises:
        TimedOut, CloudError, ProcedureFailed: after it was put back.
    """
    try:
        for seat in seats:
            refuse_last_one(world, seat)
            world.cloud.deregister(seat.group_arn, seat.target_id, seat.port)
            refuse_last_one(world, seat)  # somebody else may be draining the other one
        for seat in seats:
            wait_drained(world, seat)
            refuse_last_one(world, seat)
    except NospofError:
        for seat in seats:
            register(world, seat.group_arn, seat.target_id, seat.port)
        raise


def refuse_last_one(world: World, seat: Seat) -> None:
    """Raise when nobody else is healthy in the group now."""
    targets = world.cloud.targets(seat.group_arn)
    if not any(target.is_healthy for target in targets if target.instance_id != seat.target_id):
        raise ProcedureFailed(
            f"no other member of {seat.group_name} is healthy any more, so {seat.target_id} stays in it. "
            "Mend the others and resume"
        )


def wait_drained(world: World, seat: Seat) -> None:
    """Wait until the balancer has let go of the member."""

    def mine(targets: tuple[Target, ...]) -> list[Target]:
        member = (seat.target_id, seat.port)
        return [t for t in targets if (t.instance_id, t.port) == member and t.state != "unused"]

    wait_for(
        world,
        f"{seat.target_id} to be drained from {seat.group_name}",
        lambda: world.cloud.targets(seat.group_arn),
        lambda targets: not mine(targets),
        within_seconds=DRAIN_SECONDS,
        says=lambda targets: ", ".join(target.state for target in mine(targets)),
    )


def move(world: World, facts: MemberFacts, run_id: str, dead_man: DeadMan | None = None) -> Instance:
    """Stop and start: on AWS this is what moves an instance off its host (C44).

    The guarantee is written again: a keeper may have kept and released it before this run was resumed.
    Where the stop is refused or does not end, the member is put back as it was.
    """
    instance_id = facts.instance.id
    promise(world, instance_id, run_id, must_work=True, dead_man=dead_man)
    world = kept_ahead(world, instance_id, run_id, dead_man)
    try:
        # Draining takes minutes, in which the other one may have fallen behind.
        if facts.layout and world.cloud.instance(instance_id).state == "running":
            leave_writes(world, instance_id, facts.layout)
        try:
            stop(world, instance_id)
        finally:
            instance = bring_back(world, instance_id)
    except NospofError:
        for group in facts.memberships:
            register(world, group.group_arn, group.target_id, group.port)
        world.cloud.untag(instance_id, (TAG_DRAINED,))
        raise
    return instance


def wait_for_page(world: World, instance_id: str, port: int, path: str) -> str:
    """Wait until the member itself serves a page; where it cannot be reached from here, say so.

    A refused connection is a server that is not up yet. Only a time-out can mean that the way from
    here to the instance is closed, and then the balancer's own check, which comes next, decides.
    """

    def look() -> Answer:
        instance = world.cloud.instance(instance_id)
        return world.probe.get(url_of(instance, port, path), verify=False)

    answer = wait_for(
        world,
        f"{instance_id} to answer",
        look,
        lambda answer: answer.is_good or "timed out" in answer.error,
        within_seconds=ANSWER_SECONDS,
        says=lambda answer: f"{answer.url} says {answer.says}",
    )
    return answer.says


def live_events(world: World, instance_id: str) -> tuple[MaintenanceEvent, ...]:
    """Return the announced events that are neither finished nor cancelled (C41)."""
    statuses: tuple[InstanceStatus, ...] = world.cloud.instance_status((instance_id,))
    return tuple(event for status in statuses for event in status.events if event.is_live)


def now(world: World) -> float:
    """Return the time, so that a resumed run tells the same one."""
    return world.clock.now()
