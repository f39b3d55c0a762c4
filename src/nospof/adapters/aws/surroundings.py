"""What stands around an instance: its protection, keys, addresses, quota. What cannot be read is named."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeVar

from nospof.adapters.aws.connection import PAGE_SIZE
from nospof.adapters.aws.names import Names
from nospof.adapters.aws.traits import disks_of, traits_of
from nospof.errors import CloudError
from nospof.model.cloud import Instance
from nospof.model.names import ZONES_LOOKED_AT
from nospof.model.surroundings import Key, NamedAddress, Surroundings
from nospof.model.traits import Traits

T = TypeVar("T")

NO_SUCH_QUOTA = "NoSuchResourceException"
QUOTAS = {"f": "L-74FC7D96", "g": "L-DB2E81BA", "inf": "L-1945791B", "p": "L-417A185B", "x": "L-7295265B"}
STANDARD = "L-1216C47A"
"""Running On-Demand vCPUs by family (Service Quotas, "Amazon EC2"): all others are the standard ones."""
STANDARD_FAMILIES = frozenset("acdhimrtz")


class Reading:
    """Reads part after part; one that fails is named and does not keep the others from it."""

    def __init__(self) -> None:
        self.unread: list[str] = []

    def part(self, says: str, ask: Callable[[], T], otherwise: T) -> T:
        """Return what a part tells; `otherwise` where it cannot be read."""
        try:
            return ask()
        except CloudError as error:
            self.unread.append(f"{says}: {error.operation} failed, {error.code or error}")
            return otherwise


class Around(Names):
    """The part of the port that looks around an instance, and at what protects it."""

    def is_stop_protected(self, instance_id: str) -> bool:
        """See the port."""
        return self._is_set(instance_id, "disableApiStop")

    def is_termination_protected(self, instance_id: str) -> bool:
        """See the port."""
        return self._is_set(instance_id, "disableApiTermination")

    def _is_set(self, instance_id: str, attribute: Any) -> bool:
        def ask() -> bool:
            with self.reading("ec2:DescribeInstanceAttribute", instance_id):
                answer: Any = self.ec2.describe_instance_attribute(
                    InstanceId=instance_id, Attribute=attribute
                )
            return bool(answer.get(f"D{attribute[1:]}", {}).get("Value", False))

        return self.patiently((instance_id,), ask)

    def allow_termination(self, instance_id: str) -> None:
        """See the port."""
        with self.writing("ec2:ModifyInstanceAttribute", instance_id):
            self.ec2.modify_instance_attribute(InstanceId=instance_id, DisableApiTermination={"Value": False})

    def protect_from_stop(self, instance_id: str, *, on: bool) -> None:
        """See the port."""

        def ask() -> None:
            with self.writing("ec2:ModifyInstanceAttribute", instance_id):
                self.ec2.modify_instance_attribute(InstanceId=instance_id, DisableApiStop={"Value": on})

        self.patiently((instance_id,), ask)

    def surroundings(self, instance: Instance) -> Surroundings:
        """See the port."""
        read = Reading()
        told: dict[str, Any] = read.part(
            f"tenancy, settings, product codes and interfaces of {instance.id}",
            lambda: self._told(instance.id),
            {},
        )
        volumes: list[Any] = read.part("its volumes", lambda: self._volumes(instance), [])
        code = quota_code(instance.type)
        elastic: tuple[str, ...] = read.part("Elastic IPs", lambda: self._elastic(instance.id), ())
        vcpus = vcpus_of(told)
        has_quota = bool(code and vcpus)
        return Surroundings(
            elastic_addresses=elastic,
            records=read.part("Route 53", lambda: self._records_of(instance.public_ip, read), ())
            if instance.public_ip
            else (),
            product_codes=tuple(
                one["ProductCodeId"]
                for one in told.get("ProductCodes", ())
                if one.get("ProductCodeType") == "marketplace"
            ),
            spot_request=read.part("the Spot request", lambda: self._spot(told), ""),
            tenancy=told.get("Placement", {}).get("Tenancy", "default"),
            host_id=told.get("Placement", {}).get("HostId", ""),
            more_interfaces=tuple(
                one["NetworkInterfaceId"]
                for one in told.get("NetworkInterfaces", ())
                if one.get("Attachment", {}).get("DeviceIndex", 0)
            ),
            keys=self._keys(volumes, read),
            has_user_data=read.part("user data", lambda: self._has_user_data(instance.id), False),
            vcpus=vcpus,
            vcpus_used=read.part("vCPUs in use", lambda: self._vcpus_used(code), 0) if has_quota else 0,
            vcpu_quota=read.part("the vCPU quota", lambda: self._quota(code), None) if has_quota else None,
            quota_code=code,
            traits=self._traits(instance, told, volumes, read),
            unread=tuple(read.unread),
        )

    def _told(self, instance_id: str) -> dict[str, Any]:
        with self.reading("ec2:DescribeInstances", instance_id):
            answer = self.ec2.describe_instances(InstanceIds=[instance_id])
        rows = [one for each in answer["Reservations"] for one in each["Instances"]]
        return dict(rows[0]) if rows else {}

    def _elastic(self, instance_id: str) -> tuple[str, ...]:
        with self.reading("ec2:DescribeAddresses", instance_id):
            answer = self.ec2.describe_addresses(Filters=[{"Name": "instance-id", "Values": [instance_id]}])
        return tuple(sorted(one["PublicIp"] for one in answer["Addresses"] if "PublicIp" in one))

    def _spot(self, told: dict[str, Any]) -> str:
        request = told.get("SpotInstanceRequestId", "")
        if not request:
            return ""
        with self.reading("ec2:DescribeSpotInstanceRequests", request):
            answer = self.ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[request])
        return ", ".join(f"{one.get('Type', '')} {request}" for one in answer["SpotInstanceRequests"])

    def _volumes(self, instance: Instance) -> list[Any]:
        if not instance.attachments:
            return []
        ids = [one.volume_id for one in instance.attachments]
        with self.reading("ec2:DescribeVolumes", instance.id):
            return list(self.ec2.describe_volumes(VolumeIds=ids)["Volumes"])

    def _traits(self, instance: Instance, told: dict[str, Any], volumes: list[Any], read: Reading) -> Traits:
        traits = replace(traits_of(told), disks=disks_of(instance, volumes))
        if not told:
            return traits
        is_protected = read.part(
            "termination protection", lambda: self.is_termination_protected(instance.id), False
        )
        shutdown = read.part("what a shutdown does", lambda: self._shutdown_behavior(instance.id), "")
        credits_of = instance.type.startswith("t")
        return replace(
            traits,
            is_termination_protected=is_protected,
            shutdown_behavior=shutdown,
            cpu_credits=read.part("CPU credits", lambda: self._credits(instance.id), "")
            if credits_of
            else "",
        )

    def _shutdown_behavior(self, instance_id: str) -> str:
        with self.reading("ec2:DescribeInstanceAttribute", instance_id):
            answer = self.ec2.describe_instance_attribute(
                InstanceId=instance_id, Attribute="instanceInitiatedShutdownBehavior"
            )
        return answer.get("InstanceInitiatedShutdownBehavior", {}).get("Value", "")

    def _credits(self, instance_id: str) -> str:
        with self.reading("ec2:DescribeInstanceCreditSpecifications", instance_id):
            answer = self.ec2.describe_instance_credit_specifications(InstanceIds=[instance_id])
        return next((one.get("CpuCredits", "") for one in answer["InstanceCreditSpecifications"]), "")

    def _keys(self, volumes: list[Any], read: Reading) -> tuple[Key, ...]:
        volumes_of: dict[str, list[str]] = {}
        for one in volumes:
            if one.get("KmsKeyId"):
                volumes_of.setdefault(one["KmsKeyId"], []).append(one["VolumeId"])
        found = []
        for arn, encrypted in sorted(volumes_of.items()):
            key = read.part(f"the key {arn}", lambda arn=arn: self._key(arn), None)  # type: ignore[misc]
            if key:
                found.append(
                    Key(arn, key.get("KeyState", ""), key.get("KeyManager", ""), tuple(sorted(encrypted)))
                )
        return tuple(found)

    def _key(self, arn: str) -> dict[str, Any]:
        with self.reading("kms:DescribeKey", arn):
            return dict(self._other("kms").describe_key(KeyId=arn)["KeyMetadata"])

    def _has_user_data(self, instance_id: str) -> bool:
        with self.reading("ec2:DescribeInstanceAttribute", instance_id):
            answer = self.ec2.describe_instance_attribute(InstanceId=instance_id, Attribute="userData")
        return bool(answer.get("UserData", {}).get("Value"))

    def _records_of(self, address: str, read: Reading) -> tuple[NamedAddress, ...]:
        zones = self._zones()
        if len(zones) > ZONES_LOOKED_AT:
            read.unread.append(
                f"{len(zones) - ZONES_LOOKED_AT} more hosted zones of Route 53: only so many are asked"
            )
        found = {
            NamedAddress(
                one["Name"].rstrip("."),
                zone["Id"].rpartition("/")[2],
                one.get("TTL", 0),
                "SetIdentifier" in one,
            )
            for zone in zones[:ZONES_LOOKED_AT]
            for one in self._records(zone)
            if any(value["Value"] == address for value in one.get("ResourceRecords", ()))
        }
        return tuple(sorted(found, key=lambda one: (one.name, one.zone_id)))

    def _vcpus_used(self, code: str) -> int:
        with self.reading("ec2:DescribeInstances"):
            pages = self.ec2.get_paginator("describe_instances").paginate(
                Filters=[{"Name": "instance-state-name", "Values": ["pending", "running"]}],
                PaginationConfig={"PageSize": PAGE_SIZE},
            )
            rows: Iterable[Any] = [
                one for page in pages for each in page["Reservations"] for one in each["Instances"]
            ]
        return sum(
            vcpus_of(one)
            for one in rows
            if quota_code(one["InstanceType"]) == code and not one.get("InstanceLifecycle")
        )

    def _quota(self, code: str) -> float | None:
        try:
            with self.reading("servicequotas:GetServiceQuota", code):
                answer = self._other("service-quotas").get_service_quota(ServiceCode="ec2", QuotaCode=code)
        except CloudError as error:
            if error.code == NO_SUCH_QUOTA:
                return None
            raise
        return float(answer["Quota"]["Value"])

    @cached_property
    def _others(self) -> dict[str, Any]:
        return {}

    def _other(self, service: str) -> Any:
        """Return the client for a service that nothing else here asks, made when it is first asked."""
        if service not in self._others:
            self._others[service] = self.client(service, self.region, operation=f"{service}:*")
        return self._others[service]


def quota_code(instance_type: str) -> str:
    """Return the quota that an On-Demand instance of a type counts against; empty for one not known."""
    letters = re.match(r"[a-z]+(?=\d)", instance_type)
    if letters is None:
        return ""
    return QUOTAS.get(letters[0]) or (STANDARD if letters[0][0] in STANDARD_FAMILIES else "")


def vcpus_of(told: Any) -> int:
    """Return the vCPUs of an instance as it is described; 0 where that is not told."""
    options = told.get("CpuOptions", {})
    return int(options.get("CoreCount", 0)) * int(options.get("ThreadsPerCore", 0))
