"""What people say that their machines need, as edges of an estate."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from dataclasses import replace

from nospof.errors import UsageError
from nospof.model.estate import Estate, Item, Use
from nospof.model.kinds import KINDS
from nospof.model.settings import Need


def assume(estate: Estate, needs: Iterable[Need]) -> Estate:
    """Return the estate with what people say; each sentence is an assumption of the report.

    Raises:
        UsageError: a name that nothing or more than one thing goes by.
    """
    told = tuple(needs)
    uses = []
    for need in told:
        user, used = named(estate, need.user, need.where), named(estate, need.needs, need.where)
        why = says_of(need)
        uses.append(Use(user.id, used.kind.name, used.id, need.view, "assumed", why))
    says = (f"{says_of(one)}: you said so" for one in told)
    return replace(estate, uses=(*estate.uses, *uses), assumptions=(*estate.assumptions, *says))


def says_of(need: Need) -> str:
    """Return the sentence as people wrote it."""
    return f"{need.user} needs {need.needs}" + (f" ({need.view})" if need.view != "serving" else "")


def named(estate: Estate, name: str, where: str = "", kinds: Collection[str] = KINDS) -> Item:
    """Return the one item of some kinds that goes by an id, an ARN, a name or an address.

    Raises:
        UsageError: none does, or several do.
    """
    at = f"{where}: " if where else ""
    by_key = [item for kind in kinds if (item := estate.find(kind, name))]
    found = by_key or [item for kind in kinds for item in estate.of(kind) if item.label == name]
    if len(found) == 1:
        return found[0]
    if found:
        which = ", ".join(sorted(f"{one.kind.name} {one.id}" for one in found)[:5])
        raise UsageError(f"{at}{name!r} is the name of several things ({which}); use an id or an ARN")
    known = sorted({each for kind in kinds for item in estate.of(kind) for each in (item.id, item.label)})
    near = difflib.get_close_matches(name, known, 1)
    raise UsageError(
        f"{at}nothing that was read goes by {name!r}" + (f"; did you mean {near[0]}?" if near else "")
    )
