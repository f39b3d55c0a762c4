"""A request as it is typed: the command line that asks for the same."""

from __future__ import annotations

import shlex
from dataclasses import MISSING, fields
from typing import Any

COMMANDS = {
    "clone": ("clone", "instance_id"),
    "pair": ("pair", "instance_id"),
    "cut-over": ("cut-over", "service"),
    "rejoin": ("data rejoin", "service"),
    "drill": ("drill", "service"),
    "apply": ("maintain apply", "service"),
    "take": ("maintain take", "instance_id"),
    "backup": ("maintain backup", "service"),
    "test-backup": ("maintain test-backup", "service", "image_id"),
    "maintain-run": ("maintain run", "service"),
    "maintain-back": ("maintain back", "run_id", "instance_id"),
}
"""By procedure, its command, and the fields that are arguments of it."""
OPTIONS = {
    "dead_man_seconds": "--dead-man",
    "instance_id": "--instance",
    "names": "--name",
    "or_types": "--or-type",
    "rate_per_second": "--rate",
    "timeout_seconds": "--timeout",
    "twin_id": "--with",
    "watch_seconds": "--watch",
}
"""Options that are not called as their field is."""
TIMES = ("dead_man_seconds", "timeout_seconds", "watch_seconds")
ELSEWHERE = ("window", "writes", "command")
"""Fields that no option has: what stands in nospof.yaml, or is said in its own way."""
WRITES = {
    "path": "--write-to",
    "read_path": "--read-from",
    "method": "--write-method",
    "body": "--write-body",
    "content_type": "--write-type",
    "acknowledged": "--write-status",
    "rate_per_second": "--write-rate",
}


def command_of(procedure: str, request: Any) -> str:
    """Return the command line that asks for the same; what is as usual is left out."""
    command, *arguments = COMMANDS[procedure]
    words = ["nospof", *command.split()]
    words += [str(getattr(request, name)) for name in arguments if getattr(request, name)]
    for field in fields(request):
        value = getattr(request, field.name)
        if field.name in arguments or field.name in ELSEWHERE or is_usual(field, value):
            continue
        words += option(field.name, value)
    for wish in getattr(request, "writes", ()):
        words += [word for name, says in WRITES.items() for word in (says, str(getattr(wish, name)))]
    if procedure == "maintain-run":
        words += ["--", request.command]
    return shlex.join(words)


def is_usual(field: Any, value: Any) -> bool:
    """Whether a field has the value it has where nothing is said."""
    return field.default is not MISSING and value == field.default


def option(name: str, value: Any) -> list[str]:
    """Return the words that say a field."""
    says = OPTIONS.get(name, f"--{name.replace('_', '-')}")
    if value is True:
        return [says]
    if name == "or_types":
        return [word for one in str(value).split(",") for word in (says, one)]
    return [says, f"{value}s" if name in TIMES else str(value)]
