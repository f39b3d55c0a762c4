"""Every kind of resource that the audit reads, by name."""

from __future__ import annotations

from nospof.model.kinds.balancing import BALANCING
from nospof.model.kinds.compute import COMPUTE
from nospof.model.kinds.kind import Kind

KINDS: dict[str, Kind] = {kind.name: kind for kind in (*COMPUTE, *BALANCING)}

__all__ = ["KINDS", "Kind"]
