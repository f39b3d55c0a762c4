"""The cloud's nouns as nospof sees them: frozen values, no behaviour that reaches the world.

Names and states are AWS's own words. Times are seconds since the epoch, UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from nospof.model.traits import Traits

Tags = dict[str, str]

TAG_SERVICE = "nospof:service"
"""On everything that belongs to a service nospof looks after: the service's name."""
TAG_RUN = "nospof:run"
"""On everything nospof made: the id of the run that made it."""
TAG_TWIN_OF = "nospof:twin-of"
"""On a twin: the id of the instance it was cloned from."""
TAG_GUARANTEE = "nospof:guarantee"
"""On a source that is off for a moment: what must become true again, by when, and for which run."""
TAG_CONSISTENCY = "nospof:consistency"
"""On an image and its snapshots: "stopped" when nothing ran meanwhile, "application" when writes were held
from before they began until after, else "crash"."""
TAG_HOLD = "nospof:hold"
"""On an image of an instance that ran, and its snapshots: the id of the hold they were asked for under."""
TAG_DRAINED = "nospof:drained"
"""On a member that a run has taken out for a moment: the seats it belongs in, as "GROUP:PORT GROUP:PORT"."""
TAG_SUSPENDED = "nospof:suspended"
"""On a source whose Auto Scaling group must not act for a moment: that group's name."""
TAG_STATE = "nospof:state"
"""On an instance whose owner declared what state it keeps; "none" means nothing that changes."""


@dataclass(frozen=True)
class Identity:
    """Who is calling, and where."""

    account: str
    arn: str
    region: str


@dataclass(frozen=True)
class Zone:
    """An availability zone; compare zones by `id`, names differ between accounts."""

    name: str
    id: str
    state: str = "available"


@dataclass(frozen=True)
class Subnet:
    """A subnet: the way to say in which zone something is made."""

    id: str
    vpc_id: str
    zone: str
    free_addresses: int
    is_public: bool
    is_default: bool = False
    cidr: str = ""


@dataclass(frozen=True)
class Attachment:
    """A volume as an instance sees it."""

    device: str
    volume_id: str
    delete_on_termination: bool = True


@dataclass(frozen=True)
class Instance:
    """An EC2 instance.

    `state` is one of pending, running, stopping, stopped, shutting-down, terminated.
    `state_reason` is the cloud's explanation of the last change of state, or empty.
    """

    id: str
    state: str
    type: str
    image_id: str
    zone: str
    subnet_id: str
    vpc_id: str
    private_ip: str
    public_ip: str = ""
    root_device: str = ""
    root_device_type: str = "ebs"
    attachments: tuple[Attachment, ...] = ()
    security_groups: tuple[str, ...] = ()
    profile_arn: str = ""
    key_name: str = ""
    placement_group: str = ""
    lifecycle: str = ""
    state_reason: str = ""
    launched_at: float = 0.0
    tags: Tags = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The Name tag, or the id where there is none."""
        return self.tags.get("Name") or self.id


@dataclass(frozen=True)
class MaintenanceEvent:
    """Something AWS has announced. `deadline` is until when its start may be moved; 0 where it may not."""

    id: str
    code: str
    description: str
    not_before: float
    not_after: float = 0.0
    deadline: float = 0.0

    @property
    def is_live(self) -> bool:
        """Finished and cancelled events stay listed for days; only their text tells."""
        return not self.description.lower().startswith(("[completed]", "[canceled]"))


@dataclass(frozen=True)
class InstanceStatus:
    """The cloud's own checks: "ok", "initializing", "impaired", "insufficient-data" or "not-applicable"."""

    instance_id: str
    state: str
    instance_check: str
    system_check: str
    events: tuple[MaintenanceEvent, ...] = ()

    @property
    def is_ok(self) -> bool:
        """Running, and both checks passed. "running" alone says nothing of the service."""
        return self.state == "running" and self.instance_check == "ok" and self.system_check == "ok"


@dataclass(frozen=True)
class Volume:
    """An EBS volume. It lives in one zone."""

    id: str
    zone: str
    size_gib: int
    type: str = "gp3"
    is_encrypted: bool = False
    attached_to: tuple[str, ...] = ()
    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True)
class Snapshot:
    """A snapshot of a volume of that size; its point in time is fixed as soon as it exists, even pending."""

    id: str
    volume_id: str
    state: str
    progress_percent: int = 0
    tags: Tags = field(default_factory=dict)
    started_at: float = 0.0
    """Its point in time, in seconds since the epoch."""
    size_gib: int = 0


@dataclass(frozen=True)
class Image:
    """An AMI. `state` is pending, available, failed, deregistered or another of AWS's words."""

    id: str
    name: str
    state: str
    state_reason: str = ""
    snapshot_ids: tuple[str, ...] = ()
    tags: Tags = field(default_factory=dict)

    @property
    def is_lost(self) -> bool:
        """Whether it can no longer become available."""
        return self.state in ("failed", "error", "invalid", "deregistered")


