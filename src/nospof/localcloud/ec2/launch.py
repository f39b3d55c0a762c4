"""RunInstances: what AWS checks before it launches, and what it fills in.

moto accepts any image and type, ignores ClientToken and MaxCount, and gives an address from nowhere
when no subnet is named; all of that is settled here before moto makes the instances.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS

from nospof.localcloud.awserrors import AwsError, no_capacity
from nospof.localcloud.cloud import current
from nospof.localcloud.ec2.hosts import HOSTS_PER_ZONE, ROOM_PER_HOST
from nospof.localcloud.ec2.images import Ami, disk_of
from nospof.localcloud.ec2.instances import Launch

DEFAULT_TYPE = "m1.small"
PRIVATE_NAME = {
    "HostnameType": "ip-name",
    "EnableResourceNameDnsARecord": False,
    "EnableResourceNameDnsAAAARecord": False,
}
"""What an instance has whose subnet and launch say nothing else."""


def fingerprint(parameters: Any) -> str:
    """Return a digest of a request without its token, to tell a repeat from another request."""
    kept = {key: value for key, value in parameters.items() if key not in ("ClientToken", "DryRun")}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, default=str).encode()).hexdigest()


def repeated(backend: Any, token: str, digest: str) -> Any | None:
    """Return the reservation an earlier call with this token made, or None.

    Raises:
        AwsError: IdempotentParameterMismatch, the earlier call had other parameters.
    """
    for reservation in backend.reservations.values():
        for instance in reservation.instances:
            if token and instance.client_token == token:
                if instance.fingerprint != digest:
                    raise AwsError(
                        "IdempotentParameterMismatch",
                        "Arguments on this idempotent request are inconsistent with arguments used in "
                        "previous request(s).",
                    )
                return reservation
    return None


def image_to_launch(backend: Any, image_id: str) -> Ami:
    """Return the image, ready to launch from.

    Raises:
        AwsError: InvalidAMIID.Malformed, .NotFound or .Unavailable.
    """
    if not image_id:
        raise AwsError("MissingParameter", "The request must contain the parameter ImageId")
    if not image_id.startswith("ami-"):
        raise AwsError("InvalidAMIID.Malformed", f'Invalid id: "{image_id}" (expecting "ami-...")')
    image = backend.amis.get(image_id)
    if image is None:
        raise AwsError("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")
    if image.state != "available":
        raise AwsError("InvalidAMIID.Unavailable", f"The image ID '{image_id}' is not available")
    if not image.root_snapshot_id or not disk_of(image.root_snapshot_id).is_dir():
        raise AwsError("InvalidAMIID.Unavailable", f"The image ID '{image_id}' has no content to boot from")
    return image  # type: ignore[no-any-return]


def subnet_for(backend: Any, parameters: Any) -> Any:
    """Return the subnet the instances go to: the one named, or the default one of the zone.

    Raises:
        AwsError: there is no default subnet in that zone, or the zone is not in the region.
    """
    interfaces = parameters.get("NetworkInterfaces") or []
    subnet_id = parameters.get("SubnetId") or next(
        (interface["SubnetId"] for interface in interfaces if interface.get("SubnetId")), None
    )
    zone = (parameters.get("Placement") or {}).get("AvailabilityZone")
    if subnet_id:
        subnet = backend.get_subnet(subnet_id)
        if zone and subnet.availability_zone != zone:
            raise AwsError(
                "InvalidParameterValue",
                f"The subnet '{subnet_id}' is in {subnet.availability_zone}, not in {zone}.",
            )
        return subnet
    zones = [known.name for known in backend.describe_availability_zones()]
    if zone and zone not in zones:
        raise AwsError("InvalidParameterValue", f"Invalid availability zone: [{zone}]")
    defaults = backend.get_default_subnets()
    subnet = defaults.get(zone or zones[0])
    if subnet is None:
        raise AwsError("MissingInput", f"No default subnet for availability zone: '{zone or zones[0]}'.")
    return subnet


def check_type(instance_type: str, region: str, zone: str) -> None:
    """Refuse a type that does not exist, or that the zone does not offer."""
    offered = INSTANCE_TYPE_OFFERINGS["region"].get(region, [])
    if not any(offer["InstanceType"] == instance_type for offer in offered):
        raise AwsError("InvalidParameterValue", f"Invalid value '{instance_type}' for InstanceType.")
    in_zones = INSTANCE_TYPE_OFFERINGS["availability-zone"].get(region, [])
    if not any(o["InstanceType"] == instance_type and o["Location"] == zone for o in in_zones):
        raise AwsError(
            "Unsupported",
            f"Your requested instance type ({instance_type}) is not supported in your requested "
            f"Availability Zone ({zone}).",
        )


def count_with_room(backend: Any, parameters: Any, zone: str, instance_type: str) -> int:
    """Return how many instances are launched: MaxCount, or as many above MinCount as fit.

    Raises:
        AwsError: InsufficientInstanceCapacity, InvalidPlacementGroup.Unknown, InvalidParameterValue.
    """
    least, most = int(parameters.get("MinCount", 1)), int(parameters.get("MaxCount", 1))
    if not 1 <= least <= most:
        raise AwsError("InvalidParameterValue", f"MinCount {least} and MaxCount {most} do not make a range.")
    name = (parameters.get("Placement") or {}).get("GroupName", "")
    groups = getattr(backend, "placement_groups", {})
    if name and name not in groups:
        raise AwsError("InvalidPlacementGroup.Unknown", f"The Placement Group '{name}' is unknown.")
    there = [
        instance
        for instance in backend.all_instances()
        if instance.placement.zone == zone and instance.state in ("pending", "running")
    ]
    room = HOSTS_PER_ZONE * ROOM_PER_HOST - len(there)
    if name and groups[name].strategy == "spread":
        hosts = {instance.host for instance in there if instance.placement.group_name == name}
        room = min(room, HOSTS_PER_ZONE - len(hosts))
    if room < least or (instance_type, zone) in current().full:
        raise no_capacity(instance_type, zone)
    return min(most, room)


def block_devices(image: Ami, asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the image's volumes with the request's changes, as RunInstances merges them.

    Raises:
        AwsError: a root volume smaller than its snapshot.
    """
    merged: dict[str, dict[str, Any]] = {}
    for volume in image.volumes:
        merged[volume.device] = {
            "SnapshotId": volume.snapshot_id,
            "VolumeSize": volume.size,
            "VolumeType": volume.volume_type,
            "DeleteOnTermination": volume.delete_on_termination,
            "Encrypted": volume.encrypted,
        }
    for mapping in asked:
        device = mapping.get("DeviceName", "")
        if "NoDevice" in mapping:
            merged.pop(device, None)
            continue
        least = merged.get(device, {}).get("VolumeSize", 0)
        disk = {"DeleteOnTermination": True, **merged.get(device, {}), **(mapping.get("Ebs") or {})}
        if int(disk.get("VolumeSize") or least) < least:
            raise AwsError(
                "InvalidBlockDeviceMapping",
                f"Volume of size {disk['VolumeSize']}GB is smaller than snapshot "
                f"'{disk.get('SnapshotId')}', expect size >= {least}GB",
            )
        merged[device] = disk
    return [{"DeviceName": device, "Ebs": disk} for device, disk in merged.items()]


