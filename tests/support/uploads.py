"""Machines that have a directory of uploads, and the files program that keeps it the same on all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from nospof.adapters.machine.files import SCHEMA
from nospof.adapters.machine.ssm import FILES_PARTS
from nospof.localcloud.images import build_base
from support.addresses import new_address
from support.asked_machines import AskedMachines
from support.waiting import eventually

UPLOADS = "/srv/uploads"


def need_syncthing() -> None:
    """Skip where Syncthing is not there; fail in CI."""
    if not shutil.which("syncthing"):
        message = "needs Syncthing: sudo apt-get install --no-install-recommends syncthing"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)


class Uploads(AskedMachines):
    """A source with uploads, and its twin.

    Args:
        root: an empty directory.
    """

    PARTS, SCHEMA = FILES_PARTS, SCHEMA

    def __init__(self, root: Path) -> None:
        need_syncthing()
        super().__init__(root, ("i-a", "i-b"))
        build_base(root / "base")
        self.create("i-a", root / "base")
        self.directory("i-a").mkdir(parents=True)

    def copy_source(self) -> None:
        """Make the twin of the source as it is now."""
        self.hypervisor.snapshot("i-a", self.root / "image")
        self.create("i-b", self.root / "image")

    @staticmethod
    def another_address() -> str:
        """Return an address that nobody has."""
        return new_address()

    # Files ----------------------------------------------------------------------------------------------

    def directory(self, name: str) -> Path:
        """Return where a machine's uploads are."""
        return self.hypervisor.disk(name) / UPLOADS.lstrip("/")

    def upload(self, name: str, file: str, text: str) -> None:
        """Write a file as an application does: whole, by renaming it."""
        path = self.directory(name) / file
        path.with_name(f".{file}.part").write_text(text)
        path.with_name(f".{file}.part").rename(path)

    def files(self, name: str) -> dict[str, str]:
        """Return a machine's uploads and what is in them."""
        found = self.directory(name).iterdir()
        return {one.name: one.read_text() for one in found if one.is_file() and one.name[0] != "."}

    # The files program ----------------------------------------------------------------------------------

    def did(self, name: str, act: str, **asked: Any) -> list[str]:
        """Have a machine do an act that has to go well; return what was done."""
        said = self.ask(name, act, **asked)
        assert not said["problem"], said
        return list(said["did"])

    def sharing(self, *joining: str) -> dict[str, Any]:
        """Return the sharing of both machines."""
        keys = {name: self.did(name, "key", address=at)[0] for name, at in self.addresses.items()}
        members = [
            {"id": name, "address": at, "zone": "", "device": keys[name]}
            for name, at in self.addresses.items()
        ]
        return {
            "members": members,
            "directories": [UPLOADS],
            "joining": [keys[name] for name in joining],
        }

    def wait_ready(self, *names: str) -> None:
        """Wait until members are in step."""
        for name in names:
            eventually(
                lambda name=name: self.ask(name, "state")["ready"],  # type: ignore[misc]
                f"{name} is in step",
                every_seconds=0.2,
            )

    def share(self) -> None:
        """Let the twin join, and wait until both are in step."""
        joining = self.sharing("i-b")
        self.did("i-a", "apply", sharing=joining)
        self.did("i-b", "apply", sharing=joining)
        self.wait_ready("i-b")
        both = {**joining, "joining": []}
        self.did("i-b", "apply", sharing=both)
        self.did("i-a", "apply", sharing=both)
        self.wait_ready("i-a", "i-b")
