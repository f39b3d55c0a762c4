"""Backups: of a member that does not serve, its database at rest; kept, deleted and restored as was said."""

from dataclasses import replace

import pytest

from nospof.adapters.memory.account import refused
from nospof.errors import PreconditionFailed, ProcedureFailed, UsageError
from nospof.model.backups import (
    TAG_BACKUP,
    TAG_TAKEN,
    TAG_TESTED,
    Backup,
    BackupRequest,
    DiscardRequest,
    RestoreRequest,
)
from nospof.model.cloud import TAG_CONSISTENCY, TAG_GUARANTEE, TAG_RUN, TAG_SERVICE
from nospof.model.runs import Run
from nospof.planning.backups import newest_first, too_old
from nospof.procedures.backup import backup
from nospof.procedures.backup_list import backups_of
from nospof.procedures.discard import discard
from nospof.procedures.repair import find_troubles
from nospof.procedures.restore_test import try_backup
from nospof.render.backup_text import backups_text
from nospof.render.result_text import describe_result
from nospof.runtime.memory import Killed, MemorySteps
from nospof.services.backups import backups_known, discard_request
from nospof.services.procedures import Outcome
from support.between import Before
from support.memory_world import keep_data, memory_world, one_instance
from support.undoing import told


class Service:
    """A pair whose data is kept in step, on the reference cloud, and a hand on each of its calls."""

    def __init__(self, **pair):
        self.cloud = one_instance()
        if not pair.get("stateless"):
            keep_data(self.cloud)
        told(self.cloud, "pair", "pair-0", **{"stateless": False, **pair})
        self.members = [one.id for one in self.cloud.instances(TAG_SERVICE, "www")]
        self.number = 0
        self.cloud.calls.clear()

    def backup(self, through=None, steps=None, **asked):
        self.number += 1
        steps = steps or MemorySteps(f"backup-{self.number}")
        return steps.tell(backup, memory_world(self.cloud, through), BackupRequest("www", **asked))

    def restore(self, image_id="", through=None, **asked):
        request = RestoreRequest("www", image_id, **asked)
        return MemorySteps("test-backup-1").tell(try_backup, memory_world(self.cloud, through), request)

    def images(self):
        return [one.id for one in self.cloud.images(TAG_BACKUP)]

    def assert_whole(self):
        self.cloud.clock.sleep(60)
        for group in self.cloud.target_groups():
            assert all(one.is_healthy for one in self.cloud.targets(group.arn))
            assert len(self.cloud.targets(group.arn)) == 2
        assert not self.cloud.instances(TAG_GUARANTEE)


def whether_in_service(cloud):
    """Return what looks whether an instance may get requests, and what it has seen so far."""
    seen = []

    def look(instance_id, *_):
        targets = [one for group in cloud.target_groups() for one in cloud.targets(group.arn)]
        seen.append(instance_id in [one.instance_id for one in targets])

    return seen, look


def unmarked(cloud, image_id):
    """Have an image be one whose run did not live to mark it."""
    cloud.untag(image_id, (TAG_TAKEN,))


# What is taken --------------------------------------------------------------------------------------


def test_it_is_of_the_member_that_is_not_written_to_and_has_all_that_was_acknowledged_before():
    service = Service()
    writer, replica = service.members
    service.cloud.write(writer, "before")
    result = service.backup()
    assert result.taken.instance_id == replica
    assert result.taken.position == str(len(service.cloud.rows_of(replica)))
    (image,) = service.cloud.images(TAG_BACKUP, "www")
    assert image.tags[TAG_CONSISTENCY] == "application"
    assert service.cloud.were_held(image.name)
    assert "before" in service.cloud.server_of_image(image.id).rows
    service.assert_whole()


def test_the_member_gets_no_request_while_its_database_rests():
    service = Service()
    seen, look = whether_in_service(service.cloud)
    service.backup(Before(service.cloud, rest_database=look, create_image=look, wake_database=look))
    assert seen == [False, False, False]


