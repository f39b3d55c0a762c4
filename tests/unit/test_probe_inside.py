"""What was found inside machines, joined to the picture."""

from __future__ import annotations

from typing import Any

import pytest

from nospof.audit.builder import Builder, Entry, Service
from nospof.audit.parts import INTERPRETERS
from nospof.audit.parts.inside import (
    array,
    diverging,
    inside,
    is_inside_known,
    keeps_nothing,
    left_open,
    uses_from_probes,
)
from nospof.model.estate import Estate
from nospof.model.item import Item, item_of
from nospof.model.kinds import KINDS
from nospof.model.kinds.inside import INSIDE, SECTIONS
from nospof.model.topology import AllOf, AnyOf, AtLeast, On, Unknown, names_in
from support.estates import account, instance
from support.estates import item as record


@pytest.fixture(autouse=True)
def _kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "machine", INSIDE[0])


def look(who: str, **given: Any) -> Item:
    fields: dict[str, Any] = {name: {"status": "none", "reason": "", "found": []} for name in SECTIONS}
    for name, rows in given.items():
        fields[name] = {"status": "found", "reason": "", "found": rows} if isinstance(rows, list) else rows
    return item_of(INSIDE[0], {"InstanceId": who, **fields})


def read(estate: Estate, who: str) -> Service:
    return Builder(estate, Entry("shop", "instance", who), INTERPRETERS, (inside,)).build()


DISKS = [
    {"name": name, "volume": f"vol-{name}", "parts": [], "failed": [], "disks": 0}
    for name in ("a", "b", "c", "d")
]
ON_DISKS = {
    "BlockDeviceMappings": [{"Ebs": {"VolumeId": f"vol-{one}"}} for one in ("root", "a", "b", "c", "d")]
}


def on_array(level: str, **more: Any) -> Service:
    md = {
        "name": "md0",
        "volume": "",
        "level": level,
        "parts": ["a", "b", "c", "d"],
        "failed": [],
        "disks": 4,
    }
    found = look(
        "web1",
        devices=[*DISKS, {**md, **more}],
        mounts=[{"point": "/data", "type": "ext4", "device": "md0"}],
        engines=[{"engine": "mysql", "directory": "/data/mysql", "role": "", "group": "", "peers": []}],
    )
    return read(account(instance("web1", "eu-west-1a", **ON_DISKS), found), "web1")


A, B, C, D = (On(f"vol-{one}") for one in ("a", "b", "c", "d"))
EACH = tuple((1, one) for one in (A, B, C, D))


@pytest.mark.parametrize(
    ("level", "needs"),
    [
        ("raid0", AllOf((A, B, C, D))),
        ("linear", AllOf((A, B, C, D))),
        ("raid1", AnyOf((A, B, C, D))),
        ("raid5", AtLeast(3, EACH)),
        ("raid6", AtLeast(2, EACH)),
        ("raid10", AllOf((AnyOf((A, B)), AnyOf((C, D))))),
        ("unknown", Unknown(AllOf((A, B, C, D)), AnyOf((A, B, C, D)))),
    ],
)
def test_a_machine_needs_of_an_array_what_its_level_says(level: str, needs: Any) -> None:
    service = on_array(level)
    requirement = service.topology.by_name["web1"].requirement
    assert isinstance(requirement, AllOf)
    assert requirement.parts[-1] == needs
    assert list(names_in(requirement.parts[0])) == ["vol-root"]
    (state,) = service.topology.states
    assert state.copies == needs  # the database's copies are the array's


def test_a_degraded_array_has_nothing_left_to_lose() -> None:
    requirement = on_array("raid5", failed=["d"]).topology.by_name["web1"].requirement
    assert isinstance(requirement, AllOf)
    assert requirement.parts[-1] == AtLeast(3, EACH[:3])
    assert array("raid1", [A], 2) == AnyOf((A,))


