"""The command line that is shown for a request is one that asks for it."""

from __future__ import annotations

import shlex

import click
import pytest

from nospof.cli.main import cli
from nospof.model.maintaining import RunRequest
from nospof.model.requests import CloneRequest, DrillRequest, PairRequest
from nospof.model.writes import WriteWish
from nospof.render.command_line import COMMANDS, ELSEWHERE, OPTIONS, WRITES, command_of, option
from nospof.services.asking import asked_procedures, described


def command(words: str) -> click.Command:
    found: click.Command = cli
    for word in words.split():
        assert isinstance(found, click.Group)
        found = found.get_command(click.Context(found), word) or pytest.fail(word)
    return found


def test_every_procedure_that_can_be_asked_for_has_its_command():
    assert set(COMMANDS) == set(asked_procedures())


@pytest.mark.parametrize("procedure", COMMANDS)
def test_every_field_is_an_argument_or_an_option_of_its_command(procedure):
    words, *arguments = COMMANDS[procedure]
    known = {one.name: one for one in command(words).params}
    for field in described(procedure)["fields"]:
        name = field["name"]
        if name in ELSEWHERE:
            assert name not in known
        elif name in arguments:
            assert isinstance(known[name], click.Argument)
        else:
            assert option(name, "x")[0] in known[name].opts, name


def test_writes_are_said_by_the_options_of_a_drill():
    opts = {opt for one in command("drill").params for opt in one.opts}
    assert set(WRITES.values()) <= opts
    assert set(OPTIONS.values()) - {"--with"} <= opts | {
        opt for words, *_ in COMMANDS.values() for one in command(words).params for opt in one.opts
    }


@pytest.mark.parametrize(
    ("procedure", "request_", "says"),
    [
        ("clone", CloneRequest("i-1"), "nospof clone i-1"),
        (
            "clone",
            CloneRequest("i-1", port=81, live=True, or_types="a,b", dead_man_seconds=900),
            "nospof clone i-1 --port 81 --or-type a --or-type b --live --dead-man 900s",
        ),
        (
            "pair",
            PairRequest("i-1", twin_id="i-2", expect="a b"),
            "nospof pair i-1 --with i-2 --expect 'a b'",
        ),
        (
            "maintain-run",
            RunRequest("www", "apt-get update; x"),
            "nospof maintain run www -- 'apt-get update; x'",
        ),
    ],
)
def test_what_is_usual_is_left_out(procedure, request_, says):
    assert command_of(procedure, request_) == says


def test_a_drill_with_writes_is_said_whole():
    wish = WriteWish(path="/w", read_path="/r/{id}", body="{}")
    words = shlex.split(command_of("drill", DrillRequest("www", writes=(wish,))))
    assert words[words.index("--write-to") + 1] == "/w"
    assert words[words.index("--read-from") + 1] == "/r/{id}"
