"""A pair whose uploads move to EFS: what is decided, refused, and that nothing is lost."""

from dataclasses import replace

import pytest

from nospof.adapters.memory.mounts import MemoryMounts
from nospof.errors import PreconditionFailed, UsageError
from nospof.model.cloud import TAG_STATE
from nospof.model.layout import Obstacle
from nospof.model.mounting import TAG_EFS, Mount, mount_of, mounts_as_said, server_of
from nospof.model.requests import PairRequest, TakeRequest
from nospof.planning.mounting import mounts_of, seconds_refused
from nospof.procedures.maintain import take
from nospof.procedures.pair import pair
from nospof.procedures.registry import PROCEDURES
from nospof.procedures.undo import undo
from nospof.runtime.memory import MemorySteps
from nospof.services.comparing import data_check
from nospof.services.data import data_status
from support.memory_world import (
    EFS,
    SYSTEM,
    UPLOADS,
    Looks,
    have_efs,
    keep_data,
    keep_files,
    memory_world,
    one_instance,
)
from support.pairing import Pairing
from support.undoing import things, told

SQLITE = Obstacle("database", "shop.db", "shop.db is a database (SQLite)")
NOT_EMPTY = Obstacle("target", SYSTEM, f"{SYSTEM}:/ is not empty")
PAIRING = Pairing(efs=EFS)
asked, make, refusal = PAIRING.asked, PAIRING.make, PAIRING.refusal


def with_efs(*obstacles, **more):
    cloud = one_instance()
    keep_files(cloud, *obstacles)
    have_efs(cloud, **more)
    return cloud


def twin_of(cloud):
    return next(one.id for one in cloud.instances() if one.id != cloud.the_instance.id)


def test_both_have_the_same_files_at_once_and_are_marked():
    cloud = with_efs()
    source = cloud.the_instance.id
    result = make(cloud)
    (twin,) = set(result.members) - {source}
    assert cloud.upload(twin, "by the twin")
    assert cloud.files_of(source) == cloud.files_of(twin) == {"old", "by the twin"}
    for one in result.members:
        assert cloud.instance(one).tags[TAG_EFS] == SYSTEM
        assert TAG_STATE not in cloud.instance(one).tags


def test_the_plan_says_where_files_go_and_for_how_long_uploads_are_refused():
    cloud = with_efs(is_encrypted=False)
    plan = PROCEDURES["pair"].plan(memory_world(cloud), asked(cloud))
    assert f"on EFS {SYSTEM}:/, mounted by both" in plan.details["files"]
    assert any(f"uploads to {UPLOADS} are refused for about 2 s" in one for one in plan.warnings)
    assert any("does not encrypt" in one for one in plan.warnings)
    says = [one.says for one in plan.calls]
    assert says[0] == f"copy {UPLOADS} to {SYSTEM}:/ while it serves"
    assert says.index("have the twin have the same mounted") > says.index(says[0]) + 3
    assert cloud.writes == []


def test_more_files_take_longer():
    assert seconds_refused(300_000) > 50 * seconds_refused(1)


def test_a_zone_without_a_mount_target_is_refused_with_the_command_that_adds_one():
    cloud = with_efs(zones=(one_instance().the_instance.zone,))
    said = refusal(cloud)
    assert f"EFS {SYSTEM} has no mount target in" in said
    assert f"aws efs create-mount-target --file-system-id {SYSTEM} --subnet-id subnet-" in said


def test_a_mount_target_that_lets_nobody_in_is_refused():
    cloud = with_efs()
    group = cloud.the_instance.security_groups[0]
    cloud._rules[group] = [one for one in cloud._rules[group] if not one.from_group]
    said = refusal(cloud)
    assert f"--group-id {group} --protocol tcp --port 2049 --source-group {group}" in said


def test_a_file_system_of_one_zone_is_refused():
    assert "keeps its files in eu-central-1a only" in refusal(with_efs(zone="eu-central-1a"))


def test_a_file_system_that_is_not_there_yet_or_not_known_is_refused():
    assert "is creating, not available" in refusal(with_efs(state="creating"))
    cloud = with_efs()
    assert "nothing is known of EFS fs-99999999" in refusal(cloud, efs=(f"fs-99999999={UPLOADS}",))


def test_what_cannot_move_and_what_is_there_already_is_named():
    said = refusal(with_efs(SQLITE, NOT_EMPTY))
    assert SQLITE.says in said
    assert NOT_EMPTY.says in said


def test_the_directory_of_a_database_never_moves():
    cloud = with_efs()
    keep_data(cloud)
    assert "whose files only its server may write" in refusal(cloud, efs=(f"{SYSTEM}=/var/lib/data",))


def test_an_upload_that_is_under_way_is_no_reason_to_refuse():
    cloud = with_efs()
    files = [{"path": f"{UPLOADS}/.a.jpg.partial"}]
    world = replace(memory_world(cloud), machines=Looks(written=(UPLOADS,), files=files))
    make(cloud, world)
    other = replace(memory_world(with_efs()), machines=Looks(files=[{"path": "/srv/queue.db"}]))
    assert "keeps files /srv/queue.db" in refusal(other.cloud, other)


