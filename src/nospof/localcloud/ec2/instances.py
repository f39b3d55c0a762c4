"""An EC2 instance that is a machine.

The class is called `Instance` because moto finds attributes by the class's name. It keeps what must
survive a restart (state, wishes, host, events) and no live object; `reconcile.py` makes the world
match it.
"""

from __future__ import annotations

import contextlib
import contextvars
import copy
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from moto.core.utils import utcnow
from moto.ec2.models import instances as moto_instances

from nospof.localcloud.awserrors import AwsError, incorrect_state
from nospof.localcloud.cloud import current
from nospof.localcloud.ec2.events import ScheduledEvent, close_all
from nospof.localcloud.ec2.hosts import choose_host

MotoInstance = moto_instances.Instance

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
STOP_GRACE_SECONDS = 12.0
INITIALIZING_SECONDS = 1.0
USER_SHUTDOWN = "Client.UserInitiatedShutdown"
LOST = "lost"


@dataclass(frozen=True)
class Launch:
    """What RunInstances asked for that moto's own call does not carry to the instance."""

    group_name: str = ""
    tenancy: str = "default"
    fingerprint: str = ""
    client_token: str = ""
    cpu_credits: str = ""
    is_termination_protected: bool = False
    private_name: dict[str, Any] = field(default_factory=dict)
    spot_type: str = ""


launch: contextvars.ContextVar[Launch] = contextvars.ContextVar("launch", default=Launch())  # noqa: B039


