"""What `systemctl` is inside a machine: `python -I -S systemctl.py VERB [UNIT...]`.

It asks the machine's init for what systemd would be asked, and answers with systemd's words and exit codes.
What is not known here is refused, never passed over.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn

sys.path.append(str(Path(__file__).parents[3]))
from nospof.localcloud.machines import unitfile

ROOT = Path(os.environ.get("NOSPOF_DISK", "/"))
DISK = Path(os.environ.get("NOSPOF_MACHINE", "/"), "disk")
NOT_RUNNING, NO_UNIT, NOT_LOADED = 3, 4, 5
LOG_LINES = 10
FLAGS = {"--now", "--no-pager", "--quiet", "-q", "--full", "-l", "--value", "--no-block", "--no-legend"}
FLAGS |= {"--no-ask-password", "--force", "-f", "--system", "--plain", "--all", "-a", "--no-reload"}
VALUES = {"-p": "property", "--property": "property", "-s": "signal", "--signal": "signal"}
VALUES |= {"-n": "lines", "--lines": "lines", "-t": "type", "--type": "type"}
SPOKEN = {  # what systemctl says of a job's result
    "exit-code": "the control process exited with error code",
    "signal": "a fatal signal was delivered to the control process",
    "timeout": "a timeout was exceeded",
    "protocol": "the service did not take the steps required by its unit configuration",
    "resources": "of unavailable resources or another system error",
    "start-limit-hit": "start of the service was attempted too often",
}


def end(code: int, says: str = "") -> NoReturn:
    """End, with a line for people."""
    if says:
        sys.stderr.write(f"{says}\n")
    raise SystemExit(code)


def ask(verb: str, units: list[str], words: list[str] | None = None, wait: bool = True) -> dict[str, Any]:
    """Ask the machine's init and return its answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect("\0" + os.environ["NOSPOF_SYSTEMD"])
            asked = {"verb": verb, "units": units, "words": words or [], "wait": wait}
            connection.sendall(json.dumps(asked).encode() + b"\n")
            answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
            found: dict[str, Any] = json.loads(answer)
        except (KeyError, OSError, ValueError) as error:
            end(1, f"Failed to connect to bus: the machine's init does not answer: {error}")
    if found["problem"]:
        end(1, f"Failed to {verb}: {found['problem']}")
    return found


def show(units: list[str]) -> list[dict[str, str]]:
    """Return the properties of units."""
    found: list[dict[str, str]] = ask("show", units)["units"]
    return found


class Call:
    """A command line, taken apart."""

    def __init__(self, arguments: list[str]) -> None:
        self.flags: set[str] = set()
        self.options: dict[str, list[str]] = {}
        self.words: list[str] = []
        rest = list(arguments)
        while rest:
            word = rest.pop(0)
            name, equals, value = word.partition("=")
            if word in FLAGS:
                self.flags.add(word)
            elif name in VALUES:
                self.options.setdefault(VALUES[name], []).append(value if equals else "".join(rest[:1]))
                rest = rest if equals else rest[1:]
            elif word.startswith("-"):
                end(1, f"systemctl: the option {word} is not known on this machine")
            else:
                self.words.append(word)
        self.verb = self.words.pop(0) if self.words else "list-units"
        self.is_quiet = bool(self.flags & {"--quiet", "-q"})

    def units(self) -> list[str]:
        """Return the units that are named, at least one."""
        if not self.words:
            end(1, "Too few arguments.")
        return [unitfile.full_name(word) for word in self.words]

    def say(self, text: str) -> None:
        """Print a line, but not when told to be quiet."""
        if not self.is_quiet:
            sys.stdout.write(f"{text}\n")


# Jobs ------------------------------------------------------------------------------------------------


def job(call: Call, verb: str, units: list[str]) -> int:
    """Have units started, stopped, restarted or reloaded; return the worst exit code."""
    code = 0
    for unit in ask(verb, units, wait="--no-block" not in call.flags)["units"] if units else ():
        problem = unit["problem"]
        if problem == "canceled":
            code = max(code, 1)
            sys.stderr.write(f"Job for {unit['Id']} canceled.\n")
        elif problem in SPOKEN:
            code = max(code, 1)
            sys.stderr.write(
                f"Job for {unit['Id']} failed because {SPOKEN[problem]}.\n"
                f'See "systemctl status {unit["Id"]}" for details: {unit["says"]}\n'
            )
        elif problem:
            is_missing = problem.endswith((" not found.", " not loaded."))
            code = max(code, NOT_LOADED if is_missing else 1)
            sys.stderr.write(f"Failed to {verb} {unit['Id']}: {problem}\n")
    return code


