"""What a picture of a service shows, before anybody draws it: boxes in tiers and zones, and links.

Beyond a number of boxes, those that say the same are drawn as one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from nospof.model.findings import Part, ServiceReport, counted
from nospof.render.audit_drawing import tiers_of

MOST_BOXES = 60


@dataclass(frozen=True)
class Drawing:
    """A service as a picture shows it: zones side by side, tiers downwards, links by the boxes' ids.

    A box is one part, or several that say the same.
    """

    zones: tuple[Part, ...]
    tiers: tuple[str, ...]
    boxes: tuple[Part, ...]
    links: tuple[tuple[str, str], ...]

    def boxes_in(self, tier: str, zone: str) -> tuple[Part, ...]:
        """Return the boxes of a tier in a zone, the single points first."""
        mine = [one for one in self.boxes if one.tier == tier and one.zone == zone]
        return tuple(sorted(mine, key=lambda one: (not one.is_single_point, not one.state)))

    @property
    def roots(self) -> tuple[Part, ...]:
        """The boxes that clients meet: those of the first tier that no other box needs."""
        needed = {key for _, key in self.links}
        first = [one for one in self.boxes if one.tier == self.tiers[0]] if self.tiers else []
        return tuple([one for one in first if one.id not in needed] or first)


def drawing_of(service: ServiceReport) -> Drawing:
    """Return what a picture of a service shows."""
    parts = with_ids([one for one in service.parts if one.tier != "zone"])
    boxes, drawn_as = (
        collapsed(parts) if len(parts) > MOST_BOXES else (parts, {one.id: one.id for one in parts})
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


def with_ids(parts: list[Part]) -> tuple[Part, ...]:
    """Return the parts, each with an id of its own: the one it has, where nobody had that before."""
    found: dict[str, Part] = {}
    for part in parts:
        wanted = key = part.id or f"{part.tier}/{part.zone}/{part.name}"
        number = 1
        while key in found:
            number += 1
            key = f"{wanted}#{number}"
        found[key] = replace(part, id=key)
    return tuple(found.values())


def collapsed(parts: tuple[Part, ...]) -> tuple[tuple[Part, ...], dict[str, str]]:
    """Return one box for parts that say the same, and by which id each part is drawn."""
    classes: dict[tuple[str, str, str, bool], list[Part]] = {}
    for one in parts:
        classes.setdefault((one.tier, one.zone, one.state, one.is_single_point), []).append(one)
    boxes: list[Part] = []
    drawn_as: dict[str, str] = {}
    for first, *others in classes.values():
        boxes.append(replace(first, name=counted(1 + len(others), first.tier)) if others else first)
        drawn_as |= {one.id: first.id for one in (first, *others)}
    return tuple(boxes), drawn_as
