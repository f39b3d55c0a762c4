"""Unit files as systemd reads them: where they are, what they say, which are enabled.

Only services, and only a subset of their keys has a meaning here; every other key is read and left alone, as
systemd does with one that it does not know. Paths are the machine's: below the root that is given.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
from collections.abc import Mapping
from pathlib import Path

SUFFIX = ".service"
OWN = "etc/systemd/system"
_OTHERS = (
    "run/systemd/system",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
)
DIRECTORIES = (OWN, *_OTHERS)
BOOT_TARGETS = ("multi-user.target", "default.target")
_CLEAN_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)
_PREFIXES = "-@:+!"
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)\s*")
_SECONDS = {"us": 1e-6, "usec": 1e-6, "ms": 1e-3, "msec": 1e-3, "": 1, "s": 1, "sec": 1, "second": 1}
_SECONDS |= {"seconds": 1, "m": 60, "min": 60, "minute": 60, "minutes": 60, "h": 3600, "hr": 3600}
_SECONDS |= {"hour": 3600, "hours": 3600, "d": 86400, "day": 86400, "days": 86400}
_BRACED = re.compile(r"\$\$|\$\{(\w+)\}")


class BadSetting(ValueError):
    """A unit says what cannot be done; it is not started. Carries systemd's words for it."""


class Command:
    """One command line of a unit: its words before variables are put in, and what its prefixes say."""

    def __init__(self, words: tuple[str, ...], prefixes: str) -> None:
        self.words, self.prefixes = words, prefixes

    @property
    def is_privileged(self) -> bool:
        """Whether it is run as root, whatever user the unit names."""
        return "+" in self.prefixes or "!" in self.prefixes

    @property
    def may_fail(self) -> bool:
        """Whether its failure is none of the unit's."""
        return "-" in self.prefixes

    @classmethod
    def parse(cls, line: str) -> Command:
        """Read a line. Raises BadSetting."""
        bare = line.lstrip(_PREFIXES)
        try:
            words = tuple(shlex.split(bare))
        except ValueError as error:
            raise BadSetting(f"{line}: {error}") from error
        if not words:
            raise BadSetting(f"{line}: there is no program in it")
        if "/" in words[0] and not words[0].startswith("/"):
            raise BadSetting(f"{words[0]}: neither a valid executable name nor an absolute path")
        return cls(words, line[: len(line) - len(bare)])

    def expanded(self, environment: Mapping[str, str]) -> list[str]:
        """Return the words with variables: `$NAME` as a word of its own is split, `${NAME}` is not."""
        if ":" in self.prefixes:
            return list(self.words)
        found = [self.words[0]]
        for word in self.words[1:]:
            if re.fullmatch(r"\$\w+", word):
                found += environment.get(word[1:], "").split()
            else:
                found.append(_BRACED.sub(lambda m: environment.get(m[1], "") if m[1] else "$", word))
        return found


class UnitFile:
    """What is known of a unit from its files. Without a fragment there is none of that name."""

    def __init__(self, name: str, fragment: str = "", is_masked: bool = False) -> None:
        self.name, self.fragment, self.is_masked = name, fragment, is_masked
        self.drop_ins: list[str] = []
        self.values: dict[str, list[str]] = {}

    def all(self, key: str) -> list[str]:
        """Return every value of a key, in their order, after the last that was empty."""
        return self.values.get(key, [])

    def last(self, key: str, default: str = "") -> str:
        """Return the value that counts of a key that has one."""
        return self.all(key)[-1] if self.all(key) else default

    def words(self, key: str) -> list[str]:
        """Return the words of all values of a key."""
        return [word for value in self.all(key) for word in value.split()]

    def yes(self, key: str, default: bool = False) -> bool:
        """Return a truth value."""
        said = self.last(key).lower()
        return said in ("1", "yes", "true", "on", "y", "t") if said else default

    def seconds(self, keys: tuple[str, ...], default: float) -> float:
        """Return a time span in seconds by the first key that has one; 0 is for ever in a timeout."""
        said = next((self.last(key) for key in keys if self.last(key)), "")
        return span_seconds(said, default)

    def commands(self, key: str) -> list[Command]:
        """Return the command lines of a key. Raises BadSetting."""
        # The old way of saying "+" before every command but the main one.
        plus = "+" if key != "ExecStart" and self.yes("PermissionsStartOnly") else ""
        return [Command.parse(plus + line) for line in self.all(key)]

    def kind(self) -> str:
        """Return the type of the service."""
        said = self.last("Type", "simple" if self.all("ExecStart") else "oneshot")
        return {"idle": "simple", "dbus": "simple", "notify-reload": "notify"}.get(said, said)

    def result_of(self, code: int) -> str:
        """Return systemd's word for how a process of the unit ended; a signal's code is negative."""
        accepted = {
            int(word) if word.isdigit() else -signal_number(word) for word in self.words("SuccessExitStatus")
        }
        if code == 0 or -code in _CLEAN_SIGNALS or code in accepted:
            return "success"
        return "exit-code" if code > 0 else "signal"

    def check(self) -> None:
        """Raises BadSetting when systemd would not load this."""
        for key in ("ExecStartPre", "ExecStart", "ExecStartPost", "ExecReload", "ExecStop", "ExecStopPost"):
            self.commands(key)
        starts = len(self.all("ExecStart"))
        if self.kind() != "oneshot" and starts > 1:
            raise BadSetting("more than one ExecStart= is only allowed for Type=oneshot")
        if not starts and not (self.kind() == "oneshot" and self.all("ExecStop")):
            raise BadSetting("there is no ExecStart=")


