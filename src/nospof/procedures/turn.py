"""A member's turn: out of its service while others serve, worked on, proved, and back in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import ParamSpec, TypeVar
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
from nospof.model.sharing import Sharing
from nospof.model.starts import DeadMan
from nospof.planning.concerns import SourceFacts
from nospof.ports.steps import Steps
from nospof.ports.world import World
from nospof.procedures.clone import url_of, wait_until_ok
from nospof.procedures.data import layout_in_step, leave_writes, wait_in_step
from nospof.procedures.dead_man import starter_asked_for
from nospof.procedures.files import leave_files, sharing_in_step, wait_files_in_step
from nospof.procedures.guarantee import promise, release
from nospof.procedures.looking import source_facts, worked_on_beside
from nospof.procedures.membership import leave, register, wait_healthy
from nospof.procedures.mounting import refuse_what_is_not_mounted, wait_mounted
from nospof.procedures.waiting import wait_for

P = ParamSpec("P")
T = TypeVar("T")

ANSWER_SECONDS = 600.0


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


@dataclass(frozen=True)
class MemberSteps:
    """The steps of one member's turn in a story that takes several: each is named after the member.

    The member stands at the end, for how a name begins tells whether the step only waits.
    """

    steps: Steps
    instance_id: str

    @property
    def token(self) -> str:
        """See `Steps.token`: the whole run's."""
        return self.steps.token

    def read(self, name: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Steps.read`."""
        return self.steps.read(f"{name}: {self.instance_id}", function, *args, **kwargs)

    def do(self, name: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Steps.do`."""
        return self.steps.do(f"{name}: {self.instance_id}", function, *args, **kwargs)


def take_out(steps: Steps, world: World, facts: MemberFacts, dead_man: DeadMan | None = None) -> float:
    """Promise that the member comes back, have others take over what it does, and drain it; return when.

    Where a step fails the member serves as before, and carries the guarantee until the run is resumed.
    """
    instance = facts.instance
    began = steps.do(
        "promise that the member comes back", promise_at, world, instance.id, steps.token, dead_man
    )
    if facts.layout:
        leaving = (instance.id, facts.layout)
        steps.do("have another member take its writes", leave_writes, world, *leaving)
    steps.do("drain it from every group it serves in", leave, world, instance.id, facts.memberships)
    if facts.sharing:
        steps.do("have others have all of its files", leave_files, world, instance.id)
    return began


def put_back(steps: Steps, world: World, facts: MemberFacts) -> None:
    """Prove a member that runs, put it back into every group it left, and release the promise."""
    instance = facts.instance
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


@contextmanager
def serving_after_failure(world: World, facts: MemberFacts) -> Iterator[None]:
    """Where what is done to a drained member fails, put it back as it was: its balancer sees if it works."""
    try:
        yield
    except NospofError:
        have_serve(world, facts)
        raise


def have_serve(world: World, facts: MemberFacts) -> None:
    """Register a member wherever it belongs, unproved, and take off that it is drained."""
    for group in facts.memberships:
        register(world, group.group_arn, group.target_id, group.port)
    world.cloud.untag(facts.instance.id, (TAG_DRAINED,))


def member_facts(
    world: World,
    instance_id: str,
    path: str = "",
    dead_man_seconds: int = 0,
    dead_man_role: str = "",
    run_id: str = "",
) -> MemberFacts:
    """Read everything the decision rests on.

    Args:
        path: the page to ask it for; empty takes the one its balancer asks for.
        dead_man_seconds, dead_man_role: as in `CloneRequest`.
        run_id: whose own marks on other members do not count.
    """
    instance = world.cloud.instance(instance_id)
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
                        url_of(instance, target.port, path or group.health_check.path), verify=False
                    ),
                    body="",
                ),
                tuple(other for other in targets if other.instance_id != target_id and other.is_healthy),
                group.tags,
            )
            for target in targets
            if target.instance_id == target_id
        ]
    starter = starter_asked_for(world, dead_man_seconds, dead_man_role)
    return MemberFacts(
        replace(source_facts(world, instance, run_id), starter=starter),
        live_events(world, instance.id),
        tuple(memberships),
        layout_in_step(world, instance),
        sharing_in_step(world, instance),
        refuse_what_is_not_mounted(world, instance),
    )


def refuse_to_leave_the_service_alone(facts: MemberFacts) -> None:
    """Refuse where the member does not serve, or where nobody else would serve meanwhile."""
    instance = facts.instance
    if instance.state != "running":
        raise PreconditionFailed(
            f"{instance.id} is {instance.state}, not running; start it first: aws ec2 start-instances "
            f"--instance-ids {instance.id}. Nothing was changed."
        )
    if not facts.memberships:
        raise PreconditionFailed(
            f"{instance.id} is behind no load balancer: working on it is an outage. Pair it first: "
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
    others = worked_on_beside(world, world.cloud.instance(instance_id), run_id)
    if others:
        release(world, instance_id, run_id)
        raise ProcedureFailed(
            f"another run began to work on {others[0].id}, and {instance_id} serves meanwhile. Wait for it "
            "and resume"
        )
    return world.clock.now()


def let_go(world: World, instance_id: str, run_id: str) -> None:
    """Take off what was written on the member: it is back where it belongs, and the guarantee was kept."""
    world.cloud.untag(instance_id, (TAG_DRAINED,))
    release(world, instance_id, run_id)


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