def test_a_member_that_was_put_back_meanwhile_is_drained_again_before_its_database_rests():
    service, steps = Service(), MemorySteps("backup-1", "before take the image with its database at rest")
    with pytest.raises(Killed):
        service.backup(steps=steps)
    world = memory_world(service.cloud)
    find_troubles(world, {"pair-0": "done", "backup-1": "interrupted"}, lambda _run: nobody(), mends=True)
    service.assert_whole()
    seen, look = whether_in_service(service.cloud)
    service.backup(Before(service.cloud, rest_database=look), steps)
    assert seen == [False]
    service.assert_whole()


def test_a_writer_that_is_asked_for_hands_its_writes_over_first():
    service = Service()
    assert service.backup(instance_id=service.members[0]).taken.instance_id == service.members[0]
    service.assert_whole()


def test_a_service_without_a_database_is_copied_drained_and_said_to_be_what_it_is():
    service = Service(stateless=True)
    result = service.backup()
    assert (result.taken.position, result.taken.consistency) == ("", "crash")
    assert "may be torn" in describe_result(Outcome("backup-1", result))
    assert service.restore().problem == ""
    service.assert_whole()


def test_an_image_of_a_database_that_was_started_meanwhile_is_no_backup_and_another_is_taken():
    service, steps = Service(), MemorySteps("backup-1")

    def start(instance_id, *_):
        service.cloud._machines[instance_id].server.rest = ("", 0.0)

    with pytest.raises(ProcedureFailed, match=r"is no backup, for .* says: its disks were not at rest"):
        service.backup(Before(service.cloud, wake_database=start), steps)
    assert newest_first(backups_of(memory_world(service.cloud), "www")) == []
    service.cloud.clock.sleep(60)
    assert all(
        one.is_healthy for group in service.cloud.target_groups() for one in service.cloud.targets(group.arn)
    )
    service.backup(steps=steps)
    assert len(service.images()) == len(newest_first(backups_of(memory_world(service.cloud), "www"))) == 1
    service.assert_whole()


def test_an_image_that_fails_deletes_nothing_and_the_member_serves():
    service = Service()
    service.backup(keep=1)
    service.cloud.fail_image()
    with pytest.raises(ProcedureFailed, match="no backup was deleted"):
        service.backup(keep=1)
    known, _now = backups_known(memory_world(service.cloud), "www")
    assert [one.is_complete for one in known] == [False, True]
    service.assert_whole()


# What is refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "says"),
    [({"instance_id": "i-9"}, "i-9 is no member of www; members: i-"), ({"keep": 0}, "would keep no backup")],
)
def test_a_request_that_makes_no_sense_is_refused(asked, says):
    service = Service()
    with pytest.raises(UsageError, match=says):
        service.backup(**asked)
    assert service.cloud.writes == []


def test_a_service_that_is_not_there_is_named_with_those_that_are():
    service = Service()
    with pytest.raises(UsageError, match="no instance is a member of shop; known services: www"):
        MemorySteps("backup-1").tell(backup, memory_world(service.cloud), BackupRequest("shop"))


def test_the_last_healthy_member_is_not_copied():
    service = Service()
    service.cloud.impair(service.members[0])
    service.cloud.clock.sleep(60)
    service.cloud.calls.clear()
    with pytest.raises(PreconditionFailed, match="Nothing was changed"):
        service.backup(instance_id=service.members[1])
    assert service.cloud.writes == []


# What is deleted ------------------------------------------------------------------------------------


def known(image_id, taken_at=1.0, state="available", run_id="backup-1"):
    return Backup(image_id, image_id, state, taken_at, 8, "i-1", "galera", "1", "application", "", run_id)


def test_only_complete_ones_are_counted_and_only_those_that_backup_made_go():
    there = [
        known("ami-old", 1.0),
        known("ami-by-hand", 2.0, run_id="clone-1"),
        known("ami-older-than-kept", 3.0),
        known("ami-kept", 4.0),
        known("ami-pending", 5.0, state="pending"),
        known("ami-failed", 6.0, state="failed"),
        known("ami-unfinished", 0.0),
        known("ami-newest", 7.0),
    ]
    assert [one.image_id for one in too_old(there, 2)] == ["ami-old", "ami-older-than-kept"]
    assert [one.image_id for one in too_old(there, 4)] == ["ami-old"]
    assert too_old(there, 5) == ()


