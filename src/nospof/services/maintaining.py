"""Maintenance of all services, watched over: told of, and taken in each one's window, a wave at a time.

Each round reads the cloud and the journal and decides anew. An error is told as one, and nothing is begun in
a round that could not read. Whoever works on a member, here or elsewhere, left a mark on it, and its service
waits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from time import monotonic

from nospof.errors import NospofError
from nospof.model.cloud import TAG_GUARANTEE
from nospof.model.news import FOR_PEOPLE, News, NewsKind, Tally
from nospof.model.runs import Run
from nospof.planning.events import Seen
from nospof.planning.fleet import together
from nospof.planning.upkeep import Subject, decisions, left_of, subjects_of, with_those_out
from nospof.ports.world import World
from nospof.procedures.guarantee import Claim, parse_guarantee
from nospof.services.events import seen_in
from nospof.services.procedures import Runs, keep
from nospof.services.telling import Voice
from nospof.services.turns import (
    PROMISES,
    Turns,
    Wishes,
    busy_services,
    is_beside,
    is_marked,
    is_meant,
    is_turn,
    member_of,
    out_of,
    watched,
    why_not,
)
from nospof.services.watching import Beside, in_a_thread

AGAIN_SECONDS = 900.0
"""After this a member whose turn was refused is tried again: what was refused may be mended."""
FAILED_SECONDS = 86_400.0
"""For so long nothing more of a service is begun after a failure, unless that run is resumed and done."""
LOOKS_SECONDS = 5.0
"""How often it is asked which runs have ended."""
RESUMES = 3
"""How often a run is taken up again whose process was killed."""
KEEPING = "what dead runs promised"


class MaintenanceWatch:
    """Watches over the maintenance of an account's region.

    Args:
        tell: is told all news, each once, perhaps from several threads.
        turns: has runs done.
        journal: the runs, and how one is claimed.
        beside: how what takes long is done.
    """

    def __init__(
        self,
        world: World,
        wishes: Wishes,
        tell: Callable[[News], None],
        turns: Turns,
        journal: tuple[Runs, Claim],
        beside: Beside = in_a_thread,
    ) -> None:
        self._world, self._wishes, self._turns, self._beside = world, wishes, turns, beside
        self._runs, self._claim = journal
        self._voice = Voice(tell, world.clock)
        self._begun: set[str] = set()
        self._resumed: dict[str, int] = {}
        self._refused: dict[str, str] = {}
        self._not_before: dict[str, float] = {}
        self._of_others: dict[str, Run] = {}
        self._not_kept = ""
        self._is_keeping = False
        self._is_first = True
        self.tally = Tally(is_unread=True)
        self.watched: tuple[str, ...] = ()
        """The services that are watched over, as the first round found them."""

    # Rounds -------------------------------------------------------------------------------------------

    def watch(
        self, every_seconds: float, pause: Callable[[float], bool], counted: Callable[[], None]
    ) -> None:
        """Make rounds until the end; then wait for the runs that are under way.

        Args:
            pause: waits for so many seconds at most, and returns whether it is the end.
            counted: is called when the tally is new.

        Raises:
            NospofError: as `round`, in the first one; later that is told.
        """
        self.round()
        counted()
        last = self._world.clock.now()
        while not pause(min(every_seconds, LOOKS_SECONDS)):
            if self.collect() or self._world.clock.now() - last >= every_seconds:
                last = self._world.clock.now()
                try:
                    self.round()
                except NospofError as error:
                    self.tally = replace(self.tally, is_unread=True)
                    self._voice.cannot_read(error)
                counted()
        self.wait()
        counted()

    def wait(self) -> None:
        """Wait until all runs that were begun here have ended."""
        while self._turns.under_way:
            self._world.clock.sleep(1.0)
            self.collect()
        self.collect()

    def round(self) -> None:
        """Look once, tell what is new, and begin what may be begun.

        Raises:
            CloudError: the cloud could not be read.
            PreconditionFailed: the journal could not be read.
            UsageError: a service that was named is not there; in the first round only.
        """
        began = monotonic()
        instances = {one.id: one for one in self._world.cloud.instances()}
        seen = seen_in(self._world, "", instances, with_crews=self._is_first)
        place, runs = f"{seen.place.account}/{seen.place.region}", self._runs.runs()
        known = [one for one in runs if is_turn(one, place)]
        policy = self._wishes.policy
        if self._is_first:
            self.watched = watched(policy.services, seen)
        self._voice.place = seen.place
        self._voice.reads()
        self._follow(known)
        seen = with_those_out(seen, self._out(seen))
        subjects = subjects_of(seen, policy.services)
        self._voice.events(subjects, seen)
        self._keep(seen)
        standing = self._take_up([one for one in known if is_meant(member_of(one), policy.services, seen)])
        standing |= self._decide(subjects, seen, known, busy_services(runs, place))
        if self._not_kept:
            standing[KEEPING] = ("held", self._not_kept)
        self._voice.stand(standing)
        self._is_first = False
        self._count(subjects, seen, sum(kind in FOR_PEOPLE for kind, _ in standing.values()))
        self.tally = replace(self.tally, round_seconds=monotonic() - began)

    def _count(self, subjects: Sequence[Subject], seen: Seen, for_people: int) -> None:
        """Count what there is now."""
        ahead: dict[str, int] = dict.fromkeys(self._wishes.policy.services, 0)
        for one in subjects:
            for name in one.member.services or ("",):
                ahead[name] = ahead.get(name, 0) + len(one.events)
        dues = [event.not_before for one in subjects for event in one.events if event.not_before]
        self.tally = replace(
            self.tally,
            read_at=seen.read_at,
            is_unread=False,
            ahead=tuple(sorted(ahead.items())),
            nearest_due=min(dues, default=None),
            under_way=len(self._turns.under_way),
            for_people=for_people,
        )

    # Runs ---------------------------------------------------------------------------------------------

    def collect(self) -> bool:
        """Tell of runs that ended since this was asked last; return whether any did."""
        found = self._turns.ended()
        for one in found:
            who, how = one.instance_id, one.how
            if how == "failed" and one.step.endswith(PROMISES):
                how = "refused"
            counts = dict(self.tally.ended)
            counts[how] += 1
            left = len(self._turns.under_way)
            self.tally = replace(self.tally, ended=tuple(counts.items()), under_way=left)
            if how == "done":
                self._refused.pop(who, None)
                self._not_before.pop(who, None)
                self._voice.say("ended", one.says, who, run_id=one.run_id)
                continue
            self._not_before[who] = self._world.clock.now() + AGAIN_SECONDS
            if how == "refused":
                self._refused[who] = f"the turn of {who}{self._voice.of(who)} was refused: {one.says}"
                self._voice.stand_beside(who, ("refused", self._refused[who]))
                continue
            self._refused.pop(who, None)
            if not one.run_id:  # nothing of it stands in the journal
                self._not_before[who] += FAILED_SECONDS
            says = f"the turn of {who}{self._voice.of(who)} failed: {one.says}"
            self._voice.say("failed", says, who, run_id=one.run_id)
        return bool(found)

    def _follow(self, known: Sequence[Run]) -> None:
        """Tell how runs ended that other processes of this machine work on: those of a watch before this."""
        states = {one.id: one for one in known}
        for run_id in tuple(self._of_others):
            run = states.get(run_id)
            if run is None or run.state == "running":
                continue
            del self._of_others[run_id]
            kinds: dict[str, NewsKind] = {"done": "ended", "failed": "failed", "refused": "refused"}
            if run.state in kinds:
                why = f": {run.error}" if run.error else ""
                self._voice.say(
                    kinds[run.state], f"{run_id} is {run.state}{why}", member_of(run), run_id=run_id
                )
        for run in known:
            if run.state == "running" and member_of(run) not in self._turns.under_way:
                self._of_others[run.id] = run

    def _take_up(self, known: Sequence[Run]) -> dict[str, tuple[NewsKind, str]]:
        """Resume what was interrupted: at the start all, later what this watch began. Return what stays."""
        standing: dict[str, tuple[NewsKind, str]] = {}
        for run in known:
            who, times = member_of(run), self._resumed.get(run.id, 0)
            if run.state != "interrupted" or who in self._turns.under_way:
                continue
            if self._wishes.is_dry:
                standing[run.id] = ("begun", f"would resume {run.id}")
            elif times >= RESUMES or not (self._is_first or who in self._begun):
                says = f"{run.id} of {who} was interrupted: nospof runs resume {run.id}"
                standing[run.id] = ("held", says)
            elif why := self._had(partial(self._turns.resume, run.id, who), who):
                standing[run.id] = ("held", why)
            else:
                self._resumed[run.id] = times + 1
                self._voice.say("begun", f"{run.id} was interrupted, and is resumed", who, run_id=run.id)
        return standing

    def _had(self, begin: Callable[[], None], who: str) -> str:
        """Have something begun for a member; return why that could not be, or nothing."""
        try:
            begin()
        except NospofError as error:
            return str(error)
        self._begun.add(who)
        return ""

    def _keep(self, seen: Seen) -> None:
        """Make true beside the rounds what dead runs promised."""
        promised = any(TAG_GUARANTEE in one.tags for one in seen.instances.values())
        if self._wishes.is_dry or self._is_keeping or not promised:
            return
        self._is_keeping = True

        def keeping() -> None:
            try:
                for sentence in keep(self._world, self._claim):
                    self._voice.say("kept", sentence)
                self._not_kept = ""
            except NospofError as error:
                self._not_kept = f"what dead runs promised could not be kept: {error}"
            finally:
                self._is_keeping = False

        self._beside(keeping)

    # Deciding -----------------------------------------------------------------------------------------

    def _decide(
        self, subjects: Sequence[Subject], seen: Seen, known: Sequence[Run], busy: Mapping[str, Run]
    ) -> dict[str, tuple[NewsKind, str]]:
        """Begin the turns of those whose time it is and who may be out together. Return what stays.

        Args:
            known: the runs that are turns.
            busy: by service, the runs that are about a whole one.
        """
        standing, out = self._of_strangers(seen, known), self._out(seen)
        limits, ready = left_of(seen, self._wishes.policy.cap, out), {}
        others = {**busy, **self._failed(known)}
        ahead = {one.member.instance_id for one in subjects}
        self._refused = {who: says for who, says in self._refused.items() if who in ahead}
        for one in decisions(subjects, seen, self._wishes.policy):
            who, services = one.subject.member.instance_id, one.subject.member.services
            if one.kind == "held" or one.kind == "too-late":
                standing[who] = (one.kind, one.says)
            elif one.kind == "go":
                if who in self._refused:  # it stays told of, also while it is tried again
                    standing[who] = ("refused", self._refused[who])
                if who in out or self._world.clock.now() < self._not_before.get(who, 0.0):
                    continue
                full = [name for name in services if limits.services[name] < 1]
                if why := why_not(who, services, others, [] if is_beside(services, out) else full):
                    standing[who] = ("held", why)
                else:
                    ready[who] = one
        room = max(0, self._wishes.at_once - len(self._turns.under_way))
        now = together([one.subject.member for one in ready.values()], limits)[:room]
        return standing | self._begin({one.instance_id: ready[one.instance_id].says for one in now})

    def _begin(self, whose: Mapping[str, str]) -> dict[str, tuple[NewsKind, str]]:
        """Begin turns, each for a reason; return what stays."""
        standing: dict[str, tuple[NewsKind, str]] = {}
        for who, because in whose.items():
            says = f"turn of {who}{self._voice.of(who)}: {because}"
            if self._wishes.is_dry:
                standing[who] = ("begun", f"would begin the {says}")
            elif why := self._had(partial(self._turns.begin, who), who):
                standing[who] = ("held", why)
            else:
                self._voice.say("begun", f"begins the {says}", who)
        return standing

    def _of_strangers(self, seen: Seen, runs: Sequence[Run]) -> dict[str, tuple[NewsKind, str]]:
        """Return what is to be told of members that somebody works on who is not known here."""
        known = {member_of(one) for one in runs if one.state in ("running", "interrupted")}
        known.update(self._turns.under_way)
        standing: dict[str, tuple[NewsKind, str]] = {}
        for who, instance in seen.instances.items():
            if is_marked(instance.tags) and who not in known:
                run = parse_guarantee(instance.tags.get(TAG_GUARANTEE, "")).run_id or "a run"
                says = f"{run} has {who}{self._voice.of(who)} in its hands, so others stay in"
                standing[f"mark of {who}"] = ("held", f"{says}; should it be dead: nospof runs repair")
        return standing

    def _out(self, seen: Seen) -> dict[str, tuple[str, ...]]:
        """Return who is out or about to be, with their services."""
        known = {*self._turns.under_way, *map(member_of, self._of_others.values())}
        return out_of(seen, known, self._voice.services)

    def _failed(self, known: Sequence[Run]) -> dict[str, Run]:
        """Return the runs that failed lately and left something, by service."""
        since, found = self._world.clock.now() - FAILED_SECONDS, {}
        for run in known:
            if run.state == "failed" and run.updated_at >= since:
                steps = self._runs.run(run.id).steps
                if not steps or not steps[-1].name.endswith(PROMISES):
                    found.update(dict.fromkeys(self._voice.services.get(member_of(run), ()), run))
        return found
