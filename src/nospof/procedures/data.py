"""The data of a pair, kept in step: a cluster of one, then of two with a third vote, and back to one server.

Each step makes one machine what a layout says it is, so a repeat does no harm, and a run that dies in between
leaves a source that takes writes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from nospof.errors import PreconditionFailed, ProcedureFailed
from nospof.model.cloud import Image, IngressRule, Instance, LaunchRequest
from nospof.model.layout import TAG_DATA, Applied, Checked, DataFacts, Examined, Layout, MemberState, Seat
from nospof.model.mounting import Copied
from nospof.model.requests import PairRequest
from nospof.model.surroundings import Inside
from nospof.planning.arbitrator import DEBIAN, IMAGE_PATTERN, arbitrator_subnet
from nospof.planning.data import DataPlan, is_wanted, out_of_step
from nospof.ports.databases import Databases
from nospof.ports.steps import Steps
from nospof.ports.world import World
from nospof.procedures.clone import wait_until_ok
from nospof.procedures.guarantee import is_impaired
from nospof.procedures.launching import launch
from nospof.procedures.membership import mark
from nospof.procedures.waiting import TimedOut, wait_for

AGENT_SECONDS = 900.0
"""A machine that was launched a moment ago installs what it needs before it can be asked."""
JOIN_SECONDS = 6 * 3600.0
"""A large database takes hours to copy, where its last changes are no longer kept."""
STEP_SECONDS = 600.0
SETTLE_SECONDS = 60.0

T = TypeVar("T", Applied, Checked, Copied, MemberState)


def data_facts(
    world: World, source: Instance, inside: Inside, request: PairRequest, twin: Instance | None = None
) -> DataFacts | None:
    """Look at the source's database, and at its twin's, where it keeps one that two could keep."""
    if world.databases is None or not is_wanted(inside, request):
        return None
    group_id = next(iter(source.security_groups), "")
    return DataFacts(
        examined=examine(world, source.id),
        image=arbitrator_image(world, request),
        inward=world.cloud.ingress_rules(group_id) if group_id else (),
        twin=examine(world, twin.id) if twin and twin.state == "running" else None,
    )


def examine(world: World, instance_id: str) -> Examined:
    """Return what database server an instance has.

    Raises:
        PreconditionFailed: nobody reached it.
    """
    found = databases_of(world).examine(instance_id)
    if not found.is_reached:
        raise PreconditionFailed(
            f"the database of {instance_id} could not be looked at: {found.problem}. Nothing was changed."
        )
    return found


def state_now(world: World, instance_id: str) -> MemberState:
    """Return what an instance's database is now. Raises PreconditionFailed: nobody reached it."""
    found = databases_of(world).state(instance_id)
    if not found.is_reached:
        raise PreconditionFailed(
            f"the database of {instance_id} could not be asked: {found.problem}. Nothing was changed."
        )
    return found


def arbitrator_image(world: World, request: PairRequest) -> Image | None:
    """Return what an arbitrator is made of: as asked for, else Debian's newest."""
    asked = request.arbitrator_image
    if asked.startswith("ami-"):
        return world.cloud.image(asked)
    return world.cloud.image_named(asked) if asked else world.cloud.newest_image(DEBIAN, IMAGE_PATTERN)


def databases_of(world: World) -> Databases:
    """Return who acts on databases. Raises ProcedureFailed: nobody here can."""
    if world.databases is None:
        raise ProcedureFailed("nobody here can reach into machines")
    return world.databases


def layout_in_step(world: World, member: Instance) -> Layout | None:
    """Return who keeps a member's data with it; None where nobody does.

    Raises:
        PreconditionFailed: it is not in step with all of its votes, or could not be asked (C83).
    """
    if TAG_DATA not in member.tags or world.databases is None:
        return None
    layout = examine(world, member.id).layout
    if layout is None:
        return None
    if wrong := out_of_step(layout, states_of(world, layout)):
        raise PreconditionFailed(
            f"the data of {layout.cluster} is not in step, so nobody who keeps it is touched: "
            f"{'; '.join(wrong)}. See nospof data status. Nothing was changed."
        )
    return layout


# Joining -----------------------------------------------------------------------------------------