def test_the_newest_stay_and_older_ones_go_with_their_snapshots_and_nothing_else_does():
    service = Service()
    cloud = service.cloud
    stranger = cloud.create_image(service.members[0], "of somebody", {TAG_RUN: "backup-9"})
    first = service.backup().taken.image_id
    second = service.backup().taken.image_id
    unmarked(cloud, second)
    third = service.backup(keep=2)
    assert third.removed == ()
    fourth = service.backup(keep=2)
    assert service.images() == [second, third.taken.image_id, fourth.taken.image_id]
    assert fourth.removed == (f"the backup {first}, with 1 snapshots",)
    assert f"older ones: the backup {first}, with 1" in describe_result(Outcome("backup-4", fourth))
    names = {one.name for one in cloud.images(TAG_BACKUP)}
    assert {one.tags["Name"] for one in cloud.snapshots(TAG_BACKUP)} == names
    assert cloud.image(stranger.id).state == "available"


def test_what_lives_of_a_backup_is_no_hindrance_to_deleting_it():
    service = Service()
    service.backup()
    first = service.images()[0]
    steps = MemorySteps("test-backup-0", "before terminate that machine")
    with pytest.raises(Killed):
        steps.tell(try_backup, memory_world(service.cloud), RestoreRequest("www"))
    service.backup(keep=1)
    assert first not in service.images()
    assert [one.image_id for one in service.cloud.instances(TAG_RUN, "test-backup-0")] == [first]


@pytest.mark.parametrize(
    ("method", "code", "says"),
    [
        ("deregister_image", "OperationNotPermitted", "stays: it is protected"),
        ("delete_snapshot", "InvalidSnapshot.InUse", "stays: another image rests on it"),
    ],
)
def test_what_has_to_stay_of_an_older_one_is_told_and_the_new_one_stands(method, code, says):
    service = Service()
    service.backup()

    def refuse(thing):
        raise refused(method, code, f"{thing} stays")

    result = service.backup(Before(service.cloud, **{method: refuse}), keep=1)
    assert says in result.removed[-1]
    assert result.taken.image_id in service.images()
    service.assert_whole()


# What is restored -----------------------------------------------------------------------------------


def test_a_restored_machine_is_in_a_group_of_its_own_that_lets_nobody_in_and_https_out():
    service = Service()
    service.backup()
    seen = []

    def look(instance_id):
        cloud = service.cloud
        machine = cloud.instance(instance_id)
        (group,) = machine.security_groups
        seen.append((cloud.ingress_rules(group), cloud.lets_out[group], TAG_SERVICE in machine.tags))
        seen.append(cloud.database_state(instance_id).role)

    before = len(service.cloud.security_groups(TAG_RUN))
    result = service.restore(through=Before(service.cloud, terminate_instance=look))
    assert seen == [((), {443}, False), "alone"]
    assert (result.problem, result.tables, result.rows) == (
        "",
        1,
        len(service.cloud.rows_of(service.members[0])),
    )
    assert len(service.cloud.security_groups(TAG_RUN)) == before
    assert not service.cloud.instances(TAG_RUN, "test-backup-1")
    (image,) = service.cloud.images(TAG_BACKUP)
    assert "restored in" in image.tags[TAG_TESTED]
    assert "restored in" in describe_result(Outcome("test-backup-1", result))
    service.assert_whole()


def test_a_backup_that_is_not_where_it_was_is_not_proved_and_no_older_one_goes():
    service = Service()
    first = service.backup().taken.image_id

    def lose(request):
        service.cloud._contents[request.image_id].server.rows.pop()

    result = service.backup(Before(service.cloud, launch=lose), test=True, keep=1)
    assert "and was at" in result.restored.problem
    assert result.removed == ()
    assert first in service.images()
    assert not service.cloud.instances(TAG_RUN, "backup-2")
    assert "NOT PROVED" in describe_result(Outcome("backup-2", result))


def test_the_newest_complete_one_is_restored_and_others_are_refused_by_name():
    service = Service()
    first, second = service.backup().taken.image_id, service.backup().taken.image_id
    assert service.restore().image_id == second
    unmarked(service.cloud, second)
    with pytest.raises(PreconditionFailed, match=f"{second} cannot be restored"):
        service.restore(second)
    with pytest.raises(UsageError, match=f"ami-9 is a backup of www .*there are: {first}"):
        service.restore("ami-9")


