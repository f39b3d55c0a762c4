"""Databases, caches, brokers and search: which copies there are, and which of them takes over by itself.

A replica that somebody must promote is no spare. Members of a cluster are counted, and where each of
them stands; what the cluster says of itself as a whole is not enough.
"""

from __future__ import annotations

from nospof.audit.builder import Builder
from nospof.audit.parts.copies import (
    Copy,
    add_copy,
    pair,
    single_or_pair,
    spread,
    umbrella,
    ways_in,
    zones_at,
)
from nospof.model.estate import UNKNOWN, Item, Record
from nospof.model.topology import NEVER, UP, AllOf, AnyOf, AtLeast, On, Requirement, Split, Unknown

RULE_OF_KIND_DATA: dict[tuple[str, str], str] = {
    ("serving", "database"): "NSP103",
    ("serving", "warehouse"): "NSP103",
    ("serving", "cache"): "NSP104",
    ("serving", "file system"): "NSP105",
    ("serving", "mount target"): "NSP105",
    ("serving", "directory"): "NSP110",
    ("serving", "broker"): "NSP111",
    ("serving", "search"): "NSP112",
    ("serving", "database proxy"): "NSP103",
    ("serving", "task"): "NSP101",
    ("serving", "function"): "NSP112",
    ("serving", "key deletion"): "NSP703",
    ("recovery", "key deletion"): "NSP703",
    ("serving", "key"): "NSP505",
    ("recovery", "key"): "NSP505",
    ("serving", "forced maintenance"): "NSP704",
    ("serving", "database certificate"): "NSP705",
}
"""Which rule speaks of a kind of event in a view."""


# Databases ------------------------------------------------------------------------------------------------


def database(b: Builder, item: Item) -> Requirement:
    """A database instance: alone, with a standby, or a member of a cluster that was named by itself."""
    zone = item.text("AvailabilityZone") or zone_of_group(b, item)
    facts = item.facts("MultiAZ", "AvailabilityZone", "SecondaryAvailabilityZone")
    cluster = item.text("DBClusterIdentifier")
    # What a member says of several zones is said of its cluster's storage.
    has_pair = False if cluster else item.flag("MultiAZ")
    if item.is_unknown("DBClusterIdentifier"):
        has_pair = None  # Perhaps others of a cluster take over.
    zones = (zone, item.text("SecondaryAvailabilityZone"))
    needs, first = single_or_pair(b, item, "database", zones, has_pair, facts)
    found = umbrella(b, item, needs, facts)
    if not cluster:
        b.state(f"data of database {item.label}", needs if has_pair else first, certain=has_pair is not None)
    return found


def zone_of_group(b: Builder, item: Item) -> str:
    """Return the zone of a database whose subnets all stand in the same one."""
    rows = item.rows("DBSubnetGroup.Subnets")
    zones = {
        row.text("SubnetAvailabilityZone.Name") or b.zone_of_subnet(row.text("SubnetIdentifier"))
        for row in rows
    }
    return zones.pop() if len(zones) == 1 else ""


def database_cluster(b: Builder, item: Item) -> Requirement:
    """A cluster: any of its members can write, and takes over by itself."""
    facts = item.facts("Engine", "DBClusterMembers", "MultiAZ")
    shares_storage = not item.text("DBClusterInstanceClass")
    members = members_of_cluster(b, item)
    needs: Requirement = AnyOf(tuple(b.of(one) for one in members))
    if not members and item.text("EngineMode") == "serverless":
        needs = UP
    elif not members and not shares_storage:
        first, second = pair(b, item, "database", ())
        needs = AnyOf((first, second))
    elif (
        not members
        and not item.is_unknown("DBClusterMembers")
        and b.estate.is_whole
        and not b.estate.is_unread("database")
    ):
        needs = NEVER
        b.is_off(b.name(item), "without an instance")
    elif not members:
        needs = b.unread(f"instances of database cluster {item.label}")
    found = umbrella(b, item, needs, facts)
    if not shares_storage and members:
        copies = tuple(On(f"{b.name(one)} copy 1") for one in members)
        b.state(f"data of database cluster {item.label}", AnyOf(copies))
    return found


def members_of_cluster(b: Builder, item: Item) -> list[Item]:
    """Return the instances of a cluster: those it names and those that name it."""
    named = [
        b.estate.find("database", row.text("DBInstanceIdentifier")) for row in item.rows("DBClusterMembers")
    ]
    naming = b.estate.where("database", "DBClusterIdentifier", *item.keys)
    return list({one.id: one for one in (*named, *naming) if one is not None}.values())


