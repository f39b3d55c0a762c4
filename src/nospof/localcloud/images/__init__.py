"""Seed images: directories that become the disks of machines.

An image is complete or not there, and what is on it is never changed afterwards.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

_SITE = Path(__file__).with_name("site")
_DIRECTORIES = (
    "bin",
    "etc/services",
    "home",
    "srv",
    "tmp",
    "var/lib/cloud",
    "var/log",
)
_WEB_SERVICE = """\
#!/bin/sh
# The web server of this instance; it serves srv/www on the port in etc/web.port.
exec "$NOSPOF_PYTHON" -I -S opt/web/server.py
"""


def build_base(destination: Path) -> None:
    """Make an image with nothing but the places every machine has.

    An image that is already there stays as it is. Raises OSError; then nothing is left of it.
    """
    _build(destination, lambda disk: _write_base(disk, "seed"))


def build_demo_site(destination: Path) -> None:
    """Make an image of the demonstration site: a few pages, and the web server that serves them.

    An image that is already there stays as it is. Raises OSError; then nothing is left of it.
    """

    def write(disk: Path) -> None:
        _write_base(disk, "drupal-1")
        shutil.copytree(_SITE / "www", disk / "srv/www")
        (disk / "opt/web").mkdir(parents=True)
        shutil.copyfile(_SITE / "server.py", disk / "opt/web/server.py")
        (disk / "etc/web.port").write_text("8080\n", encoding="utf-8")
        service = disk / "etc/services/web"
        service.write_text(_WEB_SERVICE, encoding="utf-8")
        service.chmod(0o755)

    _build(destination, write)


def _build(destination: Path, write: Callable[[Path], None]) -> None:
    if destination.exists():
        return
    partial = destination.with_name(f".{destination.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        write(partial)
        partial.rename(destination)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _write_base(disk: Path, hostname: str) -> None:
    for directory in _DIRECTORIES:
        (disk / directory).mkdir(parents=True, exist_ok=True)
    (disk / "etc/hostname").write_text(f"{hostname}\n", encoding="utf-8")
    # Every copy has it too, as copies of real disks do, until somebody gives them one of their own.
    (disk / "etc/machine-id").write_text(f"{uuid.uuid4().hex}\n", encoding="utf-8")
