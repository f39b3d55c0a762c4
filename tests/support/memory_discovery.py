"""The in-memory cloud as the audit reads it: the pages that AWS would answer for the same account."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from nospof.adapters.memory.cloud import MemoryCloud
from nospof.errors import CloudError
from nospof.model.cloud import Identity, Instance, InstanceStatus, TargetGroup

Rows = list[dict[str, Any]]


class MemoryDiscovery:
    """Implements `ports.discovery.Discovery`. What the cloud denies is denied; `deny` denies any call."""

    source = "AWS"

    def __init__(self, cloud: MemoryCloud) -> None:
        self.cloud = cloud
        self.asked: list[tuple[str, dict[str, object]]] = []
        self._denied: dict[str, str] = {}

    def deny(self, call: str, code: str = "AccessDenied") -> None:
        """Refuse a call from now on, named as boto3 names it: "ec2:DescribeSubnets"."""
        self._denied[call] = code

    def identity(self) -> Identity:
        return self.cloud.identity()

    def pages(
        self, call: str, arguments: Mapping[str, object], *, is_global: bool = False
    ) -> Iterator[Mapping[str, Any]]:
        self.asked.append((call, dict(arguments)))
        if call in self._denied:
            code = self._denied[call]
            message = f"{call} was refused ({code})."
            raise CloudError(message, code=code, operation=call.replace("elbv2:", "elasticloadbalancing:"))
        answer = ANSWERS.get(call)
        yield answer(self.cloud, arguments) if answer else {}


def time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def pairs(tags: Mapping[str, str]) -> Rows:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def zones(cloud: MemoryCloud, _: Mapping[str, object]) -> dict[str, Any]:
    return {
        "AvailabilityZones": [
            {"ZoneName": one.name, "ZoneId": one.id, "State": one.state, "ZoneType": "availability-zone"}
            for one in cloud.zones()
        ]
    }


def subnets(cloud: MemoryCloud, _: Mapping[str, object]) -> dict[str, Any]:
    zone_ids = {one.name: one.id for one in cloud._zones}
    return {
        "Subnets": [
            {
                "SubnetId": one.id,
                "VpcId": one.vpc_id,
                "AvailabilityZone": one.zone,
                "AvailabilityZoneId": zone_ids[one.zone],
                "AvailableIpAddressCount": one.free_addresses,
                "MapPublicIpOnLaunch": one.is_public,
            }
            for vpc in sorted({each.vpc_id for each in cloud._subnets.values()})
            for one in cloud.subnets(vpc)
        ]
    }


def instances(cloud: MemoryCloud, _: Mapping[str, object]) -> dict[str, Any]:
    return {"Reservations": [{"Instances": [instance_row(one)]} for one in cloud.instances()]}


def instance_row(one: Instance) -> dict[str, Any]:
    row: dict[str, Any] = {
        "InstanceId": one.id,
        "State": {"Name": one.state},
        "InstanceType": one.type,
        "ImageId": one.image_id,
        "VpcId": one.vpc_id,
        "SubnetId": one.subnet_id,
        "PrivateIpAddress": one.private_ip,
        "PublicIpAddress": one.public_ip,
        "InstanceLifecycle": one.lifecycle,
        "RootDeviceType": one.root_device_type,
        "RootDeviceName": one.root_device,
        "LaunchTime": time(one.launched_at),
        "Placement": {
            "AvailabilityZone": one.zone,
            "GroupName": one.placement_group,
            "Tenancy": "default",
        },
        "BlockDeviceMappings": [
            {
                "DeviceName": disk.device,
                "Ebs": {"VolumeId": disk.volume_id, "DeleteOnTermination": disk.delete_on_termination},
            }
            for disk in one.attachments
        ],
        "SecurityGroups": [{"GroupId": group} for group in one.security_groups],
        "Tags": pairs(one.tags),
    }
    return {key: value for key, value in row.items() if value != ""}


def statuses(cloud: MemoryCloud, _: Mapping[str, object]) -> dict[str, Any]:
    ids = tuple(sorted(one.id for one in cloud._instances.values() if one.state != "terminated"))
    return {"InstanceStatuses": [status_row(one) for one in cloud.instance_status(ids)]}


def status_row(one: InstanceStatus) -> dict[str, Any]:
    return {
        "InstanceId": one.instance_id,
        "InstanceState": {"Name": one.state},
        "InstanceStatus": {"Status": one.instance_check},
        "SystemStatus": {"Status": one.system_check},
        "Events": [
            {
                "InstanceEventId": event.id,
                "Code": event.code,
                "Description": event.description,
                "NotBefore": time(event.not_before),
                **({"NotAfter": time(event.not_after)} if event.not_after else {}),
            }
            for event in one.events
        ],
    }


def volumes(cloud: MemoryCloud, _: Mapping[str, object]) -> dict[str, Any]:
    return {
        "Volumes": [
            {
                "VolumeId": one.id,
                "AvailabilityZone": one.zone,
                "Size": one.size_gib,
                "VolumeType": one.type,
                "Encrypted": one.is_encrypted,
                "State": "in-use" if one.attached_to else "available",
                "Attachments": [{"InstanceId": each} for each in one.attached_to],
                "Tags": pairs(one.tags),
            }
            for one in cloud.volumes()
        ]
    }


def placement_groups(cloud: MemoryCloud, _: Mapping[str, object]) -> dict[str, Any]:
    return {
        "PlacementGroups": [
            {"GroupName": name, "Strategy": "spread", "SpreadLevel": "rack", "State": "available"}
            for name in sorted(cloud._placement_groups)
        ]
    }


def balancers(cloud: MemoryCloud, _: Mapping[str, object]) -> dict[str, Any]:
    return {
        "LoadBalancers": [
            {
                "LoadBalancerArn": one.arn,
                "LoadBalancerName": one.name,
                "DNSName": one.dns_name,
                "Type": one.type,
                "Scheme": "internet-facing",
                "State": {"Code": one.state},
                "VpcId": one.vpc_id,
                "AvailabilityZones": [
                    {"ZoneName": zone.zone, "SubnetId": zone.id}
                    for zone in cloud._subnets.values()
                    if zone.zone in one.zones
                ],
            }
            for one in cloud.load_balancers()
        ]
    }


def attributes(cloud: MemoryCloud, arguments: Mapping[str, object]) -> dict[str, Any]:
    is_cross_zone = cloud._balancers[str(arguments["LoadBalancerArn"])].is_cross_zone
    value = str(is_cross_zone).lower()
    return {"Attributes": [{"Key": "load_balancing.cross_zone.enabled", "Value": value}]}


def balancer_tags(cloud: MemoryCloud, arguments: Mapping[str, object]) -> dict[str, Any]:
    arns: Any = arguments["ResourceArns"]
    return {
        "TagDescriptions": [{"ResourceArn": arn, "Tags": pairs(cloud._balancers[arn].tags)} for arn in arns]
    }


def listeners(cloud: MemoryCloud, arguments: Mapping[str, object]) -> dict[str, Any]:
    return {
        "Listeners": [
            {
                "ListenerArn": one.arn,
                "LoadBalancerArn": one.balancer_arn,
                "Port": one.port,
                "Protocol": one.protocol,
                "DefaultActions": [forward(one.forwards_to)],
            }
            for one in cloud.listeners(str(arguments["LoadBalancerArn"]))
        ]
    }


def forward(sent: tuple[tuple[str, int], ...]) -> dict[str, Any]:
    groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in sent]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}


def groups(cloud: MemoryCloud, _: Mapping[str, object]) -> dict[str, Any]:
    return {"TargetGroups": [group_row(one) for one in cloud.target_groups()]}


def group_row(one: TargetGroup) -> dict[str, Any]:
    check = one.health_check
    return {
        "TargetGroupArn": one.arn,
        "TargetGroupName": one.name,
        "TargetType": one.target_type,
        "Protocol": "HTTP",
        "Port": one.port,
        "VpcId": one.vpc_id,
        "LoadBalancerArns": list(one.balancer_arns),
        "HealthCheckEnabled": True,
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPath": check.path,
        "HealthCheckPort": "traffic-port",
        "HealthCheckIntervalSeconds": check.interval_seconds,
        "HealthCheckTimeoutSeconds": check.timeout_seconds,
        "HealthyThresholdCount": check.healthy_threshold,
        "UnhealthyThresholdCount": check.unhealthy_threshold,
        "Matcher": {"HttpCode": check.matcher},
    }


def targets(cloud: MemoryCloud, arguments: Mapping[str, object]) -> dict[str, Any]:
    found = []
    for one in cloud.targets(str(arguments["TargetGroupArn"])):
        health = {"State": one.state, "Reason": one.reason, "Description": one.description}
        said = {key: value for key, value in health.items() if value}
        found.append({"Target": {"Id": one.instance_id, "Port": one.port}, "TargetHealth": said})
    return {"TargetHealthDescriptions": found}


ANSWERS: dict[str, Callable[[MemoryCloud, Mapping[str, object]], dict[str, Any]]] = {
    "ec2:DescribeAvailabilityZones": zones,
    "ec2:DescribeSubnets": subnets,
    "ec2:DescribeInstances": instances,
    "ec2:DescribeInstanceStatus": statuses,
    "ec2:DescribeVolumes": volumes,
    "ec2:DescribePlacementGroups": placement_groups,
    "elbv2:DescribeLoadBalancers": balancers,
    "elbv2:DescribeLoadBalancerAttributes": attributes,
    "elbv2:DescribeTags": balancer_tags,
    "elbv2:DescribeListeners": listeners,
    "elbv2:DescribeTargetGroups": groups,
    "elbv2:DescribeTargetHealth": targets,
}
