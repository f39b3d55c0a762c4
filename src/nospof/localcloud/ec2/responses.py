"""EC2 operations whose answers differ from moto's: each says what AWS says."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.core.types import Base64EncodedString
from moto.core.utils import utcnow
from moto.ec2.responses import EC2Response as MotoEC2Response
from moto.ec2.utils import random_ami_id, random_snapshot_id

from nospof.localcloud.awserrors import AwsError, incorrect_state
from nospof.localcloud.cloud import current
from nospof.localcloud.ec2 import events, groups, launch, placement, roots, status
from nospof.localcloud.ec2.images import Ami, ImageVolume, delete_disk, disk_of
from nospof.localcloud.ec2.instances import Instance, require_running_or_stopped
from nospof.localcloud.ec2.instances import launch as launch_context


class EC2Response(MotoEC2Response):
    """moto's EC2 with the operations below made true."""

    # Instances ------------------------------------------------------------------------------------------

    def run_instances(self) -> ActionResult:
        """Launch real machines; a repeat with the same ClientToken returns the first ones."""
        digest = launch.fingerprint(self.params)
        earlier = launch.repeated(self.ec2_backend, self.params.get("ClientToken") or "", digest)
        if earlier is not None:
            return ActionResult(earlier)
        token = launch_context.set(launch.prepare(self.ec2_backend, self.params, digest))
        try:
            reservation: Any = super().run_instances().result
        finally:
            launch_context.reset(token)
        for instance in reservation.instances:
            launch.buy(self.ec2_backend, instance, self.params["BlockDeviceMappings"])
        return ActionResult(reservation)

    def describe_instance_credit_specifications(self) -> ActionResult:
        """Return what was asked for at the launch; moto says "standard" of every instance."""
        found = self.ec2_backend.describe_instance_credit_specifications(self.params.get("InstanceIds") or [])
        return ActionResult(
            {
                "InstanceCreditSpecifications": [
                    {"InstanceId": one.id, "CpuCredits": one.cpu_credits or default_credits(one)}
                    for one in found
                ]
            }
        )

    def describe_spot_instance_requests(self) -> ActionResult:
        """Return the requests that came with launches: moto knows those made by themselves only."""
        asked = self.params.get("SpotInstanceRequestIds") or []
        known = [one for one in self.ec2_backend.all_instances() if getattr(one, "spot_type", "")]
        found = {one.spot_instance_request_id: one for one in known}
        ours = [found[one] for one in asked if one in found] if asked else known
        if asked and not ours:
            return super().describe_spot_instance_requests()
        return ActionResult({"SpotInstanceRequests": [spot_request(one) for one in ours]})

    def _instances(self) -> list[Instance]:
        ids = self.params.get("InstanceIds") or []
        if not ids:
            raise AwsError("MissingParameter", "The request must contain the parameter InstanceId")
        return self.ec2_backend.get_multi_instances_by_id(ids)  # type: ignore[no-any-return]

    @staticmethod
    def _changes(changed: list[tuple[Instance, Any]]) -> list[dict[str, Any]]:
        return [
            {"InstanceId": instance.id, "CurrentState": instance.instance_state, "PreviousState": previous}
            for instance, previous in changed
        ]

    def stop_instances(self) -> ActionResult:
        """Stop in an orderly way, or at once with Force; refuses protected instances before any."""
        instances = self._instances()
        for instance in instances:
            if instance.disable_api_stop:
                raise AwsError(
                    "OperationNotPermitted",
                    f"The instance '{instance.id}' may not be stopped. Modify its 'disableApiStop' "
                    "instance attribute and try again.",
                )
            if instance.state in ("pending", "shutting-down", "terminated"):
                raise incorrect_state(instance.id, "stopped")
            if instance.root_device_type != "ebs":
                raise AwsError(
                    "UnsupportedOperation",
                    f"The instance '{instance.id}' does not have an 'ebs' root device type and cannot be "
                    "stopped.",
                )
            if instance.spot_type == "one-time":
                raise AwsError(
                    "UnsupportedOperation",
                    f"You can't stop the Spot Instance '{instance.id}' because it is associated with a "
                    "one-time Spot Instance request. You can only stop Spot Instances associated with "
                    "persistent Spot Instance requests.",
                )
        self.error_on_dryrun()
        force = bool(self.params.get("Force"))
        return ActionResult({"StoppingInstances": self._changes([(i, i.stop(force)) for i in instances])})

    def start_instances(self) -> ActionResult:
        """Start stopped instances, on another host where there is room."""
        instances = self._instances()
        for instance in instances:
            if instance.state in ("stopping", "shutting-down", "terminated"):
                raise incorrect_state(instance.id, "started")
        self.error_on_dryrun()
        return ActionResult({"StartingInstances": self._changes([(i, i.start()) for i in instances])})

    def reboot_instances(self) -> ActionResult:
        """Reboot in an orderly way, on the same host: what is announced stays so (see events.py)."""
        instances = self._instances()
        for instance in instances:
            if instance.state != "running":
                raise incorrect_state(instance.id, "rebooted")
        self.error_on_dryrun()
        for instance in instances:
            instance.reboot()
        return EmptyResult()

    def terminate_instances(self) -> ActionResult:
        """Terminate; refuses when one of them is protected, before touching any."""
        instances = self._instances()
        for instance in instances:
            if instance.disable_api_termination:
                raise AwsError(
                    "OperationNotPermitted",
                    f"The instance '{instance.id}' may not be terminated. Modify its "
                    "'disableApiTermination' instance attribute and try again.",
                )
        states = {instance.id: instance.instance_state for instance in instances}
        super().terminate_instances()
        changed = [(instance, states[instance.id]) for instance in instances]
        return ActionResult({"TerminatingInstances": self._changes(changed)})

    def modify_instance_attribute(self) -> ActionResult:
        """Change an attribute; the type and the user data only of a stopped instance."""
        stopped_only = [
            name for name in ("InstanceType", "UserData", "EbsOptimized") if self.params.get(name)
        ]
        instance = self.ec2_backend.get_instance(self.params.get("InstanceId"))
        if stopped_only and instance.state != "stopped":
            raise AwsError(
                "IncorrectInstanceState",
                f"The instance '{instance.id}' must be in the 'stopped' state to change {stopped_only[0]}.",
            )
        wanted = (self.params.get("InstanceType") or {}).get("Value")
        if wanted:
            launch.check_type(wanted, self.region, instance.placement.zone)
        return super().modify_instance_attribute()

    def get_console_output(self) -> ActionResult:
        """Return what the machine wrote on its console."""
        instance = self.ec2_backend.get_instance(self.params.get("InstanceId"))
        hypervisor = current().hypervisor
        text = "" if hypervisor.state(instance.id) == "absent" else hypervisor.console_output(instance.id)
        return ActionResult(
            {
                "InstanceId": instance.id,
                "Timestamp": utcnow(),
                "Output": Base64EncodedString.from_raw_string(text),
            }
        )

    def create_replace_root_volume_task(self) -> ActionResult:
        """Give a running instance another root volume; it reboots for it."""
        return ActionResult({"ReplaceRootVolumeTask": roots.create(self).document()})

    def describe_replace_root_volume_tasks(self) -> ActionResult:
        """Tell how far replacements of root volumes are."""
        found = roots.describe(self)
        self.error_on_dryrun()
        return ActionResult({"ReplaceRootVolumeTasks": [one.document() for one in found]})

    # Status and events ------------------------------------------------------------------------------------

    def describe_instance_status(self) -> ActionResult:
        """Return status checks and announced events, with every filter AWS has."""
        self.error_on_dryrun()
        return ActionResult(status.describe(self.ec2_backend, self.params))

    def describe_volume_status(self) -> ActionResult:  # type: ignore[override]
        """Return that every volume is well: none is ever anything else here."""
        self.error_on_dryrun()
        volumes = self.ec2_backend.describe_volumes(volume_ids=self._get_param("VolumeIds", []), filters={})
        return ActionResult({"VolumeStatuses": [status.of_volume(one) for one in volumes]})

    def modify_instance_event_start_time(self) -> ActionResult:
        """Move an announced event that has a deadline to another time before it."""
        instance = self.ec2_backend.get_instance(self.params.get("InstanceId"))
        wanted = self.params.get("InstanceEventId")
        event = next((e for e in instance.announced if e.instance_event_id == wanted), None)
        if event is None:
            raise AwsError("InvalidInstanceEventIDNotFound", f"The event ID '{wanted}' does not exist")
        self.error_on_dryrun()
        events.reschedule(event, status.as_time(self.params.get("NotBefore")), current().now())
        return ActionResult({"Event": event.document()})

    def create_tags(self) -> ActionResult:
        """Tag; moto tags instances that do not exist."""
        for resource_id in self.params.get("Resources") or []:
            if str(resource_id).startswith("i-"):
                self.ec2_backend.get_instance(resource_id)
        return super().create_tags()

    # Placement groups -----------------------------------------------------------------------------------

    def create_placement_group(self) -> ActionResult:
        """Make a placement group."""
        return ActionResult({"PlacementGroup": placement.create(self)})

    def delete_placement_group(self) -> ActionResult:
        """Delete a placement group nothing is in."""
        placement.delete(self)
        return EmptyResult()

    def modify_instance_placement(self) -> ActionResult:
        """Move a stopped instance into a placement group, or out of it with an empty name."""
        instance = self.ec2_backend.get_instance(self.params.get("InstanceId"))
        placement.move(self, instance)
        return ActionResult({"Return": True})

    def describe_placement_groups(self) -> ActionResult:
        """List placement groups by name, id or filter."""
        self.error_on_dryrun()
        return ActionResult({"PlacementGroups": placement.describe(self)})

    # Images -------------------------------------------------------------------------------------------

    def create_image(self) -> ActionResult:
        """Copy the disk, then answer: what is written later is not in the image."""
        instance = self.ec2_backend.get_instance(self.params.get("InstanceId"))
        name = self.params.get("Name") or ""
        self._check_image_name(name)
        tags = self._image_tags()
        require_running_or_stopped(instance)
        self.error_on_dryrun()
        image = Ami(
            self.ec2_backend,
            random_ami_id(),
            instance=instance,
            name=name,
            description=self.params.get("Description") or "",
            state="pending",
            image_location=f"{self.current_account}/{name}",
        )
        del image.instance  # its id is kept; the object would keep a deleted instance alive
        image.add_tags(tags.get("image", {}))
        image.snapshot_tags = tags.get("snapshot", {})
        image.mapping_changes = self.params.get("BlockDeviceMappings") or []
        image.waits_for_copy = True
        self.ec2_backend.amis[image.id] = image  # the name is taken from here on
        if instance.state == "running" and not self.params.get("NoReboot"):
            instance.imaging = image.id
        else:
            self._copy_now(instance, image)
        return ActionResult({"ImageId": image.id})

    def _copy_now(self, instance: Instance, image: Ami) -> None:
        cloud, root_snapshot_id = current(), random_snapshot_id()
        try:
            cloud.lock.release()  # a large disk must not hold up everybody else's calls
            try:
                cloud.hypervisor.snapshot(instance.id, disk_of(root_snapshot_id))
            finally:
                cloud.lock.acquire()
            attach_snapshots(image, instance, root_snapshot_id)
        except OSError as error:
            image.fail(f"The disk could not be copied: {error}")
            delete_disk(root_snapshot_id)
        except BaseException:
            del self.ec2_backend.amis[image.id]
            delete_disk(root_snapshot_id)
            raise

    def _check_image_name(self, name: str) -> None:
        if not 3 <= len(name) <= 128:
            raise AwsError("InvalidAMIName.Malformed", "AMI names must be between 3 and 128 characters long.")
        for image in self.ec2_backend.amis.values():
            if image.name == name and image.owner_id == self.current_account:
                raise AwsError(
                    "InvalidAMIName.Duplicate", f"AMI name {name} is already in use by AMI {image.id}"
                )

    def _image_tags(self) -> dict[str, dict[str, str]]:
        tags: dict[str, dict[str, str]] = {}
        for specification in self.params.get("TagSpecifications") or []:
            kind = specification.get("ResourceType")
            if kind not in ("image", "snapshot"):
                raise AwsError(
                    "InvalidParameterValue",
                    f"'{kind}' is not a valid taggable resource type for this operation.",
                )
            tags[kind] = {tag["Key"]: tag.get("Value", "") for tag in specification.get("Tags", [])}
        return tags

    def delete_security_group(self) -> ActionResult:
        """Delete a security group nothing needs."""
        name = self.params.get("GroupId") or self.params.get("GroupName") or ""
        group = self.ec2_backend.get_security_group_by_name_or_id(name)
        if group is not None:
            groups.refuse_needed(self.ec2_backend, group.id)
        return super().delete_security_group()

    def deregister_image(self) -> ActionResult:
        """Deregister; the snapshots stay, as on AWS."""
        return super().deregister_image()

    def delete_snapshot(self) -> ActionResult:
        """Delete a snapshot and the copy of the disk it stands for."""
        answer = super().delete_snapshot()
        delete_disk(self.params.get("SnapshotId", ""))
        return answer


