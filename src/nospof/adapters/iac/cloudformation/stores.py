"""Stores, functions and what else keeps or computes data, as the describing calls would answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nospof.adapters.iac.cloudformation.machines import Made
from nospof.adapters.iac.cloudformation.resources import Misshapen, Resource, Stack, as_list
from nospof.adapters.values import plain
from nospof.model.estate import UNKNOWN

MOST_NODES = 500
"""Of a cache; ElastiCache itself allows as many in a cluster (its quotas page)."""


def database(stack: Stack, one: Resource) -> Iterator[Made]:
    """A database instance: in one zone unless it says otherwise."""
    get = one.properties.get
    fields = {"MultiAZ": False, "BackupRetentionPeriod": 1, **one.properties}
    fields["ReadReplicaSourceDBInstanceIdentifier"] = get("SourceDBInstanceIdentifier")
    fields["VpcSecurityGroups"] = [{"VpcSecurityGroupId": group} for group in one.texts("VPCSecurityGroups")]
    fields["Endpoint"] = {"Port": get("Port")}
    group = stack.find(get("DBSubnetGroupName"))
    subnets = group.texts("SubnetIds") if group else []
    fields["DBSubnetGroup"] = {"Subnets": [{"SubnetIdentifier": subnet} for subnet in subnets]}
    yield "database", one.id, fields


def database_cluster(_stack: Stack, one: Resource) -> Iterator[Made]:
    """A database cluster; its instances name it."""
    fields = {"BackupRetentionPeriod": 1, "EngineMode": "provisioned", **one.properties}
    groups = one.texts("VpcSecurityGroupIds")
    fields["VpcSecurityGroups"] = [{"VpcSecurityGroupId": group} for group in groups]
    if "ServerlessV2ScalingConfiguration" in one.properties:
        fields["EngineMode"] = "provisioned"  # The second generation has instances, as others do.
    yield "database cluster", one.id, fields


def proxy_targets(_stack: Stack, one: Resource) -> Iterator[Made]:
    """What stands behind a database proxy."""
    for kind, name in (
        ("DBClusterIdentifiers", "TRACKED_CLUSTER"),
        ("DBInstanceIdentifiers", "RDS_INSTANCE"),
    ):
        for key in one.texts(kind):
            fields = {"DBProxyName": one.properties.get("DBProxyName"), "Type": name, "RdsResourceId": key}
            if name == "TRACKED_CLUSTER":
                fields["TrackedClusterId"] = key
            yield "database proxy target", f"{one.id}:{key}", fields


def count(stack: Stack, one: Resource, name: str, default: int) -> int:
    """Return a number of nodes; the default, said as an assumption, where nobody could tell.

    Raises:
        UsageError: it is no number that can be.
    """
    value = one.properties.get(name, default)
    if value is UNKNOWN:
        stack.evaluator.assume(f"{name} of {one.id} is not known: {default} is taken")
        return default
    try:
        number = int(str(value))
    except ValueError:
        raise Misshapen(one, f"{name} must be a number, and is {value!r}") from None
    if not 0 <= number <= MOST_NODES:
        raise Misshapen(one, f"{name} must be from 0 to {MOST_NODES}, and is {number}")
    return number


def switched(one: Resource, name: str) -> Any:
    """Return a switch as the API tells it: "enabled" or "disabled", off unless set."""
    value = one.properties.get(name, False)
    return UNKNOWN if value is UNKNOWN else "enabled" if str(value).lower() == "true" else "disabled"


def cache(stack: Stack, one: Resource) -> Iterator[Made]:
    """A cache with replication: its shards and their nodes."""
    shards = count(stack, one, "NumNodeGroups", 1)
    alone = count(stack, one, "NumCacheClusters", 1)
    replicas = count(stack, one, "ReplicasPerNodeGroup", 0)
    nodes = alone if "NumCacheClusters" in one.properties else replicas + 1
    zones = one.texts("PreferredCacheClusterAZs")
    groups = []
    for shard in range(1, max(shards, 1) + 1):
        members = [
            {
                "CacheClusterId": f"{one.id}-{shard:04}-{place + 1:03}",
                "CurrentRole": "replica" if place else "primary",
                "PreferredAvailabilityZone": zones[place] if place < len(zones) else None,
            }
            for place in range(max(nodes, 1))
        ]
        groups.append({"NodeGroupId": f"{shard:04}", "NodeGroupMembers": members})
    fields = dict(one.properties)
    fields["AutomaticFailover"] = switched(one, "AutomaticFailoverEnabled")
    fields["MultiAZ"] = switched(one, "MultiAZEnabled")
    fields["NodeGroups"] = groups
    yield "cache", one.id, fields


def cache_cluster(stack: Stack, one: Resource) -> Iterator[Made]:
    """A cache without replication."""
    number = count(stack, one, "NumCacheNodes", 1)
    if one.properties.get("AZMode") == "cross-az" and number < 2:
        raise Misshapen(one, "AZMode cross-az asks for at least two nodes (NumCacheNodes)")
    zones = one.texts("PreferredAvailabilityZones")
    nodes = [
        {
            "CacheNodeId": f"{place + 1:04}",
            "CustomerAvailabilityZone": zones[place] if place < len(zones) else None,
        }
        for place in range(number)
    ]
    fields = {**one.properties, "NumCacheNodes": number, "CacheNodes": nodes}
    groups = one.texts("VpcSecurityGroupIds")
    fields["SecurityGroups"] = [{"SecurityGroupId": group} for group in groups]
    yield "cache cluster", one.id, fields


def memory_database(stack: Stack, one: Resource) -> Iterator[Made]:
    """MemoryDB: one replica a shard unless it says otherwise."""
    nodes = range(count(stack, one, "NumReplicasPerShard", 1) + 1)
    shards = [
        {"Name": f"{shard:04}", "Nodes": [{"Name": f"{shard:04}-{node + 1:03}"} for node in nodes]}
        for shard in range(1, count(stack, one, "NumShards", 1) + 1)
    ]
    yield "memory database", one.id, {"Shards": shards}


def broker(_stack: Stack, one: Resource) -> Iterator[Made]:
    """Amazon MQ."""
    yield "broker", one.id, {**one.properties, "SubnetIds": one.texts("SubnetIds")}


def kafka(_stack: Stack, one: Resource) -> Iterator[Made]:
    """Managed Kafka."""
    group = one.part("BrokerNodeGroupInfo")
    provisioned = {
        "NumberOfBrokerNodes": one.properties.get("NumberOfBrokerNodes"),
        "BrokerNodeGroupInfo": {
            "ClientSubnets": as_list(one, "ClientSubnets", group.get("ClientSubnets")),
            "SecurityGroups": as_list(one, "SecurityGroups", group.get("SecurityGroups")),
        },
    }
    yield "Kafka cluster", one.id, {"ClusterType": "PROVISIONED", "Provisioned": provisioned}


def search_domain(_stack: Stack, one: Resource) -> Iterator[Made]:
    """OpenSearch, by its old name too."""
    cluster = one.properties.get("ClusterConfig", one.properties.get("ElasticsearchClusterConfig"))
    fields = {**one.properties, "ClusterConfig": cluster if cluster is not None else {}}
    yield "search domain", one.id, fields


def mount_target(stack: Stack, one: Resource) -> Iterator[Made]:
    """The way to a file system in a zone."""
    zone = stack.zone_of_subnet(one.properties.get("SubnetId"))
    yield "mount target", one.id, {**one.properties, "AvailabilityZoneName": zone}


def function(_stack: Stack, one: Resource) -> Iterator[Made]:
    """A function; of its variables only the addresses."""
    kept = {key: value for key, value in one.properties.items() if key in ("VpcConfig", "FileSystemConfigs")}
    environment = without_unknown(one.part("Environment").get("Variables"))
    yield "function", one.id, {**kept, **plain({"Environment": {"Variables": environment}})}


def without_unknown(value: Any) -> dict[str, Any]:
    """Return the variables whose values are known texts."""
    return {key: one for key, one in value.items() if isinstance(one, str)} if isinstance(value, dict) else {}


def task_definition(_stack: Stack, one: Resource) -> Iterator[Made]:
    """A task definition: the volumes of its tasks; what they connect to are uses."""
    volumes = []
    for row in as_list(one, "Items", one.properties.get("Volumes")):
        efs = row.get("EFSVolumeConfiguration") if isinstance(row, dict) else None
        key = efs.get("FilesystemId") if isinstance(efs, dict) else None
        if isinstance(row, dict):
            volumes.append({"name": row.get("Name"), "efsVolumeConfiguration": {"fileSystemId": key}})
    mode = {"networkMode": one.properties.get("NetworkMode")}
    yield "task definition", one.id, {**mode, "volumes": volumes, "containerDefinitions": []}


STORES = {
    "RDS::DBInstance": database,
    "RDS::DBCluster": database_cluster,
    "RDS::DBProxyTargetGroup": proxy_targets,
    "ElastiCache::ReplicationGroup": cache,
    "ElastiCache::CacheCluster": cache_cluster,
    "MemoryDB::Cluster": memory_database,
    "AmazonMQ::Broker": broker,
    "MSK::Cluster": kafka,
    "OpenSearchService::Domain": search_domain,
    "Elasticsearch::Domain": search_domain,
    "EFS::MountTarget": mount_target,
    "Lambda::Function": function,
    "ECS::TaskDefinition": task_definition,
}
