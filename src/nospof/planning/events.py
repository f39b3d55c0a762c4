"""What an announced event means for an instance and the services on it. Pure: facts in, sentences out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from nospof.audit.windows import day, overlapping
from nospof.model.cloud import Instance, InstanceStatus, MaintenanceEvent
from nospof.model.events import (
    Announced,
    EventsFound,
    Notice,
    Over,
    Place,
    Serving,
    Together,
    Urgency,
)
from nospof.model.window import Window

Owned = tuple[str, MaintenanceEvent]
"""An instance's id, and an event of it."""

STOP_AND_START = "a stop and a start, which moves it to another host"
FROM_INSIDE = "; a reboot from inside does not"


@dataclass(frozen=True)
class Crew:
    """Who is in a group of a service, by id, and who of them is healthy now."""

    name: str
    members: frozenset[str]
    healthy: frozenset[str]


@dataclass(frozen=True)
class Seen:
    """What one read of an account's region told. `crews` is who serves where, empty where nothing is live."""

    place: Place
    read_at: float
    instances: Mapping[str, Instance]
    live: tuple[Owned, ...]
    over: tuple[Over, ...]
    crews: tuple[Crew, ...] = ()


@dataclass(frozen=True)
class Fit:
    """Where a window of the owner's lies to an event.

    Args:
        begins: when the event can be taken in it, or moved to; None where it is not in time.
        must_move: whether it comes only after the event does now.
    """

    says: str
    begins: float | None
    must_move: bool = False


@dataclass(frozen=True)
class Meaning:
    """What an event of one code does, and what clears it."""

    happens: str
    clears: str


# Codes and what clears them: Amazon EC2 User Guide, "Scheduled events for Amazon EC2 instances". A reboot by
# the API moves some instances off a host that is to be rebooted (ModifyInstanceMaintenanceOptions,
# RebootMigration), which is not known before it was tried.
MEANINGS = {
    "instance-reboot": Meaning(
        "AWS reboots it; it stays on its host",
        STOP_AND_START + "; a reboot by you leaves it announced",
    ),
    "system-reboot": Meaning("AWS reboots its host, and it with that", STOP_AND_START + FROM_INSIDE),
    "system-maintenance": Meaning(
        "its network or its power is off for a moment; without power it boots again",
        STOP_AND_START + FROM_INSIDE,
    ),
    "instance-stop": Meaning("AWS stops it, and does not start it again", STOP_AND_START + FROM_INSIDE),
    "instance-retirement": Meaning(
        "its host is failing: AWS stops it, and does not start it again", STOP_AND_START + FROM_INSIDE
    ),
}
LOST = Meaning(
    "its host is failing: AWS TERMINATES it, and its disks are lost, for its root is an instance store",
    "nothing: what matters on it has to be elsewhere before",
)
UNKNOWN = Meaning(
    "what it does is not known here; take it for one that interrupts it", "what AWS says when asked"
)


def meaning_of(code: str, root_device_type: str = "ebs") -> Meaning:
    """Return what an event does to an instance, by AWS's code and by what its root disk is (C45)."""
    if code in ("instance-retirement", "instance-stop") and root_device_type == "instance-store":
        return LOST
    return MEANINGS.get(code, UNKNOWN)


def announced(
    place: Place,
    event: MaintenanceEvent,
    instance: Instance,
    crews: Sequence[Crew],
    at_once: Sequence[Together],
    fits: Sequence[Fit],
) -> Announced:
    """Return an event with what it means.

    Args:
        crews: everybody's.
        at_once: the moments in which nobody of a service may be left.
        fits: where the windows of its services lie to it.
    """
    meaning = meaning_of(event.code, instance.root_device_type)
    serving = serving_of(instance.id, crews)
    together = [one.service for one in at_once if event.id in one.event_ids]
    urgency, because = urgency_of(meaning, serving, together)
    if urgency == "normal" and any(fit.begins is None for fit in fits):
        urgency, because = "high", "no maintenance window of yours is in time"
    return Announced(
        place=place,
        instance_id=instance.id,
        name=instance.tags.get("Name", ""),
        zone=instance.zone,
        event=event,
        serving=serving,
        happens=meaning.happens,
        clears=meaning.clears,
        urgency=urgency,
        because=because,
        windows=tuple(fit.says for fit in fits),
        do=what_to_do(event, meaning, instance.id, serving, fits),
    )


def serving_of(instance_id: str, crews: Sequence[Crew]) -> tuple[Serving, ...]:
    """Return the services an instance is a member of, each with who else is healthy there."""
    mine = [crew for crew in crews if instance_id in crew.members]
    return tuple(Serving(crew.name, tuple(sorted(crew.healthy - {instance_id}))) for crew in mine)


