"""Machines without a cloud around them, and the programs that are sent to them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from nospof.adapters.machine.ssm import answer_of, script
from nospof.localcloud.machines.agent import AgentUnreachable, CommandResult
from nospof.localcloud.machines.hypervisor import Hypervisor
from nospof.localcloud.machines.tree import Isolation
from support.addresses import new_address
from support.waiting import eventually


class AskedMachines:
    """Machines that are asked by one of our programs.

    Args:
        root: an empty directory.
        names: of those there may be; each has an address.
        isolation: how machines are kept apart; None for the best there is here.
    """

    PARTS: tuple[str, ...] = ()
    """The program, in its parts."""
    SCHEMA = ""

    def __init__(self, root: Path, names: tuple[str, ...], isolation: Isolation | None = None) -> None:
        self.root = root
        (root / "machines").mkdir()
        self.hypervisor = Hypervisor(root / "machines", isolation=isolation, stop_grace_seconds=15.0)
        self.addresses = {name: new_address() for name in names}

    def create(self, name: str, image: Path) -> None:
        """Make a machine from an image and boot it."""
        about = {"zone": "us-east-1a", "region": "us-east-1"}
        self.hypervisor.create(name, self.addresses[name], image, about)
        self.boot(name)

    def boot(self, name: str) -> None:
        """Switch a machine on and wait for its agent."""
        self.hypervisor.boot(name)
        eventually(lambda: self.is_on(name), f"{name} answers")

    def is_on(self, name: str) -> bool:
        """Whether a machine's agent answers."""
        try:
            return self.run(name, "true").exit_code == 0
        except AgentUnreachable:
            return False

    def turn_off(self, name: str) -> None:
        """Shut a machine down."""
        self.hypervisor.shutdown(name)
        eventually(lambda: self.hypervisor.state(name) == "off", f"{name} is off")

    def disk(self, name: str) -> Path:
        """Return a machine's disk."""
        return self.hypervisor.disk(name)

    def run(self, name: str, text: str, seconds: float = 60.0) -> CommandResult:
        """Run a script in a machine."""
        return self.hypervisor.execute(name, text, seconds)

    def ask(self, name: str, act: str, *, failpoint: str = "", **asked: Any) -> dict[str, Any]:
        """Have a machine do an act of the program; return its answer.

        Args:
            failpoint: the step of the act at which the program kills itself; empty for none.
        """
        argument = base64.b64encode(json.dumps(asked).encode()).decode()
        before = f"export NOSPOF_DATA_FAILPOINT='{failpoint}'\n" if failpoint else ""
        done = self.run(name, before + script(self.PARTS, self.SCHEMA, act, argument), 300)
        document, problem = answer_of(done.stdout, self.SCHEMA)
        assert document is not None, (problem, done)
        return document

    def close(self) -> None:
        """Destroy all machines."""
        for name in self.hypervisor.machines():
            self.hypervisor.destroy(name)
