"""Machines, groups and balancers of a template as the describing calls would answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nospof.adapters.iac.cloudformation.functions import joined, references
from nospof.adapters.iac.cloudformation.resources import Misshapen, Resource, Stack, as_list, chosen
from nospof.model.estate import UNKNOWN

Made = tuple[str, str, dict[str, Any]]
"""Kind, id and fields of an item."""
ROOTS = ("/dev/xvda", "/dev/sda1", "/dev/sda")


def disks_of(stack: Stack, one: Resource) -> list[dict[str, Any]]:
    """Return a machine's disks: one that names no root disk has one all the same."""
    disks = [dict(row) for row in one.rows("BlockDeviceMappings")]
    if not any(row.get("DeviceName") in ROOTS for row in disks):
        disks.insert(0, {"DeviceName": ROOTS[0], "Ebs": {}})
    found: list[dict[str, Any]] = []
    for row in disks:
        if "VirtualName" in row or "NoDevice" in row:
            continue
        written = row.get("Ebs")
        ebs = written if isinstance(written, dict) else {}
        found.append({**row, "Ebs": {**ebs, "VolumeId": f"{one.id}:{row.get('DeviceName')}"}})
    attached = [*one.rows("Volumes"), *stack.naming(one, "EC2::VolumeAttachment", "InstanceId")]
    return found + [
        {"DeviceName": row.get("Device"), "Ebs": {"VolumeId": row.get("VolumeId")}} for row in attached
    ]


def instance(stack: Stack, one: Resource) -> Iterator[Made]:
    """A machine, its disks, and where it stands."""
    fields = {**one.properties, "BlockDeviceMappings": disks_of(stack, one)}
    interfaces = [dict(row) for row in one.rows("NetworkInterfaces")]
    for row in interfaces:
        known = stack.find(row.get("NetworkInterfaceId"))
        if known is not None:
            row.setdefault("SubnetId", known.properties.get("SubnetId", UNKNOWN))
    fields["NetworkInterfaces"] = interfaces
    subnet = chosen(one.properties.get("SubnetId"), *(row.get("SubnetId") for row in interfaces))
    zone = one.properties.get("AvailabilityZone") if subnet is None else stack.zone_of_subnet(subnet)
    fields["SubnetId"] = subnet
    fields["Placement"] = {
        "AvailabilityZone": zone,
        "GroupName": one.properties.get("PlacementGroupName"),
        "HostId": one.properties.get("HostId"),
        "Tenancy": one.properties.get("Tenancy"),
        "Affinity": one.properties.get("Affinity"),
    }
    groups = [*one.texts("SecurityGroupIds"), *one.texts("SecurityGroups")]
    fields["SecurityGroups"] = [{"GroupId": group} for group in groups]
    if any(row.get("AssociatePublicIpAddress") in (True, "true") for row in interfaces):
        fields["PublicIpAddress"] = f"{one.id}.PublicIp"
    if one.id in shown_to_people(stack):
        fields["PublicDnsName"] = one.id
    yield "instance", one.id, fields


def shown_to_people(stack: Stack) -> set[str]:
    """Return the machines whose public name or address the outputs tell: that is where people go."""
    outputs = stack.evaluator.template.document.get("Outputs")
    return {name for name, attribute in references(outputs) if attribute in ("PublicDnsName", "PublicIp")}


def volume(stack: Stack, one: Resource) -> Iterator[Made]:
    """A disk of its own."""
    attached = [
        {"InstanceId": link.get("InstanceId"), "Device": link.get("Device")}
        for link in stack.naming(one, "EC2::VolumeAttachment", "VolumeId")
    ]
    yield "volume", one.id, {**one.properties, "Attachments": attached}


def scaling_group(_stack: Stack, one: Resource) -> Iterator[Made]:
    """An Auto Scaling group: the numbers and zones that it promises."""
    subnets = one.texts("VPCZoneIdentifier")
    fields = {"HealthCheckType": "EC2", **one.properties}
    fields["VPCZoneIdentifier"] = joined(",", subnets) if subnets else one.properties.get("VPCZoneIdentifier")
    for name in ("TargetGroupARNs", "LoadBalancerNames", "AvailabilityZones"):
        fields[name] = one.texts(name)
    if isinstance(fields.get("DesiredCapacity"), (list, dict)):
        raise Misshapen(one, "DesiredCapacity must be a number")
    yield "auto scaling group", one.id, fields


def launch_template(_stack: Stack, one: Resource) -> Iterator[Made]:
    """A launch template and the one version that the stack makes of it."""
    about = {"LaunchTemplateName": chosen(one.properties.get("LaunchTemplateName"), one.id)}
    yield (
        "launch template",
        one.id,
        {**about, "DefaultVersionNumber": 1, "LatestVersionNumber": 1},
    )
    data = {key: value for key, value in one.part("LaunchTemplateData").items() if key != "UserData"}
    version = {**about, "LaunchTemplateId": one.id, "VersionNumber": 1, "DefaultVersion": True}
    yield "launch template version", f"{one.id}:1", {**version, "LaunchTemplateData": data}


