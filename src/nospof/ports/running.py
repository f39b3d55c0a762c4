"""An owner's commands inside machines."""

from __future__ import annotations

from typing import Protocol

from nospof.model.layout import Applied
from nospof.model.maintaining import CommandState


class Running(Protocol):
    """Has one machine at a time do a command, as root.

    Nothing raises: answers say in `problem` why there is none, as those of `ports.databases`.
    """

    def begin(self, instance_id: str, token: str, command: str, seconds: int) -> Applied:
        """Begin a command of the shell; return once it runs. One that was begun is never begun again.

        It goes on whatever becomes of whoever asked, and is killed after so many seconds.

        Args:
            token: whose command it is: the machine knows it by that from then on.
        """

    def state(self, instance_id: str, token: str) -> CommandState:
        """Return how far it is. Changes nothing."""
