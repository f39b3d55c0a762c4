"""What a machine was given to run on: its host, its rack, its type, spot capacity, and how its disks are.

Each is asked for only where an instance, its status or a template names it.
"""

from __future__ import annotations

from nospof.model.kinds.kind import Kind

CAPACITY = (
    Kind(
        "dedicated host",
        "ec2:DescribeHosts",
        "Hosts",
        "HostId",
        ("AvailabilityZone", "State", "HostRecovery", "HostMaintenance"),
    ),
    Kind(
        # EC2 tells it of the types that are made for computing in groups, and of no others.
        "rack position",
        "ec2:DescribeInstanceTopology",
        "Instances",
        "InstanceId",
        ("NetworkNodes", "AvailabilityZone"),
    ),
    Kind(
        "spot request",
        "ec2:DescribeSpotInstanceRequests",
        "SpotInstanceRequests",
        "SpotInstanceRequestId",
        ("State", "Status.Code", "Type", "InstanceInterruptionBehavior"),
        keys=("InstanceId",),
    ),
    Kind(
        "volume status",
        "ec2:DescribeVolumeStatus",
        "VolumeStatuses",
        "VolumeId",
        ("VolumeStatus.Status",),
        plural="volume status",
    ),
    Kind(
        "instance type",
        "ec2:DescribeInstanceTypes",
        "InstanceTypes",
        "InstanceType",
        ("InstanceStorageSupported", "InstanceStorageInfo.TotalSizeInGB"),
        per="instance",
        argument="InstanceTypes",
        takes="InstanceType",
        batch=100,
    ),
    Kind(
        "capacity reservation",
        "ec2:DescribeCapacityReservations",
        "CapacityReservations",
        "CapacityReservationId",
        ("AvailabilityZone", "State", "EndDate", "EndDateType"),
    ),
)
