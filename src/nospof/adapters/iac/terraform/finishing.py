"""What no table can say: disks nobody listed, nodes that are a number, names that are cut short."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nospof.adapters.iac.terraform.desk import Desk, Draft
from nospof.adapters.iac.terraform.resources import Block
from nospof.model.estate import UNKNOWN


def finish_machine(desk: Desk, draft: Draft) -> bool:
    """Give a machine its disks, its subnet by way of an interface, and its public address to be."""
    block = draft.resource.block
    roots = block.blocks("root_block_device")
    root = text(roots[0], "volume_id") if roots else ""
    desk.assume("the root of every machine is a volume of its own, as with nearly every image")
    disks = [(text(roots[0], "device_name") if roots else "", root or f"{draft.id}.root_block_device")]
    for number, one in enumerate(block.blocks("ebs_block_device")):
        device = text(one, "device_name") or str(number)
        disks.append((device, text(one, "volume_id") or f"{draft.id}.ebs_block_device[{device}]"))
    draft.fields["RootDeviceType"] = "ebs"
    draft.add("BlockDeviceMappings", *({"DeviceName": name, "Ebs": {"VolumeId": id_}} for name, id_ in disks))
    rows = [*block.blocks("network_interface"), *block.blocks("primary_network_interface")]
    for row in rows:
        value = desk.one(row, "network_interface_id", ("network interface",), is_needed=False)
        interface = desk.find("network interface", value)
        if interface is None:
            continue
        draft.add("NetworkInterfaces", {"NetworkInterfaceId": interface.id})
        if not isinstance(draft.fields.get("SubnetId"), str) and "SubnetId" in interface.fields:
            draft.fields["SubnetId"] = interface.fields["SubnetId"]
    subnet = desk.find("subnet", draft.fields.get("SubnetId"))
    if not isinstance(draft.fields.get("PublicIpAddress"), str) and gets_address(block, subnet):
        draft.fields["PublicIpAddress"] = f"{draft.id}.public_ip"
    return True


def gets_address(block: Block, subnet: Draft | None) -> bool:
    """Whether a machine gets a public address when it is launched; one that is there has it or has none."""
    if block.resource.is_partial or block.get("public_ip") is not UNKNOWN:
        return False
    said = block.get("associate_public_ip_address")
    if said is UNKNOWN or said is None:
        return subnet is not None and subnet.fields.get("MapPublicIpOnLaunch") is True
    return said is True


def finish_group(_desk: Desk, draft: Draft) -> bool:
    """Give an Auto Scaling group its tags, which it lists one by one."""
    pairs = [(one.values.get("key"), one.values.get("value")) for one in draft.resource.block.blocks("tag")]
    pairs += plain_rows(draft.resource.values.get("tags"))
    known = [(key, value) for key, value in pairs if isinstance(key, str) and isinstance(value, str)]
    if known:
        draft.fields["Tags"] = [{"Key": key, "Value": value} for key, value in known]
    return True


def plain_rows(value: Any) -> list[tuple[Any, Any]]:
    """Return keys and values of a list of tags, as old providers had it."""
    rows = value if isinstance(value, list) else []
    return [(one.get("key"), one.get("value")) for one in rows if isinstance(one, Mapping)]


def finish_cross_zone(desk: Desk, draft: Draft) -> bool:
    """Keep the switch of a network or gateway balancer; an application balancer crosses zones always."""
    draft.fields["LoadBalancerArn"] = own = owner(desk, draft, "load balancer")
    balancer = desk.find("load balancer", own)
    value = draft.fields.get("Value")
    if isinstance(value, bool):
        draft.fields["Value"] = str(value).lower()
    return balancer is not None and balancer.fields.get("Type") != "application"


def owner(desk: Desk, draft: Draft, kind: str) -> str:
    """Return the id of the item that the same resource became first."""
    other = desk.draft_of(kind, draft.resource)
    return other.id if other else draft.resource.address


def finish_template(desk: Desk, draft: Draft) -> bool:
    """Let the version of a launch template belong to its template."""
    draft.fields["LaunchTemplateId"] = owner(desk, draft, "launch template")
    return True


def finish_target(_desk: Desk, draft: Draft) -> bool:
    """Give a target an identity; one whose machine nobody could tell stands for itself."""
    target = draft.fields.setdefault("Target", {})
    if not isinstance(target.get("Id"), str):
        target["Id"] = draft.resource.address
    return isinstance(draft.fields.get("TargetGroupArn"), str)


def finish_record(desk: Desk, draft: Draft) -> bool:
    """Give a record its full name: within Terraform its zone's name may be left out."""
    full = text(draft.resource.block, "fqdn")
    name = full or text(draft.resource.block, "name")
    zone = desk.find("hosted zone", draft.fields.get("HostedZoneId"))
    ending = zone.fields.get("Name") if zone else None
    if not full and isinstance(ending, str):
        ending = ending.rstrip(".")
        if name.rstrip(".") != ending and not name.rstrip(".").endswith(f".{ending}"):
            name = f"{name}.{ending}" if name else ending
    draft.fields["Name"] = name or draft.resource.address
    return True


