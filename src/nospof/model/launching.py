"""RunInstances, as a rehearsal asks it and as it is asked in earnest: the same parameters."""

from __future__ import annotations

from typing import Any

from nospof.model.cloud import LaunchRequest, Tags
from nospof.model.traits import WITH_IOPS, DiskTraits, Traits


def run_parameters(request: LaunchRequest) -> dict[str, Any]:
    """Return RunInstances' parameters but for the token; what is left to AWS is left out."""
    placement = {"GroupName": request.placement_group, "Tenancy": request.tenancy}
    parameters: dict[str, Any] = {
        "ImageId": request.image_id,
        "InstanceType": request.type,
        "MinCount": 1,
        "MaxCount": 1,
        "SubnetId": request.subnet_id,
        "SecurityGroupIds": list(request.security_groups),
        "IamInstanceProfile": {"Arn": request.profile_arn} if request.profile_arn else {},
        "KeyName": request.key_name,
        "UserData": request.user_data,
        "Placement": {key: value for key, value in placement.items() if value},
        "TagSpecifications": [
            {"ResourceType": kind, "Tags": pairs}
            for kind, tags in (("instance", request.tags), ("volume", request.volume_tags or request.tags))
            if (pairs := tag_pairs(tags))
        ],
        **_settings(request.traits),
    }
    return {key: value for key, value in parameters.items() if value}


def tag_pairs(tags: Tags) -> list[dict[str, str]]:
    """Return tags as AWS takes them, by key, without those whose prefix AWS keeps for itself."""
    return [
        {"Key": key, "Value": value}
        for key, value in sorted(tags.items())
        if not key.lower().startswith("aws:")
    ]


def _settings(traits: Traits) -> dict[str, Any]:
    metadata: dict[str, Any] = {"HttpEndpoint": traits.http_endpoint}
    if traits.http_endpoint != "disabled":  # what is off takes no other options
        metadata |= {
            "HttpTokens": traits.http_tokens,
            "HttpPutResponseHopLimit": traits.hop_limit,
            "InstanceMetadataTags": traits.metadata_tags,
        }
    name = {
        "HostnameType": traits.hostname_type,
        "EnableResourceNameDnsARecord": traits.has_name_record,
        "EnableResourceNameDnsAAAARecord": traits.has_ipv6_name_record,
    }
    return {
        "MetadataOptions": {key: value for key, value in metadata.items() if value},
        "CreditSpecification": {"CpuCredits": traits.cpu_credits} if traits.cpu_credits else {},
        "Monitoring": {"Enabled": True} if traits.is_monitored_in_detail else {},
        "EbsOptimized": traits.is_ebs_optimized,
        "DisableApiTermination": traits.is_termination_protected,
        "InstanceInitiatedShutdownBehavior": traits.shutdown_behavior,
        "PrivateDnsNameOptions": name if traits.hostname_type else {},
        "BlockDeviceMappings": [{"DeviceName": one.device, "Ebs": _disk(one)} for one in traits.disks],
    }


def _disk(disk: DiskTraits) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "VolumeType": disk.type,
        "VolumeSize": disk.size_gib,
        "DeleteOnTermination": disk.delete_on_termination,
    }
    if disk.iops and disk.type in WITH_IOPS:
        asked["Iops"] = disk.iops
    if disk.throughput and disk.type == "gp3":
        asked["Throughput"] = disk.throughput
    return asked
