"""The calls that a reading makes, and what their answers become. Nothing is asked here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from nospof.errors import CloudError
from nospof.model.estate import Estate, Item, item_of
from nospof.model.findings import Unread
from nospof.model.kinds import ASKED, Kind
from nospof.model.kinds.additions import Addition
from nospof.model.kinds.kind import rows_of
from nospof.ports.discovery import Page
from nospof.services.reading_plan import is_mentioned, is_wanted, unlisted_images

IMAGES_AT_ONCE = 100
"""Half of what EC2 lets a filter hold."""
IMAGE = ASKED["image"]
GONE = "deregistered"


@dataclass(frozen=True)
class Request:
    """One call: what it is asked with, and for whom; `about` is empty for all of a kind.

    `instead` is asked where the call is refused: others that tell the same.
    """

    call: str
    arguments: Mapping[str, object]
    is_global: bool = False
    about: str = ""
    parent: str = ""
    instead: tuple[Request, ...] = ()


@dataclass
class Answer:
    """The pages that came, and what ended them early, if anything did."""

    pages: list[Page] = field(default_factory=list)
    error: CloudError | None = None


Answers = Sequence[tuple[Request, Answer]]


# What lists a kind ----------------------------------------------------------------------------------------


def requests_of(kind: Kind, estate: Estate) -> list[Request]:
    """Return the calls that list a kind."""
    if not is_mentioned(kind.name, estate):
        return []
    fixed = dict(kind.fixed)
    if not kind.per:
        return [Request(kind.call, fixed, kind.is_global)]
    parents = [one for one in estate.of(kind.per) if is_wanted(kind.name, estate, one)]
    if kind.batch == 1:
        return [
            Request(
                kind.call,
                {**fixed, **passed_by(kind, one), kind.argument: taken_from(kind, one)},
                kind.is_global,
                one.label,
                one.id,
            )
            for one in parents
        ]
    together: dict[tuple[str, ...], list[Item]] = {}
    different = {(*passed_by(kind, one).values(), taken_from(kind, one)): one for one in parents}
    for one in different.values():
        together.setdefault(tuple(passed_by(kind, one).values()), []).append(one)
    return [
        Request(
            kind.call,
            {**fixed, **passed_by(kind, some[0]), kind.argument: [taken_from(kind, one) for one in some]},
            kind.is_global,
            named([one.label for one in some]),
        )
        for same in together.values()
        for some in batches(same, kind.batch)
    ]


def taken_from(kind: Kind, parent: Item) -> str:
    """Return what the call of a kind is asked with, for one parent."""
    return parent.text(kind.takes) if kind.takes else parent.id


def passed_by(kind: Kind, parent: Item) -> dict[str, str]:
    """Return the further arguments that a parent gives to the call of a kind."""
    return {argument: parent.text(path) for argument, path in kind.passes}


def items_of(kind: Kind, answers: Answers) -> tuple[Item, ...]:
    """Return the items that answers tell of, by id; what two pages both tell is one."""
    found: list[Item] = []
    for request, answer in answers:
        for row in (row for page in answer.pages for row in rows_of(page, kind.rows)):
            # A list of names has no fields: the name is the identity.
            fields = dict(row) if isinstance(row, Mapping) else {kind.id: row}
            if kind.parent and request.parent:
                fields.setdefault(kind.parent, request.parent)
            found.append(item_of(kind, fields))
    found.sort(key=lambda one: one.id)
    return tuple(
        one
        for number, one in enumerate(found)
        if not number or (found[number - 1].id, found[number - 1].fields) != (one.id, one.fields)
    )


def with_kind(kind: Kind, estate: Estate, answers: Answers) -> Estate:
    """Return the estate with what the calls of a kind have told."""
    unread = unread_of(kind.plural, kind.action or kind.call, answers)
    items = {**estate.items, kind.name: items_of(kind, answers)}
    return replace(estate, items=items, unread=(*estate.unread, *unread))


# What adds a field ----------------------------------------------------------------------------------------


def requests_to_add(addition: Addition, estate: Estate) -> list[Request]:
    """Return the calls that add a field to the items of a kind: one index, where one batch is too few."""
    each = tuple(
        Request(
            addition.call,
            {addition.argument: [one.id for one in some]},
            about=named([one.label for one in some]),
        )
        for some in batches(estate.of(addition.kind), addition.batch)
    )
    if addition.index is None or len(each) <= 1:
        return list(each)
    return [Request(addition.index.call, dict(addition.index.fixed), instead=each)]


def with_addition(addition: Addition, estate: Estate, answers: Answers) -> Estate:
    """Return the estate with the field that the calls of an addition have told."""
    sources = [(addition.rows, addition.key)]
    if addition.index is not None:
        sources.append((addition.index.rows, addition.index.key))
    told = {
        str(row.get(key)): row.get(addition.field)
        for _, answer in answers
        for page in answer.pages
        for rows, key in sources
        for row in rows_of(page, rows)
    }
    items = tuple(
        one.with_fields(**{addition.field: told[one.id]}) if one.id in told else one
        for one in estate.of(addition.kind)
    )
    unread = unread_of(addition.what, addition.action, answers)
    return replace(estate, items={**estate.items, addition.kind: items}, unread=(*estate.unread, *unread))


# Images of others -----------------------------------------------------------------------------------------


def requests_for_images(estate: Estate) -> list[Request]:
    """Return the calls that tell of images which are named and are not the account's own.

    A filter passes over what does not exist, where a list of ids would fail as a whole. Deprecated
    images can still be launched, so they are asked for by name.
    """
    return [
        Request(
            IMAGE.call,
            {
                "Filters": [{"Name": "image-id", "Values": list(some)}],
                "IncludeDeprecated": True,
                "IncludeDisabled": True,
            },
            about=named(some),
        )
        for some in batches(unlisted_images(estate), IMAGES_AT_ONCE)
    ]


def with_images(estate: Estate, answers: Answers) -> Estate:
    """Return the estate with images of others; what a whole answer lacks cannot be launched any more."""
    found = {one.id: one for one in items_of(IMAGE, answers)}
    unread = []
    for request, answer in answers:
        if answer.error is None:
            for key in wanted_images(request):
                found.setdefault(key, item_of(IMAGE, {"ImageId": key, "State": GONE}))
            continue
        one = Unread(IMAGE.plural, IMAGE.call, reason_of(answer.error), request.about)
        if replace(one, about="") not in estate.unread:
            unread.append(one)
    more = [found[key] for key in sorted(found) if estate.find(IMAGE.name, key) is None]
    images = tuple(sorted((*estate.of(IMAGE.name), *more), key=lambda one: one.id))
    return replace(estate, items={**estate.items, IMAGE.name: images}, unread=(*estate.unread, *unread))


def wanted_images(request: Request) -> list[str]:
    """Return the ids that a call asks for."""
    return [str(key) for key in rows_of(request.arguments, "Filters.Values")]


# What was not told ----------------------------------------------------------------------------------------


def unread_of(what: str, operation: str, answers: Answers) -> list[Unread]:
    """Return what was not answered: in one line where all of it failed in the same way."""
    found = [
        Unread(what, operation, reason_of(answer.error), one.about)
        for one, answer in answers
        if answer.error is not None
    ]
    same = {(one.operation, one.reason) for one in found}
    return [replace(found[0], about="")] if len(same) == 1 and len(found) == len(answers) else found


def reason_of(error: CloudError) -> str:
    """Return why a call was not answered, in a word where there is one."""
    return error.code or str(error)


def batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Yield parts of a sequence, each of at most so many."""
    return (items[start : start + size] for start in range(0, len(items), size))


def named(names: Sequence[str]) -> str:
    """Return the first name, and how many more there are."""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more}"
