"""The procedures as cases of going wrong: a world, a story, its request, and what must be so afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from nospof.adapters.memory import MemoryCloud, MemoryProbe, MemoryService
from nospof.adapters.memory.machines import Disk
from nospof.model.applying import ApplyRequest
from nospof.model.auto_scaling import HEALTHY
from nospof.model.backups import (
    TAG_BACKUP,
    TAG_ENGINE,
    TAG_TAKEN,
    BackupRequest,
    DiscardRequest,
    RestoreRequest,
)
from nospof.model.cloud import (
    TAG_CONSISTENCY,
    TAG_GUARANTEE,
    TAG_RUN,
    TAG_SUSPENDED,
    TAG_TWIN_OF,
    Tags,
)
from nospof.model.layout import TAG_DATA, Obstacle
from nospof.model.maintaining import TAG_BACK, BackRequest, RunRequest
from nospof.model.requests import CloneRequest, PairRequest, RejoinRequest, TakeRequest
from nospof.planning.clone import image_name_of
from nospof.procedures.clone import url_of
from nospof.procedures.off_section import NO_ROOM_SECONDS
from nospof.procedures.registry import PROCEDURES
from nospof.runtime.memory import MemorySteps
from support.boundaries import STALE_SECONDS
from support.certificates import memory_certificate
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
from support.names import cut_over_request, moved, paired_with_names, record_of
from support.standing import put_behind, put_behind_classic
from support.undoing import things, told

TOKEN = "run-1"


@dataclass(frozen=True)
class Case:
    """A procedure about to begin.

    Args:
        grown: how many twins with their image, and how many ways in, there are more at the end.
        always_serves: whether the service must answer at every moment, somewhere.
        leaves: all that is there at the end, where that is told as a whole.
        suspended: of its Auto Scaling group's processes, before and afterwards.
        state: of the source, before and afterwards.
        is_at_rest: whether the image is to be one of a disk that nobody writes to.
        names: how each name of the zone Z1 stands at the end: "before" or "moved"; it is answered throughout.
        keeps: how many have the data at the end, 0 where there is none, and how many voters more there are.
        shares: likewise how many have all uploads.
        images: how many more there are without a twin, each of a member whose disks were at rest.
        does: what each member is to have done, once.
    """

    procedure: str
    cloud: MemoryCloud
    request: Any
    grown: tuple[int, int]
    always_serves: bool = False
    is_protected: bool = False
    suspended: tuple[str, ...] = ()
    state: str = "running"
    is_at_rest: bool = True
    leaves: dict[str, Any] | None = None
    names: str = ""
    keeps: tuple[int, int] = (0, 0)
    shares: int = 0
    images: int = 0
    does: str = ""

    @property
    def story(self) -> Callable[..., Any]:
        return PROCEDURES[self.procedure].story


def clone_case() -> Case:
    cloud = one_instance()
    return Case("clone", cloud, CloneRequest(cloud.the_instance.id), (1, 0))


def dead_man_case() -> Case:
    case = clone_case()
    case.cloud.add_role()
    return replace(case, request=replace(case.request, dead_man_seconds=900))


def same_zone_case() -> Case:
    cloud = one_instance(zone_count=1)
    return Case("clone", cloud, CloneRequest(cloud.the_instance.id, same_zone=True), (1, 0))


def protected_case() -> Case:
    case = clone_case()
    case.cloud.protect_from_stop(case.request.instance_id, on=True)
    return replace(case, request=replace(case.request, override_stop_protection=True), is_protected=True)


def member_case() -> Case:
    # The group had one process suspended before, by its owner: that one stays so.
    case = clone_case()
    case.cloud.join_auto_scaling_group(case.request.instance_id, "web", suspended=("AZRebalance",))
    request = replace(case.request, suspend_auto_scaling=True)
    return replace(case, request=request, suspended=("AZRebalance",))


def other_type_case() -> Case:
    case = clone_case()
    source = case.cloud.the_instance
    case.cloud.full.add((source.type, source.zone))
    request = replace(case.request, or_types="t3.medium", or_type_for_source=True)
    return replace(case, request=request)


def no_room_case() -> Case:
    # There is room again only after the run has given up on it and made the twin.
    case = clone_case()
    source = case.cloud.the_instance
    case.cloud.full.add((source.type, source.zone))
    case.cloud.later(NO_ROOM_SECONDS + 30, case.cloud.full.clear)
    return case


def off_case() -> Case:
    # Two disks with tags of their own and traffic that is passed on: what no launch gives the twin.
    cloud = one_instance(disks=(Disk("/dev/sda1", 8), Disk("/dev/sdf", 100)))
    source = cloud.the_instance
    cloud.tag(source.attachments[1].volume_id, {"Name": "data"})
    cloud.check_source_and_destination(source.id, on=False)
    cloud.stop_instance(source.id)
    cloud.clock.sleep(cloud.timings.stopping)
    return Case("clone", cloud, CloneRequest(source.id), (1, 0), state="stopped")


def full_zone_case() -> Case:
    # Taken up again, it meets a zone that has room by now.
    case = off_case()
    case.cloud.fail("launch", "InsufficientInstanceCapacity")
    return case


def live_case() -> Case:
    case = protected_case()  # It is never stopped, so nothing is lifted.
    return replace(case, request=CloneRequest(case.request.instance_id, live=True), is_at_rest=False)


def held_case() -> Case:
    case = clone_case()
    case.cloud.manage(case.request.instance_id, "MariaDB")
    return replace(case, request=replace(case.request, live=True), is_at_rest=False)


def pair_case() -> Case:
    cloud = one_instance()
    return Case("pair", cloud, PairRequest(cloud.the_instance.id, service="www", stateless=True), (1, 1))


def pair_with_a_twin_case() -> Case:
    case = clone_case()
    MemorySteps("before").tell(case.story, memory_world(case.cloud), case.request)
    request = PairRequest(case.request.instance_id, service="www", stateless=True)
    return Case("pair", case.cloud, request, (0, 1), always_serves=True)


def join_case() -> Case:
    case = pair_case()
    put_behind(case.cloud)
    put_behind_classic(case.cloud)
    return replace(case, grown=(1, 0))


def join_with_a_twin_case() -> Case:
    case = pair_with_a_twin_case()
    put_behind(case.cloud, by_address=True)
    return replace(case, grown=(0, 0))


def pair_behind_tls_case() -> Case:
    case = pair_with_a_twin_case()
    memory_certificate(case.cloud, "www.example.org")
    request = replace(case.request, certificate="auto", names="www.example.org")
    return replace(case, request=request)


def pair_with_data_case(engine: str = "mariadb") -> Case:
    case = pair_case()
    keep_data(case.cloud, engine, Obstacle("key", "shop.cart", "shop.cart has no primary key", "table"))
    request = PairRequest(case.request.instance_id, service="www", mend_tables=True)
    return replace(case, request=request, keeps=(2, 1))


def pair_with_files_case() -> Case:
    case = pair_case()
    keep_files(case.cloud)
    request = PairRequest(case.request.instance_id, service="www", sync=UPLOADS)
    return replace(case, request=request, shares=2)


def undo_with_files_case() -> Case:
    case = pair_with_files_case()
    leaves = things(case.cloud)
    request = told(case.cloud, "pair", "run-0", stateless=False, sync=UPLOADS)
    return Case("undo", case.cloud, request, (-1, -1), leaves=leaves, shares=1)


def pair_on_efs_case() -> Case:
    case = pair_with_files_case()
    have_efs(case.cloud)
    return replace(case, request=replace(case.request, sync="", efs=EFS))


def undo_on_efs_case() -> Case:
    case = pair_on_efs_case()
    leaves = things(case.cloud)
    request = told(case.cloud, "pair", "run-0", stateless=False, efs=EFS)
    return Case("undo", case.cloud, request, (-1, -1), leaves=leaves, shares=1)


def rejoin_case() -> Case:
    # The newest writes are on one of them only, and nobody takes more.
    case = pair_with_data_case()
    told(case.cloud, "pair", "run-0", stateless=False, mend_tables=True)
    for member in sorted((one.id for one in case.cloud.instances(TAG_DATA)), reverse=True):
        case.cloud.write(member, "newest")
        stick(case.cloud, member)
    return Case("rejoin", case.cloud, RejoinRequest("www"), (0, 0), keeps=(2, 0))


def undo_with_data_case() -> Case:
    case = pair_with_data_case("postgresql")
    leaves = things(case.cloud)
    asked = {"stateless": False, "mend_tables": True}
    request = told(case.cloud, "pair", "run-0", **asked)
    return Case("undo", case.cloud, request, (-1, -1), leaves=leaves, keeps=(1, -1))


def take_case() -> Case:
    case = pair_case()
    MemorySteps("before").tell(case.story, memory_world(case.cloud), case.request)
    case.cloud.announce(case.request.instance_id)
    return Case("take", case.cloud, TakeRequest(case.request.instance_id), (0, 0), always_serves=True)


def backup_with_data_case() -> Case:
    case = pair_with_data_case()
    told(case.cloud, "pair", "run-0", stateless=False, mend_tables=True)
    asked = BackupRequest("www", case.request.instance_id, keep=1)
    MemorySteps("backup-0").tell(PROCEDURES["backup"].story, memory_world(case.cloud), asked)
    return Case("backup", case.cloud, asked, (0, 0), always_serves=True, is_at_rest=False, keeps=(2, 0))


def restore_case() -> Case:
    case = backup_with_data_case()
    return replace(case, procedure="test-backup", request=RestoreRequest("www"))


def discard_case() -> Case:
    case = backup_with_data_case()
    request = DiscardRequest("backup-0")
    return replace(case, procedure="discard", request=request, grown=(-1, 0), keeps=(2, 1))


def apply_case() -> Case:
    case = take_case()
    (twin,) = case.cloud.instances(TAG_TWIN_OF)
    case.cloud.announce(twin.id)
    return replace(case, procedure="apply", request=ApplyRequest("www"))


def apply_by_reboot_case() -> Case:
    case = pair_with_data_case()
    told(case.cloud, "pair", "run-0", stateless=False, mend_tables=True)
    case.cloud.announce(case.request.instance_id)
    request = ApplyRequest("www", by="reboot")
    return Case("apply", case.cloud, request, (0, 0), always_serves=True, keeps=(2, 0))


def apply_by_aws_case() -> Case:
    case = take_case()
    case.cloud._machines[case.request.instance_id].events = ()
    case.cloud.announce(case.request.instance_id, in_seconds=960)
    return replace(case, procedure="apply", request=ApplyRequest("www", by="aws"))


def run_case() -> Case:
    case = pair_with_data_case()
    told(case.cloud, "pair", "run-0", stateless=False, mend_tables=True)
    return Case(
        "maintain-run",
        case.cloud,
        RunRequest("www", "upgrade", reboot=True),
        (0, 0),
        always_serves=True,
        keeps=(2, 0),
        images=2,
        does="upgrade",
    )


def back_case() -> Case:
    # One of them was broken by it, and is still where it serves.
    case = run_case()
    MemorySteps("run-9").tell(case.story, memory_world(case.cloud), case.request)
    case.cloud.serve(case.cloud.instances("nospof:service")[-1].id, MemoryService(status=500))
    return replace(case, procedure="maintain-back", request=BackRequest("run-9"), images=0)


def undo_case() -> Case:
    cloud = one_instance()
    cloud.protect_from_termination(cloud.the_instance.id)
    leaves = things(cloud)
    return Case("undo", cloud, told(cloud, "pair", "run-0"), (-1, -1), always_serves=True, leaves=leaves)


def undo_of_a_join_case() -> Case:
    cloud = one_instance()
    put_behind_classic(cloud)
    leaves = things(cloud)
    return Case("undo", cloud, told(cloud, "pair", "run-0"), (-1, 0), always_serves=True, leaves=leaves)


def cut_over_case() -> Case:
    cloud = paired_with_names()
    return Case("cut-over", cloud, cut_over_request(), (0, 0), always_serves=True, names="moved")


def rollback_case() -> Case:
    cloud, request = moved()
    return Case("rollback", cloud, request, (0, 0), always_serves=True, names="before")


CASES: dict[str, Callable[[], Case]] = {
    "clone": clone_case,
    "clone with a dead man": dead_man_case,
    "clone in the same zone": same_zone_case,
    "clone of one that is off": off_case,
    "clone of one that is off, where a zone is full": full_zone_case,
    "clone of a protected one": protected_case,
    "clone of a member of a group": member_case,
    "clone of one that is started as another type": other_type_case,
    "clone of one that finds no room": no_room_case,
    "clone of a protected one, live": live_case,
    "clone of one whose writes are held": held_case,
    "pair": pair_case,
    "pair with a twin": pair_with_a_twin_case,
    "pair that joins": join_case,
    "pair with a twin that joins": join_with_a_twin_case,
    "pair whose balancer ends TLS": pair_behind_tls_case,
    "pair whose data is kept in step": pair_with_data_case,
    "undo of a pair whose data is kept in step": undo_with_data_case,
    "pair whose files are kept in step": pair_with_files_case,
    "undo of a pair whose files are kept in step": undo_with_files_case,
    "pair whose files are on EFS": pair_on_efs_case,
    "undo of a pair whose files are on EFS": undo_on_efs_case,
    "rejoin": rejoin_case,
    "take": take_case,
    "backup whose data is kept in step": backup_with_data_case,
    "test of a backup": restore_case,
    "discard": discard_case,
    "apply": apply_case,
    "apply by a reboot, whose data is kept in step": apply_by_reboot_case,
    "apply by AWS": apply_by_aws_case,
    "maintain-run": run_case,
    "maintain-back": back_case,
    "undo": undo_case,
    "undo of a pair that joined": undo_of_a_join_case,
    "cut-over": cut_over_case,
    "rollback": rollback_case,
}


SAMPLED = frozenset(
    {
        "apply",
        "apply by a reboot, whose data is kept in step",
        "apply by AWS",
        "clone of one that is started as another type",
        "clone of one that finds no room",
        "maintain-run",
        "maintain-back",
        "pair whose data is kept in step",
        "backup whose data is kept in step",
        "test of a backup",
        "rejoin",
        "undo of a pair whose data is kept in step",
        "pair whose files are kept in step",
        "undo of a pair whose files are kept in step",
        "pair whose files are on EFS",
        "undo of a pair whose files are on EFS",
    }
)
"""Long cases, of which only the first and the last call of each method are tried."""


def counts(cloud: MemoryCloud) -> tuple[int, int, int, int]:
    """Return how many images of ours, instances, target groups and balancers there are."""
    images = [image for image in cloud._images.values() if image.name.startswith("nospof-")]
    return len(images), len(cloud.instances()), len(cloud.target_groups()), len(cloud.load_balancers())


def tagged_things(cloud: MemoryCloud) -> Iterator[tuple[str, Tags]]:
    """Yield everything that can carry a tag: its id or name, and its tags."""
    for shelf in (cloud._instances, cloud._images, cloud._balancers, cloud._target_groups, cloud._groups):
        yield from ((key, dict(thing.tags)) for key, thing in shelf.items())
    yield from ((key, dict(taken.snapshot.tags)) for key, taken in cloud._snapshots.items())
    yield from cloud._placement_groups.items()


def is_served(cloud: MemoryCloud) -> bool:
    """Whether the service answers at the first instance or through a balancer."""
    urls = [url_of(cloud.the_instance, 80, "/")]
    for one in cloud._listeners.values():
        dns_name = cloud._balancers[one.balancer_arn].dns_name
        urls.append(f"{one.protocol.lower()}://{dns_name}:{one.port}/")
    return any(MemoryProbe(cloud).get(url).is_good for url in urls)


class Invariants:
    """What must hold of a case, whatever went wrong in it. Made before it begins."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.before = counts(case.cloud)
        self.there = dict(tagged_things(case.cloud))
        self.outages: list[float] = []
        self.acknowledged: list[str] = []
        self.uploaded: list[str] = []

    def look(self) -> None:
        """Notice a moment at which nobody serves, and have applications write wherever clients get to."""
        self.write()
        self.upload()
        is_answered = not self.case.names or bool(self.case.cloud._record_sets["Z1"])
        if self.case.always_serves and not (is_answered and is_served(self.case.cloud)):
            self.outages.append(self.case.cloud.clock.now())

    def write(self) -> None:
        """Write at the source, and at every member that a balancer sends clients to."""
        cloud = self.case.cloud
        if not self.case.keeps[0]:
            return
        groups = list(cloud._target_groups)
        members = [one.instance_id for arn in groups for one in cloud.targets(arn) if one.is_healthy]
        for member in dict.fromkeys((cloud.the_instance.id, *members)):
            row = f"{len(self.acknowledged)} at {member}"
            if cloud.write(member, row):
                self.acknowledged.append(row)

    def upload(self) -> None:
        """Upload at the source, and at every member that a balancer sends clients to."""
        cloud = self.case.cloud
        if not self.case.shares:
            return
        groups = list(cloud._target_groups)
        members = [one.instance_id for arn in groups for one in cloud.targets(arn) if one.is_healthy]
        for member in dict.fromkeys((cloud.the_instance.id, *members)):
            name = f"{len(self.uploaded)} at {member}"
            if cloud.upload(member, name):
                self.uploaded.append(name)

    def of_the_files(self) -> list[str]:
        """Return what was uploaded and is lost, and who does not have all of it."""
        cloud = self.case.cloud
        has = [set(self.uploaded) - cloud.files_of(one.id) for one in cloud.instances()]
        whole = sum(not missing for missing in has)
        return [] if whole >= self.case.shares else [f"{whole} have all of the files"]

    def of_the_data(self) -> list[str]:
        """Return what was acknowledged and is lost, and who does not have all of it."""
        many, _ = self.case.keeps
        if not many:
            return []
        cloud = self.case.cloud
        has = {one.id: set(cloud.rows_of(one.id)) for one in cloud.instances() if cloud.rows_of(one.id)}
        lost = set(self.acknowledged) - has.get(cloud.the_instance.id, set())
        wrong = [f"{len(lost)} of {len(self.acknowledged)} acknowledged writes are lost"] if lost else []
        whole = sum(not set(self.acknowledged) - rows for rows in has.values())
        return wrong if whole >= many else [*wrong, f"{whole} have all of the data"]

    def of_the_backups(self) -> list[str]:
        """Return what is called a backup and is none, and what is left of those that are gone."""
        cloud = self.case.cloud
        images = cloud.images(TAG_BACKUP)
        names = {one.name for one in images}
        wrong = [f"{one.id} is no backup" for one in images if TAG_TAKEN not in one.tags]
        wrong += [
            f"{one.id} was not at rest"
            for one in images
            if one.tags[TAG_ENGINE] and not cloud.were_held(one.name)
        ]
        left = [one.id for one in cloud.snapshots(TAG_BACKUP) if one.tags["Name"] not in names]
        left += [one.id for one in cloud.security_groups(TAG_RUN, TOKEN) if self.case.leaves is None]
        is_of_backups = self.case.procedure in ("backup", "test-backup", "discard")
        return wrong + [f"{one} is left" for one in left if is_of_backups]

    def of_the_turns(self) -> list[str]:
        """Return who has not done just once what each was to do, and which image is not of a disk at rest."""
        cloud = self.case.cloud
        members = [one.id for one in cloud.instances("nospof:service")] if self.case.does else []
        wrong = [] if sorted(cloud.done) == [(one, self.case.does) for one in members] else [f"{cloud.done}"]
        for image in cloud.images(TAG_BACK):
            states = set(cloud.source_states_of(image.name))
            wrong += [] if states == {"stopped"} else [f"{image.name} is of disks that were {states}"]
        left = [one.id for one in cloud.instances(TAG_GUARANTEE)]
        return wrong + [f"a guarantee is left on {one}" for one in left]

    def kept(self) -> list[str]:
        """Return what is not as a keeper must leave it."""
        cloud = self.case.cloud
        cloud.clock.sleep(STALE_SECONDS)
        source = cloud.the_instance
        wrong = [] if source.state == self.case.state else [f"the source is {source.state}"]
        wrong += ["a guarantee is left"] if TAG_GUARANTEE in source.tags else []
        if cloud.is_stop_protected(source.id) != self.case.is_protected:
            wrong.append("stop protection is not as it was")
        wrong += self.of_the_group()
        wrong += [f"{name} is still scheduled" for name in cloud.starts]
        return wrong + (["nobody served for a moment"] if self.outages else [])

    def of_the_group(self) -> list[str]:
        """Return what is not as its Auto Scaling group was."""
        groups = self.case.cloud._scaling.values()
        wrong = [f"{one.suspended} suspended" for one in groups if one.suspended != self.case.suspended]
        wrong += [
            f"{member} is marked" for one in groups for member in one.members if member.health != HEALTHY
        ]
        return wrong + [
            "the group's name is left" for _ in groups if TAG_SUSPENDED in self.case.cloud.the_instance.tags
        ]

    def unchanged(self) -> list[str]:
        """Return what has changed, where a run said that nothing was."""
        now = {**dict(tagged_things(self.case.cloud)), **self.case.cloud.starts}
        return [f"{one} changed" for one in {*now, *self.there} if now.get(one) != self.there.get(one)]

    def ended(self) -> list[str]:
        """Return what is not as the run must leave it."""
        cloud, (twins, entries) = self.case.cloud, self.case.grown
        wrong = self.kept()
        grown = tuple(now - then for now, then in zip(counts(cloud), self.before, strict=True))
        wrong += self.of_the_data()
        wrong += self.of_the_files() if self.case.shares else []
        wrong += self.of_the_backups()
        if grown != (twins + self.case.images, twins + self.case.keeps[1], entries, entries):
            wrong.append(f"images, instances, groups and balancers grew by {grown}")
        for thing, tags in tagged_things(cloud):
            if thing not in self.there and tags.get(TAG_RUN) != TOKEN:
                wrong.append(f"{thing} does not carry the run's tag")
        if self.case.leaves is not None and things(cloud) != self.case.leaves:
            wrong.append("something is left")
        if self.case.names:
            stands = tuple(cloud._record_sets["Z1"].values())
            is_before = stands == (record_of(cloud),)
            is_moved = [bool(one.alias) and not one.identifier for one in stands] == [True]
            wrong += [] if (is_before, is_moved)[self.case.names == "moved"] else [f"names stand as {stands}"]
        if self.case.is_at_rest and set(cloud.source_states_of(image_name_of(TOKEN))) - {"stopped"}:
            wrong.append("the image is of a disk that was not at rest")
        image = cloud.image_named(image_name_of(TOKEN))
        is_marked = image is not None and image.tags[TAG_CONSISTENCY] == "application"
        if is_marked and not cloud.were_held(image_name_of(TOKEN)):
            wrong.append("the image is marked as what it is not")
        wrong += self.of_the_turns()
        for group in cloud.target_groups():
            health = [target.is_healthy for target in cloud.targets(group.arn)]
            members = 2 if self.case.leaves is None else 1
            wrong += [] if health == [True] * members else [f"{group.name} has {health}"]
        return wrong
