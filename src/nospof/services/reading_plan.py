"""Which calls can be left out, and what is taken for true instead.

Elastic Load Balancing is what an audit waits for: an account has 40 calls at once and ten a second
after that (its user guide, "Request throttling"), and describes listeners and health one balancer
and one group at a time. So an account with few of them is asked for everything, and a large one
only for what nothing else tells. What matters only where something names it is listed only then.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from nospof.model.estate import Estate, Item
from nospof.model.kinds.kind import rows_in

FEW = 20
"""Up to so many parents all are asked for: ten seconds at the very worst."""


def is_wanted(kind: str, estate: Estate, parent: Item) -> bool:
    """Whether the call of a kind is made for a parent; the estate holds all kinds that come earlier."""
    rule = WANTED.get(kind)
    return rule is None or rule(estate, parent)


def has_attributes_that_matter(_estate: Estate, balancer: Item) -> bool:
    """Whether traffic may stay in its zone: an application balancer's never does, unless a group says so."""
    return balancer.text("Type") != "application"


def has_ways_to_read(estate: Estate, balancer: Item) -> bool:
    """Whether its listeners say more than its groups do.

    A balancer with exactly one group sends there whatever its listeners are.
    """
    if len(estate.of("load balancer")) <= FEW or estate.is_unread("target group"):
        return True
    return len(estate.where("target group", "LoadBalancerArns", *balancer.keys)) != 1


def has_rules(estate: Estate, listener: Item) -> bool:
    """Whether a listener can have rules: those of application balancers only."""
    balancer = estate.find("load balancer", listener.text("LoadBalancerArn"))
    return balancer is None or balancer.text("Type", "application") == "application"


def has_health_to_read(estate: Estate, group: Item) -> bool:
    """Whether a group is in use, and no Auto Scaling group tells the health of its members."""
    if not group.texts("LoadBalancerArns"):
        return False
    return len(estate.of("target group")) <= FEW or answering_group(estate, group) is None


def answering_group(estate: Estate, group: Item) -> Item | None:
    """Return the one Auto Scaling group that checks a group's members, when all of them are well.

    With health checks of the type ELB it holds the balancer's own view. While a member is not well
    the group itself is asked, which says why.
    """
    listed = estate.where("auto scaling group", "TargetGroupARNs", *group.keys)
    sources = estate.where("auto scaling group", "TrafficSources.Identifier", *group.keys)
    found = {one.id: one for one in (*listed, *sources)}
    if len(found) != 1:
        return None
    (only,) = found.values()
    members = only.rows("Instances")
    is_well = members and all(
        (one.text("LifecycleState"), one.text("HealthStatus").lower()) == ("InService", "healthy")
        for one in members
    )
    return only if is_well and "ELB" in only.text("HealthCheckType").split(",") else None


def answered_groups(estate: Estate) -> frozenset[str]:
    """Return the ids of the groups in use whose health is not asked for."""
    groups = (one for one in estate.of("target group") if one.texts("LoadBalancerArns"))
    return frozenset(one.id for one in groups if not has_health_to_read(estate, one))


def is_in_use(_estate: Estate, certificate: Item) -> bool:
    """Whether anything uses a certificate; what nothing uses can expire."""
    return certificate.flag("InUse", None) is not False


KEY_PATHS = {
    **dict.fromkeys(
        (
            "volume",
            "database",
            "database cluster",
            "warehouse",
            "cache",
            "memory database",
            "file system",
            "FSx file system",
            "secret",
        ),
        "KmsKeyId",
    ),
    "search domain": "EncryptionAtRestOptions.KmsKeyId",
}
"""By kind: where it names the key it is encrypted with; a key that none of them names is not read."""


def is_named_key(estate: Estate, key: Item) -> bool:
    """Whether anything that was read is encrypted with a key."""
    return any(estate.where(kind, path, *key.keys) for kind, path in KEY_PATHS.items())


ASKING = ("HTTP", "HTTPS", "HTTP_STR_MATCH", "HTTPS_STR_MATCH", "TCP")
"""Types of health checks that ask somebody; the others are worked out, and have no status of their own."""


def decides_an_answer(estate: Estate, check: Item) -> bool:
    """Whether a record is left out of answers when a check fails; Route 53 takes five calls a second."""
    return (
        len(estate.of("health check")) <= FEW
        and check.text("HealthCheckConfig.Type") in ASKING
        and check.flag("HealthCheckConfig.Disabled") is not True
        and bool(estate.where("record set", "HealthCheckId", check.id))
    )


DISKLESS = re.compile(r"(?:a1|t\d+[a-z]*|[cmr](?:[4-9]|\d\d)[a-ce-z]*(?:-flex)?)\.")
"""Types whose name says that they have no local disks: of their families those with a "d" have them
(EC2 instance types guide, "Naming conventions")."""


def may_have_local_disks(_estate: Estate, instance: Item) -> bool:
    """Whether a machine's type can have disks that a stop empties."""
    name = instance.text("InstanceType")
    return bool(name) and DISKLESS.match(name) is None


