"""Look inside machines and make items of what they answer."""

from __future__ import annotations

from collections.abc import Sequence

from nospof.model.findings import Unread
from nospof.model.item import Item, item_of
from nospof.model.kinds.inside import INSIDE
from nospof.ports.machine import Machines
from nospof.services.reading import Watcher

MACHINE = INSIDE[0]


def probe_machines(
    machines: Machines, instance_ids: Sequence[str], watcher: Watcher | None = None
) -> tuple[tuple[Item, ...], tuple[Unread, ...]]:
    """Return an item for each machine that answered, by id, and the others with what kept them from it.

    Args:
        machines: who runs the probe.
        instance_ids: the machines; each is asked once.
        watcher: is told how far it is.
    """
    wanted = len(set(instance_ids))
    found: list[Item] = []
    unread: list[Unread] = []
    for done, looked in enumerate(machines.look(instance_ids), 1):
        if looked.document is not None:
            found.append(item_of(MACHINE, {**looked.document, MACHINE.id: looked.instance_id}))
        else:
            unread.append(Unread(MACHINE.plural, looked.operation, looked.problem, looked.instance_id))
        if watcher is not None:
            watcher.progress(f"looking inside: {done} of {wanted} machines", done / wanted)
    found.sort(key=lambda one: one.id)
    unread.sort(key=lambda one: one.about)
    return tuple(found), tuple(unread)
