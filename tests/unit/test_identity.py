"""The script that a twin runs first, run by a shell on directories that look like disks."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from nospof.model.cloud import Instance
from nospof.planning.identity import host_name, identity_script
from support.memory_world import one_instance

OLD_ID = "0123456789abcdef0123456789abcdef"


def source(name: str = "Drupal site (prod)", private_ip: str = "10.0.0.7") -> Instance:
    return replace(one_instance().the_instance, tags={"Name": name}, private_ip=private_ip)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Return a disk as its source left it."""
    for directory in ("etc/ssh", "var/lib/dbus", "bin", "run"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "etc/machine-id").write_text(f"{OLD_ID}\n")
    (tmp_path / "etc/hostname").write_text("www1\n")
    (tmp_path / "etc/hosts").write_text("127.0.0.1 localhost\n127.0.1.1 www1\n")
    # Stands for ssh-keygen, and makes what it makes: a key below the prefix.
    keygen = tmp_path / "bin/ssh-keygen"
    keygen.write_text(
        "#!/bin/sh\nfor last; do :; done\n"
        'for end in "" .pub; do echo new >"$last/etc/ssh/ssh_host_ed25519_key$end"; done\n'
    )
    keygen.chmod(0o755)
    return tmp_path


def boot(disk: Path, run: str = "run-1", of: Instance | None = None) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", identity_script(of or source(), run)],
        cwd=disk,
        env={"PATH": f"{disk / 'bin'}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def text(disk: Path, name: str) -> str:
    return (disk / name).read_text().strip()


def test_c49_the_machine_id_is_a_new_one_and_never_empty(disk: Path) -> None:
    boot(disk)
    assert re.fullmatch(r"[0-9a-f]{32}", text(disk, "etc/machine-id"))
    assert text(disk, "etc/machine-id") != OLD_ID


def test_c49_d_bus_has_the_same_one_where_it_keeps_its_own_and_a_link_stays_a_link(disk: Path) -> None:
    copy = disk / "var/lib/dbus/machine-id"
    copy.write_text(OLD_ID)
    boot(disk)
    assert copy.read_text() == (disk / "etc/machine-id").read_text()
    copy.unlink()
    copy.symlink_to("../../../etc/machine-id")
    boot(disk, "run-2")
    assert copy.is_symlink()


def test_c49_two_twins_have_two_and_a_second_boot_changes_nothing(disk: Path) -> None:
    boot(disk)
    first = {path: path.read_bytes() for path in disk.rglob("*") if path.is_file()}
    boot(disk)
    assert {path: path.read_bytes() for path in disk.rglob("*") if path.is_file()} == first
    boot(disk, "run-2")
    assert text(disk, "etc/machine-id") != first[disk / "etc/machine-id"].decode().strip()


def test_c48_host_keys_are_new_where_there_is_no_cloud_init(disk: Path) -> None:
    for kind in ("rsa", "ed25519"):
        (disk / f"etc/ssh/ssh_host_{kind}_key").write_text("old")
        (disk / f"etc/ssh/ssh_host_{kind}_key.pub").write_text("old")
    (disk / "etc/ssh/sshd_config").write_text("kept")
    boot(disk)
    assert sorted(path.name for path in (disk / "etc/ssh").iterdir()) == [
        "ssh_host_ed25519_key",
        "ssh_host_ed25519_key.pub",
        "sshd_config",
    ]
    assert text(disk, "etc/ssh/ssh_host_ed25519_key") == "new"


def test_c48_host_keys_stay_where_cloud_init_makes_them_and_where_none_can_be_made(disk: Path) -> None:
    key = disk / "etc/ssh/ssh_host_ed25519_key"
    key.write_text("old")
    (disk / "bin/ssh-keygen").write_text("#!/bin/sh\nexit 1\n")
    boot(disk)
    assert key.read_text() == "old"
    assert sorted(path.name for path in (disk / "etc/ssh").iterdir()) == [key.name]
    (disk / "usr/bin").mkdir(parents=True)
    (disk / "usr/bin/cloud-init").touch()
    (disk / "bin/ssh-keygen").write_text("#!/bin/sh\nkill -9 $PPID\n")
    boot(disk, "run-2")
    assert key.read_text() == "old"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("www1", "drupal-site-prod-twin"),
        ("www1.example.org", "drupal-site-prod-twin"),
        ("ip-10-0-0-7", "drupal-site-prod-twin"),
        ("ip-10-0-0-7.eu-central-1.compute.internal", "drupal-site-prod-twin"),
        ("ip-10-0-9-9", "ip-10-0-9-9"),
        ("ip-10-0-0-77", "ip-10-0-0-77"),
        ("i-0abc.eu-central-1.compute.internal", "i-0abc.eu-central-1.compute.internal"),
        ("drupal-site-prod-twin", "drupal-site-prod-twin"),
        ("", ""),
    ],
)
def test_c50_a_name_that_is_the_sources_is_replaced_and_one_that_ec2_gave_stays(
    disk: Path, before: str, after: str
) -> None:
    (disk / "etc/hostname").write_text(f"{before}\n")
    boot(disk)
    assert text(disk, "etc/hostname") == after


def test_c50_the_new_name_is_found_where_the_old_one_was(disk: Path) -> None:
    boot(disk)
    assert text(disk, "etc/hosts").splitlines() == [
        "127.0.0.1 localhost",
        "127.0.1.1 www1",
        "127.0.1.1 drupal-site-prod-twin",
    ]
    (disk / "etc/hosts").write_text("127.0.0.1 localhost\n")
    (disk / "etc/hostname").write_text("www1\n")
    boot(disk, "run-2")
    assert text(disk, "etc/hosts") == "127.0.0.1 localhost"


def test_where_no_disk_begins_nothing_is_changed(tmp_path: Path) -> None:
    boot_in = tmp_path / "home"
    boot_in.mkdir()
    boot(boot_in)
    assert list(boot_in.iterdir()) == []


@pytest.mark.parametrize("name", ["", "---", "a" * 300, '$(reboot) `x` "; rm -rf /', "Ünïcode"])
def test_nothing_of_the_sources_name_is_run(name: str, disk: Path) -> None:
    named = host_name(source(name))
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", named)
    boot(disk, of=source(name))
    assert text(disk, "etc/hostname") == named


def test_no_path_of_the_script_is_absolute_but_what_it_only_reads() -> None:
    words = re.findall(r"(?<![\w.$\"}*/-])/[\w./-]+", identity_script(source(), "run-1"))
    assert set(words) <= {"/bin/sh", "/dev/null", "/proc/sys/kernel/random/uuid"}
