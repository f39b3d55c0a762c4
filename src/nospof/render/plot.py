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
COLOURS = ("#4477aa", "#66ccee", "#228833", "#ccbb44", "#aa3377", "#999999")
"""Told apart by those who do not see all colours, too (Paul Tol's "bright")."""
FAILED, COLOUR_FAILED = "failed", "#c0392b"
NOBODY = "no name given"
Rates = dict[str | None, float]
"""How many a second: answered by each instance; under None, those that failed."""
Stretch = tuple[float, float, Rates]
"""From when to when, and the rates between."""


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
    """Return a load as SVG; empty where there is nothing to draw yet.

    Args:
        loads: how it stood, oldest first; counts since it began.
    """
    stretches = [one for before, now in pairwise(loads) if (one := stretch(before.load, now.load))]
    if not stretches:
        return ""
    last = loads[-1].load
    top = max(1.0, *(sum(rates.values()) for _, _, rates in stretches))
    frame = Frame(stretches[0][0], stretches[-1][1], top)
    says = f"{last.due} requests in {last.seconds:.0f} s, {last.failed} failed"
    layers = layers_of(stretches)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" role="img" viewBox="0 0 {WIDTH} {HEIGHT}"'
            ' font-family="sans-serif" font-size="11">',
            f"<title>{says}</title>",
            *phases(loads, frame),
            *areas(stretches, layers, frame),
            *axes(frame),
            *legend(layers),
            "</svg>",
        ]
    )


def stretch(before: LoadProgress, now: LoadProgress) -> Stretch | None:
    """Return what happened between two looks; None where no time has passed."""
    seconds = now.seconds - before.seconds
    if seconds <= 0:
        return None
    rates: Rates = {
        name or NOBODY: (count - before.served_by.get(name, 0)) / seconds
        for name, count in now.served_by.items()
    }
    return before.seconds, now.seconds, {**rates, None: (now.failed - before.failed) / seconds}


def layers_of(stretches: list[Stretch]) -> list[tuple[str | None, str]]:
    """Return each who answered, by colour, and last what failed."""
    named = sorted({name for _, _, rates in stretches for name in rates if name is not None})
    each = [(name, COLOURS[number % len(COLOURS)]) for number, name in enumerate(named)]
    return [*each, (None, COLOUR_FAILED)]


def phases(loads: tuple[LoadSeen, ...], frame: Frame) -> list[str]:
    """Return a line where each phase begins, and its name; in two rows, for some are short."""
    lines = []
    for number, (phase, these) in enumerate(groupby(loads, key=lambda one: one.phase)):
        x, y = frame.x(max(frame.begins, next(these).load.seconds)), TOP - 8 - 16 * (number % 2)
        side = "end" if float(x) > WIDTH * 0.8 else "start"
        lines.append(f'<path class="line phase" fill="none" stroke="#808080" d="M{x} {y}V{HEIGHT - FOOT}"/>')
        lines.append(f'<text class="phase" text-anchor="{side}" x="{x}" y="{y}">{text_of(phase)}</text>')
    return lines


def areas(stretches: list[Stretch], layers: list[tuple[str | None, str]], frame: Frame) -> list[str]:
    """Return what each instance answered, one upon the other, and on top of all what failed."""
    below = [0.0] * len(stretches)
    lines = []
    for name, colour in layers:
        above = [low + rates.get(name, 0.0) for low, (_, _, rates) in zip(below, stretches, strict=True)]
        if above != below:
            shape = "".join(
                f"M{frame.x(begins)} {frame.y(low)}V{frame.y(high)}H{frame.x(ends)}V{frame.y(low)}Z"
                for (begins, ends, _), low, high in zip(stretches, below, above, strict=True)
            )
            kind, told = (FAILED, FAILED) if name is None else ("served", text_of(name))
            lines.append(f'<path class="{kind}" fill="{colour}" d="{shape}"><title>{told}</title></path>')
        below = above
    return lines


def axes(frame: Frame) -> list[str]:
    """Return the two axes with their figures."""
    rates = (0.0, frame.top / 2, frame.top)
    moments = (frame.begins, (frame.begins + frame.ends) / 2, frame.ends)
    corner = f"M{LEFT} {TOP}V{HEIGHT - FOOT}H{WIDTH - RIGHT}"
    return [
        f'<path class="line" fill="none" stroke="#808080" d="{corner}"/>',
        *(f'<text text-anchor="end" x="{LEFT - 6}" y="{frame.y(one)}">{one:.0f}/s</text>' for one in rates),
        *(
            f'<text text-anchor="{side}" x="{frame.x(one)}" y="{HEIGHT - FOOT + 16}">{one:.0f} s</text>'
            for one, side in zip(moments, ("start", "middle", "end"), strict=True)
        ),
    ]


def legend(layers: list[tuple[str | None, str]]) -> list[str]:
    """Return which colour is whose, what failed first, as many as there is room for.

    Each area also tells it when it is pointed at.
    """
    lines = []
    for number, (name, colour) in enumerate([layers[-1], *layers[:-1]][:MOST_NAMED]):
        x, y = LEFT + number * NAME_WIDTH, HEIGHT - 12
        lines.append(f'<rect fill="{colour}" x="{x}" y="{y}" width="10" height="10"/>')
        told = FAILED if name is None else text_of(name)
        lines.append(f'<text text-anchor="start" x="{x + 15}" y="{y + 9}">{told}</text>')
    return lines