def stand_alone(steps: Steps, world: World, data: DataPlan, source: Instance) -> None:
    """Have the source's database be a cluster of one, so that its copy can join it later."""
    steps.do("mark what keeps its data", mark, world, (source.id,), {TAG_DATA: data.engine})
    if data.mends:
        steps.do("mend the tables that two cannot keep", mend, world, source.id)
    steps.do(
        "have the source's database be a cluster of one", apply, world, source.id, data.layout((source,))
    )


def keep_in_step(
    steps: Steps, world: World, data: DataPlan, source: Instance, twin: Instance, request: PairRequest
) -> Layout:
    """Have the twin join the source's database, with a third vote; return the layout of all."""
    arbitrator = steps.do("launch the arbitrator", launch_arbitrator, world, data, source, twin, request)
    if data.ports:
        steps.do("open the members to each other", open_ports, world, data.group_id, data.ports)
    steps.do("wait until the arbitrator passes its status checks", wait_until_ok, world, arbitrator.id)
    layout = data.layout((source, twin), arbitrator)
    steps.do("give the arbitrator its vote", apply, world, arbitrator.id, layout)
    steps.do("tell the source who its partners are", apply, world, source.id, layout)
    steps.do("let the twin join", apply, world, twin.id, layout)
    steps.do("wait until the twin's data is in step", wait_in_step, world, layout)
    steps.do("mark what keeps the twin's data", mark, world, (twin.id,), {TAG_DATA: data.engine})
    return layout


def launch_arbitrator(
    world: World, data: DataPlan, source: Instance, twin: Instance, request: PairRequest
) -> Instance:
    """Launch the third vote in a zone without a member. Its token makes a repeat return the same one."""
    subnet = arbitrator_subnet(world.cloud.subnets(source.vpc_id), source, (twin.zone,), request)
    asked: LaunchRequest = replace(data.arbitrator, subnet_id=subnet.id)
    return launch(world, asked)


def open_ports(world: World, group_id: str, ports: tuple[int, ...]) -> tuple[int, ...]:
    """Let the members of a security group reach each other."""
    for port in ports:
        world.cloud.allow(group_id, IngressRule(port, from_group=group_id))
    return ports


def apply(world: World, instance_id: str, layout: Layout) -> tuple[str, ...]:
    """Make a machine what a layout says it is; return what it did.

    Raises:
        ProcedureFailed: it did not become so; it has taken back what it had begun.
    """
    databases = databases_of(world)
    did = done(
        world,
        instance_id,
        lambda: databases.apply(instance_id, layout),
        f"{instance_id} did not become what it should be",
    )
    for says in did:
        world.reporter.progress(f"{instance_id}: {says}")
    return did


def mend(world: World, instance_id: str, *, undo: bool = False) -> tuple[str, ...]:
    """Mend the tables that two cannot keep, or give them back what they were. Raises ProcedureFailed."""
    databases = databases_of(world)
    return done(
        world,
        instance_id,
        lambda: databases.mend(instance_id, undo=undo),
        f"tables of {instance_id} are not mended",
    )


def hand_over(world: World, instance_id: str) -> tuple[str, ...]:
    """Have writes leave a member for another that is in step. Raises ProcedureFailed."""
    databases = databases_of(world)
    return done(
        world, instance_id, lambda: databases.hand_over(instance_id), f"writes did not leave {instance_id}"
    )


def leave_writes(world: World, instance_id: str, layout: Layout) -> tuple[str, ...]:
    """Have another member be written to, and see that it and the votes that stay decide without this one.

    One whose status checks fail is asked once. Where nobody reaches it, it is dead: the others decide without
    it already, and only what is about to be done to it may bring it back.

    Raises:
        ProcedureFailed: they do not, so this one must not be touched.
    """
    if is_impaired(world, world.cloud.instance(instance_id)):
        answer = databases_of(world).hand_over(instance_id)
        if not answer.is_reached:
            return (f"nobody reaches {instance_id}, whose checks fail: {answer.problem}",)
    did = hand_over(world, instance_id)

    def look() -> tuple[str, ...]:
        others = [one for one in states_of(world, layout) if one[0].instance_id != instance_id]
        return out_of_step(layout, others)

    try:
        wait_for(
            world,
            f"the data of {layout.cluster} to be safe without {instance_id}",
            look,
            lambda wrong: not wrong,
            within_seconds=SETTLE_SECONDS,
            says="; ".join,
        )
    except TimedOut as error:
        raise ProcedureFailed(
            f"{instance_id} is not touched, for without it the data of {layout.cluster} is not safe: "
            f"{error}. Have it in step (nospof data status) and resume"
        ) from error
    return did


