"""Commands that ask a server: what none may do on this machine, and what is never asked for twice."""

from __future__ import annotations

import copy
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest

from nospof import errors
from nospof.adapters.server import Server, server_in
from nospof.cli.main import COMMANDS, cli
from nospof.cli.progress import Watch
from nospof.cli.remote import ASKED, EVERYWHERE, OF_THIS_MACHINE, Shown, keep_to_server
from nospof.errors import (
    CloudError,
    NospofError,
    PreconditionFailed,
    ProcedureFailed,
    UnknownOutcome,
    UsageError,
    told_error,
)
from nospof.model.applying import ApplyRequest
from nospof.model.requests import CloneRequest, UndoRequest
from nospof.model.runs import Run, RunStep
from nospof.procedures.registry import PROCEDURES
from nospof.render.answers import envelope
from nospof.render.command_line import COMMANDS as SPOKEN
from nospof.runtime.codec import from_plain
from nospof.services import remote as service
from nospof.services.remote import Remote, order
from support.certificates import self_signed

# Which commands --------------------------------------------------------------------------------

HANDLED_HERE = {"output_format", "yes", "plan_only"}
"""Options about how it is asked and shown, which is done on this side."""
OTHERS = {
    "audit": {
        "files",
        "service",
        "survive",
        "slo",
        "what_if",
        "order",
        "fail_on",
        "allow_incomplete",
        "output",
    },
    "data status": {"service"},
    "data undo": {"service", "clients_are_back"},
    "maintain events": {"ics"},
    "runs list": set(),
    "runs resume": {"run_id"},
    "runs show": {"run_id"},
    "runs stop": {"run_id"},
    "runs undo": {"run_id", "clients_are_back"},
}
"""What is asked by commands that ask for no procedure by its name."""


def leaves(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            yield from leaves(one, f"{path} {name}")
    else:
        yield path, command


def all_commands() -> dict[str, click.Command]:
    """Return every command, those that are not listed too, as it is while a server is named."""
    context, found = click.Context(cli), {}
    for name in COMMANDS:
        command = copy.deepcopy(cli.get_command(context, name))
        assert command
        keep_to_server(command, name)
        found |= dict(leaves(command, name))
    return found


ALL = all_commands()


def test_every_command_asks_the_server_or_is_of_this_machine_or_refuses() -> None:
    here = {path for path in ALL if path.partition(" ")[0] in OF_THIS_MACHINE}
    assert set(ASKED) <= set(ALL)
    assert {path.partition(" ")[0] for path in here} == set(OF_THIS_MACHINE)
    refusing = set(ALL) - set(ASKED) - here
    assert {"runs keep", "runs begin", "runs repair", "data watch", "maintain watch"} <= refusing
    for path in refusing:
        with pytest.raises(UsageError, match=f"nospof {path} works on this machine"):
            ALL[path].callback()


@pytest.mark.parametrize("path", ASKED)
def test_every_option_is_sent_or_refused_by_name(path: str) -> None:
    refused = set(EVERYWHERE | ASKED[path])
    names = {str(one.name) for one in ALL[path].params}
    procedure = next((name for name, spoken in SPOKEN.items() if spoken[0] == path), "")
    fields = set(PROCEDURES[procedure].request_type.__dataclass_fields__) if procedure else OTHERS[path]
    writes = {one for one in names if one.startswith(("write_", "read_from"))} if path == "drill" else set()
    words = {"words"} if path == "maintain run" else set()
    assert names <= refused | fields | writes | words | HANDLED_HERE
    assert not fields & set(ASKED[path])


@pytest.mark.parametrize(
    ("path", "words", "says"),
    [
        ("clone", ["i-1", "--profile", "mine"], "--profile cannot be asked"),
        ("audit", ["--settings", "x.yaml"], "--settings cannot be asked"),
        ("maintain events", ["--region", "eu-west-1"], "--region cannot be asked"),
        ("runs resume", ["clone-1", "--take-over"], "--take-over cannot be asked"),
    ],
)
def test_an_option_that_the_server_has_no_ear_for_is_not_ignored(
    path: str, words: list[str], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        ALL[path].main(words, standalone_mode=False)


# What is sent ----------------------------------------------------------------------------------


def test_what_is_as_usual_is_left_to_the_server() -> None:
    asked = {"procedure": "clone", "request": {"instance_id": "i-1", "port": 8080}}
    assert order("clone", CloneRequest("i-1", port=8080)) == ("runs", asked)
    assert order("apply", ApplyRequest("shop"))[1]["request"] == {"service": "shop"}, (
        "its window stands there"
    )
    undo = from_plain({"run_id": "a/b", "instance_id": "i-1", "clients_are_back": True}, UndoRequest)
    assert order("undo", undo) == ("runs/a%2Fb/undo", {"clients_are_back": True})


KINDS = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, NospofError)]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_that_was_told_is_the_same_error(kind: type[NospofError]) -> None:
    more: dict[str, Any] = {}
    if kind is ProcedureFailed:
        more = {"run_id": "clone-1", "step": "launch", "exists": ("an image",)}
    elif issubclass(kind, CloudError):
        more = {"code": "Throttling", "operation": "ec2:RunInstances", "request_id": "r"}
    told = envelope(kind("it is so", **more))
    again = told_error(told["kind"], told["message"], told)
    assert (type(again), envelope(again)) == (kind, told)


