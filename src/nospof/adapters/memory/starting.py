"""Starts that the in-memory cloud makes by itself, and the roles as which it makes them."""

from __future__ import annotations

from nospof.adapters.memory.account import refused, serves
from nospof.adapters.memory.machines import Machines
from nospof.model.plans import PlannedCall
from nospof.model.starts import SCHEDULER, Role, ScheduledStart

AGAIN_SECONDS = 60.0
"""A start that is refused is tried again, as AWS does for a day."""


class Starting(Machines):
    """The part of the port that schedules starts. `add_role` makes the role they need."""

    def _set_up(self, zone_count: int) -> None:
        super()._set_up(zone_count)
        self._roles: dict[str, Role] = {}
        self._powerless: set[str] = set()
        self.starts: dict[str, ScheduledStart] = {}

    def add_role(
        self, name: str = "nospof-dead-man", trusts: tuple[str, ...] = (SCHEDULER,), *, may_start: bool = True
    ) -> Role:
        """Make a role that may start instances, or may not."""
        made = Role(f"arn:aws:iam::{self.account_id}:role/{name}", trusts)
        self._roles[name] = made
        (self._powerless.discard if may_start else self._powerless.add)(made.arn)
        return made

    @serves("iam:GetRole")
    def role(self, name: str) -> Role:
        """See the port."""
        return self.find(self._roles, name, "iam:GetRole", "NoSuchEntity")

    @serves("iam:SimulatePrincipalPolicy")
    def simulate(self, call: PlannedCall) -> dict[str, bool | None]:
        """See the port."""
        if call.by:
            return dict.fromkeys(call.permissions, call.by not in self._powerless)
        return {action: action not in self._denied for action in call.permissions}

    @serves("scheduler:CreateSchedule", writes=True)
    def schedule_start(self, start: ScheduledStart) -> None:
        """See the port."""
        trusts = {role.arn: role.trusts for role in self._roles.values()}
        if SCHEDULER not in trusts.get(start.role_arn, ()):
            says = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role"
            raise refused("scheduler:CreateSchedule", "ValidationException", says)
        self.starts[start.name] = start
        self.later(start.at - self.now(), lambda: self._start_is_due(start))

    def _start_is_due(self, start: ScheduledStart) -> None:
        if self.starts.get(start.name) != start:
            return  # moved, or taken back
        state = self._instances[start.instance_id].state
        if state == "stopping" or start.role_arn in self._powerless:
            self.later(AGAIN_SECONDS, lambda: self._start_is_due(start))
            return
        del self.starts[start.name]
        if state == "stopped":
            self._boot(start.instance_id)

    @serves("scheduler:DeleteSchedule", writes=True)
    def cancel_start(self, name: str) -> None:
        """See the port."""
        self.starts.pop(name, None)
