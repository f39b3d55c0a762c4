"""Who is let into the web API, and who is not."""

from __future__ import annotations

import json

import pytest

from nospof.console.guard import (
    ENDED_FILE,
    FAILURES,
    SESSION_SECONDS,
    EndedSessions,
    Guard,
    Turned,
    tokens_in,
)
from nospof.errors import PreconditionFailed

HOST = "127.0.0.1:8787"
ORIGIN = f"http://{HOST}"


@pytest.fixture
def guard(tmp_path):
    return Guard(tokens_in(tmp_path), frozenset({HOST}), frozenset({ORIGIN}), EndedSessions(tmp_path))


def test_tokens_are_made_once_and_only_their_owner_reads_them(tmp_path):
    tokens = tokens_in(tmp_path)
    assert tokens_in(tmp_path) == tokens
    assert len({*tokens.values()}) == 2
    assert min(map(len, tokens.values())) >= 43
    file = tmp_path / "console-tokens.json"
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)
    with pytest.raises(PreconditionFailed, match="chmod 600"):
        tokens_in(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"viewer": "x"})])
def test_a_file_of_tokens_that_was_spoilt_is_refused(tmp_path, text):
    file = tmp_path / "console-tokens.json"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(PreconditionFailed, match="Remove it to have new tokens"):
        tokens_in(tmp_path)


def test_a_session_says_its_role_until_its_time_is_over_or_the_token_is_another(guard, tmp_path, monkeypatch):
    role, cookie = guard.session(guard.tokens["viewer"])
    assert (role, guard.role_in(cookie)) == ("viewer", "viewer")
    assert guard.role_in(cookie.replace("viewer", "operator")) is None
    said, _, signature = cookie.rpartition(".")
    role, ends, nonce = said.split(".")
    assert guard.role_in(f"{role}.{int(ends) + 1}.{nonce}.{signature}") is None
    other = tmp_path / "other"
    other.mkdir()
    assert Guard(tokens_in(other), guard.hosts, guard.origins, EndedSessions(other)).role_in(cookie) is None
    import nospof.console.guard as module

    now = module.time.time()
    monkeypatch.setattr(module.time, "time", lambda: now + SESSION_SECONDS + 1)
    assert guard.role_in(cookie) is None


def test_a_session_that_was_ended_is_over_for_the_next_server_too_and_no_other_is(guard, tmp_path):
    _, mine = guard.session(guard.tokens["operator"])
    _, other = guard.session(guard.tokens["operator"])
    guard.end("operator.9.nobody.signed")
    guard.end(mine)
    guard.end(mine)
    for one in (guard, Guard(guard.tokens, guard.hosts, guard.origins, EndedSessions(tmp_path))):
        assert (one.role_in(mine), one.role_in(other)) == (None, "operator")
    file = tmp_path / ENDED_FILE
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().split() == [mine.rpartition(".")[0]]
    file.write_text("operator.1.long-ago\nnonsense\n")
    EndedSessions(tmp_path)
    assert file.read_text() == ""


@pytest.mark.parametrize(
    "cookie", ["", ".", "...", "operator", "operator..x.", "operator.1.x.é", "nobody.1.2.3"]
)
def test_what_nobody_signed_is_no_session(guard, cookie):
    assert guard.role_in(cookie) is None


def test_strangers_are_turned_away(guard):
    guard.refuse_strangers(HOST, ORIGIN, changes=True)
    guard.refuse_strangers(HOST.upper(), "", changes=True)
    guard.refuse_strangers(HOST, "https://elsewhere.example", changes=False)
    for host, origin, status in (("", "", 421), ("evil.example", "", 421), (HOST, "null", 403)):
        with pytest.raises(Turned) as why:
            guard.refuse_strangers(host, origin, changes=True)
        assert why.value.status == status


def test_guesses_are_looked_at_only_so_often(guard):
    for number in range(FAILURES + 2):
        with pytest.raises(Turned) as why:
            guard.caller("guess", "", "")
        assert why.value.status == (401 if number < FAILURES else 429)
    assert guard.caller(guard.tokens["operator"], "", "").role == "operator"
