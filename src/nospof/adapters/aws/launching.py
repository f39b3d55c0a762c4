"""Launching an instance of EC2, and making it what RunInstances cannot."""

from __future__ import annotations

import base64
from typing import Any

from nospof.adapters.aws.connection import exactly
from nospof.adapters.aws.errors import not_listed
from nospof.adapters.aws.machines import Machines, as_instance
from nospof.errors import CloudError
from nospof.model.cloud import Instance, LaunchRequest
from nospof.model.launching import run_parameters


class Launching(Machines):
    """The part of the port that makes instances."""

    def launch(self, request: LaunchRequest) -> Instance:
        """See the port.

        A token that was used with other parameters still finds its instance when image, type and
        subnet are the ones asked for; anything else would be another instance.
        """
        parameters = {**run_parameters(request), "ClientToken": request.token}
        if request.user_data_of:
            parameters["UserData"] = self._user_data(request.user_data_of)
        if mappings := parameters.get("BlockDeviceMappings"):
            parameters["BlockDeviceMappings"] = self._from_snapshots(request.image_id, mappings)

        def ask() -> Instance:
            with self.writing("ec2:RunInstances", request.image_id):
                return as_instance(self.ec2.run_instances(**parameters)["Instances"][0])

        try:
            launched = self.patiently(
                (request.image_id, request.placement_group, *request.security_groups), ask
            )
        except CloudError as error:
            if error.code != "IdempotentParameterMismatch":
                raise
            launched = self._launched_by(request, error)
        self.made(launched.id)
        return launched

    def _launched_by(self, request: LaunchRequest, refusal: CloudError) -> Instance:
        token = [{"Name": "client-token", "Values": [exactly(request.token)]}]
        wanted = (request.image_id, request.type, request.subnet_id)
        for found in self._describe_instances(request.token, Filters=token):
            if (found.image_id, found.type, found.subnet_id) == wanted:
                return found
        raise refusal

    def _user_data(self, instance_id: str) -> bytes:
        with self.reading("ec2:DescribeInstanceAttribute", instance_id):
            answer = self.ec2.describe_instance_attribute(InstanceId=instance_id, Attribute="userData")
        return base64.b64decode(answer.get("UserData", {}).get("Value", ""))

    def _from_snapshots(self, image_id: str, mappings: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Name the image's own snapshot for each further disk: a mapping without one may be an empty disk.

        The root is the image's whatever is asked. A disk that the image does not hold is left out, for it
        would be empty too.
        """

        def ask() -> tuple[str, dict[str, str]]:
            with self.reading("ec2:DescribeImages", image_id):
                images = self.ec2.describe_images(ImageIds=[image_id])["Images"]
            if not images:
                raise not_listed("ec2:DescribeImages", image_id, "InvalidAMIID.NotFound")
            return images[0].get("RootDeviceName", ""), {
                one["DeviceName"]: one["Ebs"]["SnapshotId"]
                for one in images[0].get("BlockDeviceMappings", [])
                if "SnapshotId" in one.get("Ebs", {})
            }

        root, snapshots = self.patiently((image_id,), ask)
        return [
            one
            if one["DeviceName"] == root
            else {**one, "Ebs": {**one["Ebs"], "SnapshotId": snapshots[one["DeviceName"]]}}
            for one in mappings
            if one["DeviceName"] in snapshots
        ]

    def check_source_and_destination(self, instance_id: str, *, on: bool) -> None:
        """See the port."""

        def ask() -> None:
            with self.writing("ec2:ModifyInstanceAttribute", instance_id):
                self.ec2.modify_instance_attribute(InstanceId=instance_id, SourceDestCheck={"Value": on})

        self.patiently((instance_id,), ask)
