"""The registry is whole, and a story that changes its steps changes SCHEMA.

A run is resumed by its recorded steps, so each schema's listing below is history: a change of steps
needs a new SCHEMA and a new listing, never a change of an old one.
"""

import dataclasses
from contextlib import contextmanager, nullcontext

import pytest

from nospof.errors import PreconditionFailed, UsageError
from nospof.model.applying import ApplyRequest
from nospof.model.backups import TAG_BACKUP, BackupRequest, DiscardRequest, RestoreRequest
from nospof.model.cloud import TAG_TWIN_OF
from nospof.model.layout import TAG_ARBITRATOR, TAG_DATA
from nospof.model.maintaining import BackRequest, RunRequest
from nospof.model.plans import Plan
from nospof.model.requests import (
    CloneRequest,
    CutOverRequest,
    DrillRequest,
    PairRequest,
    RejoinRequest,
    RollbackRequest,
    TakeRequest,
    UndoRequest,
)
from nospof.model.runs import Run
from nospof.planning.data import PORTS
from nospof.procedures.guarantee import promise
from nospof.procedures.pair import pair
from nospof.procedures.registry import PLANNED_RUN, PROCEDURES, SCHEMA
from nospof.runtime.memory import MemorySteps
from nospof.services import procedures as service
from support.memory_world import (
    EFS,
    UPLOADS,
    have_efs,
    keep_data,
    keep_files,
    memory_world,
    one_instance,
    stick,
)
from support.names import moved, paired_with_names
from support.undoing import told

