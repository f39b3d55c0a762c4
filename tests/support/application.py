"""An application that nobody here wrote, on instances of a local cloud, and the story of making two of one.

What is the same whichever application it is: how it gets into an instance, how people come in by HTTP, what
they were told while something was done to it, and whether that is still there.
"""

from __future__ import annotations

import base64
import http.client
import http.cookiejar
import json
import os
import shutil
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support import ec2_words
from support.local_cloud import RunningCloud
from support.site import Site, allowed
from support.waiting import eventually

CARRIES = ("curl", "mariadbd", "garbd", "syncthing", "haproxy")
ANSWER_SECONDS = 30.0
REST_SECONDS = 0.1
"""How long somebody rests whose write was not taken."""
IS_WRITER = "curl -fs http://$NOSPOF_ADDRESS:9280/writer >/dev/null"
"""What a job asks first that must run on one of two, as the plan of a pair says."""
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def picture(name: str) -> bytes:
    """Return a picture that is no other's: of one point, with its name behind it."""
    return PIXEL + name.encode()


def need_application(packages: str, programs: Sequence[str], file: str) -> None:
    """Skip where an application and what carries it is not there; fail in CI.

    Args:
        packages: what brings it, as apt-get takes them.
        file: one that the application's own package brings.
    """
    is_there = all(shutil.which(one) for one in (*CARRIES, *programs)) and Path(file).exists()
    if os.geteuid() != 0 or not is_there:
        message = f"needs root, and: sudo apt-get install --no-install-recommends {packages}"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)


def inside(cloud: RunningCloud, instance_id: str, script: str, seconds: float = 300.0) -> str:
    """Run a script in an instance; return what it says."""
    ssm = cloud.client("ssm")
    sent = ssm.send_command(
        InstanceIds=[instance_id], DocumentName="AWS-RunShellScript", Parameters={"commands": [script]}
    )
    asked = {"CommandId": sent["Command"]["CommandId"], "InstanceId": instance_id}

    def ended() -> Any:
        said = ssm.get_command_invocation(**asked)
        return said if said["Status"] not in ("Pending", "InProgress", "Delayed") else None

    said = eventually(ended, "the script ends", timeout_seconds=seconds, every_seconds=0.2)
    assert said["Status"] == "Success", said
    return str(said["StandardOutputContent"])


def launch(cloud: RunningCloud, name: str, install: str) -> str:
    """Launch an instance and have an application installed by a script; return its id."""
    image = cloud.image_named("nospof-overlay-root")
    launched = ec2_words.launch(cloud, ImageId=image, TagSpecifications=ec2_words.tagged("instance", name))
    instance_id = ec2_words.running(cloud.client("ec2"), launched)
    inside(cloud, instance_id, install)
    return instance_id


class Led(urllib.request.HTTPHandler):
    """Leads all that is asked to one address, whatever the name: somebody's own table of names.

    Args:
        address: with its port.
    """

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """Ask the one address."""

        def connection(_: str, **more: Any) -> http.client.HTTPConnection:
            return http.client.HTTPConnection(self._address, **more)

        return self.do_open(connection, req)  # type: ignore[arg-type]