def test_a_kind_that_is_not_known_ends_with_the_code_that_is_told() -> None:
    assert type(told_error("NotFound", "no such page", {"exit_code": 2})) is UsageError
    assert type(told_error("Busy", "later", {"exit_code": 3})) is PreconditionFailed
    assert type(told_error("KeyError", "a fault", {})) is NospofError


# Connections -----------------------------------------------------------------------------------


def answer(status: str, body: bytes | str, kind: str = "application/json", *more: str) -> bytes:
    body = body if isinstance(body, bytes) else body.encode()
    head = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", "Connection: close", *more]
    return "\r\n".join([*head, "", ""]).encode() + body


ACCEPTED = answer("202 Accepted", '{"run_id": "clone-1", "act": "begin", "place": "x/y"}')
PROXY = answer("502 Bad Gateway", "<h1>Bad Gateway</h1>", "text/html")
BREAKS = b""
REFUSED = json.dumps({"error": envelope(PreconditionFailed("no room. Nothing was changed."))})


class Answering:
    """A server that gives one answer to each connection, in order, and keeps what it was asked."""

    def __init__(self, answers: tuple[bytes, ...], context: ssl.SSLContext | None) -> None:
        self.asked: list[bytes] = []
        self._answers, self._context = answers, context
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        for said in self._answers:
            try:
                connection, _ = self.listener.accept()
                with connection:
                    spoken = (
                        self._context.wrap_socket(connection, server_side=True)
                        if self._context
                        else connection
                    )
                    with spoken, spoken.makefile("rb") as lines:
                        head = b"".join(iter(lines.readline, b"\r\n"))
                        sizes = [
                            one for one in head.lower().split(b"\r\n") if one.startswith(b"content-length")
                        ]
                        size = int(sizes[0].partition(b":")[2]) if sizes else 0
                        self.asked.append(head + lines.read(size))
                        spoken.sendall(said)
            except OSError:
                continue


@contextmanager
def answering(*answers: bytes, context: ssl.SSLContext | None = None) -> Iterator[Answering]:
    server = Answering(answers, context)
    with closing(server.listener):
        yield server
        server.thread.join(10)


def remote(server: Answering, pauses: list[float] | None = None) -> Remote:
    api = Server(f"http://127.0.0.1:{server.port}", "secret")
    return Remote(api, from_plain, (pauses if pauses is not None else []).append)


def test_an_order_without_an_answer_is_sent_again_under_its_key() -> None:
    with answering(BREAKS, PROXY, ACCEPTED) as server:
        assert remote(server).begin("clone", CloneRequest("i-1")) == "clone-1"
    keys = {
        line for one in server.asked for line in one.split(b"\r\n") if line.startswith(b"Idempotency-Key")
    }
    assert (len(server.asked), len(keys)) == (3, 1)
    assert len({one.rpartition(b"\r\n")[2] for one in server.asked}) == 1