def database_proxy(b: Builder, item: Item) -> Requirement:
    """A proxy: it needs one of its zones, and the database behind it."""
    needs = [ways_in(b, item, "database proxy", zones_at(b, item, "VpcSubnetIds"))]
    targets = b.estate.where("database proxy target", "DBProxyName", *item.keys)
    clusters = {one.text("TrackedClusterId") for one in targets} - {""}
    names = {one.text("RdsResourceId") for one in targets if not one.text("TrackedClusterId")}
    behind = [b.need("database cluster", one) for one in sorted(clusters)]
    for name in sorted(names - clusters):
        kind = "database cluster" if b.estate.find("database cluster", name) else "database"
        behind.append(b.need(kind, name))
    needs.append(AnyOf(tuple(behind)) if behind else b.unread(f"the database behind proxy {item.label}"))
    found = umbrella(b, item, AllOf(tuple(needs)), item.facts("VpcSubnetIds", "Status"))
    told = [one for one in targets if one.text("TargetHealth.State")]
    if told and all(one.text("TargetHealth.State") == "UNAVAILABLE" for one in told):
        why = " and ".join(sorted({one.text("TargetHealth.Reason") or "no reason told" for one in told}))
        b.is_off(found.node, f"without a database that it reaches ({why})")
    return found


def warehouse(b: Builder, item: Item) -> Requirement:
    """A Redshift cluster: in one zone, unless it says that it spans two."""
    said = item.at("MultiAZ")
    has_pair = None if said is UNKNOWN else str(said).lower() in ("enabled", "true")
    zones = (item.text("AvailabilityZone"), item.text("MultiAZSecondary.AvailabilityZone"))
    facts = item.facts("MultiAZ", "AvailabilityZone")
    needs, _ = single_or_pair(b, item, "warehouse", zones, has_pair, facts)
    return umbrella(b, item, needs, facts)


# Caches ---------------------------------------------------------------------------------------------------


def cache(b: Builder, item: Item) -> Requirement:
    """A replication group: its shards hold different keys; a replica takes over only where that is on."""
    said = item.at("AutomaticFailover")
    takes_over = None if said in (UNKNOWN, "enabling") else said == "enabled"
    shards = [shard(b, item, row, takes_over) for row in item.rows("NodeGroups")]
    if not shards and takes_over and not is_spread(item):
        shards = [b.unread(f"nodes of cache {item.label}")]
    elif not shards:
        shards = [single_or_pair(b, item, "cache", (), takes_over)[0]]
    return umbrella(b, item, divided(shards), item.facts("AutomaticFailover", "MultiAZ", "NodeGroups"))


def is_spread(item: Item) -> bool:
    """Whether AWS keeps the nodes of each shard in more than one zone."""
    return item.text("MultiAZ") == "enabled"


def shard(b: Builder, item: Item, row: Record, takes_over: bool | None) -> Requirement:
    """Return what a shard needs: any of its nodes, or the primary alone."""
    rows = sorted(
        row.rows("NodeGroupMembers"), key=lambda one: (one.text("CurrentRole") != "primary", name_of(one))
    )
    known = tuple(zone for one in rows if (zone := one.text("PreferredAvailabilityZone")))
    nodes = [
        add_copy(
            b,
            item,
            "cache",
            Copy(
                f"cache node {name_of(one) or f'{item.id} {number}'}",
                f"cache node {name_of(one) or number} of {item.label}",
                one.text("PreferredAvailabilityZone"),
                is_spread(item),
                known,
            ),
            item.facts("AutomaticFailover"),
        )
        for number, one in enumerate(rows, 1)
    ]
    if not nodes:
        return b.unread(f"nodes of cache {item.label}")
    if takes_over is None and len(nodes) > 1:
        b.ask(f"does a replica of cache {item.label} take over by itself?")
        return Unknown(nodes[0], AnyOf(tuple(nodes)))
    return AnyOf(tuple(nodes)) if takes_over else nodes[0]


def name_of(row: Record) -> str:
    """Return the name of a cache node."""
    return row.text("CacheClusterId")


def divided(parts: list[Requirement]) -> Requirement:
    """Return what keys need that are divided over parts: a lost part loses its share."""
    return parts[0] if len(parts) == 1 else Split(tuple((1, one) for one in parts))