def try_restart(call: Call) -> int:
    """Restart those that run."""
    return job(call, "restart", [one["Id"] for one in show(call.units()) if one["ActiveState"] == "active"])


def reload_or_restart(call: Call) -> int:
    """Reload those that can, and start or restart the others."""
    code = 0
    for name in call.units():
        can = show([name])[0]["ActiveState"] == "active" and unitfile.load(ROOT, name).all("ExecReload")
        code = max(code, job(call, "reload" if can else "restart", [name]))
    return code


def kill(call: Call) -> int:
    """Signal all processes of units."""
    said = call.options.get("signal", ["SIGTERM"])[-1]
    name = said if said.startswith("SIG") else f"SIG{said}"
    if not said.isdigit() and name not in signal.Signals.__members__:
        end(1, f"Failed to parse signal string {said}.")
    ask("kill", call.units(), [said if said.isdigit() else str(int(signal.Signals[name]))])
    return 0


# Looking ---------------------------------------------------------------------------------------------


def is_active(call: Call) -> int:
    """Print whether units are active."""
    found = [unit["ActiveState"] for unit in show(call.units())]
    for state in found:
        call.say(state)
    return 0 if any(state in ("active", "reloading") for state in found) else NOT_RUNNING


def is_failed(call: Call) -> int:
    """Print whether units have failed."""
    found = [unit["ActiveState"] for unit in show(call.units())]
    for state in found:
        call.say(state)
    return 0 if "failed" in found else 1


def is_enabled(call: Call) -> int:
    """Print whether units start at boot."""
    code = 1
    for name in call.units():
        state = unitfile.state_of(DISK, unitfile.load(ROOT, name))
        if not state:
            sys.stderr.write(f"Failed to get unit file state for {name}: No such file or directory\n")
            continue
        call.say(state)
        code = 0 if state in ("enabled", "static") else code
    return code


def show_properties(call: Call) -> int:
    """Print properties, as `NAME=value` or the values alone."""
    wanted = [name for one in call.options.get("property", []) for name in one.split(",")]
    for unit in show(call.units()):
        for name in wanted or sorted(set(unit) - {"says"}):
            value = unit.get(name, "")
            if wanted and name not in unit:
                end(1, f"systemctl: the property {name} is not known on this machine")
            call.say(value if "--value" in call.flags else f"{name}={value}")
    return 0


def status(call: Call) -> int:
    """Print what people want to know of a unit, the end of its log included."""
    code = 0
    for unit in show(call.units()):
        if unit["LoadState"] == "not-found":
            sys.stderr.write(f"Unit {unit['Id']} could not be found.\n")
            code = NO_UNIT
            continue
        result = f" (Result: {unit['Result']})" if unit["ActiveState"] == "failed" else ""
        call.say(f"{unit['Id']} - {unit['Description']}")
        call.say(f"     Loaded: {unit['LoadState']} ({unit['FragmentPath']}; {unit['UnitFileState']})")
        call.say(f"     Active: {unit['ActiveState']} ({unit['SubState']}){result}")
        for name, value in (("Main PID", unit["MainPID"]), ("Status", unit["StatusText"])):
            if value not in ("", "0"):
                call.say(f"{name:>11}: {value}")
        if unit["says"]:
            call.say(f"{'Says':>11}: {unit['says']}")
        log = ROOT / "var/log" / f"{unit['Id']}.log"
        lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
        said = call.options.get("lines", [str(LOG_LINES)])[-1]
        for line in lines[-int(said) :] if said.isdigit() and int(said) else ():
            call.say(line)
        code = max(code, 0 if unit["ActiveState"] in ("active", "reloading") else NOT_RUNNING)
    return code