def test_an_order_that_may_have_been_accepted_is_told_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ACCEPT_SECONDS", -1.0)
    with answering(BREAKS) as server, pytest.raises(UnknownOutcome, match="look before you ask again"):
        remote(server).begin("clone", CloneRequest("i-1"))


def test_what_may_have_been_accepted_is_told_so_whatever_is_answered_later() -> None:
    gone = answer("401 Unauthorized", '{"error": {"kind": "NotKnown", "message": "which?", "exit_code": 2}}')
    with (
        answering(BREAKS, gone) as server,
        pytest.raises(UnknownOutcome, match=r"which\?.*look before you ask"),
    ):
        remote(server).begin("clone", CloneRequest("i-1"))
    fault = answer("500 Internal Server Error", "Internal Server Error", "text/plain")
    with (
        answering(fault) as server,
        pytest.raises(UnknownOutcome, match=r"has failed \(HTTP 500\).*look before"),
    ):
        remote(server).begin("clone", CloneRequest("i-1"))


def test_a_server_with_too_much_to_do_is_asked_again_by_who_follows() -> None:
    busy = answer("429 Too Many Requests", '{"error": {"kind": "Refused", "message": "200", "exit_code": 2}}')
    with answering(busy) as server, pytest.raises(CloudError, match="200") as found:
        remote(server).run("clone-1")
    assert found.value.retryable


def test_what_is_refused_or_never_reached_anybody_is_not_sent_again() -> None:
    pauses: list[float] = []
    refused = answer("409 Conflict", REFUSED)
    with answering(refused) as server, pytest.raises(PreconditionFailed, match="no room"):
        remote(server, pauses).begin("clone", CloneRequest("i-1"))
    with pytest.raises(CloudError, match="cannot be reached") as found:
        remote(server, pauses).begin("clone", CloneRequest("i-1"))
    assert type(found.value) is CloudError
    assert pauses == []


class Looked:
    """Keeps what it is shown."""

    def __init__(self) -> None:
        self.seen: list[Run] = []
        self.now: list[str] = []
        self.said: list[str] = []

    def see(self, run: Run) -> None:
        self.seen.append(run)

    def see_now(self, now: Any) -> None:
        self.now.append(now["step"])

    def say(self, sentence: str) -> None:
        self.said.append(sentence)


def told(run: dict[str, Any], *ends: str) -> bytes:
    lines = [f"event: run\ndata: {json.dumps(run)}\n\n", ": it is still so\n\n", *ends]
    return answer("200 OK", "".join(lines), "text/event-stream")


RUN = {"id": "clone-1", "procedure": "clone", "request": {}, "started_at": 1.0, "updated_at": 1.0}
NOW = 'event: now\ndata: {"step": "launch the twin", "says": "", "done": null}\n\n'
LATER = 'event: weather\ndata: "rain"\n\n'
END = 'event: end\ndata: {"state": "done"}\n\n'


def test_who_follows_takes_it_up_where_the_connection_is_lost() -> None:
    looked, done = Looked(), {**RUN, "state": "done"}
    whole = answer("200 OK", json.dumps(done))
    with answering(
        told({**RUN, "state": "running"}), BREAKS, PROXY, told(done, NOW, LATER, END), whole
    ) as server:
        ended = remote(server).follow("clone-1", looked)
    assert [one.state for one in looked.seen] == ["running", "done"]
    assert looked.now == ["launch the twin"]
    assert ended.state == "done"
    assert [("asking again" in one, "answers again" in one) for one in looked.said] == [
        (True, False),
        (False, True),
    ]


