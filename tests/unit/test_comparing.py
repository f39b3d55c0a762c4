"""Members are compared while they are written to: what both held once is the same, the rest is told."""

from pathlib import Path

import pytest

from nospof.adapters.machine.data_seen import with_seen
from nospof.adapters.machine.files_check import ENTRIES, check
from nospof.adapters.machine.files_look import FilesHost
from nospof.errors import PreconditionFailed, UsageError
from nospof.model.layout import Checked, TableSum
from nospof.model.requests import PairRequest
from nospof.model.sharing import TAG_FILES, DirectorySum, FilesChecked, FilesState, Partner
from nospof.planning.comparison import contents, groups_unlike, is_different, names_unlike, unlike
from nospof.planning.files import conflicts_told
from nospof.procedures.pair import pair
from nospof.runtime.memory import MemorySteps
from nospof.services.comparing import data_check
from nospof.services.data import data_status
from support.memory_world import UPLOADS, keep_data, keep_files, memory_world, one_instance


def read(rows, *, position="", reached="", seen=()):
    return Checked((TableSum("shop.orders", rows, f"sum of {rows}", seen),), position, reached)


def digests(*counts):
    return tuple(one for count in counts for one in contents(TableSum("", count, f"sum of {count}")))


# What members held ----------------------------------------------------------------------------------------


def test_members_that_held_the_same_once_are_the_same_though_they_never_did_at_one_moment():
    found = {"a": read(9, seen=digests(7, 8, 9)), "b": read(6, seen=digests(5, 6, 7))}
    assert unlike(found) == ()
    assert unlike({**found, "b": read(6, seen=digests(5, 6))}) == ("shop.orders",)


def test_what_a_machine_saw_of_a_table_is_what_the_comparison_makes_of_it():
    (told,) = with_seen([{"name": "t", "rows": count, "sum": f"sum of {count}"} for count in (1, 2, 2, 1)])
    assert tuple(told["seen"]) == digests(1, 2)
    assert contents(TableSum("t", told["rows"], told["sum"])) <= {*told["seen"]}


def test_a_table_that_one_lacks_is_not_the_same():
    assert unlike({"a": read(1), "b": Checked()}) == ("shop.orders",)


def judged(before, now, engine="patroni"):
    return is_different("shop.orders", engine, before, now)


def test_what_differs_at_one_position_is_different():
    now = {"a": read(1, position="u:7"), "b": read(2, position="u:7")}
    assert judged(now, now, "galera")


@pytest.mark.parametrize(
    ("one", "other", "different"),
    [
        ("0/30", "0/30", True),
        ("0/30", "0/40", True),
        ("0/30", "0/20", False),
        ("0/30", "", False),
        ("", "0/30", False),
    ],
)
def test_a_table_that_stays_is_different_only_once_the_other_has_come_as_far(one, other, different):
    before = {"a": read(1, reached=one), "b": read(2, reached="0/10")}
    now = {"a": read(1, reached=one), "b": read(2, reached=other)}
    assert judged(before, now) is different


def test_a_table_that_changes_is_not_called_different():
    before = {"a": read(1, reached="0/30"), "b": read(2, reached="0/30")}
    assert not judged(before, {"a": read(3, reached="0/40"), "b": read(2, reached="0/40")})
    moves = read(1, reached="0/40", seen=digests(1, 4))
    assert not judged(before, {"a": moves, "b": read(2, reached="0/40")})


# Files ----------------------------------------------------------------------------------------------------


def in_a_disk(tmp_path: Path, name: str, monkeypatch):
    disk = tmp_path / name
    (disk / "srv/uploads/below").mkdir(parents=True)
    monkeypatch.setenv("NOSPOF_DISK", str(disk))
    return FilesHost(""), disk / "srv/uploads"


def summed(host, **asked):
    answer = check(host, {"directories": ["/srv/uploads"]}, asked)
    (one,) = answer["directories"]
    entries = tuple(one["entries"])
    return FilesChecked(
        (DirectorySum("/srv/uploads", one["files"], sums=tuple(one["sums"]), entries=entries),)
    )


