"""A load as a picture: answers a second by who gave them, what failed, and the phases of a drill."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, pairwise

from nospof.model.drill import LoadProgress
from nospof.model.sight import LoadSeen
from nospof.render.picture import at, text_of

WIDTH, HEIGHT = 720, 250
LEFT, RIGHT, TOP, FOOT = 52, 8, 44, 42
NAME_WIDTH, MOST_NAMED = 160, 4
COLOURS = 6
"""How many instances have a colour of their own; page.css has them."""
FAILED, NOBODY = "failed", "no name given"
Stretch = tuple[float, float, dict[str, float]]
"""From when to when, and how many a second: by the instance that answered, and of those that failed."""


@dataclass(frozen=True)
class Frame:
    """Where seconds and rates are in the picture."""

    begins: float
    ends: float
    top: float

    def x(self, seconds: float) -> str:
        """Return where a moment is."""
        share = (seconds - self.begins) / (self.ends - self.begins)
        return at(LEFT + (WIDTH - LEFT - RIGHT) * share)

    def y(self, rate: float) -> str:
        """Return where a rate is."""
        return at(TOP + (HEIGHT - TOP - FOOT) * (1 - rate / self.top))


def draw_load(loads: tuple[LoadSeen, ...]) -> str:
    """Return a load as SVG, for a page that has page.css; empty where there is nothing to draw yet.

    Args:
        loads: how it stood, oldest first; counts since it began.
    """
    stretches = [one for before, now in pairwise(loads) if (one := stretch(before.load, now.load))]
    if not stretches:
        return ""
    last = loads[-1].load
    frame = Frame(
        stretches[0][0], stretches[-1][1], max(1.0, *(sum(rates.values()) for _, _, rates in stretches))
    )
    says = f"{last.due} requests in {last.seconds:.0f} s, {last.failed} failed"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" viewBox="0 0 {WIDTH} {HEIGHT}">',
            f"<title>{says}</title>",
            *phases(loads, frame),
            *areas(stretches, frame),
            *axes(frame),
            *legend(stretches),
            "</svg>",
        ]
    )


def stretch(before: LoadProgress, now: LoadProgress) -> Stretch | None:
    """Return what happened between two looks; None where no time has passed."""
    seconds = now.seconds - before.seconds
    if seconds <= 0:
        return None
    rates = {
        name or NOBODY: (count - before.served_by.get(name, 0)) / seconds
        for name, count in now.served_by.items()
    }
    return before.seconds, now.seconds, {**rates, FAILED: (now.failed - before.failed) / seconds}


def phases(loads: tuple[LoadSeen, ...], frame: Frame) -> list[str]:
    """Return a line where each phase begins, and its name; in two rows, for some are short."""
    lines = []
    for number, (phase, these) in enumerate(groupby(loads, key=lambda one: one.phase)):
        x, y = frame.x(max(frame.begins, next(these).load.seconds)), TOP - 8 - 16 * (number % 2)
        side = "end" if float(x) > WIDTH * 0.8 else "start"
        lines.append(f'<path class="phase" d="M{x} {y}V{HEIGHT - FOOT}"/>')
        lines.append(f'<text class="phase" text-anchor="{side}" x="{x}" y="{y}">{text_of(phase)}</text>')
    return lines


def areas(stretches: list[Stretch], frame: Frame) -> list[str]:
    """Return what each instance answered, one upon the other, and on top of all what failed."""
    below = [0.0] * len(stretches)
    lines = []
    for kind, name in colours(stretches):
        above = [low + rates.get(name, 0.0) for low, (_, _, rates) in zip(below, stretches, strict=True)]
        if above != below:
            shape = "".join(
                f"M{frame.x(begins)} {frame.y(low)}V{frame.y(high)}H{frame.x(ends)}V{frame.y(low)}Z"
                for (begins, ends, _), low, high in zip(stretches, below, above, strict=True)
            )
            lines.append(f'<path class="{kind}" d="{shape}"><title>{text_of(name)}</title></path>')
        below = above
    return lines


def axes(frame: Frame) -> list[str]:
    """Return the two axes with their figures."""
    rates = (0.0, frame.top / 2, frame.top)
    moments = (frame.begins, (frame.begins + frame.ends) / 2, frame.ends)
    return [
        f'<path class="axis" d="M{LEFT} {TOP}V{HEIGHT - FOOT}H{WIDTH - RIGHT}"/>',
        *(f'<text text-anchor="end" x="{LEFT - 6}" y="{frame.y(one)}">{one:.0f}/s</text>' for one in rates),
        *(
            f'<text text-anchor="{side}" x="{frame.x(one)}" y="{HEIGHT - FOOT + 16}">{one:.0f} s</text>'
            for one, side in zip(moments, ("start", "middle", "end"), strict=True)
        ),
    ]


def legend(stretches: list[Stretch]) -> list[str]:
    """Return which colour is whose, as many as there is room for; each area also tells it when pointed at."""
    lines = []
    for number, (kind, name) in enumerate(colours(stretches)[:MOST_NAMED]):
        x, y = LEFT + number * NAME_WIDTH, HEIGHT - 12
        lines.append(f'<rect class="{kind}" x="{x}" y="{y}" width="10" height="10"/>')
        lines.append(f'<text text-anchor="start" x="{x + 15}" y="{y + 9}">{text_of(name)}</text>')
    return lines


def colours(stretches: list[Stretch]) -> list[tuple[str, str]]:
    """Return the class and the name of each who answered, and of what failed."""
    named = sorted({name for _, _, rates in stretches for name in rates} - {FAILED})
    each = [(f"s{number % COLOURS}", name) for number, name in enumerate(named)]
    return [*each, (FAILED, FAILED)]
