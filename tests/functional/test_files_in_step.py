"""Uploads that two machines have, by the real tool: what one is given the other has, and nothing is lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nospof.adapters.machine.files import checked_of
from nospof.adapters.machine.probe_script import look
from nospof.model.sharing import FilesChecked
from nospof.planning.comparison import groups_unlike, names_unlike
from support.uploads import UPLOADS, Uploads
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud


@pytest.fixture
def uploads(tmp_path: Path) -> Iterator[Uploads]:
    found = Uploads(tmp_path)
    try:
        yield found
    finally:
        found.close()


def kill(uploads: Uploads, name: str) -> None:
    """Kill a machine's Syncthing."""
    said = uploads.hypervisor.execute(name, "systemctl show -p MainPID --value nospof-files.service", 10)
    os.kill(int(said.stdout), signal.SIGKILL)


def seen_in_step(uploads: Uploads) -> set[bool]:
    """Return whether who looks inside the machines takes their new uploads for shared."""
    written = [look(str(uploads.hypervisor.disk(one)))["written"]["found"] for one in ("i-a", "i-b")]
    return {row.get("in_step", False) for rows in written for row in rows if row["directory"] == UPLOADS}


def same_on_both(uploads: Uploads) -> bool:
    return uploads.files("i-a") == uploads.files("i-b")


def checked(uploads: Uploads, **asked: Any) -> dict[str, FilesChecked]:
    """Return what both machines say of their files."""
    return {name: checked_of(uploads.ask(name, "check", **asked)) for name in ("i-a", "i-b")}


def the_comparison_finds_what_only_one_has(uploads: Uploads) -> None:
    """Of a tool that is stopped, so that nothing is brought to the other meanwhile."""
    uploads.hypervisor.execute("i-b", "systemctl stop nospof-files.service", 30)
    assert groups_unlike(checked(uploads)) == {}
    uploads.upload("i-b", "large", "x" * 300_000)
    uploads.upload("i-b", "added", "not the same")
    found = checked(uploads)
    (groups,) = groups_unlike(found).values()
    assert found["i-b"].directories[0].in_part == 1
    assert names_unlike(checked(uploads, groups={UPLOADS: groups})) == ("added", "large")
    uploads.hypervisor.execute("i-b", "systemctl start nospof-files.service", 30)
    eventually(lambda: groups_unlike(checked(uploads)) == {}, "both have the same", every_seconds=0.2)


def test_a_copy_becomes_as_its_source_is_now_and_then_each_has_what_the_other_is_given(
    uploads: Uploads,
) -> None:
    for name in ("kept", "changed", "deleted"):
        uploads.upload("i-a", name, "old")
    uploads.copy_source()
    uploads.upload("i-a", "changed", "new")
    (uploads.directory("i-a") / "deleted").unlink()
    uploads.upload("i-a", "added", "new")
    assert seen_in_step(uploads) == {False}
    uploads.share()
    assert seen_in_step(uploads) == {True}
    assert uploads.files("i-b") == {"kept": "old", "changed": "new", "added": "new"} == uploads.files("i-a")

    uploads.upload("i-a", "at-a", "a")
    uploads.upload("i-b", "at-b", "b")
    (uploads.directory("i-b") / "kept").unlink()
    wanted = {"changed": "new", "added": "new", "at-a": "a", "at-b": "b"}
    eventually(lambda: uploads.files("i-a") == wanted == uploads.files("i-b"), "both have what either got")

    # One is killed, both are given something, one file even at the same time: it comes back by itself.
    kill(uploads, "i-b")
    uploads.upload("i-a", "added", "by a")
    uploads.upload("i-b", "added", "by b")
    uploads.upload("i-b", "lonely", "b")
    eventually(lambda: {"by a", "by b", "b"} <= set(uploads.files("i-a").values()), "all of it is at a")
    eventually(lambda: same_on_both(uploads), "both are the same")
    said = uploads.ask("i-a", "state")
    assert said["conflicts"] == 1
    assert said["scanned"].startswith("20")
    the_comparison_finds_what_only_one_has(uploads)

    # Back to one: what only the twin has is brought home before it stops.
    uploads.upload("i-b", "last", "b")
    uploads.did("i-b", "settle")
    before = uploads.files("i-a")
    assert before["last"] == "b"
    for name in ("i-a", "i-b"):
        uploads.did(name, "apply", sharing={"members": [], "directories": []})
    assert seen_in_step(uploads) == {False}
    assert uploads.files("i-a") == before
    assert [one.name for one in uploads.directory("i-a").iterdir() if one.name[0] == "."] == []
    assert uploads.ask("i-a", "state")["role"] == "alone"
    disk = uploads.hypervisor.disk("i-a")
    places = ("etc", "usr/local", "var/lib", "srv")
    assert not [one for at in places for one in (disk / at).rglob("*nospof*") if one.is_file()]


def test_a_copy_of_a_member_takes_no_part_and_a_member_comes_back_after_a_boot(uploads: Uploads) -> None:
    uploads.upload("i-a", "one", "1")
    uploads.copy_source()
    uploads.share()
    uploads.hypervisor.power_off("i-b")
    uploads.hypervisor.destroy("i-b")
    uploads.upload("i-a", "two", "2")
    uploads.hypervisor.shutdown("i-a")
    eventually(lambda: uploads.hypervisor.state("i-a") == "off", "it is off")
    uploads.hypervisor.snapshot("i-a", uploads.root / "copy")
    uploads.boot("i-a")
    old, uploads.addresses["i-b"] = uploads.addresses["i-b"], uploads.another_address()
    uploads.create("i-b", uploads.root / "copy")
    assert uploads.ask("i-b", "state")["role"] == "stranger"
    said = uploads.hypervisor.execute("i-b", "systemctl is-active nospof-files.service", 10)
    assert said.stdout.strip() != "active"
    eventually(lambda: uploads.ask("i-a", "state")["says"] == "i-b is not connected", "it waits for its twin")
    uploads.share()
    uploads.upload("i-b", "three", "3")
    wanted = {"one": "1", "two": "2", "three": "3"}
    eventually(lambda: uploads.files("i-a") == wanted, "the new twin gives too")
    assert old not in (uploads.hypervisor.disk("i-a") / "etc/nospof/files.json").read_text()


def test_what_two_must_not_have_is_named(uploads: Uploads) -> None:
    uploads.upload("i-a", "shop.db", "SQLite format 3\0and more")
    said = uploads.ask("i-a", "look", directories=[UPLOADS, "/nowhere"])
    assert [one["kind"] for one in said["obstacles"]] == ["database", "directory"]
    assert said["directories"][0]["files"] == 1
    if os.geteuid() == 0:
        os.chown(uploads.directory("i-a") / "shop.db", 12345, 12345)
        said = uploads.ask("i-a", "look", directories=[UPLOADS])
        assert "owner" in [one["kind"] for one in said["obstacles"]]


def test_a_program_killed_in_the_middle_is_ended_by_the_next_one(uploads: Uploads) -> None:
    uploads.copy_source()
    joining = uploads.sharing("i-b")
    for step in ("sharing kept", "shares"):
        assert uploads.ask("i-a", "apply", failpoint=step, sharing=joining)["problem"]
    uploads.share()
    assert uploads.did("i-a", "apply", sharing=uploads.sharing()) == []
    for step in ("shares nothing",):
        assert uploads.ask("i-a", "apply", failpoint=step, sharing={"members": [], "directories": []})[
            "problem"
        ]
    uploads.did("i-a", "apply", sharing={"members": [], "directories": []})
    assert uploads.ask("i-a", "state")["role"] == "alone"