def signal_number(name: str) -> int:
    """Return a signal's number by its name or number; that of SIGTERM when there is none."""
    full = name if name.startswith("SIG") else f"SIG{name}"
    return int(name) if name.isdigit() else int(getattr(signal, full, signal.SIGTERM))


def how_it_ended(code: int) -> str:
    """Return how a process ended, as words."""
    return f"exited with {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"


def span_seconds(said: str, default: float) -> float:
    """Return a time span of systemd ("90", "1min 30s", "infinity") in seconds; what is none, the default."""
    if said == "infinity":
        return float("inf")
    parts = _SPAN.findall(said)
    if not parts or "".join(_SPAN.split(said)[::3]).strip() or any(unit not in _SECONDS for _, unit in parts):
        return default
    return float(sum(float(number) * _SECONDS[unit] for number, unit in parts))


def full_name(name: str) -> str:
    """Return a unit's name with its suffix."""
    return name if name.endswith((SUFFIX, ".target", ".socket", ".timer", ".mount")) else name + SUFFIX


def load(root: Path, asked: str) -> UnitFile:
    """Read a unit by its name or one of its aliases, with its drop-ins."""
    name = full_name(asked)
    path = _find(root, name)
    while path and path.is_symlink() and "/" in (target := os.readlink(path)):
        if target == "/dev/null":
            return UnitFile(name, str(path), is_masked=True)
        # Only the name counts: a link as systemctl makes it is absolute, and means the machine's own.
        called = os.path.basename(target)
        if called in (name, template_of(name)):
            path = next((found for found in _places(root, called) if not found.is_symlink()), None)
            break
        name, path = called, _find(root, called)
    if path is None or not path.is_file():
        return UnitFile(name)
    found = UnitFile(name, str(path))
    found.drop_ins = [str(one) for one in _drop_ins(root, name)]
    for each in (str(path), *found.drop_ins):
        _read(Path(each).read_text(encoding="utf-8", errors="replace"), name, found.values)
    return found


def template_of(name: str) -> str:
    """Return the template of an instance: `a@b.service` is made from `a@.service`."""
    prefix, at, _ = name.partition("@")
    return f"{prefix}@{SUFFIX}" if at else name


def enabled(disk: Path) -> list[str]:
    """Return the units that start at boot, sorted: by the links on the machine's own disk.

    What is enabled on the computer whose root may be below that disk is not enabled on the machine.
    """
    found = set()
    for target in BOOT_TARGETS:
        for directory in DIRECTORIES:
            wants = disk / directory / f"{target}.wants"
            if wants.is_dir():
                found |= {name for name in os.listdir(wants) if name.endswith(SUFFIX)}
    return sorted(found)


def links(unit: UnitFile) -> list[str]:
    """Return the links that make a unit enabled, below etc/systemd/system."""
    targets = [("wants", one) for one in unit.words("WantedBy")]
    targets += [("requires", one) for one in unit.words("RequiredBy")]
    return [f"{target}.{how}/{unit.name}" for how, target in targets] + unit.words("Alias")


def state_of(disk: Path, unit: UnitFile) -> str:
    """Return whether a unit is enabled, in systemd's words; "" when there is none."""
    if unit.is_masked:
        return "masked"
    if not unit.fragment:
        return ""
    found = links(unit)
    if any((disk / OWN / link).is_symlink() for link in found):
        return "enabled"
    return "disabled" if found else "static"


def _places(root: Path, name: str) -> list[Path]:
    names = dict.fromkeys((name, template_of(name)))
    places = [root / directory / each for each in names for directory in DIRECTORIES]
    return [place for place in places if os.path.lexists(place)]


def _find(root: Path, name: str) -> Path | None:
    return next(iter(_places(root, name)), None)


def _drop_ins(root: Path, name: str) -> list[Path]:
    found: dict[str, Path] = {}
    for directory in reversed(DIRECTORIES):  # the machine's own come last, and count
        for called in (template_of(name), name):
            for path in (root / directory / f"{called}.d").glob("*.conf"):
                found[path.name] = path
    return [found[name] for name in sorted(found) if os.path.realpath(found[name]) != "/dev/null"]


def _read(text: str, name: str, values: dict[str, list[str]]) -> None:
    specifiers = _specifiers(name)
    joined = re.sub(r"\\\n", " ", re.sub(r"(?m)^[ \t]*[#;].*\n?", "", text))
    for line in joined.splitlines():
        key, equals, value = line.partition("=")
        if not equals or line.lstrip().startswith("["):
            continue
        value = re.sub("%(.)", lambda m: specifiers.get(m[1], m[0]), value.strip())
        if value:
            values.setdefault(key.strip(), []).append(value)
        else:
            values[key.strip()] = []


def _specifiers(name: str) -> dict[str, str]:
    bare = name.removesuffix(SUFFIX)
    prefix, _, instance = bare.partition("@")
    places = {"t": "/run", "S": "/var/lib", "C": "/var/cache", "L": "/var/log", "E": "/etc"}
    names = {"n": name, "N": bare, "p": prefix, "i": instance, "I": instance.replace("-", "/")}
    return {**places, **names, "%": "%"}
