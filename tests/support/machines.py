"""A bench of machines for tests: made in a temporary directory, all of them gone afterwards."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from nospof.localcloud.machines import cgroups
from nospof.localcloud.machines.agent import AgentUnreachable, CommandResult
from nospof.localcloud.machines.hypervisor import Hypervisor
from nospof.localcloud.machines.processes import having_in_environment
from nospof.localcloud.machines.tree import Isolation, best_isolation
from support.addresses import new_address
from support.waiting import eventually


def isolation_or_skip(wanted: Isolation) -> Isolation:
    """Return the isolation when this computer can do it; skip elsewhere, fail on CI."""
    if wanted == "namespace" and best_isolation() != "namespace":
        reason = "process namespaces need root and unshare (util-linux)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return wanted


def can_partition() -> bool:
    """Whether this computer can keep machines from reaching each other."""
    has_nft = shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin") is not None
    return has_nft and os.geteuid() == 0 and cgroups.hierarchy() is not None


def partitions_or_skip() -> None:
    """Skip where machines cannot be kept apart; fail on CI where only nft is missing."""
    if os.geteuid() != 0 or cgroups.hierarchy() is None:
        pytest.skip("partitions need root and control groups of version 2")
    if not can_partition():
        reason = "partitions need nft (package nftables)"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)


class Bench:
    """Machines with the services a test asks for."""

    def __init__(self, root: Path, isolation: Isolation | None, stop_grace_seconds: float = 10.0) -> None:
        self.root = root
        self.hypervisor = Hypervisor(root, isolation=isolation, stop_grace_seconds=stop_grace_seconds)

    def machine(self, machine_id: str = "i-1", image: Path | None = None, **services: str) -> Path:
        """Make a machine that is off, with shell scripts as services; return its disk."""
        self.hypervisor.create(machine_id, new_address(), image, {"zone": "us-east-1a"})
        disk = self.hypervisor.disk(machine_id)
        for name, script in services.items():
            path = disk / "etc/services" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
            path.chmod(0o755)
        return disk

    def boot(self, machine_id: str = "i-1") -> None:
        """Switch a machine on and wait until its agent answers."""
        self.hypervisor.boot(machine_id)
        eventually(lambda: self.answers(machine_id), f"{machine_id} answers")

    def answers(self, machine_id: str = "i-1") -> bool:
        """Whether the agent answers now."""
        try:
            return self.run("true", machine_id).exit_code == 0
        except AgentUnreachable:
            return False

    def run(self, script: str, machine_id: str = "i-1", timeout_seconds: float = 30.0) -> CommandResult:
        """Run a script in a machine."""
        return self.hypervisor.execute(machine_id, script, timeout_seconds)

    def is_off(self, machine_id: str = "i-1") -> bool:
        """Whether the machine is off."""
        return self.hypervisor.state(machine_id) == "off"

    def shut_down(self, machine_id: str = "i-1") -> None:
        """Ask for an orderly end and wait for it."""
        self.hypervisor.shutdown(machine_id)
        eventually(lambda: self.is_off(machine_id), f"{machine_id} is off")

    def processes(self, machine_id: str = "i-1") -> list[int]:
        """Return every process that was started in the machine and lives."""
        entry = f"NOSPOF_MACHINE={self.root / machine_id}".encode()
        return sorted(process.pid for process in having_in_environment(entry))

    def close(self) -> None:
        """Destroy all machines."""
        for machine_id in self.hypervisor.machines():
            self.hypervisor.destroy(machine_id)
