"""A service's members as they are at this moment."""

from __future__ import annotations

from dataclasses import dataclass

from nospof.model.machine import InFlight


@dataclass(frozen=True)
class SeatSeen:
    """A member in a target group: what the balancer says of it, in AWS's words."""

    group: str
    port: int
    state: str
    reason: str = ""


@dataclass(frozen=True)
class MemberSeen:
    """A member at this moment.

    Args:
        instance_id: which one.
        zone: where it is.
        state: such as "running".
        checks: the cloud's own status checks: "ok", "initializing", "impaired", ...
        seats: where it gets traffic from.
        traffic: what clients have open at its first seat; None where it has none, or nobody can look.
    """

    instance_id: str
    zone: str
    state: str
    checks: str
    seats: tuple[SeatSeen, ...]
    traffic: InFlight | None = None

    @property
    def serves(self) -> bool:
        """Whether it runs, passed the cloud's checks, and is healthy wherever it gets traffic from."""
        return (
            self.state == "running"
            and self.checks == "ok"
            and bool(self.seats)
            and all(one.state == "healthy" for one in self.seats)
        )
