"""Machines whose uploads move to a file system of EFS, and the mounts program that moves them."""

from __future__ import annotations

import base64
import http.client
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from nospof.adapters.machine.ssm import MOUNTS_PARTS, answer_of, script
from nospof.localcloud.images import build_demo_uploads
from nospof.localcloud.machines import mounting
from nospof.localcloud.machines.agent import AgentUnreachable
from nospof.localcloud.machines.hypervisor import Hypervisor
from nospof.localcloud.machines.tree import best_isolation
from support.addresses import new_address
from support.waiting import eventually

SCHEMA = "nospof.mounts/1"
SYSTEM, ZONE = "fs-0123456789abcdef0", "us-east-1a"
SERVER = f"{SYSTEM}.efs.us-east-1.amazonaws.com"
FILES = "/srv/www/files"
MOUNT = {"system": SYSTEM, "server": SERVER, "path": "/", "directory": FILES}
PORT = 8080


def need_mounts() -> None:
    """Skip where machines have no mounts of their own; fail in CI."""
    if best_isolation() != "namespace":
        message = "needs root: only its machines have mounts of their own"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)


class Uploader:
    """Somebody who uploads, one file after the other, and notes what was acknowledged."""

    def __init__(self, address: str, label: str) -> None:
        self.address, self.label = address, label
        self.acknowledged: list[str] = []
        self.refused: list[str] = []

    def upload(self, name: str) -> bool:
        """Upload a file; return whether that was acknowledged."""
        is_kept = False
        connection = http.client.HTTPConnection(self.address, PORT, timeout=5)
        with closing(connection), suppress(OSError, http.client.HTTPException):
            connection.request("PUT", f"/files/{name}", body=name.encode())
            is_kept = connection.getresponse().status == 201
        (self.acknowledged if is_kept else self.refused).append(name)
        return is_kept

    @contextmanager
    def always(self) -> Iterator[Uploader]:
        """Upload until the block ends."""
        over = threading.Event()

        def go_on() -> None:
            count = 0
            while not over.is_set():
                count += 1
                self.upload(f"{self.label}-{count}.txt")
                time.sleep(0.04)

        thread = threading.Thread(target=go_on, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            over.set()
            thread.join()

    def more(self, many: int = 10) -> Any:
        """Return a question: whether so many more were acknowledged since now."""
        wanted = len(self.acknowledged) + many
        return lambda: len(self.acknowledged) >= wanted


def page(address: str, path: str) -> tuple[int, str]:
    """Return what a machine's web server answers; 0 for nothing."""
    connection = http.client.HTTPConnection(address, PORT, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()


class Moving:
    """A source with uploads, its twin, and a file system.

    Args:
        root: an empty directory.
    """

    def __init__(self, root: Path) -> None:
        need_mounts()
        self.root = root
        (root / "machines").mkdir()
        self.hypervisor = Hypervisor(root / "machines", stop_grace_seconds=15.0)
        self.addresses = {name: new_address() for name in ("i-a", "i-b")}
        self.system = mounting.write_down(root, SYSTEM, [ZONE])
        build_demo_uploads(root / "base")
        self.create("i-a", root / "base")

    def create(self, name: str, image: Path) -> None:
        """Make a machine from an image and boot it."""
        self.hypervisor.create(name, self.addresses[name], image, {"zone": ZONE, "region": "us-east-1"})
        self.boot(name)

    def boot(self, name: str) -> None:
        """Switch a machine on and wait for its agent."""
        self.hypervisor.boot(name)
        eventually(lambda: self.is_on(name), f"{name} answers")

    def is_on(self, name: str) -> bool:
        """Whether a machine's agent answers."""
        try:
            return self.hypervisor.execute(name, "true", 10).exit_code == 0
        except AgentUnreachable:
            return False

    def serves(self, name: str) -> bool:
        """Whether a machine's web server answers."""
        return page(self.addresses[name], "/health")[0] == 200

    def copy_source(self) -> None:
        """Make the twin of the source, which is off meanwhile."""
        self.turn_off("i-a")
        self.hypervisor.snapshot("i-a", self.root / "image")
        self.boot("i-a")
        self.create("i-b", self.root / "image")

    def turn_off(self, name: str) -> None:
        """Shut a machine down."""
        self.hypervisor.shutdown(name)
        eventually(lambda: self.hypervisor.state(name) == "off", f"{name} is off")

    def reach(self, *zones: str) -> None:
        """Have the file system be reached from these zones only."""
        mounting.write_down(self.root, SYSTEM, list(zones))

    def on_disk(self, name: str) -> Path:
        """Return where a machine's uploads are on its own disk: nobody here sees what it has mounted."""
        return self.hypervisor.disk(name) / FILES.strip("/")

    def uploaded(self, name: str) -> set[str]:
        """Return the names of the uploads that a machine's own pages tell of."""
        status, text = page(self.addresses[name], "/files.json")
        assert status == 200, text
        return set(json.loads(text)["files"])

    def run(self, name: str, text: str) -> str:
        """Run a script in a machine; return what it said."""
        return self.hypervisor.execute(name, text, 30).stdout.strip()

    def close(self) -> None:
        """Destroy all machines."""
        for name in self.hypervisor.machines():
            self.hypervisor.destroy(name)

    # The mounts program ---------------------------------------------------------------------------------

    def ask(self, name: str, act: str, *, failpoint: str = "", **asked: Any) -> dict[str, Any]:
        """Have a machine do an act of the mounts program; return its answer."""
        argument = base64.b64encode(json.dumps(asked).encode()).decode()
        before = f"export NOSPOF_DATA_FAILPOINT='{failpoint}'\n" if failpoint else ""
        done = self.hypervisor.execute(name, before + script(MOUNTS_PARTS, SCHEMA, act, argument), 120)
        document, problem = answer_of(done.stdout, SCHEMA)
        assert document is not None, (problem, done)
        return document

    def did(self, name: str, act: str, **asked: Any) -> dict[str, Any]:
        """Have a machine do an act that has to go well; return its answer."""
        said = self.ask(name, act, **asked)
        assert not said["problem"], said
        return said

    def look(self, name: str = "i-a") -> dict[str, Any]:
        """Look at what is to move."""
        return self.did(name, "look", mounts=[MOUNT], port=PORT, whose="i-a")

    def attach(
        self, name: str = "i-a", *, is_copy: bool = False, failpoint: str = "", **more: Any
    ) -> dict[str, Any]:
        """Have a machine's uploads be those of the file system."""
        asked = {"mounts": [MOUNT], "units": ["web.service"], "whose": "i-a", "is_copy": is_copy, **more}
        return self.ask(name, "attach", failpoint=failpoint, **asked)
