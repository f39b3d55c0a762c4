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


@dataclass(frozen=True)
class RootTask:
    """A replacement of an instance's root volume, in AWS's words.

    `state` is pending, in-progress, succeeded, failing, failed (the root is the one before), or
    failed-detached (it has none now).
    """

    id: str
    instance_id: str
    state: str
    image_id: str = ""


@dataclass(frozen=True)
class RunRequest:
    """Have each member of a service do a command in turn, drained, with an image to go back to.

    Args:
        service: the service's name.
        command: for the machine's shell, as root.
        timeout_seconds: after which it is killed, on each member.
        reboot: reboot the member once the command has ended well.
        no_image: the owner's word that none is needed: the member is not stopped for it then.
        path: the page to ask a member for; empty takes the one its balancer asks for.
        local_disks_are_scratch, it_boots_again: as in `CloneRequest`.
    """

    service: str
    command: str = ""
    timeout_seconds: int = 3600
    reboot: bool = False
    no_image: bool = False
    path: str = ""
    local_disks_are_scratch: bool = False
    it_boots_again: bool = False


@dataclass(frozen=True)
class Turn:
    """A member that had its turn and serves again.

    `image_id` is the image it can go back to, empty for none; `lines` are the last ones its command said.
    """

    instance_id: str
    seconds_out_of_service: float
    image_id: str = ""
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunResult:
    """A service all of whose members did a command, one after the other."""

    service: str
    command: str
    turns: tuple[Turn, ...]


@dataclass(frozen=True)
class BackRequest:
    """Have members go back to the images that a run took of them.

    Args:
        run_id: the run of `maintain run`.
        instance_id: the member; empty takes all of whom there is an image.
    """

    run_id: str
    instance_id: str = ""


@dataclass(frozen=True)
class Returned:
    """A member that is as it was. `old_volume` is what its root was until then; it is kept."""

    instance_id: str
    image_id: str
    old_volume: str
    seconds_out_of_service: float


@dataclass(frozen=True)
class BackResult:
    """Members that went back to the images of a run."""

    run_id: str
    members: tuple[Returned, ...]