WANTED: dict[str, Callable[[Estate, Item], bool]] = {
    "load balancer attribute": has_attributes_that_matter,
    "listener": has_ways_to_read,
    "listener rule": has_rules,
    "target": has_health_to_read,
    "certificate": is_in_use,
    "edge certificate": is_in_use,
    "key": is_named_key,
    "instance type": may_have_local_disks,
    "health check status": decides_an_answer,
}
"""By kind: for which parents its call is made. What is not here is asked for every parent."""


def assumptions(estate: Estate) -> tuple[str, ...]:
    """Return what was taken for true where a call was left out, in sentences."""
    found = []
    balancers = estate.of("load balancer")
    if len(balancers) > FEW and any(not has_ways_to_read(estate, one) for one in balancers):
        found.append("a balancer with one target group sends there, whatever its listeners are (not read)")
    if answered_groups(estate):
        found.append(
            "a target group that an Auto Scaling group fills and checks has no other targets (not read)"
        )
    if len(estate.of("health check")) > FEW:
        found.append("what the health checks of names see now is not read: there are too many of them")
    return tuple(found)


# What is listed only where something names it -------------------------------------------------------------


@dataclass(frozen=True)
class Mention:
    """A field of a kind that names something of another; with no path, any item of the kind is enough.

    Args:
        kind: whose field it is.
        path: the field, through lists too.
        besides: values that begin so name something else.
        only: values that begin otherwise name something else; empty for all.
    """

    kind: str
    path: str = ""
    besides: tuple[str, ...] = ()
    only: tuple[str, ...] = ("",)


ROUTED_LINES = (
    Mention("route table", "Routes.GatewayId", ("igw-", "vpce-", "local")),
    Mention("route table", "Routes.TransitGatewayId"),
)
DATABASES = (Mention("database"), Mention("database cluster"))
MENTIONS: dict[str, tuple[Mention, ...]] = {
    "placement group": (Mention("instance", "Placement.GroupName"),),
    "dedicated host": (Mention("instance", "Placement.HostId"),),
    "rack position": (Mention("instance", "InstanceType", only=("g", "hpc", "p", "trn")),),
    "spot request": (Mention("instance", "InstanceLifecycle", only=("spot",)),),
    "volume status": (Mention("instance status", "AttachedEbsStatus.Status", only=("impaired",)),),
    "capacity reservation": (
        Mention(
            "launch template version",
            "LaunchTemplateData.CapacityReservationSpecification.CapacityReservationTarget"
            ".CapacityReservationId",
        ),
    ),
    "launch configuration": (Mention("auto scaling group", "LaunchConfigurationName"),),
    "health check": (Mention("hosted zone"),),
    "listed edge certificate": (
        Mention("distribution", "ViewerCertificate.ACMCertificateArn"),
        Mention("API domain", "DomainNameConfigurations.CertificateArn"),
    ),
    "NAT gateway": (Mention("route table", "Routes.NatGatewayId"),),
    "internet gateway": (Mention("route table", "Routes.GatewayId", ("vpce-", "local")),),
    "peering connection": (Mention("route table", "Routes.VpcPeeringConnectionId"),),
    "transit gateway attachment": (Mention("route table", "Routes.TransitGatewayId"),),
    "VPN connection": ROUTED_LINES,
    "direct connection": ROUTED_LINES,
    "virtual interface": ROUTED_LINES,
    "listed firewall": (
        Mention("route table", "Routes.GatewayId", ("igw-", "local")),
        Mention("route table", "Routes.TransitGatewayId"),
    ),
    "database proxy": DATABASES,
    "event source mapping": (Mention("broker"), Mention("Kafka cluster")),
    "pending maintenance": DATABASES,
    "listed key": tuple(Mention(kind, path) for kind, path in KEY_PATHS.items()),
}
"""By kind: what names it. Where nothing does, it changes no verdict and is not listed."""


def is_mentioned(kind: str, estate: Estate) -> bool:
    """Whether a kind is listed at all: what could name it was not read whole, or does name it."""
    mentions = MENTIONS.get(kind)
    if mentions is None or estate.is_unread(*(one.kind for one in mentions)):
        return True
    return any(mentions_any(one, estate) for one in mentions)


def mentions_any(mention: Mention, estate: Estate) -> bool:
    """Whether any item names something there, or is there at all where no path is given."""
    if not mention.path:
        return bool(estate.of(mention.kind))
    names = {str(value) for value in values_of(mention, estate) if value}
    return any(one.startswith(mention.only) and not one.startswith(mention.besides) for one in names)


def values_of(mention: Mention, estate: Estate) -> list[object]:
    """Return what stands in the field of all items."""
    return rows_in([item.fields for item in estate.of(mention.kind)], mention.path)


# Images of others -----------------------------------------------------------------------------------------

IMAGE_NAMES = (
    Mention("instance", "ImageId"),
    Mention("launch template version", "LaunchTemplateData.ImageId"),
    Mention("launch configuration", "ImageId"),
)


def unlisted_images(estate: Estate) -> list[str]:
    """Return the ids of images that something is launched from and that are not among those listed, in order.

    A template may name a parameter that holds the id ("resolve:ssm:..."): nobody knows it here.
    """
    ids = {str(value) for one in IMAGE_NAMES for value in values_of(one, estate)}
    return sorted(one for one in ids if one.startswith("ami-") and estate.find("image", one) is None)
