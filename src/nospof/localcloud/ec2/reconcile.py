"""Makes the world match what the API says, and the API say what the world is.

Level-triggered: every round looks at the state of each instance and of its machine and does the one
next thing; nothing is remembered between rounds but the models, so a gateway killed at any point
goes on where the world is. Each transitional state stays visible for a moment, as on AWS.
"""

from __future__ import annotations

import base64
import logging
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from moto.ec2.utils import random_snapshot_id

from nospof.localcloud.cloud import Cloud
from nospof.localcloud.ec2 import due, keys, roots
from nospof.localcloud.ec2.images import Ami, delete_disk, disk_of
from nospof.localcloud.ec2.instances import LOST, STOP_GRACE_SECONDS, Instance
from nospof.localcloud.ec2.responses import attach_snapshots

log = logging.getLogger(__name__)

VISIBLE_SECONDS = 0.35
TERMINATED_SHOWN_SECONDS = 3600.0
GUEST_SHUTDOWN = "Client.InstanceInitiatedShutdown"
INTERNAL_ERROR = "Server.InternalError"


def reconcile_region(cloud: Cloud, backend: Any) -> None:
    """Take the next step for every instance, event, snapshot and image of a region.

    Args:
        cloud: the running cloud; its lock is taken here, one instance at a time.
        backend: moto's EC2 backend of the region.
    """
    with cloud.lock:
        instances = backend.all_instances()
    for instance in instances:
        with cloud.lock:
            _reconcile_instance(cloud, instance)
    with cloud.lock:
        advanced = [thing.advance() for thing in (*backend.snapshots.values(), *backend.amis.values())]
        if any(advanced):
            cloud.dirty.set()


def _reconcile_instance(cloud: Cloud, instance: Instance) -> None:
    try:
        due.carry_out(cloud, instance)
        if instance.imaging:
            _image_with_reboot(cloud, instance)
        else:
            STEPS[instance.state](cloud, instance)
    except (OSError, LookupError, subprocess.SubprocessError):
        # One machine the computer will not do for (no processes, no space, a disk that hangs) must
        # not keep the others from being looked after; the next round tries again.
        log.exception("%s in state %s", instance.id, instance.state)


def _visible(instance: Instance) -> bool:
    return time.time() - instance.since >= VISIBLE_SECONDS


# Power on ---------------------------------------------------------------------------------------------


def _pending(cloud: Cloud, instance: Instance) -> None:
    name = f"power on {instance.id}"
    outcome = cloud.outcome(name)
    if not instance.powered and outcome is None and keys.is_kept_off(instance):
        if _visible(instance):
            _fall_back(cloud, instance, keys.CODE, keys.MESSAGE)
        return
    if isinstance(outcome, BaseException):
        _power_on_failed(cloud, instance, outcome)
    elif outcome is True:
        instance.powered = True
    elif outcome is None and not instance.powered:
        cloud.begin(name, power_on_job(cloud, instance))
    if instance.powered and _visible(instance):
        instance.enter("running")


def _power_on_failed(cloud: Cloud, instance: Instance, error: BaseException) -> None:
    message = f"{INTERNAL_ERROR}: the machine could not be started: {error}"
    _fall_back(cloud, instance, INTERNAL_ERROR, message)


def _fall_back(cloud: Cloud, instance: Instance, code: str, message: str) -> None:
    """Give a launch up, or let a start end where it began."""
    if cloud.hypervisor.state(instance.id) == "absent":
        instance.enter("shutting-down", code, message)
    else:
        instance.begin_stop(code, message)


def power_on_job(cloud: Cloud, instance: Instance) -> Callable[[], None]:
    """Return the work of making a machine, if there is none, and booting it."""
    machine_id, address = instance.id, str(instance.private_ip_address)
    image = disk_of(instance.root_snapshot_id) if instance.root_snapshot_id else None
    user_data = instance.user_data
    metadata = {
        "zone": instance.placement.zone,
        "region": instance.region_name,
        "instance_type": instance.instance_type,
        "image_id": instance.image_id,
    }

    def job() -> None:
        hypervisor = cloud.hypervisor
        if hypervisor.state(machine_id) == "absent":
            if image is None or not image.is_dir():
                raise FileNotFoundError("the image has no content to boot from")
            hypervisor.create(machine_id, address, image, metadata)
            _write_user_data(hypervisor.disk(machine_id), user_data)
        hypervisor.boot(machine_id)

    return job


def _write_user_data(disk: Path, encoded: Any) -> None:
    script = disk / "var" / "lib" / "cloud" / "user-data"
    if not encoded:
        # The image may carry its source's script; a launch without user data has none.
        script.unlink(missing_ok=True)
        return
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_bytes(base64.b64decode(str(encoded)))
    script.chmod(0o700)


# Running ----------------------------------------------------------------------------------------------


