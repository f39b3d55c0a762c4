"""How Terraform's data stores, containers and functions say what the estate asks of them."""

from __future__ import annotations

from nospof.adapters.iac.terraform.cells import (
    Cell,
    Translation,
    always,
    at,
    chosen,
    each,
    given,
    inside,
    link,
    links_to,
    rows,
)

_GUARDED = {
    "VpcSecurityGroups": each(links_to("vpc_security_group_ids", "security group"), "VpcSecurityGroupId"),
    "KmsKeyId": link("kms_key_id", "key"),
}
_INSTANCE = {
    "DBInstanceArn": at("arn"),
    "Engine": at("engine"),
    "AvailabilityZone": at("availability_zone"),
    "Endpoint.Port": at("port"),
    # A field that no call answers: what a database's subnets are found by.
    "subnet group": link("db_subnet_group_name", "database subnet group"),
}


def _switched(name: str) -> Cell:
    return chosen(name, {True: "enabled", False: "disabled"}, False)


def _subnet_group(kind: str) -> tuple[Translation, ...]:
    return (Translation(kind, "name", {"SubnetIds": links_to("subnet_ids", "subnet")}, ("id",)),)


DATABASE = Translation(
    "database",
    "identifier",
    {
        **_INSTANCE,
        "DbiResourceId": at("resource_id"),
        "DBInstanceStatus": at("status"),
        "MultiAZ": at("multi_az", False),
        "ReadReplicaSourceDBInstanceIdentifier": link("replicate_source_db", "database"),
        "BackupRetentionPeriod": at("backup_retention_period", 0),
        "DeletionProtection": at("deletion_protection", False),
        "Endpoint.Address": at("address"),
        **_GUARDED,
    },
    others=("id", "arn", "address", "endpoint", "resource_id"),
)
CLUSTER = Translation(
    "database cluster",
    "cluster_identifier",
    {
        "DBClusterArn": at("arn"),
        "Engine": at("engine"),
        "EngineMode": at("engine_mode", "provisioned"),
        "DBClusterInstanceClass": given("db_cluster_instance_class"),
        "BackupRetentionPeriod": at("backup_retention_period", 1),
        "DeletionProtection": at("deletion_protection", False),
        "Endpoint": at("endpoint"),
        "ReaderEndpoint": at("reader_endpoint"),
        "Port": at("port"),
        **_GUARDED,
    },
    others=("id", "arn", "endpoint", "reader_endpoint", "cluster_resource_id"),
)
MEMBER = Translation(
    "database",
    "identifier",
    {
        **_INSTANCE,
        "DBClusterIdentifier": link("cluster_identifier", "database cluster", is_needed=True),
        "MultiAZ": always(False),
        "Endpoint.Address": at("endpoint"),
    },
    others=("id", "arn", "endpoint", "dbi_resource_id"),
)
PROXY = Translation(
    "database proxy",
    "name",
    {
        "DBProxyArn": at("arn"),
        "Endpoint": at("endpoint"),
        "VpcSubnetIds": links_to("vpc_subnet_ids", "subnet"),
        "VpcSecurityGroupIds": links_to("vpc_security_group_ids", "security group"),
    },
    others=("id", "arn", "endpoint"),
)
PROXY_TARGET = Translation(
    "database proxy target",
    "id",
    {
        "DBProxyName": link("db_proxy_name", "database proxy", is_needed=True),
        "RdsResourceId": link("db_instance_identifier", "database"),
        "TrackedClusterId": link("db_cluster_identifier", "database cluster"),
    },
)
WAREHOUSE = Translation(
    "warehouse",
    "cluster_identifier",
    {
        "AvailabilityZone": at("availability_zone"),
        "MultiAZ": _switched("multi_az"),
        "AutomatedSnapshotRetentionPeriod": at("automated_snapshot_retention_period", 1),
        "Endpoint.Address": at("dns_name"),
        "Endpoint.Port": at("port", 5439),
        **_GUARDED,
    },
    others=("id", "arn", "dns_name", "endpoint"),
)
CACHE = Translation(
    "cache",
    "replication_group_id",
    {
        "ARN": at("arn"),
        "AutomaticFailover": _switched("automatic_failover_enabled"),
        "MultiAZ": _switched("multi_az_enabled"),
        "ConfigurationEndpoint.Address": at("configuration_endpoint_address"),
        "KmsKeyId": link("kms_key_id", "key"),
        "subnet group": link("subnet_group_name", "cache subnet group"),
    },
    others=(
        "id",
        "arn",
        "primary_endpoint_address",
        "reader_endpoint_address",
        "configuration_endpoint_address",
    ),
)
CACHE_CLUSTER = Translation(
    "cache cluster",
    "cluster_id",
    {
        "ARN": at("arn"),
        "Engine": at("engine"),
        "NumCacheNodes": at("num_cache_nodes", 1),
        "PreferredAvailabilityZone": at("availability_zone"),
        "ReplicationGroupId": link("replication_group_id", "cache"),
        "ConfigurationEndpoint.Address": at("configuration_endpoint"),
        "SecurityGroups": each(links_to("security_group_ids", "security group"), "SecurityGroupId"),
        "subnet group": link("subnet_group_name", "cache subnet group"),
    },
    others=("id", "arn", "cluster_address", "configuration_endpoint"),
)
DAX = Translation(
    "DAX cluster",
    "cluster_name",
    {
        "TotalNodes": at("replication_factor"),
        "ClusterDiscoveryEndpoint.Address": at("cluster_address"),
        "SecurityGroups": each(links_to("security_group_ids", "security group"), "SecurityGroupIdentifier"),
    },
    others=("id", "arn", "cluster_address", "configuration_endpoint"),
)
BROKER = Translation(
    "broker",
    "id",
    {
        "DeploymentMode": at("deployment_mode", "SINGLE_INSTANCE"),
        "EngineType": at("engine_type"),
        "SubnetIds": links_to("subnet_ids", "subnet"),
        "SecurityGroups": links_to("security_groups", "security group"),
    },
    others=("arn", "broker_name"),
)
KAFKA = Translation(
    "Kafka cluster",
    "arn",
    {
        "ClusterType": always("PROVISIONED"),
        "Provisioned.NumberOfBrokerNodes": at("number_of_broker_nodes"),
        "Provisioned.BrokerNodeGroupInfo.ClientSubnets": inside(
            "broker_node_group_info", links_to("client_subnets", "subnet")
        ),
        "Provisioned.BrokerNodeGroupInfo.SecurityGroups": inside(
            "broker_node_group_info", links_to("security_groups", "security group")
        ),
    },
    others=("id", "bootstrap_brokers", "bootstrap_brokers_tls"),
)
SEARCH = Translation(
    "search domain",
    "domain_name",
    {
        "ARN": at("arn"),
        "Endpoint": at("endpoint"),
        "ClusterConfig.InstanceCount": inside("cluster_config", at("instance_count", 1), 1),
        "ClusterConfig.ZoneAwarenessEnabled": inside(
            "cluster_config", at("zone_awareness_enabled", False), False
        ),
        "ClusterConfig.ZoneAwarenessConfig.AvailabilityZoneCount": inside(
            "cluster_config", inside("zone_awareness_config", at("availability_zone_count", 2))
        ),
        "ClusterConfig.DedicatedMasterEnabled": inside(
            "cluster_config", at("dedicated_master_enabled", False), False
        ),
        "ClusterConfig.DedicatedMasterCount": inside("cluster_config", given("dedicated_master_count")),
        "ClusterConfig.MultiAZWithStandbyEnabled": inside(
            "cluster_config", at("multi_az_with_standby_enabled", False), False
        ),
        "VPCOptions.SubnetIds": inside("vpc_options", links_to("subnet_ids", "subnet")),
        "VPCOptions.SecurityGroupIds": inside(
            "vpc_options", links_to("security_group_ids", "security group")
        ),
    },
    others=("id", "arn", "endpoint"),
)
FILES = Translation(
    "file system",
    "id",
    {
        "FileSystemArn": at("arn"),
        "AvailabilityZoneName": given("availability_zone_name"),
        "Encrypted": given("encrypted"),
        "KmsKeyId": link("kms_key_id", "key"),
    },
    others=("arn", "dns_name"),
)
MOUNT = Translation(
    "mount target",
    "id",
    {
        "FileSystemId": link("file_system_id", "file system", is_needed=True),
        "SubnetId": link("subnet_id", "subnet"),
        "AvailabilityZoneName": at("availability_zone_name"),
        "IpAddress": at("ip_address"),
    },
    others=("ip_address", "mount_target_dns_name", "dns_name"),
)


