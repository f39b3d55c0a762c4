"""How long it takes to order the maintenance of a large fleet, beside reading it once: the floor.

Ten thousand members, in services of four sizes, in three zones of which a tenth may be out at once; each
tenth member is in two services. Run: python bench/fleet.py
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from nospof.model.window import window_of
from nospof.planning.fleet import Limits, Member, share_of, timetable, waves_of

COUNT = 10_000
NOW = 1_800_000_000.0
DAY = 86_400.0
SHAPES = {"pairs": 2, "of ten": 10, "of a thousand": 1_000, "one of ten thousand": COUNT}
WINDOW = window_of("Sun 02:00-05:00 Europe/Berlin")


def fleet(size: int) -> list[Member]:
    """Return the members, in services of a size."""
    chance = random.Random(size)  # noqa: S311 - the same fleet each time
    count = COUNT // size
    return [
        Member(
            f"i-{number:05}",
            tuple(
                sorted({f"s{number // size}", *([f"s{chance.randrange(count)}"] if number % 10 == 0 else [])})
            ),
            "abc"[number % 3],
            NOW + DAY * chance.randrange(1, 20),
        )
        for number in range(COUNT)
    ]


def limits_of(members: Sequence[Member], room: int) -> Limits:
    """Return the limits: so many of each service, a tenth of each zone."""
    services = {one for member in members for one in member.services}
    zones = Counter(one.zone for one in members)
    return Limits(dict.fromkeys(services, room), {name: share_of(size, 0.1) for name, size in zones.items()})


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Do some work; return what it gave and the seconds it took."""
    began = time.perf_counter()
    return work(), time.perf_counter() - began


def main() -> None:
    print("| services | out at once | reading once | waves | at least | ordering | timetable |")
    print("|---|---|---|---|---|---|---|")
    for name, size in SHAPES.items():
        members = fleet(size)
        room = max(1, size // 100)
        limits, floor = timed(lambda members=members, room=room: limits_of(members, room))
        found, ordering = timed(lambda members=members, limits=limits: waves_of(members, limits))
        windows = {one: WINDOW for member in members for one in member.services}
        _, table = timed(
            lambda members=members, limits=limits, windows=windows: timetable(
                members, limits, windows, NOW, 900
            )
        )
        sizes = Counter(key for one in members for key in one.keys)
        least = max(-(-count // limits.places(key)) for key, count in sizes.items())
        print(
            f"| {name} | {room} | {floor:.3f} s | {len(found.waves):,} | {least:,.0f} | {ordering:.2f} s "
            f"| {table:.2f} s |",
            flush=True,
        )


if __name__ == "__main__":
    main()
