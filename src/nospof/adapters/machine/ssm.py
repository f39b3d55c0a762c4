"""Machines looked into, and held, through Systems Manager: fifty at a time, nothing left behind."""

from __future__ import annotations

import ast
import base64
import json
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from nospof.adapters.aws.cloud import AwsCloud
from nospof.adapters.aws.connection import chunks
from nospof.errors import CloudError
from nospof.model.machine import Held, InFlight, Looked

BATCH = 50
"""SendCommand takes no more instance ids than this (SSM API Reference, SendCommand)."""
SCHEMA = "nospof.probe/1"
HOLD_SCHEMA = "nospof.hold/1"
TRAFFIC_SCHEMA = "nospof.traffic/1"
DOCUMENT = "AWS-RunShellScript"
DELIVERY_SECONDS = 30
EXECUTION_SECONDS = 60
PATIENCE_SECONDS = 120.0
"""For a script that may run for EXECUTION_SECONDS; one that may run longer is waited for as much longer."""
ANSWER_BYTES = 4 << 20
ANSWER_DEPTH = 8
CUT = "# The sender cuts here"
PARTS = ("probe_machine", "probe_engines", "probe_identity", "probe_web", "probe_script")
"""The script is one program, in files of a size that can be read."""
HOLD_PARTS = ("probe_machine", "hold_databases", "hold_script")
TRAFFIC_PARTS = ("probe_machine", "traffic_script")
CHANGING_PARTS = ("probe_machine", "hold_databases", "data_machine", "data_answer")
DATA_PARTS = (
    *CHANGING_PARTS,
    "data_door",
    "data_seen",
    "data_galera",
    "data_arbitrator",
    "data_mariadb_server",
    "data_mariadb_accounts",
    "data_mariadb_examine",
    "data_mariadb_check",
    "data_mariadb_start",
    "data_mariadb_serve",
    "data_mariadb",
    "data_votes",
    "data_postgresql_server",
    "data_patroni",
    "data_postgresql_plain",
    "data_postgresql_check",
    "data_postgresql_look",
    "data_postgresql",
    "data_rest",
    "data_script",
)
FILES_PARTS = (
    *CHANGING_PARTS,
    "files_syncthing",
    "files_look",
    "files_check",
    "files_script",
)
MOUNTS_PARTS = (
    *CHANGING_PARTS,
    "files_syncthing",
    "files_look",
    "mounts_host",
    "mounts_guard",
    "mounts_copy",
    "mounts_look",
    "mounts_move",
    "mounts_script",
)
RUN_PARTS = (*CHANGING_PARTS, "run_script")
NO_PYTHON = "no python3"
OPEN = ("Pending", "InProgress", "Delayed", "Cancelling")


def part_of(name: str) -> str:
    """Return a part of a script without what it imports from those before it."""
    text = Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
    head, cut, rest = text.partition(CUT)
    return head.partition("from nospof")[0] + "# " + rest if cut else text


