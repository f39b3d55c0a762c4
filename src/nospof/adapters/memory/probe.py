"""The eyes that look at the services of the in-memory cloud."""

from __future__ import annotations

from urllib.parse import urlsplit

from nospof.adapters.memory.cloud import MemoryCloud
from nospof.model.answers import Answer


class MemoryProbe:
    """Asks the services of a MemoryCloud. Implements `ports.world.Probe`.

    An answer's body is "served by i-..." so that a test can tell who answered. A balancer goes
    round its healthy targets; when there are none it asks them all, as AWS does.
    """

    def __init__(self, cloud: MemoryCloud) -> None:
        self._cloud = cloud
        self._turn = 0

    def get(
        self,
        url: str,
        *,
        host: str = "",  # noqa: ARG002 - part of the port; these services have one name
        timeout_seconds: float = 5.0,
    ) -> Answer:
        """See the port; `host` and the timeout change nothing here."""
        parts = urlsplit(url)
        name, path = parts.hostname or "", parts.path or "/"
        port = parts.port or (443 if parts.scheme == "https" else 80)
        with self._cloud.lock:
            self._cloud.settle()
            instance_id = self._cloud.instance_at(name)
            if instance_id:
                return self._ask(url, instance_id, port, path, timeout_seconds)
            return self._ask_balancer(url, name, port, path, timeout_seconds)

    def _ask(self, url: str, instance_id: str, port: int, path: str, timeout_seconds: float) -> Answer:
        if self._cloud.is_silent(instance_id):
            return Answer(url, 0, timeout_seconds, error="timed out")
        service = self._cloud.service_of(instance_id)
        if service is None or service.port != port:
            return Answer(url, 0, 0.001, error="connection refused")
        return Answer(url, service.status_of(path), 0.001, f"served by {instance_id}", service.location)

    def _ask_balancer(self, url: str, name: str, port: int, path: str, timeout_seconds: float) -> Answer:
        groups = self._cloud.groups_behind(name, port)
        if groups is None:
            return Answer(url, 0, 0.001, error="name or service not known")
        if not groups:
            return Answer(url, 0, 0.001, error="connection refused")
        receivers = [one for group in groups for one in self._cloud.receivers(group)]
        if not receivers:
            return Answer(url, 503, 0.001)
        self._turn += 1
        instance_id, target_port = receivers[self._turn % len(receivers)]
        answer = self._ask(url, instance_id, target_port, path, timeout_seconds)
        if answer.status:
            return answer
        return Answer(url, 504 if answer.error == "timed out" else 502, answer.seconds)
