"""Looks inside machines, kept beside a saved account."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from nospof.adapters.saved.probes import PROBES, SavedMachines, SavingMachines, has_probes
from nospof.errors import UsageError
from nospof.model.machine import Looked
from nospof.services.probing import probe_machines

LOOKS = (
    Looked(
        "i-2", {"schema": "nospof.probe/1", "written": {"status": "none", "found": []}}, "ssm:SendCommand"
    ),
    Looked("i-1", None, "ssm:DescribeInstanceInformation", "not managed by SSM"),
)


class Known:
    """Machines that answer what they are given."""

    def look(self, instance_ids: Sequence[str]) -> Iterator[Looked]:
        yield from (one for one in LOOKS if one.instance_id in instance_ids)


def told(machines: Any) -> Any:
    items, unread = probe_machines(machines, ["i-1", "i-2"])
    return [(one.id, one.fields) for one in items], unread


def test_a_replay_tells_the_same_and_why_a_machine_told_nothing(tmp_path: Path) -> None:
    live = told(SavingMachines(Known(), tmp_path))
    assert told(SavedMachines(tmp_path)) == live
    assert live[1][0].reason == "not managed by SSM"
    assert stat.S_IMODE((tmp_path / PROBES).stat().st_mode) == 0o600
    first = (tmp_path / PROBES).read_bytes()
    told(SavingMachines(SavedMachines(tmp_path), tmp_path))
    assert (tmp_path / PROBES).read_bytes() == first


def test_a_machine_that_was_not_looked_into_is_unread_in_a_replay(tmp_path: Path) -> None:
    told(SavingMachines(Known(), tmp_path))
    (looked,) = SavedMachines(tmp_path).look(["i-3"])
    assert (looked.document, looked.problem) == (None, "not among what was saved")


@pytest.mark.parametrize("rows", [{"instance_id": "i-1"}, 7, {"instance_id": "i-1", "document": "x"}])
def test_a_look_that_somebody_spoilt_is_unread_and_never_empty(tmp_path: Path, rows: Any) -> None:
    document = {"format": "nospof saved probes", "version": 1, "looks": [rows]}
    (tmp_path / PROBES).write_text(json.dumps(document))
    (looked,) = SavedMachines(tmp_path).look(["i-1"])
    assert looked.document is None
    assert looked.problem


@pytest.mark.parametrize("text", ["[]", '{"format": "x"}', '{"format": "nospof saved probes", "version": 2}'])
def test_a_file_that_is_none_of_ours_is_refused_by_name(tmp_path: Path, text: str) -> None:
    assert not has_probes(tmp_path)
    (tmp_path / PROBES).write_text(text)
    assert has_probes(tmp_path)
    with pytest.raises(UsageError, match=PROBES):
        SavedMachines(tmp_path)