def cat(call: Call) -> int:
    """Print the files of units."""
    for name in call.units():
        file = unitfile.load(ROOT, name)
        if not file.fragment:
            end(1, f"No files found for {name}.")
        for path in (file.fragment, *file.drop_ins):
            call.say(f"# /{os.path.relpath(path, ROOT)}\n{Path(path).read_text(errors='replace')}")
    return 0


# What starts at boot ---------------------------------------------------------------------------------


def enable(call: Call) -> int:
    """Make units start at boot, from now on with --now."""
    return _link(call, unitfile.OWN, "start")


def disable(call: Call) -> int:
    """Make units not start at boot."""
    return _link(call, unitfile.OWN, "stop")


def _link(call: Call, own: str, verb: str) -> int:
    names = call.units()
    for name in names:
        file = unitfile.load(ROOT, name)
        if not file.fragment:
            end(1, f"Failed to {call.verb} unit: Unit file {name} does not exist.")
        if file.is_masked:
            end(1, f"Failed to {call.verb} unit: Unit file {name} is masked.")
        for link in unitfile.links(file):
            path = ROOT / own / link
            if verb == "stop":
                if path.is_symlink():
                    path.unlink()
                    sys.stderr.write(f"Removed /{own}/{link}.\n")
            elif not (DISK / own / link).is_symlink():
                path.unlink(missing_ok=True)  # one of the computer's, below the machine's disk
                path.parent.mkdir(parents=True, exist_ok=True)
                # As it is read on the machine, wherever the machine's disk lies on the computer.
                path.symlink_to("/" + os.path.relpath(file.fragment, ROOT))
                sys.stderr.write(f"Created symlink /{own}/{link}.\n")
    ask("daemon-reload", [])
    return job(call, verb, names) if "--now" in call.flags else 0


def mask(call: Call) -> int:
    """Make it impossible to start units."""
    for name in call.units():
        path = ROOT / unitfile.OWN / name
        if path.exists() and not path.is_symlink():
            end(1, f"Failed to mask unit: File /{unitfile.OWN}/{name} already exists.")
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to("/dev/null")
    ask("daemon-reload", [])
    return job(call, "stop", call.units()) if "--now" in call.flags else 0


def unmask(call: Call) -> int:
    """Take that back."""
    for name in call.units():
        path = ROOT / unitfile.OWN / name
        if path.is_symlink() and os.readlink(path) == "/dev/null":
            path.unlink()
    ask("daemon-reload", [])
    return 0


def plain(call: Call) -> int:
    """Do what needs no answer: daemon-reload, reset-failed, set-environment, unset-environment."""
    is_environment = call.verb.endswith("-environment")
    if call.verb == "set-environment" and not all("=" in word for word in call.words):
        end(1, "Failed to set environment: Invalid environment assignments")
    names = [] if is_environment else [unitfile.full_name(word) for word in call.words]
    if call.verb == "reset-failed":
        for unit in show(names) if names else ():
            if unit["LoadState"] == "not-found":
                end(1, f"Failed to reset failed state of unit {unit['Id']}: Unit {unit['Id']} not loaded.")
    ask(call.verb, names, call.words if is_environment else [])
    return 0


def show_environment(call: Call) -> int:
    """Print what set-environment has made."""
    for name, value in sorted(ask("show-environment", [])["environment"].items()):
        call.say(f"{name}={value}")
    return 0


VERBS = {
    **{
        verb: (lambda call: job(call, call.verb, call.units()))
        for verb in ("start", "stop", "restart", "reload")
    },
    **dict.fromkeys(("daemon-reload", "reset-failed", "set-environment", "unset-environment"), plain),
    "try-restart": try_restart,
    "reload-or-restart": reload_or_restart,
    "kill": kill,
    "is-active": is_active,
    "is-failed": is_failed,
    "is-enabled": is_enabled,
    "show": show_properties,
    "status": status,
    "cat": cat,
    "show-environment": show_environment,
    "enable": enable,
    "disable": disable,
    "mask": mask,
    "unmask": unmask,
}


def main() -> None:
    """Do what the command line says."""
    call = Call(sys.argv[1:])
    if call.verb not in VERBS:
        end(1, f"Unknown command verb {call.verb}: this machine knows {', '.join(sorted(VERBS))}")
    try:
        raise SystemExit(VERBS[call.verb](call))
    except BrokenPipeError:
        raise SystemExit(0) from None


if __name__ == "__main__":
    main()
