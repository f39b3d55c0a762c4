"""How well a service comes back: findings that are no cuts, from groups, subnets, addresses, snapshots."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import cast

from nospof.audit.builder import Service
from nospof.audit.parts.machines import HEALING
from nospof.audit.parts.recovery import pinned_zones, template_of, version_of
from nospof.model.cloud import TAG_STATE
from nospof.model.estate import Estate, Item
from nospof.model.findings import Finding

FREE_FOR_BALANCER = 8
"""A balancer needs so many free addresses in each of its subnets to grow (ELB user guide)."""
STALE_SECONDS = 7 * 86_400
"""A snapshot older than a week is worth a word where nobody said how much may be lost."""


def recovery_checks(_estate: Estate, service: Service) -> list[Finding]:
    """Return the findings about replacing what fails that are no cuts.

    What is asked for here belongs to what the service rests on, so the service's own estate is asked:
    it remembers, and a remedy is tried with it.
    """
    checks = _Checks(cast(Estate, service.watched), service)
    found = [finding for group in checks.groups() for finding in checks.about_group(group)]
    found += checks.full_balancer_subnets()
    found += checks.changing_addresses()
    found += checks.missing_snapshots()
    return found


def groups_of(estate: Estate, service: Service) -> list[Item]:
    """Return the Auto Scaling groups of a service, in order."""
    found: dict[str, Item] = {}
    for item in service.item_of.values():
        if item.kind.name == "auto scaling group":
            found[item.id] = item
        elif item.kind.name == "instance":
            for group in estate.where("auto scaling group", "Instances.InstanceId", item.id):
                found[group.id] = group
    return [found[key] for key in sorted(found)]


def zones_of(estate: Estate, group: Item) -> set[str]:
    """Return the zones that a group may launch in."""
    zones = set(group.texts("AvailabilityZones"))
    for item in subnets_of(estate, group):
        zones.add(item.text("AvailabilityZone"))
    return zones - {""}


def subnets_of(estate: Estate, group: Item) -> list[Item]:
    """Return the subnets that a group may launch in, as far as they were read."""
    listed = [one.strip() for one in group.text("VPCZoneIdentifier").split(",")]
    return [found for one in listed if one and (found := estate.find("subnet", one))]


def template_version(estate: Estate, group: Item) -> Item | None:
    """Return the launch template version that a group uses."""
    key, version = template_of(group)
    template = estate.find("launch template", key) if key else None
    return version_of(estate, template, version) if template else None


@dataclass(frozen=True)
class _Checks:
    estate: Estate
    service: Service

    def groups(self) -> list[Item]:
        return groups_of(self.estate, self.service)

    def finding(self, rule: str, event: str, title: str, item: Item, *paths: str) -> Finding:
        return Finding(
            rule=rule,
            service=self.service.entry.service,
            title=title,
            event=event,
            severity="low",
            members=(item.id,),
            view="recovery",
            facts=item.facts(*paths),
            location=item.location,
        )

    def about_group(self, group: Item) -> Iterator[Finding]:
        suspended = sorted({one.text("ProcessName") for one in group.rows("SuspendedProcesses")})
        if off := [one for one in suspended if one in HEALING]:
            title = f"Auto Scaling group {group.id} replaces nothing: {', '.join(off)} is suspended"
            found = self.finding("NSP508", f"suspended:{group.id}", title, group, "SuspendedProcesses")
            yield replace(found, severity="medium")
        behind = group.texts("TargetGroupARNs") or group.texts("LoadBalancerNames")
        if (behind or group.rows("TrafficSources")) and group.text("HealthCheckType", "EC2") == "EC2":
            title = (
                f"Auto Scaling group {group.id} asks EC2 alone for health: a member whose web server "
                "died is never replaced"
            )
            found = self.finding("NSP404", f"health:{group.id}", title, group, "HealthCheckType")
            is_told = not group.is_unknown("HealthCheckType")
            yield replace(found, view="failover", confidence="certain" if is_told else "possible")
        least, wanted = group.number("MinSize"), group.number("DesiredCapacity")
        if least is not None and wanted is not None and least < 2 <= wanted:
            title = (
                f"Auto Scaling group {group.id} keeps {wanted:.0f} members now and may go down to "
                f"{least:.0f}: its least number allows no spare"
            )
            found = self.finding("NSP801", f"least:{group.id}", title, group, "MinSize", "DesiredCapacity")
            yield replace(found, view="capacity")
        yield from self.conflict(group)
        yield from self.full_subnets(group)

    def conflict(self, group: Item) -> Iterator[Finding]:
        """A template that pins a place overrides, or contradicts, the zones of its group."""
        version, zones = template_version(self.estate, group), zones_of(self.estate, group)
        pinned = pinned_zones(self.estate, version) if version else ()
        outside = [one for one in pinned if one not in zones]
        if version is None or not pinned or not zones or (not outside and len(zones) == 1):
            return
        where = ", ".join(sorted(zones))
        says = (
            f"which group {group.id} does not use ({where})"
            if outside
            else f"although group {group.id} has {where}"
        )
        name = version.text("LaunchTemplateName") or version.label
        title = f"Launch template {name} fixes {', '.join(outside or pinned)}, {says}"
        paths = ("LaunchTemplateData.Placement.AvailabilityZone", "LaunchTemplateData.NetworkInterfaces")
        yield replace(
            self.finding("NSP502", f"template:{group.id}", title, version, *paths), severity="medium"
        )

    def full_subnets(self, group: Item) -> Iterator[Finding]:
        wanted = group.number("DesiredCapacity", group.number("MinSize", 1)) or 1
        subnets = subnets_of(self.estate, group)
        need = max(1, -(-int(wanted) // max(1, len({one.text("AvailabilityZone") for one in subnets}))))
        for item in subnets:
            free = item.number("AvailableIpAddressCount")
            if free is not None and free < need:
                title = (
                    f"Subnet {item.label} has {free:.0f} free addresses: group {group.id} could not replace "
                    f"its {need} there"
                )
                yield self.finding("NSP506", f"full:{item.id}", title, item, "AvailableIpAddressCount")

    def full_balancer_subnets(self) -> Iterator[Finding]:
        told: set[str] = set()
        for balancer in self.service.item_of.values():
            if balancer.kind.name != "load balancer" or balancer.text("Type", "application") != "application":
                continue
            for row in balancer.rows("AvailabilityZones"):
                item = self.estate.find("subnet", row.text("SubnetId"))
                free = item.number("AvailableIpAddressCount") if item else None
                if item is None or free is None or free >= FREE_FOR_BALANCER or item.id in told:
                    continue
                told.add(item.id)
                title = (
                    f"Subnet {item.label} has {free:.0f} free addresses: balancer {balancer.label} needs "
                    f"{FREE_FOR_BALANCER} there to grow or to be repaired"
                )
                yield self.finding("NSP506", f"room:{item.id}", title, item, "AvailableIpAddressCount")

    def changing_addresses(self) -> Iterator[Finding]:
        """A machine that clients reach by a public address which it loses when it stops."""
        if not self.estate.is_whole or self.estate.is_unread("address"):
            return
        entry = self.service.entry
        for item in self.service.item_of.values():
            public = item.text("PublicIpAddress") if item.kind.name == "instance" else ""
            is_entered = entry.kind == "instance" and item.id == entry.id
            if not public or not (is_entered or self.is_named(item)) or self.is_kept(item, public):
                continue
            who = f"{item.says[:1].upper()}{item.says[1:]}"
            title = f"{who} has no Elastic IP: after a stop it has another address than {public}"
            yield self.finding("NSP504", f"address:{item.id}", title, item, "PublicIpAddress")

    def is_named(self, item: Item) -> bool:
        """Whether a record leads to a machine by its passing address."""
        keys = (item.text("PublicIpAddress"), item.text("PublicDnsName"))
        spelled = [text for one in keys if one for text in (one, f"{one}.")]
        return bool(self.estate.where("record set", "ResourceRecords.Value", *spelled))

    def is_kept(self, item: Item, public: str) -> bool:
        """Whether an address stays when its machine stops."""
        if self.estate.find("address", public) or self.estate.where("address", "InstanceId", item.id):
            return True
        interfaces = [row.text("NetworkInterfaceId") for row in item.rows("NetworkInterfaces")]
        return bool(self.estate.where("address", "NetworkInterfaceId", *filter(None, interfaces)))

    def missing_snapshots(self) -> Iterator[Finding]:
        """The disks of a machine that holds all there is, without a copy or with an old one."""
        if not self.estate.is_whole or self.estate.is_unread("snapshot"):
            return
        states = {state.name for state in self.service.topology.states}
        for volume in self.service.topology.nodes:
            if volume.kind != "volume" or f"content of {volume.name}" not in states:
                continue
            item = self.service.item_of.get(volume.name)
            if item is None or item.tags.get(TAG_STATE) == "none":
                continue
            taken = [
                moment
                for one in self.estate.where("snapshot", "VolumeId", item.id)
                if one.text("State", "completed") != "error"
                and (moment := one.moment("StartTime")) is not None
            ]
            if not taken and not self.is_backed_up(item):
                title = (
                    f"There is no snapshot of {volume.says}, and nothing else was seen to have its content"
                )
                found = self.finding("NSP302", f"no snapshot:{item.id}", title, item, "State")
                yield replace(found, view="data", severity="high")
            elif taken and self.estate.read_at - max(taken) > STALE_SECONDS:
                days = int((self.estate.read_at - max(taken)) // 86_400)
                title = f"The newest snapshot of {volume.says} is {days} days old"
                found = self.finding("NSP303", f"old snapshot:{item.id}", title, item, "State")
                yield replace(found, view="data")

    def is_backed_up(self, volume: Item) -> bool:
        """Whether AWS Backup has a copy of a disk or of its machine, wherever it keeps that."""
        machines = [row.text("InstanceId") for row in volume.rows("Attachments")]
        endings = (f":volume/{volume.id}", *(f":instance/{one}" for one in machines if one))
        return any(one.id.endswith(endings) for one in self.estate.of("protected resource"))
