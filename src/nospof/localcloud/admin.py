"""The local cloud's own API under /_nospof/: what AWS does to you, on demand.

Announce an event, move it, take it back; kill or freeze a machine, lose it at its next reboot; inject
errors into calls, make snapshots slow and changes late to be known, put the clock of schedules and events
ahead, look at what is there. Everything is JSON; a request that is not understood is refused with a
sentence and changes nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from moto.ec2.models import ec2_backends

from nospof.localcloud.cloud import Cloud
from nospof.localcloud.consistency import Consistency
from nospof.localcloud.ec2.events import (
    OUTAGES,
    POSTPONABLE_SECONDS,
    REBOOTS,
    WORDS,
    Announcement,
    ScheduledEvent,
    announce,
    later,
)
from nospof.localcloud.faults import Faults, Rule
from nospof.localcloud.limits import Limits
from nospof.localcloud.machines.partitions import CannotPartition, Side

PREFIX = "/_nospof/"
LINK_FAULTS = ("partition", "heal")
LOSE_BY_REBOOT = "lose-by-reboot"
ROOTS = ("ebs", "instance-store")
NUMBER = (int, float)
MAX_EVENT_SECONDS = 400 * 86_400.0
MAX_SNAPSHOT_SECONDS = 86_400.0
MAX_UNKNOWN_SECONDS = 300.0


class Refused(Exception):
    """A request is refused with an HTTP status and a sentence."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Admin:
    """Answers the admin API.

    Args:
        cloud: the running cloud.
        faults: the rules of injection in force.
        limits: AWS's request limits.
        consistency: how long a change takes to be known.
        name: the cloud's name.
        save: writes every change to disk; called under the lock.
        not_kept: names the services whose state is not kept over a restart.
    """

    cloud: Cloud
    faults: Faults
    limits: Limits
    consistency: Consistency
    name: str
    save: Callable[[], None]
    not_kept: Callable[[], list[str]]

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Return the status and the document for a request to a path under /_nospof/."""
        handlers: dict[tuple[str, str], Callable[[dict[str, Any]], dict[str, Any]]] = {
            ("GET", "status"): lambda _: self._status(),
            ("POST", "event"): self._event,
            ("POST", "event/move"): self._move_event,
            ("POST", "event/cancel"): self._cancel_event,
            ("POST", "support"): self._support,
            ("POST", "root"): self._root,
            ("POST", "fault"): self._fault,
            ("GET", "inject"): lambda _: {"rules": self.faults.documents()},
            ("POST", "inject"): self._inject,
            ("DELETE", "inject"): lambda _: self._clear(),
            ("POST", "limits"): self._limits,
            ("POST", "consistency"): self._consistency,
            ("POST", "snapshots"): self._snapshots,
            ("POST", "scheduler"): self._scheduler,
            ("POST", "full"): self._full,
            ("DELETE", "full"): lambda _: self._room_again(),
        }
        what = path.removeprefix(PREFIX).rstrip("/")
        try:
            handler = handlers.get((method, what))
            if handler is None:
                raise _no_handler(method, what, {name for _, name in handlers})
            return 200, handler(_document(body) if method == "POST" else {})
        except Refused as refusal:
            return refusal.status, {"error": str(refusal)}

    def _status(self) -> dict[str, Any]:
        with self.cloud.lock:
            machines = [self._machine(instance) for instance in self._instances()]
        return {
            "name": self.name,
            "version": version("nospof"),
            "dir": str(self.cloud.directory),
            "pid": os.getpid(),
            "machines": machines,
            "rules": self.faults.documents(),
            "limits": self.limits.enabled,
            "partitions": self.cloud.partitions.pairs(),
            "not_kept_over_a_restart": self.not_kept(),
        }

    def _instances(self) -> list[Any]:
        backends: list[Any] = [backend for _, _, backend in list(ec2_backends.iter_backends())]
        return [i for backend in backends for i in backend.all_instances() if i.state != "terminated"]

    def _machine(self, instance: Any) -> dict[str, Any]:
        hypervisor = self.cloud.hypervisor
        machine = hypervisor.state(instance.id)
        return {
            "instance": instance.id,
            "region": instance.region_name,
            "zone": instance.placement.zone,
            "host": instance.host,
            "address": instance.private_ip_address,
            "state": instance.state,
            "machine": machine,
            "boots": 0 if machine == "absent" else hypervisor.boot_count(instance.id),
        }

    def _instance(self, document: dict[str, Any]) -> Any:
        wanted = document["instance"]
        for instance in self._instances():
            if instance.id == wanted:
                return instance
        raise Refused(404, f"the instance {wanted!r} does not exist or is terminated.")

    def _event(self, document: dict[str, Any]) -> dict[str, Any]:
        """Announce an event; with `"deadline_seconds": null` it cannot be rescheduled."""
        needed = {"instance": str, "code": str, "seconds": NUMBER}
        more = {
            "window_seconds": NUMBER,
            "deadline_seconds": (*NUMBER, type(None)),
            "description": str,
            "outage": str,
            "out_seconds": NUMBER,
        }
        _check(document, needed, more)
        _check_ranges(document, "seconds", "window_seconds", "deadline_seconds", "out_seconds")
        if document["code"] not in WORDS:
            raise Refused(
                400, f"the code {document['code']!r} is unknown; known are {', '.join(sorted(WORDS))}."
            )
        if document.get("outage", OUTAGES[0]) not in OUTAGES:
            raise Refused(400, f"'outage' must be {' or '.join(OUTAGES)}.")
        is_reboot = document["code"] in REBOOTS
        usual = {"deadline_seconds": document["seconds"] + POSTPONABLE_SECONDS if is_reboot else None}
        asked = Announcement(**{**usual, **{name: document[name] for name in document if name != "instance"}})
        with self.cloud.lock:
            instance = self._instance(document)
            event = announce(asked, self.cloud.now())
            instance.announced.append(event)
            self.save()
        return _due(event)

    def _move_event(self, document: dict[str, Any]) -> dict[str, Any]:
        """Move an event, as AWS itself does: bound by no rule but that it has not begun."""
        _check(document, {"event": str, "seconds": NUMBER})
        _check_ranges(document, "seconds")
        with self.cloud.lock:
            event, now = self._announced(document["event"]), self.cloud.now()
            event.move(later(now, document["seconds"]), now)
            self.save()
        return _due(event)

    def _cancel_event(self, document: dict[str, Any]) -> dict[str, Any]:
        _check(document, {"event": str})
        with self.cloud.lock:
            event = self._announced(document["event"])
            event.close("Canceled", self.cloud.now())
            self.save()
        return {"event": event.instance_event_id, "description": event.description}

    def _announced(self, event_id: str) -> ScheduledEvent:
        for instance in self._instances():
            for event in instance.announced:
                if event.instance_event_id == event_id:
                    if event.phase != "announced":
                        raise Refused(409, f"the event {event_id!r} is {event.phase}.")
                    return event  # type: ignore[no-any-return]
        raise Refused(404, f"the event {event_id!r} does not exist.")

    def _support(self, document: dict[str, Any]) -> dict[str, Any]:
        """Have the account a support plan that comes with the API of Health, or none."""
        self.cloud.has_support_plan = _enabled(document)
        return {"support": self.cloud.has_support_plan}

    def _root(self, document: dict[str, Any]) -> dict[str, Any]:
        """Take an instance's root disk for another kind: no image here has it in an instance store."""
        _check(document, {"instance": str, "type": str})
        if document["type"] not in ROOTS:
            raise Refused(400, f"'type' must be {' or '.join(ROOTS)}.")
        with self.cloud.lock:
            instance = self._instance(document)
            instance.root_device_type = document["type"]
            self.save()
        return {"instance": instance.id, "type": instance.root_device_type}

    def _fault(self, document: dict[str, Any]) -> dict[str, Any]:
        if document.get("fault") in LINK_FAULTS:
            return self._link(document)
        _check(document, {"instance": str, "fault": str})
        hypervisor = self.cloud.hypervisor
        faults = {
            "kill": hypervisor.power_off,
            "freeze": hypervisor.freeze,
            "thaw": hypervisor.thaw,
            LOSE_BY_REBOOT: self._lose_by_reboot,
        }
        if document["fault"] not in faults:
            known = ", ".join([*faults, *LINK_FAULTS])
            raise Refused(400, f"the fault {document['fault']!r} is unknown; known are {known}.")
        with self.cloud.lock:
            instance = self._instance(document)
            if not hypervisor.is_on(instance.id):
                raise Refused(409, f"the machine of {instance.id} is not on.")
            faults[document["fault"]](instance.id)
            return self._machine(instance)

    def _lose_by_reboot(self, instance_id: str) -> None:
        """Have it not come back from a reboot, whoever asks for it, until it is stopped and started."""
        self._instance({"instance": instance_id}).is_lost_by_reboot = True
        self.save()

    def _link(self, document: dict[str, Any]) -> dict[str, Any]:
        """Part two instances, or heal that. Their order says nothing."""
        _check(document, {"instance": str, "fault": str, "peer": str})
        partitions, hypervisor = self.cloud.partitions, self.cloud.hypervisor
        sides = []
        with self.cloud.lock:
            for instance_id in (document["instance"], document["peer"]):
                instance = self._instance({"instance": instance_id})
                addresses = filter(None, (instance.private_ip_address, instance.public_ip))
                directory = hypervisor.disk(instance.id).parent
                sides.append(Side(instance.id, directory, tuple(dict.fromkeys(addresses))))
        if document["instance"] == document["peer"]:
            raise Refused(400, "an instance cannot be parted from itself.")
        if document["fault"] == "heal":
            if not partitions.heal(document["instance"], document["peer"]):
                raise Refused(409, f"{document['instance']} and {document['peer']} are not apart.")
        else:
            for side in sides:
                if not hypervisor.is_on(side.machine_id):
                    raise Refused(409, f"the machine of {side.machine_id} is not on.")
            try:
                partitions.part(*sides)
            except CannotPartition as error:
                raise Refused(501, f"{error}.") from error
        return {"partitions": partitions.pairs()}

    def _inject(self, document: dict[str, Any]) -> dict[str, Any]:
        try:
            rule = Rule.from_document(document)
        except ValueError as error:
            raise Refused(400, f"{error}.") from error
        self.faults.add(rule)
        return {"rules": self.faults.documents()}

    def _limits(self, document: dict[str, Any]) -> dict[str, Any]:
        self.limits.enabled = _enabled(document)
        return {"limits": self.limits.enabled}

    def _consistency(self, document: dict[str, Any]) -> dict[str, Any]:
        """Have every change take so long to be known everywhere; 0 for at once."""
        _check(document, {"seconds": (int, float)})
        if not 0 <= document["seconds"] <= MAX_UNKNOWN_SECONDS:
            raise Refused(400, f"'seconds' must be between 0 and {MAX_UNKNOWN_SECONDS:.0f}.")
        self.consistency.seconds = float(document["seconds"])
        return {"seconds": self.consistency.seconds}

    def _snapshots(self, document: dict[str, Any]) -> dict[str, Any]:
        """Have every snapshot begun from now on take so long; 0 for as long as it takes by itself."""
        _check(document, {"seconds": (int, float)})
        if not 0 <= document["seconds"] <= MAX_SNAPSHOT_SECONDS:
            raise Refused(400, f"'seconds' must be between 0 and {MAX_SNAPSHOT_SECONDS:.0f}.")
        self.cloud.snapshot_seconds = float(document["seconds"])
        return {"seconds": self.cloud.snapshot_seconds}

    def _scheduler(self, document: dict[str, Any]) -> dict[str, Any]:
        """Put the clock of schedules and announced events ahead, so that nobody waits for one."""
        _check(document, {"ahead_seconds": (int, float)})
        if not 0 <= document["ahead_seconds"] <= MAX_EVENT_SECONDS:
            raise Refused(400, f"'ahead_seconds' must be between 0 and {MAX_EVENT_SECONDS:.0f}.")
        self.cloud.ahead_seconds = float(document["ahead_seconds"])
        return {"ahead_seconds": self.cloud.ahead_seconds}

    def _full(self, document: dict[str, Any]) -> dict[str, Any]:
        """Have no room for a type in a zone, for launches and for starts, until that is deleted."""
        _check(document, {"type": str, "zone": str})
        with self.cloud.lock:
            self.cloud.full.add((document["type"], document["zone"]))
            return {"full": sorted(self.cloud.full)}

    def _room_again(self) -> dict[str, Any]:
        with self.cloud.lock:
            self.cloud.full.clear()
        return {"full": []}

    def _clear(self) -> dict[str, Any]:
        self.faults.clear()
        return {"rules": []}


