"""Machines whose uploads move to a file system of EFS, and the mounts program that moves them."""

from __future__ import annotations

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

from nospof.adapters.machine.ssm import MOUNTS_PARTS
from nospof.localcloud.images import build_demo_uploads
from nospof.localcloud.machines import mounting
from nospof.localcloud.machines.tree import best_isolation
from support.asked_machines import AskedMachines

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


class Moving(AskedMachines):
    """A source with uploads, its twin, and a file system.

    Args:
        root: an empty directory.
    """

    PARTS, SCHEMA = MOUNTS_PARTS, "nospof.mounts/1"

    def __init__(self, root: Path) -> None:
        need_mounts()
        super().__init__(root, ("i-a", "i-b"))
        self.system = mounting.write_down(root, SYSTEM, [ZONE])
        build_demo_uploads(root / "base")
        self.create("i-a", root / "base")

    def serves(self, name: str) -> bool:
        """Whether a machine's web server answers."""
        return page(self.addresses[name], "/health")[0] == 200

    def copy_source(self) -> None:
        """Make the twin of the source, which is off meanwhile."""
        self.turn_off("i-a")
        self.hypervisor.snapshot("i-a", self.root / "image")
        self.boot("i-a")
        self.create("i-b", self.root / "image")

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

    # The mounts program ---------------------------------------------------------------------------------

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
