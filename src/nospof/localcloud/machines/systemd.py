"""The units of a machine, and what answers its `systemctl`: part of the machine's first process."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import struct
from collections.abc import Callable

from nospof.localcloud.machines import unitfile
from nospof.localcloud.machines.guest import Guest, say
from nospof.localcloud.machines.surroundings import Surroundings
from nospof.localcloud.machines.unit import Unit

TYPE_CHECKING = False  # as typing has it, which is not worth its import here
if TYPE_CHECKING:
    from typing import Any

REQUEST_BYTES = 1 << 16
ANSWER_SECONDS = 1.0
LOOKS = ("show", "show-environment")
"""What every user of the machine may ask; the rest is for root, or for who runs the machine."""


class Systemd:
    """All units that were asked for since boot.

    Requests are lines of JSON: {"verb", "units", "words", "wait"}; the answer is one line
    {"units": [{property: value}], "environment": {...}, "problem": ""}.
    """

    def __init__(self, guest: Guest, selector: selectors.BaseSelector) -> None:
        self._guest, self._selector = guest, selector
        self._shared: dict[str, str] = {}
        self._surroundings = Surroundings(guest, self._shared)
        self._units: dict[str, Unit] = {}
        self._is_ending = False

    # The life of the machine ----------------------------------------------------------------------

    def listen(self) -> None:
        """Answer `systemctl` from now on."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"\0{self._guest.systemd}")
        listener.listen(64)
        listener.setblocking(False)
        self._hear(listener, lambda: self._accept(listener))

    def boot(self) -> None:
        """Start the units that are enabled."""
        for name in unitfile.enabled(self._guest.disk):
            unit = self._unit(name)
            if unit.file.fragment and not unit.file.is_masked:
                unit.ask("start", lambda _: None)

    def end(self) -> set[int]:
        """Stop everything; return the processes whose units see to their end."""
        self._is_ending = True
        for unit in self._units.values():
            unit.ask("stop", lambda _: None)
        self.step()
        return {pid for unit in self._units.values() for pid in unit.processes()}

    def step(self) -> None:
        """Go on with everything that is under way."""
        for unit in list(self._units.values()):
            unit.step()

    def reaped(self, pid: int, code: int) -> None:
        """Hear of the end of a process."""
        for unit in self._units.values():
            unit.reaped(pid, code)

    def next_moment(self) -> float:
        """Return when to step again at the latest."""
        return min((unit.wake_at for unit in self._units.values()), default=float("inf"))

    def is_quiet(self) -> bool:
        """Whether nothing is under way."""
        return self.next_moment() == float("inf")

    # Requests -------------------------------------------------------------------------------------

    def _hear(self, heard: socket.socket, act: Callable[[], None] | None) -> None:
        if act:
            self._selector.register(heard, selectors.EVENT_READ, act)
            return
        with contextlib.suppress(KeyError):
            self._selector.unregister(heard)
        heard.close()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            connection.setblocking(False)
            asked = bytearray()
            self._hear(connection, lambda: self._requested(connection, asked))

    def _requested(self, connection: socket.socket, asked: bytearray) -> None:
        try:
            data = connection.recv(REQUEST_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        asked += data
        if data and not asked.endswith(b"\n") and len(asked) < REQUEST_BYTES:
            return
        self._selector.unregister(connection)
        try:
            request = json.loads(asked)
            self._act(request, _user_of(connection), lambda answer: _answer(connection, answer))
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            _answer(connection, {"problem": f"this cannot be understood: {error}"})

    def _act(self, request: dict[str, Any], user: int, answer: Callable[[dict[str, Any]], None]) -> None:
        verb, names = request["verb"], [unitfile.full_name(name) for name in request["units"]]
        if verb not in LOOKS and user not in (0, os.geteuid()):
            answer({"problem": "Access denied"})
        elif verb in ("start", "stop", "restart", "reload"):
            self._ask_units(verb, names, bool(request["wait"]), answer)
        else:
            self._do(verb, names, request["words"])
            shown = [self._shown(self._unit(name)) for name in names]
            answer({"units": shown, "environment": self._shared, "problem": ""})
            self._forget()

    def _do(self, verb: str, names: list[str], words: list[str]) -> None:
        if verb in ("set-environment", "unset-environment"):
            for name, _, value in (word.partition("=") for word in words):
                self._shared.pop(name, None)
                self._shared.update({name: value} if verb == "set-environment" else {})
        elif verb == "daemon-reload":
            self._load_again()
        elif verb == "reset-failed":
            for unit in [self._unit(name) for name in names] or self._units.values():
                unit.reset()
        elif verb == "kill":
            for name in names:
                self._unit(name).signal(int(words[0]))
        elif verb not in LOOKS:
            raise ValueError(f"unknown verb {verb}")

    def _load_again(self) -> None:
        for unit in self._units.values():
            unit.file = unitfile.load(self._guest.root, unit.file.name)

    def _ask_units(
        self, verb: str, names: list[str], wait: bool, answer: Callable[[dict[str, Any]], None]
    ) -> None:
        shown: dict[str, Any] = dict.fromkeys(names)

        def ended(unit: Unit, name: str, problem: str) -> None:
            shown[name] = {**self._shown(unit), "problem": problem}
            if all(shown.values()):
                answer({"units": list(shown.values()), "problem": ""})

        for name in list(shown):
            unit = self._unit(name)
            if problem := self._obstacle(verb, unit):
                ended(unit, name, problem)
                continue
            if wait:
                unit.ask(verb, lambda problem, unit=unit, name=name: ended(unit, name, problem))  # type: ignore[misc]
            else:
                unit.ask(verb, lambda _: None)
                ended(unit, name, "")
        self._forget()

    def _obstacle(self, verb: str, unit: Unit) -> str:
        """Return why a unit cannot be asked this at all; "" when it can."""
        if unit.file.is_masked and verb != "stop":
            return f"Unit {unit.file.name} is masked."
        if not unit.file.fragment and unit.active in ("inactive", "failed"):
            return f"Unit {unit.file.name} not {'loaded' if verb == 'stop' else 'found'}."
        if self._is_ending and verb != "stop":
            return f"Transaction for {unit.file.name} is destructive: the machine is going down."
        if verb in ("start", "restart"):
            try:
                unit.file.check()
            except unitfile.BadSetting as error:
                say(f"{unit.file.name}: {error}")
                return f"Unit {unit.file.name} has a bad unit file setting: {error}."
        return ""

    def _unit(self, name: str) -> Unit:
        """Return a unit. What systemd holds in memory stays as it is until daemon-reload."""
        if name not in self._units:
            file = unitfile.load(self._guest.root, name)
            # Under its own name, whatever alias it was asked for by.
            self._units.setdefault(file.name, Unit(file, self._surroundings, self._hear))
            return self._units[file.name]
        return self._units[name]

    def _forget(self) -> None:
        """Let go of units that nobody needs: they are read from the disk again when they are asked for."""
        needed = set(unitfile.enabled(self._guest.disk))
        for name, unit in list(self._units.items()):
            is_idle = unit.active == "inactive" and unit.is_idle
            if is_idle and (name not in needed or not unit.file.fragment):
                del self._units[name]

    def _shown(self, unit: Unit) -> dict[str, str]:
        file = unit.file
        loaded = "masked" if file.is_masked else "loaded" if file.fragment else "not-found"
        return {
            "Id": file.name,
            "Description": file.last("Description", file.name),
            "LoadState": loaded,
            "ActiveState": unit.active,
            "SubState": unit.sub,
            "UnitFileState": unitfile.state_of(self._guest.disk, file),
            "FragmentPath": self._inside(file.fragment),
            "DropInPaths": " ".join(map(self._inside, file.drop_ins)),
            "Type": file.kind(),
            "Restart": file.last("Restart", "no"),
            "MainPID": str(unit.main),
            "ControlPID": str(unit.control),
            "ExecMainStatus": str(abs(unit.main_code)),
            "Result": unit.result,
            "NRestarts": str(unit.restarts),
            "StatusText": unit.status,
            "InvocationID": unit.invocation,
            "says": unit.says,
        }

    def _inside(self, path: str) -> str:
        return "/" + os.path.relpath(path, self._guest.root) if path else ""


def _user_of(connection: socket.socket) -> int:
    said = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", said)[1])


def _answer(connection: socket.socket, answer: dict[str, Any]) -> None:
    """Send an answer; nobody left to hear it is no error."""
    with contextlib.suppress(OSError):
        connection.settimeout(ANSWER_SECONDS)
        connection.sendall(json.dumps(answer).encode() + b"\n")
    connection.close()
