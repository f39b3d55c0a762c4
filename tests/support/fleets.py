"""Pairs on the reference cloud, somebody who watches over their maintenance, and turns told in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from nospof.adapters.memory import MemoryCloud
from nospof.errors import NospofError
from nospof.model.news import EndedTurn, News
from nospof.model.requests import PairRequest, TakeRequest
from nospof.model.runs import Run, RunStep
from nospof.model.window import window_of
from nospof.planning.upkeep import Cap, Policy
from nospof.procedures.maintain import take
from nospof.procedures.pair import pair
from nospof.runtime.memory import Killed, MemorySteps
from nospof.services.maintaining import MaintenanceWatch
from nospof.services.turns import Wishes
from nospof.services.watching import at_once
from support.memory_world import memory_world, one_instance

HOUR, DAY = 3600.0, 86_400.0
WINDOW = "daily 02:00-05:00"
PLACE = "123456789012/eu-central-1"


class ToldTurns:
    """Turns that are told in memory when the test says so; its journal is `runs`.

    Args:
        through: stands between a turn and the cloud.
    """

    def __init__(self, cloud: MemoryCloud) -> None:
        self._cloud = cloud
        self.through: Any = None
        self.die_at = ""
        self._pending: dict[str, MemorySteps] = {}
        self._ended: list[EndedTurn] = []
        self._steps: dict[str, MemorySteps] = {}
        self.journal: dict[str, Run] = {}
        self.begun: list[str] = []

    @property
    def under_way(self) -> Sequence[str]:
        return (*self._pending, *(one.instance_id for one in self._ended))

    def begin(self, instance_id: str) -> None:
        self.begun.append(instance_id)
        self._pending[instance_id] = MemorySteps(f"take-{len(self.begun)}")
        self._note(instance_id, self._pending[instance_id], "running")

    def resume(self, run_id: str, instance_id: str) -> None:
        steps = self._steps[run_id]
        self._pending[instance_id] = steps
        self._note(instance_id, steps, "running")

    def ended(self) -> Sequence[EndedTurn]:
        found, self._ended = self._ended, []
        return found

    def tell(self) -> None:
        """Tell all that were begun, one after the other."""
        for instance_id, steps in tuple(self._pending.items()):
            del self._pending[instance_id]
            self._ended.append(self._told(instance_id, steps))

    def give_way(self, instance_id: str, says: str, step: str) -> None:
        """Have a turn end as the real one does that finds another run's mark right after its own."""
        steps = self._pending.pop(instance_id)
        self._note(instance_id, steps, "failed", says)
        run = self.journal[steps.token]
        self.journal[steps.token] = replace(run, steps=(replace(run.steps[-1], name=step),))
        self._ended.append(EndedTurn(instance_id, steps.token, "failed", says, step))

    def _told(self, instance_id: str, steps: MemorySteps) -> EndedTurn:
        steps.die_at, self.die_at = self.die_at, ""
        try:
            steps.tell(take, memory_world(self._cloud, self.through), TakeRequest(instance_id))
        except Killed:
            self._note(instance_id, steps, "interrupted")
            return EndedTurn(instance_id, "", "failed", "its process was killed by signal 9")
        except NospofError as error:
            how = "failed" if steps.has_changed_something else "refused"
            self._note(instance_id, steps, how, str(error))
            return EndedTurn(instance_id, steps.token, how, str(error))  # type: ignore[arg-type]
        self._note(instance_id, steps, "done")
        return EndedTurn(instance_id, steps.token, "done", f"{instance_id} is back in its service")

    def _note(self, instance_id: str, steps: MemorySteps, state: Any, error: str = "") -> None:
        self._steps[steps.token] = steps
        recorded = [RunStep(number, name, 0.0, 0.0) for number, name in enumerate(steps.names, 1)]
        if error:
            recorded.append(RunStep(len(recorded) + 1, "the step that failed", 0.0, 0.0, error))
        now, request = self._cloud.clock.now(), {"instance_id": instance_id}
        run = Run(steps.token, "take", request, state, now, now, error, steps=tuple(recorded), place=PLACE)
        self.journal[steps.token] = run

    # The journal, as the watch reads it.

    def runs(self) -> tuple[Run, ...]:
        return tuple(replace(one, steps=()) for one in self.journal.values())

    def run(self, run_id: str) -> Run:
        return self.journal[run_id]


class Fleet:
    """Pairs called www, shop and so on; each has a window unless none is given."""

    def __init__(self, *names: str, window: str = WINDOW, **policy: Any) -> None:
        self.cloud = one_instance()
        self.pairs: dict[str, tuple[str, str]] = {}
        for number, name in enumerate(names or ("www",)):
            first = self.cloud.the_instance if number == 0 else self.cloud.add_instance(tags={"Name": name})
            asked = PairRequest(first.id, service=name, stateless=True)
            made = MemorySteps(f"pair-{name}").tell(pair, memory_world(self.cloud), asked)
            self.pairs[name] = (made.members[0], made.members[1])
        self.windows = {name: window_of(window) for name in self.pairs} if window else {}
        self.policy = Policy(**{"windows": self.windows, "cap": Cap(9), **policy})
        self.turns, self.told = ToldTurns(self.cloud), list[News]()
        self.watch = self.another()

    def another(
        self, *, turns: ToldTurns | None = None, through: Any = None, **wishes: Any
    ) -> MaintenanceWatch:
        """Return another watch over the same."""
        mine = turns or self.turns
        journal = (mine, lambda _run_id: nullcontext(True))
        world = memory_world(self.cloud, through)
        return MaintenanceWatch(
            world, Wishes(self.policy, **wishes), self.told.append, mine, journal, at_once
        )

    def until(self, hour: float, day: int = 0) -> None:
        """Let the time come: an hour of the day that is on, or of one after it."""
        now = self.cloud.clock.now()
        begins = now - now % DAY + day * DAY + hour * HOUR
        self.cloud.clock.sleep(max(0.0, begins - now))

    def night(self, rounds: int = 12, after: Callable[[], None] = lambda: None) -> None:
        """Make rounds, each a minute after the last; turns that were begun are told in between."""
        for _ in range(rounds):
            self.watch.round()
            after()
            self.turns.tell()
            self.watch.collect()
            self.cloud.clock.sleep(60)

    def kinds(self, *left_out: str) -> list[str]:
        return [one.kind for one in self.told if one.kind not in left_out]

    def says(self, kind: str) -> list[str]:
        return [one.says for one in self.told if one.kind == kind]

    def healthy(self, service: str) -> int:
        (group,) = [one for one in self.cloud.target_groups() if one.tags.get("nospof:service") == service]
        return sum(one.is_healthy for one in self.cloud.targets(group.arn))
