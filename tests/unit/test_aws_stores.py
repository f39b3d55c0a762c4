"""Who keeps what a machine uses elsewhere, as EC2, RDS and EFS are asked; a part that is denied is named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from botocore.stub import Stubber

from nospof.adapters.aws import AwsCloud
from nospof.model.external import Database, FileSystem, Holder, MountTarget, Stores
from support.aws_endpoint import answering, refusal

ADDRESSES = ("10.0.0.5", "10.0.0.7", "10.0.0.9")
FILTERS = [
    {"Name": "vpc-id", "Values": ["vpc-1"]},
    {"Name": "addresses.private-ip-address", "Values": list(ADDRESSES)},
]


def interface(address: str, description: str, *more: str, instance_id: str = "") -> dict[str, Any]:
    return {
        "Description": description,
        "AvailabilityZone": "za",
        "Attachment": {"InstanceId": instance_id} if instance_id else {},
        "Groups": [{"GroupId": "sg-2"}, {"GroupId": "sg-1"}],
        "PrivateIpAddresses": [{"PrivateIpAddress": one} for one in (address, *more)],
    }


INTERFACES = [
    interface("10.0.0.5", "RDSNetworkInterface"),
    interface("10.0.0.7", "EFS mount target for fs-0a1 (fsmt-0a1b2c3d)"),
    interface("10.0.0.8", "Primary network interface", "10.0.0.9", instance_id="i-db"),
]


def database(name: str, vpc_id: str = "vpc-1", **more: Any) -> dict[str, Any]:
    return {
        "DBInstanceIdentifier": name,
        "Engine": "mysql",
        "AvailabilityZone": "za",
        "Endpoint": {"Port": 3306},
        "DBSubnetGroup": {"VpcId": vpc_id},
        "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-2"}, {"VpcSecurityGroupId": "sg-1"}],
        "MultiAZ": False,
        **more,
    }


MEMBER = database("shop-1", DBClusterIdentifier="shop", Engine="aurora-mysql")
TARGET = {
    "MountTargetId": "fsmt-0a1b2c3d",
    "FileSystemId": "fs-0a1",
    "SubnetId": "subnet-0a1b2c3d",
    "LifeCycleState": "available",
    "IpAddress": "10.0.0.7",
    "AvailabilityZoneName": "za",
}


def file_system(**more: object) -> dict[str, Any]:
    return {
        "OwnerId": "1",
        "CreationToken": "t",
        "FileSystemId": "fs-0a1",
        "CreationTime": 0,
        "LifeCycleState": "available",
        "NumberOfMountTargets": 1,
        "SizeInBytes": {"Value": 0},
        "PerformanceMode": "generalPurpose",
        "Encrypted": True,
        "Tags": [],
        **more,
    }


class Asked:
    """The adapter, and what EC2, RDS and EFS will answer."""

    def __init__(self, cloud: AwsCloud, stack: ExitStack) -> None:
        self.cloud = cloud
        self.ec2: Any = stack.enter_context(Stubber(cloud.ec2))
        self.rds: Any = stack.enter_context(Stubber(cloud._other("rds")))
        self.efs: Any = stack.enter_context(Stubber(cloud._other("efs")))

    def stores(self, *systems: str, addresses: tuple[str, ...] = ADDRESSES) -> Stores:
        """Return the answer, after which nothing is left that should have been asked."""
        found = self.cloud.stores_behind("vpc-1", addresses, systems)
        for stub in (self.ec2, self.rds, self.efs):
            stub.assert_no_pending_responses()
        return found

    def has(self, *interfaces: dict[str, Any]) -> None:
        asked = {"Filters": FILTERS}
        self.ec2.add_response("describe_network_interfaces", {"NetworkInterfaces": list(interfaces)}, asked)

    def has_files(self, **more: str) -> None:
        one = {"FileSystemId": "fs-0a1"}
        self.efs.add_response("describe_file_systems", {"FileSystems": [file_system(**more)]}, one)
        self.efs.add_response("describe_mount_targets", {"MountTargets": [TARGET]}, one)


@pytest.fixture
def asked() -> Iterator[Asked]:
    with answering(refusal("NobodyShouldAsk")) as endpoint, ExitStack() as stack:
        yield Asked(endpoint.cloud(), stack)


def test_an_address_leads_to_its_interface_and_that_to_what_keeps_the_data(asked: Asked) -> None:
    asked.has(*INTERFACES)
    asked.rds.add_response("describe_db_instances", {"DBInstances": [database("shop-db"), MEMBER]})
    asked.rds.add_response(
        "describe_db_clusters", {"DBClusters": [{"DBClusterIdentifier": "shop", "MultiAZ": True}]}
    )
    asked.has_files()
    groups = ("sg-1", "sg-2")
    assert asked.stores() == Stores(
        holders=(
            Holder("10.0.0.5", "RDSNetworkInterface", "", "za", groups),
            Holder("10.0.0.7", "EFS mount target for fs-0a1 (fsmt-0a1b2c3d)", "", "za", groups),
            Holder("10.0.0.9", "Primary network interface", "i-db", "za", groups),
        ),
        databases=(
            Database("shop-db", "mysql", 3306, "za", groups),
            Database("shop", "aurora-mysql", 3306, "za", groups, is_cluster=True, is_multi_zone=True),
        ),
        file_systems=(FileSystem("fs-0a1", "", (MountTarget("fsmt-0a1b2c3d", "za", "10.0.0.7"),)),),
    )


def test_without_an_address_of_rds_it_is_not_asked_and_without_an_address_ec2_is_not(asked: Asked) -> None:
    asked.has_files(AvailabilityZoneName="za")
    (system,) = asked.stores("fs-0a1", addresses=()).file_systems
    assert system.zone == "za"


def test_clusters_are_not_asked_about_where_there_are_none_and_other_vpcs_are_left_out(asked: Asked) -> None:
    asked.has(INTERFACES[0])
    rows = [database("shop-db", MultiAZ=True), database("far", "vpc-2"), {**MEMBER, **database("x", "vpc-2")}]
    asked.rds.add_response("describe_db_instances", {"DBInstances": rows})
    assert [(one.id, one.is_multi_zone) for one in asked.stores().databases] == [("shop-db", True)]


def test_every_part_that_is_denied_is_named_and_taken_for_nothing(asked: Asked) -> None:
    asked.has(*INTERFACES)
    asked.rds.add_response("describe_db_instances", {"DBInstances": [MEMBER]})
    for stub, call in (
        (asked.rds, "describe_db_clusters"),
        (asked.efs, "describe_file_systems"),
        (asked.efs, "describe_mount_targets"),
    ):
        stub.add_client_error(call, "AccessDenied")
    found = asked.stores()
    assert found.databases[0].is_multi_zone is None
    assert found.file_systems == (FileSystem("fs-0a1", None, None, "", None),)
    assert found.unread == (
        "clusters of RDS: rds:DescribeDBClusters failed, AccessDenied",
        "EFS fs-0a1: elasticfilesystem:DescribeFileSystems failed, AccessDenied",
        "mount targets of EFS fs-0a1: elasticfilesystem:DescribeMountTargets failed, AccessDenied",
    )


def test_denied_interfaces_keep_nobody_from_files_that_are_known_by_name(asked: Asked) -> None:
    asked.ec2.add_client_error("describe_network_interfaces", "UnauthorizedOperation")
    asked.has_files()
    found = asked.stores("fs-0a1")
    assert found.unread == (
        "who has their addresses: ec2:DescribeNetworkInterfaces failed, UnauthorizedOperation",
    )
    assert [one.id for one in found.file_systems] == ["fs-0a1"]


def test_denied_databases_are_named(asked: Asked) -> None:
    asked.has(INTERFACES[0])
    asked.rds.add_client_error("describe_db_instances", "AccessDenied")
    assert asked.stores().unread == ("databases of RDS: rds:DescribeDBInstances failed, AccessDenied",)