def test_nobody_reaches_into_the_machine():
    cloud = with_efs()
    assert "nobody here can reach into" in refusal(cloud, replace(memory_world(cloud), mounts=None))


@pytest.mark.parametrize(
    "efs",
    [
        (UPLOADS,),
        ("fs-12=/var/www/uploads",),
        (f"{SYSTEM}=uploads",),
        (f"{SYSTEM}=/uploads",),
        (f"{SYSTEM}=/var/../uploads",),
        (f"{SYSTEM}=/var/www/up loads",),
        (*EFS, f"{SYSTEM}:/b={UPLOADS}/inside"),
        (*EFS, f"{SYSTEM}:/b=/var/www/other"),
    ],
)
def test_a_wish_that_is_not_understood_is_refused(efs):
    with pytest.raises(UsageError, match="--efs"):
        mounts_of(PairRequest("i-1", efs=efs), "us-east-1a")


def test_two_wishes_about_one_directory_are_refused():
    with pytest.raises(UsageError, match="--sync lies in it"):
        mounts_of(PairRequest("i-1", efs=EFS, sync=UPLOADS), "us-east-1a")
    with pytest.raises(UsageError, match="--stateless"):
        mounts_of(PairRequest("i-1", efs=EFS, stateless=True), "us-east-1a")


def test_a_file_system_is_called_as_its_region_calls_it():
    assert server_of("fs-1", "eu-central-1b") == "fs-1.efs.eu-central-1.amazonaws.com"
    assert server_of("fs-1", "us-west-2-lax-1a") == "fs-1.efs.us-west-2.amazonaws.com"
    assert server_of("fs-1", "cn-north-1a") == "fs-1.efs.cn-north-1.amazonaws.com.cn"


def test_a_mount_is_told_and_read_back():
    mount = Mount("fs-1", "fs-1.efs", "/a", "/srv/a")
    assert mount_of(mounts_as_said((mount,))[0]) == mount
    with pytest.raises(ValueError, match="no mount"):
        mount_of({"system": "fs-1"})


def test_a_second_run_goes_on_where_the_first_one_ended():
    cloud = with_efs()
    make(cloud)
    cloud.terminate(twin_of(cloud))
    assert cloud.upload(cloud.the_instance.id, "meanwhile")
    pair(MemorySteps("run-2"), memory_world(cloud), asked(cloud))
    assert cloud.files_of(twin_of(cloud)) == {"old", "meanwhile"}


def test_undo_brings_home_what_either_was_given():
    cloud = with_efs()
    before = things(cloud)
    request = told(cloud, "pair", "run-0", stateless=False, efs=EFS)
    source = cloud.the_instance.id
    assert cloud.upload(twin_of(cloud), "last")
    undo(MemorySteps("run-2"), memory_world(cloud), request)
    assert cloud.files_of(source) == {"old", "last"}
    assert MemoryMounts(cloud).state(source).mounts == ()
    assert things(cloud) == before


def test_undo_is_refused_while_the_files_cannot_be_read():
    cloud = with_efs()
    request = told(cloud, "pair", "run-0", stateless=False, efs=EFS)
    cloud.unmount(cloud.the_instance.id)
    with pytest.raises(PreconditionFailed, match="could not be brought home"):
        undo(MemorySteps("run-2"), memory_world(cloud), request)


def test_a_twin_that_the_run_did_not_make_is_given_its_own_files_back():
    cloud = with_efs()
    told(cloud, "clone", "run-c")
    request = told(cloud, "pair", "run-0", stateless=False, efs=EFS)
    twin = twin_of(cloud)
    assert cloud.upload(cloud.the_instance.id, "last")
    undo(MemorySteps("run-2"), memory_world(cloud), request)
    assert cloud.files_of(twin) == {"old", "last"}
    assert TAG_EFS not in cloud.instance(twin).tags


def test_maintenance_is_refused_while_the_other_has_not_its_files():
    cloud = with_efs()
    told(cloud, "pair", "run-0", stateless=False, efs=EFS)
    source, twin = cloud.the_instance.id, twin_of(cloud)
    cloud.announce(source)
    cloud.unmount(twin)
    with pytest.raises(PreconditionFailed, match=f"{twin}: {UPLOADS} is not mounted"):
        take(MemorySteps("run-2"), memory_world(cloud), TakeRequest(source))
    cloud.unmount(twin, on=False)
    take(MemorySteps("run-3"), memory_world(cloud), TakeRequest(source))


def test_data_status_and_check_tell_who_has_not_its_files():
    cloud = with_efs()
    told(cloud, "pair", "run-0", stateless=False, efs=EFS)
    world, twin = memory_world(cloud), twin_of(cloud)
    found = data_status(world, "www")
    assert found.layout is None
    assert found.wrong == found.unread == ()
    assert {member for member, _ in found.mounted} == {cloud.the_instance.id, twin}
    assert data_check(world, "www").different == ()
    cloud.unmount(twin)
    assert data_status(world, "www").wrong == (f"{twin}: {UPLOADS} is not mounted",)
    assert data_check(world, "www").different == (f"{twin}: {UPLOADS} is not mounted",)
