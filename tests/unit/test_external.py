"""Data that a source keeps elsewhere: what a pair's plan says of it, verdict by verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nospof.model.answers import Answer
from nospof.model.cloud import Instance, Subnet
from nospof.model.external import Database, FileSystem, Holder, MountTarget, Stores, Used
from nospof.model.layout import DataFacts, Examined, Layout, Seat
from nospof.model.plans import Plan
from nospof.model.requests import PairRequest
from nospof.model.surroundings import Inside
from nospof.planning.external import asked_of, uses_elsewhere, with_external
from nospof.planning.pair_rules import PairFacts
from nospof.procedures.registry import PROCEDURES
from nospof.runtime.codec import from_plain, to_plain
from support.memory_world import Looks, memory_world, one_instance

SOURCE = Instance(
    id="i-1",
    state="running",
    type="t3.small",
    image_id="ami-base",
    zone="za",
    subnet_id="subnet-a",
    vpc_id="vpc-1",
    private_ip="10.0.0.4",
    public_ip="203.0.113.4",
)
TWIN = replace(SOURCE, id="i-2", zone="zb", subnet_id="subnet-b", private_ip="10.0.1.4")
FACTS = PairFacts(
    source=SOURCE,
    twin=TWIN,
    twin_zone=TWIN.zone,
    subnets=(
        Subnet("subnet-a", "vpc-1", "za", 100, is_public=True),
        Subnet("subnet-b", "vpc-1", "zb", 100, is_public=True),
    ),
    closed=(),
    clients=(),
    balancer=None,
    target_group=None,
    answer=Answer("http://10.0.0.4:80/", 200, 0.01),
)
PAGES = "/var/www/files"
RDS = Holder("10.0.1.5", "RDSNetworkInterface", "", "za", ("sg-db",))
SHOP = Database("shop-db", "mysql", 3306, "za", ("sg-db",), is_multi_zone=True)
DB = Used("10.0.1.5", 3306, process="php-fpm")
BY_NAME = Used("fs-1.efs.eu-central-1.amazonaws.com", point=PAGES)
WAY_A = MountTarget("fsmt-a", "za", "10.0.0.7")
WAY_B = MountTarget("fsmt-b", "zb", "10.0.1.7")
EFS_A = Holder("10.0.0.7", "EFS mount target for fs-1 (fsmt-a)", "", "za")


def facts(*uses: Used, **stores: Any) -> PairFacts:
    return replace(FACTS, inside=Inside(uses=uses), stores=Stores(**stores))


def told(given: PairFacts) -> tuple[str, str]:
    """Return what the plan says the data is, and its warnings."""
    plan = with_external(Plan("pair", "", "", ()), given)
    return plan.details.get("data", ""), "\n".join(plan.warnings)


# Databases ----------------------------------------------------------------------------------------


def test_c100_a_database_of_two_zones_is_named_and_nothing_is_warned_of() -> None:
    assert told(facts(DB, holders=(RDS,), databases=(SHOP,))) == (
        "external: RDS shop-db (mysql, Multi-AZ)",
        "",
    )


def test_c100_a_database_of_one_zone_stays_a_single_point_of_failure_and_the_command_is_told() -> None:
    said, warned = told(facts(DB, holders=(RDS,), databases=(replace(SHOP, is_multi_zone=False),)))
    assert said == "external: RDS shop-db (mysql, one zone)"
    assert "RDS shop-db is in one zone only (za), and its loss takes both members" in warned
    assert "aws rds modify-db-instance --db-instance-identifier shop-db --multi-az" in warned


def test_c100_a_cluster_without_a_member_elsewhere_wants_one() -> None:
    aurora = Database("shop", "aurora-mysql", 3306, "za", ("sg-db",), is_cluster=True, is_multi_zone=False)
    said, warned = told(facts(DB, holders=(RDS,), databases=(aurora,)))
    assert said == "external: Aurora shop (aurora-mysql, one zone)"
    assert "Add a reader to it in another zone" in warned
    assert "modify-db-instance" not in warned


def test_two_members_of_a_cluster_are_one_database() -> None:
    aurora = Database("shop", "aurora-mysql", 3306, "za", ("sg-db",), is_cluster=True, is_multi_zone=True)
    said, warned = told(facts(DB, holders=(RDS,), databases=(aurora, aurora)))
    assert (said, warned) == ("external: Aurora shop (aurora-mysql, Multi-AZ)", "")


def test_a_cluster_that_could_not_be_read_is_not_taken_for_one_in_one_zone() -> None:
    aurora = Database("shop", "aurora-mysql", 3306, "za", ("sg-db",), is_cluster=True, is_multi_zone=None)
    said, warned = told(facts(DB, holders=(RDS,), databases=(aurora,)))
    assert said == "external: Aurora shop (aurora-mysql)"
    assert warned == "not checked: whether Aurora shop goes on in another zone"


@pytest.mark.parametrize(
    "other",
    [
        replace(SHOP, id="other", port=3307, is_multi_zone=False),
        replace(SHOP, id="other", groups=("sg-x",), is_multi_zone=False),
        replace(SHOP, id="other", zone="zb", is_multi_zone=False),
    ],
    ids=["port", "groups", "zone"],
)
def test_a_database_is_told_from_others_by_its_port_its_groups_and_its_zone(other: Database) -> None:
    said, warned = told(facts(DB, holders=(RDS,), databases=(other, SHOP)))
    assert (said, warned) == ("external: RDS shop-db (mysql, Multi-AZ)", "")


def test_after_a_failover_that_is_not_told_yet_a_database_is_still_found() -> None:
    moved = replace(RDS, zone="zb")
    assert told(facts(DB, holders=(moved,), databases=(SHOP,)))[0].endswith("(mysql, Multi-AZ)")


def test_of_two_that_may_be_meant_neither_is_taken_for_the_one() -> None:
    both = (SHOP, replace(SHOP, id="blog-db", is_multi_zone=False))
    said, warned = told(facts(DB, holders=(RDS,), databases=both))
    assert said == "external: RDS blog-db or RDS shop-db (10.0.1.5:3306)"
    assert warned == "not checked: which one 10.0.1.5:3306 is, RDS blog-db or RDS shop-db"


def test_of_two_that_may_be_meant_and_go_on_in_another_zone_nothing_is_open() -> None:
    both = (SHOP, replace(SHOP, id="blog-db"))
    assert told(facts(DB, holders=(RDS,), databases=both))[1] == ""


def test_a_database_of_which_nothing_more_is_known_is_told_by_its_address() -> None:
    unread = "databases of RDS: rds:DescribeDBInstances failed, AccessDenied"
    said, warned = told(facts(DB, holders=(RDS,), unread=(unread,)))
    assert (said, warned) == ("external: RDS at 10.0.1.5:3306", f"not checked: {unread}")


def test_what_rds_lists_beside_its_own_has_its_own_name() -> None:
    docs = Database("cms", "docdb", 27017, "za", ("sg-db",), is_cluster=True, is_multi_zone=True)
    said, _ = told(facts(Used("10.0.1.5", 27017), holders=(RDS,), databases=(docs,)))
    assert said == "external: DocumentDB cms (docdb, Multi-AZ)"


# Others -------------------------------------------------------------------------------------------


def test_a_cache_is_named_and_what_was_not_asked_is_told() -> None:
    cache = Holder("10.0.1.9", "ElastiCache shop-001", "", "za")
    said, warned = told(facts(Used("10.0.1.9", 6379), holders=(cache,)))
    assert said == "external: ElastiCache shop-001 (Redis)"
    assert warned == "not checked: whether ElastiCache shop-001 goes on when its zone za fails"


def test_another_instance_is_named_for_its_loss_takes_both() -> None:
    other = Holder("10.0.1.9", "", "i-db", "za")
    said, warned = told(facts(Used("10.0.1.9", 5432), holders=(other,)))
    assert said == "external: PostgreSQL on i-db (10.0.1.9:5432)"
    assert "i-db alone keeps it, and its loss takes both" in warned


def test_files_of_another_instance_are_told_once_with_their_place() -> None:
    other, mount = Holder("10.0.1.9", "", "i-nfs", "za"), Used("10.0.1.9", point="/srv")
    said, warned = told(facts(mount, Used("10.0.1.9", 2049), holders=(other,)))
    assert said == "external: files of i-nfs (10.0.1.9) at /srv"
    assert "the files at /srv of both members: i-nfs alone keeps it" in warned


def test_what_nobody_knows_more_of_is_told_as_it_was_seen() -> None:
    said, warned = told(facts(Used("203.0.113.9", 3306), Used("nas.example.org", point="/srv")))
    assert said == "external: files of nas.example.org at /srv, MySQL at 203.0.113.9:3306"
    assert warned == ""


def test_what_aws_wrote_on_an_interface_is_told_where_it_says_no_more() -> None:
    proxy = Holder("10.0.1.9", "Network interface for DBProxy shop")
    said, _ = told(facts(Used("10.0.1.9", 3306), holders=(proxy,)))
    assert said == "external: MySQL at 10.0.1.9:3306 (Network interface for DBProxy shop)"


def test_an_address_that_is_in_no_subnet_may_be_a_container_of_the_same_machine() -> None:
    subnets = (Subnet("subnet-a", "vpc-1", "za", 100, is_public=True, cidr="10.0.0.0/24"),)
    given = facts(Used("172.18.0.2", 3306), Used("10.0.0.9", 3306), Used("9.9.9.9", 3306))
    said, _ = told(replace(given, subnets=subnets))
    assert "172.18.0.2:3306 (in no subnet of vpc-1: another network, or a container of its own)" in said
    assert said.count("container") == 1


@pytest.mark.parametrize(
    "use",
    [
        Used("127.0.0.1", 3306),
        Used("::1", 5432),
        Used(SOURCE.private_ip, 3306),
        Used(SOURCE.public_ip, 3306),
        Used("10.0.9.9", 443),
        Used("172.17.0.2", 3306, process="docker-proxy"),
        Used("127.0.0.1", point=PAGES),
    ],
    ids=["loopback", "loopback6", "own", "own public", "no data", "own container", "tunnel"],
)
def test_what_is_its_own_or_no_data_is_not_elsewhere(use: Used) -> None:
    assert uses_elsewhere(facts(use)) == ()
    assert told(facts(use)) == ("", "")


def test_what_a_twin_or_a_partner_keeps_is_the_pairs_own() -> None:
    seats = (Seat(SOURCE.id, SOURCE.private_ip, "za"), Seat("i-3", "10.0.2.4", "zc"))
    examined = Examined(engine="mariadb", layout=Layout("galera", "www", seats, None))
    given = replace(
        facts(Used(TWIN.private_ip, 3306), Used("10.0.2.4", 3306)), data=DataFacts(examined, None, ())
    )
    assert uses_elsewhere(given) == ()


def test_a_further_interface_of_the_source_is_its_own() -> None:
    further = Holder("10.0.0.99", "", SOURCE.id, "za")
    assert told(facts(Used("10.0.0.99", 3306), holders=(further,))) == ("", "")


def test_what_is_told_can_be_kept_in_the_journal_and_is_the_same_again() -> None:
    given = facts(DB, BY_NAME, holders=(RDS, EFS_A), databases=(replace(SHOP, is_multi_zone=None),))
    systems = (FileSystem("fs-1", None, None), FileSystem("fs-2", "", (WAY_A,)))
    given = replace(given, stores=replace(given.stores, file_systems=systems, unread=("it",)))
    assert from_plain(to_plain(given, PairFacts), PairFacts) == given


def test_many_connections_to_one_server_are_one_use_and_one_question() -> None:
    uses = uses_elsewhere(facts(DB, replace(DB, process="cron"), BY_NAME))
    assert uses == (BY_NAME, replace(DB, process=""))
    assert asked_of(uses) == (("10.0.1.5",), ("fs-1",))


def test_connections_that_could_not_be_seen_are_told() -> None:
    given = replace(FACTS, inside=Inside(uses_unread="connections of i-1: not root"))
    assert told(given) == ("", "not checked: what it uses elsewhere (connections of i-1: not root)")


def test_what_is_kept_here_stands_before_what_is_kept_elsewhere() -> None:
    plan = Plan("pair", "", "", (), details={"data": "mariadb is kept in step by Galera"})
    made = with_external(plan, facts(DB, holders=(RDS,), databases=(SHOP,)))
    assert made.details["data"] == (
        "mariadb is kept in step by Galera; external: RDS shop-db (mysql, Multi-AZ)"
    )


# Files of EFS -------------------------------------------------------------------------------------


def test_c99_files_of_the_whole_region_with_a_way_in_the_twins_zone_need_nothing() -> None:
    system = FileSystem("fs-1", "", (WAY_A, WAY_B))
    mounted = Used("10.0.0.7", 2049)
    assert told(facts(BY_NAME, mounted, holders=(EFS_A,), file_systems=(system,))) == (
        f"external: EFS fs-1 at {PAGES}",
        "",
    )


@pytest.mark.parametrize("server", ["fs-1", "fs-1.efs.eu-central-1.amazonaws.com"])
@pytest.mark.parametrize("ways", [(WAY_A,), (WAY_A, replace(WAY_B, is_available=False))])
def test_c99_without_a_way_in_the_twins_zone_its_name_leads_nowhere_there(
    server: str, ways: tuple[MountTarget, ...]
) -> None:
    given = facts(Used(server, point=PAGES), file_systems=(FileSystem("fs-1", "", ways),))
    _, warned = told(given)
    assert f"EFS fs-1 has no mount target in {TWIN.zone}" in warned
    assert f"come up without {PAGES}" in warned
    assert "create-mount-target --file-system-id fs-1 --subnet-id subnet-b --security-groups $(" in warned
    assert "--mount-target-id fsmt-a " in warned


def test_c99_a_twin_that_is_to_be_made_gets_its_way_in_a_subnet_of_its_zone() -> None:
    given = facts(BY_NAME, file_systems=(FileSystem("fs-1", "", (WAY_A,)),))
    assert "--subnet-id subnet-b " in told(replace(given, twin=None))[1]
    assert told(replace(given, twin=None, twin_zone=""))[1] == ""


@pytest.mark.parametrize("server", ["10.0.0.7", "za.fs-1.efs.eu-central-1.amazonaws.com"])
@pytest.mark.parametrize(("ways", "adds"), [((WAY_A, WAY_B), False), ((WAY_A,), True)])
def test_c99_a_way_in_another_zone_is_a_zone_that_the_twin_needs(
    server: str, ways: tuple[MountTarget, ...], adds: bool
) -> None:
    given = facts(Used(server, point=PAGES), holders=(EFS_A,), file_systems=(FileSystem("fs-1", "", ways),))
    said, warned = told(given)
    assert said == f"external: EFS fs-1 at {PAGES}"
    assert "by the way to EFS fs-1 in za: the twin in zb would lose it with that zone. Mount it" in warned
    assert ("create-mount-target" in warned) is adds


def test_c99_files_of_one_zone_are_lost_to_both_with_it() -> None:
    given = facts(BY_NAME, file_systems=(FileSystem("fs-1", "za", (WAY_A,)),))
    said, warned = told(given)
    assert said == f"external: EFS fs-1 (One Zone, za) at {PAGES}"
    assert "EFS fs-1 keeps its files in za only: that zone's failure takes them from both" in warned
    assert "the twin in zb can mount EFS fs-1 only by the name of its zone" in warned
    assert "create-mount-target" not in warned
    assert "only by the name" not in told(replace(given, twin_zone="za"))[1]
    by_zone = Used("za.fs-1.efs.eu-central-1.amazonaws.com", point=PAGES)
    assert "only by the name" not in told(replace(given, inside=Inside(uses=(by_zone,))))[1]


@pytest.mark.parametrize("system", [FileSystem("fs-1", None, (WAY_A,)), FileSystem("fs-1", "", None)])
def test_what_could_not_be_read_of_files_is_not_taken_for_a_lack(system: FileSystem) -> None:
    assert told(facts(BY_NAME, file_systems=(system,))) == (f"external: EFS fs-1 at {PAGES}", "")


def test_files_behind_a_tunnel_are_found_by_its_connection() -> None:
    given = facts(
        Used("127.0.0.1", point=PAGES),
        Used("10.0.0.7", 2049, process="stunnel"),
        holders=(EFS_A,),
        file_systems=(FileSystem("fs-1", "", (WAY_A, WAY_B)),),
    )
    assert told(given) == ("external: EFS fs-1", "")


def test_a_connection_of_unknown_files_is_not_told_beside_the_mount_that_it_is_of() -> None:
    assert told(facts(BY_NAME, Used("10.0.0.7", 2049)))[0] == f"external: EFS fs-1 at {PAGES}"
    nas = Used("nas.example.org", point="/srv")
    assert told(facts(nas, Used("10.0.0.7", 2049)))[0] == "external: files of nas.example.org at /srv"


def test_a_connection_for_files_leads_to_the_instance_whose_name_was_mounted() -> None:
    nas, other = Used("nas.example.org", point="/srv"), Holder("10.0.1.9", "", "i-nfs", "za")
    _, warned = told(facts(nas, Used("10.0.1.9", 2049), holders=(other,)))
    assert "NFS of both members: i-nfs alone keeps it" in warned


# With the cloud -----------------------------------------------------------------------------------


def planned(cloud: Any, **sections: Any) -> Any:
    world = replace(memory_world(cloud), machines=Looks(**sections))
    return PROCEDURES["pair"].plan(world, PairRequest(cloud.the_instance.id, service="www"))


MOUNT = {"point": PAGES, "type": "nfs4", "device": "", "server": "fs-1", "export": "/"}


def connection(address: str, port: int) -> dict[str, Any]:
    return {"address": address, "port": port, "process": "php-fpm"}


def test_c99_c100_a_plan_says_where_the_data_is_and_what_would_take_it_from_both() -> None:
    cloud = one_instance()
    other = cloud.add_instance(tags={"Name": "cache"})
    zone = cloud.the_instance.zone
    rds, database = replace(RDS, address="10.9.9.9", zone=zone), replace(SHOP, zone=zone)
    system = FileSystem("fs-1", "", (replace(WAY_A, zone=zone),))
    cloud.keep_elsewhere(Stores((rds,), (database,), (system,)))
    plan = planned(
        cloud,
        mounts=[MOUNT],
        connections=[connection("10.9.9.9", 3306), connection(other.private_ip, 6379)],
    )
    assert plan.details["data"] == (
        f"external: EFS fs-1 at {PAGES}, RDS shop-db (mysql, Multi-AZ), "
        f"Redis on {other.id} ({other.private_ip}:6379)"
    )
    warned = "\n".join(plan.warnings)
    assert "EFS fs-1 has no mount target in" in warned
    assert f"{other.id} alone keeps it" in warned
    assert not cloud.writes


def test_nobody_is_asked_where_nothing_was_seen_elsewhere() -> None:
    cloud = one_instance()
    plan = planned(cloud)
    assert "data" not in plan.details
    assert "stores_behind" not in [call.name for call in cloud.calls]
