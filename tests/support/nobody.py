"""Run a program as a user without rights, to show that root is not needed; who has none is one already."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path

import pytest

NAME = "nobody"
IS_ROOT = os.geteuid() == 0


def uid() -> int:
    return pwd.getpwnam(NAME).pw_uid


@contextmanager
def home_of_nobody() -> Iterator[Path]:
    """A directory that is theirs; pytest's own are for root alone."""
    home = Path(tempfile.mkdtemp(prefix="nospof-nobody-", dir="/tmp"))
    if IS_ROOT:
        os.chown(home, uid(), -1)
    try:
        yield home
    finally:
        shutil.rmtree(home)


def as_nobody(
    python: str, *arguments: str, home: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run Python as nobody, with the packages that we have."""
    # By way of env: what setpriv itself executes is still looked up with root's rights.
    become = ["setpriv", f"--reuid={uid()}", f"--regid={pwd.getpwnam(NAME).pw_gid}", "--clear-groups", "env"]
    packages = os.pathsep.join(entry for entry in sys.path if entry)
    return subprocess.run(
        [*(become if IS_ROOT else ()), python, "-B", *arguments],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
        cwd=home,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": packages, **environment},
    )


def environment_of_nobody(home: Path) -> str:
    """Return the Python of an environment in their home, as pip makes one, with our packages in it."""
    at = home / "environment"
    made = as_nobody(python_of_nobody(home), "-m", "venv", "--without-pip", str(at), home=home)
    assert made.returncode == 0, made.stderr
    (packages,) = at.glob("lib/python*/site-packages")
    (packages / "ours.pth").write_text("\n".join(entry for entry in sys.path if entry) + "\n")
    for one in entry_points(group="console_scripts"):
        script = at / "bin" / one.name
        script.write_text(
            # Guarded, as pip's are: what a program spawns by multiprocessing reads its script again.
            f"#!{at}/bin/python\nimport sys\nfrom {one.module} import {one.attr}\n"
            f'if __name__ == "__main__":\n    sys.exit({one.attr}())\n'
        )
        script.chmod(0o755)
    return f"{at}/bin/python"


def python_of_nobody(home: Path) -> str:
    """Return a Python that nobody can run with our packages; without one, skip here and fail in CI."""
    for python in (sys.executable, shutil.which("python3", path="/usr/bin") or ""):
        imports = "import nospof.localcloud, boto3, moto, dbos"
        if python and as_nobody(python, "-c", imports, home=home).returncode == 0:
            return python
    message = "no Python here can be run by another user with these packages"
    pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    raise AssertionError(message)
