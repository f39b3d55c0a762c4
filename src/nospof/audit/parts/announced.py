"""What is announced for stores, and what may use them: dates, and questions for a person."""

from __future__ import annotations

from nospof.audit.builder import Builder
from nospof.audit.windows import day
from nospof.model.estate import Item
from nospof.model.topology import names_in

SOON_SECONDS = 180 * 86_400
"""A certificate of a database that lasts longer is no news."""


def announce_stores(b: Builder) -> None:
    """Let announced maintenance hit a database's first copy, and an old certificate all who check it."""
    for name in list(b.nodes):
        item = b.service.item_of.get(name)
        if item is None or item.kind.name not in ("database", "database cluster") or name != b.name(item):
            continue
        forced_maintenance(b, name, item)
        old_certificate(b, name, item)


def forced_maintenance(b: Builder, name: str, item: Item) -> None:
    """Let AWS's forced date hit what serves now; a standby is taken first and then takes over."""
    pending = next((one for key in item.keys if (one := b.estate.find("pending maintenance", key))), None)
    for row in pending.rows("PendingMaintenanceActionDetails") if pending else ():
        at = row.moment("ForcedApplyDate")
        hit = f"{name} copy 1" if f"{name} copy 1" in b.nodes else name
        if at is None:
            continue
        says = f"{row.text('Action')} of {item.says}, which AWS applies on {day(at)}"
        event = b.event(f"forced:{item.id}:{row.text('Action')}", "forced maintenance", says, at)
        b.change(hit, domains=(*b.nodes[hit].domains, event))


def old_certificate(b: Builder, name: str, item: Item) -> None:
    """Let the end of a server certificate hit a database, perhaps: only clients that check it notice."""
    path = "CertificateDetails.ValidTill"
    ends = item.moment(path) if path in item.kind.paths else None
    now = b.estate.read_at
    if ends is None or not now or ends - now > SOON_SECONDS:
        return
    says = f"the end of the server certificate of {item.says}"
    event = b.event(f"certificate:{item.id}", "database certificate", says, ends)
    b.change(name, possible_domains=(*b.nodes[name].possible_domains, event))


def doubts(b: Builder) -> None:
    """Ask about every use that the network permits and nothing proves."""
    doubtful = [
        (name, item, use)
        for name, item in b.service.item_of.items()
        for use in b.estate.uses_of(item.id)
        if use.provenance in ("permitted", "guessed")
    ]
    shown = {one for node in b.nodes.values() for one in names_in(node.requirement)} if doubtful else set()
    for name, item, use in doubtful:
        if name in shown:
            b.ask(f"does {item.label} use {use.used_kind} {use.used}? ({use.why})")
