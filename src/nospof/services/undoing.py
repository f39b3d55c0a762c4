"""What has to be known of a run to undo it, read from its journal; and whether it may be undone now."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from nospof.errors import PreconditionFailed, UsageError
from nospof.model.cloud import TAG_SERVICE, TAG_STATE
from nospof.model.cutting_over import Move
from nospof.model.requests import RollbackRequest, UndoRequest
from nospof.model.runs import Run
from nospof.model.sharing import SHARING_PORT
from nospof.planning.data import KEPT_BY, PORTS
from nospof.planning.joining import is_named
from nospof.procedures.cut_over import NOTE
from nospof.procedures.launching import LAUNCH

UNDONE = ("clone", "pair")


def undo_request(run: Run, *, clients_are_back: bool = False, moved_by: str = "") -> UndoRequest:
    """Return the request that undoes a clone or a pair.

    Args:
        run: with its steps.
        clients_are_back: the owner's word.
        moved_by: the run that led names to its balancer, or nothing.

    Raises:
        UsageError: it is of a kind that makes nothing.
        PreconditionFailed: it lives, may live elsewhere, or changed nothing.
    """
    if run.procedure not in UNDONE:
        raise UsageError(
            f"{run.id} is a {run.procedure}: it makes nothing that stays, so there is nothing to undo"
        )
    refuse_now(run)
    seen: dict[str, Any] = run.steps[0].result or {} if run.steps else {}
    tags: dict[str, str] = (seen.get("source") or {}).get("tags", {})
    found: dict[str, Any] = seen.get("twin") or {}
    steps = ("take the image with the source off", "take the image while the source runs")
    off = next((answer for step in steps if (answer := _recorded(run, step))), {})
    asked, instance_id = run.request, str(run.request["instance_id"])
    is_pair = run.procedure == "pair"
    joined = [one for one in seen.get("behind", ()) if is_named(one["balancer"], asked["balancer"])]
    page = asked["health_path"] if is_pair else asked["path"]
    port = asked["port"]
    if joined:
        port = joined[0]["target"]["port"]
        page = joined[0]["group"]["health_check"]["path"] or page
    return UndoRequest(
        run_id=run.id,
        instance_id=instance_id,
        twin_id=_launched(run) or found.get("id", ""),
        image_id=(off.get("image") or {}).get("id", ""),
        service=service_of_pair(run) if is_pair else "",
        url=asked.get("url", ""),
        port=port,
        path=page,
        answered=(seen.get("answer") or {}).get("status", 0) // 100 == 2,
        service_before=tags.get(TAG_SERVICE, ""),
        state_before=tags.get(TAG_STATE, ""),
        clients_are_back=clients_are_back,
        joined=tuple(one["group"]["arn"] for one in joined),
        moved_by=moved_by,
        ports_opened=_ports_opened(seen),
    )


def rollback_request(run: Run, read_back: Callable[[Any, Any], Any]) -> RollbackRequest:
    """Return the request that leads names back to where they led before a cut-over.

    Args:
        run: with its steps.
        read_back: makes of what the journal has the value of a type that was recorded.

    Raises:
        PreconditionFailed: it lives, may live elsewhere, or changed nothing.
    """
    refuse_now(run)
    noted = next((one.result for one in run.steps if one.name == NOTE), None)
    if not noted:
        raise PreconditionFailed(
            f"{run.id} is not undone: it ended before its first change, so there is nothing to undo. Nothing "
            "was changed."
        )
    moves = read_back(noted, tuple[Move, ...])
    return RollbackRequest(run.id, str(run.request["service"]), moves)


def refuse_now(run: Run) -> None:
    """Refuse to undo a run that lives, may live elsewhere, or changed nothing."""
    reasons = {
        "running": f"it is running; stop it first: nospof runs stop {run.id}",
        "refused": "it was refused before its first change, so there is nothing to undo",
        "elsewhere": "it was begun on another machine, and from here nobody can see whether it still works "
        f"there. When you know that it does not: nospof runs resume {run.id} --take-over",
    }
    if run.state in reasons:
        raise PreconditionFailed(f"{run.id} is not undone: {reasons[run.state]}. Nothing was changed.")


def service_of_pair(run: Run) -> str:
    """Return the name of the service that a pair made."""
    seen: dict[str, Any] = run.steps[0].result or {} if run.steps else {}
    tags: dict[str, str] = (seen.get("source") or {}).get("tags", {})
    named = run.request["service"] or tags.get(TAG_SERVICE) or tags.get("Name")
    return str(named or run.request["instance_id"])


def pair_of_service(service: str, runs: Iterable[Run]) -> str:
    """Return the newest run that made a pair of a service and was not taken back, or nothing.

    Args:
        runs: of the journal, oldest first; pairs with their steps.
    """
    known = tuple(runs)
    back = {one.request["run_id"] for one in known if one.procedure == "undo" and one.state == "done"}
    made = [
        one.id
        for one in known
        if one.procedure == "pair" and one.state != "refused" and one.id not in back
        if service_of_pair(one) == service
    ]
    return next(reversed(made), "")


def mover_of(service: str, runs: Iterable[Run]) -> str:
    """Return the newest run that led a service's names to its balancer and was not taken back, or nothing."""
    known = tuple(runs)
    back = {one.request["run_id"] for one in known if one.procedure == "rollback" and one.state == "done"}
    moved = [
        one
        for one in known
        if one.procedure == "cut-over" and one.request["service"] == service and one.state != "refused"
    ]
    return next((one.id for one in reversed(moved) if one.id not in back), "")


def _recorded(run: Run, step: str) -> dict[str, Any]:
    """Return what a step answered, or nothing where it has no answer."""
    answers = (one.result for one in run.steps if one.name == step and isinstance(one.result, dict))
    return next(answers, {})


def _ports_opened(seen: dict[str, Any]) -> tuple[int, ...]:
    """Return the ports that members of one group could not reach of each other before the run."""
    data, files = seen.get("data"), seen.get("files")
    engine = KEPT_BY.get(data["examined"]["engine"]) if data else None
    wanted = (*(PORTS[engine] if engine else ()), *((SHARING_PORT,) if files else ()))
    group = next(iter((seen.get("source") or {}).get("security_groups", ())), "")
    rules = [rule for facts in (data, files) if facts for rule in facts["inward"]]
    before = {rule["port"] for rule in rules if rule["from_group"] == group}
    return () if 0 in before else tuple(port for port in wanted if port not in before)


def _launched(run: Run) -> str:
    """Return the id of the twin that a run launched, in whichever place had room; nothing where none had."""
    tries = (one.result for one in run.steps if one.name.startswith(LAUNCH) and isinstance(one.result, dict))
    return next((one["instance"]["id"] for one in tries if one.get("instance")), "")