def _running(cloud: Cloud, instance: Instance) -> None:
    if instance.reboot_phase:
        _reboot(cloud, instance)
        return
    hypervisor = cloud.hypervisor
    if hypervisor.state(instance.id) == "off" and hypervisor.exit_reason(instance.id) == "powered-off":
        message = f"{GUEST_SHUTDOWN}: Instance initiated shutdown"
        if instance.instance_initiated_shutdown_behavior == "terminate":
            instance.enter("shutting-down", GUEST_SHUTDOWN, message)
        else:
            instance.begin_stop(GUEST_SHUTDOWN, message)


def _reboot(cloud: Cloud, instance: Instance) -> None:
    if instance.reboot_phase == LOST:
        return
    if instance.reboot_phase == "stopping":
        if not _is_off(cloud, instance):
            return
        instance.reboot_phase = LOST if instance.is_lost_by_reboot else "starting"
        cloud.dirty.set()
        return
    if due.is_held_off(instance, cloud.now()):
        return
    task = roots.open_task(instance)
    if task and not roots.swap(cloud, instance, task):
        return
    name = f"power on {instance.id}"
    outcome = cloud.outcome(name)
    if outcome is None:
        cloud.begin(name, power_on_job(cloud, instance))
    elif outcome is not False:
        instance.reboot_phase = ""
        instance.since = time.time()
        cloud.dirty.set()


def _is_off(cloud: Cloud, instance: Instance) -> bool:
    """Ask for an orderly shutdown, pull the plug at the deadline; return whether the machine is off."""
    hypervisor = cloud.hypervisor
    state = hypervisor.state(instance.id)
    if state in ("off", "absent"):
        return True
    if time.time() >= instance.power_off_at:
        hypervisor.power_off(instance.id)
    elif instance.shutdown_asked != instance.power_off_at:
        hypervisor.shutdown(instance.id)
        instance.shutdown_asked = instance.power_off_at
    return False


# Off ----------------------------------------------------------------------------------------------------


def _stopping(cloud: Cloud, instance: Instance) -> None:
    if cloud.outcome(f"power on {instance.id}") is False:
        return  # it is still being started: it is stopped when that has ended
    if _is_off(cloud, instance) and _visible(instance):
        reason, words = instance.state_reason, instance.state_transition_reason
        instance.enter("stopped", reason.code, reason.message)
        instance._reason = words or ""


def _shutting_down(cloud: Cloud, instance: Instance) -> None:
    if cloud.outcome(f"power on {instance.id}") is False or not _is_off(cloud, instance):
        return
    if cloud.hypervisor.state(instance.id) != "absent":
        if cloud.outcome(f"destroy {instance.id}") is None:
            cloud.begin(f"destroy {instance.id}", lambda: cloud.hypervisor.destroy(instance.id))
        return
    cloud.outcome(f"destroy {instance.id}")
    if _visible(instance):
        instance.finish_termination()


def _terminated(cloud: Cloud, instance: Instance) -> None:
    if time.time() - instance.terminated_at < TERMINATED_SHOWN_SECONDS:
        return
    for key, reservation in list(instance.ec2_backend.reservations.items()):
        reservation.instances = [other for other in reservation.instances if other is not instance]
        if not reservation.instances:
            del instance.ec2_backend.reservations[key]
    instance.ec2_backend.tags.pop(instance.id, None)
    cloud.dirty.set()


def _nothing(_cloud: Cloud, _instance: Instance) -> None:
    """Leave a stopped instance alone."""


STEPS: dict[str, Callable[[Cloud, Instance], None]] = {
    "pending": _pending,
    "running": _running,
    "stopping": _stopping,
    "stopped": _nothing,
    "shutting-down": _shutting_down,
    "terminated": _terminated,
}


# Images that reboot their source ---------------------------------------------------------------------------


def _image_with_reboot(cloud: Cloud, instance: Instance) -> None:
    """Power the machine down, copy it, boot it: what CreateImage does without NoReboot."""
    image = instance.ec2_backend.amis.get(instance.imaging)
    name = f"image {instance.imaging}"
    outcome = cloud.outcome(name)
    if outcome is False:
        return
    if outcome is None and image is not None and image.waits_for_copy:
        cloud.begin(name, _copy_job(cloud, instance, image))
        return
    if isinstance(outcome, BaseException) and image is not None:
        image.fail(f"The disk could not be copied: {outcome}")
    instance.imaging = ""
    if instance.state == "running":
        instance.reboot_phase = "starting"
    cloud.dirty.set()


def _copy_job(cloud: Cloud, instance: Instance, image: Ami) -> Callable[[], None]:
    deadline = time.time() + STOP_GRACE_SECONDS
    snapshot_id = random_snapshot_id()

    def job() -> None:
        hypervisor = cloud.hypervisor
        if hypervisor.state(instance.id) == "on":
            hypervisor.shutdown(instance.id)
        while hypervisor.state(instance.id) != "off":
            if time.time() > deadline:
                hypervisor.power_off(instance.id)
            time.sleep(0.05)
        try:
            hypervisor.snapshot(instance.id, disk_of(snapshot_id))
        except OSError:
            delete_disk(snapshot_id)
            raise
        with cloud.lock:
            attach_snapshots(image, instance, snapshot_id)

    return job