def finish_alarm(desk: Desk, draft: Draft) -> bool:
    """Give an alarm what it watches."""
    block = draft.resource.block
    listed = block.get("dimensions")
    rows = []
    for key, value in listed.items() if isinstance(listed, Mapping) else ():
        if value is UNKNOWN:
            found = desk.references.of(draft.resource, block.references("dimensions"))
            ids = [one.id for target in found.targets for one in desk.drafts_of(target.resource)]
            value = ids[0] if len(ids) == 1 else UNKNOWN
        elif (named := desk.find("instance", value)) is not None:
            value = named.id
        rows.append({"Name": str(key), "Value": value})
    draft.fields["Dimensions"] = rows
    return True


# Stores -----------------------------------------------------------------------------------------------


def finish_database(desk: Desk, draft: Draft) -> bool:
    """Give a database the subnets that it may stand in."""
    if subnets := subnets_of(desk, draft, "database subnet group"):
        draft.fields["DBSubnetGroup"] = {"Subnets": [{"SubnetIdentifier": one} for one in subnets]}
    return True


def subnets_of(desk: Desk, draft: Draft, kind: str) -> list[str]:
    """Return the subnets of a draft's subnet group, as far as they are known."""
    group = desk.find(kind, draft.fields.pop("subnet group", None))
    listed = group.fields.get("SubnetIds") if group else None
    return [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else []


def zones_of(desk: Desk, subnets: list[str]) -> list[str]:
    """Return the zones of subnets, sorted; none where one of them is not known."""
    drafts = [desk.find("subnet", one) for one in subnets]
    zones = [one.fields.get("AvailabilityZone") if one else None for one in drafts]
    told = [one for one in zones if isinstance(one, str) and one]
    return sorted(set(told)) if len(told) == len(zones) else []


def finish_cache(desk: Desk, draft: Draft) -> bool:
    """Give a replication group its shards and nodes, which Terraform says as numbers."""
    block = draft.resource.block
    zones = zones_of(desk, subnets_of(desk, draft, "cache subnet group"))
    mode = (block.blocks("cluster_mode") or (block,))[0]
    groups = [whole(one, "num_node_groups") for one in (mode, block)]
    replicas = [whole(one, "replicas_per_node_group") for one in (mode, block)]
    clusters = whole(block, "num_cache_clusters") or whole(block, "number_cache_clusters")
    shards = next((one for one in groups if one), 1)
    spare = next((one for one in replicas if one is not None), None)
    if spare is not None:
        nodes = spare + 1
    elif clusters:
        nodes = max(1, clusters // shards)
    elif any(block.may_be_set(one) for one in ("num_cache_clusters", "number_cache_clusters")):
        return True  # How many there are is told nowhere.
    else:
        nodes = 1
    if shards < 1 or shards * nodes > 1000:
        return True
    places = texts(block, "preferred_cache_cluster_azs")
    if not places and draft.fields.get("MultiAZ") == "enabled" and len(zones) > 1:
        desk.assume("ElastiCache spreads the nodes of a group with Multi-AZ evenly over its subnets' zones")
        places = zones
    draft.fields["NodeGroups"] = [node_group(draft.id, shard, nodes, places) for shard in range(shards)]
    endpoint = text(block, "primary_endpoint_address")
    if endpoint:
        draft.fields["NodeGroups"][0]["PrimaryEndpoint"] = {"Address": endpoint}
    return True


def node_group(name: str, shard: int, nodes: int, zones: list[str]) -> dict[str, Any]:
    """Return one shard: a primary and its replicas."""
    members = []
    for number in range(nodes):
        member = {
            "CacheClusterId": f"{name}-{shard + 1:04}-{number + 1:03}",
            "CurrentRole": "replica" if number else "primary",
        }
        if zones:
            member["PreferredAvailabilityZone"] = zones[number % len(zones)]
        members.append(member)
    return {"NodeGroupId": f"{shard + 1:04}", "NodeGroupMembers": members}


def finish_cache_cluster(desk: Desk, draft: Draft) -> bool:
    """Give a cache cluster its nodes, and their zones where it tells them."""
    block = draft.resource.block
    zones = zones_of(desk, subnets_of(desk, draft, "cache subnet group"))
    if text(block, "replication_group_id"):
        return True  # Its nodes are the group's.
    told = block.blocks("cache_nodes")
    if told:
        draft.fields["CacheNodes"] = [
            {
                "CacheNodeId": text(one, "id"),
                "CustomerAvailabilityZone": text(one, "availability_zone"),
                "Endpoint": {"Address": text(one, "address")},
            }
            for one in told
        ]
        return True
    places = texts(block, "preferred_availability_zones")
    if not places and block.get("az_mode") == "cross-az" and len(zones) > 1:
        desk.assume("ElastiCache spreads the nodes of a cluster over its subnets' zones")
        places = zones
    number = whole(block, "num_cache_nodes")
    if places and number and number <= 1000:
        draft.fields["CacheNodes"] = [
            {"CacheNodeId": f"{one + 1:04}", "CustomerAvailabilityZone": places[one % len(places)]}
            for one in range(number)
        ]
    return True


def finish_service(_desk: Desk, draft: Draft) -> bool:
    """Let a container service be of the kind that Fargate makes it, where a strategy says so."""
    for one in draft.resource.block.blocks("capacity_provider_strategy"):
        if text(one, "capacity_provider").startswith("FARGATE"):
            draft.fields.setdefault("launchType", "FARGATE")
    return True


def text(block: Block, name: str) -> str:
    """Return an attribute that is a text, or an empty one."""
    value = block.get(name)
    return value if isinstance(value, str) else ""


def texts(block: Block, name: str) -> list[str]:
    """Return the texts of a list; none where it is no list."""
    value = block.get(name)
    return [one for one in value if isinstance(one, str) and one] if isinstance(value, list) else []


def whole(block: Block, name: str) -> int | None:
    """Return an attribute that is a whole number, or None."""
    value = block.get(name)
    if isinstance(value, str) and value.isdigit() and len(value) < 10:
        return int(value)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9
    return int(value) if is_number else None


FINISHERS: dict[str, Callable[[Desk, Draft], bool]] = {
    "instance": finish_machine,
    "auto scaling group": finish_group,
    "load balancer attribute": finish_cross_zone,
    "launch template version": finish_template,
    "target": finish_target,
    "record set": finish_record,
    "alarm": finish_alarm,
    "database": finish_database,
    "cache": finish_cache,
    "cache cluster": finish_cache_cluster,
    "container service": finish_service,
}
"""By kind: what completes a draft, and whether it is kept."""
