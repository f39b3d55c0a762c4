"""News of maintenance, each told once: what is announced, what happens, and what stays so for a while."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from nospof.model.cloud import MaintenanceEvent
from nospof.model.events import Place
from nospof.model.news import News, NewsKind
from nospof.planning.events import Seen
from nospof.planning.upkeep import Subject
from nospof.ports.world import Clock

Standing = Mapping[str, tuple[NewsKind, str]]
"""What stays so, by whom it is about: a member's id, or a name for something else."""


class Voice:
    """Tells news, and remembers for as long as it runs what it told.

    Args:
        tell: is told each.
    """

    def __init__(self, tell: Callable[[News], None], clock: Clock) -> None:
        self._tell, self._clock = tell, clock
        self._events: dict[tuple[str, str], MaintenanceEvent] = {}
        self._standing: dict[str, tuple[NewsKind, str]] = {}
        self._is_blind = False
        self.place: Place | None = None
        self.services: dict[str, tuple[str, ...]] = {}
        """Those of each member, as they were seen last: one that is drained is in none."""

    def say(
        self,
        kind: NewsKind,
        says: str,
        who: str = "",
        *,
        event: MaintenanceEvent | None = None,
        run_id: str = "",
    ) -> None:
        """Tell something that happened.

        Args:
            who: the instance it is about.
        """
        self._tell(
            News(
                at=self._clock.now(),
                kind=kind,
                place=self.place,
                says=says,
                services=self.services.get(who, ()),
                instance_id=who,
                event_id=event.id if event else "",
                run_id=run_id,
                due=event.not_before if event else 0.0,
            )
        )

    def stand(self, standing: Standing) -> None:
        """Tell what stays so where that is new or changed; what is not in it any more is forgotten."""
        for who, what in standing.items():
            self.stand_beside(who, what)
        self._standing = dict(standing)

    def stand_beside(self, who: str, what: tuple[NewsKind, str]) -> None:
        """Tell that something stays so, beside everything else that does."""
        if self._standing.get(who) != what:
            self.say(*what, who if who in self.services else "")
        self._standing[who] = what

    def cannot_read(self, error: Exception) -> None:
        """Tell once that something could not be read."""
        if not self._is_blind:
            self.say("unread", f"what is announced could not be read, and nothing is concluded: {error}")
        self._is_blind = True

    def reads(self) -> None:
        """Tell that all is read again, where it was not."""
        if self._is_blind:
            self.say("readable", "what is announced is read again")
        self._is_blind = False

    def events(self, subjects: Sequence[Subject], seen: Seen) -> None:
        """Tell of what is announced anew, was moved, or is ahead no more."""
        for subject in subjects:
            if subject.member.services:
                self.services[subject.member.instance_id] = subject.member.services
        mine = {(one.member.instance_id, event.id): event for one in subjects for event in one.events}
        for (who, event_id), event in mine.items():
            before = self._events.get((who, event_id))
            if before is None:
                says = f"AWS has announced {event.code} for {who}{self.of(who)}"
                self.say("announced", f"{says}: {event.description}", who, event=event)
            elif before.not_before != event.not_before:
                self.say("moved", f"AWS has moved {event.code} of {who}{self.of(who)}", who, event=event)
        over = {(one.instance_id, one.event.id): one.event for one in seen.over}
        for key in self._events.keys() - mine.keys():
            event, who = self._events[key], key[0]
            why = over[key].description if key in over else "it is announced no more"
            self.say("over", f"{event.code} of {who}{self.of(who)} is not ahead: {why}", who, event=event)
        self._events = mine

    def of(self, who: str) -> str:
        """Return a member's services as they follow its id in a sentence."""
        names = self.services.get(who, ())
        return f" of {' and '.join(names)}" if names else ""
