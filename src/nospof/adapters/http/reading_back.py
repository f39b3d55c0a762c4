"""Reads a load's writes back: every id that a page shows, or nothing at all."""

from __future__ import annotations

import re
import ssl

from nospof.adapters.http.probe import HttpProbe
from nospof.errors import NospofError
from nospof.model.drill import LoadSpec

TIMEOUT_SECONDS = 20.0
MAX_BODY_BYTES = 64 << 20


def read_back(spec: LoadSpec, url: str, *, verify: bool = True) -> tuple[str, ...]:
    """Return the ids of a load's writes that a page shows, each as often as it shows it.

    Raises:
        NospofError: the page could not be read whole.
    """
    if spec.writes is None:
        raise ValueError("the requests of this load were no writes")
    tls = ssl.create_default_context(cafile=spec.ca_file) if spec.ca_file else None
    probe = HttpProbe(tls, max_body_bytes=MAX_BODY_BYTES)
    answer = probe.get(url, host=spec.host, verify=verify, timeout_seconds=TIMEOUT_SECONDS)
    if answer.status != 200:
        raise NospofError(f"{url} answers {answer.says}: that is no list of writes")
    if len(answer.body) >= MAX_BODY_BYTES:
        raise NospofError(f"{url} answers more than {MAX_BODY_BYTES >> 20} MiB: it was not read to its end")
    whole = re.compile(rf"(?<![A-Za-z0-9-]){re.escape(spec.writes.prefix)}-[0-9]+(?![0-9])")
    return tuple(whole.findall(answer.body))