_PREFERRED = link("preferred_subnet_id", "subnet")


def _fsx(kind: str, part: str, default: str | None = None) -> Translation:
    return Translation(
        "FSx file system",
        "id",
        {
            "FileSystemType": always(kind),
            "DNSName": at("dns_name"),
            "SubnetIds": links_to("subnet_ids", "subnet"),
            "KmsKeyId": link("kms_key_id", "key"),
            f"{part}.DeploymentType": at("deployment_type", default),
            f"{part}.AutomaticBackupRetentionDays": given("automatic_backup_retention_days"),
            **({} if kind == "LUSTRE" else {f"{part}.PreferredSubnetId": _PREFERRED}),
        },
        others=("arn", "dns_name"),
    )


CONTAINERS = Translation(
    "container service",
    "id",
    {
        "clusterArn": link("cluster", "container cluster"),
        "desiredCount": at("desired_count", 0),
        "launchType": given("launch_type"),
        "schedulingStrategy": at("scheduling_strategy", "REPLICA"),
        "taskDefinition": link("task_definition", "task definition"),
        "loadBalancers": rows(
            "load_balancer",
            {
                "targetGroupArn": link("target_group_arn", "target group", is_needed=True),
                "loadBalancerName": link("elb_name", "classic load balancer"),
            },
        ),
        "networkConfiguration.awsvpcConfiguration.subnets": inside(
            "network_configuration", links_to("subnets", "subnet", is_needed=True)
        ),
        "networkConfiguration.awsvpcConfiguration.securityGroups": inside(
            "network_configuration", links_to("security_groups", "security group")
        ),
        "placementStrategy": rows(
            "ordered_placement_strategy", {"type": at("type"), "field": given("field")}
        ),
    },
    others=("name",),
)
TASK = Translation(
    "task definition",
    "arn",
    {
        "networkMode": given("network_mode"),
        "volumes": rows(
            "volume",
            {
                "name": at("name"),
                "efsVolumeConfiguration.fileSystemId": inside(
                    "efs_volume_configuration", link("file_system_id", "file system", is_needed=True)
                ),
            },
        ),
    },
    others=("id", "arn_without_revision"),
)
NODES = Translation(
    "node group",
    "id",
    {
        "clusterName": link("cluster_name", "Kubernetes cluster"),
        "nodegroupName": at("node_group_name"),
        "nodegroupArn": at("arn"),
        "capacityType": at("capacity_type", "ON_DEMAND"),
        "scalingConfig.minSize": inside("scaling_config", at("min_size")),
        "scalingConfig.desiredSize": inside("scaling_config", at("desired_size")),
        "subnets": links_to("subnet_ids", "subnet", is_needed=True),
    },
    others=("arn",),
)
FUNCTION = Translation(
    "function",
    "function_name",
    {
        "FunctionArn": at("arn"),
        "VpcConfig.SubnetIds": inside("vpc_config", links_to("subnet_ids", "subnet")),
        "VpcConfig.SecurityGroupIds": inside("vpc_config", links_to("security_group_ids", "security group")),
        "KMSKeyArn": link("kms_key_arn", "key"),
        "FileSystemConfigs": rows("file_system_config", {"Arn": at("arn")}),
    },
    others=("id", "arn", "qualified_arn", "invoke_arn"),
)
DIRECTORY = Translation(
    "directory",
    "id",
    {"Type": at("type"), "VpcSettings.SubnetIds": inside("vpc_settings", links_to("subnet_ids", "subnet"))},
)
KEY = Translation(
    "key",
    "key_id",
    {
        "Arn": at("arn"),
        "KeyState": chosen("is_enabled", {True: "Enabled", False: "Disabled"}, True),
        "CustomKeyStoreId": given("custom_key_store_id"),
    },
    others=("id", "arn"),
)


