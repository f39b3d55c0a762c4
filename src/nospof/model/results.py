"""What procedures answer when they are done. All durations are in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nospof.model.cloud import Image, Instance
from nospof.model.drill import Verdict
from nospof.model.layout import Layout, MemberState, Seat
from nospof.model.mounting import MountsState
from nospof.model.sharing import FilesState, Partner


@dataclass(frozen=True)
class TimeOff:
    """How long the source was away, split by what it waited for.

    `first_good_answer` counts from the moment the instance was running again; it is None where
    the service could not be asked from here.
    """

    stop: float
    image_call: float
    start: float
    first_good_answer: float | None = None

    @property
    def total(self) -> float:
        """From the stop to the first good answer, or to "running" where none could be asked for."""
        return self.stop + self.image_call + self.start + (self.first_good_answer or 0.0)


@dataclass(frozen=True)
class OffSection:
    """What came of the minute in which the source was off.

    `time_off` is None when the image had been taken by an earlier attempt that did not live to
    tell how long it took. `running_since` is seconds since the epoch, 0 for a source left off.
    `consistency` is as the image is marked, empty for a source that was off; `says` is why, or what was held.
    `runs_as` is its type by then; `no_room` is why it could not be started within the bound.
    """

    image: Image
    time_off: TimeOff | None
    running_since: float = 0.0
    consistency: str = ""
    says: str = ""
    runs_as: str = ""
    no_room: str = ""


@dataclass(frozen=True)
class LaunchTry:
    """What came of launching in one place: an instance that runs, or why there was no room for it."""

    instance: Instance | None
    refusal: str = ""


@dataclass(frozen=True)
class CloneResult:
    """A source that is on, and its twin.

    `is_live`: the source was left running throughout; `identities` is what should be known of what the
    two are known by, a sentence each. `consistency` is what the image is worth ("stopped", "application",
    "crash"), and `consistency_says` why, or what was held. `runs_as` is the type of the source afterwards;
    `no_room` is why it stayed off for longer, where there was no room for it.
    """

    source: Instance
    image_id: str
    twin: Instance
    time_off: TimeOff | None
    port: int = 80
    path: str = "/"
    is_live: bool = False
    identities: tuple[str, ...] = ()
    consistency: str = "stopped"
    consistency_says: str = ""
    runs_as: str = ""
    no_room: str = ""


def way_back(instance_id: str, own: str) -> str:
    """Return how an instance becomes what it was, in a quiet moment."""
    return (
        f"go back when there is room: aws ec2 stop-instances --instance-ids {instance_id} && aws ec2 wait "
        f"instance-stopped --instance-ids {instance_id} && aws ec2 modify-instance-attribute --instance-id "
        f"{instance_id} --instance-type {own} && aws ec2 start-instances --instance-ids {instance_id}"
    )


@dataclass(frozen=True)
class PairResult:
    """A service on two instances behind a balancer.

    `watched_requests` and `watched_failures` are what was asked through the balancer after both
    members were in service; `next_steps` is how clients get there, a line each. `names` are what clients
    call it, where its balancer ends TLS: it answers to nothing else.
    """

    service: str
    url: str
    balancer_arn: str
    target_group_arn: str
    members: tuple[str, ...]
    zones: tuple[str, ...]
    watched_requests: int
    watched_failures: int
    clone: CloneResult | None = None
    next_steps: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class TakeResult:
    """A member that went through its maintenance while the others served."""

    instance_id: str
    seconds_out_of_service: float
    events_cleared: tuple[str, ...]


@dataclass(frozen=True)
class DataStatus:
    """How a service's data is kept now: its database, its files, or both.

    Args:
        layout: who keeps its database, as its members carry it; None where nospof keeps none.
        members: what each is, arbitrator last.
        wrong: why it is not in step, a sentence each; empty where it is.
        unread: who could not be asked.
        mounted: what each member whose files are on EFS has mounted, by its id.
        directories: that are kept in step.
        files: what each who has them is.
    """

    service: str
    layout: Layout | None
    members: tuple[tuple[Seat, MemberState], ...]
    wrong: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    mounted: tuple[tuple[str, MountsState], ...] = ()
    directories: tuple[str, ...] = ()
    files: tuple[tuple[Partner, FilesState], ...] = ()


@dataclass(frozen=True)
class DataCheck:
    """Whether the members of a service have the same.

    Args:
        members: who were read.
        tables: how many tables each has.
        rows: in all of them, of the first member.
        different: the tables and files that differ, a sentence each.
        not_compared: those that were written to each time they were read, or not read; a sentence each.
        files: in the directories that are kept in step, of the first member.
        files_in_part: of them, those compared by size, beginning and end.
    """

    service: str
    members: tuple[str, ...]
    tables: int
    rows: int
    different: tuple[str, ...] = ()
    not_compared: tuple[str, ...] = ()
    files: int = 0
    files_in_part: int = 0


NoticedKind = Literal["seen", "asked", "answered", "in-step", "out-of-step", "unread"]


@dataclass(frozen=True)
class Noticed:
    """What somebody who watches pairs saw, asked, or was answered.

    Args:
        at: seconds since the epoch, UTC.
        kind: "seen" is what the cloud says of an instance, "unread" that something could not be read.
        service: empty where it is about all of them.
        says: a sentence.
        instance_id: whom it is about: who was asked, or who was seen.
        seconds: that an answer took.
        problem: why an answer is none, or what was asked was not done.
    """

    at: float
    kind: NoticedKind
    service: str
    says: str
    instance_id: str = ""
    seconds: float = 0.0
    problem: str = ""


@dataclass(frozen=True)
class RejoinResult:
    """A service whose data is in step again. `began` is who had to begin as the first, empty for nobody."""

    service: str
    began: str
    members: tuple[tuple[Seat, MemberState], ...]


@dataclass(frozen=True)
class UndoResult:
    """A service that is served by its one instance again.

    `left_alone` names what there is still, and why it was not taken away.
    """

    run_id: str
    instance_id: str
    url: str
    removed: tuple[str, ...]
    left_alone: tuple[str, ...]


@dataclass(frozen=True)
class Trouble:
    """Something in the world that a run should not have left so.

    `mends` is the command that mends it, `done` what was done about it, empty where nothing was.
    """

    says: str
    mends: str
    done: str = ""


@dataclass(frozen=True)
class DrillResult:
    """What a drill found."""

    service: str
    url: str
    fault: str
    instance_id: str
    verdict: Verdict
