"""Small accounts whose machines keep data together: who votes, where, and what a place's loss does."""

from __future__ import annotations

from typing import Any

import pytest

from nospof.model.findings import AuditReport, Finding
from nospof.model.item import Item
from nospof.model.kinds.inside import SECTIONS
from nospof.services.audit import audit_estate
from support.behind import titles, verdict
from support.estates import A, B, C, account, balancer, group, instance, item, points, target

WHERE = {"i-1": A, "i-2": B, "i-3": C}
FRONT = (balancer(), group(), target("i-1"), target("i-2"))
DATABASE = {"galera": "mariadb", "patroni": "postgresql"}
COLD = ("NSP507", "cold", "certain")


def address(who: str) -> str:
    return f"10.0.0.{who[-1]}"


def machine(who: str, zone: str = "", **fields: Any) -> Item:
    base = {"PrivateIpAddress": address(who), "Tags": []}
    return instance(who, zone or WHERE[who], **{**base, **fields})


def tags(**given: str) -> list[dict[str, str]]:
    return [{"Key": f"nospof:{key}", "Value": value} for key, value in given.items()]


def look(who: str, **given: list[dict[str, Any]]) -> Item:
    """What a look found that could read everything."""
    fields: dict[str, Any] = {name: {"status": "none", "reason": "", "found": []} for name in SECTIONS}
    fields |= {name: {"status": "found", "reason": "", "found": rows} for name, rows in given.items()}
    return item("machine", InstanceId=who, **fields)


def engine(kind: str, **about: Any) -> dict[str, Any]:
    base = {"role": "", "group": "", "peers": [], "synchronous": ""}
    return {"engine": kind, "directory": f"/var/lib/{kind}", **base, **about}


def seats(kind: str, members: tuple[str, ...], arbitrator: str = "i-3") -> list[dict[str, Any]]:
    roles = [*((one, "member") for one in members), *([(arbitrator, "arbitrator")] if arbitrator else [])]
    base = {"by": "layout", "group": kind, "cluster": "shop", "zone": ""}
    return [{**base, "role": role, "id": who, "address": address(who)} for who, role in roles]


def laid_out(
    kind: str = "galera",
    *more: Item,
    zones: dict[str, str] | None = None,
    arbitrator: str = "i-3",
    synchronous: str = "on",
    **first: list[dict[str, Any]],
) -> AuditReport:
    """The report on a pair that nospof made: the door of each member leads to whoever takes writes.

    Args:
        kind: the engine of the layout.
        more: what else there is.
        zones: where machines stand, where elsewhere than in zones of their own.
        arbitrator: who only votes; empty for nobody.
        synchronous: what the looks tell of PostgreSQL.
        first: what else a look inside the first machine found.
    """
    rows = seats(kind, ("i-1", "i-2"), arbitrator)
    server = engine(DATABASE[kind], synchronous=synchronous if kind == "patroni" else "")
    looks = [look("i-1", votes=rows, engines=[server], **first), look("i-2", votes=rows, engines=[server])]
    given = {one.id for one in more}
    machines = [machine(who, (zones or {}).get(who, "")) for who in WHERE if who not in given]
    third = [look("i-3", votes=rows)] if arbitrator else []
    kept = [one for one in machines if one.id != "i-3" or arbitrator]
    return audit_estate(account(*FRONT, *kept, *looks, *third, *more))


def finding(report: AuditReport, event: str) -> Finding:
    return next(one for one in report.findings if one.event == event)


# What a layout says ----------------------------------------------------------------------------------------


def test_a_pair_with_its_third_vote_in_a_third_zone_has_no_single_point() -> None:
    report = laid_out("patroni")
    assert verdict(report) == set()
    assert report.exit_code == 0
    (service,) = report.services
    assert service.members == ("i-1", "i-2")  # who only votes serves nobody
    assert service.not_read == ()
    assert report.not_serving == ()


def test_c83_a_galera_pair_waits_for_a_person_after_a_full_stop_and_has_no_single_point() -> None:
    report = laid_out("galera")
    assert verdict(report) == {COLD}
    assert finding(report, "cold").remedy.commands == ("nospof data rejoin www",)


@pytest.mark.parametrize("kind", ["galera", "patroni"])
@pytest.mark.parametrize(("beside", "zone"), [("i-1", A), ("i-2", B)])
def test_c82_a_zone_that_holds_two_of_three_votes_is_told_with_the_vote_too_many(
    kind: str, beside: str, zone: str
) -> None:
    report = laid_out(kind, zones={"i-3": zone})
    assert points(report) == {f"zone:{zone}"}
    told = finding(report, f"zone:{zone}")
    assert (told.rule, told.severity) == ("NSP205", "critical")
    label = f"{kind.capitalize()} cluster shop"
    assert f"{beside} and i-3 (which only votes) have 2 of the 3 votes of {label}" in told.title
    assert told.remedy.says == f"replace i-3, which only votes for {label}, with one in {C}, where no vote is"
    assert told.remedy.is_verified