@dataclass(frozen=True)
class LaunchRequest:
    """Everything that decides what the new instance is.

    `token` makes a repeat of the same request return the same instance (AWS: at most 64 ASCII
    characters); other parameters need another token. `volume_tags` are put on its volumes, `tags` where
    there are none. `user_data` is its first-boot script; `user_data_of` names an instance whose own is
    taken instead, and which is read only when it is launched: it may hold secrets.
    """

    token: str
    image_id: str
    type: str
    subnet_id: str
    security_groups: tuple[str, ...] = ()
    profile_arn: str = ""
    key_name: str = ""
    placement_group: str = ""
    tenancy: str = ""
    tags: Tags = field(default_factory=dict)
    volume_tags: Tags = field(default_factory=dict)
    user_data: str = ""
    user_data_of: str = ""
    traits: Traits = field(default_factory=Traits)


@dataclass(frozen=True)
class HealthCheck:
    """How a balancer asks whether a target works. Times in seconds.

    `path` is empty for a check that only connects; `port` is 0 where the port that serves is asked.
    """

    path: str = "/"
    interval_seconds: int = 5
    timeout_seconds: int = 2
    healthy_threshold: int = 2
    unhealthy_threshold: int = 2
    matcher: str = "200"
    protocol: str = "HTTP"
    port: int = 0

    def accepts(self, status: int) -> bool:
        """Whether a page's status passes, by a matcher such as "200,202" or "200-299"."""
        ranges = (part.strip().partition("-") for part in self.matcher.split(",") if part.strip())
        return any(int(first) <= status <= int(last or first) for first, _, last in ranges)

    @property
    def detection_seconds(self) -> int:
        """The longest time a dead target stays in service."""
        return self.interval_seconds * self.unhealthy_threshold + self.timeout_seconds


@dataclass(frozen=True)
class TargetGroupRequest:
    """A target group to make: its name, unique; what `protocol` its members speak; how long visitors stay."""

    name: str
    vpc_id: str
    port: int
    health_check: HealthCheck
    deregistration_delay_seconds: int = 30
    tags: Tags = field(default_factory=dict)
    protocol: str = "HTTP"
    sticky_seconds: int = 0

    def __post_init__(self) -> None:
        # As it will be read back: a group that is there already is compared with its request.
        check = replace(self.health_check, protocol=self.protocol)
        object.__setattr__(self, "health_check", check)


@dataclass(frozen=True)
class TargetGroup:
    """A target group as it stands."""

    arn: str
    name: str
    port: int
    target_type: str
    health_check: HealthCheck
    balancer_arns: tuple[str, ...] = ()
    deregistration_delay_seconds: int | None = None
    tags: Tags = field(default_factory=dict)
    vpc_id: str = ""
    protocol: str = "HTTP"

    def target_id(self, instance: Instance) -> str:
        """Return what the group knows an instance by: its id, or its address in a group of addresses."""
        return instance.private_ip if self.target_type == "ip" else instance.id


def classic_name(arn: str) -> str:
    """Return the name of the classic balancer that an ARN is of; empty for everything else.

    A classic balancer has its members itself: it is told as the target group that it is.
    """
    kind, _, name = arn.rpartition(":")[2].partition("/")
    return name if kind == "loadbalancer" and "/" not in name else ""


@dataclass(frozen=True)
class Target:
    """A member of a target group. `state` is AWS's word; `reason` says why it is not healthy.

    `instance_id` is an address in a group of addresses.
    """

    instance_id: str
    port: int
    state: str
    reason: str = ""
    description: str = ""

    @property
    def is_healthy(self) -> bool:
        """Whether the balancer sends it traffic because it passed its checks."""
        return self.state == "healthy"


@dataclass(frozen=True)
class Seat:
    """A place in a target group: a port of the instance it belongs to.

    `target_id` is what the group knows that instance by.
    """

    group_arn: str
    group_name: str
    port: int
    target_id: str


@dataclass(frozen=True)
class LoadBalancerRequest:
    """An application load balancer to make; its name is its identity (AWS: at most 32 characters)."""

    name: str
    subnet_ids: tuple[str, ...]
    security_groups: tuple[str, ...] = ()
    is_internal: bool = False
    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True)
class LoadBalancer:
    """A load balancer as it stands. `state` is provisioning, active, active_impaired or failed.

    `zone_id` is the hosted zone that an alias to it names (AWS: CanonicalHostedZoneId).
    """

    arn: str
    name: str
    dns_name: str
    type: str
    state: str
    vpc_id: str
    zones: tuple[str, ...]
    is_cross_zone: bool = True
    zone_id: str = ""
    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True)
class Listener:
    """A port of a balancer and the groups it forwards to: pairs of (target group ARN, weight).

    `redirects_to` is a protocol and a port, "https:443", where it sends clients there instead.
    """

    arn: str
    balancer_arn: str
    port: int
    protocol: str
    forwards_to: tuple[tuple[str, int], ...] = ()
    redirects_to: str = ""


@dataclass(frozen=True)
class SecurityGroupRequest:
    """A security group to make; its name is its identity within the VPC."""

    name: str
    description: str
    vpc_id: str
    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True)
class SecurityGroup:
    """A security group as it stands."""

    id: str
    name: str
    vpc_id: str
    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True)
class PlacementGroup:
    """A placement group as it stands; its name is its identity."""

    name: str
    strategy: str
    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True)
class IngressRule:
    """Who may connect to a port: a CIDR block, or the members of another security group."""

    port: int
    cidr: str = ""
    from_group: str = ""