def cache_cluster(b: Builder, item: Item) -> Requirement:
    """A cluster without replication: Memcached divides its keys over the nodes, Redis has one node."""
    if group := item.text("ReplicationGroupId"):
        return b.need("cache", group)
    whole = item.text("PreferredAvailabilityZone")
    zone = "" if whole == "Multiple" else whole
    zones = [one.text("CustomerAvailabilityZone") or zone for one in item.rows("CacheNodes")]
    number = item.number("NumCacheNodes", 1)
    if not zones and number is None and item.text("Engine") in ("", "memcached"):
        return umbrella(b, item, b.unread(f"nodes of cache {item.label}"), item.facts("NumCacheNodes"))
    zones = zones or [zone] * int(number or 1)
    nodes: list[Requirement] = [
        add_copy(b, item, "cache", Copy(f"{b.name(item)} node {n}", f"node {n} of cache {item.label}", one))
        for n, one in enumerate(zones, 1)
    ]
    return umbrella(b, item, divided(nodes), item.facts("Engine", "NumCacheNodes"))


def memory_database(b: Builder, item: Item) -> Requirement:
    """MemoryDB: a replica of each shard takes over by itself."""
    shards: list[Requirement] = []
    for row in item.rows("Shards"):
        nodes = [
            add_copy(
                b,
                item,
                "database",
                Copy(
                    f"{b.name(item)} {one.text('Name')}",
                    f"node {one.text('Name')} of {item.label}",
                    one.text("AvailabilityZone"),
                ),
            )
            for one in row.rows("Nodes")
        ]
        shards.append(AnyOf(tuple(nodes)) if nodes else b.unread(f"nodes of memory database {item.label}"))
    needs = divided(shards) if shards else b.unread(f"nodes of memory database {item.label}")
    return umbrella(b, item, needs, item.facts("AvailabilityMode"))


def dax_cluster(b: Builder, item: Item) -> Requirement:
    """DAX: any node serves."""
    zones = [one.text("AvailabilityZone") for one in item.rows("Nodes")]
    zones = zones or [""] * int(item.number("TotalNodes", 1) or 0)
    nodes = [
        add_copy(b, item, "cache", Copy(f"{b.name(item)} node {n}", f"node {n} of DAX {item.label}", zone))
        for n, zone in enumerate(zones, 1)
    ]
    needs = AnyOf(tuple(nodes)) if nodes else b.unread(f"nodes of DAX cluster {item.label}")
    return umbrella(b, item, needs, item.facts("TotalNodes"))


# Brokers and search ---------------------------------------------------------------------------------------


def broker(b: Builder, item: Item) -> Requirement:
    """Amazon MQ: one broker, an active one with a standby, or three that need two."""
    mode, facts = item.at("DeploymentMode"), item.facts("DeploymentMode", "SubnetIds")
    zones = zones_at(b, item, "SubnetIds")
    needs: Requirement
    if mode == "CLUSTER_MULTI_AZ":
        # AWS puts the three into three zones, whatever subnets they are reached in (Amazon MQ API, brokers).
        apart = spread(b, item, "broker", zones if len(zones) == 3 else (), 3, is_apart=True)
        votes = AtLeast(2, tuple((1, one) for one in apart))
        needs = AllOf((votes, ways_in(b, item, "broker", zones)))
    else:
        has_pair = None if mode is UNKNOWN else mode == "ACTIVE_STANDBY_MULTI_AZ"
        needs, first = single_or_pair(b, item, "broker", zones, has_pair, facts)
        if has_pair is False and item.text("EngineType").upper() == "RABBITMQ":
            b.state(f"messages in broker {item.label}", first)
    return umbrella(b, item, needs, facts)


def kafka_cluster(b: Builder, item: Item) -> Requirement:
    """Kafka: how many brokers a topic needs is the topic's own setting, which AWS does not tell."""
    if item.text("ClusterType") == "SERVERLESS":
        return umbrella(b, item, UP, item.facts("ClusterType"))
    zones = zones_at(b, item, "Provisioned.BrokerNodeGroupInfo.ClientSubnets")
    facts = item.facts("Provisioned.NumberOfBrokerNodes")
    # There is one broker or more in each zone.
    number = int(item.number("Provisioned.NumberOfBrokerNodes") or len(zones))
    if not number:
        return umbrella(b, item, b.unread(f"brokers of {item.label}"), facts)
    nodes = spread(b, item, "broker", zones, number)
    b.ask(f"do all topics of {item.label} have replicas that may be lost (min.insync.replicas)?")
    needs = Unknown(AllOf(tuple(nodes)), AnyOf(tuple(nodes))) if number > 1 else nodes[0]
    return umbrella(b, item, needs, facts)


