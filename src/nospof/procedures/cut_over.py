"""Cut-over: names are led to the balancer share by share, watched, and brought back when it serves worse."""

from __future__ import annotations

from nospof.errors import PreconditionFailed
from nospof.model.cloud import Listener
from nospof.model.cutting_over import Change, CutOverResult, Ending, Measured, Move, MovedName, Page, Watched
from nospof.model.names import ALIAS_TTL, ZONES_LOOKED_AT, HostedZone, Records
from nospof.model.requests import CutOverRequest
from nospof.planning.cut_over_rules import (
    WEB_PORTS,
    CutOverFacts,
    NameFacts,
    addresses_of,
    no_pair,
    refuse_what_makes_no_sense,
    why_not,
)
from nospof.planning.moving import FIRST_TTL, SHORTENED, CutOverPlan, host_of, plan_cut_over
from nospof.planning.pair import resource_name
from nospof.ports.steps import Steps
from nospof.ports.world import World
from nospof.procedures.comparing import measure_old, page_at, watch_share
from nospof.procedures.names import put_back, swap, wait_everywhere, wait_forgotten
from nospof.procedures.rehearse import ask_first

NOTE = "note the record of each name, and what it becomes"
ANSWERS_COMPARED = 4
"""As many as let each of two members answer, whose balancer goes round."""
MOST_FAILED = 0.1
"""Share of failed requests beyond which there is nothing to compare with."""
CLOSED = ("connection refused", "timed out", "name", "No route", "Network is")


def cut_over(steps: Steps, world: World, request: CutOverRequest) -> CutOverResult:
    """Lead names to the pair. Guarantee: where it serves worse, each name gets back the record it had."""
    facts = steps.read("look at the pair and the names that lead to it", cut_over_facts, world, request)
    plan = plan_cut_over(facts, request, steps.token)
    ask_first(steps, world, plan.plan, plan.plan.warnings)
    old = tuple(move.old for move in plan.moves)
    baseline = steps.read("measure how the names are served now", measure_old, world, old)
    refuse_unsteady(baseline)
    moves = steps.read(NOTE, noted, plan.moves)
    shorten(steps, world, moves)
    watches: list[Watched] = []
    for reached, share in enumerate(request.steps, start=SHORTENED):
        changes = tuple(change_state(steps, world, move, reached, share) for move in moves)
        steps.do(f"wait until {share} % is answered everywhere", wait_everywhere, world, changes)
        watched = steps.do(
            f"watch the pair serve {share} %",
            watch_share,
            world,
            tuple(move.new for move in moves),
            facts.group.arn,
            share,
            ALIAS_TTL + request.watch_seconds,
            baseline,
        )
        watches.append(watched)
        if watched.is_worse:
            bring_back(steps, world, moves, reached + 1)
            return result_of(plan, request, Ending.RETURNED, baseline, watches)
    return result_of(plan, request, Ending.MOVED, baseline, watches)


def noted(moves: tuple[Move, ...]) -> tuple[Move, ...]:
    """Return the moves, for the journal: whoever undoes the run later reads there what stood at each name."""
    return moves


def refuse_unsteady(baseline: Measured) -> None:
    """Refuse to compare with what is broken already."""
    if baseline.failed > baseline.requests * MOST_FAILED:
        raise PreconditionFailed(
            f"{baseline.says} at the old address, before anything was moved; the pair cannot be "
            "compared with that. Mend it first. Nothing was changed."
        )


def shorten(steps: Steps, world: World, moves: tuple[Move, ...]) -> None:
    """Let every name be remembered shortly, and wait until nobody remembers it longer."""
    long = tuple(move for move in moves if move.before != move.states[SHORTENED])
    if not long:
        return
    changes = tuple(
        steps.do(
            f"let {move.name} be remembered for {FIRST_TTL} s",
            swap,
            world,
            move.zone_id,
            move.before,
            move.states[SHORTENED],
        )
        for move in long
    )
    since = steps.do("wait until that is answered everywhere", wait_everywhere, world, changes)
    seconds = max(move.remembered_seconds for move in long)
    steps.do("wait until nobody remembers it longer", wait_forgotten, world, since, seconds)


def change_state(steps: Steps, world: World, move: Move, reached: int, share: int) -> Change:
    """Lead a share of one name to the balancer."""
    before, after = move.states[reached], move.states[reached + 1]
    return steps.do(
        f"lead {share} % of {move.name} to the balancer", swap, world, move.zone_id, before, after
    )


def bring_back(steps: Steps, world: World, moves: tuple[Move, ...], reached: int) -> None:
    """Give every name the record it had, and wait until that is answered everywhere."""
    backs = tuple((move, move.states[reached]) for move in moves)
    changes = steps.do("put the names back", put_back, world, backs)
    steps.do("wait until the old address is answered everywhere", wait_everywhere, world, changes)


