"""Changes to try on the model: the estate as it would be with a remedy in place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nospof.audit.builder import Service
from nospof.model.cloud import TAG_SERVICE
from nospof.model.estate import Estate, Item, item_of
from nospof.model.kinds import KINDS

TWIN = "-twin"


def with_field(fields: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return fields with one of them, however deep, replaced."""
    first, _, rest = path.partition(".")
    if not rest:
        return {**fields, first: value}
    inner = fields.get(first)
    return {**fields, first: with_field(inner if isinstance(inner, Mapping) else {}, rest, value)}


def with_value(estate: Estate, item: Item, path: str, value: Any) -> Estate:
    """Return the estate with one field of one item, however deep, replaced."""
    top = path.partition(".")[0]
    return estate.changed(item.kind.name, item.id, **{top: with_field(item.fields, path, value)[top]})


def machine_in(estate: Estate, source: Item, zone: str) -> tuple[Estate, Item]:
    """Return the estate with a twin as `clone` would make it: own disks, in no placement group."""
    volumes = [row.text("Ebs.VolumeId") for row in source.rows("BlockDeviceMappings")]
    mappings = [
        {"DeviceName": row.text("DeviceName"), "Ebs": {"VolumeId": f"{row.text('Ebs.VolumeId')}{TWIN}"}}
        for row in source.rows("BlockDeviceMappings")
    ]
    fields = {
        **source.fields,
        "InstanceId": f"{source.id}{TWIN}",
        "Placement": {"AvailabilityZone": zone},
        "SubnetId": None,
        "OutpostArn": None,
        "State": {"Name": "running"},
        "PrivateIpAddress": None,
        "PublicIpAddress": None,
        "BlockDeviceMappings": mappings,
    }
    twin = item_of(KINDS["instance"], fields)
    disks = [
        item_of(KINDS["volume"], {"VolumeId": f"{one}{TWIN}", "AvailabilityZone": zone})
        for one in volumes
        if one
    ]
    estate = estate.plus(twin, *disks)
    # What the source needs, its twin needs too.
    needs = tuple(replace(one, user=twin.id) for one in estate.uses_of(source.id))
    return replace(estate, uses=(*estate.uses, *needs)), twin


def with_twin(estate: Estate, source: Item, zone: str) -> Estate:
    """Return the estate with a healthy twin of a machine wherever clients are sent to the machine."""
    estate, twin = machine_in(estate, source, zone)
    for target in estate.where(
        "target", "Target.Id", source.id, source.text("PrivateIpAddress") or source.id
    ):
        group = estate.find("target group", target.text("TargetGroupArn"))
        if group and group.text("TargetType") == "ip":
            estate = estate.changed("target group", group.id, TargetType="instance")
        row = {"Id": twin.id, "Port": target.text("Target.Port")}
        fields = {**target.fields, "Target": row, "TargetHealth": {"State": "healthy"}}
        estate = estate.plus(item_of(KINDS["target"], fields))
        for arn in group.texts("LoadBalancerArns") if group else ():
            estate = with_zone(estate, arn, zone)
    for balancer in estate.where("classic load balancer", "Instances.InstanceId", source.id):
        listed = [*balancer.fields.get("Instances", ()), {"InstanceId": twin.id}]
        zones = sorted({*balancer.texts("AvailabilityZones"), zone})
        estate = estate.changed(
            "classic load balancer", balancer.id, Instances=listed, AvailabilityZones=zones
        )
    return estate


def with_zone(estate: Estate, balancer_key: str, zone: str) -> Estate:
    """Return the estate with a zone enabled on a balancer; the same when it is already."""
    balancer = estate.find("load balancer", balancer_key)
    if balancer is None:
        return estate
    rows = balancer.rows("AvailabilityZones")
    if any(zone in (row.text("ZoneName"), zone_of_row(estate, row.text("SubnetId"))) for row in rows):
        return estate
    listed = [*(row.fields for row in rows), {"ZoneName": zone}]
    enabled = estate.changed("load balancer", balancer.id, AvailabilityZones=listed)
    for target in estate.of("target"):
        state, reason = target.text("TargetHealth.State"), target.text("TargetHealth.Reason")
        machine = estate.find("instance", target.text("Target.Id"))
        is_there = machine is not None and machine.text("Placement.AvailabilityZone") == zone
        if is_there and (state, reason) == ("unused", "Target.NotInUse"):
            # Nobody checked it before; whether it works is not what is tried here.
            enabled = enabled.changed("target", target.id, TargetHealth={"State": "healthy"})
    return enabled


def zone_of_row(estate: Estate, subnet_id: str) -> str:
    """Return the zone of a subnet, or nothing."""
    subnet = estate.find("subnet", subnet_id)
    return subnet.text("AvailabilityZone") if subnet else ""


