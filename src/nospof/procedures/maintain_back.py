"""Members go back to the images that a run took of them, one at a time, while the others serve."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nospof.errors import (
    CloudError,
    NospofError,
    PreconditionFailed,
    ProcedureFailed,
    UnknownOutcome,
    UsageError,
)
from nospof.model.answers import Answer
from nospof.model.cloud import TAG_DRAINED, TAG_RUN, TAG_SERVICE, Image, Instance, TargetGroup
from nospof.model.layout import TAG_DATA, Layout
from nospof.model.maintaining import TAG_BACK, BackRequest, BackResult, Returned, RootTask
from nospof.model.mounting import TAG_EFS
from nospof.model.plans import Plan
from nospof.model.sharing import TAG_FILES
from nospof.planning.clone import refuse_what_another_run_holds
from nospof.planning.data import out_of_step
from nospof.planning.maintaining import BACK_RULES, plan_back
from nospof.planning.preflight import heed
from nospof.ports.steps import Steps
from nospof.ports.world import World
from nospof.procedures.clone import url_of
from nospof.procedures.data import states_of
from nospof.procedures.guarantee import promise
from nospof.procedures.looking import source_facts
from nospof.procedures.membership import leave
from nospof.procedures.power import bring_back
from nospof.procedures.rehearse import ask_first
from nospof.procedures.rejoin import keepers_of, layout_carried
from nospof.procedures.turn import MemberFacts, Membership, MemberSteps, now, put_back, take_out
from nospof.procedures.waiting import wait_for

ROOT_SECONDS = 3600.0
"""AWS names no bound. The new volume is read from its snapshot while it is used already."""
ASK_SECONDS = 120.0


@dataclass(frozen=True)
class Returning:
    """A member that goes back.

    Args:
        facts: of it; it may be broken, and out of its groups.
        image: what it goes back to.
        root_volume: what it has now.
        takes_writes: whether its database is the one that is written to.
    """

    facts: MemberFacts
    image: Image
    root_volume: str
    takes_writes: bool = False

    @property
    def serves(self) -> bool:
        """Whether it is in service wherever it belongs."""
        return all(seat.is_in_service for seat in self.facts.memberships)

    @property
    def id(self) -> str:
        """The member."""
        return self.facts.instance.id


def maintain_back(steps: Steps, world: World, request: BackRequest) -> BackResult:
    """Have members go back. Guarantee: one at a time, and each serves again when this ends, or is named."""
    members = steps.read("look at the members and their images", back_facts, world, request)
    plan = plan_of(members, request, steps.token)
    ask_first(steps, world, plan, plan.warnings)
    returned: tuple[Returned, ...] = ()
    for member in members:
        returned += (go_back(MemberSteps(steps, member.id), world, member),)
    return BackResult(request.run_id, returned)


def go_back(steps: Steps, world: World, member: Returning) -> Returned:
    """Have one member go back, and put it into service.

    Raises:
        ProcedureFailed: it has no other root, or does not get well with it.
    """
    facts = member.facts
    # One that takes no writes may be too broken to be asked to give them up.
    leaving = facts if member.takes_writes else replace(facts, layout=None)
    began = take_out(steps, world, leaving)
    steps.do("give it the root volume of its image", give_root, world, member, steps.token)
    try:
        put_back(steps, world, facts)
    except NospofError as error:
        raise ProcedureFailed(
            f"{member.id} is back at {member.image.id} and does not get well: {error}. It stays out of "
            f"service. What it had before is on {member.root_volume}. Mend it and resume"
        ) from error
    ended = steps.do("note the time", now, world)
    return Returned(member.id, member.image.id, member.root_volume, ended - began)


# Looking and deciding ----------------------------------------------------------------------------


def back_facts(world: World, request: BackRequest) -> tuple[Returning, ...]:
    """Read everything the decision rests on: those that are out of service first, whoever is written to last.

    Raises:
        UsageError: no such run took images, or none of this instance.
        PreconditionFailed: what the others keep would not be safe meanwhile.
    """
    images = {
        one.tags[TAG_BACK]: one
        for one in world.cloud.images(TAG_RUN, request.run_id)
        if TAG_BACK in one.tags and request.instance_id in ("", one.tags[TAG_BACK])
    }
    if not images:
        whose = f" of {request.instance_id}" if request.instance_id else ""
        raise UsageError(
            f"there is no image{whose} that {request.run_id} took to go back to. See what there is: aws ec2 "
            f"describe-images --owners self --filters Name=tag-key,Values={TAG_BACK}"
        )
    groups = world.cloud.target_groups()
    found = [facts_of(world, world.cloud.instance(one), images[one], groups) for one in sorted(images)]
    return tuple(sorted(found, key=lambda one: (one.serves, one.takes_writes)))


def facts_of(world: World, instance: Instance, image: Image, groups: tuple[TargetGroup, ...]) -> Returning:
    """Read what is known of a member that may be broken: nothing is asked of itself."""
    about = source_facts(world, instance)
    layout, takes_writes = kept_beside(world, instance)
    root = next((one.volume_id for one in instance.attachments if one.device == instance.root_device), "")
    facts = MemberFacts(
        about,
        (),
        tuple(seats_of(world, instance, groups)),
        layout,
        is_on_efs=TAG_EFS in instance.tags and world.mounts is not None,
    )
    return Returning(facts, image, root, takes_writes)


def seats_of(world: World, instance: Instance, groups: tuple[TargetGroup, ...]) -> list[Membership]:
    """Return where a member serves, or belongs by the mark of the run that took it out."""
    marked = dict(one.rpartition(":")[::2] for one in instance.tags.get(TAG_DRAINED, "").split())
    seats = []
    for group in groups:
        targets, target_id = world.cloud.targets(group.arn), group.target_id(instance)
        ports = {one.port: one.is_healthy for one in targets if one.instance_id == target_id}
        if marked.get(group.name, "").isdigit():
            ports.setdefault(int(marked[group.name]), False)
        others = tuple(one for one in targets if one.instance_id != target_id and one.is_healthy)
        for port in sorted(ports):
            page = Answer(url_of(instance, port, group.health_check.path), 0, 0.0)
            seats.append(
                Membership(group.arn, group.name, port, target_id, ports[port], page, others, group.tags)
            )
    return seats


def kept_beside(world: World, instance: Instance) -> tuple[Layout | None, bool]:
    """Return who keeps a member's data with it, and whether it is the one that is written to.

    Raises:
        PreconditionFailed: without it the others are not in step, or do not decide.
    """
    if TAG_DATA not in instance.tags or world.databases is None:
        return None, False
    layout = layout_carried(world, keepers_of(world, instance.tags.get(TAG_SERVICE, "")))
    states = states_of(world, layout)
    takes_writes = any(state.role == "primary" for seat, state in states if seat.instance_id == instance.id)
    # One that is written to is well, and hands that over; of one that is not, nothing is expected.
    others = [one for one in states if takes_writes or one[0].instance_id != instance.id]
    wrong = out_of_step(layout, others)
    if wrong:
        raise PreconditionFailed(
            f"without {instance.id} the data of {layout.cluster} is not safe: {'; '.join(wrong)}. Bring it "
            f"in step first: nospof data rejoin {layout.cluster}. Nothing was changed."
        )
    return layout, takes_writes


def plan_of(members: tuple[Returning, ...], request: BackRequest, token: str) -> Plan:
    """Return what will be written.

    Raises:
        PreconditionFailed: a member must not be worked on; nobody is then.
    """
    warnings: dict[str, None] = {}
    # Whoever is out of service comes first, and serves while those after it go: that is seen to then.
    refuse_to_leave_nobody(members[0])
    for one in members:
        refuse_what_another_run_holds(one.facts.instance, token)
        refuse_what_has_no_way_back(one)
        warnings |= dict.fromkeys(heed(one.facts.about, request, BACK_RULES))
    seats = [
        (one.id, one.image.id, one.root_volume, [(seat, seat.group_tags) for seat in one.facts.memberships])
        for one in members
    ]
    plan = plan_back(request, seats, token)
    return replace(plan, warnings=(*plan.warnings, *warnings))


def refuse_to_leave_nobody(member: Returning) -> None:
    """Refuse where nobody would serve while a member goes back."""
    for seat in member.facts.memberships:
        if not seat.others:
            raise PreconditionFailed(
                f"no other member of {seat.group_name} is healthy, so {member.id} must not be worked on now. "
                "Mend the others first. Nothing was changed."
            )


def refuse_what_has_no_way_back(member: Returning) -> None:
    """Refuse where the image cannot be used or would do harm, or nobody knows where the member belongs."""
    instance = member.facts.instance
    if member.image.state != "available":
        raise PreconditionFailed(
            f"the image {member.image.id} of {member.id} is {member.image.state}, so nothing can be made of "
            "it now. Nothing was changed."
        )
    if not member.facts.memberships:
        raise PreconditionFailed(
            f"{member.id} is behind no load balancer, and no mark says where it belongs. Replace its root "
            f"volume yourself: aws ec2 create-replace-root-volume-task --instance-id {member.id} --image-id "
            f"{member.image.id}. Nothing was changed."
        )
    if TAG_FILES in instance.tags:
        raise PreconditionFailed(
            f"{member.id} has directories that are kept in step with others. With an image it gets the index "
            "of them as of then, and others would not be told of all that changes there later. Mend it where "
            "it is, or take the pair apart and pair again (nospof runs undo, nospof pair). Nothing was "
            "changed."
        )


# Working on a member -----------------------------------------------------------------------------


def give_root(world: World, member: Returning, run_id: str) -> str:
    """Give a drained member the root volume of its image; return the volume that it had.

    AWS reboots it for that. A repeat finds the same task by its token.

    Raises:
        ProcedureFailed: it was not done; what root the member has now is told.
    """
    promise(world, member.id, run_id, must_work=True)
    leave(world, member.id, member.facts.memberships)  # whoever repeats this may find it put back
    bring_back(world, member.id)
    task = ask_for_root(world, member, f"{run_id}-{member.id}")

    def is_over(seen: RootTask) -> bool:
        if seen.state in ("failed", "failed-detached"):
            now_has = "no root volume" if seen.state == "failed-detached" else "the root volume it had"
            raise ProcedureFailed(
                f"the root volume of {member.id} was not replaced (task {seen.id} is {seen.state}): it has "
                f"{now_has}. It stays out of service. Begin again: nospof maintain back"
            )
        return seen.state == "succeeded"

    wait_for(
        world,
        f"the root volume of {member.id} to be replaced",
        lambda: world.cloud.root_task(task.id),
        is_over,
        within_seconds=ROOT_SECONDS,
        says=lambda seen: seen.state,
    )
    return member.root_volume


def ask_for_root(world: World, member: Returning, token: str) -> RootTask:
    """Begin the replacement, through throttling and lost answers: a repeat returns the same one."""
    ends = world.clock.now() + ASK_SECONDS
    while True:
        try:
            return world.cloud.replace_root(member.id, member.image.id, token)
        except CloudError as error:
            again = error.retryable or isinstance(error, UnknownOutcome)
            if not again or world.clock.now() >= ends:
                raise
            world.clock.sleep(world.poll_seconds)
