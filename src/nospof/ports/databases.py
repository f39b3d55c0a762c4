"""The databases inside machines: looked at, kept in step with others, and made plain servers again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from nospof.model.layout import Applied, Checked, Examined, Layout, MemberState

T = TypeVar("T")


class Databases(Protocol):
    """Acts on the database of one machine at a time.

    Nothing raises: a refused call, a machine that nobody reaches, a server that does not come up are
    answers, and their `problem` says so. What a machine was asked it does to its end, whoever dies meanwhile.
    """

    def examine(self, instance_id: str) -> Examined:
        """Return what server there is and what keeps it from being one of two. Changes nothing."""

    def state(self, instance_id: str) -> MemberState:
        """Return what a machine with a vote is now. Changes nothing."""

    def apply(self, instance_id: str, layout: Layout) -> Applied:
        """Make a machine what a layout says it is, whatever it was. A repeat changes nothing.

        A source that had a plain server restarts it once. A machine that is in no seat is given its plain
        server back, with all that is in it. One that joins has only begun to when this returns: its
        state tells when it is ready. Where the server does not come up, the machine takes the change
        back by itself, and says so.
        """

    def mend(self, instance_id: str, *, undo: bool = False) -> Applied:
        """Take away the obstacles that can be, or bring back what was. A repeat changes nothing."""

    def hand_over(self, instance_id: str) -> Applied:
        """Have writes leave a member for another in step; nothing where they are elsewhere already."""

    def fail_over(self, instance_id: str, gone: str, *, is_off: bool = True) -> Applied:
        """Have nobody wait any longer for a member that is known to be gone: asked of one that is left.

        Nothing where another takes writes already, or where the engine waits for nobody. Refused where the
        one that is gone answers.

        Without `is_off` its machine is about to end and may still run: where it takes writes they are handed
        over, and where it does not answer it keeps its place, for it may still be written to.
        """

    def position(self, instance_id: str) -> Applied:
        """Return how far the data of a member that is down is, as the one sentence in `did`."""

    def rest(self, instance_id: str, rest_id: str, seconds: int) -> Applied:
        """Have a member's database end cleanly and stay off, so that its disks can be copied.

        All that was acknowledged by any member before this was asked is on its disks then. Refused of the
        one that takes writes. The machine itself starts it again after so many seconds, whoever is gone;
        a boot does too. A repeat begins anew, under its own id.

        Args:
            rest_id: hexadecimal, and nobody else's.
        """

    def wake(self, instance_id: str, rest_id: str) -> Applied:
        """Have a database that rests run again; it may be catching up when this returns.

        The problem says where it does not run, or where its rest had not lasted until now. A repeat
        finds no rest, and says so.
        """

    def bootstrap(self, instance_id: str) -> Applied:
        """Have a member begin as the first of its layout, where none runs.

        Whoever asks has compared the positions of all: what only another member had is lost.
        """

    def check(self, instance_id: str, tables: Sequence[str] = ()) -> Checked:
        """Return what a member's tables hold. Reads all of them.

        Of tables that are named only those are read, over and over for some seconds: what they held in that
        time is told too. A name is `database.table`, or `database.*`.
        """

    def several(self, ask: Callable[[str], T], instance_ids: Sequence[str]) -> tuple[T, ...]:
        """Return what each machine answers, asked at once where that can be: one may be silent for long."""
