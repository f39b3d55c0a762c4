"""The data program as it is sent: one text that runs alone, and does what changes a machine to its end."""

from __future__ import annotations

import ast
import base64
import json
import os
import subprocess
import zlib
from pathlib import Path
from typing import Any

import pytest

from nospof.adapters.machine import databases, ssm
from nospof.adapters.machine.answers import applied_of, read
from nospof.adapters.machine.data_script import folded, packed
from nospof.adapters.machine.databases import SCHEMA, checked_of, examined_of, state_of
from nospof.model.layout import Applied, Examined, Layout, MemberState, Seat, TableSum, as_said
from nospof.model.machine import Looked

HERE = Path(ssm.__file__).parent


def run(machine: Path, act: str, /, **asked: Any) -> dict[str, Any]:
    """Run the program as a machine runs it that is a directory."""
    argument = base64.b64encode(json.dumps(asked).encode()).decode()
    done = subprocess.run(
        ["/bin/sh", "-c", ssm.script(ssm.DATA_PARTS, SCHEMA, act, argument)],
        env={
            "PATH": os.environ["PATH"],
            "NOSPOF_DISK": str(machine),
            "NOSPOF_MACHINE": str(machine),
            "NOSPOF_ADDRESS": "127.0.0.1",
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    document, problem = ssm.answer_of(done.stdout, SCHEMA)
    assert document is not None, problem
    return document


def test_it_is_of_python_3_6() -> None:
    for name in ssm.DATA_PARTS:
        text = (HERE / f"{name}.py").read_text()
        ast.parse(text, feature_version=(3, 6))
        assert "from __future__" not in text  # not in 3.6


def test_no_part_takes_a_name_of_another_one() -> None:
    # They become one text: of two things of one name the later would be both.
    known: dict[str, str] = {}
    for part in ssm.DATA_PARTS:
        for node in ast.parse((HERE / f"{part}.py").read_text()).body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            names = [one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)]
            names += [node.name] if isinstance(node, ast.FunctionDef | ast.ClassDef) else []
            for name in names:
                assert known.setdefault(name, part) == part, name


def test_it_is_small_enough_to_be_sent() -> None:
    # A parameter of a command is one argument of a shell: the kernel takes 128 KiB.
    assert len(ssm.script(ssm.DATA_PARTS, SCHEMA, "examine", "e30=")) < 100_000


def test_a_machine_without_a_database_says_so(tmp_path: Path) -> None:
    assert examined_of(run(tmp_path, "examine")) == Examined()
    assert run(tmp_path, "state")["problem"] == "no database"


def test_an_act_that_cannot_be_done_answers_why(tmp_path: Path) -> None:
    said = applied_of(run(tmp_path, "handover"))
    assert said == Applied(problem="no layout was applied to this machine")
    layout = {**as_said(Layout("galera", "c", (Seat("i-1", "127.0.0.1"),))), "engine": "none"}
    assert applied_of(run(tmp_path, "apply", layout=layout)).problem == "this program does not know 'none'"


def test_a_layout_that_cannot_be_read_is_no_plain_server(tmp_path: Path) -> None:
    (tmp_path / "etc/nospof").mkdir(parents=True)
    (tmp_path / "etc/nospof/layout.json").write_text("{")
    assert "cannot be read" in run(tmp_path, "state")["problem"]


def test_more_tables_than_an_answer_holds_are_told_by_database() -> None:
    tables = [
        {"name": f"shop.t{one}", "rows": 2, "sum": f"{zlib.crc32(str(one).encode()):x}"}
        for one in range(9000)
    ]
    document, _ = ssm.answer_of(packed({"tables": tables, "position": "p"}), SCHEMA)
    assert document is not None
    (row,) = checked_of(document).tables
    assert (row.name, row.rows) == ("shop.*", 18000)
    assert folded([*tables[:5], {**tables[5], "sum": "0"}]) != folded(tables[:6])
    assert TableSum("shop.*", 18000, row.sum) == row


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"role": "king"}, "role is 'king'"),
        ({"role": "primary", "ready": 1}, "ready is neither true nor false"),
        ({"votes": "3"}, "votes is no whole number"),
        ({"votes": True}, "votes is no whole number"),
        ({"says": ["x"]}, "says is no text"),
    ],
)
def test_an_answer_of_another_shape_is_a_problem(answer: dict[str, Any], says: str) -> None:
    found = read(Looked("i-1", answer), state_of, MemberState, "data")
    assert found == MemberState(problem=f"the machine's answer is not the data program's: {says}")


def test_a_layout_of_another_shape_is_a_problem() -> None:
    assert (
        "no layout"
        in read(Looked("i-1", {"layout": {"engine": "x"}}), databases.examined_of, Examined, "data").problem
    )
    assert read(Looked("i-1", {"did": "all"}), applied_of, Applied, "data").problem
    silent = Looked("i-1", operation="ssm:SendCommand", problem="timed out")
    assert read(silent, applied_of, Applied, "data") == Applied(
        (), "ssm:SendCommand: timed out", is_reached=False
    )
    denied = Looked("i-1", operation="ssm:SendCommand", problem="access denied")
    assert read(denied, applied_of, Applied, "data").is_reached


def test_no_part_says_a_name_that_another_part_says_too() -> None:
    seen: dict[str, str] = {}
    for name in ssm.DATA_PARTS:
        for node in ast.parse(ssm.part_of(name)).body:
            names = [node.name] if isinstance(node, ast.FunctionDef | ast.ClassDef) else []
            if isinstance(node, ast.Assign):
                names = [
                    one.id for target in node.targets for one in ast.walk(target) if isinstance(one, ast.Name)
                ]
            for one in names:
                assert one not in seen, f"{one} is in {seen[one]} and {name}"
                seen[one] = name


def test_what_is_sent_is_small_and_the_same_program() -> None:
    sent = ssm.script(ssm.DATA_PARTS, SCHEMA, "apply", "x")
    assert len(sent) < 64 << 10  # what a document of Systems Manager may have
    told = 'def f():\n    """Says."""\n\n\nclass A:\n    """Says."""\n    x = 1  # why\n'
    assert "Says" not in ssm.compact(told)
    exec(ssm.compact('"""Says."""\ndef f():\n    """Says."""\n    return 7\nassert f() == 7'))  # noqa: S102 - ours
