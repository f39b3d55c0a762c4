"""Small accounts of what stands behind machines, each with the verdict that was worked out by hand first."""

from __future__ import annotations

from typing import Any

import pytest

from nospof.model.estate import UNKNOWN
from nospof.model.findings import Unread
from nospof.model.item import Item
from nospof.services.audit import audit_estate
from support.behind import PAIR, SUBNETS, audited, files, titles, verdict
from support.estates import A, B, C, account, balancer, described, group, instance, item, points, target

APART = {"MultiAZ": True, "AvailabilityZone": A, "BackupRetentionPeriod": 7, "DeletionProtection": True}


# States ---------------------------------------------------------------------------------------------------


def database(**fields: Any) -> Item:
    return item("database", **{"DBInstanceIdentifier": "db", **APART, **fields})


def cache(*zones: Any, **fields: Any) -> Item:
    nodes = [
        {"CacheClusterId": f"r-{n}", "PreferredAvailabilityZone": zone, "CurrentRole": "replica"}
        for n, zone in enumerate(zones, 1)
    ]
    base = {"ReplicationGroupId": "r", "AutomaticFailover": "enabled", "MultiAZ": "enabled"}
    return item("cache", **{**base, "NodeGroups": [{"NodeGroupMembers": nodes}], **fields})


def windows(**fields: Any) -> Item:
    config = {"DeploymentType": "MULTI_AZ_1"}
    base = {"FileSystemId": "w", "SubnetIds": ["s-a", "s-b"], "WindowsConfiguration": config}
    return item("FSx file system", **{**base, **fields})


def broker(mode: str, subnets: Any = ("s-a", "s-b"), **fields: Any) -> Item:
    base = {"BrokerId": "q", "EngineType": "RABBITMQ", "DeploymentMode": mode, "SubnetIds": list(subnets)}
    return item("broker", **{**base, **fields})


@pytest.mark.parametrize(
    "store",
    [
        database(DBInstanceStatus="incompatible-parameters"),
        cache(A, B, Status="deleting"),
        windows(Lifecycle="MISCONFIGURED_UNAVAILABLE"),
        broker("ACTIVE_STANDBY_MULTI_AZ", BrokerState="CREATION_FAILED"),
        item("Kafka cluster", ClusterArn="k", ClusterType="SERVERLESS", State="FAILED"),
        item("directory", DirectoryId="d", VpcSettings={"SubnetIds": ["s-a", "s-b"]}, Stage="Inoperable"),
        item("file system", FileSystemId="fs", LifeCycleState="deleting"),
    ],
    ids=lambda one: one.kind.name,
)
def test_a_store_in_a_state_in_which_nobody_is_served_is_an_outage_now(store: Item) -> None:
    ways = [
        item("mount target", MountTargetId=f"m-{zone}", FileSystemId="fs", AvailabilityZoneName=zone)
        for zone in (A, B)
    ]
    report = audited(store, *ways)
    assert ("NSP100", "down", "certain") in verdict(report)
    assert report.exit_code == 10


def test_a_store_that_reboots_is_perhaps_an_outage_and_no_certain_one() -> None:
    report = audited(broker("ACTIVE_STANDBY_MULTI_AZ", BrokerState="REBOOT_IN_PROGRESS"))
    assert verdict(report) == {("NSP100", "down", "possible")}
    assert report.exit_code == 13


# Zones that nobody could tell -----------------------------------------------------------------------------


@pytest.mark.parametrize("config", [UNKNOWN, {"SubnetIds": UNKNOWN}, {"SubnetIds": ["s-a", UNKNOWN]}])
def test_a_function_whose_subnets_nobody_could_tell_is_possible_and_never_fine(config: Any) -> None:
    report = audited(item("function", FunctionName="f", VpcConfig=config), is_whole=False)
    assert points(report, "possible") == {"unread:zones of function f"}
    assert points(report) == set()
    assert report.exit_code == 13


def test_one_known_subnet_of_several_does_not_say_where_all_tasks_stand() -> None:
    subnets = {"awsvpcConfiguration": {"subnets": ["s-a", UNKNOWN]}}
    service = item(
        "container service",
        serviceArn="web",
        serviceName="web",
        desiredCount=2,
        networkConfiguration=subnets,
    )
    report = audited(service, is_whole=False)
    assert points(report) == set()
    assert report.exit_code == 13


# Tasks and functions --------------------------------------------------------------------------------------

SUBNETS_OF_TASKS = {"awsvpcConfiguration": {"subnets": ["s-a", "s-b"]}}
IN_TWO_ZONES = (("10.0.0.1", A), ("10.0.0.2", B))


