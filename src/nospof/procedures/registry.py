"""Every procedure nospof knows: its name, its request, its story, its plan, its promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from nospof.model.applying import ApplyRequest
from nospof.model.backups import BackupRequest, DiscardRequest, RestoreRequest
from nospof.model.maintaining import BackRequest, RunRequest
from nospof.model.plans import Plan
from nospof.model.requests import (
    CloneRequest,
    CutOverRequest,
    DrillRequest,
    PairRequest,
    RejoinRequest,
    RollbackRequest,
    TakeRequest,
    UndoRequest,
)
from nospof.planning.applying import ONE_AFTER_THE_OTHER
from nospof.planning.clone import plan_clone
from nospof.planning.maintaining import ONE_AT_A_TIME
from nospof.planning.moving import plan_cut_over, plan_rollback
from nospof.planning.pair import plan_way_in
from nospof.planning.undo import plan_undo
from nospof.ports.world import World
from nospof.procedures import maintain_back as going_back
from nospof.procedures import maintain_run as running
from nospof.procedures.apply import apply, apply_plan
from nospof.procedures.backup import backup
from nospof.procedures.clone import clone, clone_facts
from nospof.procedures.cut_over import cut_over, cut_over_facts
from nospof.procedures.discard import discard, made_by, plan_discard
from nospof.procedures.drill import drill
from nospof.procedures.maintain import take
from nospof.procedures.pair import clone_for, pair, pair_facts
from nospof.procedures.rehearse import rehearse
from nospof.procedures.rejoin import rejoin
from nospof.procedures.restore_test import try_backup
from nospof.procedures.rollback import rollback, rollback_facts
from nospof.procedures.undo import undo, undo_facts

PLANNED_RUN = "RUN"
"""Stands in a plan where a run's id will stand."""


@dataclass(frozen=True)
class Procedure:
    """A story and what is known about it.

    Args:
        name: what the command line and the journal call it.
        request_type: the frozen request it takes.
        story: `story(steps, world, request)`.
        guarantee: what holds when it ends, however it ends.
        plan: reads and decides without changing anything; None where there is no plan to show yet.
    """

    name: str
    request_type: type[Any]
    story: Callable[..., Any]
    guarantee: str
    plan: Callable[[World, Any], Plan] | None = None


def clone_plan(world: World, request: CloneRequest) -> Plan:
    """Return what a clone would do now, rehearsed."""
    plan = plan_clone(clone_facts(world, request), request, PLANNED_RUN).plan
    return with_unchecked(plan, rehearse(world, plan))


def pair_plan(world: World, request: PairRequest) -> Plan:
    """Return what a pair would do now, rehearsed, with the clone's calls where it needs one."""
    facts = pair_facts(world, request)
    made = plan_way_in(facts, request, PLANNED_RUN)
    plan = made.plan
    if facts.twin is None:
        asked = clone_for(request, facts, made)
        first = plan_clone(clone_facts(world, asked), asked, PLANNED_RUN).plan
        before = tuple(call for one in (made.mounts, made.data) if one for call in one.before)
        plan = replace(
            plan,
            says=f"{first.says}; then {plan.says}",
            guarantee=f"{first.guarantee}; the twin gets no traffic before it passed",
            calls=before + first.calls + plan.calls[len(before) :],
            warnings=first.warnings + plan.warnings,
            expected_seconds_off=first.expected_seconds_off,
            details={**first.details, **plan.details},
            looks=first.looks + plan.looks,
        )
    return with_unchecked(plan, rehearse(world, plan))


def undo_plan(world: World, request: UndoRequest) -> Plan:
    """Return what undoing a run would do now, rehearsed."""
    plan = plan_undo(undo_facts(world, request), request, PLANNED_RUN).plan
    return with_unchecked(plan, rehearse(world, plan))


def cut_over_plan(world: World, request: CutOverRequest) -> Plan:
    """Return what a cut-over would do now, rehearsed."""
    plan = plan_cut_over(cut_over_facts(world, request), request, PLANNED_RUN).plan
    return with_unchecked(plan, rehearse(world, plan))


def discard_plan(world: World, request: DiscardRequest) -> Plan:
    """Return what taking away what a backup made would do now, rehearsed."""
    plan = plan_discard(made_by(world, request.run_id), request.run_id)
    return with_unchecked(plan, rehearse(world, plan))


def rollback_plan(world: World, request: RollbackRequest) -> Plan:
    """Return what leading names back would do now, rehearsed."""
    plan = plan_rollback(rollback_facts(world, request), request).plan
    return with_unchecked(plan, rehearse(world, plan))


def maintain_run_plan(world: World, request: RunRequest) -> Plan:
    """Return what the turns of all members would do now, rehearsed."""
    plan = running.plan_of(running.run_facts(world, request), request, PLANNED_RUN)
    return with_unchecked(plan, rehearse(world, plan))


def maintain_back_plan(world: World, request: BackRequest) -> Plan:
    """Return what going back would do now, rehearsed."""
    plan = going_back.plan_of(going_back.back_facts(world, request), request, PLANNED_RUN)
    return with_unchecked(plan, rehearse(world, plan))


def planned_apply(world: World, request: ApplyRequest) -> Plan:
    """Return what a service's announced maintenance would do now, rehearsed."""
    plan = apply_plan(world, request, PLANNED_RUN)
    return with_unchecked(plan, rehearse(world, plan))


def with_unchecked(plan: Plan, unchecked: tuple[str, ...]) -> Plan:
    """Return the plan with what could not be rehearsed among its warnings."""
    return replace(plan, warnings=plan.warnings + unchecked)


PROCEDURES: dict[str, Procedure] = {
    procedure.name: procedure
    for procedure in (
        Procedure("clone", CloneRequest, clone, "the source is as it was when this ends", clone_plan),
        Procedure("pair", PairRequest, pair, "the source serves throughout", pair_plan),
        Procedure(
            "cut-over", CutOverRequest, cut_over, "names lead to what serves when this ends", cut_over_plan
        ),
        Procedure(
            "rollback", RollbackRequest, rollback, "names lead to what serves when this ends", rollback_plan
        ),
        Procedure("rejoin", RejoinRequest, rejoin, "nobody begins with less than another has, throughout"),
        Procedure("drill", DrillRequest, drill, "the member runs and serves again when this ends"),
        Procedure("undo", UndoRequest, undo, "the source serves throughout", undo_plan),
        Procedure("apply", ApplyRequest, apply, ONE_AFTER_THE_OTHER, planned_apply),
        Procedure("take", TakeRequest, take, "the member runs and serves again when this ends"),
        Procedure("backup", BackupRequest, backup, "the member runs and serves again when this ends"),
        Procedure("test-backup", RestoreRequest, try_backup, "nothing of it is left when this ends"),
        Procedure(
            "discard",
            DiscardRequest,
            discard,
            "nothing goes but what the run made, throughout",
            discard_plan,
        ),
        Procedure("maintain-run", RunRequest, running.maintain_run, ONE_AT_A_TIME, maintain_run_plan),
        Procedure("maintain-back", BackRequest, going_back.maintain_back, ONE_AT_A_TIME, maintain_back_plan),
    )
}

SCHEMA = "6"
"""The version of the stories. A run can be resumed only by the schema that began it, so this changes
whenever a step is added, removed, renamed or moved."""