def test_an_array_that_claims_to_be_made_of_itself_changes_nothing() -> None:
    service = on_array("raid1", parts=["md0"])
    assert set(names_in(service.topology.by_name["web1"].requirement)) >= {"vol-a", "vol-d"}


def test_a_connection_to_the_database_of_another_machine_is_a_need() -> None:
    rows = [
        {"address": "10.0.1.1", "port": 3306, "process": "php-fpm"},
        {"address": "10.0.1.1", "port": 22, "process": "ssh"},
        {"address": "10.0.1.2", "port": 3306, "process": "php-fpm"},
    ]
    one = instance("web1", "eu-west-1a", PrivateIpAddress="10.0.1.1")
    two = instance("web2", "eu-west-1b", PrivateIpAddress="10.0.1.2")
    (use,) = uses_from_probes(account(one, two, look("web2", connections=rows)))
    assert (use.user, use.used, use.view, use.provenance) == ("web2", "web1", "serving", "observed")
    assert use.why == "php-fpm of web2 is connected to 10.0.1.1:3306"


def test_a_mounted_file_system_is_needed_where_no_health_check_looks() -> None:
    mounts = [{"point": "/files", "type": "nfs4", "device": "", "server": "fs-1.efs.eu-west-1.amazonaws.com"}]
    estate = account(
        instance("web1", "eu-west-1a"),
        record("file system", FileSystemId="fs-1"),
        look("web1", mounts=mounts),
    )
    (use,) = uses_from_probes(estate)
    assert (use.used_kind, use.used, use.view) == ("file system", "fs-1", "blind")


def test_a_member_of_a_cluster_needs_a_majority() -> None:
    addresses = ["10.0.1.1", "10.0.1.2", "10.0.1.3"]
    engine = {"engine": "mariadb", "directory": "/d", "role": "", "group": "galera", "peers": addresses}
    machines = [
        instance(f"g{at}", "eu-west-1a", PrivateIpAddress=one) for at, one in enumerate(addresses[:2])
    ]
    service = read(account(*machines, look("g0", engines=[engine])), "g0")
    (cluster,) = [one for one in service.topology.nodes if one.kind == "cluster"]
    assert isinstance(cluster.requirement, AtLeast)
    assert cluster.requirement.need == 2
    assert {"g0", "g1"} < set(names_in(cluster.requirement))
    assert service.topology.states == ()


def test_only_a_whole_look_that_found_nothing_says_that_there_is_no_data() -> None:
    machines = [instance(one, "eu-west-1a") for one in ("empty", "hidden", "keeps", "unseen")]
    hidden = {"status": "unreadable", "reason": "needs root", "found": []}
    rows = [{"directory": "/srv/up", "files": 3}]
    estate = account(*machines, look("empty"), look("hidden", files=hidden), look("keeps", written=rows))
    known = [one for one in ("empty", "hidden", "keeps", "unseen") if is_inside_known(estate, one)]
    assert known == ["empty", "keeps"]
    assert [bool(keeps_nothing(estate, one)) for one in known] == [True, False]
    assert left_open(estate, "hidden") == ("files of hidden: needs root",)
    assert read(estate, "hidden").not_read == ["files of hidden: needs root"]


@pytest.mark.parametrize(("peers", "apart"), [([], (("mysql", ("web1", "web2")),)), (["10.0.0.9"], ())])
def test_two_databases_that_know_nothing_of_each_other_drift_apart(peers: list[str], apart: Any) -> None:
    engine = {"engine": "mysql", "directory": "/d", "role": "", "group": "", "peers": peers}
    both = [look(one, engines=[engine]) for one in ("web1", "web2")]
    service = read(account(instance("web1", "eu-west-1a"), instance("web2", "eu-west-1a"), *both), "web1")
    service.members = ("web1", "web2")
    service.item_of["web2"] = service.watched.whole.of("instance")[1]
    assert diverging(service) == apart
