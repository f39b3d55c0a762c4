"""Rollback: names lead again where they led before a cut-over."""

from __future__ import annotations

from nospof.model.cutting_over import RollbackResult
from nospof.model.names import ALIAS_TTL
from nospof.model.requests import RollbackRequest
from nospof.planning.moving import RollbackFacts, plan_rollback
from nospof.ports.steps import Steps
from nospof.ports.world import World
from nospof.procedures.comparing import page_at
from nospof.procedures.names import put_back, records_at, wait_everywhere, wait_forgotten
from nospof.procedures.rehearse import ask_first


def rollback(steps: Steps, world: World, request: RollbackRequest) -> RollbackResult:
    """Lead names back. Guarantee: what somebody else made of a name is not touched."""
    facts = steps.read(
        "look where the names lead and how the old address serves", rollback_facts, world, request
    )
    plan = plan_rollback(facts, request)
    ask_first(steps, world, plan.plan)
    changes = steps.do("put the names back", put_back, world, plan.backs)
    since = steps.do("wait until the old address is answered everywhere", wait_everywhere, world, changes)
    steps.do("wait until nobody remembers the balancer", wait_forgotten, world, since, ALIAS_TTL)
    return RollbackResult(request.run_id, tuple(move.name for move, _ in plan.backs), plan.unchanged)


def rollback_facts(world: World, request: RollbackRequest) -> RollbackFacts:
    """Read everything the decision rests on."""
    return RollbackFacts(
        there=tuple(records_at(world, move.zone_id, move.name) for move in request.moves),
        served=tuple(page_at(world, move.old.url, move.old.host) for move in request.moves),
    )