def search_domain(b: Builder, item: Item) -> Requirement:
    """OpenSearch: data nodes with their replicas, and masters that must agree."""
    number = item.number("ClusterConfig.InstanceCount", 1)
    paths = ("ClusterConfig.InstanceCount", "ClusterConfig.ZoneAwarenessEnabled")
    facts = item.facts(*paths, "ClusterConfig.DedicatedMasterCount")
    if number is None:
        return umbrella(b, item, b.unread(f"how many nodes search domain {item.label} has"), facts)
    if number == 1:
        only, _ = single_or_pair(b, item, "search", zones_of_domain(b, item), False, facts)
        return umbrella(b, item, only, facts)
    nodes = search_nodes(b, item, "copy", int(number))
    masters = int(item.number("ClusterConfig.DedicatedMasterCount", 0) or 0)
    if masters and item.flag("ClusterConfig.DedicatedMasterEnabled", True):
        agree: Requirement = majority(search_nodes(b, item, "master", masters))
    else:
        agree = Unknown(majority(nodes), AnyOf(tuple(nodes)))
    data: Requirement = AnyOf(tuple(nodes))
    # With a standby, AWS refuses an index that has not a copy in each zone (OpenSearch guide, Multi-AZ).
    if item.flag("ClusterConfig.MultiAZWithStandbyEnabled") is not True:
        b.ask(f"does every index of {item.label} have a replica?")
        data = Unknown(AllOf(tuple(nodes)), data)
    return umbrella(b, item, AllOf((data, agree)), facts)


def zones_of_domain(b: Builder, item: Item) -> list[str]:
    """Return the zones of a search domain, as far as they are known."""
    return list(item.texts("VPCOptions.AvailabilityZones")) or zones_at(b, item, "VPCOptions.SubnetIds")


def search_nodes(b: Builder, item: Item, role: str, number: int) -> list[On]:
    """Add nodes of a search domain: over several zones, all in one, or nobody could tell."""
    is_aware, zones = item.flag("ClusterConfig.ZoneAwarenessEnabled"), zones_of_domain(b, item)
    if is_aware is None:
        zones, count = [], number
    elif is_aware:
        count = len(zones) or int(
            item.number("ClusterConfig.ZoneAwarenessConfig.AvailabilityZoneCount", 2) or 2
        )
        if role == "master" and len(b.estate.of("zone")) != 2:
            count = 3  # Whatever the zones of the data (OpenSearch guide, Multi-AZ domains).
        if role == "master" and number % count:
            zones = []  # Which of the zones has one more, nobody could tell.
    else:
        zones, count = zones[:1], 1
    found = []
    for place in range(number):
        part = place % count
        zone = zones[part] if part < len(zones) else ""
        where = f"part {part + 1} of {item.says}" if is_aware else "" if is_aware is None else item.says
        label = f"{'node' if role == 'copy' else role} {place + 1} of {item.says}"
        copy = Copy(f"{b.name(item)} {role} {place + 1}", label, zone, is_aware is True, tuple(zones), where)
        found.append(add_copy(b, item, "search", copy))
    return found


def majority(nodes: list[On]) -> Requirement:
    """Return a need of more than half."""
    return AtLeast(len(nodes) // 2 + 1, tuple((1, one) for one in nodes))


def directory(b: Builder, item: Item) -> Requirement:
    """A directory: any of its controllers answers."""
    zones, subnets = list(item.texts("VpcSettings.AvailabilityZones")), item.texts("VpcSettings.SubnetIds")
    zones = zones or zones_at(b, item, "VpcSettings.SubnetIds")
    if not zones:
        # AWS takes subnets in different zones only, so more than one of them is enough to know.
        has_pair = True if len(subnets) > 1 else None
        return umbrella(b, item, single_or_pair(b, item, "directory", (), has_pair)[0])
    return umbrella(b, item, AnyOf(tuple(spread(b, item, "directory", zones, len(zones)))))


def regional(b: Builder, item: Item) -> Requirement:
    """What AWS serves from the whole region: it has no fault that a service could be built around."""
    return umbrella(b, item, UP)