def test_c82_a_host_that_holds_two_of_three_votes_is_told() -> None:
    def placed(who: str) -> Item:
        return machine(who, Placement={"AvailabilityZone": A, "HostId": "h-1"})

    report = laid_out("patroni", placed("i-1"), placed("i-3"))
    assert points(report) == {"host:h-1", f"zone:{A}"}
    assert finding(report, "host:h-1").rule == "NSP205"


@pytest.mark.parametrize("kind", ["galera", "patroni"])
def test_c81_two_votes_without_a_third_are_less_available_than_one_server(kind: str) -> None:
    report = laid_out(kind, arbitrator="")
    assert points(report) == {"i-1", "i-2", f"zone:{A}", f"zone:{B}"}
    for one in report.findings:
        if one.is_single_point:
            assert one.rule == "NSP205"
            assert "has two votes and no third, so two machines are less available than one" in one.title
            assert "third vote" in one.remedy.says
            assert one.remedy.says.endswith(f"in {C}, where no vote is")
            assert one.remedy.is_verified


def test_an_arbitrator_that_is_gone_leaves_two_votes_and_its_successor_mends_that() -> None:
    report = laid_out("patroni", arbitrator="i-9")
    assert points(report) == {"i-1", "i-2", f"zone:{A}", f"zone:{B}"}
    told = finding(report, "i-1")
    assert (
        "instance i-9 is gone, and 1 of the 3 votes of Patroni cluster shop are left; 2 decide" in told.title
    )
    assert told.remedy.is_verified


def test_an_arbitrator_that_is_stopped_leaves_no_spare_now() -> None:
    report = laid_out("patroni", machine("i-3", State={"Name": "stopped"}))
    assert {(one.event, one.time) for one in report.findings if one.is_single_point} == {
        (event, "now") for event in ("i-1", "i-2", f"zone:{A}", f"zone:{B}")
    }


def test_a_door_and_a_replica_are_no_need_of_the_other_member_and_a_client_that_asks_it_is() -> None:
    def to(process: str, port: int) -> list[dict[str, Any]]:
        return [{"address": address("i-2"), "port": port, "process": process}]

    for process, port in (("haproxy", 5432), ("postgres", 5432), ("patroni", 2379), ("python3", 2379)):
        assert verdict(laid_out("patroni", connections=to(process, port))) == set()
    report = laid_out("patroni", connections=to("php-fpm", 5432) * 2)
    (told,) = [one for one in report.findings if one.rule == "NSP408"]
    assert told.title.startswith("php-fpm of i-1 asks i-2 itself, a member of Patroni cluster shop")


def test_c91_clients_on_other_machines_that_ask_one_member_itself_stop_with_it() -> None:
    rows = seats("patroni", ("i-7", "i-8"))
    server = engine("postgresql", synchronous="on")
    databases = [machine("i-7", A), machine("i-8", B), machine("i-3")]
    looks = [look(who, votes=rows, engines=[server]) for who in ("i-7", "i-8")]
    to = [{"address": address("i-7"), "port": 5432, "process": "php-fpm"}]
    web = [machine("i-1"), machine("i-2"), look("i-1", connections=to), look("i-2", connections=to)]
    report = audit_estate(account(*FRONT, *databases, *looks, *web))
    assert points(report) == {"i-7", f"zone:{A}"}
    assert sorted(one.members for one in report.findings if one.rule == "NSP408") == [("i-1",), ("i-2",)]


def test_files_that_a_server_in_step_holds_open_are_no_question() -> None:
    def opened(path: str) -> list[str]:
        held = [{"path": path, "process": "postgres"}]
        return [one for one in laid_out("patroni", files=held).services[0].questions if "open files" in one]

    assert opened("/var/lib/postgresql/base/1") == []
    assert opened("/var/lib/nospof/votes/member/wal/1.wal") == []
    assert len(opened("/var/lib/other/1")) == 1


def test_c53_a_machine_without_a_seat_in_its_own_layout_may_not_serve() -> None:
    rows = seats("patroni", ("i-2", "i-4"))
    machines = [machine("i-1"), machine("i-2"), machine("i-4", A), machine("i-3")]
    looks = [look(who, votes=rows, engines=[engine("postgresql")]) for who in ("i-1", "i-2")]
    report = audit_estate(account(*FRONT, *machines, *looks))
    told = {one.event for one in report.findings if one.time == "now" and one.confidence == "possible"}
    assert {"i-2", f"zone:{B}"} <= told
    assert "it has no seat in the layout that it carries" in titles(report)


