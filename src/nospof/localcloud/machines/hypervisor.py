"""Where machines run: each a directory with a disk, an address, and a tree of processes.

    <root>/<id>/disk/        the machine's disk: images are copies of it
    <root>/<id>/meta.json    id, address, metadata
    <root>/<id>/run/         what is gone or stale when the machine is off
    <root>/<id>/console.log  what its init said

The rule: a state is what the world shows now. Nothing is remembered in this process, so that it may
be killed at any moment and another one finds the same machines in the same states.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from nospof.localcloud.locks import locked
from nospof.localcloud.machines.agent import PATIENCE_SECONDS, CommandResult, run_script
from nospof.localcloud.machines.disks import Progress, TreeCopy, copy_tree
from nospof.localcloud.machines.tree import Isolation, ProcessTree, best_isolation

State = Literal["absent", "off", "on", "frozen"]
ExitReason = Literal["", "powered-off", "killed"]

_PAUSED = "run/paused"
CONSOLE_BYTES = 64 * 1024  # what EC2 keeps of a console


class MachineNotFound(LookupError):
    """There is no machine of that id here."""


class Hypervisor:
    """The machines below one directory. Safe to use from many threads and processes at once.

    Args:
        root: made when it does not exist.
        stop_grace_seconds: how long an orderly shutdown waits for the machine's processes.
        isolation: "namespace" gives each machine its own process numbers and lets the kernel end all of
            it with its first process (needs root); "session" works for everybody. By default the
            better one that works.
    """

    def __init__(
        self, root: Path, *, stop_grace_seconds: float = 10.0, isolation: Isolation | None = None
    ) -> None:
        self._root = root.absolute()
        self._root.mkdir(parents=True, exist_ok=True)
        self._grace = stop_grace_seconds
        self._isolation = isolation or best_isolation()
        for machine_id in self.machines():
            self._end_pause_left_behind(machine_id)
        for doomed in self._root.glob(".*.destroyed"):  # whoever deleted it was killed meanwhile
            shutil.rmtree(doomed, ignore_errors=True)

    # The machine and its disk --------------------------------------------------------------------

    def create(self, machine_id: str, address: str, image: Path | None, metadata: dict[str, str]) -> None:
        """Make a machine that is off, with a copy of an image as its disk. A repeat changes nothing.

        Args:
            machine_id: its name here; a file name.
            address: the address of 127.0.0.0/8 its services bind to.
            image: the directory to copy, or None for an empty disk. Nothing on it is reset.
            metadata: what processes see as NOSPOF_<KEY>; "zone" becomes NOSPOF_ZONE.

        Raises:
            OSError: the disk could not be copied (no space); nothing is left of it.
        """
        partial = self._root / f".{machine_id}.partial"
        partial.mkdir(exist_ok=True)
        with locked(partial):
            if (self._root / machine_id).exists():
                shutil.rmtree(partial, ignore_errors=True)
                return
            try:
                if (partial / "disk").exists():  # of an attempt that was killed
                    shutil.rmtree(partial / "disk")
                if image is None:
                    (partial / "disk").mkdir()
                else:
                    copy_tree(image, partial / "disk")
                (partial / "run").mkdir(exist_ok=True)
                identity = {"id": machine_id, "address": address, "metadata": metadata}
                (partial / "meta.json").write_text(json.dumps(identity), encoding="utf-8")
                (partial / "run/metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
                partial.rename(self._root / machine_id)
            except BaseException:
                shutil.rmtree(partial, ignore_errors=True)
                raise

    def destroy(self, machine_id: str) -> None:
        """Pull the plug and delete the machine with its disk. An absent machine is no error."""
        directory = self._root / machine_id
        if not directory.exists():
            return
        doomed = self._root / f".{machine_id}.destroyed"
        shutil.rmtree(doomed, ignore_errors=True)
        with locked(directory):
            ProcessTree(directory).kill()
            directory.rename(doomed)
        shutil.rmtree(doomed)

    def snapshot(self, machine_id: str, destination: Path, progress: Progress | None = None) -> None:
        """Copy the disk to a place that does not exist yet; when it does, it is a finished copy and stays.

        The copy of a running machine is of one moment, as if its plug had been pulled then: most is copied
        while it runs, what has changed meanwhile while it is paused (milliseconds).

        Raises:
            OSError: it could not be copied (no space); nothing is left of it.
            MachineNotFound: there is no such machine.
        """
        disk = self._directory(machine_id) / "disk"
        if destination.exists():
            return
        partial = destination.with_name(f".{destination.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        copy = TreeCopy(disk, partial, progress)
        try:
            copy.refresh()
            with self._paused(machine_id):
                copy.refresh()
            partial.rename(destination)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise

    def replace_disk(self, machine_id: str, image: Path) -> None:
        """Give a machine that is off a copy of an image as its disk. The one it had is gone. May be repeated.

        Raises:
            OSError: it could not be copied (no space), or the machine is on; it has the disk it had.
            MachineNotFound: there is no such machine.
        """
        directory = self._directory(machine_id)
        disk, made, before = (directory / one for one in ("disk", "disk.made", "disk.before"))
        with locked(directory):
            if self.state(machine_id) != "off":
                raise OSError(f"the machine {machine_id} is on")
            if disk.exists():  # else a repeat: the copy is whole, and its place is empty
                shutil.rmtree(made, ignore_errors=True)
                copy_tree(image, made)
                shutil.rmtree(before, ignore_errors=True)
                disk.rename(before)
            made.rename(disk)
            shutil.rmtree(before, ignore_errors=True)

    def disk(self, machine_id: str) -> Path:
        """Return the directory that is the machine's disk."""
        return self._directory(machine_id) / "disk"

    # Power -----------------------------------------------------------------------------------------

    def boot(self, machine_id: str) -> None:
        """Switch the machine on. On a machine that is on, frozen or not, a repeat changes nothing.

        Returns once its first process runs; the agent and the services answer a moment later.

        Raises:
            MachineNotFound: there is no such machine.
            OSError, subprocess.SubprocessError: no process could be started.
        """
        directory = self._directory(machine_id)
        with locked(directory):
            tree = ProcessTree(directory)
            if tree.first():
                return
            tree.kill()  # what an init that was killed may have left behind
            for stale in ("pid", "exit", "shutdown", "paused"):
                (directory / "run" / stale).unlink(missing_ok=True)
            tree.start(self._isolation, self._grace)

    def shutdown(self, machine_id: str) -> None:
        """Ask for an orderly end and return at once. A machine that is off is no error.

        A frozen machine does not hear it: whoever asks pulls the plug after a deadline.
        """
        directory = self._directory(machine_id)
        (directory / "run/shutdown").touch()  # for an init so young that it hears no signals yet
        ProcessTree(directory).ask_to_end()

    def power_off(self, machine_id: str) -> None:
        """Pull the plug: kill everything at once, and return when all of it is gone.

        Raises:
            TimeoutError: the kernel holds on to a process (a disk that does not answer).
        """
        directory = self._directory(machine_id)
        with locked(directory):
            ProcessTree(directory).kill()

    def freeze(self, machine_id: str) -> None:
        """Stop every process where it stands. Its sockets stay open and nothing answers."""
        directory = self._directory(machine_id)
        with locked(directory):
            ProcessTree(directory).stop()

    def thaw(self, machine_id: str) -> None:
        """Let every process go on."""
        directory = self._directory(machine_id)
        with locked(directory):
            ProcessTree(directory).go_on()

    # Looking ---------------------------------------------------------------------------------------

    def machines(self) -> list[str]:
        """Return the ids of all machines, sorted."""
        names = (entry.name for entry in os.scandir(self._root) if entry.is_dir())
        return sorted(name for name in names if not name.startswith("."))

    def state(self, machine_id: str) -> State:
        """Return what the machine is now, by its processes. A pause for a snapshot counts as on."""
        directory = self._root / machine_id
        if not (directory / "meta.json").exists():
            return "absent"
        first = ProcessTree(directory).first()
        stat = first.stat() if first else None
        if first is None or stat is None:
            return "off"
        if stat.state != "T" or (directory / _PAUSED).exists():
            return "on"
        # A pause that ended between the two looks takes its mark away after it let the machine go on.
        again = first.stat()
        return "frozen" if again and again.state == "T" else "on"

    def is_on(self, machine_id: str) -> bool:
        """Whether the machine runs, be it frozen."""
        return self.state(machine_id) in ("on", "frozen")

    def boot_count(self, machine_id: str) -> int:
        """Return how often the machine has booted, reboots from inside included."""
        return int(_text(self._directory(machine_id) / "boot-count") or 0)

    def exit_reason(self, machine_id: str) -> ExitReason:
        """Return how a machine that is off came to be: by its own init, or killed. Else nothing."""
        directory = self._directory(machine_id)
        if self.state(machine_id) != "off" or not self.boot_count(machine_id):
            return ""
        return "powered-off" if _text(directory / "run/exit") == "powered-off" else "killed"

    def address(self, machine_id: str) -> str:
        """Return the machine's address."""
        return str(json.loads(_text(self._directory(machine_id) / "meta.json"))["address"])

    def console_output(self, machine_id: str) -> str:
        """Return the last 64 KiB the machine's init has said."""
        try:
            with (self._directory(machine_id) / "console.log").open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                log.seek(max(0, size - CONSOLE_BYTES))
                return log.read(CONSOLE_BYTES).decode(errors="replace")
        except FileNotFoundError:
            return ""

    def execute(
        self,
        machine_id: str,
        script: str,
        timeout_seconds: float,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> CommandResult:
        """Run a script inside the machine, as `run_script` says. Many may run at once.

        Raises:
            AgentUnreachable: the machine is off, frozen, starting, or went down; the script may have run.
            MachineNotFound: there is no such machine.
        """
        return run_script(self._directory(machine_id) / "run", script, timeout_seconds, patience_seconds)

    # Inside ----------------------------------------------------------------------------------------

    def _directory(self, machine_id: str) -> Path:
        directory = self._root / machine_id
        if not (directory / "meta.json").exists():
            raise MachineNotFound(f"there is no machine {machine_id} in {self._root}")
        return directory

    @contextlib.contextmanager
    def _paused(self, machine_id: str) -> Iterator[None]:
        """Hold a running machine still; one that is off or frozen already is left as it is."""
        directory = self._directory(machine_id)
        with locked(directory):
            if self.state(machine_id) != "on":
                yield
                return
            tree = ProcessTree(directory)
            # Written before, so that a pause nobody is left to end is known to be one.
            (directory / _PAUSED).touch()
            try:
                tree.stop()
                yield
            finally:
                tree.go_on()
                (directory / _PAUSED).unlink(missing_ok=True)

    def _end_pause_left_behind(self, machine_id: str) -> None:
        directory = self._root / machine_id
        if (directory / _PAUSED).exists():
            with locked(directory):  # whoever holds the pause, if anybody does, has the lock
                if (directory / _PAUSED).exists():
                    ProcessTree(directory).go_on()
                    (directory / _PAUSED).unlink(missing_ok=True)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
