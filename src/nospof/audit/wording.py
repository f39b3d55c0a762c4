"""The titles of findings: each names the resource and the missing thing, not the rule."""

from __future__ import annotations

from fractions import Fraction

from nospof.audit.builder import Service
from nospof.audit.majorities import shortage_says
from nospof.model.topology import Event


def down_title(service: Service, *, is_certain: bool, is_now: bool) -> str:
    """Return the title of "it is down already"."""
    says = "serves nobody" if is_certain else "may serve nobody"
    when = " now" if is_now else " as it is configured"
    return f"{service.entry.service} {says}{when}: {what_is_off(service) or 'nothing can serve it'}"


def what_is_off(service: Service) -> str:
    """Return what is wrong now, in one line."""
    return ", ".join(
        f"{says_of(service, node)} is {state}" for node, state in sorted(service.state_of.items())
    )


def says_of(service: Service, node: str) -> str:
    """Return a node as titles name it: machines by their id, which commands take."""
    found = service.topology.by_name.get(node)
    return node if found is None or found.kind in ("instance", "target") else found.says


def event_title(service: Service, event: Event, view: str, *, is_now: bool) -> str:
    """Return the title of a single point of failure in a view."""
    name = service.entry.service
    if view == "egress":
        return f"{name} reaches nothing outside {upon(event)}"
    if view == "recovery":
        return f"What fails of {name} cannot be replaced {upon(event)}"
    if view == "admin":
        return f"Nobody can watch or manage {name} {upon(event)}"
    if view == "degraded":
        return f"{name} serves less than it should {upon(event)}"
    if is_now:
        return f"{name} has no spare now ({what_is_off(service)}): it stops {upon(event)}"
    return title_of_kind(service, event) or f"{name} stops {upon(event)}"


def title_of_kind(service: Service, event: Event) -> str:
    """Return the title of a single point of failure of which more can be said than its name; else nothing."""
    name = service.entry.service
    if event.kind == "maintenance":
        members = ", ".join(hit_by(service, event.id))
        return f"{event.says} takes {name} down: no other member serves while {members} is out"
    if event.kind == "unread":
        return f"{name} may hang on something unread: {event.says}"
    if event.kind == "zone" and (says := zone_title(service, event)):
        return says
    if says := shortage_says(service, event):
        return f"{name} stops {upon(event)}: {says}"
    return instance_title(service, event) if event.kind == "instance" else ""


def zone_title(service: Service, event: Event) -> str:
    """Return the title of a zone that takes all machines or the only door; else nothing."""
    name = service.entry.service
    if closes_the_door(service, event.id):
        return f"{name} stops {upon(event)}: its balancer is in that zone alone, its members are not"
    if not is_everything_in(service, event.id):
        return ""
    zone = event.id.partition(":")[2]
    where = f"in zone {zone}" if zone else f"in one zone ({event.says})"
    return f"Every machine of {name} is {where}: none is left when it fails"


def instance_title(service: Service, event: Event) -> str:
    """Return the title of a machine that is a single point of failure."""
    name = service.entry.service
    node = service.topology.by_name.get(event.id)
    says = node.says if node else event.says
    if service.members == (event.id,):
        entry = service.entry
        behind = f"the only one behind {entry_says(service)}"
        alone = f"all there is of {name}"
        first = says[:1].upper() + says[1:]
        return f"{first} is {alone if entry.kind == 'instance' else behind}: no second machine"
    return f"{name} stops when {says} fails"


def entry_says(service: Service) -> str:
    """Return what people call the entry of a service."""
    for node, item in service.item_of.items():
        if item.id == service.entry.id and node in service.topology.by_name:
            return service.topology.by_name[node].says.removeprefix("balancer ")
    return service.entry.id


def is_everything_in(service: Service, event_id: str) -> bool:
    """Whether an event hits every machine of the service."""
    nodes = service.topology.by_name
    return bool(service.members) and all(event_id in nodes[member].domains for member in service.members)


def closes_the_door(service: Service, event_id: str) -> bool:
    """Whether an event takes every zone of the balancers, and not all that stands behind them."""
    nodes = service.topology.by_name
    doors = [node for node in service.topology.nodes if node.kind == "balancer zone"]
    spared = bool(service.outside) or any(event_id not in nodes[one].domains for one in service.members)
    return bool(doors) and spared and all(event_id in one.domains for one in doors)


def hit_by(service: Service, event_id: str) -> list[str]:
    """Return the nodes that an event hits as a shared domain."""
    return sorted(node.name for node in service.topology.nodes if event_id in node.domains)


def upon(event: Event) -> str:
    """Return when an event strikes, as the end of a sentence."""
    if event.kind == "certificate":
        return f"when {event.says} expires"
    if event.kind == "spot pool":
        return f"when AWS takes {event.says} back"
    if event.kind in ("maintenance", "unread", "key") or event.starts_at:
        return f"with {event.says}"
    return f"when {event.says} fails"


def share_title(name: str, event: Event, share: Fraction, *, is_blind: bool) -> str:
    """Return the title of a partial outage."""
    why = (
        "the health check does not see it, so clients are still sent there"
        if is_blind
        else "nothing sends them to another part"
    )
    return f"About {round(share * 100)} % of the clients of {name} are lost {upon(event)}: {why}"


def state_title(service: Service, state: str, events: tuple[str, ...], *, is_certain: bool) -> str:
    """Return the title of data with one copy."""
    copies = " or ".join(service.topology.event(event).says for event in events)
    may = "" if is_certain else ", if there is any (nobody looked)"
    return f"One copy of {state}{may}: it is lost with {copies}"


def days_left(moment: float, now: float) -> int:
    """Return the whole days until a moment."""
    return int((moment - now) // 86_400)
