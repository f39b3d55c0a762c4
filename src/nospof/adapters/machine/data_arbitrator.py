"""The part of the data program that has a machine vote in a Galera cluster and keep nothing.

It runs by any Python from 3.6 on.
"""

from typing import Any

from nospof.adapters.machine.data_galera import ARBITRATOR_UNIT, GALERA_PORT, arbitrator_unit
from nospof.adapters.machine.data_machine import Host, found_program
from nospof.adapters.machine.hold_databases import Refused
from nospof.adapters.machine.probe_machine import address_of, owners, read_regular

# The sender cuts here: what stands above is in the parts before, but for the imports.

ESTABLISHED_STATE = "01"


class Arbitrator:
    """Galera's arbitrator on this machine.

    Args:
        m: the machine.
    """

    def __init__(self, m: Host) -> None:
        self.m = m

    def apply(self, layout: "dict[str, Any]") -> None:
        """Have it vote as a layout says. A repeat changes nothing."""
        if not found_program("garbd"):
            raise Refused(
                "garbd is not on the machine: sudo apt-get install -y --no-install-recommends "
                "galera-arbitrator-4"
            )
        self.m.keep_layout(layout)
        self.m.reached("layout kept")
        changed = self.m.unit(ARBITRATOR_UNIT, arbitrator_unit(self.m.command("garbd"), layout))
        self.m.reached("unit written")
        if self.m.run(["systemctl", "is-enabled", ARBITRATOR_UNIT])[0]:
            self.m.systemctl("enable", ARBITRATOR_UNIT)
        if changed or not self.m.is_active(ARBITRATOR_UNIT):
            self.m.systemctl("restart", ARBITRATOR_UNIT)
            self.m.done("the arbitrator votes in {}".format(layout["cluster"]))

    def forget_view(self) -> None:
        """Have it look for members anew: one that saw all of them leave takes itself for the cluster."""
        self.m.systemctl("restart", ARBITRATOR_UNIT)
        self.m.done("the arbitrator looks for members anew")

    def state(self) -> "dict[str, Any]":
        """Return what it is: nobody can ask it, so its connections to others are counted."""
        mine = {one for one, who in owners(self.m).items() if who == "garbd"}
        found = 0
        for line in read_regular("/proc/net/tcp", 4 << 20).decode("ascii", "replace").splitlines()[1:]:
            parts = line.split()
            if len(parts) > 9 and parts[3] == ESTABLISHED_STATE and parts[9] in mine:
                found += GALERA_PORT in (address_of(parts[1])[1], address_of(parts[2])[1])
        is_on = self.m.is_active(ARBITRATOR_UNIT)
        return {
            "role": "arbitrator" if is_on else "down",
            "ready": is_on and found > 0,
            "says": f"connected to {found} members" if is_on else "the arbitrator does not run",
            "votes": found + 1 if is_on else 0,
        }
