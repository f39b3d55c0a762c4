"""What a look inside tells of a machine's surroundings and of disks that a stop empties, in the picture."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nospof.audit.builder import Builder, Entry, Service
from nospof.audit.contents import content_checks, state_inside
from nospof.audit.parts import FINISHERS, INTERPRETERS
from nospof.audit.parts.surroundings import boot_traps
from nospof.audit.question import Question
from nospof.audit.reporting import build_report
from nospof.model.findings import Finding
from nospof.model.item import Item, item_of
from nospof.model.kinds.inside import INSIDE, SECTIONS
from nospof.model.topology import On
from support.estates import account, instance
from support.estates import item as record

DISKS = [{"Ebs": {"VolumeId": "vol-r"}}]
MACHINE = instance("web1", "eu-west-1a", SubnetId="s", Tags=[], BlockDeviceMappings=DISKS)
SUBNET = record("subnet", SubnetId="s", CidrBlock="10.0.1.0/24", AvailabilityZone="eu-west-1a")


def look(who: str, **given: list[dict[str, Any]]) -> Item:
    fields: dict[str, Any] = {name: {"status": "none", "reason": "", "found": []} for name in SECTIONS}
    for name, rows in given.items():
        fields[name] = {"status": "found", "reason": "", "found": rows}
    return item_of(INSIDE[0], {"InstanceId": who, **fields})


def read(*more: Item, **given: list[dict[str, Any]]) -> Service:
    estate = account(MACHINE, SUBNET, look("web1", **given), *more)
    return Builder(estate, Entry("shop", "instance", "web1"), INTERPRETERS, FINISHERS).build()


def checks(service: Service) -> list[Finding]:
    return content_checks(service.estate, service)


def asks(*addresses: str) -> list[dict[str, Any]]:
    return [{"address": one} for one in addresses]


# Names ------------------------------------------------------------------------------------------------


def test_one_resolver_of_ones_own_is_perhaps_a_single_point() -> None:
    service = read(resolvers=asks("10.9.9.9"))
    assert "resolver 10.9.9.9" in service.topology.by_name
    (found,) = [one for one in findings(resolvers=asks("10.9.9.9")) if one.event == "resolver 10.9.9.9"]
    assert (found.confidence, found.view) == ("possible", "serving")


def test_of_two_resolvers_one_is_enough() -> None:
    assert not [one for one in findings(resolvers=asks("10.9.9.9", "10.9.9.8")) if "resolver" in one.event]


@pytest.mark.parametrize(
    "own", ["10.0.0.2", "10.0.1.2", "169.254.169.253", "fd00:ec2::253", "127.0.0.53", "?"]
)
def test_the_vpcs_resolver_is_no_part_of_ours(own: str) -> None:
    names = read(resolvers=asks(own, "10.9.9.9")).topology.by_name
    assert not [one for one in names if one.startswith("resolver")]


def test_a_resolver_that_is_a_machine_of_ours_is_that_machine() -> None:
    other = instance("dns1", "eu-west-1b", PrivateIpAddress="10.0.0.2")
    assert "dns1" in read(other, resolvers=asks("10.0.0.2")).topology.by_name


def findings(**given: list[dict[str, Any]]) -> tuple[Finding, ...]:
    report = build_report(account(MACHINE, SUBNET, look("web1", **given)), Question())
    return report.findings


# Hardware ---------------------------------------------------------------------------------------------


def test_the_last_card_of_a_bond_is_a_single_point_now_and_of_two_none_is() -> None:
    def cards(up: list[str], down: list[str]) -> list[tuple[str, str]]:
        found = findings(bonds=[{"name": "bond0", "up": up, "down": down}])
        return [(one.event, one.time) for one in found if "card" in one.event and one.view == "serving"]

    assert cards(["eth0", "eth1"], []) == []
    assert cards(["eth0"], ["eth1"]) == [("network card eth0 of web1", "now")]
    of_one = findings(bonds=[{"name": "bond0", "up": ["eth0"], "down": ["eth1"]}])
    assert {one.confidence for one in of_one if "card" in one.event} == {"certain"}


def test_memory_that_erred_may_be_off_and_memory_that_was_corrected_is_asked_about() -> None:
    service = read(memory=[{"name": "mc0", "corrected": 3, "uncorrected": 1}])
    assert service.topology.maybe_failed_now == {"web1"}
    assert "could not correct errors (mc0: 1)" in service.state_of["web1"]
    assert [one for one in service.questions if "mc0 has corrected 3 so far" in one]
    sound = read(memory=[{"name": "mc0", "corrected": 0, "uncorrected": 0}])
    assert (sound.topology.maybe_failed_now, sound.questions) == (frozenset(), [])


# Disks that a stop empties, and the boot --------------------------------------------------------------

STORE = {"name": "nvme1n1", "volume": "", "instance_store": True, "parts": [], "failed": [], "disks": 0}
ROOT = {"name": "nvme0n1", "volume": "vol-r", "instance_store": False, "parts": [], "failed": [], "disks": 0}
ARRAY = {"name": "md0", "volume": "", "level": "raid1", "parts": ["nvme1n1"], "failed": [], "disks": 1}
MOUNTS = [
    {"point": "/", "type": "ext4", "device": "nvme0n1"},
    {"point": "/fast", "type": "xfs", "device": "nvme1n1"},
]
MYSQL = {"engine": "mysql", "directory": "/fast/mysql", "role": "", "group": "", "peers": []}


@pytest.mark.parametrize("device", ["nvme1n1", "md0"])
def test_data_on_an_instance_store_goes_with_its_machine(device: str) -> None:
    mounts = [MOUNTS[0], {**MOUNTS[1], "device": device}]
    service = read(devices=[ROOT, STORE, ARRAY], mounts=mounts, engines=[MYSQL])
    (found,) = checks(service)
    assert (found.rule, found.view, found.members) == ("NSP304", "data", ("web1",))
    assert "nvme1n1 is an instance store" in found.title
    assert [(one.call, one.about, one.value) for one in found.facts] == [("nospof:probe", "web1", "nvme1n1")]
    assert {one.name: one.copies for one in service.topology.states}["mysql data of web1"] == On("web1")


@pytest.mark.parametrize(
    "kept",
    [{**MYSQL, "directory": "/var/lib/mysql"}, {**MYSQL, "role": "replica"}, {**MYSQL, "group": "galera"}],
)
def test_data_on_a_volume_or_kept_in_step_elsewhere_is_not_told_of(kept: dict[str, Any]) -> None:
    assert checks(read(devices=[ROOT, STORE], mounts=MOUNTS, engines=[kept])) == []


def test_data_in_a_directory_of_another_machine_is_not_this_ones() -> None:
    lent = {"point": "/fast", "type": "nfs4", "device": "", "server": "10.0.0.9", "export": "/x"}
    service = read(devices=[ROOT], mounts=[MOUNTS[0], lent], engines=[MYSQL])
    assert "mysql data of web1" not in [one.name for one in service.topology.states]


def line(point: str, **more: Any) -> dict[str, Any]:
    return {"point": point, "type": "xfs", "nofail": False, "by_kernel_name": False, **more}


def test_a_boot_that_waits_for_what_is_not_there_is_a_trap() -> None:
    lines = [line("/"), line("/fast"), line("/gone"), line("/nfs", type="nfs4"), line("/may", nofail=True)]
    service = read(devices=[ROOT, STORE], mounts=MOUNTS, fstab=lines)
    found = checks(service)
    assert [(one.rule, one.event, one.view) for one in found] == [
        ("NSP509", "boot:web1:/fast", "recovery"),
        ("NSP509", "boot:web1:/gone", "recovery"),
    ]
    assert not [one for one in service.assumptions if "boots only" in one]


def test_a_boot_that_waits_for_what_is_there_is_an_assumption() -> None:
    mounts = [MOUNTS[0], {"point": "/data", "type": "xfs", "device": "nvme0n1"}]
    service = read(devices=[ROOT], mounts=mounts, fstab=[line("/data", by_kernel_name=True)])
    assert checks(service) == []
    (says,) = [one for one in service.assumptions if "boots only" in one]
    assert says.endswith("names it as the kernel may not next time")


def test_mounts_that_were_not_read_are_not_taken_for_missing() -> None:
    found = look("web1", fstab=[line("/data")])
    hidden = {"status": "unreadable", "reason": "?", "found": []}
    assert boot_traps(found)
    assert not boot_traps(item_of(INSIDE[0], {**found.fields, "mounts": hidden}))


def test_swap_on_an_instance_store_is_told() -> None:
    service = read(devices=[ROOT, STORE], swap=[{"device": "nvme1n1"}])
    assert [one for one in service.assumptions if "gone after a stop (nvme1n1)" in one]


def test_a_machine_alone_that_keeps_nothing_needs_no_copy_of_its_disks() -> None:
    assert read().topology.states == ()
    writes = read(files=[{"path": "/srv/db", "process": "app"}])
    assert writes.topology.states
    assert [one for one in writes.questions if "/srv/db (app)" in one]


def test_the_report_says_since_when_nothing_has_changed() -> None:
    found = look("web1")
    fields = {**found.fields, "written": {"status": "none", "found": [], "since": 1_000_000}}
    estate = replace(account(MACHINE, SUBNET, item_of(INSIDE[0], fields)), read_at=2_000_000)
    service = Builder(estate, Entry("shop", "instance", "web1"), INTERPRETERS, FINISHERS).build()
    (says,) = state_inside(service)[0]
    assert "since 1970-01-12 13:46 UTC" in says


@pytest.mark.parametrize(("days", "told"), [(5, True), (-2, True), (45, False)])
def test_a_certificate_of_the_machines_own_that_ends_soon_is_dated(days: int, told: bool) -> None:
    rows = [{"path": "/etc/nginx/tls.pem", "ends_at": 2_000_000_000 + days * 86_400}]
    estate = replace(account(MACHINE, SUBNET, look("web1", certificates=rows)), read_at=2_000_000_000)
    found = [one for one in build_report(estate, Question()).findings if "tls.pem" in one.event]
    assert [(one.rule, one.confidence, bool(one.due)) for one in found] == [
        ("NSP701", "possible", True)
    ] * told


@pytest.mark.parametrize("moment", [-(2**62), 2**62, "never", None])
def test_moments_that_are_none_are_told_by_nobody(moment: Any) -> None:
    found = look("web1", certificates=[{"path": "/etc/nginx/tls.pem", "ends_at": moment}])
    fields = {**found.fields, "written": {"status": "none", "found": [], "since": moment}}
    estate = replace(account(MACHINE, SUBNET, item_of(INSIDE[0], fields)), read_at=2_000_000_000)
    (service,) = build_report(estate, Question()).services
    assert not [one for one in service.findings if "tls.pem" in one.event]
    assert [one for one in service.assumptions if "document roots, open files" in one]