class Instance(MotoInstance):
    """One instance; every change of state goes through `enter`, so that none is skipped."""

    is_lost_by_reboot = False  # until it is stopped and started

    def __init__(self, ec2_backend: Any, image_id: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(ec2_backend, image_id, *args, **kwargs)
        asked = launch.get()
        self.client_token = asked.client_token
        self.fingerprint = asked.fingerprint
        self.placement.group_name = asked.group_name
        self.placement.tenancy = asked.tenancy
        self.cpu_credits = asked.cpu_credits
        self.disable_api_termination = asked.is_termination_protected
        self.private_dns_name_options = asked.private_name
        self.spot_type = asked.spot_type
        self.spot_instance_request_id = f"sir-{secrets.token_hex(4)}" if asked.spot_type else None
        self.announced: list[ScheduledEvent] = []
        self.reboot_phase = ""  # "", "stopping", "starting", LOST
        self.imaging = ""  # the image that has the machine powered down for its copy
        self.power_off_at = 0.0
        self.shutdown_asked = 0.0  # the power_off_at of the shutdown that was asked for last
        self.powered = False
        self.terminated_at = 0.0
        image = ec2_backend.amis.get(self.image_id)
        self.root_snapshot_id: str = getattr(image, "root_snapshot_id", "")
        self.host = choose_host(ec2_backend.all_instances(), self, self._strategy())
        self.enter("pending")
        self._own_interfaces(kwargs.get("nics") or [])
        self._address_the_world()

    def __del__(self) -> None:
        """Do nothing: moto frees addresses here, also those of a copy made while pickling."""

    def _strategy(self) -> str:
        groups = getattr(self.ec2_backend, "placement_groups", {})
        group = groups.get(self.placement.group_name)
        return group.strategy if group else ""

    def _own_interfaces(self, asked: list[dict[str, Any]]) -> None:
        brought = {nic.get("NetworkInterfaceId") for nic in asked}
        for interface in self.nics.values():
            if interface.id not in brought:
                interface.delete_on_termination = True

    def _address_the_world(self) -> None:
        # On one computer the outside world reaches the machine at the address the machine has.
        for interface in self.nics.values():
            if interface.public_ip and interface.public_ip_auto_assign:
                interface.public_ip = interface.private_ip_address

    @property
    def public_dns_name(self) -> str | None:
        """Return the address itself: no name would resolve on this computer."""
        return self.public_ip

    def enter(self, state: str, code: str = "", message: str = "") -> None:
        """Change the state; the code and message become the StateReason."""
        self._state = moto_instances.InstanceState(state, CODES[state])
        self.since = time.time()
        self.state_reason = moto_instances.StateReason(message, code)
        if state in ("stopping", "shutting-down"):
            self.power_off_at = self.since + STOP_GRACE_SECONDS
            by_user = code == USER_SHUTDOWN
            self._reason = f"User initiated ({utcnow():%Y-%m-%d %H:%M:%S} GMT)" if by_user else ""
        elif state == "pending":
            self._reason = ""
            self.powered = False
        current().dirty.set()

    # Wishes, as moto's own code (autoscaling, fleets, CloudFormation) and ours express them ------------

    def start(self) -> moto_instances.InstanceState:
        """Ask for a start, on another host when there is room; return the state before."""
        previous = copy.copy(self._state)
        if self.state in ("running", "pending"):
            return previous
        if self.state != "stopped":
            raise incorrect_state(self.id, "started")
        before = self.host
        self.host = choose_host(self.ec2_backend.all_instances(), self, self._strategy(), avoid=before)
        for interface in self.nics.values():
            interface.start()
        self._address_the_world()
        self.launch_time = utcnow()
        if self.host != before:  # what was announced was announced for the host
            close_all(self.announced, "Completed", current().now())
        self.is_lost_by_reboot = False
        self.enter("pending")
        return previous

    def stop(self, force: bool = False) -> moto_instances.InstanceState:
        """Ask for an orderly stop, or pull the plug; return the state before."""
        previous = copy.copy(self._state)
        if self.state in ("stopped", "stopping"):
            if force:
                self.power_off_at = 0.0
            return previous
        if self.state != "running":
            raise incorrect_state(self.id, "stopped")
        self.begin_stop(USER_SHUTDOWN, f"{USER_SHUTDOWN}: User initiated shutdown")
        if force:
            self.power_off_at = 0.0
        return previous

    def begin_stop(self, code: str, message: str) -> None:
        """Enter `stopping` for a reason, whoever asked."""
        for interface in self.nics.values():
            interface.stop()
        self.reboot_phase = ""
        self.enter("stopping", code, message)

    def change_host(self) -> None:
        """Go to another host where there is room, else stay."""
        with contextlib.suppress(AwsError):
            self.host = choose_host(self.ec2_backend.all_instances(), self, self._strategy(), avoid=self.host)

    def reboot(self) -> None:
        """Ask for an orderly reboot; a machine that is dead is started again."""
        if self.state != "running":
            raise incorrect_state(self.id, "rebooted")
        self.reboot_phase = "stopping"
        self.power_off_at = time.time() + STOP_GRACE_SECONDS
        current().dirty.set()

    def terminate(self) -> moto_instances.InstanceState:
        """Ask for termination; return the state before."""
        previous = copy.copy(self._state)
        if self.state not in ("shutting-down", "terminated"):
            self.end(USER_SHUTDOWN, f"{USER_SHUTDOWN}: User initiated shutdown")
        return previous

    def end(self, code: str, message: str) -> None:
        """Enter `shutting-down` for a reason, whoever asked."""
        self.reboot_phase = ""
        close_all(self.announced, "Canceled", current().now())
        self.enter("shutting-down", code, message)

    def finish_termination(self) -> None:
        """Give back interfaces, addresses and volumes once the machine is gone."""
        reason, words = self.state_reason, self._reason
        for address in self._private_ips:
            self.ec2_backend.get_subnet(self.subnet_id).del_subnet_ip(address)
        super().terminate()
        self.enter("terminated", reason.code, reason.message)
        self._reason = words
        self.terminated_at = time.time()

    # What the API shows -------------------------------------------------------------------------------

    @property
    def events(self) -> list[dict[str, Any]]:
        """Return the announced events; moto shows them because of the property's name."""
        return [event.document() for event in self.announced]

    @property
    def availability_zone_id(self) -> str:
        """Return the id of the zone, which means the same place in every account."""
        zones = self.ec2_backend.describe_availability_zones()
        return next((str(one.zone_id) for one in zones if one.name == self.placement.zone), "")

    @property
    def instance_status(self) -> dict[str, Any]:
        """Return the reachability as the process table has it."""
        if self.state != "running":
            return {"Status": "not-applicable"}
        if self.is_out or self.reboot_phase == LOST:
            return _check("impaired", "failed")
        if self.reboot_phase or self.imaging or time.time() - self.since < INITIALIZING_SECONDS:
            return _check("initializing", "initializing")
        if current().hypervisor.state(self.id) == "on":
            return _check("ok", "passed")
        return _check("impaired", "failed")

    @property
    def system_status(self) -> dict[str, Any]:
        """Return the reachability of the host, which maintenance takes away."""
        if self.state != "running":
            return {"Status": "not-applicable"}
        return _check("impaired", "failed") if self.is_out else _check("ok", "passed")

    @property
    def is_out(self) -> bool:
        """Whether maintenance keeps the machine from its network or its power."""
        return any(event.outage and event.phase == "under way" for event in self.announced)

    @property
    def is_cut_off(self) -> bool:
        """Whether maintenance keeps the machine from its network, and so its agent from Systems Manager."""
        return any(one.outage == "network" and one.phase == "under way" for one in self.announced)


def _check(status: str, detail: str) -> dict[str, Any]:
    return {"Status": status, "Details": [{"Name": "reachability", "Status": detail}]}


def require_running_or_stopped(instance: Instance) -> None:
    """Refuse an image of an instance that is neither running nor stopped."""
    if instance.state not in ("running", "stopped"):
        raise AwsError(
            "IncorrectState",
            f"Instance '{instance.id}' is not in the 'running' or 'stopped' state: it is '{instance.state}'.",
        )
