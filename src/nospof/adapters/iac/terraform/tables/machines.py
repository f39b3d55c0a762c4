"""How Terraform's machines, their disks and groups say what the estate asks of them."""

from __future__ import annotations

from nospof.adapters.iac.terraform.cells import (
    Translation,
    always,
    at,
    each,
    given,
    inside,
    joined,
    link,
    links_to,
    listed,
    record,
    rows,
)

INSTANCE = Translation(
    "instance",
    "id",
    {
        "State.Name": at("instance_state", "running"),
        "InstanceType": at("instance_type"),
        "ImageId": at("ami"),
        "SubnetId": link("subnet_id", "subnet"),
        "PrivateIpAddress": at("private_ip"),
        "PublicIpAddress": at("public_ip"),
        "PublicDnsName": at("public_dns"),
        "InstanceLifecycle": inside("instance_market_options", at("market_type")),
        "Placement.AvailabilityZone": at("availability_zone"),
        "Placement.GroupName": link("placement_group", "placement group"),
        "Placement.PartitionNumber": given("placement_partition_number"),
        "Placement.HostId": given("host_id"),
        "Placement.Tenancy": given("tenancy"),
        "SecurityGroups": each(links_to("vpc_security_group_ids", "security group"), "GroupId"),
        "MaintenanceOptions.AutoRecovery": inside("maintenance_options", at("auto_recovery")),
    },
    others=("private_ip", "public_ip", "primary_network_interface_id", "private_dns", "public_dns"),
)

GROUP = Translation(
    "auto scaling group",
    "name",
    {
        "AutoScalingGroupARN": at("arn"),
        "MinSize": at("min_size"),
        "MaxSize": at("max_size"),
        "DesiredCapacity": given("desired_capacity"),
        "AvailabilityZones": listed("availability_zones"),
        "VPCZoneIdentifier": joined(links_to("vpc_zone_identifier", "subnet", is_needed=True)),
        "HealthCheckType": at("health_check_type", "EC2"),
        "HealthCheckGracePeriod": at("health_check_grace_period", 300),
        "SuspendedProcesses": each(listed("suspended_processes"), "ProcessName"),
        "LaunchConfigurationName": link("launch_configuration", "launch configuration"),
        "LaunchTemplate.LaunchTemplateId": inside("launch_template", link("id", "launch template")),
        "LaunchTemplate.LaunchTemplateName": inside("launch_template", given("name")),
        "LaunchTemplate.Version": inside("launch_template", at("version")),
        "MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification": inside(
            "mixed_instances_policy",
            inside(
                "launch_template",
                inside(
                    "launch_template_specification",
                    lambda block, links: record(
                        block,
                        links,
                        {
                            "LaunchTemplateId": link("launch_template_id", "launch template"),
                            "Version": at("version"),
                        },
                    ),
                ),
            ),
        ),
        "TargetGroupARNs": links_to("target_group_arns", "target group", is_needed=True),
        "LoadBalancerNames": links_to("load_balancers", "classic load balancer", is_needed=True),
        "TrafficSources": rows(
            "traffic_source", {"Identifier": link("identifier", "target group", "classic load balancer")}
        ),
        "AvailabilityZoneDistribution.CapacityDistributionStrategy": inside(
            "availability_zone_distribution", at("capacity_distribution_strategy")
        ),
    },
    others=("id", "arn"),
)

VOLUME = Translation(
    "volume",
    "id",
    {
        "AvailabilityZone": at("availability_zone"),
        "VolumeType": at("type"),
        "Encrypted": at("encrypted"),
        "KmsKeyId": link("kms_key_id", "key"),
        "SnapshotId": given("snapshot_id"),
        "MultiAttachEnabled": at("multi_attach_enabled", False),
    },
    others=("arn",),
)

PLACEMENT_GROUP = Translation(
    "placement group",
    "name",
    {
        "Strategy": at("strategy"),
        "SpreadLevel": given("spread_level"),
        "PartitionCount": given("partition_count"),
    },
    others=("id", "placement_group_id"),
)

_DATA = {
    "ImageId": at("image_id"),
    "InstanceType": at("instance_type"),
    "Placement.AvailabilityZone": inside("placement", given("availability_zone")),
    "Placement.GroupName": inside("placement", link("group_name", "placement group")),
    "Placement.HostId": inside("placement", given("host_id")),
    "NetworkInterfaces": rows("network_interfaces", {"SubnetId": link("subnet_id", "subnet")}),
}

TEMPLATE = Translation(
    "launch template",
    "id",
    {
        "LaunchTemplateName": at("name"),
        "DefaultVersionNumber": at("default_version"),
        "LatestVersionNumber": at("latest_version"),
    },
    others=("name", "arn"),
)
TEMPLATE_VERSION = Translation(
    "launch template version",
    "",
    {
        "LaunchTemplateId": link("id", "launch template"),
        "LaunchTemplateName": at("name"),
        "VersionNumber": given("latest_version"),
        "DefaultVersion": always(True),
        **{f"LaunchTemplateData.{path}": cell for path, cell in _DATA.items()},
    },
)
LAUNCH_CONFIGURATION = Translation(
    "launch configuration",
    "name",
    {
        "ImageId": at("image_id"),
        "InstanceType": at("instance_type"),
        "PlacementTenancy": given("placement_tenancy"),
    },
    others=("id", "arn"),
)
ALARM = Translation(
    "alarm",
    "alarm_name",
    {
        "ActionsEnabled": at("actions_enabled", True),
        "AlarmActions": listed("alarm_actions"),
        "MetricName": at("metric_name"),
        "Namespace": at("namespace"),
    },
    others=("id", "arn"),
)

SPOT = Translation(
    "instance", "spot_instance_id", {**INSTANCE.fields, "InstanceLifecycle": always("spot")}, INSTANCE.others
)

MACHINES = {
    "aws_instance": (INSTANCE,),
    "aws_spot_instance_request": (SPOT,),
    "aws_autoscaling_group": (GROUP,),
    "aws_ebs_volume": (VOLUME,),
    "aws_placement_group": (PLACEMENT_GROUP,),
    "aws_launch_template": (TEMPLATE, TEMPLATE_VERSION),
    "aws_launch_configuration": (LAUNCH_CONFIGURATION,),
    "aws_cloudwatch_metric_alarm": (ALARM,),
}
