"""Placement groups, which moto does not have."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from nospof.localcloud.awserrors import AwsError

STRATEGIES = ("cluster", "spread", "partition")


@dataclass
class PlacementGroup:
    """A placement group of one region."""

    name: str
    strategy: str
    partitions: int
    spread_level: str
    group_id: str
    arn: str
    tags: list[dict[str, str]]

    def document(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        shown: dict[str, Any] = {
            "GroupName": self.name,
            "State": "available",
            "Strategy": self.strategy,
            "GroupId": self.group_id,
            "GroupArn": self.arn,
            "Tags": self.tags,
        }
        if self.strategy == "partition":
            shown["PartitionCount"] = self.partitions
        if self.strategy == "spread":
            shown["SpreadLevel"] = self.spread_level
        return shown


def _groups(response: Any) -> dict[str, PlacementGroup]:
    backend = response.ec2_backend
    if not hasattr(backend, "placement_groups"):
        backend.placement_groups = {}
    return backend.placement_groups  # type: ignore[no-any-return]


def create(response: Any) -> dict[str, Any]:
    """Make the group the request describes.

    Raises:
        AwsError: InvalidPlacementGroup.Duplicate, InvalidParameterValue.
    """
    asked, groups = response.params, _groups(response)
    name, strategy = asked.get("GroupName") or "", asked.get("Strategy") or "cluster"
    if not name:
        raise AwsError("MissingParameter", "The request must contain the parameter groupName")
    if strategy not in STRATEGIES:
        raise AwsError("InvalidParameterValue", f"Invalid value '{strategy}' for strategy.")
    if name in groups:
        raise AwsError("InvalidPlacementGroup.Duplicate", f"The Placement Group '{name}' already exists.")
    response.error_on_dryrun()
    tags = [
        tag
        for specification in asked.get("TagSpecifications") or []
        if specification.get("ResourceType") == "placement-group"
        for tag in specification.get("Tags", [])
    ]
    group_id = f"pg-{secrets.token_hex(8)}0"
    arn = f"arn:aws:ec2:{response.region}:{response.current_account}:placement-group/{name}"
    groups[name] = PlacementGroup(
        name,
        strategy,
        int(asked.get("PartitionCount") or 7),
        asked.get("SpreadLevel") or "rack",
        group_id,
        arn,
        tags,
    )
    return groups[name].document()


def delete(response: Any) -> None:
    """Delete the group the request names.

    Raises:
        AwsError: InvalidPlacementGroup.Unknown, InvalidPlacementGroup.InUse.
    """
    name, groups = response.params.get("GroupName") or "", _groups(response)
    if name not in groups:
        raise AwsError("InvalidPlacementGroup.Unknown", f"The Placement Group '{name}' is unknown.")
    members = (i for i in response.ec2_backend.all_instances() if i.state != "terminated")
    if any(instance.placement.group_name == name for instance in members):
        raise AwsError("InvalidPlacementGroup.InUse", f"The placement group '{name}' is in use.")
    response.error_on_dryrun()
    del groups[name]


def move(response: Any, instance: Any) -> None:
    """Put an instance into the group and tenancy the request names.

    Raises:
        AwsError: IncorrectInstanceState, InvalidPlacementGroup.Unknown.
    """
    asked, groups = response.params, _groups(response)
    if instance.state != "stopped":
        raise AwsError(
            "IncorrectInstanceState",
            f"The instance '{instance.id}' must be in the 'stopped' state to change its placement.",
        )
    name = asked.get("GroupName")
    if asked.get("GroupId"):
        name = next((g.name for g in groups.values() if g.group_id == asked["GroupId"]), asked["GroupId"])
    if name and name not in groups:
        raise AwsError("InvalidPlacementGroup.Unknown", f"The Placement Group '{name}' is unknown.")
    if name is not None:
        instance.placement.group_name = name
    if asked.get("Tenancy"):
        instance.placement.tenancy = asked["Tenancy"]


def describe(response: Any) -> list[dict[str, Any]]:
    """Return the groups the request asks for.

    Raises:
        AwsError: InvalidPlacementGroup.Unknown.
    """
    asked, groups = response.params, _groups(response)
    for name in asked.get("GroupNames") or []:
        if name not in groups:
            raise AwsError("InvalidPlacementGroup.Unknown", f"The Placement Group '{name}' is unknown.")
    names, ids = asked.get("GroupNames") or [], asked.get("GroupIds") or []
    chosen = [
        group
        for group in groups.values()
        if (not names or group.name in names) and (not ids or group.group_id in ids)
    ]
    filters = {item["Name"]: item.get("Values", []) for item in asked.get("Filters") or []}
    fields = {"group-name": "name", "strategy": "strategy", "spread-level": "spread_level"}
    for name, values in filters.items():
        if name in fields:
            chosen = [group for group in chosen if getattr(group, fields[name]) in values]
        elif name == "state":
            chosen = chosen if "available" in values else []
        else:
            raise AwsError("InvalidParameterValue", f"The filter '{name}' is invalid")
    return [group.document() for group in chosen]