class Browser:
    """Somebody's browser, with its cookies.

    Args:
        site: scheme, name and port that it asks for.
        address: where that leads to, with its port; empty for where it says.
    """

    def __init__(self, site: str, address: str = "") -> None:
        self.site = site
        self.cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            *([Led(address)] if address else []),
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPCookieProcessor(self.cookies),
        )

    def get(self, path: str, content: bytes | None = None, **headers: str) -> Any:
        """Return the open answer to a question, or to what is sent. Raises OSError: it gave none."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._opener.open(
            urllib.request.Request(self.site + path, content, named), timeout=ANSWER_SECONDS
        )

    def read(self, path: str, content: bytes | None = None, **headers: str) -> bytes:
        """Return an answer, whole. Raises OSError: there is none."""
        with self.get(path, content, **headers) as answer:
            return bytes(answer.read())

    def json(self, path: str, content: bytes | None = None, **headers: str) -> Any:
        """Return what an answer says. Raises OSError, ValueError: there is none."""
        return json.loads(self.read(path, content, **headers))

    def has(self, path: str, content: bytes) -> bool:
        """Whether this is at a place of the site, whole. Raises OSError: it does not answer."""
        try:
            return self.read(path) == content
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 404:
                return False
            raise


def form(**fields: str) -> bytes:
    """Return the fields of a form as they are sent."""
    return urllib.parse.urlencode(fields).encode()


@dataclass
class Written:
    """What those who write were told."""

    acknowledged: set[str] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)

    def more(self, wanted: int) -> Callable[[], bool]:
        """Return a question: whether so many more were acknowledged since now."""
        wanted += len(self.acknowledged)
        return lambda: len(self.acknowledged) >= wanted


Write = Callable[[str], bool]
"""Writes a text, whose title it is too; returns whether that was acknowledged."""
TROUBLES = (OSError, ValueError, KeyError, AssertionError, http.client.HTTPException)


@contextmanager
def writing(label: str, *people: Callable[[], Write]) -> Iterator[Written]:
    """Have people write until the block ends.

    Args:
        label: what all that they write begins with.
        people: each comes in, logged in and all, and returns how it writes; after a failure it comes in anew.
    """
    written, over = Written(), threading.Event()

    def write(number: int, come_in: Callable[[], Write]) -> None:
        count, writes = 0, None
        while not over.is_set():
            count += 1
            text = f"{label.capitalize()}-{number}-{count}"
            try:
                writes = writes or come_in()
                is_taken, why = writes(text), "not acknowledged"
            except TROUBLES as error:
                is_taken, why = False, f"{type(error).__name__}: {error}"
            if is_taken:
                written.acknowledged.add(text)
            else:
                written.failed.append(f"{text}: {why}")
                writes = None
                over.wait(REST_SECONDS)

    threads = [threading.Thread(target=write, args=one, daemon=True) for one in enumerate(people)]
    for one in threads:
        one.start()
    try:
        yield written
    finally:
        over.set()
        for one in threads:
            one.join()


class Application:
    """An application on one instance or two, and what those who write there were told so far.

    Args:
        home: where nospof keeps its journal.
        source: the instance that it began on.
    """

    def __init__(self, cloud: RunningCloud, home: Path, source: str) -> None:
        self.cloud, self.site, self.source, self.twin = cloud, Site(cloud, home), source, ""
        self.told: list[Written] = []
        self.uploads: dict[str, bytes] = {}

    # What each application says of itself ----------------------------------------------------------------

    def people(self, address: str) -> Sequence[Callable[[], Write]]:
        """Return those who write at an address."""
        raise NotImplementedError

    def texts(self, address: str) -> set[str]:
        """Return all texts that are read at an address under their own title."""
        raise NotImplementedError

    def browser(self, address: str) -> Browser:
        """Return somebody's browser at an address."""
        raise NotImplementedError

    # Where it is -----------------------------------------------------------------------------------------

    def address(self, instance_id: str) -> str:
        """Return where an instance's own web server is."""
        return f"{ec2_words.instance(self.cloud.client('ec2'), instance_id)['PrivateIpAddress']}:8080"

    @property
    def balancer(self) -> str:
        """Where clients come in once there are two."""
        (shown,) = self.cloud.client("elbv2").describe_load_balancers()["LoadBalancers"]
        return f"{shown['DNSName']}:8080"

    def other_member(self) -> str:
        """Return the instance that keeps the data with the source."""
        kept = [{"Name": "tag:nospof:data", "Values": ["galera"]}]
        found = self.cloud.client("ec2").describe_instances(Filters=kept)["Reservations"]
        members = {one["InstanceId"] for each in found for one in each["Instances"]}
        (other,) = members - {self.source}
        return str(other)

    # What is done ----------------------------------------------------------------------------------------

    def allowed(self, procedures: str, *command: str) -> Any:
        """Run a command as somebody who may do what the policies of these procedures say."""
        return allowed(self.site, procedures, *command)

    @contextmanager
    def written_to(self, address: str) -> Iterator[Written]:
        """Have people write at an address before, during and after the block."""
        with writing(f"p{len(self.told)}", *self.people(address)) as written:
            self.told.append(written)
            eventually(written.more(20), "writes are acknowledged before")
            yield written
            eventually(written.more(20), "writes are acknowledged afterwards")

    def while_written(self, address: str, *command: str, procedures: str) -> Any:
        """Run a command under writes that go on before, meanwhile and afterwards."""
        with self.written_to(address):
            return self.allowed(procedures, *command)

    def kill(self, instance_id: str) -> None:
        """Take an instance's power away."""
        fault = {"instance": instance_id, "fault": "kill"}
        assert self.cloud.admin("POST", "fault", fault)[0] == 200

    def inside(self, instance_id: str, script: str) -> str:
        """Run a script in an instance; return what it says."""
        return inside(self.cloud, instance_id, script)

    def minute(self, crontab: str, times: int = 1) -> None:
        """Have both machines do at one moment what a crontab says of each minute, so many times."""
        line = f"cut -d' ' -f7- {crontab}"
        run = f"for one in $(seq {times}); do {line} | sh; done; true"
        with ThreadPoolExecutor() as both:
            list(both.map(lambda one: self.inside(one, run), (self.source, self.twin)))

    # What is there ---------------------------------------------------------------------------------------

    def lost(self, instance_id: str) -> set[str]:
        """Return what was ever acknowledged and is not read at an instance."""
        acknowledged = {text for written in self.told for text in written.acknowledged}
        assert acknowledged
        return acknowledged - self.texts(self.address(instance_id))

    def lost_uploads(self, instance_id: str) -> set[str]:
        """Return the uploads that an instance does not have."""
        browser = self.browser(self.address(instance_id))
        return {path for path, content in self.uploads.items() if not browser.has(path, content)}
