"""Which procedure takes a run back, and what it is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nospof.model.runs import Run
from nospof.services.backups import DISCARDED, discard_request
from nospof.services.procedures import Runs
from nospof.services.undoing import mover_of, rollback_request, service_of_pair, undo_request

SAYS = {
    "undo": "This takes apart what {} made.",
    "rollback": "This leads names back as before {}.",
    "discard": "This takes away what {} made.",
}
"""What each does, for a person who is asked for consent."""


def taking_back(
    runs: Runs, run_id: str, read_back: Callable[[Any, Any], Any], *, clients_are_back: bool = False
) -> tuple[str, Any]:
    """Return the procedure that takes a run back, and its request.

    Args:
        runs: the journal.
        run_id: the run.
        read_back: makes of what the journal has the value of a type that was recorded.
        clients_are_back: the owner's word that no client comes in through the load balancer any more.

    Raises:
        UsageError: there is no such run, or it is of a kind that makes nothing.
        PreconditionFailed: it lives, may live elsewhere, or changed nothing.
    """
    run: Run = runs.run(run_id)
    if run.procedure == "cut-over":
        return "rollback", rollback_request(run, read_back)
    if run.procedure in DISCARDED:
        return "discard", discard_request(run)
    moved_by = mover_of(service_of_pair(run), runs.runs()) if run.procedure == "pair" else ""
    return "undo", undo_request(run, clients_are_back=clients_are_back, moved_by=moved_by)
