"""Runs that were told in memory, as the journal would have them, and the requests that undo them."""

from __future__ import annotations

from typing import Any

from nospof.adapters.memory import MemoryCloud
from nospof.errors import NospofError
from nospof.model.requests import CloneRequest, PairRequest, UndoRequest
from nospof.model.runs import Run, RunState, RunStep
from nospof.procedures.registry import PROCEDURES
from nospof.runtime.codec import to_plain
from nospof.runtime.memory import Killed, MemorySteps
from nospof.services.undoing import undo_request
from support.memory_world import memory_world


def run_of(procedure: str, request: Any, steps: MemorySteps, state: RunState = "failed") -> Run:
    """Return a run as the journal shows it."""
    recorded = zip(steps.names, steps._recorded, strict=True)
    return Run(
        id=steps.token,
        procedure=procedure,
        request=to_plain(request, type(request)),
        state=state,
        started_at=0.0,
        updated_at=0.0,
        steps=tuple(
            RunStep(number, name, 0.0, 0.0, result=to_plain(value, type(value)))
            for number, (name, value) in enumerate(recorded, start=1)
        ),
    )


def told(cloud: MemoryCloud, procedure: str, token: str, die_at: str = "", **asked: Any) -> UndoRequest:
    """Tell a clone or a pair of the first instance, to its end or its death; return what undoes it."""
    kind = CloneRequest if procedure == "clone" else PairRequest
    more = {} if procedure == "clone" else {"service": "www", "stateless": True}
    request = kind(cloud.the_instance.id, **{**more, **asked})
    steps = MemorySteps(token, die_at)
    try:
        steps.tell(PROCEDURES[procedure].story, memory_world(cloud), request)
    except (Killed, NospofError):
        assert die_at, "it failed"
    return undo_request(run_of(procedure, request, steps), clients_are_back=True)


def things(cloud: MemoryCloud) -> dict[str, Any]:
    """Return all that is there, by kind; terminated instances are not."""
    return {
        "instances": {
            one.id: (one.state, one.tags, one.security_groups, one.placement_group)
            for one in cloud.instances()
        },
        "images": sorted(cloud._images),
        "snapshots": sorted(cloud._snapshots),
        "security groups": {key: tuple(cloud._rules[key]) for key in sorted(cloud._groups)},
        "placement groups": sorted(cloud._placement_groups),
        "target groups": [
            (one.name, [each.instance_id for each in cloud.targets(one.arn)]) for one in cloud.target_groups()
        ],
        "balancers": [one.name for one in cloud.load_balancers()],
    }
