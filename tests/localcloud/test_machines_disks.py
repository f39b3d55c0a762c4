"""What copies of disks keep, and of which moment they are."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nospof.localcloud.images import build_base, build_demo_site
from nospof.localcloud.machines import disks
from nospof.localcloud.machines.disks import TreeCopy, copy_tree
from nospof.localcloud.machines.hypervisor import Hypervisor
from support.machines import Bench
from support.waiting import eventually

# Two files that always change in the same order: whoever sees `second` ahead of `first` has seen two moments.
WRITER = """
n=0
while :; do
  n=$((n + 1))
  echo $n >first.new; mv first.new first
  echo $n >second.new; mv second.new second
done
"""


def test_a_copy_keeps_modes_times_links_and_holes(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep/er").mkdir(parents=True)
    (source / "deep/er/script").write_text("#!/bin/sh\n")
    (source / "deep/er/script").chmod(0o750)
    os.utime(source / "deep/er/script", (1_000_000_000, 1_000_000_000))
    (source / "link").symlink_to("deep/er/script")
    (source / "dangling").symlink_to("/nowhere")
    os.link(source / "deep/er/script", source / "hard")
    with (source / "sparse").open("wb") as file:
        file.write(b"begin")
        file.seek(50 << 20)
        file.write(b"end")
        file.truncate(60 << 20)
    (source / "deep").chmod(0o711)
    os.utime(source / "deep", (1_100_000_000, 1_100_000_000))
    target = tmp_path / "target"
    copy_tree(source, target)
    script = (target / "deep/er/script").stat()
    assert stat.S_IMODE(script.st_mode) == 0o750
    assert script.st_mtime == 1_000_000_000
    assert script.st_ino == (target / "hard").stat().st_ino
    assert os.readlink(target / "link") == "deep/er/script"
    assert os.readlink(target / "dangling") == "/nowhere"
    assert stat.S_IMODE((target / "deep").stat().st_mode) == 0o711
    assert (target / "deep").stat().st_mtime == 1_100_000_000
    assert (target / "sparse").read_bytes() == (source / "sparse").read_bytes()
    assert (target / "sparse").stat().st_blocks * 512 < 1 << 20
    assert sorted(os.listdir(target)) == sorted(os.listdir(source))


def test_a_refreshed_copy_equals_the_source_whatever_changed(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "old/directory").mkdir(parents=True)
    for name in ("same", "rewritten", "removed", "becomes-directory", "old/directory/file"):
        (source / name).write_text(name)
        os.utime(source / name, (1_000_000_000, 1_000_000_000))
    copy = TreeCopy(source, target)
    copy.refresh()
    (source / "rewritten").write_text("REWRITTEN")  # as long as before
    (source / "removed").unlink()
    (source / "becomes-directory").unlink()
    (source / "becomes-directory").mkdir()
    (source / "becomes-directory/inside").write_text("inside")
    shutil.rmtree(source / "old/directory")
    (source / "old/directory").write_text("a file now")
    (source / "new").symlink_to("same")
    copy.refresh()
    assert _contents(target) == _contents(source)


def test_a_refresh_does_not_trust_the_times_of_a_file_that_has_just_changed(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    copy = TreeCopy(source, target)
    (source / "file").write_text("now")
    copy.refresh()
    # As if the source had changed after it was read, within the same tick of the clock.
    (target / "file").write_text("what was read before")
    copy.refresh()
    assert (target / "file").read_text() == "now"


def test_a_copy_that_does_not_fit_leaves_nothing(
    tmp_path: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_demo_site(tmp_path / "image")
    bench.machine("i-1", tmp_path / "image")

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "copy_file_range", full)
    monkeypatch.setattr(disks, "_clone", lambda *_: False)
    with pytest.raises(OSError, match="No space left"):
        bench.machine("i-2", tmp_path / "image")
    assert [p.name for p in bench.root.iterdir()] == ["i-1"]
    with pytest.raises(OSError, match="No space left"):
        bench.hypervisor.snapshot("i-1", tmp_path / "snapshot")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["image", "machines"]


def test_creating_again_changes_nothing(bench: Bench, tmp_path: Path) -> None:
    build_base(tmp_path / "image")
    disk = bench.machine("i-1", tmp_path / "image")
    (disk / "mine").write_text("kept")
    bench.hypervisor.create("i-1", "127.99.99.99", None, {})
    assert (disk / "mine").read_text() == "kept"
    assert bench.hypervisor.address("i-1") != "127.99.99.99"


def test_a_creation_that_was_killed_is_begun_anew(bench: Bench, tmp_path: Path) -> None:
    build_base(tmp_path / "image")
    left = bench.root / ".i-1.partial/disk/etc"
    left.mkdir(parents=True)
    (left / "half").write_text("a half")
    assert bench.hypervisor.machines() == []
    disk = bench.machine("i-1", tmp_path / "image")
    assert _contents(disk) == _contents(tmp_path / "image")


def test_a_deletion_that_was_killed_is_ended_by_the_next_hypervisor(bench: Bench) -> None:
    bench.machine()
    (bench.root / "i-1").rename(bench.root / ".i-1.destroyed")
    Hypervisor(bench.root)
    assert list(bench.root.iterdir()) == []


def test_a_disk_is_a_copy_with_nothing_reset_and_the_image_stays_as_it_was(
    bench: Bench, tmp_path: Path
) -> None:
    build_demo_site(tmp_path / "image")
    before = _contents(tmp_path / "image")
    disk = bench.machine("i-1", tmp_path / "image")
    assert _contents(disk) == before
    (disk / "etc/machine-id").write_text("another\n")
    assert _contents(tmp_path / "image") == before


def test_a_snapshot_of_a_machine_that_is_off_is_its_disk(bench: Bench, tmp_path: Path) -> None:
    build_demo_site(tmp_path / "image")
    disk = bench.machine("i-1", tmp_path / "image")
    told: list[tuple[int, int]] = []
    bench.hypervisor.snapshot("i-1", tmp_path / "snapshot", lambda done, total: told.append((done, total)))
    assert _contents(tmp_path / "snapshot") == _contents(disk)
    assert told[-1][0] == told[-1][1] > 0
    assert told == sorted(told)


def test_a_snapshot_that_exists_stays_as_it_is(bench: Bench, tmp_path: Path) -> None:
    disk = bench.machine()
    (disk / "file").write_text("first")
    bench.hypervisor.snapshot("i-1", tmp_path / "snapshot")
    (disk / "file").write_text("second")
    bench.hypervisor.snapshot("i-1", tmp_path / "snapshot")
    assert (tmp_path / "snapshot/file").read_text() == "first"


def test_a_live_snapshot_is_of_one_moment(bench: Bench, tmp_path: Path) -> None:
    disk = bench.machine(writer=WRITER)
    for number in range(200):  # so that copying takes long enough to be overtaken
        (disk / f"between-{number}").write_bytes(os.urandom(20_000))
    bench.boot()
    eventually(lambda: (disk / "second").exists(), "the writer writes")
    for number in range(5):
        image = tmp_path / f"snapshot-{number}"
        bench.hypervisor.snapshot("i-1", image)
        first, second = ((image / name).read_text() for name in ("first", "second"))
        assert int(second) in (int(first), int(first) - 1)
        assert bench.hypervisor.state("i-1") == "on"
    assert bench.hypervisor.boot_count("i-1") == 1
    newest = int((disk / "second").read_text())
    eventually(lambda: int((disk / "second").read_text()) > newest, "the writer goes on")


def test_a_machine_being_copied_counts_as_on(bench: Bench, tmp_path: Path) -> None:
    disk = bench.machine(writer=WRITER)
    (disk / "big").write_bytes(os.urandom(1 << 20))
    bench.boot()
    seen: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            seen.add(bench.hypervisor.state("i-1"))

    looking = threading.Thread(target=look)
    looking.start()
    for number in range(5):
        bench.hypervisor.snapshot("i-1", tmp_path / f"snapshot-{number}")
    over.set()
    looking.join()
    assert seen == {"on"}


def test_a_frozen_machine_is_still_frozen_after_its_snapshot(bench: Bench, tmp_path: Path) -> None:
    bench.machine()
    bench.boot()
    bench.hypervisor.freeze("i-1")
    bench.hypervisor.snapshot("i-1", tmp_path / "snapshot")
    assert bench.hypervisor.state("i-1") == "frozen"


def test_a_pause_whose_owner_was_killed_is_ended_by_the_next_hypervisor(bench: Bench, tmp_path: Path) -> None:
    bench.machine()
    bench.boot()
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from nospof.localcloud.machines.hypervisor import Hypervisor\n"
        "hypervisor = Hypervisor(Path(sys.argv[1]))\n"
        "with hypervisor._paused('i-1'): os.kill(os.getpid(), signal.SIGKILL)"
    )
    died = subprocess.run([sys.executable, "-c", program, str(bench.root)], check=False)
    assert died.returncode == -signal.SIGKILL
    other = Hypervisor(bench.root)
    eventually(bench.answers, "the machine goes on")
    assert other.state("i-1") == "on"


def _contents(tree: Path) -> dict[str, tuple[int, str | bytes]]:
    found: dict[str, tuple[int, str | bytes]] = {}
    for path in sorted(tree.rglob("*")):
        mode = path.lstat().st_mode
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(tree))] = (mode, content)
    return found
