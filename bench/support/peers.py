"""What figures are compared with, installed beside them (bench/.peers) the first time it is asked for."""

from __future__ import annotations

import importlib
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

HOME = Path(__file__).parent.parent / ".peers"


def program(name: str, *packages: str) -> Path | None:
    """Return a program of some packages in an environment of its own; None where it cannot be installed."""
    home = HOME / name
    found = home / "bin" / name
    if found.exists():
        return found
    venv.create(home, with_pip=True, clear=True)
    return found if installed(packages, [str(home / "bin" / "python")]) else None


def library(name: str, package: str) -> ModuleType | None:
    """Return a library, imported; None where it cannot be installed."""
    home = HOME / "libraries"
    if str(home) not in sys.path:
        sys.path.append(str(home))
    try:
        return importlib.import_module(name)
    except ImportError:
        pass
    if not installed([package], [sys.executable], "--target", str(home)):
        return None
    importlib.invalidate_caches()
    return importlib.import_module(name)


def installed(packages: Sequence[str], python: list[str], *options: str) -> bool:
    """Install packages; say so, and say where they cannot be."""
    names = " and ".join(packages)
    print(f"installing {names} to compare with ...", file=sys.stderr)
    command = [*python, "-m", "pip", "install", "-q", *options, *packages]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{names} cannot be installed here: left out", file=sys.stderr)
    return not done.returncode
