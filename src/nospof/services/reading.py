"""Read an account into an estate, with as few calls as it takes.

Every kind says which call lists it. What is asked for once for each parent is asked for sixteen at
a time; the estate is put together afterwards in a fixed order, so that it never depends on which
answer came first. A call that fails never becomes an empty answer: what it would have told is
named as unread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from nospof.errors import CloudError
from nospof.model.estate import Estate, Item, item_of
from nospof.model.findings import Unread
from nospof.model.kinds import ASKED, Kind
from nospof.model.kinds.additions import ADDITIONS, Addition
from nospof.ports.discovery import Discovery, Page
from nospof.services.reading_plan import assumptions, is_wanted, merged

THREADS = 16
"""More would only wait for AWS's token buckets."""


class Watcher(Protocol):
    """Whoever shows a person how far the reading has come; `ports.world.Reporter` is one."""

    def progress(self, says: str, done: float | None = None) -> None:
        """Say how far it is; `done` is the share, 0 to 1."""


@dataclass(frozen=True)
class Request:
    """One call: what it is asked with, and for whom; `about` is empty for all of a kind."""

    call: str
    arguments: Mapping[str, object]
    is_global: bool = False
    about: str = ""
    parent: str = ""


@dataclass
class Answer:
    """The pages that came, and what ended them early, if anything did."""

    pages: list[Page] = field(default_factory=list)
    error: CloudError | None = None


def read_estate(discovery: Discovery, read_at: float, watcher: Watcher | None = None) -> Estate:
    """Return everything that the audit rests on; what cannot be read is named in `unread`.

    Args:
        discovery: the account and region; only read.
        read_at: now, seconds since the epoch.
        watcher: is told how far it is.

    Raises:
        CloudError: not even who is asking could be read.
    """
    identity = discovery.identity()
    estate = Estate(discovery.source, identity.account, identity.region, read_at)
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="reading")
    try:
        asking = _Asking(discovery, pool, watcher)
        for depth, wave in enumerate(waves()):
            estate = _read_wave(wave, ADDITIONS if depth == 1 else (), estate, asking)
    finally:
        pool.shutdown(cancel_futures=True)
    items = {name: estate.items[name] for name in ASKED if estate.items.get(name)}
    return replace(estate, items=items, assumptions=assumptions(estate))


def waves() -> list[list[Kind]]:
    """Return the kinds in the order they are read: those that need no parent, their children, and so on."""
    found: list[list[Kind]] = []
    for kind in ASKED.values():
        depth, parent = 0, kind.per
        while parent:
            depth, parent = depth + 1, ASKED[parent].per
        found.extend([] for _ in range(depth + 1 - len(found)))
        found[depth].append(kind)
    return [wave for wave in found if wave]


def requests_of(kind: Kind, estate: Estate) -> list[Request]:
    """Return the calls that list a kind."""
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
    for one in parents:
        together.setdefault(tuple(passed_by(kind, one).values()), []).append(one)
    return [
        Request(
            kind.call,
            {**fixed, **passed_by(kind, some[0]), kind.argument: [taken_from(kind, one) for one in some]},
            kind.is_global,
            _named(some),
        )
        for same in together.values()
        for some in _batches(same, kind.batch)
    ]


def taken_from(kind: Kind, parent: Item) -> str:
    """Return what the call of a kind is asked with, for one parent."""
    return parent.text(kind.takes) if kind.takes else parent.id


def passed_by(kind: Kind, parent: Item) -> dict[str, str]:
    """Return the further arguments that a parent gives to the call of a kind."""
    return {argument: parent.text(path) for argument, path in kind.passes}


def rows_of(page: Page, path: str) -> list[Any]:
    """Return the records of an answer; lists on the way are flattened."""
    found: list[Any] = [page]
    for part in path.split(".") if path else ():
        found = [one.get(part) for one in found if isinstance(one, Mapping)]
        found = [each for one in found for each in (one if isinstance(one, (list, tuple)) else [one])]
    return [one for one in found if one is not None]


class _Asking:
    """Asks several calls at once and keeps count of them."""

    def __init__(self, discovery: Discovery, pool: ThreadPoolExecutor, watcher: Watcher | None) -> None:
        self._discovery = discovery
        self._pool = pool
        self._watcher = watcher
        self._asked = 0
        self._done = 0

    def answers(self, requests: Sequence[Request]) -> list[Answer]:
        """Return the answers in the order of the requests."""
        self._asked += len(requests)
        futures: list[Future[Answer]] = [self._pool.submit(self._answer, one) for one in requests]
        for _ in as_completed(futures):
            self._done += 1
            if self._watcher is not None:
                says = f"reading: {self._done} of {self._asked} calls"
                self._watcher.progress(says, self._done / self._asked)
        return [one.result() for one in futures]

    def _answer(self, request: Request) -> Answer:
        answer = Answer()
        try:
            for page in self._discovery.pages(request.call, request.arguments, is_global=request.is_global):
                answer.pages.append(page)
        except CloudError as error:
            answer.error = error
        return answer


def _read_wave(
    wave: Sequence[Kind], additions: Sequence[Addition], estate: Estate, asking: _Asking
) -> Estate:
    """Return the estate with the kinds of a wave, and with what is added to kinds it has already."""
    asked: list[tuple[Kind | Addition, list[Request]]] = [(kind, requests_of(kind, estate)) for kind in wave]
    asked += [(addition, requests_to_add(addition, estate)) for addition in additions]
    answers = iter(asking.answers([one for _, requests in asked for one in requests]))
    items = dict(estate.items)
    unread = list(estate.unread)
    for what, requests in asked:
        mine = [(one, next(answers)) for one in requests]
        if isinstance(what, Addition):
            rows = [row for _, answer in mine for page in answer.pages for row in rows_of(page, what.rows)]
            items[what.kind] = merged(items.get(what.kind, ()), what, rows)
            unread += unread_of(what.what, what.action, mine)
        else:
            items[what.name] = items_of(what, mine)
            unread += unread_of(what.plural, what.action or what.call, mine)
    return replace(estate, items=items, unread=tuple(unread))


def requests_to_add(addition: Addition, estate: Estate) -> list[Request]:
    """Return the calls that add a field to the items of a kind."""
    return [
        Request(addition.call, {addition.argument: [one.id for one in some]}, about=_named(some))
        for some in _batches(estate.of(addition.kind), addition.batch)
    ]


def items_of(kind: Kind, answers: Sequence[tuple[Request, Answer]]) -> tuple[Item, ...]:
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


def unread_of(what: str, operation: str, answers: Sequence[tuple[Request, Answer]]) -> list[Unread]:
    """Return what was not answered: in one line where all of it failed in the same way."""
    found = [
        Unread(what, operation, answer.error.code or str(answer.error), one.about)
        for one, answer in answers
        if answer.error is not None
    ]
    same = {(one.operation, one.reason) for one in found}
    return [replace(found[0], about="")] if len(same) == 1 and len(found) == len(answers) else found


def _batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _named(items: Sequence[Item]) -> str:
    more = f" and {len(items) - 1} more" if len(items) > 1 else ""
    return f"{items[0].label}{more}"