CLONE = [
    "look at the instance and what surrounds it",
    "ask the cloud whether it would allow each call",
    "promise that the source comes back",
    "take the image with the source off",
    "wait until the source answers again",
    "wait until the source passes its status checks",
    "release the promise",
    "wait until the image is available",
    "launch the twin",
]
PAIR = [
    "look at the service and what surrounds it",
    "ask the cloud whether it would allow each call of the pair",
    "wait until the twin passes its status checks",
    "create the balancer's security group",
    "let clients reach the balancer",
    "let the balancer reach the instances",
    "create the target group",
    "create the load balancer",
    "wait until the balancer is active",
    "create the listener",
    "register the twin",
    "wait until the balancer finds the twin healthy",
    "ask the twin for a page",
    "register the source",
    "wait until the balancer finds both healthy",
    "mark both as members of the service",
    "watch the pair serve",
]
HISTORY = {
    "1": {
        "clone": CLONE,
        "clone in the same zone": [*CLONE[:2], "create the spread placement group", *CLONE[2:]],
        "clone of a source that is off": [CLONE[0], CLONE[1], CLONE[3], CLONE[7], CLONE[8]],
        "pair": [*PAIR[:2], *CLONE, *PAIR[2:]],
        "pair with a twin": PAIR,
        "take": [
            "look at the member and those beside it",
            "promise that the member comes back",
            "drain it from every group it serves in",
            "stop it and start it on other hardware",
            "wait until it passes its status checks",
            "wait until it answers on port 80",
            "put it back into nospof-www",
            "wait until nospof-www finds it healthy",
            "release the promise",
            "see which events are left",
            "note the time",
        ],
        "drill": [
            "look at the service",
            "see whether this fault can be put here",
            "promise that the member comes back",
            "load the service and stop MEMBER",
            "bring the member back",
            "wait until it passes its status checks",
            "wait until all members are healthy",
            "release the promise",
        ],
    },
}
UNDO = [
    "look at what the run made and who uses it",
    "ask the cloud whether it would allow each call",
    "promise that the source stays on",
    "have the source serve",
    "drain everybody else",
    "delete the load balancer",
    "delete the target group",
    "close the instances to the balancer",
    "give the members the marks they had",
    "terminate the twin",
    "deregister the image",
    "delete its snapshots",
    "delete the placement group",
    "delete the balancer's security group",
    "release the promise",
]
ASKED = "ask the cloud whether it would allow each call"
HISTORY["2"] = HISTORY["1"] | {
    "take": [HISTORY["1"]["take"][0], ASKED, *HISTORY["1"]["take"][1:]],
    "drill": [*HISTORY["1"]["drill"][:2], ASKED, *HISTORY["1"]["drill"][2:]],
    "undo of a clone": [*UNDO[:3], *UNDO[9:12], UNDO[14]],
    "undo of a clone in the same zone": [*UNDO[:3], *UNDO[9:13], UNDO[14]],
    "undo of a pair": [*UNDO[:12], *UNDO[13:]],
}
HISTORY["3"] = HISTORY["2"] | {
    "cut-over": [
        "look at the pair and the names that lead to it",
        ASKED,
        "measure how the names are served now",
        "note the record of each name, and what it becomes",
        "let www.example.org be remembered for 60 s",
        "wait until that is answered everywhere",
        "wait until nobody remembers it longer",
        "lead 100 % of www.example.org to the balancer",
        "wait until 100 % is answered everywhere",
        "watch the pair serve 100 %",
    ],
    "rollback": [
        "look where the names lead and how the old address serves",
        ASKED,
        "put www.example.org back",
        "wait until the old address is answered everywhere",
        "wait until nobody remembers the balancer",
    ],
}
HISTORY["4"] = HISTORY["3"] | {
    "rollback": [*HISTORY["3"]["rollback"][:2], "put the names back", *HISTORY["3"]["rollback"][3:]],
}
KEPT = [
    "mark what keeps its data",
    "have the source's database be a cluster of one",
]
JOINED = [
    "launch the arbitrator",
    "open the members to each other",
    "wait until the arbitrator passes its status checks",
    "give the arbitrator its vote",
    "tell the source who its partners are",
    "let the twin join",
    "wait until the twin's data is in step",
    "mark what keeps the twin's data",
]
HISTORY["5"] = HISTORY["4"] | {
    "pair whose data is kept in step": [
        *PAIR[:2],
        *CLONE[:2],
        *KEPT,
        *CLONE[2:],
        PAIR[2],
        *JOINED,
        *PAIR[3:],
    ],
    "pair whose files are on EFS": [
        *PAIR[:2],
        *CLONE[:2],
        "copy its files to EFS while it serves",
        "have its files be on EFS",
        "mark where its files are",
        *CLONE[2:],
        PAIR[2],
        "have the twin's files be on EFS",
        "mark where the twin's files are",
        *PAIR[3:],
    ],
    "undo of a pair whose files are on EFS": [
        *UNDO[:5],
        "have the twin write to EFS no more",
        "copy the files of MEMBER home while it serves",
        "have the files of MEMBER be its own again",
        "take off MEMBER the mark of where its files are",
        *UNDO[5:12],
        *UNDO[13:],
    ],
    "take of a member whose files are on EFS": [
        *HISTORY["4"]["take"][:6],
        "wait until it has its files",
        *HISTORY["4"]["take"][6:],
    ],
    "undo of a pair whose data is kept in step": [
        *UNDO[:5],
        "have the source take the writes",
        "give the source its plain database back",
        "give tables back what they were",
        "take off the mark of what kept its data",
        *UNDO[5:12],
        *UNDO[13:],
    ],
    "rejoin": [
        "look who keeps the data",
        "look who of them is off or hangs",
        ASKED,
        "read who belongs together",
        "wait whether they find each other",
        "ask each how far its data is",
        "have MEMBER begin",
        "have ARBITRATOR join",
        "have TWIN join",
        "wait until all of it is in step",
    ],
    "take of a member whose data is kept in step": [
        *HISTORY["4"]["take"][:3],
        "have another member take its writes",
        *HISTORY["4"]["take"][3:6],
        "wait until its data is in step",
        *HISTORY["4"]["take"][6:],
    ],
    "take of a member whose files are shared": [
        *HISTORY["4"]["take"][:4],
        "have others have all of its files",
        *HISTORY["4"]["take"][4:6],
        "wait until its files are in step",
        *HISTORY["4"]["take"][6:],
    ],
    "drill of a service whose files are shared": [
        *HISTORY["4"]["drill"][:7],
        "wait until its files are in step",
        *HISTORY["4"]["drill"][7:],
    ],
    "drill of a service whose data is kept in step": [
        *HISTORY["4"]["drill"][:7],
        "wait until its data is in step",
        *HISTORY["4"]["drill"][7:],
    ],
}
BACKUP = [
    "choose the member that is copied",
    "look at the member and those beside it",
    "look at the backups there are",
    ASKED,
    "promise that the member comes back",
    "drain it from every group it serves in",
    "take the image with its writes held",
    *HISTORY["1"]["take"][4:9],
    "note the time",
    "wait until the backup can be restored",
    "take away what attempts that failed have left",
    "look at the backups once more",
]
RESTORED = [
    "make a security group that lets nobody in",
    "note when the restoration began",
    "launch a machine from the backup",
    "wait until that machine passes its status checks",
    "compare how far its database is",
    "have its database be a plain server",
    "note when it was restored",
    "read all of its tables",
    "note when they were read",
    "terminate that machine",
    "delete its security group",
    "mark the backup with what came of it",
]
HISTORY["6"] = HISTORY["5"] | {
    "backup": BACKUP,
    "backup whose data is kept in step": [
        *BACKUP[:5],
        "have another member take its writes",
        BACKUP[5],
        "take the image with its database at rest",
        BACKUP[7],
        "wait until its data is in step",
        *BACKUP[8:],
        *RESTORED,
        "delete the backup BACKUP",
    ],
    "test-backup": ["look at the backup and where it can be restored", ASKED, *RESTORED],
    "discard": [
        "look at what the run made",
        ASKED,
        "take away the images it made",
        "take away the snapshots it made",
    ],
}


