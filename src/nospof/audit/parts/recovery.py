"""What replaces a machine: its template and image, what starts it again, and the copies of its disks."""

from __future__ import annotations

from nospof.audit.builder import Builder
from nospof.audit.parts.inside import keeps_nothing
from nospof.audit.parts.routing import scaling_of
from nospof.audit.windows import day
from nospof.model.cloud import TAG_STATE
from nospof.model.estate import Estate, Item, Record
from nospof.model.topology import NEVER, UP, AllOf, Node, On, Requirement, names_in

RECOVER_ACTION = ":ec2:recover"
USABLE_IMAGE = ("available", "")
RESERVATION = (
    "LaunchTemplateData.CapacityReservationSpecification.CapacityReservationTarget.CapacityReservationId"
)
HELD = ("active", "pending", "scheduled", "assessing", "delayed", "payment-pending")
"""States of a reservation that is there or is to come; in any other nothing is launched into it."""


def replacements(b: Builder) -> None:
    """Let every member of a group need what a replacement would be made from."""
    for name in b.machines:
        scaling = scaling_of(b, name)
        if scaling is not None:
            b.also_needs(name, "recovery", made_from(b, scaling))


def made_from(b: Builder, scaling: Item) -> Requirement:
    """Return what a new member of a group needs: the template that is there, and its image."""
    if key := scaling.text("LaunchConfigurationName"):
        item = b.estate.find("launch configuration", key)
        if item is None:
            return b.need("launch configuration", key)
        return template_node(b, item, image(b, item.text("ImageId")))
    key, version = template_of(scaling)
    if not key:
        return UP
    template = b.estate.find("launch template", key)
    if template is None:
        return b.need("launch template", key)
    item = version_of(b.estate, template, version)
    if item is None:
        return b.unread(f"version {version or '$Default'} of launch template {template.label}")
    made = template_node(b, item, image(b, item.text("LaunchTemplateData.ImageId")))
    key = item.text(RESERVATION)
    return AllOf((made, reserved(b, key))) if key else made


def template_of(scaling: Item) -> tuple[str, str]:
    """Return the key and the version of the launch template that a group uses; empty without one."""
    mixed = "MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification"
    key = scaling.text("LaunchTemplate.LaunchTemplateId") or scaling.text("LaunchTemplate.LaunchTemplateName")
    if key:
        return key, scaling.text("LaunchTemplate.Version")
    return scaling.text(f"{mixed}.LaunchTemplateId"), scaling.text(f"{mixed}.Version")


def version_of(estate: Estate, template: Item, version: str) -> Item | None:
    """Return the version of a template that a group asks for; without a word that is the default one."""
    if version in ("", "$Default"):
        version = template.text("DefaultVersionNumber")
    elif version == "$Latest":
        version = template.text("LatestVersionNumber")
    versions = estate.where("launch template version", "LaunchTemplateId", *template.keys)
    exact = [one for one in versions if version and one.text("VersionNumber") == version]
    if exact:
        return exact[0]
    # A description has one version, and no number yet.
    return versions[0] if len(versions) == 1 and not versions[0].text("VersionNumber") else None


def template_node(b: Builder, item: Item, needs: Requirement) -> On:
    """Add what a new member is launched from."""
    template = item.text("LaunchTemplateName") if item.kind.name == "launch template version" else ""
    label = f"launch template {template or item.label}" if template else f"{item.kind.name} {item.label}"
    path = "LaunchTemplateData.ImageId" if template else "ImageId"
    if item.kind.name == "launch template version":
        path = "LaunchTemplateData.ImageId"
    node = Node(b.name(item), needs, kind="template", label=label)
    return b.add(node, item=item, facts=item.facts(path))


