"""Work shared out to processes: the answers of one, whatever becomes of the others."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

import pytest

from nospof.adapters.forks import LEAST, ForkedCrew
from nospof.audit.crew import InTurn
from nospof.render.documents import render_json
from nospof.services.audit import audit_estate
from nospof.services.reading import read_estate
from support.children import children, forget_others
from support.scripted_discovery import ScriptedDiscovery, many


@dataclass(frozen=True)
class Piece:
    number: int

    @property
    def key(self) -> str:
        return f"piece {self.number}"


PIECES = [Piece(number) for number in range(3 * LEAST)]
LOST = 7
"""A piece of the other process's share; the test of the shares says so."""


class Worker:
    def __init__(self) -> None:
        self.here = os.getpid()
        self.kept: dict[int, int] = {}

    def process(self, _piece: Piece) -> int:
        return os.getpid()

    def keep(self, piece: Piece) -> int:
        self.kept[piece.number] = piece.number**2
        return os.getpid()

    def recall(self, piece: Piece) -> tuple[int, int]:
        return self.kept[piece.number], os.getpid()

    def square(self, piece: Piece) -> int:
        return piece.number**2

    def die_there(self, piece: Piece) -> int:
        if os.getpid() != self.here and piece.number > LEAST:
            os.kill(os.getpid(), signal.SIGKILL)
        return piece.number**2

    def fail(self, piece: Piece) -> int:
        return 1 // (piece.number - LOST)

    def unsendable(self, piece: Piece) -> object:
        return lambda: piece.number

    def interrupted_here(self, piece: Piece) -> int:
        if os.getpid() == self.here:
            raise KeyboardInterrupt
        signal.pause()
        return piece.number


@pytest.fixture(autouse=True)
def _three_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})


@pytest.fixture(autouse=True)
def only_our_processes_count() -> None:
    forget_others()


def squares() -> list[int]:
    return [piece.number**2 for piece in PIECES]


def test_the_answers_are_in_order_and_each_processor_gave_some() -> None:
    with ForkedCrew(Worker()) as crew:
        assert crew.map("square", PIECES) == InTurn(Worker()).map("square", PIECES) == squares()
        found = crew.map("process", PIECES)
    assert len(set(found)) == 3
    assert found[LOST] != os.getpid()
    assert all(found.count(process) > LEAST / 2 for process in found)
    assert children() == []


def test_what_a_process_keeps_of_a_piece_is_there_for_the_next_method() -> None:
    with ForkedCrew(Worker()) as crew:
        kept = crew.map("keep", PIECES)
        few = list(reversed(PIECES[: LEAST // 2]))
        assert crew.map("recall", few) == [(piece.number**2, kept[piece.number]) for piece in few]


def test_little_work_starts_no_process() -> None:
    with ForkedCrew(Worker()) as crew:
        assert set(crew.map("process", PIECES[: LEAST - 1])) == {os.getpid()}
        assert crew.map("process", []) == children() == []


def test_an_error_is_raised_here_as_it_would_have_been_without_processes() -> None:
    with pytest.raises(ZeroDivisionError), ForkedCrew(Worker()) as crew:
        crew.map("fail", PIECES)
    assert children() == []


def test_the_share_of_a_process_that_is_killed_is_worked_on_here_and_so_is_what_follows() -> None:
    with ForkedCrew(Worker()) as crew:
        assert crew.map("die_there", PIECES) == squares()
        assert set(crew.map("process", PIECES)) == {os.getpid()}
    assert children() == []


def test_an_answer_that_cannot_be_sent_is_made_here() -> None:
    with ForkedCrew(Worker()) as crew:
        assert [one() for one in crew.map("unsendable", PIECES)] == [piece.number for piece in PIECES]


def test_whoever_is_interrupted_leaves_no_process_behind() -> None:
    with pytest.raises(KeyboardInterrupt), ForkedCrew(Worker()) as crew:
        crew.map("interrupted_here", PIECES)
    assert children() == []


def test_an_audit_that_is_shared_out_gives_the_same_bytes() -> None:
    estate = read_estate(ScriptedDiscovery(many(2 * LEAST, scaled=False)), 1_800_000_000.0)
    alone, shared = (render_json(audit_estate(estate, crew_of=one)) for one in (InTurn, ForkedCrew))
    assert alone == shared
    assert alone.count('"entry": ') == 2 * LEAST
