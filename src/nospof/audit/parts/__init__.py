"""What each kind of resource needs to serve: one interpreter a kind, and what concerns several."""

from __future__ import annotations

from nospof.audit.builder import Finisher, Interpreter
from nospof.audit.parts.balancing import classic_balancer, load_balancer
from nospof.audit.parts.machines import announce, instance, scaling_group

INTERPRETERS: dict[str, Interpreter] = {
    "instance": instance,
    "auto scaling group": scaling_group,
    "load balancer": load_balancer,
    "classic load balancer": classic_balancer,
}
FINISHERS: tuple[Finisher, ...] = (announce,)

__all__ = ["FINISHERS", "INTERPRETERS"]