def load_balancer(stack: Stack, one: Resource) -> Iterator[Made]:
    """A balancer of today: AWS refuses two of its subnets in one zone."""
    rows = one.rows("SubnetMappings") or [{"SubnetId": subnet} for subnet in one.texts("Subnets")]
    zones: list[dict[str, Any]] = []
    for row in rows:
        subnet = row.get("SubnetId")
        address = row.get("AllocationId")
        addresses = [{"AllocationId": address}] if chosen(address) is not None else []
        zone = zone_under_balancer(stack, subnet)
        zones.append({"SubnetId": subnet, "ZoneName": zone, "LoadBalancerAddresses": addresses})
    fields = {"Type": "application", "Scheme": "internet-facing", **one.properties}
    fields["LoadBalancerName"] = chosen(one.properties.get("Name"), one.id)
    fields["AvailabilityZones"] = zones if rows else UNKNOWN
    yield "load balancer", one.id, fields
    for row in one.rows("LoadBalancerAttributes"):
        key = row.get("Key")
        attribute = {"LoadBalancerArn": one.id, "Key": key, "Value": row.get("Value")}
        yield "load balancer attribute", f"{one.id}:{key}", attribute


def zone_under_balancer(stack: Stack, subnet: Any) -> Any:
    """Return the zone of a balancer's subnet; where nobody could tell, one that goes by the subnet."""
    zone = stack.zone_of_subnet(subnet)
    return f"zone of {subnet}" if zone is UNKNOWN and isinstance(subnet, str) else zone


def subnets_of_balancers(stack: Stack) -> dict[str, str]:
    """Return the subnets of balancers that the template does not make, each with its own zone."""
    found = {}
    for one in stack.of("ElasticLoadBalancingV2::LoadBalancer"):
        listed = [row.get("SubnetId") for row in one.rows("SubnetMappings")] or one.texts("Subnets")
        for subnet in listed if len(listed) > 1 else ():
            if isinstance(subnet, str) and stack.zone_of_subnet(subnet) is UNKNOWN:
                found[subnet] = f"zone of {subnet}"
    return found


def listener(_stack: Stack, one: Resource) -> Iterator[Made]:
    """A listener."""
    one.rows("DefaultActions")
    yield "listener", one.id, dict(one.properties)


def listener_rule(_stack: Stack, one: Resource) -> Iterator[Made]:
    """A rule of a listener."""
    one.rows("Actions")
    yield "listener rule", one.id, dict(one.properties)


def target_group(stack: Stack, one: Resource) -> Iterator[Made]:
    """A target group, and the targets that stand in it."""
    defaults = {"TargetType": "instance", "HealthCheckIntervalSeconds": 30, "UnhealthyThresholdCount": 2}
    fields = {**defaults, **one.properties, "TargetGroupName": chosen(one.properties.get("Name"), one.id)}
    yield "target group", one.id, fields
    for place, row in enumerate(one.rows("Targets")):
        port = chosen(row.get("Port"), one.properties.get("Port"))
        target = {"Id": row.get("Id"), "Port": port, "AvailabilityZone": row.get("AvailabilityZone")}
        if target["Id"] is UNKNOWN:
            target["Id"] = f"target {place} of {one.id}"
        stack.evaluator.assume("every target in the template answers its health check")
        health = {"State": "healthy"}
        about = {"TargetGroupArn": one.id, "Target": target, "TargetHealth": health}
        yield "target", f"{one.id}:{target['Id']}:{port}", about


def classic_balancer(_stack: Stack, one: Resource) -> Iterator[Made]:
    """A balancer of the first generation."""
    fields = dict(one.properties)
    for name in ("AvailabilityZones", "Subnets"):
        fields[name] = one.texts(name)
    fields["Instances"] = [{"InstanceId": each} for each in one.texts("Instances")]
    fields["ListenerDescriptions"] = [{"Listener": row} for row in one.rows("Listeners")]
    fields["Scheme"] = chosen(one.properties.get("Scheme"), "internet-facing")
    yield "classic load balancer", one.id, fields


def container_service(_stack: Stack, one: Resource) -> Iterator[Made]:
    """An ECS service."""
    network = one.part("NetworkConfiguration").get("AwsvpcConfiguration")
    network = network if isinstance(network, Mapping) else {}
    get = one.properties.get
    balanced = [
        {"targetGroupArn": row.get("TargetGroupArn"), "loadBalancerName": row.get("LoadBalancerName")}
        for row in one.rows("LoadBalancers")
    ]
    vpc = {
        "subnets": as_list(one, "Subnets", network.get("Subnets")),
        "securityGroups": as_list(one, "SecurityGroups", network.get("SecurityGroups")),
    }
    yield (
        "container service",
        one.id,
        {
            "clusterArn": get("Cluster"),
            "serviceName": chosen(get("ServiceName"), one.id),
            "desiredCount": get("DesiredCount", 1),
            "launchType": get("LaunchType", "EC2"),
            "schedulingStrategy": get("SchedulingStrategy", "REPLICA"),
            "taskDefinition": get("TaskDefinition"),
            "loadBalancers": balanced,
            "networkConfiguration": {"awsvpcConfiguration": vpc},
        },
    )


MACHINES = {
    "EC2::Instance": instance,
    "EC2::Volume": volume,
    "EC2::LaunchTemplate": launch_template,
    "AutoScaling::AutoScalingGroup": scaling_group,
    "ElasticLoadBalancingV2::LoadBalancer": load_balancer,
    "ElasticLoadBalancingV2::Listener": listener,
    "ElasticLoadBalancingV2::ListenerRule": listener_rule,
    "ElasticLoadBalancingV2::TargetGroup": target_group,
    "ElasticLoadBalancing::LoadBalancer": classic_balancer,
    "ECS::Service": container_service,
}
