"""A machine's whole life, as a program of its own: run by a user without rights in the directory given."""

from __future__ import annotations

import sys
from pathlib import Path

from nospof.localcloud.machines.hypervisor import Hypervisor
from nospof.localcloud.machines.processes import having_in_environment
from support.waiting import eventually


def main(root: Path) -> None:
    """Print the machine's state when on, when off, and how many of its processes are left."""
    hypervisor = Hypervisor(root)
    hypervisor.create("i-1", "127.0.0.1", None, {})
    disk = hypervisor.disk("i-1")
    service = disk / "etc/services/daemon"
    service.parent.mkdir(parents=True)
    service.write_text("#!/bin/sh\nsetsid sh -c 'sleep 601 & : >ready' & wait; exec sleep 602\n")
    service.chmod(0o755)
    hypervisor.boot("i-1")
    eventually((disk / "ready").exists)
    print(hypervisor.state("i-1"))  # noqa: T201
    hypervisor.power_off("i-1")
    print(hypervisor.state("i-1"))  # noqa: T201
    print(len(having_in_environment(f"NOSPOF_MACHINE={root / 'i-1'}".encode())))  # noqa: T201
    hypervisor.destroy("i-1")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