def result_of(
    plan: CutOverPlan,
    request: CutOverRequest,
    outcome: Ending,
    baseline: Measured,
    watches: list[Watched],
) -> CutOverResult:
    """Return what a run answers."""
    is_moved = outcome is Ending.MOVED
    names = tuple(
        MovedName(move.name, move.zone_id, move.before, move.states[-1] if is_moved else move.before)
        for move in plan.moves
    )
    return CutOverResult(request.service, outcome, names, baseline, tuple(watches), plan.left)


# Looking -----------------------------------------------------------------------------------------


def cut_over_facts(world: World, request: CutOverRequest) -> CutOverFacts:
    """Read everything the decision rests on, where the request makes sense."""
    refuse_what_makes_no_sense(request)
    cloud, name = world.cloud, resource_name(request.service)
    balancer, group = cloud.load_balancer_named(name), cloud.target_group_named(name)
    if balancer is None or group is None:
        raise no_pair(request.service)
    targets = cloud.targets(group.arn)
    members = tuple(cloud.instance(one) for one in dict.fromkeys(target.instance_id for target in targets))
    zones = cloud.hosted_zones()
    addresses = {member.public_ip for member in members if member.public_ip}
    found = names_asked(world, zones, request.names) if request.names else names_at(world, zones, addresses)
    facts = CutOverFacts(
        balancer=balancer,
        listeners=cloud.listeners(balancer.arn),
        group=group,
        targets=targets,
        members=members,
        names=found,
        zones_left=0 if request.names else max(0, len(zones) - ZONES_LOOKED_AT),
    )
    if not facts.listeners:
        return facts
    served = tuple(
        one if why_not(facts, one) else with_pages(world, facts, one, request.path) for one in found
    )
    return CutOverFacts(**{**vars(facts), "names": served})


def names_asked(world: World, zones: tuple[HostedZone, ...], names: tuple[str, ...]) -> tuple[NameFacts, ...]:
    """Return the names somebody asked for, each in the closest zone that could hold it."""
    found = []
    for name in dict.fromkeys(name.rstrip(".").lower() for name in names):
        zone = max(
            (zone for zone in zones if zone.holds(name)),
            key=lambda zone: (not zone.is_private, len(zone.name)),
            default=None,
        )
        found.append(NameFacts(name, zone, world.cloud.record_sets(zone.id, name) if zone else ()))
    return tuple(found)


def names_at(world: World, zones: tuple[HostedZone, ...], addresses: set[str]) -> tuple[NameFacts, ...]:
    """Return the names of the account's zones that answer with an address."""
    found = []
    for zone in zones[:ZONES_LOOKED_AT]:
        by_name: dict[str, Records] = {}
        for record in world.cloud.record_sets(zone.id):
            by_name[record.name] = (*by_name.get(record.name, ()), record)
        found += [
            NameFacts(name, zone, records)
            for name, records in by_name.items()
            if any(addresses & set(record.values) for record in addresses_of(records))
        ]
    return tuple(found)


def with_pages(world: World, facts: CutOverFacts, one: NameFacts, path: str) -> NameFacts:
    """Return a name with how it is served at its address and through the balancer."""
    listener, port = entry_of(facts.listeners), facts.group.port
    address = addresses_of(one.records)[0].values[0]
    asked = {
        each: page_at(world, url := f"{scheme(each)}://{address}:{each}{path}", host_of(url, one.name))
        for each in dict.fromkeys((listener.port, *WEB_PORTS, port))
    }
    # What is served over TLS by the balancer only is compared with what is served without.
    old = next((page for page in asked.values() if page.status), asked[listener.port])
    way = "https" if listener.protocol == "HTTPS" else "http"
    url = f"{way}://{facts.balancer.dns_name}:{listener.port}{path}"
    new = tuple(page_at(world, url, host_of(url, one.name)) for _ in range(ANSWERS_COMPARED))
    is_open = tuple(sorted(each for each, page in asked.items() if answers(page)))
    return NameFacts(one.name, one.zone, one.records, old, new, is_open)


def entry_of(listeners: tuple[Listener, ...]) -> Listener:
    """Return the listener to ask at: one with TLS, for the others may only redirect to it."""
    return next((one for one in listeners if one.protocol == "HTTPS"), listeners[0])


def scheme(port: int) -> str:
    """Return how a port of an instance is asked."""
    return "https" if port == 443 else "http"


def answers(page: Page) -> bool:
    """Whether a client meets a service at a port, were it one whose certificate is not trusted here."""
    return bool(page.status) or not page.error.startswith(CLOSED)
