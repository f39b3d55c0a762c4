"""What a replacement is made from, what copies there are, and what brings a machine back by itself."""

from __future__ import annotations

from nospof.model.kinds.kind import Kind

RECOVERY = (
    Kind(
        "launch template",
        "ec2:DescribeLaunchTemplates",
        "LaunchTemplates",
        "LaunchTemplateId",
        ("DefaultVersionNumber", "LatestVersionNumber"),
        keys=("LaunchTemplateName",),
        label="LaunchTemplateName",
    ),
    Kind(
        # With no template named, one call answers for all of them (EC2 API reference, "Versions").
        "launch template version",
        "ec2:DescribeLaunchTemplateVersions",
        "LaunchTemplateVersions",
        "LaunchTemplateId+VersionNumber",
        (
            "LaunchTemplateName",
            "DefaultVersion",
            "LaunchTemplateData.ImageId",
            "LaunchTemplateData.InstanceType",
            "LaunchTemplateData.Placement.AvailabilityZone",
            "LaunchTemplateData.Placement.HostId",
            "LaunchTemplateData.Placement.GroupName",
            "LaunchTemplateData.CapacityReservationSpecification.CapacityReservationTarget"
            ".CapacityReservationId",
            "LaunchTemplateData.NetworkInterfaces.SubnetId",
            "LaunchTemplateData.NetworkInterfaces.NetworkInterfaceId",
            "LaunchTemplateData.BlockDeviceMappings.Ebs.SnapshotId",
            "LaunchTemplateData.BlockDeviceMappings.Ebs.KmsKeyId",
        ),
        fixed=(("Versions", ("$Latest", "$Default")),),
    ),
    Kind(
        "launch configuration",
        "autoscaling:DescribeLaunchConfigurations",
        "LaunchConfigurations",
        "LaunchConfigurationName",
        ("ImageId", "InstanceType", "PlacementTenancy", "BlockDeviceMappings.Ebs.SnapshotId"),
        keys=("LaunchConfigurationARN",),
    ),
    Kind(
        "image",
        "ec2:DescribeImages",
        "Images",
        "ImageId",
        (
            "State",
            "OwnerId",
            "DeprecationTime",
            "ImageAllowed",
            "DeregistrationProtection",
            "BlockDeviceMappings.Ebs.SnapshotId",
        ),
        label="Name",
        fixed=(("Owners", ("self",)),),
    ),
    Kind(
        "snapshot",
        "ec2:DescribeSnapshots",
        "Snapshots",
        "SnapshotId",
        ("VolumeId", "StartTime", "State", "StorageTier", "Encrypted", "KmsKeyId"),
        fixed=(("OwnerIds", ("self",)),),
    ),
    Kind(
        "alarm",
        "cloudwatch:DescribeAlarms",
        "MetricAlarms",
        "AlarmName",
        (
            "ActionsEnabled",
            "AlarmActions",
            "MetricName",
            "Namespace",
            "Dimensions.Name",
            "Dimensions.Value",
        ),
        keys=("AlarmArn",),
    ),
)
