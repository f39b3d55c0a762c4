"""What an undo is decided on, and the reasons why it must not be done.

Pure: each rule takes facts and raises `PreconditionFailed` with what to do next.
"""

from __future__ import annotations

from dataclasses import dataclass

from nospof.errors import PreconditionFailed
from nospof.model.answers import Answer
from nospof.model.cloud import (
    TAG_RUN,
    Image,
    IngressRule,
    Instance,
    InstanceStatus,
    Listener,
    LoadBalancer,
    PlacementGroup,
    Seat,
    SecurityGroup,
    Snapshot,
    TargetGroup,
)
from nospof.model.layout import Examined, Layout, MemberState
from nospof.model.mounting import MountsState
from nospof.model.requests import UndoRequest
from nospof.model.sharing import FilesFound, Sharing


@dataclass(frozen=True)
class Opening:
    """A rule of an instance's security group that lets the balancer in, or those who keep data with it."""

    group_id: str
    rule: IngressRule

    @property
    def is_among_members(self) -> bool:
        """Whether it lets members of one group reach each other."""
        return self.rule.from_group == self.group_id


@dataclass(frozen=True)
class UndoFacts:
    """Everything the decision rests on, read before it.

    `twins`, `images`, `snapshots`, `groups`, `balancers`, `guards` and `placement_groups` carry the run's
    tag. `others` is what the run used or should have made and that does not carry it, a sentence each.
    `names` lead to a balancer, as far as Route 53 could be read; `names_unread` says why it could not.
    `relied_on` says who else relies on a twin, `image_users` who else was launched from an image,
    `strangers` which target groups of others are behind the balancer. `seats` are the twin's in the target
    groups of others that the pair joined, `alone` are those of these in which nobody else is healthy.
    `protected` are the twins that must not be terminated because their source must not be. `data` is the
    source's database where it is kept in step with others', and `data_state` what that is now. `files` is who
    shares its directories, `files_off` are those of them that are off, `files_gone` those that are no more.
    `mounts` is what the source has mounted of EFS, `mounts_staying` and `mounts_leaving` are who else has,
    and is given its own directories back or goes.
    """

    source: Instance
    checks: tuple[InstanceStatus, ...]
    answer: Answer
    twins: tuple[Instance, ...]
    images: tuple[Image, ...]
    snapshots: tuple[Snapshot, ...]
    groups: tuple[TargetGroup, ...]
    balancers: tuple[LoadBalancer, ...]
    guards: tuple[SecurityGroup, ...]
    placement_groups: tuple[PlacementGroup, ...]
    members: tuple[Seat, ...]
    listeners: tuple[Listener, ...]
    openings: tuple[Opening, ...]
    marked: tuple[str, ...]
    others: tuple[str, ...]
    relied_on: tuple[str, ...]
    image_users: tuple[str, ...]
    strangers: tuple[str, ...]
    names: tuple[str, ...] = ()
    names_unread: str = ""
    seats: tuple[Seat, ...] = ()
    alone: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    data: Examined | None = None
    data_state: MemberState | None = None
    files: FilesFound | None = None
    files_off: tuple[str, ...] = ()
    files_gone: tuple[str, ...] = ()
    mounts: MountsState | None = None
    mounts_staying: tuple[str, ...] = ()
    mounts_leaving: tuple[str, ...] = ()

    @property
    def layout(self) -> Layout | None:
        """Who keeps the source's data with it, where others do or may."""
        return self.data.layout if self.data else None

    @property
    def sharing(self) -> Sharing | None:
        """Who shares the source's directories, where somebody does."""
        return self.files.sharing if self.files else None


def refuse_where_nothing_is_left(facts: UndoFacts, request: UndoRequest) -> None:
    """Refuse to do nothing."""
    made = (
        facts.twins,
        facts.images,
        facts.snapshots,
        facts.groups,
        facts.balancers,
        facts.guards,
        facts.seats,
    )
    empty = [one for one in facts.placement_groups if one.name != facts.source.placement_group]
    if not any(made) and not empty and not facts.marked and not facts.data:
        there = f" What there is: {'; '.join(left_alone(facts))}." if left_alone(facts) else ""
        raise PreconditionFailed(
            f"nothing that can be taken away carries the tag {TAG_RUN}={request.run_id}, so there is nothing "
            f"to undo.{there} Nothing was changed."
        )