def test_c77_a_target_that_keeps_a_database_beside_those_in_step_drifts_from_them() -> None:
    other = (machine("i-4", A), target("i-4"), look("i-4", engines=[engine("postgresql")]))
    report = laid_out("patroni", *other)
    (told,) = [one for one in report.findings if one.event == "diverges:postgresql"]
    assert (told.rule, told.severity, told.members) == ("NSP301", "critical", ("i-4",))


def test_a_layout_of_one_member_is_one_copy() -> None:
    rows = seats("galera", ("i-1",), "")
    server = engine("mariadb", group="galera", peers=[address("i-1")])
    found = [look("i-1", votes=rows, engines=[server]), look("i-2")]
    report = audit_estate(account(*FRONT, machine("i-1"), machine("i-2"), *found))
    assert verdict(report) == {("NSP301", "loses:mariadb data of i-1", "certain")}


def test_a_layout_that_could_not_be_read_leaves_the_verdict_open() -> None:
    hidden = {"status": "unreadable", "reason": "/etc/nospof/layout.json is no layout", "found": []}
    looks = [look("i-1").with_fields(votes=hidden), look("i-2")]
    report = audit_estate(account(*FRONT, machine("i-1"), machine("i-2"), *looks))
    assert report.services[0].not_read == ("votes of i-1: /etc/nospof/layout.json is no layout",)
    assert report.exit_code == 13


# What servers are configured for ---------------------------------------------------------------------------


def configured(
    kind: str, zone: str, *peers: str, garbd: str = "i-3", named: tuple[str, ...] = ()
) -> AuditReport:
    """The report on two servers that name their peers, with Galera's arbitrator somewhere."""
    server = engine("mariadb", group=kind, peers=sorted(map(address, peers)))
    vote = {"by": "garbd", "group": "galera", "cluster": "shop", "role": "member", "id": "", "zone": ""}
    rows = [{**vote, "address": address(one)} for one in named]
    both = {who: {"engines": [server]} for who in ("i-1", "i-2")}
    both.setdefault(garbd, {})
    if rows:
        both[garbd]["votes"] = rows
    looks = [look(who, **each) for who, each in both.items()]
    return audit_estate(account(*FRONT, machine("i-1"), machine("i-2"), machine("i-3", zone), *looks))


@pytest.mark.parametrize(
    ("zone", "stops"), [(A, {f"zone:{A}"}), (B, {f"zone:{B}"}), (C, set())], ids=["a", "b", "c"]
)
@pytest.mark.parametrize("peers", [("i-1", "i-2"), ("i-1", "i-2", "i-3")])
@pytest.mark.parametrize("named", [("i-1", "i-2"), ("i-2",)])
def test_c82_garbd_has_a_vote_where_it_names_a_member_wherever_else_it_is_named(
    zone: str, stops: set[str], peers: tuple[str, ...], named: tuple[str, ...]
) -> None:
    report = configured("galera", zone, *peers, named=named)
    assert points(report) == stops
    assert report.services[0].members == ("i-1", "i-2")


def test_c82_garbd_on_a_members_machine_goes_with_it() -> None:
    report = configured("galera", C, "i-1", "i-2", garbd="i-1", named=("i-1", "i-2"))
    assert points(report) == {"i-1", f"zone:{A}"}
    assert finding(report, "i-1").rule == "NSP205"


def test_c81_an_arbitrator_of_another_group_is_no_vote() -> None:
    report = configured("galera", C, "i-1", "i-2", named=("i-8", "i-9"))
    assert points(report) == {"i-1", "i-2", f"zone:{A}", f"zone:{B}"}
    assert all(one.remedy.is_verified for one in report.findings if one.is_single_point)


def test_c86_two_etcd_members_on_the_two_database_machines_are_told_and_a_third_elsewhere_mends_it() -> None:
    report = configured("etcd", C, "i-1", "i-2")
    assert points(report) == {"i-1", "i-2", f"zone:{A}", f"zone:{B}"}
    told = finding(report, "i-1")
    assert "has two votes and no third" in told.title
    assert "a third vote: an etcd member on a small machine" in told.remedy.says
    assert told.remedy.is_verified
    assert points(configured("etcd", C, "i-1", "i-2", "i-3")) == set()


# What marks say --------------------------------------------------------------------------------------------