def tasks(*places: tuple[str, str]) -> list[Item]:
    """An ECS service that wants two tasks, and those that run: by address and zone."""
    group_arn = [{"targetGroupArn": "arn:group:t"}]
    base = {"serviceArn": "arn:web", "serviceName": "web", "clusterArn": "c", "taskDefinition": "td"}
    wants = {"desiredCount": 2, "networkConfiguration": SUBNETS_OF_TASKS, "loadBalancers": group_arn}
    found = [item("container service", **base, **wants)]
    for address, zone in places:
        details = [
            {"name": "privateIPv4Address", "value": address},
            {"name": "subnetId", "value": f"s-{zone[-1]}"},
        ]
        runs = {"lastStatus": "RUNNING", "availabilityZone": zone, "attachments": [{"details": details}]}
        task = item("task", taskArn=f"t-{address}", clusterArn="c", group="service:web", **runs)
        found += [task, target(address, "t")]
    return [*found, balancer(), group("t", TargetType="ip"), *SUBNETS]


def mounting() -> Item:
    volumes = [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs"}}]
    return item("task definition", taskDefinitionArn="td", family="web", volumes=volumes)


def gateway_in_one_zone() -> list[Item]:
    ways = [{"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat"}]
    where = [{"SubnetId": "s-a"}, {"SubnetId": "s-b"}]
    table = item("route table", RouteTableId="rtb", VpcId="v", Associations=where, Routes=ways)
    return [item("NAT gateway", NatGatewayId="nat", SubnetId="s-a", VpcId="v", State="available"), table]


def test_tasks_that_were_promised_and_do_not_run_serve_nobody_now() -> None:
    assert verdict(audit_estate(account(*tasks(*IN_TWO_ZONES)))) == set()
    report = audit_estate(account(*tasks()))
    assert verdict(report) == {("NSP100", "down", "certain")}
    assert report.findings[0].time == "now"


def test_a_container_service_that_was_deleted_serves_nobody() -> None:
    service = tasks(*IN_TWO_ZONES)[0].with_fields(status="INACTIVE")
    assert verdict(audited(service)) == {("NSP100", "down", "certain")}


def test_running_tasks_that_mount_through_one_zone_stop_with_it() -> None:
    report = audit_estate(account(*tasks(*IN_TWO_ZONES), mounting(), *files(A)))
    assert points(report) == {"mount target m1", f"zone:{A}"}
    both = audit_estate(account(*tasks(*IN_TWO_ZONES), mounting(), *files(A, B)))
    assert points(both) == set()


@pytest.mark.parametrize("running", [(), IN_TWO_ZONES])
def test_tasks_go_out_as_their_subnets_say(running: tuple[tuple[str, str], ...]) -> None:
    report = audit_estate((account if running else described)(*tasks(*running), *gateway_in_one_zone()))
    found = {(one.rule, one.event, one.view) for one in report.findings}
    assert found == {("NSP601", "nat", "egress"), ("NSP601", f"zone:{A}", "egress")}


def function(**fields: Any) -> Item:
    return item("function", **{"FunctionName": "f", "VpcConfig": {"SubnetIds": ["s-a", "s-b"]}, **fields})


def test_a_function_goes_out_as_its_subnets_say() -> None:
    assert verdict(audited(function())) == set()
    report = audited(function(), *gateway_in_one_zone())
    assert verdict(report) == {("NSP601", "nat", "certain"), ("NSP601", f"zone:{A}", "certain")}


def test_a_function_in_two_zones_mounts_in_each_of_them() -> None:
    report = audited(function(FileSystemConfigs=[{"Arn": "arn:fs"}]), *files(A, B))
    assert points(report) == set()
    assert {one.rule for one in report.findings} == {"NSP406"}


# Ways to files --------------------------------------------------------------------------------------------


def test_which_of_several_ways_is_mounted_is_possible_where_nobody_could_tell_their_zones() -> None:
    report = audited(*files(UNKNOWN, UNKNOWN), is_whole=False)
    assert points(report) == set()
    assert {"mount target m1", "mount target m2"} <= points(report, "possible")
    assert report.exit_code == 13


def test_files_without_a_way_to_them_serve_nobody_and_unread_ways_are_possible() -> None:
    assert ("NSP100", "down", "certain") in verdict(audited(*files()))
    denied = (Unread("mount targets", "elasticfilesystem:DescribeMountTargets", "AccessDenied"),)
    report = audited(*files(), unread=denied)
    assert points(report, "possible") == {"unread:mount target of fs"}
    assert points(report) == set()
    assert report.exit_code == 13


# Brokers, caches and search -------------------------------------------------------------------------------


def test_three_brokers_stand_in_three_zones_however_few_subnets_they_are_reached_in() -> None:
    for subnets in (["s-a", "s-b", "s-c"], ["s-a", "s-b"], []):
        assert verdict(audited(broker("CLUSTER_MULTI_AZ", subnets))) == set()
    assert points(audited(broker("CLUSTER_MULTI_AZ", ["s-a"]))) == {f"zone:{A}"}


def test_cache_nodes_that_aws_keeps_apart_share_no_zone_though_nobody_could_tell_which() -> None:
    report = audited(cache(UNKNOWN, UNKNOWN), is_whole=False)
    assert verdict(report) == set()
    assert report.exit_code == 0
    together = audited(cache(UNKNOWN, UNKNOWN, MultiAZ="disabled"), is_whole=False)
    assert points(together, "possible") == {"zone:unplaced"}


@pytest.mark.parametrize(
    "store",
    [
        cache(A, B, AutomaticFailover="enabling"),
        cache(MultiAZ="disabled", NodeGroups=UNKNOWN),
        item("cache cluster", CacheClusterId="m", Engine="memcached", NumCacheNodes=UNKNOWN),
        item("memory database", Name="m", Shards=[{"Name": "1", "Nodes": UNKNOWN}]),
        database(MultiAZ=False, DBClusterIdentifier=UNKNOWN),
        item("Kafka cluster", ClusterArn="k", Provisioned={"NumberOfBrokerNodes": UNKNOWN}),
        item("search domain", DomainName="s", ClusterConfig={"InstanceCount": UNKNOWN}),
        item(
            "search domain",
            DomainName="s",
            ClusterConfig={"InstanceCount": 2, "ZoneAwarenessEnabled": UNKNOWN},
        ),
    ],
    ids=lambda one: one.kind.name,
)
def test_what_nobody_could_tell_of_a_store_is_possible_and_never_certain(store: Item) -> None:
    report = audited(store, is_whole=False)
    assert points(report) == set()
    assert points(report, "possible")
    assert report.exit_code == 13


def search(nodes: int, zones: tuple[str, ...] = (), masters: int = 0, **more: Any) -> Item:
    config = {"InstanceCount": nodes, "ZoneAwarenessEnabled": len(zones) > 1}
    votes = {"DedicatedMasterEnabled": bool(masters), "DedicatedMasterCount": masters}
    where = {"VPCOptions": {"AvailabilityZones": list(zones)}} if zones else {}
    return item("search domain", DomainName="s", ClusterConfig={**config, **votes, **more}, **where)


def test_search_nodes_in_one_zone_fall_with_it_known_or_not() -> None:
    assert points(audited(search(2, (A,)))) == {f"zone:{A}"}
    assert points(audited(search(2))) == {"zone of search domain s"}


def test_three_masters_stand_in_three_zones_though_the_data_stands_in_two() -> None:
    assert points(audited(search(2, (A, B), masters=3))) == set()
    two = audited(search(2, (A, B), masters=2))
    assert points(two) == {
        "search domain s master 1",
        "search domain s master 2",
        "zone of part 1 of search domain s",
        "zone of part 2 of search domain s",
    }


def test_search_with_a_standby_zone_has_a_copy_of_everything_in_each() -> None:
    assert verdict(audited(search(3, (A, B, C), masters=3, MultiAZWithStandbyEnabled=True))) == set()
    assert points(audited(search(3, (A, B, C), masters=3)), "possible") != set()


def test_two_file_servers_of_ontap_share_their_zone_and_nothing_else() -> None:
    fields = {"SubnetIds": ["s-a"], "OntapConfiguration": {"DeploymentType": "SINGLE_AZ_1"}}
    report = audited(item("FSx file system", FileSystemId="o", **fields))
    assert verdict(report) == {("NSP201", f"zone:{A}", "certain")}


# Words ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("store", "says"),
    [
        (
            item("database cluster", DBClusterIdentifier="c", Engine="aurora-mysql"),
            "c is without an instance",
        ),
        (item("secret", ARN="s", Name="s", DeletedDate="2026-11-20T00:00:00Z"), "secret s is being deleted"),
        (item("file system", FileSystemId="fs"), "mount target of fs is missing"),
        (database(DBInstanceStatus="stopped"), "database db is in the state stopped"),
    ],
)
def test_what_is_wrong_reads_as_a_sentence(store: Item, says: str) -> None:
    assert says in titles(audited(store))


def test_what_is_broken_is_named_once_however_many_need_it() -> None:
    gone = [item("route table", RouteTableId="rtb", VpcId="v", Associations=[{"Main": True}])]
    gone[0] = gone[0].with_fields(Routes=[{"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-9"}])
    machines = (instance("i-1", A, VpcId="v"), instance("i-2", B, VpcId="v"))
    report = audit_estate(account(*PAIR[:4], *machines, *SUBNETS, *gone))
    assert titles(report).count("nat-9") == 1
