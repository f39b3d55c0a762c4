"""Looking inside machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from nospof.model.machine import Looked


class Machines(Protocol):
    """Runs the probe inside machines. Nothing is changed there, so a repeat does no harm."""

    def look(self, instance_ids: Sequence[str]) -> Iterator[Looked]:
        """Yield one answer for each machine, as they come; one that gives none says why.

        No machine's fault is another's, and a refused call is an answer here, not an error.
        """
