"""A pair whose source keeps uploads or sessions: what is decided, refused, and that nothing is lost."""

from dataclasses import replace

import pytest

from nospof.adapters.memory.files import MemoryFiles
from nospof.errors import PreconditionFailed, UsageError
from nospof.model.cloud import TAG_STATE, IngressRule
from nospof.model.layout import Obstacle
from nospof.model.requests import PairRequest, TakeRequest
from nospof.model.sharing import SHARING_PORT, TAG_FILES, FilesFound, sharing_as_said, sharing_of
from nospof.planning.files import directories_of
from nospof.procedures.maintain import take
from nospof.procedures.registry import PROCEDURES
from nospof.procedures.undo import undo
from nospof.runtime.memory import MemorySteps
from support.memory_world import UPLOADS, Looks, keep_data, keep_files, memory_world, one_instance
from support.pairing import Pairing
from support.undoing import things, told

SQLITE = Obstacle("database", "shop.db", "shop.db is a database (SQLite)")
MANY = Obstacle("use", "uploads", "only the first 200000 files were looked at")
PHP = "/var/lib/php/sessions"
PAIRING = Pairing(sync=UPLOADS)
asked, make, refusal = PAIRING.asked, PAIRING.make, PAIRING.refusal


def with_files(*obstacles, **options):
    cloud = one_instance(**options)
    keep_files(cloud, *obstacles)
    return cloud


def group_of(cloud):
    (group,) = cloud.target_groups()
    return group


def test_each_has_what_the_other_is_given_and_both_are_marked():
    cloud = with_files()
    source = cloud.the_instance.id
    result = make(cloud)
    (twin,) = set(result.members) - {source}
    assert cloud.upload(source, "by the source")
    assert cloud.upload(twin, "by the twin")
    assert cloud.files_of(source) == cloud.files_of(twin) == {"old", "by the source", "by the twin"}
    for one in result.members:
        tags = cloud.instance(one).tags
        assert tags[TAG_FILES] == "syncthing"
        assert TAG_STATE not in tags


def test_the_plan_says_how_long_an_upload_is_on_one_member_only():
    cloud = with_files(MANY)
    plan = PROCEDURES["pair"].plan(memory_world(cloud), asked(cloud))
    assert any("acknowledged is on one member only for about 1 s" in one for one in plan.warnings)
    assert any("kept twice" in one for one in plan.warnings)
    assert MANY.says in plan.warnings
    assert UPLOADS in plan.details["files"]
    opened = [one for one in plan.calls if one.operation == "AuthorizeSecurityGroupIngress"]
    assert SHARING_PORT in [one.parameters["IpPermissions"][0]["FromPort"] for one in opened]


def test_a_visitor_stays_at_the_member_that_has_what_he_wrote():
    cloud = with_files()
    make(cloud)
    assert cloud.sticky_seconds_of(group_of(cloud).arn) == 86400


def test_nobody_stays_anywhere_where_nothing_is_kept():
    cloud = one_instance()
    make(cloud, sync="", stateless=True)
    assert cloud.sticky_seconds_of(group_of(cloud).arn) == 0


def test_what_two_cannot_have_is_refused_and_named():
    assert SQLITE.says in refusal(with_files(SQLITE))


def test_the_directory_of_a_database_is_never_shared():
    cloud = with_files()
    keep_data(cloud)
    assert "whose files only its server may write" in refusal(cloud, sync=f"{UPLOADS},/var/lib/data")


def test_a_source_that_shares_with_somebody_else_is_refused():
    cloud = with_files()
    result = make(cloud)
    (twin,) = set(result.members) - {cloud.the_instance.id}
    cloud.terminate(twin)
    assert f"shares its files with {twin} already" in refusal(cloud)


def test_a_refusal_says_every_way_out():
    said = refusal(with_files(), sync="")
    for way in (f"--sync {UPLOADS}", "EFS", "aws efs create-mount-target", "--stateless"):
        assert way in said


@pytest.mark.parametrize(
    ("written", "named"),
    [
        (("/var/www/blog/uploads/2026/11", "/var/www/blog/uploads/2026/10"), "/var/www/blog/uploads"),
        (("/var/lib/wiki/images/a/ab", "/var/lib/wiki/images"), "/var/lib/wiki/images"),
        (("/srv/2026/11", "/srv/feed"), "/srv/2026,/srv/feed"),
    ],
)
def test_a_directory_is_named_whole_and_not_the_part_of_this_month(written, named):
    world = replace(memory_world(with_files()), machines=Looks(written=written))
    assert f"--sync {named} " in refusal(with_files(), world, sync="")