def _plain(kind: str, id: str, *others: str) -> tuple[Translation, ...]:  # noqa: A002 (the field's own word)
    return (Translation(kind, id, {}, others),)


STORES = {
    "aws_db_instance": (DATABASE,),
    # Neptune and DocumentDB answer RDS's own calls.
    **dict.fromkeys(("aws_rds_cluster", "aws_docdb_cluster", "aws_neptune_cluster"), (CLUSTER,)),
    **dict.fromkeys(
        ("aws_rds_cluster_instance", "aws_docdb_cluster_instance", "aws_neptune_cluster_instance"), (MEMBER,)
    ),
    "aws_db_subnet_group": _subnet_group("database subnet group"),
    "aws_db_proxy": (PROXY,),
    "aws_db_proxy_target": (PROXY_TARGET,),
    "aws_redshift_cluster": (WAREHOUSE,),
    "aws_elasticache_replication_group": (CACHE,),
    "aws_elasticache_cluster": (CACHE_CLUSTER,),
    "aws_elasticache_subnet_group": _subnet_group("cache subnet group"),
    "aws_dax_cluster": (DAX,),
    "aws_mq_broker": (BROKER,),
    "aws_msk_cluster": (KAFKA,),
    **dict.fromkeys(("aws_opensearch_domain", "aws_elasticsearch_domain"), (SEARCH,)),
    "aws_efs_file_system": (FILES,),
    "aws_efs_mount_target": (MOUNT,),
    "aws_fsx_windows_file_system": (_fsx("WINDOWS", "WindowsConfiguration", "SINGLE_AZ_1"),),
    "aws_fsx_lustre_file_system": (_fsx("LUSTRE", "LustreConfiguration", "SCRATCH_1"),),
    "aws_fsx_ontap_file_system": (_fsx("ONTAP", "OntapConfiguration"),),
    "aws_fsx_openzfs_file_system": (_fsx("OPENZFS", "OpenZFSConfiguration"),),
    "aws_ecs_cluster": _plain("container cluster", "arn", "id", "name"),
    "aws_ecs_service": (CONTAINERS,),
    "aws_ecs_task_definition": (TASK,),
    "aws_eks_cluster": _plain("Kubernetes cluster", "name", "id", "arn", "endpoint"),
    "aws_eks_node_group": (NODES,),
    "aws_lambda_function": (FUNCTION,),
    "aws_lambda_alias": _plain("function alias", "arn"),
    "aws_s3_bucket": _plain(
        "bucket", "bucket", "id", "arn", "bucket_domain_name", "bucket_regional_domain_name"
    ),
    "aws_dynamodb_table": _plain("table", "name", "id", "arn"),
    "aws_sqs_queue": _plain("queue", "url", "id", "arn"),
    "aws_sns_topic": _plain("topic", "arn", "id"),
    "aws_directory_service_directory": (DIRECTORY,),
    "aws_kms_key": (KEY,),
    "aws_secretsmanager_secret": (
        Translation(
            "secret", "arn", {"Name": at("name"), "KmsKeyId": link("kms_key_id", "key")}, ("id", "name")
        ),
    ),
}