OUT = [
    "see that it may leave its service",
    "promise that the member comes back",
    "drain it from every group it serves in",
]
BACK = [
    *HISTORY["4"]["take"][5:10],
    "see which events are left",
    "note the time",
]
MOVED = "stop it and start it on other hardware"
APPLIED = [*OUT, "see whether it is still announced", MOVED, *BACK]
LOOKED = ["look at the service and what is announced for it", ASKED]


def of(who, names):
    return [f"{name}: {who}" for name in names]


HISTORY["6"] |= {
    "apply": [*LOOKED, *of("MEMBER", APPLIED), *of("TWIN", APPLIED)],
    "apply by a reboot": [
        *LOOKED,
        *of("MEMBER", [*APPLIED[:4], "reboot it", "see whether that was enough", *APPLIED[4:]]),
    ],
    "apply by AWS": [
        *LOOKED,
        *of("MEMBER", ["wait until AWS is about to begin", *OUT]),
        *of("MEMBER", ["wait until AWS has done it", "see that it comes back", *BACK]),
    ],
}


RUN = [
    "promise that the member comes back",
    "drain it from every group it serves in",
    "take an image of it while it is off",
    "wait until its image is available",
    "have it do the command",
    "reboot it",
    "wait until it passes its status checks",
    "wait until it answers on port 80",
    "put it back into nospof-www",
    "wait until nospof-www finds it healthy",
    "release the promise",
    "note the time",
]
HISTORY["6"] |= {
    "maintain-run": [
        "look at the members and those beside them",
        ASKED,
        *(f"{one}: MEMBER" for one in RUN),
        *(f"{one}: TWIN" for one in RUN),
    ],
}


RETURN = [
    *RUN[:2],
    "give it the root volume of its image",
    *RUN[6:],
]
HISTORY["6"] |= {
    "maintain-back": [
        "look at the members and their images",
        ASKED,
        *(f"{one}: MEMBER" for one in RETURN),
    ],
}


class Unloaded(MemorySteps):
    """A journal that notes the step which loads a service and does not do it: memory carries no load."""

    def do(self, name, function, *args, **kwargs):
        if name.startswith("load the service"):
            return super().do(name, lambda: None)
        return super().do(name, function, *args, **kwargs)


def switched_off():
    cloud = one_instance()
    cloud.stop_instance(cloud.the_instance.id)
    cloud.clock.sleep(60)
    cloud.settle()
    return cloud


def paired():
    cloud = one_instance()
    MemorySteps("before").tell(
        pair, memory_world(cloud), PairRequest(cloud.the_instance.id, service="www", stateless=True)
    )
    cloud.announce(cloud.the_instance.id)
    return cloud


def both_announced():
    cloud = paired()
    (twin,) = cloud.instances(TAG_TWIN_OF)
    cloud.announce(twin.id)
    return cloud


def with_twin():
    cloud = one_instance()
    request = CloneRequest(cloud.the_instance.id)
    MemorySteps("before").tell(PROCEDURES["clone"].story, memory_world(cloud), request)
    return cloud


def made(procedure, **asked):
    def build():
        cloud = one_instance(zone_count=1 if asked else 3)
        told(cloud, procedure, "run-0", **asked)
        source = cloud.the_instance  # It came back outside its placement group, where there is one.
        cloud._instances[source.id] = dataclasses.replace(source, placement_group="")
        return cloud

    return build


def with_data():
    cloud = one_instance()
    keep_data(cloud)
    return cloud


def made_with_data():
    cloud = with_data()
    told(cloud, "pair", "run-0", stateless=False)
    return cloud


