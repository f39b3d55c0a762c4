"""What a description tells beside its items: zones, whose account it is, and what is only looked up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nospof.adapters.iac.terraform.desk import Desk, Draft
from nospof.adapters.iac.terraform.resources import Resource
from nospof.adapters.iac.terraform.uses import texts_in
from nospof.model.estate import Item
from nospof.model.kinds import KINDS

STANDS_IN = {
    "instance": ("SubnetId", "Placement.AvailabilityZone"),
    "mount target": ("SubnetId", "AvailabilityZoneName"),
}
"""Kinds that tell the zone of the subnet they stand in."""


def zones_of(resources: Iterable[Resource], call: str) -> Iterator[Item]:
    """Yield the zones that data sources tell of, each once."""
    seen: set[str] = set()
    for one in resources:
        if one.type != "aws_availability_zones" or not one.is_data:
            continue
        names, ids = (one.values.get(name) for name in ("names", "zone_ids"))
        known = ids if isinstance(ids, list) else []
        for number, name in enumerate(names if isinstance(names, list) else ()):
            if isinstance(name, str) and name and name not in seen:
                seen.add(name)
                zone_id = known[number] if number < len(known) and isinstance(known[number], str) else None
                fields = {"ZoneName": name, "ZoneId": zone_id, "State": "available"}
                yield Item(KINDS["zone"], name, fields, call)


def subnets_of(desk: Desk, call: str) -> Iterator[Item]:
    """Yield the subnets that are managed elsewhere and whose zone something within them tells."""
    zones: dict[str, str] = {}
    for draft in desk.drafts:
        if draft.kind in STANDS_IN:
            subnet, zone = (leaf(draft.fields, path) for path in STANDS_IN[draft.kind])
            if isinstance(subnet, str) and isinstance(zone, str) and desk.find("subnet", subnet) is None:
                zones.setdefault(subnet, zone)
    for subnet, zone in zones.items():
        yield Item(KINDS["subnet"], subnet, {"SubnetId": subnet, "AvailabilityZone": zone}, call)


def leaf(fields: Mapping[str, Any], path: str) -> Any:
    """Return what stands at a dotted path of a record, or None."""
    value: Any = fields
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def without_idle(drafts: Iterable[Draft]) -> list[Draft]:
    """Return the drafts without looked-up ones that nothing managed here belongs to.

    A balancer that was looked up for its name alone is no service of this description. A listener
    that was looked up for a rule leads on to its balancer.
    """
    kept = [one for one in drafts if not one.resource.is_data or one.kind == "subnet"]
    waiting = [one for one in drafts if one.resource.is_data and one.kind != "subnet"]
    named = {text for one in kept if not one.resource.is_data for text in texts_in(one.fields)}
    while found := [one for one in waiting if one.id in named]:
        kept += found
        waiting = [one for one in waiting if one not in found]
        named = {text for one in found for text in texts_in(one.fields)}
    return kept


def from_arns(resources: Iterable[Resource], place: int) -> str:
    """Return a part of the first ARN that has it: 3 is the region, 4 the account."""
    for one in resources:
        parts = str(one.values.get("arn")).split(":") if not one.is_data else []
        if len(parts) > place and parts[0] == "arn" and parts[place]:
            return parts[place]
    return ""
