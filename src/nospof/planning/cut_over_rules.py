"""What a cut-over is decided on, and the reasons why it must not be made.

Pure: each rule takes facts and raises `PreconditionFailed` or `UsageError` with what to do next.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from nospof.errors import PreconditionFailed, UsageError
from nospof.model.cloud import TAG_SERVICE, Instance, Listener, LoadBalancer, Target, TargetGroup
from nospof.model.cutting_over import Page
from nospof.model.names import HostedZone, Records, says_of
from nospof.model.requests import CutOverRequest

RUN = "cut-over-"
"""What the ids of runs that move names begin with."""
WEB_PORTS = (80, 443)
WILDCARDS = ("*.", "\\052.")
"""As people write it, and as Route 53 gives it out."""
LIKE = 2.0
"""How many times longer one of two pages without a title may be; they may name who served them."""


@dataclass(frozen=True)
class NameFacts:
    """A name, what stands there, and how it is served at its address and through the balancer.

    `zone` is None where no hosted zone of the account could hold it; `open_ports` are those of the web, and
    the members' own, at which the address answers. What is not going to move is not asked.
    """

    name: str
    zone: HostedZone | None
    records: Records = ()
    old: Page | None = None
    new: tuple[Page, ...] = ()
    open_ports: tuple[int, ...] = ()


@dataclass(frozen=True)
class CutOverFacts:
    """Everything the decision rests on, read before it. `zones_left` were too many to be read."""

    balancer: LoadBalancer
    listeners: tuple[Listener, ...]
    group: TargetGroup
    targets: tuple[Target, ...]
    members: tuple[Instance, ...]
    names: tuple[NameFacts, ...]
    zones_left: int = 0

    @property
    def addresses(self) -> dict[str, str]:
        """Who has each public address."""
        return {member.public_ip: member.id for member in self.members if member.public_ip}


def refuse_what_makes_no_sense(request: CutOverRequest) -> None:
    """Refuse a request that cannot be understood, whatever the world looks like."""
    steps = request.steps
    if not steps or list(steps) != sorted({*steps}) or steps[0] < 1 or steps[-1] != 100:
        raise UsageError(
            f"--steps {','.join(map(str, steps))} must rise from 1 or more to 100, such as 10,50,100"
        )
    if not request.path.startswith("/"):
        raise UsageError(f"--path {request.path!r} must begin with /")
    if request.watch_seconds < 1:
        raise UsageError("--watch must be one second or more")


def no_pair(service: str) -> PreconditionFailed:
    """Return the refusal where there is nothing that names could lead to."""
    return PreconditionFailed(
        f"there is no load balancer that nospof made for {service}. Make the pair first: nospof pair "
        f"INSTANCE --service {service}. One that joined a balancer which was there needs no cut-over: its "
        "clients come in through that already. Nothing was changed."
    )


def refuse_what_is_not_whole(facts: CutOverFacts, service: str) -> None:
    """Refuse to lead anybody to a pair that is none: target health decides, not that a page comes (C64)."""
    balancer = facts.balancer
    if balancer.tags.get(TAG_SERVICE) != service:
        raise PreconditionFailed(
            f"the load balancer {balancer.name} is not {service}'s ({TAG_SERVICE}). Nothing was changed."
        )
    if balancer.state != "active":
        raise PreconditionFailed(
            f"the load balancer {balancer.name} is {balancer.state}. Wait until it is active. Nothing was "
            "changed."
        )
    why = not_whole(facts.targets)
    if why:
        raise PreconditionFailed(
            f"{service} is not whole: {why}. Mend that first: nospof runs repair. Nothing was changed."
        )
    if balancer.dns_name.startswith("internal-"):
        raise PreconditionFailed(
            f"the load balancer {balancer.name} is internal: the addresses of {balancer.dns_name} are "
            "private, and clients of a public name would reach nobody. Nothing was changed."
        )
    if not balancer.zone_id:
        raise PreconditionFailed(
            f"the load balancer {balancer.name} names no hosted zone that an alias could lead to. Nothing "
            "was changed."
        )
    if not facts.listeners:
        raise PreconditionFailed(
            f"the load balancer {balancer.name} listens on no port. Make the pair again. Nothing was changed."
        )


def not_whole(targets: tuple[Target, ...]) -> str:
    """Return why members do not stand in for each other, or nothing."""
    sick = [
        f"{one.instance_id} is {one.state}{f' ({one.reason})' if one.reason else ''}"
        for one in targets
        if not one.is_healthy
    ]
    if sick:
        return ", ".join(sick)
    return "" if len(targets) > 1 else f"{len(targets)} member is behind its balancer, and two make a pair"


def why_not(facts: CutOverFacts, one: NameFacts) -> str:
    """Return why a name is not moved, and what moves it; nothing where it can be."""
    balancer = facts.balancer.dns_name
    if one.zone is None:
        return foreign(one.name, balancer)
    if one.name.startswith(WILDCARDS):
        return (
            f"{one.name} stands for many names, and which of them to compare is not known: move it by hand "
            f"to an alias of {balancer}"
        )
    if one.zone.is_private:
        return (
            f"{one.name} stands in the private zone {one.zone.id}: its clients are inside the VPC. Move it "
            f"by hand, when they may come in through {balancer}"
        )
    return why_not_records(facts, one)


def why_not_records(facts: CutOverFacts, one: NameFacts) -> str:
    """Return why what stands at a name cannot be shared between its address and the balancer."""
    balancer = facts.balancer.dns_name
    here = addresses_of(one.records)
    if not here:
        there = says_of(one.records)
        return f"{one.name} has no A record ({there}); where it leads to another name, move that one"
    first = here[0]
    if first.identifier.startswith(RUN):
        run = first.identifier.partition(" ")[0]
        return f"{one.name} is on its way by {run}: nospof runs resume {run}, or back: nospof runs undo {run}"
    if first.alias and first.alias.dns_name.removeprefix("dualstack.") == balancer.lower():
        return f"{one.name} leads to the balancer already"
    if len(here) > 1 or first.identifier or first.beyond:
        return (
            f"{one.name} has a routing policy or more ({says_of(here)}{beyond(here)}): move it by hand to an "
            f"alias of {balancer}"
        )
    if len(first.values) > 1:
        return f"{one.name} has several addresses ({says_of(here)}): move it by hand to {balancer}"
    if not first.values or first.values[0] not in facts.addresses:
        return f"{one.name} leads elsewhere ({says_of(here)}), to no member of the pair"
    if any(record.type == "AAAA" for record in one.records):
        return (
            f"{one.name} has an AAAA record as well: clients that come over IPv6 would stay. Take that away "
            "first, or move both by hand"
        )
    return ""


def addresses_of(records: Records) -> Records:
    """Return the record sets that answer with an IPv4 address."""
    return tuple(record for record in records if record.type == "A")


def beyond(records: Records) -> str:
    """Return the names of fields that are not read here."""
    fields = dict.fromkeys(field for record in records for field in record.beyond)
    return f"; {', '.join(fields)}" if fields else ""


def foreign(name: str, balancer: str) -> str:
    """Return what to do where somebody else serves a name."""
    return (
        f"{name} is in no hosted zone of this account. Where its name servers are (dig +short NS {name}): "
        f"see how long it is remembered (dig {name} A), shorten that to 60 s and wait the old time; then let "
        f"a CNAME lead to {balancer} (at the top of a zone an ALIAS or ANAME, where they have it); the way "
        "back is the old A record"
    )


def refuse_what_serves_otherwise(one: NameFacts, group: TargetGroup, listeners: tuple[Listener, ...]) -> None:
    """Refuse to move a name whose clients would be served something else, or nothing (C60)."""
    old = one.old
    if old is None or not old.status:
        raise PreconditionFailed(
            f"{one.name} could not be asked at its address ({old.says if old else 'no address'}), so nobody "
            "could tell whether the pair serves worse. Run nospof where its clients are. Nothing was changed."
        )
    if old.status >= 400:
        raise PreconditionFailed(
            f"{one.name} answers {old.says} at {old.url} today; choose a page that it serves with --path. "
            "Nothing was changed."
        )
    for new in one.new:
        if not is_like(old, new):
            raise PreconditionFailed(
                f"{one.name} answers {old.says} at {old.url}, and {new.says} through the balancer at "
                f"{new.url}. Mend what differs, or choose another page with --path. Nothing was changed."
            )
    lost = ports_lost(one, listeners)
    only = not set(WEB_PORTS) & set(one.open_ports)
    decisive = [port for port in lost if port in WEB_PORTS or (only and port == group.port)]
    if decisive:
        ports = ", ".join(map(str, decisive))
        raise PreconditionFailed(
            f"{one.name} is served on port {ports} today and the balancer does not listen there: clients "
            "would reach nobody. Add the listener first (nospof pair again with --listener-port; 443 with "
            "--certificate auto). Nothing was changed."
        )


def ports_lost(one: NameFacts, listeners: tuple[Listener, ...]) -> tuple[int, ...]:
    """Return the ports at which a name answers today and the balancer would not."""
    heard = {listener.port for listener in listeners}
    return tuple(port for port in one.open_ports if port not in heard)


def is_like(old: Page, new: Page) -> bool:
    """Whether two answers are to be taken for the same page."""
    if old.status != new.status:
        return False
    if old.location or new.location:
        return where(old.location) == where(new.location)
    if old.title or new.title:
        return old.title == new.title
    short, long = sorted((old.length, new.length))
    return long <= LIKE * short


def where(location: str) -> tuple[str, str]:
    """Return what of a redirect must be the same; a relative one names no host."""
    parts = urlsplit(location)
    return parts.path or "/", parts.query