def done(world: World, instance_id: str, ask: Callable[[], Applied], wrong: str) -> tuple[str, ...]:
    """Return what a machine did, waiting for one that nobody reaches yet.

    Args:
        wrong: what is said before the machine's own reason where it did not.

    Raises:
        ProcedureFailed: it did not.
    """
    answer = reached(world, instance_id, ask)
    if answer.problem:
        raise ProcedureFailed(f"{wrong}: {answer.problem}")
    return answer.did


def reached(world: World, instance_id: str, ask: Callable[[], T]) -> T:
    """Return what a machine answers, waiting for one that nobody reaches yet."""
    return wait_for(
        world,
        f"{instance_id} to be reached",
        ask,
        lambda answer: answer.is_reached,
        within_seconds=AGENT_SECONDS,
        says=lambda answer: answer.problem,
    )


def states_of(world: World, layout: Layout) -> tuple[tuple[Seat, MemberState], ...]:
    """Return what each machine of a layout is now."""
    databases = databases_of(world)
    states = databases.several(databases.state, [seat.instance_id for seat in layout.voters])
    return tuple(zip(layout.voters, states, strict=True))


def wait_in_step(
    world: World, layout: Layout, within_seconds: float = JOIN_SECONDS
) -> tuple[tuple[Seat, MemberState], ...]:
    """Wait until all members have the same data and every vote is there."""

    def says(states: Sequence[tuple[Seat, MemberState]]) -> str:
        return "; ".join(out_of_step(layout, states))

    return wait_for(
        world,
        f"the data of {layout.cluster} to be in step",
        lambda: states_of(world, layout),
        lambda states: not out_of_step(layout, states),
        within_seconds=within_seconds,
        says=says,
    )


# Leaving -----------------------------------------------------------------------------------------


def stand_plain(steps: Steps, world: World, source_id: str, layout: Layout | None) -> None:
    """Have the source keep its data alone again, by the plain server it had, with all that was written.

    Args:
        layout: who keeps it; None where the run died before anybody was to.
    """
    if layout and any(seat.instance_id != source_id for seat in layout.members):
        steps.do("have the source take the writes", take_writes, world, source_id, layout)
    if layout:
        plain = replace(layout, members=(), arbitrator=None)
        steps.do("give the source its plain database back", apply, world, source_id, plain)
    steps.do("give tables back what they were", mend, world, source_id, undo=True)
    steps.do("take off the mark of what kept its data", unmark_data, world, source_id)


def unmark_data(world: World, instance_id: str) -> str:
    """Take the mark of what keeps its data off an instance."""
    world.cloud.untag(instance_id, (TAG_DATA,))
    return instance_id


def take_writes(world: World, source_id: str, layout: Layout) -> str:
    """Have a member that is in step be the one that is written to.

    Raises:
        ProcedureFailed: it is not in step, so what only another member has would be lost.
    """
    databases = databases_of(world)
    for seat, state in states_of(world, layout):
        if seat.instance_id != source_id and state.role == "primary":
            hand_over(world, seat.instance_id)

    def is_ready(state: MemberState) -> bool:
        return state.ready and state.role in ("primary", "alone")

    wait_for(
        world,
        f"{source_id} to be written to",
        lambda: databases.state(source_id),
        is_ready,
        within_seconds=STEP_SECONDS,
        says=lambda state: state.problem or state.says or state.role,
    )
    return source_id


def bootstrap(world: World, instance_id: str) -> tuple[str, ...]:
    """Have a member begin as the first of its layout. Raises ProcedureFailed."""
    databases = databases_of(world)
    return done(world, instance_id, lambda: databases.bootstrap(instance_id), f"{instance_id} did not begin")
