"""What is asked of an estate: which services, what they must survive, what to suppose."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from nospof.audit.builder import Service
from nospof.audit.rates import Rates
from nospof.errors import UsageError
from nospof.model.settings import ServiceWish
from nospof.model.topology import AllOf, Event, Node

SURVIVE = ("host", "rack", "zone")
"""What a service is asked to survive where nobody says otherwise."""
SCOPES = {"host": "one machine or disk", "rack": "one rack", "zone": "one zone", "region": "the region"}
SCOPE_OF_EVENT = {"zone": "zone", "rack": "rack", "region": "region"}
"""How far an event reaches; what is not listed hits one machine or one resource."""


@dataclass(frozen=True)
class Question:
    """What is asked of an estate.

    Args:
        service: a service's name, or the name or id of its entry; empty for all.
        survive: what a service must survive: some of "host", "rack", "zone", "region".
        what_if: changes and failures to suppose, in words (see `suppose`).
        wishes: what is asked of single services.
        rates: how often things fail, and for how long.
        slo: the objective of every service in percent, or None.
        measured: what the monitoring of one service has measured, in percent, or None.
    """

    service: str = ""
    survive: tuple[str, ...] = SURVIVE
    what_if: tuple[str, ...] = ()
    wishes: tuple[ServiceWish, ...] = ()
    rates: Rates = field(default_factory=Rates)
    slo: float | None = None
    measured: float | None = None

    def __post_init__(self) -> None:
        if unknown := [one for one in self.survive if one not in SCOPES]:
            raise UsageError(f"nothing is known of surviving {unknown[0]!r}; choose from {', '.join(SCOPES)}")

    def of(self, service: str) -> Question:
        """Return what is asked of one service: what is said of it alone goes before what is said of all."""
        for wish in self.wishes:
            if wish.name == service:
                survive = tuple(one.strip() for one in wish.scope.split(",")) if wish.scope else self.survive
                slo = self.slo if wish.slo is None else wish.slo
                return replace(self, survive=survive, slo=slo, measured=wish.measured, wishes=(wish,))
        return replace(self, wishes=())

    def asks_about(self, event: Event) -> bool:
        """Whether the service is asked to survive an event."""
        return SCOPE_OF_EVENT.get(event.kind, "host") in self.survive

    @property
    def says(self) -> tuple[str, ...]:
        """What is asked, and what is not."""
        words = {
            "host": "one machine or disk",
            "rack": "one rack",
            "zone": "one zone",
            "region": "the region",
        }
        asked = ", ".join(words[one] for one in SCOPES if one in self.survive)
        region = "" if "region" in self.survive else "the whole region or account, "
        return (
            f"Asked: can the loss of {asked}, or one announced maintenance window, stop it?",
            f"Not asked: {region}AWS's own services beneath, a bad change, overload.",
        )

    def put_to(self, service: Service, region: str) -> Service:
        """Return a service as the question sees it: with its region, with what it cannot serve without."""
        if "region" in self.survive:
            service = in_region(service, region)
        if any(wish.needs_egress for wish in self.wishes):
            service = needing_egress(service)
        return service


def in_region(service: Service, region: str) -> Service:
    """Return the service with its region as something that can fail."""
    topology = service.topology
    event = Event("region", "region", f"region {region}" if region else "the region")
    root = replace(topology.by_name[topology.root], domains=(event.id,))
    nodes = tuple(root if one.name == root.name else one for one in topology.nodes)
    service.topology = replace(topology, nodes=nodes, events=(*topology.events, event))
    return service


def needing_egress(service: Service) -> Service:
    """Return the service with the way out as something that it needs to serve."""

    def moved(node: Node) -> Node:
        out = [extra for view, extra in node.views if view == "egress"]
        if not out:
            return node
        others = tuple(pair for pair in node.views if pair[0] != "egress")
        return replace(node, requirement=AllOf((node.requirement, *out)), views=others)

    nodes = tuple(moved(one) for one in service.topology.nodes)
    service.topology = replace(service.topology, nodes=nodes)
    return service