def prepare(backend: Any, parameters: Any, digest: str) -> Launch:
    """Check a RunInstances request and complete it in place.

    Args:
        backend: moto's EC2 backend of the region.
        parameters: the parsed request; completed so that moto does what AWS does.
        digest: the request's fingerprint before it was completed.

    Returns:
        What moto's own call does not carry to the instances.
    """
    if parameters.get("LaunchTemplate"):
        _merge_template(backend, parameters)
    image = image_to_launch(backend, parameters.get("ImageId", ""))
    subnet = subnet_for(backend, parameters)
    instance_type = parameters.get("InstanceType") or DEFAULT_TYPE
    check_type(instance_type, backend.region_name, subnet.availability_zone)
    count = count_with_room(backend, parameters, subnet.availability_zone, instance_type)
    parameters["MinCount"] = parameters["MaxCount"] = count
    parameters["InstanceType"] = instance_type
    parameters["BlockDeviceMappings"] = block_devices(image, parameters.get("BlockDeviceMappings") or [])
    interfaces = parameters.get("NetworkInterfaces") or []
    if interfaces:
        for interface in interfaces:
            interface.setdefault("SubnetId", subnet.id)
    else:
        parameters["SubnetId"] = subnet.id
        if not parameters.get("SecurityGroupIds") and not parameters.get("SecurityGroups"):
            default = backend.get_default_security_group(subnet.vpc_id)
            parameters["SecurityGroupIds"] = [default.id] if default else []
    placement = parameters.get("Placement") or {}
    return Launch(
        group_name=placement.get("GroupName", ""),
        tenancy=placement.get("Tenancy", "default"),
        fingerprint=digest,
        client_token=parameters.get("ClientToken") or "",
        cpu_credits=(parameters.get("CreditSpecification") or {}).get("CpuCredits", ""),
        is_termination_protected=bool(parameters.get("DisableApiTermination")),
        spot_type=spot_type_of(parameters.get("InstanceMarketOptions") or {}),
        private_name={**PRIVATE_NAME, **(parameters.get("PrivateDnsNameOptions") or {})},
    )


def spot_type_of(market: dict[str, Any]) -> str:
    """Return the kind of Spot request that comes with a launch, as AWS has it by default; empty for none."""
    if market.get("MarketType") != "spot":
        return ""
    return str((market.get("SpotOptions") or {}).get("SpotInstanceType") or "one-time")


def buy(backend: Any, instance: Any, mappings: list[dict[str, Any]]) -> None:
    """Give an instance's volumes the IOPS and the throughput that were asked for; moto drops both."""
    asked = {one["DeviceName"]: one.get("Ebs") or {} for one in mappings}
    for device, block in instance.get_block_device_mapping:
        volume, disk = backend.get_volume(block.volume_id), asked.get(device, {})
        volume.iops = disk.get("Iops") or volume.iops
        volume.throughput = disk.get("Throughput") or volume.throughput


def _merge_template(backend: Any, parameters: Any) -> None:
    data = backend._get_template_from_args(parameters["LaunchTemplate"]).data
    for key in ("ImageId", "InstanceType", "Placement", "BlockDeviceMappings"):
        if key in data and not parameters.get(key):
            parameters[key] = data[key]
