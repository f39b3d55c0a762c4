"""Where an instance stands behind a load balancer that is there already."""

from __future__ import annotations

from dataclasses import dataclass

from nospof.model.answers import Answer
from nospof.model.cloud import Instance, LoadBalancer, Seat, Target, TargetGroup


@dataclass(frozen=True)
class Standing:
    """A place that an instance has behind a balancer.

    Args:
        target: the place itself.
        others: who else is in the group.
        answer: of the instance, asked as the group's check asks.
        entry: of the balancer; None where no listener that can be asked leads to the group by default.
    """

    group: TargetGroup
    balancer: LoadBalancer
    target: Target
    others: tuple[Target, ...]
    answer: Answer
    entry: Answer | None = None

    def seat_of(self, instance: Instance) -> Seat:
        """Return the place that another instance would have beside it."""
        return Seat(self.group.arn, self.group.name, self.target.port, self.group.target_id(instance))

    def accepts(self, answer: Answer) -> bool:
        """Whether another instance answers as the check wants, or, where that only connects, as this one."""
        check = self.group.health_check
        if check.path:
            return check.accepts(answer.status)
        return not self.answer.status or answer.status == self.answer.status
