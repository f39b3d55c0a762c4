"""Who keeps the data that a machine uses over the network: RDS, EFS, or another instance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nospof.adapters.aws.connection import chunks
from nospof.adapters.aws.surroundings import Around, Reading
from nospof.model.external import (
    EFS_INTERFACE,
    RDS_INTERFACE,
    Database,
    FileSystem,
    Holder,
    MountTarget,
    Stores,
)


class StoresBehind(Around):
    """The part of the port that looks for data elsewhere."""

    def stores_behind(self, vpc_id: str, addresses: Sequence[str], file_systems: Sequence[str]) -> Stores:
        """See the port."""
        read = Reading()
        holders: tuple[Holder, ...] = read.part(
            "who has their addresses", lambda: self._holders(vpc_id, addresses), ()
        )
        found = (EFS_INTERFACE.match(one.description) for one in holders)
        ids = {*file_systems, *(one[1] for one in found if one)}
        is_rds = any(one.description == RDS_INTERFACE for one in holders)
        return Stores(
            holders=holders,
            databases=self._databases(vpc_id, read) if is_rds else (),
            file_systems=tuple(self._file_system(one, read) for one in sorted(ids)),
            unread=tuple(read.unread),
        )

    def _holders(self, vpc_id: str, addresses: Sequence[str]) -> tuple[Holder, ...]:
        wanted = sorted(set(addresses))
        rows: list[Any] = []
        with self.reading("ec2:DescribeNetworkInterfaces", vpc_id):
            for some in chunks(wanted):
                pages = self.ec2.get_paginator("describe_network_interfaces").paginate(
                    Filters=[
                        {"Name": "vpc-id", "Values": [vpc_id]},
                        {"Name": "addresses.private-ip-address", "Values": some},
                    ]
                )
                rows += [one for page in pages for one in page["NetworkInterfaces"]]
        found = {
            at["PrivateIpAddress"]: Holder(
                at["PrivateIpAddress"],
                one.get("Description", ""),
                one.get("Attachment", {}).get("InstanceId", ""),
                one.get("AvailabilityZone", ""),
                tuple(sorted(group["GroupId"] for group in one.get("Groups", ()))),
            )
            for one in rows
            for at in one.get("PrivateIpAddresses", ())
        }
        return tuple(found[one] for one in wanted if one in found)

    def _databases(self, vpc_id: str, read: Reading) -> tuple[Database, ...]:
        rows: list[Any] = read.part("databases of RDS", self._instances_of_rds, [])
        rows = [one for one in rows if one.get("DBSubnetGroup", {}).get("VpcId", vpc_id) == vpc_id]
        clusters: dict[str, bool] = {}
        if any(one.get("DBClusterIdentifier") for one in rows):
            clusters = read.part("clusters of RDS", self._clusters_of_rds, {})
        return tuple(as_database(one, clusters) for one in rows)

    def _instances_of_rds(self) -> list[Any]:
        with self.reading("rds:DescribeDBInstances"):
            pages = self._other("rds").get_paginator("describe_db_instances").paginate()
            return [one for page in pages for one in page["DBInstances"]]

    def _clusters_of_rds(self) -> dict[str, bool]:
        with self.reading("rds:DescribeDBClusters"):
            pages = self._other("rds").get_paginator("describe_db_clusters").paginate()
            return {
                one["DBClusterIdentifier"]: bool(one.get("MultiAZ"))
                for page in pages
                for one in page["DBClusters"]
            }

    def _file_system(self, file_system_id: str, read: Reading) -> FileSystem:
        told: dict[str, Any] | None = read.part(
            f"EFS {file_system_id}", lambda: self._told_of(file_system_id), None
        )
        targets = read.part(
            f"mount targets of EFS {file_system_id}", lambda: self._targets(file_system_id), None
        )
        if told is None:
            return FileSystem(file_system_id, None, targets, "", None)
        zone, state = told.get("AvailabilityZoneName") or "", told.get("LifeCycleState", "")
        return FileSystem(file_system_id, zone, targets, state, bool(told.get("Encrypted")))

    def _told_of(self, file_system_id: str) -> dict[str, Any]:
        with self.reading("elasticfilesystem:DescribeFileSystems", file_system_id):
            answer = self._other("efs").describe_file_systems(FileSystemId=file_system_id)
        return next(iter(answer["FileSystems"]), {})

    def _targets(self, file_system_id: str) -> tuple[MountTarget, ...]:
        with self.reading("elasticfilesystem:DescribeMountTargets", file_system_id):
            pages = self._other("efs").get_paginator("describe_mount_targets")
            rows = [
                one for page in pages.paginate(FileSystemId=file_system_id) for one in page["MountTargets"]
            ]
        return tuple(
            MountTarget(
                one["MountTargetId"],
                one.get("AvailabilityZoneName", ""),
                one.get("IpAddress", ""),
                one.get("LifeCycleState") == "available",
            )
            for one in sorted(rows, key=lambda row: str(row["MountTargetId"]))
        )


def as_database(one: Any, clusters: dict[str, bool]) -> Database:
    """Return a row of RDS as ours; of a cluster that could not be read nobody knows where else it is."""
    cluster = one.get("DBClusterIdentifier", "")
    return Database(
        id=cluster or one["DBInstanceIdentifier"],
        engine=one.get("Engine", ""),
        port=int(one.get("Endpoint", {}).get("Port", 0)),
        zone=one.get("AvailabilityZone", ""),
        groups=tuple(sorted(group["VpcSecurityGroupId"] for group in one.get("VpcSecurityGroups", ()))),
        is_cluster=bool(cluster),
        is_multi_zone=clusters.get(cluster) if cluster else bool(one.get("MultiAZ")),
    )