def marked(zone: str = C, arbitrates: str = "shop", **about: Any) -> AuditReport:
    """The report on a pair that is marked, and that nobody looked into."""
    pair = [machine(who, Tags=tags(service="shop", data="galera")) for who in ("i-1", "i-2")]
    called = {"Key": "Name", "Value": "shop"}  # as anything may be called
    third = machine("i-3", zone, Tags=[called, *tags(arbitrator=arbitrates)], **about)
    return audit_estate(account(*FRONT, *pair, third))


def test_marks_are_enough_for_a_verdict_and_are_said_to_be_no_more_than_marks() -> None:
    report = marked()
    assert points(report) == set()
    (service,) = report.services
    assert service.not_read == ()
    assert service.members == ("i-1", "i-2")
    assert any(
        one.startswith("i-1, i-2 keep their database in step, and i-3 votes with them")
        and one.endswith("as marked (nospof:data, nospof:arbitrator), not read")
        for one in service.assumptions
    )


@pytest.mark.parametrize(
    ("zone", "arbitrates", "about", "stops"),
    [
        (A, "shop", {}, {f"zone:{A}"}),
        (C, "other", {}, {"i-1", "i-2", f"zone:{A}", f"zone:{B}"}),
        (C, "shop", {"State": {"Name": "terminated"}}, {"i-1", "i-2", f"zone:{A}", f"zone:{B}"}),
    ],
    ids=["beside a member", "of another service", "terminated"],
)
def test_c81_c82_marks_are_judged_by_where_the_votes_stand(
    zone: str, arbitrates: str, about: dict[str, Any], stops: set[str]
) -> None:
    report = marked(zone, arbitrates, **about)
    assert points(report) == stops
    assert all(one.remedy.is_verified for one in report.findings if one.is_single_point)


def test_a_look_contradicts_marks() -> None:
    pair = [machine(who, Tags=tags(service="shop", data="galera")) for who in ("i-1", "i-2")]
    looks = [look(who, engines=[engine("mariadb")]) for who in ("i-1", "i-2")]
    report = audit_estate(account(*FRONT, *pair, *looks, machine("i-3", Tags=tags(arbitrator="shop"))))
    assert not any("as marked" in one for one in report.services[0].assumptions)
    told = {one.event for one in report.findings if one.rule == "NSP301"}
    assert {"diverges:mariadb", "marked:i-1", "marked:i-2"} <= told


def test_a_look_into_one_member_speaks_for_the_other_that_is_not_marked() -> None:
    rows = seats("patroni", ("i-1", "i-2"))
    seen = look("i-1", votes=rows, engines=[engine("postgresql", synchronous="on")])
    report = audit_estate(account(*FRONT, *(machine(who) for who in WHERE), seen))
    assert points(report) == set()
    assert report.exit_code == 13  # nobody looked into the second


def test_an_arbitrator_that_nobody_needs_is_no_service_of_its_own() -> None:
    idle = machine("i-3", Tags=tags(arbitrator="gone"), PublicIpAddress="192.0.2.3")
    report = audit_estate(account(idle))
    assert report.services == ()
    assert report.not_serving == ("i-3: the third vote of gone, and serves nobody",)


# Acknowledged writes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("synchronous", "told"),
    [("on", set()), ("off", {("medium", "certain")}), ("", {("low", "possible")})],
)
def test_c88_a_patroni_pair_that_does_not_wait_for_copies_is_told_to_lose_writes(
    synchronous: str, told: set[tuple[str, str]]
) -> None:
    report = laid_out("patroni", synchronous=synchronous)
    found = [one for one in report.findings if one.rule == "NSP307"]
    assert {(one.severity, one.confidence) for one in found} == told
    assert [one.title for one in found if "of Patroni cluster shop" not in one.title] == []
    assert len(found) == len(told)  # once for the cluster, not once a member


@pytest.mark.parametrize(("waits", "is_told"), [("off", True), ("on", False), ("", False)])
def test_c88_a_primary_that_streams_to_a_standby_and_does_not_wait_is_told(waits: str, is_told: bool) -> None:
    primary = look("i-1", engines=[engine("postgresql", synchronous=waits)])
    standby = look("i-2", engines=[engine("postgresql", role="replica", peers=[address("i-1")])])
    report = audit_estate(account(*FRONT, machine("i-1"), machine("i-2"), primary, standby))
    found = [one for one in report.findings if one.rule == "NSP307"]
    assert bool(found) is is_told
    if found:
        assert found[0].title.startswith("A failover of the PostgreSQL of i-1 to i-2 loses acknowledged")
        assert "synchronous_standby_names" in found[0].remedy.says
    alone = audit_estate(account(*FRONT, machine("i-1"), machine("i-2"), primary, look("i-2")))
    assert not [one for one in alone.findings if one.rule == "NSP307"]