def image(b: Builder, key: str) -> Requirement:
    """Return the need of an image; one that is not usable any more can never be up."""
    if not key or key.startswith("resolve:"):
        return UP
    item = b.estate.find("image", key)
    if item is None:
        if not b.estate.is_whole:
            b.assume("images that templates name exist; a description does not hold them")
            return UP
        return b.unread(f"image {key}")
    name = b.name(item)
    label = f"image {item.label}"
    state = item.text("State")
    is_allowed = item.flag("ImageAllowed", True) is not False
    if state in USABLE_IMAGE and is_allowed:
        return b.add(Node(name, kind="image", label=label), item=item, facts=item.facts("State"))
    b.is_off(name, state if state not in USABLE_IMAGE else "not allowed in this account")
    facts = item.facts("State", "ImageAllowed")
    return b.add(Node(name, NEVER, kind="image", label=label), item=item, facts=facts)


def reserved(b: Builder, key: str) -> Requirement:
    """Return the need of a capacity reservation that a template names: launches go there or fail."""
    item = b.estate.find("capacity reservation", key)
    if item is None:
        return b.unread(f"capacity reservation {key}")
    name, state = b.name(item), item.text("State", "active")
    ends = item.moment("EndDate") if item.text("EndDateType") == "limited" else None
    faults: tuple[str, ...] = ()
    if ends is not None:
        faults = (b.event(name, "reservation", f"the end of {item.says} on {day(ends)}", ends),)
    is_lost = state not in HELD
    if is_lost:
        b.is_off(name, state)
    node = Node(name, NEVER if is_lost else UP, faults, kind="reservation", label=item.says)
    return b.add(node, item=item, facts=item.facts("State", "EndDate"))


# Machines that nothing replaces ---------------------------------------------------------------------------


def pets(b: Builder) -> None:
    """Note what a machine without a group has on its disks, and what starts it again.

    One machine alone holds all that its service keeps, unless somebody says that it keeps nothing.
    Of several nobody knows which holds what.
    """
    lone = [name for name in b.machines if is_pet(b, name)]
    for name in lone:
        if says := recovers(b.estate, b.service.item_of[name]):
            b.heals(name, says)
    if len(b.machines) != 1 or not lone:
        return
    item = b.service.item_of[lone[0]]
    if item.tags.get(TAG_STATE) == "none" or keeps_nothing(b.estate, item.id):
        return
    disks = [one for one in names_in(b.nodes[lone[0]].requirement) if b.nodes[one].kind == "volume"]
    # Where there is no volume, or none that was told of, what it keeps goes with the machine.
    for kept in disks or lone:
        b.state(f"content of {kept}", On(kept), certain=False)


def is_pet(b: Builder, name: str) -> bool:
    """Whether a machine is an instance that belongs to no group."""
    item = b.service.item_of.get(name)
    return item is not None and item.kind.name == "instance" and scaling_of(b, name) is None


def recovers(estate: Estate, item: Item) -> str:
    """Return what moves an instance to another host when its own fails, or an empty string.

    No alarm moves one off a dedicated host, which has a recovery of its own.
    """
    if item.text("Placement.HostId"):
        return ""
    for alarm in estate.where("alarm", "Dimensions.Value", item.id):
        is_on = alarm.flag("ActionsEnabled", True) is not False
        if is_on and any(action.endswith(RECOVER_ACTION) for action in alarm.texts("AlarmActions")):
            return f"alarm {alarm.id} recovers it, in its zone, when its host fails"
    return ""


# What a template pins -------------------------------------------------------------------------------------


def pinned_zones(estate: Estate, item: Item) -> tuple[str, ...]:
    """Return the zones that a template version fixes for whatever is launched from it."""
    zone = item.text("LaunchTemplateData.Placement.AvailabilityZone")
    rows: tuple[Record, ...] = item.rows("LaunchTemplateData.NetworkInterfaces")
    subnets = [row.text("SubnetId") for row in rows if row.text("SubnetId")]
    known = [estate.find("subnet", one) for one in subnets]
    known.append(estate.find("capacity reservation", item.text(RESERVATION)))
    zones = [zone, *(one.text("AvailabilityZone") for one in known if one)]
    return tuple(dict.fromkeys(one for one in zones if one))
