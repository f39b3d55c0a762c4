"""Pairs that are watched: who is known to be gone is not waited for, and who stays out of step is told of.

One read of the cloud a round tells of all members. What members are asked takes as long as it takes, beside
the rounds, so that a silent one delays nobody else's failover. The engine decides who leads, here as ever: of
two who watch the same pair the second is told that it is done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from nospof.errors import CloudError, NospofError, NotFound
from nospof.model.cloud import TAG_SERVICE, Instance
from nospof.model.layout import TAG_DATA, Layout
from nospof.model.results import Noticed, NoticedKind
from nospof.model.sharing import TAG_FILES, Sharing
from nospof.planning.watching import OFF, Asking, Sighting, asks
from nospof.ports.world import World
from nospof.procedures.data import databases_of
from nospof.procedures.files import sharing_carried
from nospof.procedures.rejoin import keepers_of, layout_carried
from nospof.services.data import status_of

MEMBERS_SECONDS = 60.0
"""How often members are asked what they are, while the cloud says nothing new of them."""
AGAIN_SECONDS = 10.0
"""How long after an answer that helped nobody a member is asked again."""

IN_STEP = "all of it is in step"
NO_MEMBER = "no member"

Tell = Callable[[Noticed], None]
Beside = Callable[[Callable[[], None]], None]


def at_once(job: Callable[[], None]) -> None:
    """Do a job now."""
    job()


def in_a_thread(job: Callable[[], None]) -> None:
    """Do a job beside everything else; it ends with the program, and what it asked of a machine does not."""
    threading.Thread(target=job, daemon=True).start()


@dataclass
class Told:
    """What was told of a service last, and since when it is out of step; None while it is not."""

    says: str = ""
    out_since: float | None = None


class DataWatch:
    """Watches the pairs of an account.

    Args:
        services: whose pairs; all that are marked where none is named.
        tell: is told what is seen, asked and answered, from several threads.
        patience_seconds: how long a member may be out of step before that is told.
        beside: how what takes long is done.
    """

    def __init__(
        self,
        world: World,
        services: tuple[str, ...],
        tell: Tell,
        patience_seconds: float,
        beside: Beside = in_a_thread,
    ) -> None:
        self._world, self._services, self._tell = world, services, tell
        self._patience_seconds, self._beside = patience_seconds, beside
        self._members: dict[str, dict[str, Instance]] = {}
        self._seen: dict[str, Sighting] = {}
        self._kept: dict[str, tuple[tuple[str, ...], tuple[Layout, Sharing | None]]] = {}
        self._asked_at: dict[str, float] = {}
        self._done: set[Asking] = set()
        self._not_before: dict[Asking, float] = {}
        self._under_way: set[object] = set()
        self._told: dict[str, Told] = {}
        self._is_blind = False

    # Rounds -------------------------------------------------------------------------------------------

    def watch(self, every_seconds: float) -> None:
        """Make rounds until the end. The first one has to succeed.

        Raises:
            UsageError: a service has no data that is kept in step.
            CloudError: the cloud could not be read in the first round; later that is told.
        """
        self.round()
        while True:
            self._world.clock.sleep(every_seconds)
            try:
                self.round()
            except CloudError as error:
                if not self._is_blind:
                    says = "the cloud could not be read, and nothing is concluded from that"
                    self._say("unread", "", says, problem=str(error))
                self._is_blind = True

    def round(self) -> None:
        """Look once, and ask whom that calls for. Raises CloudError and UsageError."""
        changed = self._look()
        wanted: set[Asking] = set()
        for service, members in self._members.items():
            for one in asks(tuple(members.values()), self._seen):
                wanted.add(one)
                # Members of Galera wait for nobody.
                if members[one.member_id].tags.get(TAG_DATA) == "patroni":
                    self._ask_to_lead(service, one)
        self._done &= wanted
        for service in self._members:
            now = self._world.clock.now()
            if service in changed or now - self._asked_at.get(service, 0.0) >= MEMBERS_SECONDS:
                self._asked_at[service] = now
                self._start(service, partial(self._ask_members, service))

    def _look(self) -> set[str]:
        """Read what the cloud says of all members; return the services of which it says something new."""
        listed: dict[str, dict[str, Instance]] = {}
        for one in self._world.cloud.instances(TAG_DATA):
            service = one.tags.get(TAG_SERVICE, "")
            if service and (not self._services or service in self._services):
                listed.setdefault(service, {})[one.id] = one
        for service in set(self._services) - set(listed) - set(self._members):
            keepers_of(self._world, service)  # says whose data is kept, where nobody keeps this one's
        if self._is_blind:
            self._say("unread", "", "the cloud is read again")
            self._is_blind = False
        changed: set[str] = set()
        for service in sorted({*listed, *self._members}):
            here = listed.get(service, {})
            members = self._members[service] = {**self._members.get(service, {}), **here}
            for instance_id in tuple(members):
                is_listed = instance_id in here
                state = here[instance_id].state if is_listed else self._state_of_unlisted(instance_id)
                if state == NO_MEMBER:
                    del members[instance_id]
                elif state and self._sight(service, instance_id, state):
                    changed.add(service)
        return changed

    def _state_of_unlisted(self, instance_id: str) -> str:
        """Return what became of a member that is not listed any more; empty for not known."""
        if self._seen[instance_id].state == "terminated":
            return "terminated"
        try:
            now = self._world.cloud.instance(instance_id)
        except NotFound:
            return ""  # an id that is not known is no state
        return now.state if now.state in OFF or TAG_DATA in now.tags else NO_MEMBER

    def _sight(self, service: str, instance_id: str, state: str) -> bool:
        """Note what the cloud says of a member; return whether that is new."""
        before = self._seen.get(instance_id)
        self._seen[instance_id] = before.then(state) if before else Sighting(state)
        is_new = before is None or before.state != state
        if is_new and (before or state != "running"):
            self._say("seen", service, f"{instance_id} is {state}", instance_id)
        return is_new

    # Asking -------------------------------------------------------------------------------------------

    def _start(self, key: object, job: Callable[[], None]) -> None:
        """Begin a job, unless the same is under way."""
        if key in self._under_way:
            return
        self._under_way.add(key)

        def to_the_end() -> None:
            try:
                job()
            finally:
                self._under_way.discard(key)

        self._beside(to_the_end)

    def _ask_to_lead(self, service: str, wanted: Asking) -> None:
        """Have a member that is left lead, where it was not told to yet."""
        if wanted not in self._done and self._world.clock.now() >= self._not_before.get(wanted, 0.0):
            self._start(wanted, partial(self._have_lead, service, wanted))

    def _have_lead(self, service: str, wanted: Asking) -> None:
        """Ask a member to lead, once the cloud has said again what the other one is."""
        clock, gone, left = self._world.clock, wanted.gone_id, wanted.member_id
        began = clock.now()
        try:
            state = self._world.cloud.instance(gone).state
        except CloudError as error:
            self._not_before[wanted] = clock.now() + AGAIN_SECONDS
            says = f"what {gone} is could not be read again, so nobody was asked to lead"
            self._say("unread", service, says, gone, problem=str(error))
            return
        if state != wanted.state:
            return  # the next round sees it
        self._say("asked", service, f"{left} was asked to lead, for {gone} is {state}", left)
        answer = databases_of(self._world).fail_over(left, gone, is_off=wanted.is_off)
        if answer.problem:
            self._not_before[wanted] = clock.now() + AGAIN_SECONDS
        else:
            self._done.add(wanted)
        says = "; ".join(answer.did) or ("not done" if answer.problem else "another took writes already")
        self._say("answered", service, says, left, clock.now() - began, answer.problem)
        self._asked_at.pop(service, None)  # what they are now is asked in the next round

    def _ask_members(self, service: str) -> None:
        """Ask those who keep a service's data what they are."""
        try:
            keepers = keepers_of(self._world, service)
            ids = tuple(one.id for one in keepers)
            known, kept = self._kept.get(service, ((), None))
            if kept is None or known != ids:
                sharers = tuple(one for one in keepers if TAG_FILES in one.tags)
                layout = layout_carried(self._world, keepers, or_marked=True)
                kept = layout, sharing_carried(self._world, sharers) if sharers else None
                self._kept[service] = (ids, kept)
            wrong = status_of(self._world, service, *kept).wrong
        except NospofError as error:
            wrong = (f"its members could not be asked: {error}",)
        self._judge(service, wrong)

    def _judge(self, service: str, wrong: tuple[str, ...]) -> None:
        """Tell of a service that is out of step for too long, again after as long, and of its return."""
        now, told = self._world.clock.now(), self._told.setdefault(service, Told())
        if not wrong:
            told.out_since = None
            if told.says != IN_STEP:
                self._say("in-step", service, IN_STEP)
            told.says = IN_STEP
            return
        told.out_since = now if told.out_since is None else told.out_since
        if now - told.out_since >= self._patience_seconds:
            told.says, told.out_since = "; ".join(wrong), now
            self._say("out-of-step", service, f"{told.says}. Bring it in step: nospof data rejoin {service}")

    def _say(
        self,
        kind: NoticedKind,
        service: str,
        says: str,
        instance_id: str = "",
        seconds: float = 0.0,
        problem: str = "",
    ) -> None:
        self._tell(Noticed(self._world.clock.now(), kind, service, says, instance_id, seconds, problem))
