"""An instance's settings, out of what DescribeInstances and DescribeVolumes tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nospof.adapters.aws.connection import as_tags
from nospof.model.cloud import Instance
from nospof.model.traits import WITH_IOPS, DiskTraits, Traits


def traits_of(told: dict[str, Any]) -> Traits:
    """Return the settings that DescribeInstances tells of an instance."""
    metadata = told.get("MetadataOptions", {})
    name = told.get("PrivateDnsNameOptions", {})
    return Traits(
        http_endpoint=metadata.get("HttpEndpoint", ""),
        http_tokens=metadata.get("HttpTokens", ""),
        hop_limit=metadata.get("HttpPutResponseHopLimit", 0),
        metadata_tags=metadata.get("InstanceMetadataTags", ""),
        hostname_type=name.get("HostnameType", ""),
        has_name_record=name.get("EnableResourceNameDnsARecord", False),
        has_ipv6_name_record=name.get("EnableResourceNameDnsAAAARecord", False),
        is_monitored_in_detail=told.get("Monitoring", {}).get("State") in ("enabled", "pending"),
        is_ebs_optimized=told.get("EbsOptimized", False),
        checks_source_and_destination=told.get("SourceDestCheck", True),
        can_hibernate=told.get("HibernationOptions", {}).get("Configured", False),
        is_windows=told.get("Platform", "").lower() == "windows",
    )


def disks_of(instance: Instance, volumes: Sequence[Any]) -> tuple[DiskTraits, ...]:
    """Return the settings of an instance's volumes, by device; of a volume that was not read, none."""
    by_id = {one["VolumeId"]: one for one in volumes}
    return tuple(
        DiskTraits(
            device=at.device,
            type=volume.get("VolumeType", "standard"),
            size_gib=volume["Size"],
            iops=volume.get("Iops", 0) if volume.get("VolumeType") in WITH_IOPS else 0,
            throughput=volume.get("Throughput", 0),
            delete_on_termination=at.delete_on_termination,
            tags=as_tags(volume.get("Tags")),
        )
        for at in sorted(instance.attachments, key=lambda at: at.device)
        if (volume := by_id.get(at.volume_id))
    )
