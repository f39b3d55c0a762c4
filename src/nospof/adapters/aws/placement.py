"""Placement groups of EC2."""

from __future__ import annotations

from typing import Any

from nospof.adapters.aws.connection import as_tags, specification
from nospof.adapters.aws.machines import Machines
from nospof.errors import CloudError
from nospof.model.cloud import PlacementGroup, Tags
from nospof.model.launching import tag_pairs


class Placement(Machines):
    """The part of the port that speaks of placement groups."""

    def placement_groups(self) -> tuple[PlacementGroup, ...]:
        """See the port."""
        with self.reading("ec2:DescribePlacementGroups"):
            found = self.ec2.describe_placement_groups()["PlacementGroups"]
        groups = [
            PlacementGroup(one["GroupName"], one.get("Strategy", ""), as_tags(one.get("Tags")))
            for one in found
            if "GroupName" in one  # one that another account shares has none
        ]
        return tuple(sorted(groups, key=lambda group: group.name))

    def create_placement_group(self, name: str, tags: Tags) -> None:
        """See the port."""
        parameters: dict[str, Any] = {"GroupName": name, "Strategy": "spread"}
        if tag_pairs(tags):
            parameters["TagSpecifications"] = specification(("placement-group", tags))
        try:
            with self.writing("ec2:CreatePlacementGroup", name):
                self.ec2.create_placement_group(**parameters)
            self.made(name)
        except CloudError as error:
            if error.code != "InvalidPlacementGroup.Duplicate" or not self._is_spread(name):
                raise

    def _is_spread(self, name: str) -> bool:
        with self.reading("ec2:DescribePlacementGroups", name):
            found = self.ec2.describe_placement_groups(GroupNames=[name])["PlacementGroups"]
        return any(group.get("Strategy") == "spread" for group in found)

    def move_into_group(self, instance_id: str, group_name: str) -> None:
        """See the port."""
        if self.instance(instance_id).placement_group == group_name:
            return

        def ask() -> None:
            with self.writing("ec2:ModifyInstancePlacement", instance_id):
                self.ec2.modify_instance_placement(InstanceId=instance_id, GroupName=group_name)

        self.patiently((instance_id, group_name), ask)

    def delete_placement_group(self, name: str) -> None:
        """See the port."""
        with self.deleting("ec2:DeletePlacementGroup", name):
            self.ec2.delete_placement_group(GroupName=name)