def refuse_a_source_that_does_not_serve(facts: UndoFacts, request: UndoRequest) -> None:
    """Refuse to take the twin away from a service whose source would not serve alone."""
    source, answer = facts.source, facts.answer
    if source.state != "running":
        raise PreconditionFailed(
            f"{source.id} is {source.state}, and it would be all that is left. Start it first: aws ec2 "
            f"start-instances --instance-ids {source.id}. Nothing was changed."
        )
    if any("impaired" in (check.instance_check, check.system_check) for check in facts.checks):
        raise PreconditionFailed(
            f"{source.id} runs and its status checks fail, and it would be all that is left. Mend it first. "
            "Nothing was changed."
        )
    if not answer.is_good and (answer.status or request.answered):
        raise PreconditionFailed(
            f"{answer.url} says {answer.says}, and {source.id} would be all that is left. Mend it first. "
            "Nothing was changed."
        )


def refuse_what_others_rely_on(facts: UndoFacts, request: UndoRequest) -> None:
    """Refuse to take away what somebody else has begun to use."""
    known = {facts.source.id, request.twin_id, *(twin.id for twin in facts.twins)}
    joined = [f"{one.target_id} serves in {one.group_name}" for one in facts.members]
    joined = [says for says, one in zip(joined, facts.members, strict=True) if one.target_id not in known]
    alone = [f"nobody but the twin is healthy in {name}" for name in facts.alone]
    reasons = (*facts.strangers, *joined, *facts.relied_on, *alone)
    if reasons:
        raise PreconditionFailed(
            f"what {request.run_id} made is needed or protected: {'; '.join(reasons)}. Mend that first. "
            "Nothing was changed."
        )


def left_alone(facts: UndoFacts) -> tuple[str, ...]:
    """Return what stays although the run made or used it, and why."""
    left = list(facts.others)
    if facts.image_users:
        left += [
            f"the image {image.id} and its snapshots: {', '.join(facts.image_users)} were launched from it"
            for image in facts.images
        ]
    left += [
        f"the placement group {group.name}: {facts.source.id} is in it, and an instance is moved out only "
        f"while it is off (aws ec2 modify-instance-placement --instance-id {facts.source.id} --group-name '')"
        for group in facts.placement_groups
        if group.name == facts.source.placement_group
    ]
    left += [
        f"the volume {volume.volume_id} of {twin.id}: it is not deleted with its instance"
        for twin in facts.twins
        for volume in twin.attachments
        if not volume.delete_on_termination
    ]
    return tuple(left)


def refuse_to_lose_data(facts: UndoFacts) -> None:
    """Refuse to go back to a source that has not everything that was acknowledged (C83)."""
    data, state, source = facts.data, facts.data_state, facts.source
    if data is None:
        return
    if data.problem and data.layout is None:
        raise PreconditionFailed(
            f"who keeps the data of {source.id} could not be read ({data.problem}), so nobody knows whether "
            "anything would be lost. Nothing was changed."
        )
    if state and data.layout and len(data.layout.members) > 1 and not state.ready:
        raise PreconditionFailed(
            f"the data of {source.id} is not in step ({state.problem or state.says or state.role}): what "
            "only another member has would be lost. Have it catch up first: nospof data rejoin. Nothing was "
            "changed."
        )


def refuse_to_lose_mounted_files(facts: UndoFacts) -> None:
    """Refuse to bring files home that nobody can read now."""
    mounts, source = facts.mounts, facts.source
    if mounts and (mounts.problem or (mounts.mounts and not mounts.ready)):
        raise PreconditionFailed(
            f"the files of {source.id} on EFS could not be brought home: {mounts.problem or mounts.says}. "
            "Mount them first. Nothing was changed."
        )


def refuse_to_lose_files(facts: UndoFacts) -> None:
    """Refuse to go back to a source while another may have uploads that it has not."""
    files, source = facts.files, facts.source
    if files and files.problem:
        raise PreconditionFailed(
            f"who shares the files of {source.id} could not be read ({files.problem}), so nobody knows "
            "whether anything would be lost. Nothing was changed."
        )
    if facts.files_off:
        raise PreconditionFailed(
            f"{' and '.join(facts.files_off)} shares files with {source.id} and is off: what only it has "
            f"would be lost. Start it first: aws ec2 start-instances --instance-ids "
            f"{' '.join(facts.files_off)}. Nothing was changed."
        )
