"""The databases in the machines of the in-memory cloud."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from nospof.errors import CloudError
from nospof.model.layout import Applied, Checked, Examined, Layout, MemberState

T = TypeVar("T")


class MemoryDatabases:
    """Implements `ports.databases.Databases`.

    Args:
        cloud: the in-memory cloud, or what stands between it and the procedures.
    """

    def __init__(self, cloud: Any) -> None:
        self._cloud = cloud

    def examine(self, instance_id: str) -> Examined:
        """See the port."""
        try:
            found: Examined = self._cloud.examine_database(instance_id)
        except CloudError as error:
            return Examined(problem=says(error), is_reached=False)
        return found

    def state(self, instance_id: str) -> MemberState:
        """See the port."""
        try:
            found: MemberState = self._cloud.database_state(instance_id)
        except CloudError as error:
            return MemberState(problem=says(error), is_reached=False)
        return found

    def apply(self, instance_id: str, layout: Layout) -> Applied:
        """See the port."""
        return self._done(self._cloud.apply_layout, instance_id, layout)

    def mend(self, instance_id: str, *, undo: bool = False) -> Applied:
        """See the port."""
        return self._done(self._cloud.mend_tables, instance_id, undo=undo)

    def hand_over(self, instance_id: str) -> Applied:
        """See the port."""
        return self._done(self._cloud.hand_over_writes, instance_id)

    def fail_over(self, instance_id: str, gone: str, *, is_off: bool = True) -> Applied:
        """See the port: here another takes over by itself."""
        if self.state(gone).role == "primary":
            return (
                Applied(problem=f"{gone} leads, and answers: it is not gone")
                if is_off
                else self.hand_over(gone)
            )
        return Applied(problem=self.state(instance_id).problem)

    def position(self, instance_id: str) -> Applied:
        """See the port."""
        found = self.state(instance_id)
        did = () if found.problem else (found.position,)
        return Applied(did, found.problem, found.is_reached)

    def rest(self, instance_id: str, rest_id: str, seconds: int) -> Applied:
        """See the port."""
        return self._done(self._cloud.rest_database, instance_id, rest_id, seconds)

    def wake(self, instance_id: str, rest_id: str) -> Applied:
        """See the port."""
        return self._done(self._cloud.wake_database, instance_id, rest_id)

    def bootstrap(self, instance_id: str) -> Applied:
        """See the port."""
        return self._done(self._cloud.bootstrap_cluster, instance_id)

    def check(self, instance_id: str, tables: Sequence[str] = ()) -> Checked:
        """See the port."""
        try:
            found: Checked = self._cloud.check_tables(instance_id)
        except CloudError as error:
            return Checked(problem=says(error), is_reached=False)
        return replace(found, tables=tuple(one for one in found.tables if not tables or one.name in tables))

    def several(self, ask: Callable[[str], T], instance_ids: Sequence[str]) -> tuple[T, ...]:
        """See the port."""
        return tuple(map(ask, instance_ids))

    def _done(self, act: Any, *arguments: Any, **options: Any) -> Applied:
        try:
            done: Applied = act(*arguments, **options)
        except CloudError as error:
            return Applied(problem=says(error), is_reached=False)
        return done


def says(error: CloudError) -> str:
    """Return why a call gave nothing."""
    return f"{error.operation}: {error.code}"
