"""Reads a load's writes back: every id that is kept, or nothing at all."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable

from nospof.adapters.http.probe import HttpProbe
from nospof.errors import NospofError
from nospof.model.answers import Answer
from nospof.model.drill import LoadSpec
from nospof.model.writes import ID, WriteSpec

TIMEOUT_SECONDS = 20.0
MAX_BODY_BYTES = 64 << 20
NOT_THERE = (404, 410)


def read_back(
    spec: LoadSpec, url: str, wanted: Iterable[str] = (), *, verify: bool = True
) -> tuple[str, ...]:
    """Return the ids of a load's writes that are kept.

    Args:
        spec: the load.
        url: the page that lists them, or with `{id}` in it the page that is each of them.
        wanted: which to ask for, where each has a page.
        verify: whether the certificate must be trusted.

    Raises:
        NospofError: a page could not be read whole.
    """
    if spec.writes is None:
        raise ValueError("the requests of this load were no writes")
    tls = ssl.create_default_context(cafile=spec.ca_file or None) if url.startswith("https:") else None
    probe = HttpProbe(tls, MAX_BODY_BYTES, "latin-1")

    def ask(page: str) -> Answer:
        answer = probe.get(page, host=spec.host, verify=verify, timeout_seconds=TIMEOUT_SECONDS)
        if answer.status == 200 and len(answer.body) >= MAX_BODY_BYTES:
            raise NospofError(
                f"{page} answers more than {MAX_BODY_BYTES >> 20} MiB: it was not read to its end"
            )
        return answer

    if ID in url:
        return tuple(id_ for id_ in wanted if _is_kept(spec.writes, id_, ask(url.replace(ID, id_))))
    listed = ask(url)
    if listed.status != 200:
        raise NospofError(f"{url} answers {listed.says}: that is no list of writes")
    whole = re.compile(rf"(?<![A-Za-z0-9-]){re.escape(spec.writes.prefix)}-[0-9]+(?![0-9])")
    return tuple(whole.findall(listed.body))


def _is_kept(writes: WriteSpec, id_: str, answer: Answer) -> bool:
    """Whether the page of a write is what was sent. Raises NospofError when that is not known."""
    if answer.status != 200 and answer.status not in NOT_THERE:
        raise NospofError(f"{answer.url} answers {answer.says}: whether it is kept is not known")
    return answer.status == 200 and answer.body == writes.body_of(id_).decode("latin-1")
