"""Own maintenance of a service's members: commands inside them, and images to go back to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TAG_BACK = "nospof:back"
"""Of an image: the instance it was taken of, which can go back to it."""

Stage = Literal["", "none", "running", "ended", "cut off"]


@dataclass(frozen=True)
class CommandState:
    """How far a command inside a machine is, as the machine tells.

    Args:
        state: "none" is one that never began there; "cut off" has no exit code and never will.
        exit_code: where it has ended.
        says: why it was ended, or by what it was cut off.
        lines: the last ones that it said.
        boot: an id of the machine's boot: another one after each.
        problem: why there is no answer; empty where there is one.
        is_reached: whether the machine was reached.
    """

    state: Stage = ""
    exit_code: int = 0
    says: str = ""
    lines: tuple[str, ...] = ()
    boot: str = ""
    problem: str = ""
    is_reached: bool = True

    @property
    def is_over(self) -> bool:
        """Whether no more will come of it."""
        return self.state in ("ended", "cut off")

    @property
    def is_good(self) -> bool:
        """Whether it did what it was to do."""
        return self.state == "ended" and self.exit_code == 0

    @property
    def how(self) -> str:
        """How it ended, in words, and the last lines that it said."""
        ended = f"was cut off {self.says}" if self.state == "cut off" else f"ended with {self.exit_code}"
        if self.state == "ended" and self.says:
            ended += f" ({self.says})"
        said = "".join(f"\n  | {line}" for line in self.lines[-10:])
        return f"{ended}; it said last:{said}" if said else f"{ended} and said nothing"
