"""A local cloud for a test: started, pointed at, and gone afterwards whatever happens to the test run."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from nospof.localcloud import control

REGION = "us-east-1"


def client(url: str, service: Any, region: str = REGION) -> Any:
    """Return a boto3 client of an endpoint that takes any credentials; it does not repeat calls by itself."""
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=url,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - a placeholder
        config=Config(retries={"total_max_attempts": 1}),
    )


@dataclass(frozen=True)
class RunningCloud:
    """A running local cloud and the shortest ways to talk to it."""

    endpoint: control.Endpoint
    home: Path
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def url(self) -> str:
        return self.endpoint.url

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that point AWS clients at it."""
        with _home(self.home):
            return control.environment(self.endpoint.name)

    def client(self, service: str, region: str = REGION) -> Any:
        """Return a boto3 client that does not repeat calls by itself: the same one each time."""
        if (service, region) not in self._clients:
            self._clients[service, region] = client(self.url, service, region)
        return self._clients[service, region]

    def close(self) -> None:
        """Close the clients' connections."""
        while self._clients:
            self._clients.popitem()[1].close()

    def admin(self, method: str, path: str, document: object = None) -> tuple[int, dict[str, Any]]:
        """Call the local cloud's own API: admin("POST", "event", {...})."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=30)
        try:
            connection.request(method, f"/_nospof/{path}", json.dumps(document) if document else None)
            with connection.getresponse() as answer:
                return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def image_named(self, name: str, region: str = REGION) -> str:
        """Return the id of an image by name, such as nospof-demo-site."""
        named = [{"Name": "name", "Values": [name]}]
        return str(self.client("ec2", region).describe_images(Filters=named)["Images"][0]["ImageId"])


@contextlib.contextmanager
def _home(home: Path) -> Iterator[None]:
    before = os.environ.get("NOSPOF_HOME")
    os.environ["NOSPOF_HOME"] = str(home)
    try:
        yield
    finally:
        if before is None:
            del os.environ["NOSPOF_HOME"]
        else:
            os.environ["NOSPOF_HOME"] = before


@contextlib.contextmanager
def running_cloud(name: str = "test") -> Iterator[RunningCloud]:
    """Run a local cloud of its own in a directory of its own; both are gone afterwards.

    It hangs on a lifeline: when this process is killed, the cloud deletes itself.
    """
    with tempfile.TemporaryDirectory(prefix="nospof-cloud-") as directory:
        home = Path(directory)
        lifeline = home / "lifeline"
        with lifeline.open("w", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            with _home(home):
                endpoint = control.start(name, lifeline=lifeline)
            cloud = RunningCloud(endpoint, home)
            try:
                yield cloud
            finally:
                cloud.close()
                with _home(home):
                    control.reset(name)