def test_directories_are_compared_by_name_size_and_content_and_not_by_what_the_tool_has_there(
    tmp_path, monkeypatch
):
    (a, in_a), (b, in_b) = (in_a_disk(tmp_path, one, monkeypatch) for one in "ab")
    for here in (in_a, in_b):
        (here / "same").write_text("same")
        (here / "below/large").write_bytes(b"x" * 200_000)
        (here / "link").symlink_to("same")
    (in_a / ".stfolder").mkdir()
    (in_a / ".nospof-0").touch()
    (in_b / ".syncthing.same.tmp").touch()
    assert groups_unlike({"a": summed(a), "b": summed(b)}) == {}
    (in_b / "same").write_text("SAME")
    (in_b / "below/large").write_bytes(b"x" * 199_999 + b"y")
    (in_b / "link").unlink()
    (in_b / "link").symlink_to("elsewhere")
    (in_a / "only-a").touch()
    (groups,) = groups_unlike({"a": summed(a), "b": summed(b)}).values()
    found = {one: summed(host, groups={"/srv/uploads": groups}) for one, host in (("a", a), ("b", b))}
    assert names_unlike(found) == ("below/large", "link", "only-a", "same")


def test_there_is_an_end_to_the_names_that_are_told(tmp_path, monkeypatch):
    host, here = in_a_disk(tmp_path, "a", monkeypatch)
    for number in range(ENTRIES + 50):
        (here / str(number)).touch()
    answer = check(host, {"directories": ["/srv/uploads"]}, {"groups": {"/srv/uploads": list(range(1024))}})
    (one,) = answer["directories"]
    assert (len(one["entries"]), one["is_whole"]) == (ENTRIES, False)


def test_versions_beside_each_other_are_for_somebody_to_choose_from():
    partner = Partner("i-a", "10.0.0.1", "a", "K")
    assert conflicts_told(((partner, FilesState("member", True)),)) == ()
    (told,) = conflicts_told(((partner, FilesState("member", True, conflicts=2)),))
    assert told.startswith("2 files were written on both at once")
    assert "*.sync-conflict-*" in told


# A service ------------------------------------------------------------------------------------------------


def paired(*, with_data=False):
    cloud = one_instance()
    keep_files(cloud)
    if with_data:
        keep_data(cloud)
    request = PairRequest(cloud.the_instance.id, service="www", sync=UPLOADS)
    made = pair(MemorySteps("run-1"), memory_world(cloud), request)
    return cloud, made.members


@pytest.mark.parametrize("with_data", [True, False])
def test_files_are_part_of_how_a_services_data_is_kept(with_data):
    cloud, (source, twin) = paired(with_data=with_data)
    found = data_status(memory_world(cloud), "www")
    assert (found.layout is not None, found.directories, found.wrong) == (with_data, (UPLOADS,), ())
    assert [one.instance_id for one, _ in found.files] == [source, twin]
    same = data_check(memory_world(cloud), "www")
    assert (same.files, same.tables, same.different, same.not_compared) == (1, int(with_data), (), ())


def test_files_that_are_not_in_step_are_told_of_like_a_database():
    cloud, (source, twin) = paired()
    cloud.impair(twin)
    found = data_status(memory_world(cloud), "www")
    assert [one.split(":")[0] for one in found.unread] == [f"the files of {twin}"]
    assert f"files: {source} is member: a partner is not connected" in found.wrong
    with pytest.raises(PreconditionFailed, match=f"the files could not be read: {twin}"):
        data_check(memory_world(cloud), "www")


def test_a_file_that_only_one_has_is_named_where_nothing_is_on_the_way(monkeypatch):
    cloud, (_, twin) = paired()
    monkeypatch.setattr(type(cloud), "_sync", lambda _cloud: None)  # the tool does not see it
    cloud.upload(twin, "lonely")
    found = data_check(memory_world(cloud), "www")
    assert found.different == (f"{UPLOADS}: lonely are not the same",)


def test_a_service_that_shares_nothing_and_keeps_no_data_is_told_so():
    cloud, members = paired()
    for one in members:
        cloud.untag(one, (TAG_FILES,))
    with pytest.raises(UsageError, match="no data of www is kept in step"):
        data_status(memory_world(cloud), "www")
