"""The cloud, as procedures and the audit ask for it.

The rules every implementation keeps:

* An error is never a state. A call that failed raises `CloudError` (or a child); it never
  returns an empty or default value.
* Lists are whole: every page was read.
* A read right after a create may raise `NotFound` once the implementation's own patience
  (eventual consistency, up to a minute) is used up; before that it waits.
* Writes are safe to repeat with the same arguments, as each one says.
* Nothing waits for a state to be reached: the caller polls. Only `NotFound` after a create
  and throttling are waited out inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from nospof.model.auto_scaling import AutoScalingGroup
from nospof.model.certificates import Certificate
from nospof.model.cloud import (
    Identity,
    Image,
    IngressRule,
    Instance,
    InstanceStatus,
    LaunchRequest,
    Listener,
    LoadBalancer,
    LoadBalancerRequest,
    PlacementGroup,
    SecurityGroup,
    SecurityGroupRequest,
    Snapshot,
    Subnet,
    Tags,
    Target,
    TargetGroup,
    TargetGroupRequest,
    Volume,
    Zone,
)
from nospof.model.external import Stores
from nospof.model.names import HostedZone, Records
from nospof.model.plans import PlannedCall
from nospof.model.starts import Role, ScheduledStart
from nospof.model.surroundings import Surroundings
from nospof.model.traits import TypeTraits
from nospof.ports.roots import Roots


class Cloud(Roots, Protocol):
    """One account in one region."""

    # Reading ---------------------------------------------------------------------------------

    def identity(self) -> Identity:
        """Return who is calling; the cheapest proof that credentials and endpoint work."""

    def zones(self) -> tuple[Zone, ...]:
        """Return the region's zones, by name."""

    def subnets(self, vpc_id: str) -> tuple[Subnet, ...]:
        """Return the VPC's subnets, by zone, then id."""

    def instance(self, instance_id: str) -> Instance:
        """Return one instance. Raises NotFound; a terminated one is returned while AWS lists it."""

    def instances(self, tag: str = "", value: str = "") -> tuple[Instance, ...]:
        """Return all instances, or those with a tag (and, when given, that value), by id.

        Terminated instances are left out.
        """

    def instance_status(self, instance_ids: tuple[str, ...]) -> tuple[InstanceStatus, ...]:
        """Return the status of each, in any state (IncludeAllInstances), with announced events."""

    def announcements(self) -> tuple[InstanceStatus, ...]:
        """Return the status of each instance for which something is or was announced, in any state, by id."""

    def is_stop_protected(self, instance_id: str) -> bool:
        """Return whether StopInstances would be refused by the instance's own attribute."""

    def is_termination_protected(self, instance_id: str) -> bool:
        """Return whether TerminateInstances would be refused by the instance's own attribute."""

    def is_deletion_protected(self, balancer_arn: str) -> bool:
        """Return whether DeleteLoadBalancer would be refused by the balancer's own attribute."""

    def names_of(self, dns_name: str) -> tuple[str, ...]:
        """Return the names of the account's Route 53 that lead to a balancer's own name, sorted.

        As an alias or as a CNAME; the first hosted zones only, where there are many.
        """

    def hosted_zones(self) -> tuple[HostedZone, ...]:
        """Return the account's hosted zones, by name, then id."""

    def record_sets(self, zone_id: str, name: str = "") -> Records:
        """Return a zone's record sets, or those of one name, by name, type and identifier.

        As they were last changed, also where that is not answered everywhere yet. Raises NotFound.
        """

    def is_in_sync(self, change_id: str) -> bool:
        """Return whether all of Route 53's servers answer as a change says."""

    def surroundings(self, instance: Instance) -> Surroundings:
        """Return what stands around an instance.

        Never raises: a part that cannot be read is named in the answer, with why.
        """

    def stores_behind(self, vpc_id: str, addresses: Sequence[str], file_systems: Sequence[str]) -> Stores:
        """Return who keeps the data at these addresses of a VPC, and these file systems of EFS, by id.

        Databases are told where an address is one of RDS: all of the VPC's, for an address names none. An
        address that nobody has there is left out. Never raises: a part that cannot be read is named in the
        answer, with why.
        """

    def auto_scaling_group_of(self, instance_id: str) -> str:
        """Return the name of the Auto Scaling group that owns the instance, or an empty string."""

    def auto_scaling_group(self, name: str) -> AutoScalingGroup | None:
        """Return an Auto Scaling group with its members, or None where there is no such group."""

    def zones_offering(self, instance_type: str) -> tuple[str, ...]:
        """Return the names of the zones in which the type can be launched."""

    def has_local_disks(self, instance_type: str) -> bool:
        """Return whether the type comes with instance-store disks, which a stop wipes."""

    def type_traits(self, instance_type: str) -> TypeTraits:
        """Return what a type is to the disks that boot on it.

        Raises CloudError where there is no such type.
        """

    def volumes(self, volume_ids: tuple[str, ...] = ()) -> tuple[Volume, ...]:
        """Return the volumes named, or all of them, by id. Raises NotFound."""

    def image(self, image_id: str) -> Image:
        """Return one image. Raises NotFound."""

    def image_named(self, name: str) -> Image | None:
        """Return this account's own image of that name, whatever its state, or None."""

    def newest_image(self, owner: str, pattern: str) -> Image | None:
        """Return the newest image for x86-64 that an account publishes under such a name, or None.

        Args:
            owner: the account that publishes it.
            pattern: of its name, with * for anything.
        """

    def snapshots_of(self, image_name: str, volume_ids: tuple[str, ...]) -> tuple[Snapshot, ...]:
        """Return the snapshots CreateImage started for the image of that name.

        Found by the tag `Name` = image name, which `create_image` puts on them, because the
        image itself lists them only later.
        """

    def images(self, tag: str, value: str = "") -> tuple[Image, ...]:
        """Return this account's own images with a tag (and, when given, that value), by id."""

    def snapshots(self, tag: str, value: str = "") -> tuple[Snapshot, ...]:
        """Return this account's own snapshots with a tag (and, when given, that value), by id."""

    def security_groups(self, tag: str, value: str = "") -> tuple[SecurityGroup, ...]:
        """Return the security groups with a tag (and, when given, that value), by id."""

    def placement_groups(self) -> tuple[PlacementGroup, ...]:
        """Return the placement groups, by name."""

    def load_balancers(self) -> tuple[LoadBalancer, ...]:
        """Return the application, network and classic load balancers, by name."""

    def load_balancer_named(self, name: str) -> LoadBalancer | None:
        """Return the balancer of that name, or None; classic ones have names of their own."""

    def listeners(self, balancer_arn: str) -> tuple[Listener, ...]:
        """Return a balancer's listeners, by port."""

    def certificates(self) -> tuple[Certificate, ...]:
        """Return the region's certificates of Certificate Manager, in any state, of any key, by ARN."""

    def target_groups(self) -> tuple[TargetGroup, ...]:
        """Return the target groups, by name, and among them each classic balancer as the group that it is.

        Its ARN is then the balancer's own, its name begins with "classic/", and its members have the port
        that its first listener leads to.
        """

    def target_group_named(self, name: str) -> TargetGroup | None:
        """Return the group of that name, or None."""

    def targets(self, target_group_arn: str) -> tuple[Target, ...]:
        """Return a group's members with their health as the balancer sees it now, by id."""

    def ingress_rules(self, group_id: str) -> tuple[IngressRule, ...]:
        """Return what a security group lets in over TCP, one rule per port and peer.

        A rule for all ports or a range is returned with `port` 0 when it covers everything and
        otherwise once per port is not attempted: ranges that do not cover all ports are left out.
        """

    def role(self, name: str) -> Role:
        """Return a role of IAM by its name, without a path. Raises NotFound."""

    # Asking whether a write would be allowed ---------------------------------------------------

    def rehearse(self, call: PlannedCall) -> None:
        """Ask whether an EC2 write would be allowed (DryRun); changes nothing.

        Raises CloudError with the cloud's code when it would be refused.
        """

    def simulate(self, call: PlannedCall) -> dict[str, bool | None]:
        """Ask IAM whether this caller's policies allow a call that has no rehearsal; changes nothing.

        Where the call names who makes it, it is that role's policies that are asked about.
        Returns for each action of the call whether it is allowed, None where that rests on what is not
        known. Raises CloudError where nobody answers that.
        """

    # Writing -----------------------------------------------------------------------------------

    def tag(self, resource_id: str, tags: Tags) -> None:
        """Put tags on an EC2 resource. A repeat changes nothing."""

    def untag(self, resource_id: str, keys: tuple[str, ...]) -> None:
        """Take tags off an EC2 resource. Tags that are not there are no error."""

    def stop_instance(self, instance_id: str) -> None:
        """Ask for an orderly stop. A repeat, or a stopped instance, changes nothing."""

    def protect_from_stop(self, instance_id: str, *, on: bool) -> None:
        """Set or lift the instance's protection against being stopped. A repeat changes nothing."""

    def suspend_processes(self, group_name: str, processes: tuple[str, ...]) -> None:
        """Have an Auto Scaling group not run some of its processes. A repeat changes nothing."""

    def resume_processes(self, group_name: str, processes: tuple[str, ...]) -> None:
        """Have it run them again. A repeat changes nothing; a group that is gone is no error."""

    def mark_healthy(self, instance_id: str) -> None:
        """Have its Auto Scaling group take a member for healthy, until its next check. A repeat likewise.

        A member that has left its group is no error.
        """

    def change_type(self, instance_id: str, instance_type: str) -> None:
        """Make a STOPPED instance one of another type. A repeat changes nothing.

        Raises CloudError IncorrectInstanceState when it is not stopped.
        """

    def start_instance(self, instance_id: str) -> None:
        """Ask for a start. A repeat, or a running instance, changes nothing.

        Raises CloudError IncorrectInstanceState while it is still stopping.
        """

    def reboot_instance(self, instance_id: str) -> None:
        """Ask for a reboot of a running instance. A repeat reboots again."""

    def move_event(self, instance_id: str, event_id: str, not_before: float) -> None:
        """Have an announced event begin at another time, seconds since the epoch. A repeat changes nothing.

        Raises CloudError InstanceEventStartTimeCannotChange where it has no deadline or begins at once, and
        InvalidInstanceEventStartTime where the time is not an hour away or is after its deadline.
        """

    def create_image(self, instance_id: str, name: str, tags: Tags) -> Image:
        """Start an image of an instance without rebooting it; the name is its identity.

        The snapshots get the same tags and `Name`. A repeat with the name of an own image returns
        that image; a foreign image of the same name is not possible, names are per account.
        """

    def launch(self, request: LaunchRequest) -> Instance:
        """Launch one instance. A repeat with the same token and parameters returns the same one."""

    def check_source_and_destination(self, instance_id: str, *, on: bool) -> None:
        """Let an instance pass on what is not for it (off), or not (on). A repeat changes nothing."""

    def create_placement_group(self, name: str, tags: Tags) -> None:
        """Make a spread placement group, whose members never share a rack. A repeat changes nothing."""

    def move_into_group(self, instance_id: str, group_name: str) -> None:
        """Place a STOPPED instance into a placement group; an empty name takes it out of its group.

        A repeat changes nothing. Raises CloudError IncorrectInstanceState when it is not stopped.
        """

    def create_security_group(self, request: SecurityGroupRequest) -> str:
        """Make a security group, or find the one of that name in the VPC; return its id."""

    def allow(self, group_id: str, rule: IngressRule) -> None:
        """Let a peer connect. A repeat changes nothing."""

    def allow_egress(self, group_id: str, port: int) -> None:
        """Let a security group's members connect to anybody on a port of TCP. A repeat changes nothing."""

    def revoke_egress(self, group_id: str, *, but_port: int) -> None:
        """No longer let them connect to anybody but on one port. A repeat changes nothing.

        What no group filters stays: the VPC's own DNS, time and metadata.
        """

    def create_target_group(self, request: TargetGroupRequest) -> TargetGroup:
        """Make a target group of instances, or return the one of that name.

        Raises CloudError DuplicateTargetGroupName when one of that name differs.
        """

    def create_load_balancer(self, request: LoadBalancerRequest) -> LoadBalancer:
        """Make an application load balancer, or return the one of that name."""

    def create_listener(
        self, balancer_arn: str, port: int, target_group_arn: str, certificate_arn: str = ""
    ) -> Listener:
        """Make a listener that forwards to one group, or return the one on that port, whatever it does.

        HTTP, or with a certificate HTTPS under `SECURITY_POLICY`.
        """

    def create_redirect(self, balancer_arn: str, port: int, to_port: int) -> Listener:
        """Make an HTTP listener that sends clients to HTTPS on another port, for good (301).

        Or return the one on that port, whatever it does.
        """

    def register(self, target_group_arn: str, instance_id: str, port: int) -> None:
        """Put an instance into a group, or an address into a group of addresses. A repeat changes nothing."""

    def deregister(self, target_group_arn: str, instance_id: str, port: int) -> None:
        """Start draining an instance out of a group. A repeat changes nothing."""

    def replace_records(self, zone_id: str, gone: Records, made: Records) -> str:
        """Put record sets in the place of others, all at once; return the change's id.

        There is no token: a repeat finds that `gone` is gone. Raises CloudError InvalidChangeBatch, and
        changes nothing, when one of `gone` is not there exactly so, or one of `made` is there already.
        """

    def allow_termination(self, instance_id: str) -> None:
        """Lift the instance's protection against termination. A repeat changes nothing."""

    def schedule_start(self, start: ScheduledStart) -> None:
        """Have the cloud itself start an instance, once, at a time; it forgets that afterwards.

        The name is its identity: a repeat moves it. Raises CloudError where the role must not be used so.
        """

    # Taking away: what is gone already is no error ---------------------------------------------

    def cancel_start(self, name: str) -> None:
        """Take back a start that was scheduled."""

    def terminate_instance(self, instance_id: str) -> None:
        """Ask for an instance's end, which takes the volumes that are deleted with it.

        A repeat changes nothing. Raises CloudError OperationNotPermitted when it is protected against that.
        """

    def deregister_image(self, image_id: str) -> None:
        """Take an image away. Its snapshots and what was launched from it stay."""

    def delete_snapshot(self, snapshot_id: str) -> None:
        """Delete a snapshot. Raises CloudError InvalidSnapshot.InUse while an image rests on it."""

    def delete_placement_group(self, name: str) -> None:
        """Delete a placement group. Raises CloudError InvalidPlacementGroup.InUse while it has members."""

    def delete_security_group(self, group_id: str) -> None:
        """Delete a security group.

        Raises CloudError DependencyViolation while an interface is in it or a rule of another names it.
        """

    def revoke(self, group_id: str, rule: IngressRule) -> None:
        """No longer let a peer connect; open connections may last. A rule that is not there is no error."""

    def delete_load_balancer(self, balancer_arn: str) -> None:
        """Delete a load balancer with its listeners, at once for its clients.

        Raises CloudError OperationNotPermitted when it is protected against that.
        """

    def delete_target_group(self, target_group_arn: str) -> None:
        """Delete a target group. Raises CloudError ResourceInUse while a balancer forwards to it."""