def _no_handler(method: str, what: str, known: set[str]) -> Refused:
    if what in known:
        return Refused(405, f"{method} is not possible on {PREFIX}{what}.")
    return Refused(404, f"{PREFIX}{what} does not exist; known are {', '.join(sorted(known))}.")


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body or b"{}")
    except ValueError as error:
        raise Refused(400, f"the body is not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise Refused(400, "the body must be a JSON object.")
    return document


def _check(document: dict[str, Any], fields: dict[str, Any], more: dict[str, Any] | None = None) -> None:
    """Refuse unknown fields, wrong types, and what lacks one of `fields`; those of `more` may be missing."""
    known = {**fields, **(more or {})}
    for name in document:
        if name not in known:
            raise Refused(400, f"unknown field '{name}'; known are {', '.join(known)}.")
    for name in fields:
        if name not in document:
            raise Refused(400, f"the field '{name}' is missing.")
    for name, value in document.items():
        if not isinstance(value, known[name]) or isinstance(value, bool):
            raise Refused(400, f"the field '{name}' has the wrong type.")


def _check_ranges(document: dict[str, Any], *names: str) -> None:
    for name in names:
        value = document.get(name)
        if value is not None and not 0 <= value <= MAX_EVENT_SECONDS:
            raise Refused(400, f"'{name}' must be between 0 and {MAX_EVENT_SECONDS:.0f}.")


def _enabled(document: dict[str, Any]) -> bool:
    if not isinstance(document.get("enabled"), bool) or len(document) != 1:
        raise Refused(400, 'give {"enabled": true} or {"enabled": false}.')
    return bool(document["enabled"])


def _due(event: ScheduledEvent) -> dict[str, Any]:
    return {"event": event.instance_event_id, "due": event.not_before.isoformat() + "Z"}
