"""After a clone: is each of the two known by what is its own?"""

from __future__ import annotations

from nospof.model.cloud import Instance
from nospof.planning.concerns import SourceFacts
from nospof.planning.identity import compare_identities, shared_marks
from nospof.ports.world import World
from nospof.procedures.looking import look_inside

AGENT_SECONDS = 120.0
"""Until a new machine's agent answers and its first boot is over. A comparison is worth no longer wait."""


def compare(world: World, facts: SourceFacts, twin: Instance) -> tuple[str, ...]:
    """Look inside both and return what should be known of their identities; changes nothing.

    A first boot that is still under way looks like a shared identity, so that is looked at again.

    Args:
        facts: what was seen of the source before it was turned off.
    """
    gets_its_own = not facts.copies_user_data and facts.around.traits.http_endpoint != "disabled"
    after = look_inside(world, world.cloud.instance(facts.source.id))
    ends = world.clock.now() + AGENT_SECONDS
    while True:
        inside = look_inside(world, world.cloud.instance(twin.id))
        is_settled = bool(inside.marks) and not (gets_its_own and shared_marks(after.marks, inside.marks))
        if is_settled or world.clock.now() >= ends:
            break
        world.reporter.progress(f"waiting for {twin.id} to have an identity of its own")
        world.clock.sleep(world.poll_seconds)
    unread = [why for one in (after, inside) if not one.marks for why in one.unread]
    if unread:
        return (f"not compared: {unread[0]}",)
    return compare_identities(facts.source.id, facts.inside.marks, after.marks, twin.id, inside.marks)