def test_jobs_of_the_member_need_a_word_before_it_is_restored():
    service = Service()
    service.backup()
    world = memory_world(service.cloud)
    world.machines._sections["jobs"] = [{"kind": "cron", "name": "mail"}]
    service.cloud.calls.clear()
    with pytest.raises(PreconditionFailed, match=r"cron mail.*--jobs-may-run-twice"):
        MemorySteps("r").tell(try_backup, world, RestoreRequest("www"))
    with pytest.raises(PreconditionFailed, match=r"cron mail.*--jobs-may-run-twice"):
        MemorySteps("b").tell(backup, world, BackupRequest("www", test=True))
    assert service.cloud.writes == []
    accepted = RestoreRequest("www", jobs_may_run_twice=True)
    assert MemorySteps("r").tell(try_backup, world, accepted).problem == ""


# What is left ---------------------------------------------------------------------------------------


def test_a_backup_is_nothing_that_its_run_left_and_an_unfinished_one_is():
    service = Service()
    service.backup()
    states = {"pair-0": "done", "backup-1": "done"}

    def troubles():
        found = find_troubles(memory_world(service.cloud), states, lambda _run: nobody(), mends=False)
        return [one.says for one in found]

    assert troubles() == []
    for one in (*service.images(), *(one.id for one in service.cloud.snapshots(TAG_BACKUP))):
        unmarked(service.cloud, one)
    assert ["backup-1" in one for one in troubles()] == [True]


class nobody:  # noqa: N801 - as a context, it reads as what it says
    def __enter__(self):
        return True

    def __exit__(self, *_):
        return None


def test_undoing_a_backup_takes_what_it_made_and_not_before_it_gave_the_member_back():
    service = Service()
    before = service.cloud.images(TAG_RUN)
    steps = MemorySteps("backup-1", "before wait until it passes its status checks")
    with pytest.raises(Killed):
        steps.tell(backup, memory_world(service.cloud), BackupRequest("www"))
    request = DiscardRequest("backup-1")
    with pytest.raises(PreconditionFailed, match=r"has not given i-.* back yet"):
        MemorySteps("d").tell(discard, memory_world(service.cloud), request)
    service.backup(steps=steps)
    result = MemorySteps("discard-1").tell(discard, memory_world(service.cloud), request)
    assert len(result.removed) == 2
    assert service.cloud.images(TAG_RUN) == before
    with pytest.raises(PreconditionFailed, match="nothing of backup-1 is left"):
        MemorySteps("discard-2").tell(discard, memory_world(service.cloud), request)
    service.assert_whole()


@pytest.mark.parametrize(
    ("procedure", "state", "error"),
    [
        ("backup", "done", None),
        ("test-backup", "failed", None),
        ("backup", "running", PreconditionFailed),
        ("take", "done", UsageError),
    ],
)
def test_what_is_taken_back_is_a_backup_or_its_test_that_does_not_live(procedure, state, error):
    run = Run("run-1", procedure, {}, state, 0.0, 0.0)
    if error is None:
        assert discard_request(run) == DiscardRequest("run-1")
    else:
        with pytest.raises(error):
            discard_request(run)


def test_the_list_says_of_each_how_old_it_is_and_whether_it_can_be_restored():
    found = [
        replace(known("ami-b", 90_000.0), tested="2026-01-02T03:04:05Z restored in 7 s"),
        known("ami-a", 1.0, state="pending"),
        known("ami-c", 0.0),
    ]
    lines = backups_text("www", found, 100_000.0).splitlines()
    assert [line.split()[:2] for line in lines[1:3]] == [["ami-b", "3"], ["ami-a", "1"]]
    assert "tested 2026-01-02T03:04:05Z restored in 7 s" in lines[1]
    assert "unfinished" in lines[3]
    assert "take one: nospof maintain backup www" in backups_text("www", found[1:], 1.0)
    assert backups_text("www", [], 1.0) == "www has no backup; take one: nospof maintain backup www"
