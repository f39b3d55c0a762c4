"""A small drawing of a service: tiers downwards, zones side by side, the single points marked."""

from __future__ import annotations

from nospof.model.findings import Part

WIDTH = 100
NARROWEST_COLUMN = 12
FIRST_TIERS = ("entry", "balancer", "group", "instance")
LAST_TIERS = ("volume", "unread")
"""Tiers from the clients down; those that are not named here stand between the machines and the volumes."""
MARK = "✗ "
COLUMNS = 3
"""With more zones than this, those with nothing but a balancer in them share one line."""
ROWS_A_TIER = 6
"""More machines than this in one zone are counted, not listed; single points are always listed."""


def draw(parts: tuple[Part, ...], total: int = WIDTH) -> str:
    """Return the drawing without a final newline, at most `total` columns wide.

    ✗ marks a single point of failure.
    """
    zones, idle = columns_and_rest(parts)
    width = max(NARROWEST_COLUMN, min(44, (total - 5) // max(1, len(zones)) - 3))
    inside = max(len(zones), 1) * (width + 3) - 1
    lines = ["  " + f"┌{'─' * inside}┐"]
    if zones:
        lines.append(row([label(zone, "zone ") for zone in zones], width))
        lines.append("  " + f"├{'┼'.join('─' * (width + 2) for _ in zones)}┤")
    for tier in tiers_of(parts):
        mine = [part for part in parts if part.tier == tier]
        lines += [spanning(label(part), inside) for part in mine if not part.zone]
        lines += columns([part for part in mine if part.zone], [zone.zone for zone in zones], width)
        if tier == "balancer" and idle:
            lines.append(spanning(f"and in {', '.join(zone.name for zone in idle)}", inside))
    lines.append("  " + f"└{'─' * inside}┘")
    if any(part.is_single_point for part in parts):
        lines.append(f"  {MARK}a single point of failure")
    return "\n".join(lines)


def tiers_of(parts: tuple[Part, ...]) -> tuple[str, ...]:
    """Return the tiers that have parts, from the clients down."""
    found = dict.fromkeys(part.tier for part in parts if part.tier != "zone")
    middle = [tier for tier in found if tier not in FIRST_TIERS + LAST_TIERS]
    return tuple(tier for tier in (*FIRST_TIERS, *middle, *LAST_TIERS) if tier in found)


def columns_and_rest(parts: tuple[Part, ...]) -> tuple[list[Part], list[Part]]:
    """Return the zones that get a column, and those in which there is nothing but a balancer."""
    zones = [part for part in parts if part.tier == "zone"]
    lived_in = {part.zone for part in parts if part.tier not in ("zone", "balancer")}
    idle = [zone for zone in zones if zone.zone not in lived_in and not (zone.is_single_point or zone.state)]
    if len(zones) <= COLUMNS or len(idle) == len(zones):
        return zones, []
    return [zone for zone in zones if zone not in idle], idle


def label(part: Part, before: str = "") -> str:
    """Return a part's name with its mark and what is wrong with it."""
    state = f" [{part.state}]" if part.state else ""
    return f"{MARK if part.is_single_point else ''}{before}{part.name}{state}"


def columns(parts: list[Part], zones: list[str], width: int) -> list[str]:
    """Return the rows of one tier, each part in the column of its zone."""
    stacks = [stack([part for part in parts if part.zone == zone]) for zone in zones]
    height = max(map(len, stacks), default=0)
    return [
        row([cells[place] if place < len(cells) else "" for cells in stacks], width)
        for place in range(height)
    ]


def stack(parts: list[Part]) -> list[str]:
    """Return the cells of one column, the single points and the broken ones first."""
    ordered = sorted(parts, key=lambda part: (not part.is_single_point, not part.state))
    telling = sum(part.is_single_point or bool(part.state) for part in parts)
    shown = max(telling, ROWS_A_TIER)
    cells = [label(part) for part in ordered[:shown]]
    return [*cells, f"and {len(parts) - shown} more"] if len(parts) > shown else cells


def row(cells: list[str], width: int) -> str:
    """Return one row of cells."""
    return "  │" + "│".join(f" {fit(cell, width)} " for cell in cells) + "│"


def spanning(text: str, inside: int) -> str:
    """Return one row for what spans all zones."""
    return f"  │ {fit(text, inside - 2).strip().center(inside - 2)} │"


def fit(text: str, width: int) -> str:
    """Return text cut or filled to a width."""
    return f"{text[: width - 1]}…" if len(text) > width else text.ljust(width)
