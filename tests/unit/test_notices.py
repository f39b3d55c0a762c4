"""News reach people, and whoever does not take them stops nothing."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from nospof.adapters import notices
from nospof.adapters.notices import Hook, Post, Topic, Webhook, variables_of
from nospof.errors import CloudError, UsageError
from nospof.model.news import Tally
from nospof.render.metrics import metrics_text, write_metrics
from support.waiting import eventually

NEWS = {
    "at": 1.0,
    "kind": "begun",
    "place": {"account": "123456789012", "region": "eu-central-1", "profile": ""},
    "says": "begins the turn of i-1 of www",
    "services": ["www"],
    "instance_id": "i-1",
    "event_id": "e-1",
    "run_id": "",
    "due": 0.0,
}


@pytest.fixture
def server():
    """A server that gives the answers it is told to, and keeps what it was sent."""

    class Handler(BaseHTTPRequestHandler):
        answers: ClassVar[list[int]] = []
        sent: ClassVar[list[tuple[str, dict]]] = []

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.sent.append((self.path, json.loads(body)))
            self.send_response(self.answers.pop(0) if self.answers else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    Handler.answers, Handler.sent = [], []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        Handler.url = f"http://127.0.0.1:{running.server_port}/hook?to=me"  # type: ignore[attr-defined]
        yield Handler
        running.shutdown()


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


# A command ----------------------------------------------------------------------------------------------


def test_a_command_gets_the_news_on_its_stdin_and_in_variables(tmp_path):
    hook = Hook(
        script(tmp_path / "page-me", f'cat > {tmp_path}/got; echo "$NOSPOF_KIND $1" > {tmp_path}/said') + " x"
    )
    assert hook.send(NEWS) == ""
    assert json.loads((tmp_path / "got").read_text()) == NEWS
    assert (tmp_path / "said").read_text() == "begun x\n"


def test_the_variables_of_a_command_are_those_that_its_help_names():
    from nospof.cli.maintain_watch import watch

    assert all(name in (watch.help or "") for name in variables_of(NEWS))


def test_a_command_that_fails_or_hangs_is_told_with_what_it_said(tmp_path, monkeypatch):
    assert Hook(script(tmp_path / "fails", "echo no pager; exit 3")).send(NEWS) == "it ended with 3: no pager"
    assert Hook(script(tmp_path / "deaf", "exit 0")).send({**NEWS, "says": "x" * 1_000_000}) == ""
    monkeypatch.setattr(notices, "HOOK_SECONDS", 0.3)
    assert Hook(script(tmp_path / "hangs", "sleep 60")).send(NEWS) == "it had not ended after 0.3 s"


@pytest.mark.parametrize("command", ["", "no-such-program --x", "'unbalanced", "/etc/passwd"])
def test_a_command_that_there_is_not_is_refused_at_the_start(command):
    with pytest.raises(UsageError, match="--notify"):
        Hook(command)


# A URL --------------------------------------------------------------------------------------------------


def test_a_url_is_posted_to_and_asked_again_where_it_says_later(server):
    server.answers[:] = [500, 429]
    waits: list[float] = []
    assert Webhook(server.url, waits.append).send(NEWS) == ""
    assert server.sent == [("/hook?to=me", NEWS)] * 3
    assert len(waits) == 2


def test_a_url_that_says_no_is_not_asked_again_and_one_that_is_gone_a_few_times(server):
    server.answers[:] = [403]
    waits: list[float] = []
    assert Webhook(server.url, waits.append).send(NEWS) == "it answers 403"
    assert waits == []
    gone = Webhook("http://127.0.0.1:1/", waits.append).send(NEWS)
    assert (gone.startswith("ConnectionRefusedError"), len(waits)) == (True, 3)


@pytest.mark.parametrize(
    "url", ["http://example.com/x", "ftp://127.0.0.1/", "example.com", "https://", "http://[x"]
)
def test_news_are_not_sent_in_clear_to_others(url):
    with pytest.raises(UsageError, match="--webhook"):
        Webhook(url)


def test_a_secret_in_a_url_is_not_told():
    assert Webhook("https://hooks.example.com/services/SECRET").name == "--webhook hooks.example.com"


# A topic ------------------------------------------------------------------------------------------------

ARN = "arn:aws:sns:eu-central-1:123456789012:ops"


def test_a_topic_is_published_to_with_a_subject_that_sns_takes():
    sent: list[tuple[str, str, str]] = []
    topic = Topic(ARN, lambda *message: sent.append(message))
    assert topic.send({**NEWS, "services": ["wäsche\n" * 40]}) == ""
    ((arn, subject, message),) = sent
    assert (arn, json.loads(message)["says"]) == (ARN, NEWS["says"])
    assert subject.isascii()
    assert "\n" not in subject
    assert len(subject) < 100


def test_a_topic_that_refuses_is_told():
    def refuse(*_: str) -> None:
        raise CloudError("not authorized")

    assert Topic(ARN, refuse).send(NEWS) == "not authorized"


@pytest.mark.parametrize("arn", ["ops", "arn:aws:sqs:eu-central-1:123456789012:ops", "arn:aws:sns:::ops"])
def test_what_is_no_topic_is_refused_at_the_start(arn):
    with pytest.raises(UsageError, match="--sns"):
        Topic(arn, lambda *_: None)


# Beside -------------------------------------------------------------------------------------------------


class Slow:
    name = "slow"

    def __init__(self) -> None:
        self.go, self.got = threading.Event(), 0

    def send(self, news):
        self.go.wait(60)
        self.got += 1
        return ""


class Quick:
    name = "quick"

    def __init__(self, why: str = "") -> None:
        self.got, self.why = 0, why

    def send(self, news):
        self.got += 1
        return self.why


def test_one_way_that_hangs_delays_no_other_and_what_cannot_wait_for_it_is_told(monkeypatch):
    monkeypatch.setattr(notices, "WAITING", 2)
    slow, quick, said = Slow(), Quick(), []
    post = Post((slow, quick), said.append)
    for number in range(1, 7):
        post.take(NEWS)
        eventually(lambda number=number: quick.got == number, "the other way delivers")
    assert said == [f"slow: 2 news wait for it, and this one is lost: {NEWS['says']}"] * len(said)
    slow.go.set()
    post.close(30)
    assert (slow.got + len(said), post.lost) == (6, len(said))
    assert said


def test_what_could_not_be_delivered_is_counted_and_said():
    said: list[str] = []
    post = Post((Quick("no line"),), said.append)
    post.take(NEWS)
    post.close(30)
    assert said == ["quick was not told of 'begins the turn of i-1 of www': no line"]
    assert post.lost == 1


def test_the_end_does_not_wait_for_a_way_that_hangs():
    slow = Slow()
    post = Post((slow,), lambda _says: None)
    post.take(NEWS)
    post.close(0.1)
    assert slow.got == 0
    slow.go.set()


# Metrics ------------------------------------------------------------------------------------------------


def test_metrics_say_what_is_ahead_and_how_runs_ended():
    tally = Tally(100.0, 0.25, False, (("www", 2), ('a"b', 0)), 160.0, 1, (("done", 3), ("failed", 0)), 1)
    lines = metrics_text(tally, 4, now=100.0).splitlines()
    assert 'nospof_maintenance_events_ahead{service="www"} 2' in lines
    assert 'nospof_maintenance_events_ahead{service="a\\"b"} 0' in lines
    assert "nospof_maintenance_nearest_deadline_seconds 60" in lines
    assert 'nospof_maintenance_runs_total{outcome="done"} 3' in lines
    assert "nospof_maintenance_news_lost_total 4" in lines
    assert "nospof_maintenance_unread 0" in lines
    names = [one.split("{")[0].split(" ")[0] for one in lines if not one.startswith("#")]
    assert all(f"# TYPE {name} " in "\n".join(lines) for name in names)


def test_what_could_not_be_read_is_neither_none_nor_what_it_was():
    text = metrics_text(Tally(is_unread=True, ahead=(("www", 2),), nearest_due=1.0), 0, now=0.0)
    assert "nospof_maintenance_unread 1" in text
    assert "events_ahead" not in text
    assert "nearest_deadline" not in text


def test_metrics_are_replaced_whole_and_a_place_that_takes_none_is_named(tmp_path):
    file = tmp_path / "nospof.prom"
    for text in ("one\n", "two\n"):
        write_metrics(file, text)
        assert file.read_text() == text
    assert [one.name for one in tmp_path.iterdir()] == ["nospof.prom"]
    with pytest.raises(UsageError, match="no-such"):
        write_metrics(tmp_path / "no-such" / "x.prom", "")