def compact(source: str) -> str:
    """Return a program without what is there for readers: what is sent has to be small."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            continue
        if ast.get_docstring(node, clean=False) is not None and isinstance(body, list):
            body[:1] = [] if len(body) > 1 else [ast.Pass()]
    return ast.unparse(tree)


@cache
def packed(parts: tuple[str, ...]) -> str:
    """Return a program of several parts without a quote or a backslash; made once, for it takes a while."""
    source = compact("".join(part_of(name) for name in parts))
    return base64.b85encode(zlib.compress(source.encode(), 9)).decode()


def script(parts: tuple[str, ...] = PARTS, schema: str = SCHEMA, *arguments: str) -> str:
    """Return the shell script that is sent: it starts a script of several parts by what Python there is.

    Where there is none it says so, as the script would answer.
    """
    # Its own text is given to it: it may have to install itself.
    run = (
        f'import base64,zlib;s=zlib.decompress(base64.b85decode("{packed(parts)}")).decode();'
        'exec(s,{"__name__":"__main__","NOSPOF_SOURCE":s})'
    )
    return (
        "for p in python3 /usr/libexec/platform-python /usr/bin/python3; do\n"
        f"  command -v $p >/dev/null 2>&1 && exec $p -I -S -c '{run}' {' '.join(arguments)}\n"
        f"done\necho '{schema} {NO_PYTHON}'\n"
    )


def answer_of(output: str, schema: str = SCHEMA) -> tuple[dict[str, Any] | None, str]:
    """Return what a machine answered, or why that is no answer. The machine is not trusted."""
    line = next((one for one in output.splitlines() if one.startswith(schema + " ")), "")
    said = line[len(schema) + 1 :].strip()
    if not said:
        return None, "the script gave no answer"
    if said == NO_PYTHON:
        return None, "there is no python3 on the machine"
    try:
        reader = zlib.decompressobj()
        text = reader.decompress(base64.b64decode(said, validate=True), ANSWER_BYTES)
        document = cleaned(json.loads(text))
    except (ValueError, zlib.error, RecursionError):
        return None, "the answer was cut or is none"
    if not reader.eof or not isinstance(document, dict) or document.get("schema") != schema:
        return None, "the answer is not the probe's"
    return document, ""


def cleaned(value: Any, depth: int = 0) -> Any:
    """Return a part of an answer as it may be kept and shown: no control characters, no halves of characters.

    Raises:
        ValueError: the probe never answers such a thing: too deep, a number that nobody can count to.
    """
    if depth > ANSWER_DEPTH or (isinstance(value, int | float) and not abs(value) < 2**63):
        raise ValueError("not the probe's")
    if isinstance(value, str):
        return "".join(one if one.isprintable() else "\ufffd" for one in value)
    if isinstance(value, list):
        return [cleaned(one, depth + 1) for one in value]
    if isinstance(value, dict):
        return {cleaned(key, depth + 1): cleaned(one, depth + 1) for key, one in value.items()}
    return value


@dataclass(frozen=True)
class Errand:
    """A script that machines are sent.

    Args:
        text: of the shell.
        comment: what people read beside it in Systems Manager.
        schema: that its answer begins with.
        seconds: it may run.
    """

    text: str
    comment: str
    schema: str = SCHEMA
    seconds: int = EXECUTION_SECONDS


class SsmMachines:
    """Implements `ports.machine.Machines`, `Holds` and `Traffic`.

    Args:
        cloud: a connection that has answered already.
    """

    def __init__(self, cloud: AwsCloud, poll_seconds: float = 1.0) -> None:
        self._cloud = cloud
        self._poll_seconds = poll_seconds

    @cached_property
    def _client(self) -> Any:
        return self._cloud.client("ssm", self._cloud.region, operation="ssm:*")

    def look(self, instance_ids: Sequence[str]) -> Iterator[Looked]:
        """See the port."""
        for some in chunks(list(dict.fromkeys(instance_ids)), BATCH):
            try:
                managed = self._managed(some)
            except CloudError as error:
                yield from (Looked(one, operation=error.operation, problem=reason(error)) for one in some)
                continue
            for one in some:
                if one not in managed:
                    yield Looked(
                        one, operation="ssm:DescribeInstanceInformation", problem="not managed by SSM"
                    )
                elif managed[one]:
                    yield Looked(one, operation="ssm:DescribeInstanceInformation", problem=managed[one])
            if ready := [one for one in some if managed.get(one) == ""]:
                yield from self._run(ready, Errand(script(), "nospof looks inside; it changes nothing"))

    def hold(self, instance_id: str, hold_id: str, seconds: int) -> Held:
        """See the port."""
        return self._held(instance_id, "hold", hold_id, str(seconds))

    def release(self, instance_id: str, hold_id: str) -> Held:
        """See the port."""
        return self._held(instance_id, "release", hold_id)

    def in_flight(self, instance_id: str, port: int) -> InFlight:
        """See the port."""
        text = script(TRAFFIC_PARTS, TRAFFIC_SCHEMA, str(port))
        looked = self.send(
            instance_id, Errand(text, "nospof sees whether requests are in flight", TRAFFIC_SCHEMA)
        )
        found = looked.document
        if found is None:
            return InFlight(problem=f"{looked.operation}: {looked.problem}")
        requests, idle = found.get("requests"), found.get("idle")
        if not isinstance(requests, int) or not isinstance(idle, int):
            return InFlight(problem="the answer is none")
        return InFlight(requests, idle, str(found.get("problem", "")))

    def _held(self, instance_id: str, *arguments: str) -> Held:
        text = script(HOLD_PARTS, HOLD_SCHEMA, *arguments)
        comment = f"nospof: {arguments[0]} writes while snapshots begin"
        looked = self.send(instance_id, Errand(text, comment, HOLD_SCHEMA))
        if looked.document is None:
            return Held(problem=f"{looked.operation}: {looked.problem}")
        found = looked.document
        what, seconds = found.get("what"), found.get("seconds")
        return Held(
            what=tuple(map(str, what)) if isinstance(what, list) else (),
            seconds=float(seconds) if isinstance(seconds, int | float) else 0.0,
            problem=str(found.get("problem", "not told")),
        )

    def send(self, instance_id: str, errand: Errand) -> Looked:
        """Have one machine do an errand; no answer is an answer that says why."""
        (looked,) = self._run([instance_id], errand)
        return looked

    def _managed(self, some: Sequence[str]) -> dict[str, str]:
        """Return the machines whose agent is known, with what keeps each from being asked."""
        found: dict[str, str] = {}
        with self._cloud.reading("ssm:DescribeInstanceInformation"):
            pages = self._client.get_paginator("describe_instance_information").paginate(
                Filters=[{"Key": "InstanceIds", "Values": list(some)}]
            )
            for row in (row for page in pages for row in page["InstanceInformationList"]):
                problem = "" if row.get("PingStatus") == "Online" else f"its agent is {row.get('PingStatus')}"
                if row.get("PlatformType", "Linux") != "Linux":
                    problem = f"{row['PlatformType']} is not looked into"
                found[row["InstanceId"]] = problem
        return found

    def _run(self, ready: list[str], errand: Errand) -> Iterator[Looked]:
        try:
            with self._cloud.reading("ssm:SendCommand"):
                sent = self._client.send_command(
                    InstanceIds=ready,
                    DocumentName=DOCUMENT,
                    Comment=errand.comment,
                    TimeoutSeconds=DELIVERY_SECONDS,
                    Parameters={"commands": [errand.text], "executionTimeout": [str(errand.seconds)]},
                )
        except CloudError as error:
            yield from (Looked(one, operation=error.operation, problem=reason(error)) for one in ready)
            return
        command_id = sent["Command"]["CommandId"]
        ends = time.monotonic() + PATIENCE_SECONDS + errand.seconds - EXECUTION_SECONDS
        waiting = ready
        while waiting:
            later = []
            for one in waiting:
                looked = self._ended(command_id, one, errand.schema)
                if looked is None:
                    later.append(one)
                else:
                    yield looked
            waiting = later
            if waiting and time.monotonic() > ends:
                yield from (Looked(one, operation="ssm:SendCommand", problem="timed out") for one in waiting)
                return
            if waiting:
                time.sleep(min(self._poll_seconds, 1.0))

    def _ended(self, command_id: str, instance_id: str, schema: str) -> Looked | None:
        """Return what came of a command on one machine, or None while it is under way."""
        operation = "ssm:GetCommandInvocation"
        try:
            with self._cloud.reading(operation):
                found = self._client.get_command_invocation(CommandId=command_id, InstanceId=instance_id)
        except CloudError as error:
            if error.code == "InvocationDoesNotExist":
                return None  # just sent: not known yet
            return Looked(instance_id, operation=operation, problem=reason(error))
        if found["Status"] in OPEN:
            return None
        document, problem = answer_of(found.get("StandardOutputContent") or "", schema)
        if found["Status"] != "Success":
            document, problem = None, f"the command ended as {found.get('StatusDetails') or found['Status']}"
        return Looked(instance_id, document, operation="ssm:SendCommand", problem=problem)


def reason(error: CloudError) -> str:
    """Return why a call gave nothing, in a word or two."""
    return "access denied" if error.is_denied else error.code or str(error)
