"""Asking for help or for the list of runs costs no heavy import."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

HEAVY = {
    "aiohttp",
    "boto3",
    "botocore",
    "dbos",
    "fastapi",
    "flask",
    "moto",
    "pydantic",
    "rich",
    "sqlalchemy",
    "uvicorn",
    "uvloop",
    "yaml",
}
LEAN = [
    ("--help",),
    ("--version",),
    ("runs", "--help"),
    ("runs", "list"),
    ("runs", "list", "--format", "json"),
    ("audit", "--help"),
    ("clone", "--help"),
]


def imported_by(arguments: tuple[str, ...], home: str) -> set[str]:
    """Return the top-level packages that a command imports."""
    return {name.partition(".")[0] for name in modules_of(arguments, home)}


def modules_of(arguments: tuple[str, ...], home: str) -> set[str]:
    """Return the modules that a command imports, as the interpreter itself reports them."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "COV_"))}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "nospof", *arguments],
        env=environment | {"NOSPOF_HOME": home},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return set(re.findall(r"^import time:.*\|\s+(\w\S*)$", done.stderr, re.MULTILINE))


@pytest.mark.parametrize("arguments", LEAN, ids=" ".join)
def test_a_question_imports_nothing_heavy(arguments, tmp_path):
    imported = imported_by(arguments, str(tmp_path))
    assert "click" in imported
    assert not imported & HEAVY


@pytest.mark.parametrize("arguments", [("--help",), ("--version",)], ids=" ".join)
def test_what_says_nothing_of_an_audit_imports_no_word_of_one(arguments, tmp_path):
    imported = modules_of(arguments, str(tmp_path))
    assert "nospof.cli.main" in imported
    assert not {one for one in imported if one.startswith(("nospof.audit", "nospof.model.rules"))}


def test_a_heavy_import_would_be_seen(tmp_path):
    template = tmp_path / "network.json"
    template.write_text('{"Resources": {"Network": {"Type": "AWS::EC2::VPC"}}}')
    imported = imported_by(("audit", str(template), "--allow-incomplete"), str(tmp_path))
    assert imported & HEAVY == {"yaml"}
