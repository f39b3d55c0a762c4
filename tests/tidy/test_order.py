"""What takes longest begins first."""

from __future__ import annotations

from support.beginning import LONGEST, TESTS, place


def test_every_module_that_is_called_long_is_there():
    assert [name for name in LONGEST if not (TESTS / name).is_file()] == []


def test_the_longest_begin_first_then_what_starts_processes_then_the_quick_ones():
    names = (*LONGEST, "localcloud/test_iam.py", "unit/test_pair.py")
    assert [place(TESTS / name) for name in names] == list(range(len(names)))
