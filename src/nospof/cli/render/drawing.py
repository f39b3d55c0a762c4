"""What a picture of a service shows, before anybody draws it: boxes in tiers and zones, and links.

Beyond a number of boxes, those that say the same are drawn as one.
"""

from __future__ import annotations

from dataclasses import dataclass

from nospof.cli.audit_drawing import tiers_of
from nospof.model.findings import Part, ServiceReport, counted

MOST_BOXES = 60


@dataclass(frozen=True)
class Box:
    """One part, or several that say the same. `zone` is empty for what spans the region."""

    key: str
    tier: str
    zone: str
    name: str
    state: str = ""
    is_single_point: bool = False

    @property
    def says(self) -> str:
        """The name with its mark and what is wrong."""
        state = f" [{self.state}]" if self.state else ""
        return f"{'✗ ' if self.is_single_point else ''}{self.name}{state}"


@dataclass(frozen=True)
class Drawing:
    """A service as a picture shows it: zones side by side, tiers downwards, links by the boxes' keys."""

    zones: tuple[Part, ...]
    tiers: tuple[str, ...]
    boxes: tuple[Box, ...]
    links: tuple[tuple[str, str], ...]

    def boxes_in(self, tier: str, zone: str) -> tuple[Box, ...]:
        """Return the boxes of a tier in a zone, the single points first."""
        mine = [one for one in self.boxes if one.tier == tier and one.zone == zone]
        return tuple(sorted(mine, key=lambda one: (not one.is_single_point, not one.state)))

    @property
    def roots(self) -> tuple[Box, ...]:
        """The boxes that clients meet: those of the first tier that no other box needs."""
        needed = {key for _, key in self.links}
        first = [one for one in self.boxes if one.tier == self.tiers[0]] if self.tiers else []
        return tuple([one for one in first if one.key not in needed] or first)


def drawing_of(service: ServiceReport) -> Drawing:
    """Return what a picture of a service shows."""
    parts = [one for one in service.parts if one.tier != "zone"]
    keyed = with_keys(parts)
    boxes, drawn_as = (
        collapsed(keyed) if len(parts) > MOST_BOXES else (boxes_of(keyed), {key: key for key, _ in keyed})
    )
    links = {
        (drawn_as[user], drawn_as[used])
        for user, used in service.links
        if user in drawn_as and used in drawn_as and drawn_as[user] != drawn_as[used]
    }
    zones = [one for one in service.parts if one.tier == "zone"]
    known = {one.zone for one in zones}
    more = sorted({one.zone for one in parts if one.zone} - known)
    return Drawing(
        zones=(*zones, *(Part("zone", name, name) for name in more)),
        tiers=tiers_of(service.parts),
        boxes=boxes,
        links=tuple(sorted(links)),
    )


def with_keys(parts: list[Part]) -> list[tuple[str, Part]]:
    """Return each part with a key of its own: its id where it has one that nobody had before."""
    found: dict[str, Part] = {}
    for part in parts:
        wanted = key = part.id or f"{part.tier}/{part.zone}/{part.name}"
        number = 1
        while key in found:
            number += 1
            key = f"{wanted}#{number}"
        found[key] = part
    return list(found.items())


def boxes_of(keyed: list[tuple[str, Part]]) -> tuple[Box, ...]:
    """Return a box for each part."""
    return tuple(Box(key, one.tier, one.zone, one.name, one.state, one.is_single_point) for key, one in keyed)


def collapsed(keyed: list[tuple[str, Part]]) -> tuple[tuple[Box, ...], dict[str, str]]:
    """Return boxes for parts that say the same, and by which key each part is drawn."""
    classes: dict[tuple[str, str, str, bool], list[tuple[str, Part]]] = {}
    for key, one in keyed:
        classes.setdefault((one.tier, one.zone, one.state, one.is_single_point), []).append((key, one))
    boxes: list[Box] = []
    drawn_as: dict[str, str] = {}
    for (tier, zone, state, is_point), members in classes.items():
        first, part = members[0]
        name = part.name if len(members) == 1 else counted(len(members), tier)
        boxes.append(Box(first, tier, zone, name, state, is_point))
        drawn_as |= {key: first for key, _ in members}
    return tuple(boxes), drawn_as