def spot_request(instance: Instance) -> dict[str, Any]:
    """Return the Spot request an instance was launched by."""
    return {
        "SpotInstanceRequestId": instance.spot_instance_request_id,
        "InstanceId": instance.id,
        "Type": instance.spot_type,
        "State": "closed" if instance.state == "terminated" else "active",
        "Status": {"Code": "fulfilled", "Message": "Your spot request is fulfilled."},
    }


def default_credits(instance: Instance) -> str:
    """Return the credits of a type whose launch says nothing: only T2 is not unlimited."""
    return "standard" if instance.instance_type.startswith("t2.") else "unlimited"


def attach_snapshots(image: Ami, instance: Instance, root_snapshot_id: str) -> None:
    """Give an image its snapshots, the root one named after the copy that was taken.

    Args:
        image: the image; its tags for snapshots and its changed mappings are read.
        instance: the source.
        root_snapshot_id: the id the copy of the disk was stored under.
    """
    backend = image.ec2_backend
    changes = {mapping.get("DeviceName"): mapping for mapping in image.mapping_changes}
    image.volumes = []
    for device, block in instance.get_block_device_mapping:
        change = changes.get(device, {})
        if "NoDevice" in change:
            continue
        volume = backend.get_volume(block.volume_id)
        snapshot = backend.create_snapshot(
            volume.id, f"Created by CreateImage({instance.id}) for {image.id}", from_ami=image.id
        )
        if device == instance.root_device_name:
            del backend.snapshots[snapshot.id]
            snapshot.id = root_snapshot_id
            backend.snapshots[snapshot.id] = snapshot
            image.root_snapshot_id = snapshot.id
            image.root_device_name = device
        snapshot.add_tags(image.snapshot_tags)
        disk = change.get("Ebs") or {}
        image.volumes.append(
            ImageVolume(
                device,
                snapshot.id,
                int(disk.get("VolumeSize") or volume.size),
                disk.get("VolumeType") or volume.volume_type,
                bool(disk.get("DeleteOnTermination", block.delete_on_termination)),
                bool(volume.encrypted),
            )
        )
    image.waits_for_copy = False
    current().dirty.set()
