"""Names that a cut-over left between their address and a balancer: whose run is dead, and what ends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from nospof.errors import CloudError
from nospof.model.names import ZONES_LOOKED_AT, Records, says_of
from nospof.model.results import Trouble
from nospof.model.runs import RunState
from nospof.planning.cut_over_rules import RUN
from nospof.ports.world import World


def names_left(
    world: World, states: Mapping[str, RunState], lives: Callable[[str], bool]
) -> Iterator[Trouble]:
    """Yield each name that is shared by a run which nobody goes on with; its records tell which.

    Names that cannot be read are told as not checked.
    """
    try:
        found = shared_names(world)
    except CloudError as error:
        world.reporter.warn(
            f"not checked: names left on their way ({error.operation}, {error.code or error})"
        )
        return
    for name, records in found.items():
        run_id = records[0].identifier.partition(" ")[0]
        if states.get(run_id) == "running" or lives(run_id):
            continue
        state = states.get(run_id, "not known to this machine's journal")
        ends = f"nospof runs resume {run_id}, or nospof runs undo {run_id}"
        yield Trouble(
            f"{name} is half on its way by {run_id}, which is {state}: {says_of(records)}",
            ends if run_id in states else f"on the machine that began it: {ends}",
        )


def shared_names(world: World) -> dict[str, Records]:
    """Return what stands at the names that cut-overs have shared."""
    found: dict[str, Records] = {}
    for zone in world.cloud.hosted_zones()[:ZONES_LOOKED_AT]:
        for record in world.cloud.record_sets(zone.id):
            if record.identifier.startswith(RUN):
                found[record.name] = (*found.get(record.name, ()), record)
    return found
