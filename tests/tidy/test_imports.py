"""Each import contract of pyproject.toml is proved by breaking it in a copy of the package."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = [
    contract["name"]
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
]
LAYERS, BLIND_EDGE, ALONE, UNAWARE, EDGE, ENGINE, FACE, CYCLES = (
    "faces over bootstrap over services, adapters and runtime, over procedures, ports and the pure core",
    "adapters and runtime know nothing of procedures and decisions",
    "the local cloud stands alone",
    "the core knows nothing of the local cloud",
    "libraries that reach the world stay at the edge",
    "only one module talks to the durable engine",
    "the faces reach the world through services and bootstrap only",
    "no cycles among siblings",
)
VIOLATIONS = [
    (LAYERS, "planning/clone.py", "import nospof.ports.cloud"),
    (LAYERS, "runtime/home.py", "import nospof.adapters.clock"),
    (BLIND_EDGE, "adapters/clock.py", "import nospof.procedures.waiting"),
    (BLIND_EDGE, "runtime/codec.py", "import nospof.planning.verdict"),
    (ALONE, "localcloud/errors.py", "import nospof.errors"),
    (UNAWARE, "procedures/waiting.py", "import nospof.localcloud.errors"),
    (EDGE, "planning/clone.py", "import boto3"),
    (EDGE, "services/procedures.py", "import sqlalchemy.orm"),
    (ENGINE, "runtime/journal.py", "import dbos"),
    (FACE, "cli/options.py", "import nospof.adapters.clock"),
    (FACE, "cli/runs.py", "import nospof.planning.verdict"),
    (FACE, "console/desk.py", "import nospof.procedures.registry"),
    (CYCLES, "cli/options.py", "import nospof.__main__"),
]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    source = ROOT / "src" / "nospof"
    for path in source.rglob("*.py"):
        target = tmp_path / "nospof" / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    shutil.copyfile(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    return tmp_path


def plant(copy: Path, module: str, line: str):
    with (copy / "nospof" / module).open("a") as file:
        file.write(f"\n{line}\n")


def lint(copy: Path) -> tuple[int, dict[str, str]]:
    """Return the linter's exit code and its word on each contract; lines it wrapped are joined again."""
    program = (
        "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "--no-logo", "--no-cache"],
        cwd=copy,
        capture_output=True,
        text=True,
        timeout=240,
    )
    said = " ".join(done.stdout.split())
    words = {name: re.search(re.escape(name) + r" (KEPT|BROKEN)", said) for name in NAMES}
    assert all(words.values()), done.stdout + done.stderr
    return done.returncode, {name: word[1] for name, word in words.items() if word}


def test_an_untouched_copy_keeps_every_contract(copy):
    assert lint(copy) == (0, dict.fromkeys(NAMES, "KEPT"))


@pytest.mark.parametrize(("contract", "module", "line"), VIOLATIONS, ids=lambda value: str(value)[:40])
def test_one_forbidden_import_breaks_its_contract_and_no_other(copy, contract, module, line):
    plant(copy, module, line)
    code, words = lint(copy)
    assert code == 1
    assert [name for name, word in words.items() if word == "BROKEN"] == [contract]


def test_every_contract_is_proved_by_a_violation():
    assert {contract for contract, _, _ in VIOLATIONS} == set(NAMES)