def urgency_of(meaning: Meaning, serving: Sequence[Serving], together: Sequence[str]) -> tuple[Urgency, str]:
    """Return how an event should be heeded, and why.

    Args:
        together: the services whose others may be out in the same moment.
    """
    if meaning is LOST:
        return "critical", "what is on it is lost"
    alone = [one.name for one in serving if not one.others]
    if alone:
        return "critical", f"nobody else serves {' and '.join(alone)}"
    if together:
        return "critical", f"the others of {' and '.join(together)} may be out in the same moment"
    if meaning is UNKNOWN:
        return "high", "what it does is not known"
    if not serving:
        return "high", "it is behind no load balancer: whatever it does stops meanwhile"
    return "normal", "others serve meanwhile"


def fit_of(event: MaintenanceEvent, service: str, window: Window, now: float) -> Fit:
    """Return where a service's window lies to an event: before it, before its deadline, or too late."""
    due = event.not_before or float("inf")
    first = next(span for span in window.spans(now) if span.ends > now)
    if max(first.begins, now) < due:
        return Fit(f"{service}: your window is before it, {day(max(first.begins, now))}", first.begins)
    if first.begins <= event.deadline:
        says = (
            f"{service}: no window of yours is before it; it can be moved into the one of {day(first.begins)}"
        )
        return Fit(says, first.begins, must_move=True)
    says = f"{service}: your next window, {day(first.begins)}, is too late for it; take it outside of one"
    return Fit(says, None)


def what_to_do(
    event: MaintenanceEvent,
    meaning: Meaning,
    instance_id: str,
    serving: Sequence[Serving],
    fits: Sequence[Fit],
) -> tuple[str, ...]:
    """Return the commands to choose from. Another time is offered only where AWS takes one (C45)."""
    found = []
    if meaning not in (LOST, UNKNOWN):
        is_alone = not serving or any(not one.others for one in serving)
        found.append(f"nospof {'pair' if is_alone else 'maintain take'} {instance_id}")
        found += [f"nospof maintain apply {one.name}" for one in serving if not is_alone]
    if event.deadline > event.not_before:
        moves = [fit.begins for fit in fits if fit.must_move and fit.begins is not None]
        at = f"{datetime.fromtimestamp(max(moves), UTC):%Y-%m-%dT%H:%M:%SZ}" if moves else "TIME"
        found.append(
            f"aws ec2 modify-instance-event-start-time --instance-id {instance_id} --instance-event-id "
            f"{event.id} --not-before {at}, at {day(event.deadline)} at the latest"
        )
    return tuple(found)


def all_at_once(place: Place, live: Sequence[Owned], crews: Sequence[Crew]) -> tuple[Together, ...]:
    """Return the services all of whose healthy members may be taken out in one moment (C46)."""
    found = {}
    for crew in crews:
        if len(crew.healthy) < 2:
            continue  # one that is alone is told as such
        mine = [(who, event) for who, event in live if who in crew.healthy]
        for window in overlapping(mine):
            if crew.healthy <= set(window.instance_ids):
                ids = tuple(event.id for event in window.events)
                found[crew.name, window.id] = Together(
                    place, crew.name, window.instance_ids, ids, window.starts_at
                )
    return tuple(found.values())


def split(statuses: Iterable[InstanceStatus]) -> tuple[list[Owned], list[Owned]]:
    """Return the events that are ahead, and those that are over though still listed (C41), by time."""
    pairs = sorted(
        ((status.instance_id, event) for status in statuses for event in status.events),
        key=lambda pair: (pair[1].not_before, pair[0], pair[1].id),
    )
    return [pair for pair in pairs if pair[1].is_live], [pair for pair in pairs if not pair[1].is_live]


def unmatched(notice: Notice, known: frozenset[str], found: EventsFound) -> tuple[str, ...]:
    """Return what a mail names and the cloud does not announce, a sentence each.

    Args:
        known: the ids of the instances that are there.
        found: everything that is announced there.
    """
    live = {one.instance_id for one in found.ahead}
    over = {one.instance_id: one.event.description for one in found.over}
    says = []
    for instance_id in notice.instance_ids:
        if instance_id in over and instance_id not in live:
            says.append(f"{instance_id}: {over[instance_id]}")
        elif instance_id in known and instance_id not in live:
            says.append(
                f"{instance_id}: nothing is announced for it now; it was taken already, or called off"
            )
        elif instance_id not in live:
            where = ", ".join(f"{place.account} {place.region}" for place in found.places)
            says.append(f"{instance_id}: no such instance in {where}")
    return tuple(says)