def test_a_file_that_is_held_open_is_not_in_step_by_being_shared():
    cloud = with_files()
    looks = Looks(written=(UPLOADS,), files=[{"path": f"{UPLOADS}/queue.db"}])
    world = replace(memory_world(cloud), machines=looks)
    assert f"keeps files {UPLOADS}/queue.db" in refusal(cloud, world)


def test_sessions_in_files_are_kept_by_the_member_that_a_visitor_stays_at_and_that_is_said():
    cloud = one_instance()
    world = replace(memory_world(cloud), machines=Looks(sessions=[{"directory": PHP}]))
    plan = PROCEDURES["pair"].plan(world, asked(cloud, sync=""))
    assert any(PHP in one and "logged out when that is lost" in one for one in plan.warnings)
    make(cloud, world, sync="")
    assert cloud.sticky_seconds_of(group_of(cloud).arn) == 86400
    assert TAG_STATE not in cloud.the_instance.tags


def test_undo_brings_home_what_only_the_twin_was_given():
    cloud = with_files()
    before = things(cloud)
    request = told(cloud, "pair", "run-0", stateless=False, sync=UPLOADS)
    source = cloud.the_instance.id
    (twin,) = (one.id for one in cloud.instances() if one.id != source)
    assert cloud.upload(twin, "last")
    undo(MemorySteps("run-2"), memory_world(cloud), request)
    assert cloud.files_of(source) == {"old", "last"}
    assert MemoryFiles(cloud).state(source).role == "alone"
    assert things(cloud) == before


def test_undo_is_refused_while_the_twin_is_off_and_may_have_what_the_source_has_not():
    cloud = with_files()
    request = told(cloud, "pair", "run-0", stateless=False, sync=UPLOADS)
    (twin,) = (one.id for one in cloud.instances() if one.id != cloud.the_instance.id)
    cloud.stop_instance(twin)
    cloud.clock.sleep(120)
    with pytest.raises(PreconditionFailed, match=f"start-instances --instance-ids {twin}"):
        undo(MemorySteps("run-2"), memory_world(cloud), request)


def test_undo_goes_on_without_a_twin_that_is_no_more():
    cloud = with_files()
    request = told(cloud, "pair", "run-0", stateless=False, sync=UPLOADS)
    (twin,) = (one.id for one in cloud.instances() if one.id != cloud.the_instance.id)
    cloud.terminate(twin)
    undo(MemorySteps("run-2"), memory_world(cloud), request)
    assert MemoryFiles(cloud).state(cloud.the_instance.id).role == "alone"


def test_a_port_that_members_could_reach_before_stays_open():
    cloud = with_files()
    group = cloud.the_instance.security_groups[0]
    cloud.allow(group, IngressRule(SHARING_PORT, from_group=group))
    before = things(cloud)
    request = told(cloud, "pair", "run-0", stateless=False, sync=UPLOADS)
    assert request.ports_opened == ()
    undo(MemorySteps("run-2"), memory_world(cloud), request)
    assert things(cloud) == before


@pytest.mark.parametrize("sync", ["uploads", "/", "/srv", "/srv/../etc", "/srv/a,/srv/a/b", "/srv//a"])
def test_what_is_no_directory_of_its_own_is_not_shared(sync):
    with pytest.raises(UsageError, match="--sync"):
        directories_of(PairRequest("i-1", sync=sync))


def test_sharing_contradicts_keeping_nothing():
    with pytest.raises(UsageError, match="contradict"):
        directories_of(PairRequest("i-1", sync=UPLOADS, stateless=True))


def test_a_sharing_is_read_as_it_was_said():
    cloud = with_files()
    make(cloud)
    found: FilesFound = MemoryFiles(cloud).look(cloud.the_instance.id, ())
    assert found.sharing
    assert sharing_of(sharing_as_said(found.sharing)) == found.sharing
    with pytest.raises(ValueError, match="no member"):
        sharing_of({"members": [{"address": "10.0.0.1"}]})


def test_maintenance_leaves_no_upload_behind_and_puts_nobody_back_who_lacks_one():
    cloud = with_files()
    result = make(cloud)
    source = cloud.the_instance.id
    (twin,) = set(result.members) - {source}
    cloud.announce(source)

    class Uploading(MemorySteps):
        def do(self, name, function, *args, **kwargs):
            cloud.upload(twin if name.startswith(("stop", "wait")) else source, name)
            return super().do(name, function, *args, **kwargs)

    steps = Uploading("run-2")
    take(steps, memory_world(cloud), TakeRequest(source))
    assert steps.names.index("have others have all of its files") < steps.names.index(
        "stop it and start it on other hardware"
    )
    assert cloud.files_of(source) == cloud.files_of(twin)
    assert "stop it and start it on other hardware" in cloud.files_of(source)
