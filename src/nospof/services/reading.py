"""Read an account into an estate, with as few calls as it takes.

Every kind says which call lists it. What is asked for once for each parent is asked for sixteen at
a time; the estate is put together afterwards in a fixed order, so that it never depends on which
answer came first. A call that fails never becomes an empty answer: what it would have told is
named as unread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from nospof.errors import CloudError
from nospof.model.estate import Estate
from nospof.model.kinds import ASKED, Kind
from nospof.model.kinds.additions import ADDITIONS
from nospof.ports.discovery import Discovery
from nospof.services.reading_plan import MENTIONS, answered_groups, assumptions
from nospof.services.reading_requests import (
    Answer,
    Answers,
    Request,
    requests_for_images,
    requests_of,
    requests_to_add,
    with_addition,
    with_images,
    with_kind,
)

THREADS = 16
"""More would only wait for AWS's token buckets."""
ADDED_IN = 1
"""The wave after the lists that fields are added to."""
IMAGES_IN = 2
"""The wave after all that names images."""


class Watcher(Protocol):
    """Whoever shows a person how far the reading has come; `ports.world.Reporter` is one."""

    def progress(self, says: str, done: float | None = None) -> None:
        """Say how far it is; `done` is the share, 0 to 1."""


@dataclass(frozen=True)
class Errand:
    """Calls that belong together, and what the estate is with their answers."""

    requests: Sequence[Request]
    done: Callable[[Estate, Answers], Estate]


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
            estate = _run(errands(depth, wave, estate), estate, asking)
    finally:
        pool.shutdown(cancel_futures=True)
    items = {name: estate.items[name] for name in ASKED if estate.items.get(name)}
    answered = answered_groups(estate)
    return replace(estate, items=items, assumptions=assumptions(estate), answered=answered)


def waves() -> list[list[Kind]]:
    """Return the kinds in the order they are read: those that need no other, then those that need these."""
    found: list[list[Kind]] = []
    for kind in ASKED.values():
        depth = depth_of(kind)
        found.extend([] for _ in range(depth + 1 - len(found)))
        found[depth].append(kind)
    return [wave for wave in found if wave]


def depth_of(kind: Kind) -> int:
    """Return how many waves come before a kind: its parent's, and those that tell whether it is asked for."""
    earlier = {kind.per} if kind.per else set()
    earlier.update(one.kind for one in MENTIONS.get(kind.name, ()))
    return 1 + max(depth_of(ASKED[one]) for one in earlier) if earlier else 0


def errands(depth: int, wave: Sequence[Kind], estate: Estate) -> list[Errand]:
    """Return what a wave asks for: its kinds, and what is added to kinds that were read before."""
    found = [Errand(requests_of(kind, estate), partial(with_kind, kind)) for kind in wave]
    if depth == ADDED_IN:
        found += [Errand(requests_to_add(one, estate), partial(with_addition, one)) for one in ADDITIONS]
    if depth == IMAGES_IN:
        found.append(Errand(requests_for_images(estate), with_images))
    return found


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
        if answer.error is None or not request.instead:
            return answer
        others = [self._answer(one) for one in request.instead]
        errors = [one.error for one in others if one.error is not None]
        return Answer([page for one in others for page in one.pages], errors[0] if errors else None)


def _run(asked: Sequence[Errand], estate: Estate, asking: _Asking) -> Estate:
    """Return the estate with the answers of all errands, in their order."""
    answers = iter(asking.answers([one for errand in asked for one in errand.requests]))
    for errand in asked:
        estate = errand.done(estate, [(one, next(answers)) for one in errand.requests])
    return estate
