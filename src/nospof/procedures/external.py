"""Look for who keeps the data that a source uses elsewhere."""

from __future__ import annotations

from dataclasses import replace

from nospof.planning.external import asked_of, uses_elsewhere
from nospof.planning.pair_rules import PairFacts
from nospof.ports.world import World


def with_stores(world: World, facts: PairFacts) -> PairFacts:
    """Return a pair's facts with who keeps what; nobody is asked where nothing was seen to be elsewhere."""
    addresses, systems = asked_of(uses_elsewhere(facts))
    if not addresses and not systems:
        return facts
    return replace(facts, stores=world.cloud.stores_behind(facts.source.vpc_id, addresses, systems))
