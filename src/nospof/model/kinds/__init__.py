"""Every kind of resource that the audit reads, by name."""

from __future__ import annotations

from nospof.model.kinds.balancing import BALANCING
from nospof.model.kinds.capacity import CAPACITY
from nospof.model.kinds.compute import COMPUTE
from nospof.model.kinds.containers import CONTAINERS
from nospof.model.kinds.data import DATA
from nospof.model.kinds.entry import ENTRY
from nospof.model.kinds.inside import INSIDE
from nospof.model.kinds.kind import Kind
from nospof.model.kinds.network import NETWORK
from nospof.model.kinds.recovery import RECOVERY
from nospof.model.kinds.trust import TRUST
from nospof.model.kinds.watching import WATCHING

ASKED: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        *COMPUTE,
        *BALANCING,
        *ENTRY,
        *NETWORK,
        *RECOVERY,
        *DATA,
        *CONTAINERS,
        *TRUST,
        *CAPACITY,
        *WATCHING,
    )
}
"""Those that a call of AWS describes."""
KINDS: dict[str, Kind] = {**ASKED, **{kind.name: kind for kind in INSIDE}}

__all__ = ["ASKED", "KINDS", "Kind"]
