"""The mounts program's parts: its copies, what it knows of mounts, and who may not be moved away from."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from nospof.adapters.machine.answers import Unfit, texts
from nospof.adapters.machine.hold_databases import Refused
from nospof.adapters.machine.mounts import copied_of, found_of, state_of
from nospof.adapters.machine.mounts_copy import MARK, TreeCopy
from nospof.adapters.machine.mounts_guard import unit_of
from nospof.adapters.machine.mounts_host import MountsHost, lies_in, set_immutable, unescaped
from nospof.adapters.machine.mounts_look import look
from nospof.adapters.machine.mounts_move import take_the_place_of
from nospof.adapters.machine.ssm import MOUNTS_PARTS, script
from nospof.model.mounting import Mount

SAID = {"system": "fs-1", "server": "fs-1.efs", "path": "/", "directory": "/srv/files"}


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path]:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "in/side").mkdir(parents=True)
    target.mkdir()
    (source / "a.txt").write_text("a")
    (source / "in/b.txt").write_text("b")
    (source / "in/b.txt").chmod(0o600)
    os.utime(source / "in/b.txt", (1_000_000_000, 1_000_000_000))
    (source / "link").symlink_to("in/b.txt")
    os.link(source / "a.txt", source / "same.txt")
    return source, target


def copy_of(trees: tuple[Path, Path]) -> TreeCopy:
    source, target = trees
    return TreeCopy(str(source), str(target), str(source.parent / "ledgers/one"))


def names_below(root: Path) -> set[str]:
    return {str(one.relative_to(root)) for one in root.rglob("*")}


def test_a_copy_has_everything_as_it_is(trees: tuple[Path, Path]) -> None:
    source, target = trees
    made = copy_of(trees)
    assert made.run()
    assert made.different() == []
    assert names_below(source) == names_below(target)
    assert (target / "in/b.txt").stat().st_mode & 0o777 == 0o600
    assert (target / "in/b.txt").stat().st_mtime == 1_000_000_000
    assert os.readlink(target / "link") == "in/b.txt"
    assert (target / "a.txt").samefile(target / "same.txt")
    assert (made.files, made.bytes) == (4, 2 + 1 + len("in/b.txt"))


def test_the_next_pass_reads_only_what_has_changed(trees: tuple[Path, Path]) -> None:
    source, target = trees
    for one in ("a.txt", "in/b.txt"):  # long ago: what has just changed may change again unseen
        os.utime(source / one, (1_000_000_000, 1_000_000_000))
    time.sleep(0.15)
    copy_of(trees).run()
    made = copy_of(trees)
    made.run()
    assert made.copied == 1  # a file of two names is always looked at
    (source / "in/b.txt").write_text("c")
    (source / "same.txt").unlink()
    (source / "link").unlink()
    (source / "link").mkdir()
    made = copy_of(trees)
    made.run()
    assert made.copied == 2  # b has changed, and a has one name less
    assert made.different() == []
    assert (target / "in/b.txt").read_text() == "c"
    assert not (target / "same.txt").exists()
    assert (target / "link").is_dir()


def test_a_file_changed_in_the_same_tick_is_read_again(trees: tuple[Path, Path]) -> None:
    source, target = trees
    made = copy_of(trees)
    made.run()
    found = (source / "a.txt").stat()
    (source / "a.txt").write_text("z")
    os.utime(source / "a.txt", ns=(found.st_atime_ns, found.st_mtime_ns))
    made.run()
    assert (target / "a.txt").read_text() == "z"


def test_a_copy_that_runs_out_of_time_goes_on_later(trees: tuple[Path, Path]) -> None:
    made = copy_of(trees)
    assert not made.run(ends=time.monotonic() - 1)
    assert made.run()
    assert made.different() == []


def test_what_differs_is_named_and_the_mark_is_no_difference(trees: tuple[Path, Path]) -> None:
    _, target = trees
    made = copy_of(trees)
    made.run()
    (target / MARK).write_text("i-1 /srv/files\n")
    assert made.different() == []
    (target / "in/b.txt").chmod(0o644)
    (target / "more.txt").write_text("")
    assert len(made.different()) == 2


def test_what_is_no_file_is_never_taken_for_one(trees: tuple[Path, Path]) -> None:
    os.mkfifo(trees[0] / "pipe")
    with pytest.raises(Refused, match="neither a file nor a link"):
        copy_of(trees).run()


def test_what_was_written_meanwhile_comes_with_what_takes_its_place(tmp_path: Path) -> None:
    (tmp_path / "at").mkdir()
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/old").write_text("old")
    (tmp_path / "at/new").write_text("new")
    take_the_place_of(str(tmp_path / "at"), str(tmp_path / "kept"))
    assert names_below(tmp_path / "at") == {"old", "new"}
    assert not (tmp_path / "kept").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root closes a directory")
def test_in_a_closed_directory_not_even_root_makes_anything(tmp_path: Path) -> None:
    if not set_immutable(str(tmp_path), is_on=True):
        pytest.skip("this file system has no such flag")
    try:
        with pytest.raises(PermissionError):
            (tmp_path / "hidden").write_text("")
    finally:
        set_immutable(str(tmp_path), is_on=False)
    (tmp_path / "hidden").write_text("")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes mounts")
def test_who_has_a_directory_in_mounts_of_his_own_is_named(tmp_path: Path) -> None:
    apart = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sleep", "60"])
    try:
        ends = time.monotonic() + 20
        while Path(f"/proc/{apart.pid}/comm").read_text() != "sleep\n" and time.monotonic() < ends:
            time.sleep(0.02)
        assert f"sleep ({apart.pid})" in MountsHost("").strangers(str(tmp_path))
    finally:
        apart.kill()
        apart.wait()


def test_mounts_are_read_as_the_kernel_writes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOSPOF_DISK", str(tmp_path))
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/mounts").write_text(
        "/dev/root / ext4 rw 0 0\n"
        "fs-1.efs:/ /srv/files nfs4 rw 0 0\n"
        "fs-1.efs:/a /srv/my\\040files nfs4 rw 0 0\n"
    )
    m = MountsHost("")
    assert m.mounted_at("/srv/files") == "fs-1.efs:/"
    assert m.mounted_at("/srv/my files") == "fs-1.efs:/a"
    assert m.mounted_at("/") == ""
    assert not m.is_mounted(SAID)  # a line is no mount: the kernel knows of none there
    assert unescaped("a\\040b") == "a b"
    assert lies_in("/srv/files/a", "/srv/files")
    assert not lies_in("/srv/files2", "/srv/files")


def test_where_selinux_keeps_servers_from_nfs_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOSPOF_DISK", str(tmp_path))
    (tmp_path / "sys/fs/selinux").mkdir(parents=True)
    (tmp_path / "sys/fs/selinux/enforce").write_text("1")
    obstacles = look(MountsHost(""), {"mounts": [], "port": 1})["obstacles"]
    assert "setsebool -P httpd_use_nfs on" in " ".join(one["says"] for one in obstacles)


def test_a_process_of_no_unit_has_none() -> None:
    assert not unit_of(MountsHost(""), os.getpid()).endswith(".scope")


def test_the_program_is_small_enough_to_be_sent() -> None:
    assert len(script(MOUNTS_PARTS, "nospof.mounts/1", "look", "e30=")) < 48_000


def test_answers_are_read_strictly() -> None:
    found = found_of({"directories": [{"directory": "/a", "files": 1, "bytes": 2, "is_whole": True}]})
    assert (found.directories[0].files, found.units) == (1, ())
    assert state_of({"mounts": [SAID], "ready": True}).mounts == (Mount(**SAID),)
    assert copied_of({"files": 3, "bytes": 4, "is_whole": True}).is_whole
    for wrong in ({"units": "web"}, {"units": [1]}):
        with pytest.raises(Unfit):
            texts(wrong, "units")
    with pytest.raises(ValueError, match="no mount"):
        state_of({"mounts": [{"system": "fs-1"}]})
