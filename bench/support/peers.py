"""What figures are compared with, installed beside them (bench/.peers) the first time it is asked for."""

from __future__ import annotations

import importlib
import subprocess
import sys
import venv
from pathlib import Path
from types import ModuleType

HOME = Path(__file__).parent.parent / ".peers"


def program(name: str, package: str) -> Path | None:
    """Return a program of a package in an environment of its own; None where it cannot be installed."""
    home = HOME / name
    found = home / "bin" / name
    if found.exists():
        return found
    venv.create(home, with_pip=True, clear=True)
    return found if installed(package, [str(home / "bin" / "python")]) else None


def library(name: str, package: str) -> ModuleType | None:
    """Return a library, imported; None where it cannot be installed."""
    home = HOME / "libraries"
    if str(home) not in sys.path:
        sys.path.append(str(home))
    try:
        return importlib.import_module(name)
    except ImportError:
        pass
    if not installed(package, [sys.executable], "--target", str(home)):
        return None
    importlib.invalidate_caches()
    return importlib.import_module(name)


def installed(package: str, python: list[str], *options: str) -> bool:
    """Install a package; say so, and say where it cannot be."""
    print(f"installing {package} to compare with ...", file=sys.stderr)
    command = [*python, "-m", "pip", "install", "-q", *options, package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{package} cannot be installed here and is left out", file=sys.stderr)
    return not done.returncode
