"""Uploads that move to a file system of EFS while they are written to: nothing is lost, there and back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.moving import FILES, MOUNT, ZONE, Moving, Uploader
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud


@pytest.fixture
def moving(tmp_path: Path) -> Iterator[Moving]:
    found = Moving(tmp_path)
    try:
        eventually(lambda: found.serves("i-a"), "the source serves")
        yield found
    finally:
        found.close()


def test_a_machine_that_comes_up_without_its_files_does_not_serve_until_it_has_them(moving: Moving) -> None:
    moving.did("i-a", "copy", mounts=[MOUNT], whose="i-a")
    assert not moving.attach()["problem"]
    moving.turn_off("i-a")
    moving.reach()
    moving.boot("i-a")
    waits = f"{FILES} is not mounted; web.service waits for it"
    eventually(lambda: moving.did("i-a", "state")["says"] == waits, "it was not let", every_seconds=0.3)
    assert not moving.did("i-a", "state")["ready"]
    assert not moving.serves("i-a")
    assert moving.on_disk("i-a").stat().st_mode & 0o777 == 0o555
    moving.reach(ZONE)
    eventually(lambda: moving.serves("i-a"), "it serves once it has its files")
    assert moving.did("i-a", "state")["ready"]


def test_nothing_is_lost_there_and_back_whenever_the_program_is_killed(moving: Moving) -> None:
    writer, own = Uploader(moving.addresses["i-a"], "w"), moving.on_disk("i-a")
    (own / "old.txt").write_text("old")
    (own / "old.txt").chmod(0o640)
    (own / "below").mkdir()
    (own / "below/link").symlink_to("../old.txt")
    found = moving.look()
    assert (found["obstacles"], found["units"]) == ([], ["web.service"])
    with writer.always():
        eventually(writer.more(), "uploads are acknowledged before")
        assert moving.did("i-a", "copy", mounts=[MOUNT], whose="i-a")["is_whole"]
        for step in ("writes held", "all is there", "mounted at boot", "mounted", "kept in"):
            assert moving.attach(failpoint=step)["problem"]
        assert not moving.attach()["problem"]
        eventually(writer.more(), "uploads are acknowledged there")
        assert list(own.iterdir()) == []
        assert moving.did("i-a", "state")["ready"]
        moving.did("i-a", "copy", home=True)
        for step in ("let go", "all is home", "nothing is mounted", "on the disk again"):
            assert moving.ask("i-a", "detach", failpoint=step)["problem"]
        moving.did("i-a", "detach")
        eventually(writer.more(), "uploads are acknowledged at home")
    for where in (own, moving.system):
        assert (where / "old.txt").stat().st_mode & 0o777 == 0o640
        assert os.readlink(where / "below/link") == "../old.txt"
    assert set(writer.acknowledged) <= {one.name for one in own.iterdir()}
    assert set(writer.acknowledged) <= moving.uploaded("i-a")
    disk = moving.hypervisor.disk("i-a")
    places = ("etc", "usr/local", "var/lib", "srv")
    assert not [one for at in places for one in (disk / at).rglob("*nospof*") if one.is_file()]
    assert not (disk / "etc/fstab").read_text()
    assert moving.did("i-a", "state")["mounts"] == []


def test_what_must_not_move_is_named_and_nothing_is_changed(moving: Moving) -> None:
    (moving.on_disk("i-a") / "shop.db").write_bytes(b"SQLite format 3\0and more")
    assert [one["kind"] for one in moving.look()["obstacles"]] == ["database"]
    (moving.on_disk("i-a") / "shop.db").unlink()
    (moving.system / "of-somebody").write_text("else")
    (found,) = moving.look()["obstacles"]
    assert found["kind"] == "target"
    assert "is not empty" in found["says"]
    assert "not empty" in moving.ask("i-a", "copy", mounts=[MOUNT], whose="i-a")["problem"]
    (moving.system / "of-somebody").unlink()
    moving.reach("us-east-1b")
    (found,) = moving.look()["obstacles"]
    assert found["kind"] == "reach"
    assert "Failed to resolve" in found["says"]
    moving.reach(ZONE)
    said = moving.did("i-a", "look", mounts=[MOUNT], port=9999, whose="i-a")
    assert [one["kind"] for one in said["obstacles"]] == ["unit"]


def test_who_writes_on_keeps_the_files_where_they_are(moving: Moving) -> None:
    holder = "nohup sh -c 'exec 3>srv/www/files/long.txt; sleep 100' >/dev/null 2>&1 & echo $!"
    pid = moving.run("i-a", holder).stdout.strip()
    moving.did("i-a", "copy", mounts=[MOUNT], whose="i-a")
    assert f"sh ({pid})" in moving.attach(patience=0.2)["problem"]
    assert Uploader(moving.addresses["i-a"], "w").upload("after.txt")
    assert not (moving.hypervisor.disk("i-a") / "etc/fstab").exists()
    assert moving.did("i-a", "state")["mounts"] == []
