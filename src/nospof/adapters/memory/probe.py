"""The eyes that look at the services of the in-memory cloud."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

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
        host: str = "",
        headers: Mapping[str, str] | None = None,
        verify: bool = True,  # noqa: ARG002 - part of the port; every certificate here is trusted
        timeout_seconds: float = 5.0,
    ) -> Answer:
        """See the port; the timeout changes nothing here."""
        parts = urlsplit(url)
        sent = {**(headers or {}), "Host": host or parts.hostname or ""}
        with self._cloud.lock:
            self._cloud.settle()
            instance_id = self._cloud.instance_at(parts.hostname or "")
            if instance_id:
                return self._ask(parts, instance_id, port_of(parts), sent, timeout_seconds)
            return self._ask_balancer(parts, sent, timeout_seconds)

    def _ask(
        self, parts: SplitResult, instance_id: str, port: int, sent: Mapping[str, str], timeout_seconds: float
    ) -> Answer:
        url, path = parts.geturl(), parts.path or "/"
        if self._cloud.is_silent(instance_id):
            return Answer(url, 0, timeout_seconds, error="timed out")
        service = self._cloud.service_of(instance_id)
        if service is None or port not in (service.port, service.tls_port):
            return Answer(url, 0, 0.001, error="connection refused")
        is_tls = port == service.tls_port
        if not is_tls and service.sends_to_https(path, sent):
            return Answer(url, 301, 0.001, "", f"https://{sent['Host']}{path}", headers=service.headers)
        status, body = service.status_of(path), f"served by {instance_id}"
        return Answer(url, status, 0.001, body, service.location, headers=service.headers)

    def _ask_balancer(self, parts: SplitResult, sent: dict[str, str], timeout_seconds: float) -> Answer:
        url = parts.geturl()
        try:
            listener = self._cloud.listener_at(parts.hostname or "", port_of(parts))
        except LookupError:
            return Answer(url, 0, 0.001, error="name or service not known")
        if listener is None or listener.protocol.lower() != parts.scheme:
            return Answer(url, 0, 0.001, error="connection refused")
        if listener.redirects_to:
            port = listener.redirects_to.removeprefix("https:")
            place = sent["Host"] if port == "443" else f"{sent['Host']}:{port}"
            return Answer(url, 301, 0.001, "", f"https://{place}{parts.path or '/'}")
        receivers = [one for group, _ in listener.forwards_to for one in self._cloud.receivers(group)]
        if not receivers:
            return Answer(url, 503, 0.001)
        self._turn += 1
        instance_id, target_port = receivers[self._turn % len(receivers)]
        sent["X-Forwarded-Proto"] = parts.scheme
        answer = self._ask(parts, instance_id, target_port, sent, timeout_seconds)
        if answer.status:
            return answer
        return Answer(url, 504 if answer.error == "timed out" else 502, answer.seconds)


def port_of(parts: SplitResult) -> int:
    """Return the port a URL means."""
    return parts.port or (443 if parts.scheme == "https" else 80)
