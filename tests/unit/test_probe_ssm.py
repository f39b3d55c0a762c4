"""Looks through Systems Manager when something is in the way: boto3 against a scripted endpoint."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import boto3
import pytest

from nospof.adapters.aws.cloud import AwsCloud
from nospof.adapters.machine import ssm
from nospof.adapters.machine.ssm import ANSWER_BYTES, SCHEMA, SsmMachines, answer_of
from nospof.model.machine import Looked

GOOD: dict[str, Any] = {"schema": SCHEMA, "engines": {"status": "none", "reason": "", "found": []}}


def line(document: Any) -> str:
    text = document if isinstance(document, str) else json.dumps(document)
    return f"{SCHEMA} " + base64.b64encode(zlib.compress(text.encode(), 9)).decode()


class Script:
    """What the endpoint answers, and what it was asked."""

    def __init__(self) -> None:
        self.denied: set[str] = set()
        self.answers: dict[str, dict[str, Any]] = {}
        self.offline: dict[str, dict[str, str]] = {}
        self.unmanaged: set[str] = set()
        self.sent: list[list[str]] = []
        self.asked = 0

    def answer(self, operation: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if operation in self.denied:
            return 400, {"__type": "AccessDeniedException", "message": "not for you"}
        if operation == "DescribeInstanceInformation":
            ids = [one for one in body["Filters"][0]["Values"] if one not in self.unmanaged]
            at = int(body.get("NextToken", 0))
            healthy = {"PingStatus": "Online", "PlatformType": "Linux"}
            some = ids[at : at + 10]
            rows = [{"InstanceId": one, **healthy, **self.offline.get(one, {})} for one in some]
            more = {"NextToken": str(at + 10)} if at + 10 < len(ids) else {}
            return 200, {"InstanceInformationList": rows, **more}
        if operation == "SendCommand":
            self.sent.append(body["InstanceIds"])
            return 200, {"Command": {"CommandId": "0" * 36}}
        self.asked += 1
        who = body["InstanceId"]
        given = self.answers.get(who, {"Status": "Success", "StandardOutputContent": line(GOOD)})
        if code := given.get("code"):
            self.answers.pop(who)
            return 400, {"__type": code, "message": "?"}
        return 200, {"InstanceId": who, **given}


@contextmanager
def endpoint(script: Script) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, document = script.answer(self.headers["X-Amz-Target"].partition(".")[2], body)
            text = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's word)
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def script() -> Script:
    return Script()


def look(script: Script, *instance_ids: str) -> dict[str, Looked]:
    session = boto3.Session(
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - a placeholder
        region_name="us-east-1",
    )
    with endpoint(script) as url:
        machines = SsmMachines(AwsCloud(session, endpoint=url), poll_seconds=0.01)
        found = list(machines.look(instance_ids))
    assert sorted(one.instance_id for one in found) == sorted(set(instance_ids))  # each once, none forgotten
    return {one.instance_id: one for one in found}


def ids(number: int) -> list[str]:
    return [f"i-{one:017x}" for one in range(number)]


A, B = ids(2)


# What Systems Manager says ------------------------------------------------------------------------------


def test_more_than_fifty_machines_are_asked_fifty_at_a_time_and_all_pages_are_read(script: Script) -> None:
    found = look(script, *ids(120), A)
    assert [len(one) for one in script.sent] == [50, 50, 20]
    assert {one.problem for one in found.values()} == {""}
    assert all(one.document == GOOD for one in found.values())


@pytest.mark.parametrize(
    ("operation", "told"),
    [
        ("DescribeInstanceInformation", "ssm:DescribeInstanceInformation"),
        ("SendCommand", "ssm:SendCommand"),
        ("GetCommandInvocation", "ssm:GetCommandInvocation"),
    ],
)
def test_a_call_that_is_denied_is_named_for_each_machine(script: Script, operation: str, told: str) -> None:
    script.denied = {operation}
    found = look(script, A, B)
    assert {(one.document, one.operation, one.problem) for one in found.values()} == {
        (None, told, "access denied")
    }


def test_no_machines_fault_is_anothers(script: Script) -> None:
    gone, off, windows, failed, stuck, good = ids(6)
    script.unmanaged = {gone}
    script.offline = {off: {"PingStatus": "ConnectionLost"}, windows: {"PlatformType": "Windows"}}
    script.answers = {
        failed: {"Status": "Failed", "StatusDetails": "Failed", "StandardOutputContent": line(GOOD)},
        stuck: {"Status": "TimedOut", "StatusDetails": "DeliveryTimedOut"},
    }
    found = look(script, gone, off, windows, failed, stuck, good)
    assert {one: looked.problem for one, looked in found.items()} == {
        gone: "not managed by SSM",
        off: "its agent is ConnectionLost",
        windows: "Windows is not looked into",
        failed: "the command ended as Failed",
        stuck: "the command ended as DeliveryTimedOut",
        good: "",
    }
    assert [one for one, looked in found.items() if looked.document is not None] == [good]
    assert script.sent == [[failed, stuck, good]]


def test_an_invocation_that_is_not_known_yet_is_asked_for_again(script: Script) -> None:
    script.answers = {A: {"code": "InvocationDoesNotExist"}}
    assert look(script, A)[A].document == GOOD
    assert script.asked == 2


def test_a_machine_that_never_ends_is_told_as_timed_out_and_the_others_answer(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssm, "PATIENCE_SECONDS", 0.05)
    script.answers = {A: {"Status": "InProgress"}}
    found = look(script, A, B)
    assert (found[A].document, found[A].problem) == (None, "timed out")
    assert found[B].document == GOOD


# What a machine says ------------------------------------------------------------------------------------


def test_an_answer_that_was_cut_is_none_wherever_it_was_cut() -> None:
    whole = line({**GOOD, "more": "x" * 300})
    assert answer_of(f"motd\n{whole}\n")[0] is not None
    for end in range(len(SCHEMA) + 2, len(whole)):
        document, problem = answer_of(whole[:end])
        assert (document, bool(problem)) == (None, True), whole[:end]


def with_value(value: str) -> str:
    return f'{{"schema": "{SCHEMA}", "a": {value}}}'


HOSTILE = {
    "a bomb": " " * (ANSWER_BYTES + 1) + json.dumps(GOOD),
    "a bomb behind a whole answer": json.dumps(GOOD) + " " * (ANSWER_BYTES * 20),
    "too deep": "[" * 100_000,
    "deep enough to break a reader": json.dumps({**GOOD, "a": [[[[[[[[[[1]]]]]]]]]]}),
    "not a number": with_value("NaN"),
    "no end of digits": with_value("9" * 400),
    "beyond all numbers": with_value("1e999"),
    "a list": "[1]",
    "another schema": '{"schema": "nospof.probe/9"}',
    "no json": "hello",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer_is_none(name: str) -> None:
    document, problem = answer_of(line(HOSTILE[name]))
    assert document is None
    assert problem


def test_an_answer_that_is_no_text_is_none() -> None:
    packed = base64.b64encode(zlib.compress(b'{"schema": "\xff\xfe"}')).decode()
    assert answer_of(f"{SCHEMA} {packed}")[0] is None
    assert answer_of(f"{SCHEMA} \udcff\u0000")[0] is None


def test_what_a_machine_answers_cannot_drive_a_terminal() -> None:
    document, _ = answer_of(line(with_value(r'["\u001b[2J", "\ud800", "\r\n", "\u202e", "Gr\u00fc\u00dfe"]')))
    assert document is not None
    assert document["a"] == ["\ufffd[2J", "\ufffd", "\ufffd\ufffd", "\ufffd", "Grüße"]
