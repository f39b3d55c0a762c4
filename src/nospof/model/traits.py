"""What an instance is besides its image, its type and its place: what a copy must be given as well."""

from __future__ import annotations

from dataclasses import dataclass, field

WITH_IOPS = frozenset({"gp3", "io1", "io2"})
"""Volume types whose IOPS are asked for; those of gp2 follow from its size, and asking is refused."""


@dataclass(frozen=True)
class DiskTraits:
    """A volume: what is paid for, and what becomes of it. 0 where nothing is bought beyond the type's own."""

    device: str
    type: str
    size_gib: int
    iops: int = 0
    throughput: int = 0
    delete_on_termination: bool = True
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Traits:
    """An instance's settings, in AWS's words; empty or 0 leaves a setting to AWS.

    Args:
        http_endpoint: of the metadata service: "enabled" or "disabled".
        http_tokens: "required" (IMDSv2 alone) or "optional".
        hop_limit: how far its answers may travel.
        metadata_tags: whether the instance may read its own tags there: "enabled" or "disabled".
        cpu_credits: of a burstable type: "standard" or "unlimited".
        shutdown_behavior: what a shutdown from inside does: "stop" or "terminate".
        hostname_type: "ip-name" or "resource-name".
        has_name_record: whether its resource name has an A record.
        has_ipv6_name_record: whether its resource name has an AAAA record.
        can_hibernate: told only; a copy cannot.
        is_windows: told only; the image settles it.
        disks: its volumes, by device.
    """

    http_endpoint: str = ""
    http_tokens: str = ""
    hop_limit: int = 0
    metadata_tags: str = ""
    cpu_credits: str = ""
    shutdown_behavior: str = ""
    hostname_type: str = ""
    has_name_record: bool = False
    has_ipv6_name_record: bool = False
    is_monitored_in_detail: bool = False
    is_ebs_optimized: bool = False
    is_termination_protected: bool = False
    checks_source_and_destination: bool = True
    can_hibernate: bool = False
    is_windows: bool = False
    disks: tuple[DiskTraits, ...] = ()


@dataclass(frozen=True)
class TypeTraits:
    """What a type of instance is to the disks that boot on it, in AWS's words.

    `hypervisor` is "nitro", "xen", or empty for bare metal.
    """

    name: str
    architectures: tuple[str, ...]
    boot_modes: tuple[str, ...]
    hypervisor: str
