"""What a service says of itself (sd_notify): that it is ready, what it does, that it needs more time."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from nospof.localcloud.machines.guest import say
from nospof.localcloud.machines.surroundings import assignments

Hear = Callable[[socket.socket, Callable[[], None] | None], None]
"""Told of a socket, and what to do when something arrives; with None, to hear and keep it no longer."""


class Readiness:
    """The socket of one start of a unit.

    Args:
        unit: the name of the unit.
        invocation: what makes this start different from every other.
        from_all: whether every process of the unit is listened to, or its main process only.
        hear: as above. Raises OSError when there can be no socket.
    """

    def __init__(self, unit: str, invocation: str, from_all: bool, hear: Hear) -> None:
        self.is_ready = False
        self.status = ""
        self.extended_until = 0.0
        self.main = 0
        self._unit, self._from_all, self._hear = unit, from_all, hear
        # An abstract name can be reached by every user, however deep the machine's directory is.
        self.name = f"nospof-notify-{invocation}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{self.name}")
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.setblocking(False)
        hear(self._socket, self._read)

    def close(self) -> None:
        """Listen no longer."""
        self._hear(self._socket, None)

    def _read(self) -> None:
        data, extra, _, _ = self._socket.recvmsg(4096, socket.CMSG_SPACE(12))
        sender = next((int.from_bytes(one[2][:4], "little") for one in extra), 0)
        if not self._from_all and sender != self.main:
            say(f"{self._unit}: process {sender} is not its main process; what it says does not count")
            return
        said = assignments(data.decode(errors="replace").splitlines())
        self.is_ready = self.is_ready or said.get("READY") == "1"
        self.status = said.get("STATUS", self.status)
        if said.get("EXTEND_TIMEOUT_USEC", "").isdigit():
            self.extended_until = time.monotonic() + int(said["EXTEND_TIMEOUT_USEC"]) / 1e6
