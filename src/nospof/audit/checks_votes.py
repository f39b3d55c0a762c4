"""Data that several machines keep: writes that a failover loses, clients that stay with one member."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import cast

from nospof.audit.builder import Service
from nospof.audit.contents import seen
from nospof.audit.parts.inside import DATA_PORTS, holder_of, look_of
from nospof.audit.parts.votes import LAID_OUT, is_among_members, is_laid_out, layout_in
from nospof.model.estate import Estate, Item, Record
from nospof.model.findings import Finding
from nospof.model.layout import TAG_DATA

DIRECT = "direct:"
"""Begins the event of a finding about a client that asks one member itself."""
LOSSY = "lossy:"
"""Begins the event of a finding about writes that a failover loses."""


def vote_checks(_estate: Estate, service: Service) -> list[Finding]:
    """Return the findings about databases that several machines keep that are no cuts."""
    estate = cast(Estate, service.watched)
    found: list[Finding] = []
    waits: dict[str, dict[str, Item]] = {}
    for member in service.members:
        item = service.item_of.get(member)
        look = look_of(estate, item.id) if item is not None and item.kind.name == "instance" else None
        if item is None or look is None:
            continue
        for one in look.rows("engines.found"):
            if who := taken_over(estate, item, look, one):
                waits.setdefault(who, {}).setdefault(one.text("synchronous"), look)
        found += direct(estate, service, look)
        found += unmarked(service, item, look)
    return [*losing(service, waits), *found]


def losing(service: Service, waits: Mapping[str, Mapping[str, Item]]) -> Iterator[Finding]:
    """Yield the finding that a failover may lose what was acknowledged: nothing waits for a copy (C88).

    Args:
        service: the service.
        waits: by what is taken over: "on", "off" or nothing, and a look that found it.
    """
    for who, said in waits.items():
        told = "off" if "off" in said else ""
        if "on" in said and not told:
            continue
        about = about_look(
            service, said[told], f"{LOSSY}{who}", "engines.found.synchronous", told or "(not told)"
        )
        if told:
            title = f"A failover of {who} loses acknowledged writes: none waits until another machine has it"
            yield replace(about, rule="NSP307", title=title, severity="medium")
        else:
            title = f"A failover of {who} may lose acknowledged writes: whether they wait could not be told"
            asked = f"is synchronous_mode on for {who}?"
            yield replace(about, rule="NSP307", title=title, confidence="possible", would_settle=asked)


def taken_over(estate: Estate, item: Item, look: Item, engine: Record) -> str:
    """Return what people call a PostgreSQL that others may take over; empty for other servers."""
    if engine.text("engine") != "postgresql":
        return ""
    cluster = layout_in(look)
    if cluster is not None and is_laid_out(look, engine):
        return cluster.label if len(cluster.members) > 1 else ""
    if engine.text("group") == "patroni":
        return f"the PostgreSQL of {look.id} (Patroni)"
    standbys = standbys_of(estate, item) if engine.text("synchronous") else []
    return f"the PostgreSQL of {look.id} to {' or '.join(standbys)}" if standbys else ""


def standbys_of(estate: Estate, item: Item) -> list[str]:
    """Return the machines that were seen to follow the PostgreSQL of a machine."""
    keys = [one for one in item.keys if one]
    return sorted(
        look.id
        for look in estate.where("machine", "engines.found.peers", *keys)
        if any(is_standby(one, keys) for one in look.rows("engines.found")) and look.id != item.id
    )


def is_standby(engine: Record, keys: list[str]) -> bool:
    """Whether a server follows the PostgreSQL of the machine that goes by some keys."""
    is_replica = (engine.text("engine"), engine.text("role")) == ("postgresql", "replica")
    return is_replica and not set(engine.texts("peers")).isdisjoint(keys)


def direct(estate: Estate, service: Service, look: Item) -> Iterator[Finding]:
    """Yield the finding that a client asks one member itself: it stays there when writes move (C91)."""
    told: set[str] = set()
    for one in look.rows("connections.found"):
        address, port = one.text("address"), int(one.number("port") or 0)
        used = holder_of(estate, address, port) if port in DATA_PORTS else None
        beyond = look_of(estate, used.id) if used is not None and used.id != look.id else None
        cluster = layout_in(beyond) if beyond is not None else None
        if used is None or cluster is None or is_among_members(estate, look, used, one):
            continue
        who = one.text("process") or "a process"
        event = f"{DIRECT}{look.id}:{who}:{used.id}"
        if event in told:
            continue
        told.add(event)
        about = about_look(service, look, event, "connections.found.address", f"{address}:{port}")
        title = f"{who} of {look.id} asks {used.id} itself, a member of {cluster.label}"
        yield replace(
            about, rule="NSP408", title=f"{title}: it stays there when writes move", severity="medium"
        )


def unmarked(service: Service, item: Item, look: Item) -> Iterator[Finding]:
    """Yield the finding that marks say what a look inside found to be otherwise."""
    says = item.tags.get(TAG_DATA, "")
    if says in LAID_OUT and look.text("votes.status") == "none":
        about = about_look(service, look, f"marked:{look.id}", "votes.status", "none")
        title = f"{item.id} is marked {TAG_DATA}={says}, and a look inside found no layout: it keeps it alone"
        yield replace(about, rule="NSP301", title=title, severity="medium")


def about_look(service: Service, look: Item, event: str, field: str, value: str) -> Finding:
    """Return a finding of what a look found, still without a rule and a title."""
    return Finding(
        "",
        service.entry.service,
        "",
        event,
        "low",
        members=(look.id,),
        view="data",
        facts=(seen(look, field, value),),
    )
