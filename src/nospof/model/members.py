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
        seats: where balancers send it traffic.
        traffic: what clients have open at its first seat; None where it has none, or nobody can look.
    """

    instance_id: str
    zone: str
    state: str
    checks: str
    seats: tuple[SeatSeen, ...]
    traffic: InFlight | None = None

    @property
    def serves(self) -> bool | None:
        """Whether it runs, passed the cloud's checks, and is healthy wherever balancers send it traffic.

        None where it seems well and no balancer asks it: nobody knows, then.
        """
        if self.state != "running" or self.checks != "ok":
            return False
        return all(one.state == "healthy" for one in self.seats) if self.seats else None
