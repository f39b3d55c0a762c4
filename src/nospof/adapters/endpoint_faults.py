"""Faults that only an endpoint on this computer can put: the local cloud's admin address.

AWS has no call that pulls a plug, so there it is refused, with what can be done instead.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from ipaddress import ip_address
from urllib.parse import urlsplit

from nospof.errors import CloudError, PreconditionFailed

TIMEOUT_SECONDS = 10.0


class EndpointFaults:
    """Implements `ports.faults.Faults` against an endpoint's `/_nospof/` address.

    Args:
        endpoint_url: the AWS endpoint in use; empty for AWS itself.
    """

    def __init__(self, endpoint_url: str) -> None:
        self._url = endpoint_url.rstrip("/")

    def refuse_unless_possible(self, kind: str) -> None:
        """See the port."""
        if kind != "kill":
            return
        if not self._is_local_cloud():
            raise PreconditionFailed(
                "only the local cloud can pull an instance's plug; AWS has no call for it. Use --fault stop. "
                "Nothing was changed."
            )

    def kill(self, instance_id: str) -> None:
        """See the port."""
        self.refuse_unless_possible("kill")
        self._ask("fault", {"instance": instance_id, "fault": "kill"})

    def announce(self, instance_id: str, code: str, seconds: float) -> None:
        """Announce a maintenance event that is due in so many seconds."""
        self._ask("event", {"instance": instance_id, "code": code, "seconds": seconds})

    def _is_local_cloud(self) -> bool:
        """Whether the endpoint is one of ours; never asked of a host that is not this computer."""
        host = urlsplit(self._url).hostname or ""
        try:
            if not ip_address(host).is_loopback:
                return False
        except ValueError:
            if host != "localhost":
                return False
        try:
            return "name" in self._ask("status")
        except CloudError:
            return False

    def _ask(self, what: str, content: dict[str, object] | None = None) -> dict[str, object]:
        request = urllib.request.Request(  # noqa: S310 - http to this computer, checked by the caller
            f"{self._url}/_nospof/{what}",
            data=None if content is None else json.dumps(content).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - as above
                found: dict[str, object] = json.loads(answer.read() or b"{}")
                return found
        except urllib.error.HTTPError as error:
            with error:
                said = error.read().decode(errors="replace")
            raise CloudError(f"{self._url} refused {what}: {said}") from error
        except (OSError, ValueError) as error:
            raise CloudError(f"{self._url} did not answer {what}: {error}", retryable=True) from error