def test_who_follows_does_not_wait_for_ever_nor_with_a_token_that_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "LOST_SECONDS", -1.0)
    with answering(BREAKS) as server, pytest.raises(UnknownOutcome, match="nospof runs show clone-1"):
        remote(server).follow("clone-1", Looked())
    slow = json.dumps({"error": envelope(CloudError("slow down", code="Throttling"))})
    with (
        answering(answer("502 Bad Gateway", slow)) as server,
        pytest.raises(CloudError, match="slow down") as found,
    ):
        remote(server).follow("clone-1", Looked())
    assert type(found.value) is CloudError
    gone = answer("401 Unauthorized", '{"error": {"kind": "NotKnown", "message": "which?", "exit_code": 2}}')
    with answering(gone) as server, pytest.raises(UsageError, match=r"refuses: which\?.*NOSPOF_TOKEN"):
        remote(server).follow("clone-1", Looked())


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (answer("200 OK", "<html>", "text/html"), "does not answer as nospof serve does"),
        (answer("302 Found", "", "text/html", "Location: http://127.0.0.1:1/"), "HTTP 302"),
        (answer("200 OK", "{"), "no JSON"),
        (answer("404 Not Found", '{"detail": "Not Found"}'), "does not answer as nospof serve does"),
        (answer("200 OK", '{"id": "clone-1"}'), "of one version"),
    ],
)
def test_what_is_no_answer_of_ours_is_told_with_the_server(said: bytes, says: str) -> None:
    with answering(said) as server, pytest.raises(UsageError, match=says) as found:
        remote(server).run("clone-1")
    assert f"http://127.0.0.1:{server.port}" in str(found.value)
    assert "secret" not in repr(Server("https://a.example", "secret"))


def test_a_certificate_is_verified_and_its_authority_can_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "c.pem").write_bytes(b"".join(self_signed("localhost")))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "c.pem")
    with answering(ACCEPTED, answer("200 OK", '{"a": 1}'), context=context) as server:
        api = Server(f"https://localhost:{server.port}", "secret")
        with pytest.raises(CloudError, match=r"not trusted here .*SSL_CERT_FILE") as found:
            api.get("about")
        assert not found.value.retryable
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "c.pem"))
        assert api.get("about") == {"a": 1}


def test_a_token_comes_from_a_file_too_and_what_cannot_be_one_is_not_sent(tmp_path: Path) -> None:
    file, url = tmp_path / "token", {"NOSPOF_SERVER": "https://ops.example.com/"}
    file.write_text("abc\n")
    assert server_in({**url, "NOSPOF_TOKEN_FILE": str(file)}) == Server("https://ops.example.com", "abc")
    for more in ({}, {"NOSPOF_TOKEN": "a b"}, {"NOSPOF_TOKEN_FILE": str(tmp_path / "none")}):
        with pytest.raises(UsageError, match="NOSPOF_TOKEN"):
            server_in({**url, **more})


def test_what_a_run_warns_of_is_shown_once_and_not_what_an_earlier_process_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = answer("200 OK", "  ! of before\n  ✓ a step 1.0 s\n", "text/plain; charset=utf-8")
    after = answer("200 OK", "  ! of before\n  ✓ a step 1.0 s\n  ! no room [there]\n", "text/plain")
    known, step = ended("failed"), RunStep(1, "launch the twin", 1.0, 3.5)
    with answering(before, after, after) as server:
        shown = Shown(remote(server), Watch(), known)
        for _ in range(2):
            shown.see(replace(known, state="running", steps=(step,)))
    assert capsys.readouterr().err == "  ✓ launch the twin 2.5 s\n  ! no room [there]\n"


# How it ended ----------------------------------------------------------------------------------


def ended(state: Any, error: str = "", **more: Any) -> Run:
    return Run("clone-1", "clone", {}, state, 1.0, 1.0, error, **more)


@pytest.mark.parametrize(
    ("run", "kind"),
    [
        (ended("refused", "no", problem={"kind": "UsageError"}), UsageError),
        (ended("refused", "no"), PreconditionFailed),
        (ended("failed", "half", problem={"kind": "ProcedureFailed", "run_id": "clone-1"}), ProcedureFailed),
        (ended("failed", "'x'", problem={"kind": "KeyError"}), NospofError),
        (ended("interrupted"), ProcedureFailed),
    ],
)
def test_a_run_ends_here_as_it_did_there(run: Run, kind: type[NospofError]) -> None:
    with pytest.raises(kind) as found:
        Remote(Server("https://a.example", "x"), from_plain).outcome(run)
    assert type(found.value) is kind