def with_pair(estate: Estate, service: str, source: Item, zone: str) -> Estate:
    """Return the estate with a machine and its twin behind a new balancer of the same service."""
    estate, twin = machine_in(estate, source, zone)
    name = f"nospof-{service}"
    own = source.text("Placement.AvailabilityZone") or zone_of_row(estate, source.text("SubnetId"))
    balancer = {
        "LoadBalancerArn": name,
        "LoadBalancerName": name,
        "Type": "application",
        "State": {"Code": "active"},
        "AvailabilityZones": [{"ZoneName": one} for one in (own or "the machine's zone", zone)],
        "Tags": [{"Key": TAG_SERVICE, "Value": service}],
    }
    group = {
        "TargetGroupArn": name,
        "TargetGroupName": name,
        "TargetType": "instance",
        "LoadBalancerArns": [name],
        "HealthCheckIntervalSeconds": 5,
        "HealthCheckTimeoutSeconds": 2,
        "UnhealthyThresholdCount": 2,
        "Matcher": {"HttpCode": "200"},
    }
    listener = {
        "ListenerArn": name,
        "LoadBalancerArn": name,
        "DefaultActions": [{"Type": "forward", "TargetGroupArn": name}],
    }
    targets = [
        {"TargetGroupArn": name, "Target": {"Id": one, "Port": 80}, "TargetHealth": {"State": "healthy"}}
        for one in (source.id, twin.id)
    ]
    return estate.plus(
        item_of(KINDS["load balancer"], balancer),
        item_of(KINDS["target group"], group),
        item_of(KINDS["listener"], listener),
        *(item_of(KINDS["target"], one) for one in targets),
    )


def with_wider_group(estate: Estate, scaling: Item, zones: list[str]) -> Estate:
    """Return the estate with an Auto Scaling group that keeps two members, in two zones."""
    fields: dict[str, Any] = {"MinSize": 2, "DesiredCapacity": 2, "AvailabilityZones": zones}
    rows = list(scaling.fields.get("Instances") or ())
    if not rows:
        return estate.changed(scaling.kind.name, scaling.id, **fields, VPCZoneIdentifier=None)
    used = {row.get("AvailabilityZone") for row in rows}
    zone = next((one for one in zones if one not in used), zones[-1])
    twin = {"InstanceId": f"{scaling.id}{TWIN}", "AvailabilityZone": zone, "LifecycleState": "InService"}
    if (first := estate.find("instance", str(rows[0].get("InstanceId")))) is not None:
        estate, machine = machine_in(estate, first, zone)
        twin["InstanceId"] = machine.id
    estate = estate.changed(scaling.kind.name, scaling.id, **fields, Instances=[*rows, twin])
    needs = tuple(replace(one, user=scaling.id) for one in estate.uses_of(str(rows[0].get("InstanceId"))))
    estate = replace(estate, uses=(*estate.uses, *needs))
    for arn in (
        *scaling.texts("TargetGroupARNs"),
        *(one.text("Identifier") for one in scaling.rows("TrafficSources")),
    ):
        group = estate.find("target group", arn)
        if group is None or not estate.where("target", "TargetGroupArn", *group.keys):
            continue
        fields = {
            "TargetGroupArn": group.id,
            "Target": {"Id": twin["InstanceId"], "Port": group.text("Port")},
        }
        estate = estate.plus(item_of(KINDS["target"], {**fields, "TargetHealth": {"State": "healthy"}}))
        for balancer in group.texts("LoadBalancerArns"):
            estate = with_zone(estate, balancer, zone)
    return estate


def all_in_service(estate: Estate, service: Service) -> Estate:
    """Return the estate with every registered member running and healthy, and the balancer active."""
    for node in list(service.state_of):
        item = service.item_of.get(node)
        if item is None:
            continue
        kind = item.kind.name
        if kind == "instance":
            estate = estate.changed(kind, item.id, State={"Name": "running"})
            if status := estate.find("instance status", item.id):
                ok = {"Status": "ok"}
                estate = estate.changed(
                    "instance status", status.id, InstanceStatus=ok, SystemStatus=ok, AttachedEbsStatus=ok
                )
        elif kind == "target":
            estate = estate.changed(kind, item.id, TargetHealth={"State": "healthy"})
        elif kind == "classic target":
            estate = estate.changed(kind, item.id, State="InService")
        elif kind == "load balancer":
            estate = estate.changed(kind, item.id, State={"Code": "active"})
        elif kind == "auto scaling group":
            rows = [
                {**one.fields, "LifecycleState": "InService", "HealthStatus": "Healthy"}
                for one in item.rows("Instances")
            ]
            # A description promises members and names none.
            estate = estate.changed(kind, item.id, Instances=rows) if rows else estate
    return estate


def without_events(estate: Estate, instance_id: str) -> Estate:
    """Return the estate after a member's announced maintenance was taken early."""
    status = estate.find("instance status", instance_id)
    return estate.changed("instance status", status.id, Events=[]) if status else estate
