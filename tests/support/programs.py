"""Programs of others that drive a cloud as their users do: found on the PATH, else installed beside us."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

PEERS = Path(__file__).parents[2] / "bench/support/peers.py"


def program(name: str, *packages: str) -> str:
    """Return where a program is; skip the test where it is not and cannot be installed."""
    found = shutil.which(name)
    if found:
        return found
    spec = importlib.util.spec_from_file_location("peers", PEERS)
    assert spec
    assert spec.loader
    peers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(peers)
    installed = peers.program(name, *packages)
    if installed is None:
        pytest.skip(f"{name} is not here, and {' and '.join(packages)} cannot be installed")
    return str(installed)


class Aws:
    """The `aws` program, at an endpoint."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._program = program("aws", "awscli")
        self._environment = {
            **os.environ,
            **environment,
            "AWS_PAGER": "",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def __call__(self, command: str, *more: str) -> Any:
        """Run a command, written as a person does; return its JSON, nothing for a command without one."""
        done = subprocess.run(
            [self._program, *command.split(), *more, "--output", "json"],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"aws {command}: {done.stdout}{done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None
