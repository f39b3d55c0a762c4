"""Keys and secrets: what stops when one of them is disabled or deleted.

A disabled key stops no disk that is attached already; it stops the next start (KMS developer guide,
"How unusable KMS keys affect data keys"). A store asks for its key while it runs.
"""

from __future__ import annotations

from nospof.audit.builder import Builder
from nospof.model.estate import Item
from nospof.model.topology import NEVER, UP, Node, Requirement

UNUSABLE = ("Disabled", "PendingDeletion", "PendingImport", "Unavailable", "PendingReplicaDeletion")
STOPS_WITHOUT = ("database", "database cluster", "file system", "search domain")
"""AWS stops what it cannot open, some time after (user guides of RDS, EFS and OpenSearch)."""
KEY_PATHS = {"search domain": "EncryptionAtRestOptions.KmsKeyId"}


def key(b: Builder, item: Item) -> Requirement:
    """A key: AWS keeps it in the whole region; somebody may have taken it out of use."""
    name, state = b.name(item), item.text("KeyState")
    is_off = state in UNUSABLE
    node = Node(name, NEVER if is_off else UP, kind="key", label=f"key {item.label}")
    found = b.add(node, item=item, facts=item.facts("KeyState", "DeletionDate"))
    if is_off:
        b.is_off(name, state)
    return found


def secret(b: Builder, item: Item) -> Requirement:
    """A secret: gone for who asks for it, once somebody has deleted it."""
    is_gone = item.at("DeletedDate") is not None and not item.is_unknown("DeletedDate")
    node = Node(b.name(item), NEVER if is_gone else UP, kind="secret", label=f"secret {item.label}")
    found = b.add(node, item=item, facts=item.facts("DeletedDate"))
    if is_gone:
        b.is_off(found.node, "being deleted")
    return found


def keys(b: Builder) -> None:
    """Let what is encrypted need its key: disks to start again, stores at the day of its deletion."""
    for name in list(b.nodes):
        item = b.service.item_of.get(name)
        used = key_of(b, item) if item is not None else None
        if item is None or used is None or used.text("KeyState") not in UNUSABLE:
            continue
        is_disk = item.kind.name == "volume"
        b.also_needs(name, "recovery", b.of(used))
        if used.text("KeyState") != "PendingDeletion" and item.kind.name in STOPS_WITHOUT:
            says = f"key {used.label} in the state {used.text('KeyState')}: AWS stops {item.label}"
            event = b.event(f"key:{used.id}", "key", says)
            b.change(name, domains=(*b.nodes[name].domains, event))
        day = used.moment("DeletionDate")
        if used.text("KeyState") == "PendingDeletion" and day and not is_disk:
            says = f"deletion of key {used.label}"
            event = b.event(f"deletion:{used.id}", "key deletion", says, day)
            b.change(name, domains=(*b.nodes[name].domains, event))


def key_of(b: Builder, item: Item) -> Item | None:
    """Return the key that something is encrypted with, if it was read."""
    path = KEY_PATHS.get(item.kind.name, "KmsKeyId")
    named = item.text(path) if path in item.kind.paths else ""
    return b.estate.find("key", named) if named else None
