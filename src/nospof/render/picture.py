"""A picture of a service as SVG: tiers downwards, zones side by side, single points red.

No layout has to be searched for: the domain gives the grid. The same service, the same bytes. Colours are
classes, which the page's style sheet knows in light and in dark.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from nospof.model.findings import Part, ServiceReport
from nospof.render.audit_drawing import label
from nospof.render.drawing import Drawing, drawing_of

GUTTER, COLUMN, LEAST_WIDTH = 92, 216, 500
PAD, GAP, TIER_GAP = 14, 12, 36
CLIENTS, BANDS, FIRST = 6, 46, 98
"""Where the clients, the zones' bands and the first tier begin, from the top."""
LANE = 9
"""How far from a box a line passes it by."""
LINE, LETTER = 15, 7.0
"""The height of a line and the width of a letter at the size of the text, on the safe side."""
SPANS_A_LINE = 3


@dataclass(frozen=True)
class Placed:
    """A box with its place."""

    box: Part
    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        """The middle from left to right."""
        return self.x + self.width / 2

    @property
    def bottom(self) -> float:
        """The lower edge."""
        return self.y + self.height


def draw_svg(service: ServiceReport, number: int = 0) -> str:
    """Return the picture of a service.

    Args:
        service: what to draw.
        number: tells the pictures of one page apart.
    """
    drawing = drawing_of(service)
    columns = max(1, len(drawing.zones))
    column = max(COLUMN, LEAST_WIDTH / columns)
    width = GUTTER + columns * column + PAD
    placed, tiers, height = place_all(drawing, column)
    hatch = f"hatch-{number}"
    points = sum(one.is_single_point for one in drawing.boxes) + sum(
        one.is_single_point for one in drawing.zones
    )
    title = f"{service.name}: {len(drawing.boxes)} parts in {len(drawing.zones)} zones, {points} marked red"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="picture" role="img" width="{at(width)}" '
        f'height="{at(height)}" viewBox="0 0 {at(width)} {at(height)}" aria-label={quoteattr(clean(title))}>',
        f'<defs><pattern id="{hatch}" width="9" height="9" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><path class="hatching" d="M0 0V9"/></pattern></defs>',
    ]
    lines += bands(drawing.zones, column, height, hatch)
    lines += [
        f'<text class="tier" x="{PAD}" y="{at(middle + 4)}">{text_of(tier)}</text>' for tier, middle in tiers
    ]
    lines += clients(drawing, placed, GUTTER + columns * column / 2)
    lines += [link(placed[user], placed[used], placed) for user, used in drawing.links]
    lines += zone_titles(drawing.zones, column)
    lines += [draw_box(one) for one in placed.values()]
    return "\n".join([*lines, "</svg>"])


def place_all(drawing: Drawing, column: float) -> tuple[dict[str, Placed], list[tuple[str, float]], float]:
    """Return the place of every box, each tier's word with its middle, and the height of it all."""
    placed: dict[str, Placed] = {}
    tiers: list[tuple[str, float]] = []
    y: float = FIRST
    whole = max(1, len(drawing.zones)) * column
    for tier in drawing.tiers:
        top = y
        spanning = drawing.boxes_in(tier, "")
        for line in lines_spanning(spanning, drawing.links):
            y = place_line(placed, line, y, whole) + TIER_GAP
        y -= TIER_GAP - GAP if spanning else 0
        bottoms = [y]
        for place, zone in enumerate(drawing.zones):
            mine = drawing.boxes_in(tier, zone.zone)
            bottoms.append(place_stack(placed, mine, GUTTER + place * column, y, column))
        y = max(bottoms)
        tiers.append((tier, (top + y - GAP) / 2))
        y += TIER_GAP - GAP
    return placed, tiers, y - TIER_GAP + GAP + PAD


def lines_spanning(boxes: tuple[Part, ...], links: tuple[tuple[str, str], ...]) -> list[tuple[Part, ...]]:
    """Return boxes that span the zones in lines, so that one that needs another stands above it."""
    level = {one.id: 0 for one in boxes}
    inside = [(user, used) for user, used in links if user in level and used in level]
    for _ in boxes:
        for user, used in inside:
            level[used] = min(len(boxes), max(level[used], level[user] + 1))
    found = []
    for each in sorted(set(level.values())):
        mine = [one for one in boxes if level[one.id] == each]
        found += [tuple(mine[start : start + SPANS_A_LINE]) for start in range(0, len(mine), SPANS_A_LINE)]
    return found


def place_line(placed: dict[str, Placed], boxes: tuple[Part, ...], y: float, whole: float) -> float:
    """Place boxes that span the zones, side by side; return where they end."""
    room = whole / len(boxes)
    height = max(height_of(box, room - 2 * PAD) for box in boxes)
    for number, box in enumerate(boxes):
        placed[box.id] = Placed(box, GUTTER + number * room + PAD, y, room - 2 * PAD, height)
    return y + height


def place_stack(
    placed: dict[str, Placed], boxes: tuple[Part, ...], x: float, y: float, column: float
) -> float:
    """Place boxes of one zone under each other; return where the next tier may begin."""
    for box in boxes:
        height = height_of(box, column - 4 * PAD)
        placed[box.id] = Placed(box, x + 2 * PAD, y, column - 4 * PAD, height)
        y += height + GAP
    return y


