"""moto's load balancer and target group, with what moto leaves out.

The classes keep moto's names: moto's serializer derives the names of an answer's fields from them.
"""

from __future__ import annotations

import ipaddress
import time
from typing import Any

from moto.elbv2 import models as moto_models
from moto.elbv2.exceptions import ELBClientError, TargetNotRunning

from nospof.localcloud.elbv2 import balancing, translation

_IDLE_TIMEOUT_SECONDS = 60


class FakeTargetGroup(moto_models.FakeTargetGroup):
    """A target group whose targets are ports of machines, drained when they leave."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # By (id, port): one machine may serve on several ports.
        self.targets: dict[Any, dict[str, Any]] = {}
        self.draining: dict[Any, dict[str, Any]] = {}
        self.registrations = 0

    def register(self, targets: list[dict[str, Any]]) -> None:
        """Register targets; registering one again changes nothing.

        Raises:
            ELBClientError: InvalidTarget; none is registered then.
        """
        zones = [self._zone(target["Id"]) for target in targets]
        for target, zone in zip(targets, zones, strict=True):
            key = (target["Id"], int(target.get("Port") or self.port))
            if key in self.targets:
                continue
            self.registrations += 1
            self.targets[key] = {"Id": key[0], "Port": key[1], "Zone": zone, "Number": self.registrations}

    def deregister(self, targets: list[dict[str, Any]]) -> None:
        """Take targets out of service; they drain until the delay is over. Unknown ones are no error."""
        for target in targets:
            self._leave((target["Id"], int(target.get("Port") or self.port)))

    def deregister_terminated_instances(self, instance_ids: list[str]) -> None:
        """Take the targets of terminated instances out of service."""
        for key in [key for key in self.targets if key[0] in instance_ids]:
            self._leave(key)

    def health_for(self, target: dict[str, Any], ec2_backend: Any) -> moto_models.FakeHealthStatus:  # noqa: ARG002
        """Return a target's health, asked from its balancer."""
        port = int(target.get("Port") or self.port)
        return self.status(target["Id"], port, balancing.current().health(self.arn, target["Id"], port))

    def status(
        self, target_id: str, port: int, health: balancing.TargetHealth
    ) -> moto_models.FakeHealthStatus:
        """Return a target's health as moto serializes it."""
        asked = self.health_check_port
        return moto_models.FakeHealthStatus(
            target_id,
            port,  # type: ignore[arg-type]  # moto serializes a number as well
            str(port) if asked == "traffic-port" else asked,
            health.state,
            health.reason,
            health.description,
        )

    def _leave(self, key: tuple[str, int]) -> None:
        registration = self.targets.pop(key, None)
        if registration is None:
            return
        backend = moto_models.elbv2_backends[self.account_id][self.region_name]
        view = translation.machine_of(registration, balancing.current().machine)
        if view is None or view.state in translation.GONE_STATES:
            return
        if translation.users_of(backend, self.arn):
            delay_seconds = int(self.attributes["deregistration_delay.timeout_seconds"])  # type: ignore[call-overload]
            self.draining[(*key, registration["Number"])] = registration | {
                "Until": time.time() + delay_seconds
            }

    def _zone(self, target_id: str) -> str:
        """Return the zone a target is in; "" for an address.

        Raises:
            ELBClientError: InvalidTarget.
        """
        if self.target_type == "ip":
            try:
                local = ipaddress.ip_address(target_id).is_loopback
            except ValueError:
                local = False
            if not local:
                raise ELBClientError(
                    "InvalidTarget",
                    f"The IP address '{target_id}' is not in 127.0.0.0/8, the local cloud's network",
                )
            return ""
        instance = self.ec2_backend.get_instance_by_id(target_id)
        if instance is None:
            raise ELBClientError(
                "InvalidTarget", f"The following targets are not valid instances: '{target_id}'"
            )
        # An Auto Scaling group registers what it has just launched; everybody else is asked to wait.
        if instance.state not in ("running", "pending"):
            raise TargetNotRunning(instance_id=target_id)
        return str(instance.placement.zone)


class FakeLoadBalancer(moto_models.FakeLoadBalancer):
    """A load balancer that answers at its DNS name, which is a loopback address."""

    VALID_ATTRS = moto_models.FakeLoadBalancer.VALID_ATTRS | {translation.PROFILE_KEY}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.type == "application":
            self.attrs["load_balancing.cross_zone.enabled"] = "true"
            self.attrs["idle_timeout.timeout_seconds"] = str(_IDLE_TIMEOUT_SECONDS)
        region = self.arn.split(":")[3]
        # Names under localhost do not resolve everywhere; an address always does.
        self.dns_name = balancing.current().allocate_address(region)
        self.provisioned_at = time.time() + balancing.PROVISIONING_SECONDS

    def activate(self) -> None:
        """Do nothing: it becomes active when its HAProxy answers, not when somebody looks."""
