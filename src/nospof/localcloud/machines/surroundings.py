"""What the programs of a unit find: user, working directory, environment, directories, log."""

from __future__ import annotations

import grp
import os
import pwd
import shlex
from pathlib import Path

from nospof.localcloud.machines.guest import Guest, found_on, remove_tree
from nospof.localcloud.machines.unitfile import Command, UnitFile

NO_DIRECTORY, NO_PROGRAM, NO_GROUP, NO_USER = 200, 203, 216, 217
"""The exit codes of systemd for what comes before a program runs."""
PLACES = {
    "Runtime": "run",
    "State": "var/lib",
    "Cache": "var/cache",
    "Logs": "var/log",
    "Configuration": "etc",
}


class Failed(Exception):
    """A part of a job did not go well.

    Args:
        result: systemd's word for it: exit-code, signal, timeout, protocol, resources.
        says: what happened, for people.
    """

    def __init__(self, result: str, says: str) -> None:
        super().__init__(says)
        self.result = result


class Surroundings:
    """Starts the programs of units.

    Args:
        guest: the machine.
        shared: the environment that `systemctl set-environment` has made; it is read at every start.
    """

    def __init__(self, guest: Guest, shared: dict[str, str]) -> None:
        self.guest = guest
        self._shared = shared

    def spawn(self, file: UnitFile, command: Command, own: dict[str, str]) -> int:
        """Start a program of a unit, as the user it is for, and return its number.

        Args:
            own: what its environment says of this start of the unit.

        Raises:
            Failed: it could not be started.
        """
        import subprocess  # by the first unit that starts: most machines have none

        environment = self._environment(file) | own
        words = command.expanded(environment)
        program = self._program(words[0])
        ids = None if command.is_privileged else self._ids(file)
        try:
            with (self.guest.log / f"{file.name}.log").open("ab") as log:
                child = subprocess.Popen(
                    words[1:] if "@" in command.prefixes else words,
                    executable=program,
                    cwd=self._directory(file),
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    umask=int(file.last("UMask", "0022"), 8),
                    user=ids[0] if ids else None,
                    group=ids[1] if ids else None,
                    extra_groups=ids[2] if ids else None,
                )
        except (OSError, ValueError) as error:
            raise Failed("exit-code", f"{words[0]} cannot be run: {error} ({NO_PROGRAM}/EXEC)") from error
        child.returncode = 0  # init's loop hears of its end, nobody else waits for it
        return child.pid

    def make_directories(self, file: UnitFile) -> None:
        """Make the directories a unit asks for. Raises OSError, Failed."""
        ids = self._ids(file)
        for called, place in PLACES.items():
            mode = int(file.last(f"{called}DirectoryMode", "0755"), 8)
            for name in file.words(f"{called}Directory"):
                path = self.guest.root / place / name
                path.mkdir(parents=True, exist_ok=True)
                path.chmod(mode)
                if ids:
                    os.chown(path, ids[0], ids[1])

    def remove_directories(self, file: UnitFile) -> None:
        """Remove those of a unit that lasts no longer than it runs."""
        if file.last("RuntimeDirectoryPreserve", "no") == "no":
            for name in file.words("RuntimeDirectory"):
                remove_tree(self.guest.root / "run" / name)

    def _directory(self, file: UnitFile) -> Path:
        said = file.last("WorkingDirectory")
        path = self.guest.path(said.lstrip("-").replace("~", "/"))
        if path.is_dir():
            return path
        if said.startswith("-"):
            return self.guest.root
        raise Failed("exit-code", f"there is no directory {said} ({NO_DIRECTORY}/CHDIR)")

    def _program(self, name: str) -> str:
        if not name.startswith("/"):
            return found_on(self.guest.environment()["PATH"], name) or name
        own = self.guest.path(name)  # the machine's own comes before the computer's of that name
        return str(own) if os.access(own, os.X_OK) else name

    def _ids(self, file: UnitFile) -> tuple[int, int, list[int]] | None:
        """Return user, group and further groups of a unit's programs; None for those of the machine."""
        user, group = file.last("User"), file.last("Group")
        if os.geteuid() != 0 or not (user or group):
            return None  # without root, nobody can become another user
        try:
            found = pwd.getpwuid(int(user or 0)) if (user or "0").isdigit() else pwd.getpwnam(user)
        except KeyError as error:
            raise Failed("exit-code", f"this machine has no user {user} ({NO_USER}/USER)") from error
        try:
            gid = int(group) if group.isdigit() else grp.getgrnam(group).gr_gid if group else found.pw_gid
        except KeyError as error:
            raise Failed("exit-code", f"this machine has no group {group} ({NO_GROUP}/GROUP)") from error
        return found.pw_uid, gid, os.getgrouplist(found.pw_name, gid)

    def _environment(self, file: UnitFile) -> dict[str, str]:
        said = self.guest.environment() | self._shared
        for value in file.all("Environment"):
            said |= assignments(shlex.split(value))
        for name in file.all("EnvironmentFile"):
            try:
                text = self.guest.path(name.lstrip("-")).read_text(encoding="utf-8")
            except OSError as error:
                if not name.startswith("-"):
                    raise Failed("resources", f"EnvironmentFile={name} cannot be read: {error}") from error
                continue
            lines = [line for line in map(str.strip, text.splitlines()) if line and line[0] not in "#;"]
            said |= assignments([" ".join(shlex.split(line)) for line in lines])
        for called, place in PLACES.items():
            if names := file.words(f"{called}Directory"):
                said[f"{called.upper()}_DIRECTORY"] = ":".join(f"/{place}/{one}" for one in names)
        return said


def assignments(words: list[str]) -> dict[str, str]:
    """Return what words of the form NAME=value say."""
    return dict(word.split("=", 1) for word in words if "=" in word)