def paired_with_data():
    cloud = made_with_data()
    cloud.announce(cloud.the_instance.id)
    return cloud


def paired_with_files():
    cloud = one_instance()
    keep_files(cloud)
    told(cloud, "pair", "run-0", stateless=False, sync=UPLOADS)
    cloud.announce(cloud.the_instance.id)
    return cloud


def with_files_to_move():
    cloud = one_instance()
    keep_files(cloud)
    have_efs(cloud)
    return cloud


def paired_on_efs():
    cloud = with_files_to_move()
    told(cloud, "pair", "run-0", stateless=False, efs=EFS)
    cloud.announce(cloud.the_instance.id)
    return cloud


def both_stuck():
    cloud = made_with_data()
    for member in cloud.instances(TAG_DATA):
        stick(cloud, member.id)
    return cloud


def backed_up():
    cloud = made_with_data()
    request = BackupRequest("www", cloud.the_instance.id)
    MemorySteps("backup-0").tell(PROCEDURES["backup"].story, memory_world(cloud), request)
    return cloud


def with_images_to_go_back_to():
    cloud = paired()
    request = RunRequest("www", "true")
    MemorySteps("run-0").tell(PROCEDURES["maintain-run"].story, memory_world(cloud), request)
    return cloud


OF_PAIR = {"run_id": "run-0", "service": "www", "clients_are_back": True}
SITUATIONS = {
    "clone": (one_instance, CloneRequest, {}),
    "clone in the same zone": (lambda: one_instance(zone_count=1), CloneRequest, {"same_zone": True}),
    "clone of a source that is off": (switched_off, CloneRequest, {}),
    "pair": (one_instance, PairRequest, {"stateless": True}),
    "pair with a twin": (with_twin, PairRequest, {"stateless": True}),
    "pair whose data is kept in step": (with_data, PairRequest, {"service": "www"}),
    "undo of a pair whose data is kept in step": (
        made_with_data,
        UndoRequest,
        {**OF_PAIR, "ports_opened": PORTS["galera"]},
    ),
    "pair whose files are on EFS": (with_files_to_move, PairRequest, {"service": "www", "efs": EFS}),
    "undo of a pair whose files are on EFS": (paired_on_efs, UndoRequest, OF_PAIR),
    "take of a member whose files are on EFS": (paired_on_efs, TakeRequest, {}),
    "take": (paired, TakeRequest, {}),
    "take of a member whose data is kept in step": (paired_with_data, TakeRequest, {}),
    "take of a member whose files are shared": (paired_with_files, TakeRequest, {}),
    "drill of a service whose files are shared": (
        paired_with_files,
        DrillRequest,
        {"service": "www", "fault": "stop"},
    ),
    "drill of a service whose data is kept in step": (
        paired_with_data,
        DrillRequest,
        {"service": "www", "fault": "stop"},
    ),
    "apply": (both_announced, ApplyRequest, {"service": "www"}),
    "apply by a reboot": (paired, ApplyRequest, {"service": "www", "by": "reboot"}),
    "apply by AWS": (paired, ApplyRequest, {"service": "www", "by": "aws"}),
    "maintain-run": (paired, RunRequest, {"service": "www", "command": "true", "reboot": True}),
    "maintain-back": (with_images_to_go_back_to, BackRequest, {"run_id": "run-0"}),
    "rejoin": (both_stuck, RejoinRequest, {"service": "www"}),
    "undo of a clone": (made("clone"), UndoRequest, {"run_id": "run-0"}),
    "undo of a clone in the same zone": (made("clone", same_zone=True), UndoRequest, {"run_id": "run-0"}),
    "undo of a pair": (made("pair"), UndoRequest, OF_PAIR),
    "cut-over": (paired_with_names, CutOverRequest, {"service": "www", "steps": (100,)}),
    "rollback": (lambda: moved()[0], RollbackRequest, {"run_id": "cut-over-1", "moves": moved()[1].moves}),
    "drill": (paired, DrillRequest, {"service": "www", "fault": "stop"}),
    "backup": (paired, BackupRequest, {"service": "www"}),
    "backup whose data is kept in step": (
        backed_up,
        BackupRequest,
        {"service": "www", "test": True, "keep": 1},
    ),
    "test-backup": (backed_up, RestoreRequest, {"service": "www"}),
    "discard": (backed_up, DiscardRequest, {"run_id": "backup-0"}),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_steps_of_a_story_are_those_of_its_schema(situation):
    build, request_type, asked = SITUATIONS[situation]
    cloud = build()
    member = cloud.the_instance.id
    steps = Unloaded("run-1")
    story = PROCEDURES[situation.split()[0]].story
    subject = {} if "instance_id" not in request_type.__dataclass_fields__ else {"instance_id": member}
    before = cloud.images(TAG_BACKUP)
    steps.tell(story, memory_world(cloud), request_type(**subject, **asked))
    others = ((TAG_TWIN_OF, "TWIN"), (TAG_ARBITRATOR, "ARBITRATOR"))
    backups = {one.id: "BACKUP" for one in before}
    names = (
        backups | {one.id: name for tag, name in others for one in cloud.instances(tag)} | {member: "MEMBER"}
    )
    said = [" ".join(names.get(word, word) for word in name.split(" ")) for name in steps.names]
    assert said == HISTORY[SCHEMA][situation]


def test_every_procedure_has_a_listing_of_its_steps():
    assert {situation.split()[0] for situation in SITUATIONS} == set(PROCEDURES)
    assert SITUATIONS.keys() == HISTORY[SCHEMA].keys()


@pytest.mark.parametrize("name", PROCEDURES)
def test_every_procedure_is_known_by_its_own_name_and_says_what_it_promises(name):
    procedure = PROCEDURES[name]
    assert procedure.name == name
    assert "when this ends" in procedure.guarantee or "throughout" in procedure.guarantee
    assert "Guarantee:" in (procedure.story.__doc__ or "")


@pytest.mark.parametrize("name", PROCEDURES)
def test_every_request_is_frozen_and_names_the_instance_or_for_names_the_service(name):
    kind = PROCEDURES[name].request_type
    of_service = ("apply", "backup", "cut-over", "maintain-run", "rejoin", "rollback", "test-backup")
    of_run = ("discard", "maintain-back")
    subject = "service" if name in of_service else "run_id" if name in of_run else "instance_id"
    assert subject in {field.name for field in dataclasses.fields(kind)}
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(kind("i-1"), subject, "i-2")


def test_a_plan_shows_a_stand_in_where_the_runs_id_will_be():
    cloud = one_instance()
    plan = service.plan(memory_world(cloud), "clone", CloneRequest(cloud.the_instance.id))
    assert isinstance(plan, Plan)
    assert plan.details["image name"] == f"nospof-{PLANNED_RUN}"


def test_the_plan_of_a_pair_without_a_twin_begins_with_the_clone():
    cloud = one_instance()
    world = memory_world(cloud)
    whole = service.plan(world, "pair", PairRequest(cloud.the_instance.id, stateless=True))
    first = service.plan(world, "clone", CloneRequest(cloud.the_instance.id))
    assert whole.calls[: len(first.calls)] == first.calls
    assert len(whole.calls) > len(first.calls)
    assert set(first.warnings) <= set(whole.warnings)
    assert whole.says.startswith(first.says)
    assert first.guarantee in whole.guarantee
    assert whole.expected_seconds_off == first.expected_seconds_off
    assert cloud.writes == []


def test_the_plan_of_a_pair_refuses_what_its_clone_would_refuse():
    cloud = one_instance()
    cloud.protect_from_stop(cloud.the_instance.id, on=True)
    with pytest.raises(PreconditionFailed, match="disableApiStop"):
        service.plan(memory_world(cloud), "pair", PairRequest(cloud.the_instance.id, stateless=True))


def test_a_procedure_without_a_plan_says_so():
    cloud = one_instance()
    with pytest.raises(UsageError, match="take has no plan to show"):
        service.plan(memory_world(cloud), "take", TakeRequest(cloud.the_instance.id))


class Told:
    """The services' runtime on journals in memory; remembers in which state it found the instance."""

    def __init__(self, cloud):
        self._cloud, self.found, self.told, self.places = cloud, [], {}, {}

    def run(self, procedure, request, run_id, place):
        self.told[run_id], self.places[run_id] = (procedure, request), place
        return self.resume(run_id)

    def resume(self, run_id, *, take_over=False):
        procedure, request = self.told[run_id]
        self.found.append(self._cloud.the_instance.state)
        return MemorySteps(run_id).tell(PROCEDURES[procedure].story, memory_world(self._cloud), request)


class Began:
    """The journal, as far as it says where a run began, and which others there are."""

    def __init__(self, place, *others):
        self._place = place
        self._others = others

    def runs(self):
        return self._others

    def run(self, run_id):
        return Run(run_id, "clone", {}, "interrupted", 0.0, 0.0, place=self._place)


def left_off(cloud):
    """Leave the instance as a run that was killed leaves it."""
    promise(memory_world(cloud), cloud.the_instance.id, "dead-run")
    cloud.stop_instance(cloud.the_instance.id)
    cloud.clock.sleep(60)
    cloud.settle()


def dead(_run_id):
    return nullcontext(True)


def test_what_dead_runs_promised_is_kept_before_a_run_begins_and_before_one_is_resumed():
    cloud = one_instance()
    runtime = Told(cloud)
    left_off(cloud)
    request = CloneRequest(cloud.the_instance.id)
    outcome = service.run(memory_world(cloud), runtime, dead, "clone", request)
    assert outcome.result.twin.state == "running"
    assert "its run dead-run is not alive" in outcome.kept[0]
    left_off(cloud)
    runs = Began(runtime.places[outcome.run_id])
    resumed = service.resume(memory_world(cloud), runtime, runs, dead, outcome.run_id)
    assert resumed.run_id == outcome.run_id
    assert "its run dead-run is not alive" in resumed.kept[0]
    assert runtime.found == ["running", "running"]


def test_a_run_that_began_elsewhere_is_not_resumed_here_and_nothing_is_touched():
    cloud = one_instance()
    left_off(cloud)
    cloud.calls.clear()
    elsewhere = Began("999999999999/eu-west-1")
    with pytest.raises(PreconditionFailed, match=r"999999999999/eu-west-1.*Nothing was changed"):
        service.resume(memory_world(cloud), Told(cloud), elsewhere, dead, "run-1")
    assert cloud.writes == []


@pytest.mark.parametrize(("state", "is_over"), [("done", True), ("interrupted", True), ("refused", False)])
def test_a_run_that_is_taken_apart_cannot_go_on(state, is_over):
    cloud = one_instance()
    runtime = Told(cloud)
    outcome = service.run(memory_world(cloud), runtime, dead, "clone", CloneRequest(cloud.the_instance.id))
    undo = Run("undo-1", "undo", {"run_id": outcome.run_id}, state, 0.0, 0.0)
    runs = Began(runtime.places[outcome.run_id], undo)
    cloud.calls.clear()
    with pytest.raises(PreconditionFailed, match="undo-1") if is_over else nullcontext():
        service.resume(memory_world(cloud), runtime, runs, dead, outcome.run_id)
    assert len(runtime.found) == (1 if is_over else 2)


def test_nobody_resumes_a_run_while_it_is_undone_and_one_that_is_worked_on_is_not_undone():
    cloud, held = one_instance(), []

    @contextmanager
    def claim(run_id):
        held.append(run_id)
        yield True
        held.remove(run_id)

    class Watched(Told):
        def resume(self, run_id, *, take_over=False):
            assert held == ([] if run_id.startswith("clone") else ["run-0"])
            return super().resume(run_id)

    request = told(cloud, "clone", "run-0")
    service.run(memory_world(cloud), Watched(cloud), claim, "undo", request)
    assert len(cloud.instances()) == 1

    request = told(cloud, "clone", "run-9")
    cloud.calls.clear()
    with pytest.raises(PreconditionFailed, match="another process works on run-9"):
        service.run(memory_world(cloud), Told(cloud), lambda _run: nullcontext(False), "undo", request)
    assert cloud.writes == []


def test_keeping_alone_says_what_was_done():
    cloud = one_instance()
    left_off(cloud)
    assert len(service.keep(memory_world(cloud), dead)) == 1
    assert service.keep(memory_world(cloud), dead) == ()


def test_a_promise_stands_until_it_is_kept():
    cloud = one_instance()
    left_off(cloud)
    assert service.is_promised(memory_world(cloud), "dead-run")
    assert not service.is_promised(memory_world(cloud), "another-run")
    service.keep(memory_world(cloud), dead)
    assert not service.is_promised(memory_world(cloud), "dead-run")


def test_run_ids_sort_by_time_name_their_procedure_and_are_nobody_elses():
    first, second = service.new_run_id("clone", 1e9), service.new_run_id("clone", 1e9)
    later = service.new_run_id("clone", 1e9 + 1)
    assert first.startswith("clone-20010909-014640-")
    assert first != second
    assert max(first, second) < later