def lines_of(box: Part, width: float) -> list[tuple[str, str]]:
    """Return the lines of a box, each with its class: the name in two at most, and what is wrong."""
    letters = max(8, int((width - PAD) / LETTER))
    name = f"{'✗ ' if box.is_single_point else ''}{box.name}"
    lines = textwrap.wrap(clean(name), letters, max_lines=2, placeholder="…") or [""]
    found = [("name", one) for one in lines]
    if box.state:
        found.append(("state", textwrap.shorten(clean(box.state), letters, placeholder="…")))
    return found


def height_of(box: Part, width: float) -> float:
    """Return how high a box of a width is."""
    return len(lines_of(box, width)) * LINE + 15


def draw_box(one: Placed) -> str:
    """Return a box with its lines; the whole name is shown when somebody points at it."""
    kind = "box point" if one.box.is_single_point else "box off" if one.box.state else "box"
    lines = [
        f'<text class="{name}" x="{at(one.middle)}" y="{at(one.y + 20 + LINE * number)}">'
        f"{text_of(says)}</text>"
        for number, (name, says) in enumerate(lines_of(one.box, one.width))
    ]
    return (
        f'<g class="{kind}"><title>{text_of(label(one.box))}</title><rect x="{at(one.x)}" y="{at(one.y)}" '
        f'width="{at(one.width)}" height="{at(one.height)}" rx="7"/>{"".join(lines)}</g>'
    )


def bands(zones: tuple[Part, ...], column: float, height: float, hatch: str) -> list[str]:
    """Return the zones' bands; one whose failure takes the service down is hatched."""
    found = []
    for place, zone in enumerate(zones):
        x, kind = GUTTER + place * column + 4, "band point" if zone.is_single_point else "band"
        size = f'x="{at(x)}" y="{BANDS}" width="{at(column - 8)}" height="{at(height - BANDS - 4)}" rx="9"'
        found.append(f'<rect class="{kind}" {size}/>')
        if zone.is_single_point:
            found.append(f'<rect fill="url(#{hatch})" {size}/>')
    return found


def zone_titles(zones: tuple[Part, ...], column: float) -> list[str]:
    """Return the zones' names."""
    found = []
    for place, zone in enumerate(zones):
        middle = GUTTER + place * column + column / 2
        short = textwrap.shorten(clean(label(zone, "zone ")), int(column / LETTER) - 2, placeholder="…")
        word = "zone point" if zone.is_single_point else "zone"
        found.append(f'<text class="{word}" x="{at(middle)}" y="{BANDS + 22}">{text_of(short)}</text>')
    return found


def clients(drawing: Drawing, placed: dict[str, Placed], middle: float) -> list[str]:
    """Return the clients and their way in."""
    width, y = 92, CLIENTS
    pill = Placed(Part("", "", ""), middle - width / 2, y, width, 24)
    ways = [link(pill, placed[one.id], placed) for one in drawing.roots]
    return [
        *ways,
        f'<rect class="clients" x="{at(pill.x)}" y="{y}" width="{width}" height="24" rx="12"/>'
        f'<text class="name" x="{at(middle)}" y="{y + 16}">clients</text>',
    ]


def link(user: Placed, used: Placed, placed: dict[str, Placed]) -> str:
    """Return the line from a part to one that it needs: dotted where that one is a single point or is off.

    A line passes by the boxes that stand in its way, in the margin of their zone.
    """
    kind = "link cut" if used.box.is_single_point else "link lost" if used.box.state else "link"
    start = within(used.middle, user)
    end = within(start, used) if not used.box.zone else used.middle
    half = used.y + used.height / 2
    if used.y <= user.bottom:
        lane = max(user.x + user.width, used.x + used.width) + LANE
        path = f"M{at(user.x + user.width)} {at(user.y + user.height / 2)}H{at(lane)}V{at(half)}"
        path += f"H{at(used.x + used.width)}"
    elif stands_between(user, used, placed):
        lane = used.x - LANE
        if user.x + 10 <= lane:
            path = f"M{at(lane)} {at(user.bottom)}V{at(half)}H{at(used.x)}"
        else:
            path = f"M{at(user.x)} {at(user.y + user.height / 2)}H{at(lane)}V{at(half)}H{at(used.x)}"
    else:
        bend = (user.bottom + used.y) / 2
        path = f"M{at(start)} {at(user.bottom)}C{at(start)} {at(bend)} {at(end)} {at(bend)} "
        path += f"{at(end)} {at(used.y)}"
    return f'<path class="{kind}" d="{path}"/>'


def within(x: float, one: Placed) -> float:
    """Return the place nearest to x at the edge of a box."""
    return min(max(x, one.x + 12), one.x + one.width - 12)


def stands_between(user: Placed, used: Placed, placed: dict[str, Placed]) -> bool:
    """Whether a box of the zone stands in the column between two."""
    return any(
        one.x < used.middle < one.x + one.width and user.bottom < one.y + one.height / 2 < used.y
        for one in placed.values()
        if one.box.zone and used.box.zone
    )


def at(number: float) -> str:
    """Return a coordinate without needless digits."""
    return f"{number:.1f}".removesuffix(".0")


def text_of(text: str) -> str:
    """Return text as SVG holds it."""
    return escape(clean(text))


def clean(text: str) -> str:
    """Return text without line breaks and what cannot be printed."""
    return "".join(one if one.isprintable() else " " for one in text)
