"""From a Terraform plan or state to the estate that it describes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from nospof.adapters.iac.terraform.desk import Desk, Draft
from nospof.adapters.iac.terraform.facts import from_arns, subnets_of, without_idle, zones_of
from nospof.adapters.iac.terraform.finishing import FINISHERS
from nospof.adapters.iac.terraform.joins import JOINS
from nospof.adapters.iac.terraform.lines import Lines
from nospof.adapters.iac.terraform.plan import Description, read_plan
from nospof.adapters.iac.terraform.recognise import Form, open_document
from nospof.adapters.iac.terraform.references import References
from nospof.adapters.iac.terraform.resources import Resource
from nospof.adapters.iac.terraform.shape import Malformed
from nospof.adapters.iac.terraform.state import read_shown_state, read_state_3, read_state_4
from nospof.adapters.iac.terraform.tables import TABLE, is_harmless
from nospof.adapters.iac.terraform.uses import uses_of
from nospof.errors import UsageError
from nospof.model.estate import Estate, Item, estate_of, moment_of
from nospof.model.findings import Unread
from nospof.model.item import item_of
from nospof.model.kinds import KINDS

READERS: dict[Form, tuple[str, Callable[[Mapping[str, Any]], Description]]] = {
    "plan": ("terraform plan", read_plan),
    "shown state": ("terraform state", read_shown_state),
    "state 4": ("terraform state", read_state_4),
    "state 3": ("terraform state", read_state_3),
}


def read_terraform(path: Path) -> Estate:
    """Return the estate that a plan or a state describes.

    Args:
        path: the JSON of `terraform show -json`, or a state file.

    Raises:
        UsageError: it is none of these, or a place in it is not what it must be.
    """
    form, document = open_document(path)
    call, read = READERS[form]
    try:
        return estate_from(read(document), call, Lines(path.parent))
    except Malformed as error:
        raise UsageError(f"{path}: {error}") from error


def estate_from(described: Description, call: str, lines: Lines) -> Estate:
    """Return the estate of a description.

    Raises:
        Malformed: a place in it is not what it must be.
    """
    resources = described.resources
    references = References(described.configuration, resources)
    desk = Desk(resources, references, call)
    desk.fill()
    for one in resources:
        if not one.is_data and one.type in JOINS:
            JOINS[one.type](desk, one)
    kept = [one for one in desk.drafts if one.kind not in FINISHERS or FINISHERS[one.kind](desk, one)]
    kept = without_idle([one for one in kept if one.kind in KINDS])
    made = [item_of_draft(draft, call, lines) for draft in kept]
    items = distinct([*made, *zones_of(resources, call), *subnets_of(desk, call)])
    unread = {*described.unread, *desk.unread.values(), *not_understood(resources, call)}
    return estate_of(
        items,
        source=call[:1].upper() + call[1:],
        account=from_arns(resources, 4),
        region=described.region or from_arns(resources, 3),
        read_at=moment_of(described.read_at) or 0.0,
        unread=tuple(sorted(unread, key=lambda one: (one.kind, one.about, one.reason))),
        is_whole=False,
        uses=tuple(uses_of(resources, references, desk, items)),
        assumptions=tuple(dict.fromkeys((*described.assumptions, *sorted(desk.assumptions)))),
    )


def item_of_draft(draft: Draft, call: str, lines: Lines) -> Item:
    """Return the item that a draft became."""
    kind, one = KINDS[draft.kind], draft.resource
    fields = {"Tags": tags_of(one), **draft.fields}
    location = lines.of(one.address)
    if draft.translation.id:
        if "+" not in kind.id and "." not in kind.id:
            fields[kind.id] = draft.id
        return Item(kind, draft.id, fields, call, one.address, location)
    if kind.parent and not isinstance(fields.get(kind.parent), str):
        return Item(kind, one.address, fields, call, one.address, location)  # Nobody can tell whose it is.
    return item_of(kind, fields, call, location)


def tags_of(one: Resource) -> list[dict[str, str]]:
    """Return a resource's tags as AWS lists them; what is not known of them is left out."""
    found: dict[str, str] = {}
    for name in ("tags_all", "tags"):
        tags = one.values.get(name)
        if isinstance(tags, dict):
            found |= {str(key): value for key, value in tags.items() if isinstance(value, str)}
    return [{"Key": key, "Value": found[key]} for key in sorted(found)]


def distinct(items: Iterable[Item]) -> list[Item]:
    """Return the items, one a kind and id: a data source may tell of what is managed here too."""
    found: dict[tuple[str, str], Item] = {}
    for item in items:
        found.setdefault((item.kind.name, item.id), item)
    return list(found.values())


def not_understood(resources: Iterable[Resource], call: str) -> Iterator[Unread]:
    """Yield the resources that may matter and that no table knows."""
    for one in resources:
        is_known = one.type in TABLE or one.type in JOINS or is_harmless(one.type)
        if not one.is_data and not is_known:
            yield Unread(one.type, call, "this kind is not understood", one.address)
