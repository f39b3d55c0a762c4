"""How names move to a balancer: every state on the way, so that each change replaces one by the next.

Pure: facts in, a plan or `PreconditionFailed` out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from nospof.errors import PreconditionFailed
from nospof.model.cloud import LoadBalancer
from nospof.model.cutting_over import Asked, Move, Page
from nospof.model.names import ALIAS_TTL, Alias, Records, RecordSet, batch_of, says_of
from nospof.model.plans import Plan, PlannedCall
from nospof.model.requests import CutOverRequest, RollbackRequest
from nospof.planning.cut_over_rules import (
    CutOverFacts,
    NameFacts,
    addresses_of,
    ports_lost,
    refuse_what_is_not_whole,
    refuse_what_serves_otherwise,
    why_not,
)

FIRST_TTL = 60
"""Seconds: the longest that clients stay with the old address once a name is remembered so shortly."""
SHORTENED = 1
"""Which of a move's states is the first that clients remember shortly."""
PROPAGATION_SECONDS = 60
"""Within which a change is generally answered everywhere (Route 53 API, ChangeResourceRecordSets)."""
LOOKS = (PlannedCall("route53", "GetChange", {}, "see whether it is answered everywhere", on=("change/0",)),)


@dataclass(frozen=True)
class CutOverPlan:
    """The names that move, and a sentence for each that stays."""

    moves: tuple[Move, ...]
    left: tuple[str, ...]
    plan: Plan


def plan_cut_over(facts: CutOverFacts, request: CutOverRequest, token: str) -> CutOverPlan:
    """Return the plan. Raises PreconditionFailed when names must not be moved like this."""
    refuse_what_is_not_whole(facts, request.service)
    moving, left = chosen(facts, request)
    for one in moving:
        refuse_what_serves_otherwise(one, facts.group, facts.listeners)
    moves = tuple(move_of(one, facts.balancer, request.steps, token) for one in moving)
    names = ", ".join(move.name for move in moves)
    return CutOverPlan(
        moves=moves,
        left=left,
        plan=Plan(
            procedure="cut-over",
            says=f"lead {names} to {facts.balancer.dns_name} by {', '.join(map(str, request.steps))} %",
            guarantee="where the pair serves worse, every name gets back the very record it had; what "
            "somebody else made of one stays",
            calls=tuple(call for move in moves for call in calls_of(move, request.steps)),
            warnings=warnings_of(facts, moving, left),
            details={"expected time": f"about {minutes_of(moves, request):.0f} min"},
            looks=LOOKS,
        ),
    )


def chosen(facts: CutOverFacts, request: CutOverRequest) -> tuple[tuple[NameFacts, ...], tuple[str, ...]]:
    """Return the names to move, and why each other one is left."""
    reasons = {one.name: why_not(facts, one) for one in facts.names}
    left = tuple(why for why in reasons.values() if why)
    moving = tuple(one for one in facts.names if not reasons[one.name])
    if left and (request.names or not moving):
        raise PreconditionFailed(f"{'; '.join(left)}. Nothing was changed.")
    if not moving:
        addresses = " or ".join(facts.addresses) or "a member's address"
        raise PreconditionFailed(
            f"no name in this account's Route 53 leads to {addresses}. Name it with --name, also where "
            f"somebody else serves it, or point it at {facts.balancer.dns_name}. Nothing was changed."
        )
    return moving, left


def move_of(one: NameFacts, balancer: LoadBalancer, steps: tuple[int, ...], token: str) -> Move:
    """Return how a name moves, share by share. One weighted record cannot stand beside a simple one."""
    if one.zone is None or one.old is None:
        raise ValueError(f"{one.name} does not move")
    before = addresses_of(one.records)
    short = replace(before[0], ttl_seconds=min(before[0].ttl_seconds, FIRST_TTL))
    alias = Alias(balancer.zone_id, balancer.dns_name.lower(), asks_health=True)
    moved = RecordSet(one.name, "A", alias=alias)

    def shared(percent: int) -> Records:
        kept = replace(short, identifier=f"{token} address", weight=100 - percent)
        return kept, replace(moved, identifier=f"{token} balancer", weight=percent)

    shares = tuple(shared(percent) for percent in steps[:-1])
    return Move(
        name=one.name,
        zone_id=one.zone.id,
        states=(before, (short,), *shares, (moved,)),
        old=asked_at(one.old, one.name),
        new=asked_at(one.new[0], one.name),
    )


def asked_at(page: Page, name: str) -> Asked:
    """Return how a name's page is asked for where it was asked for before."""
    return Asked(page.url, host_of(page.url, name), page)


def host_of(url: str, name: str) -> str:
    """Return the Host a client would send to this port."""
    port = urlsplit(url).port
    return name if port in (None, 80, 443) else f"{name}:{port}"


def calls_of(move: Move, steps: tuple[int, ...]) -> list[PlannedCall]:
    """Return the writes that move a name, in order."""
    ttl = move.remembered_seconds
    says = [f"let {move.name} be remembered for {FIRST_TTL} s, and wait the {ttl} s it is remembered today"]
    says += [f"lead {share} % of {move.name} to the balancer, and watch" for share in steps]
    pairs = zip(move.states, move.states[1:], says, strict=False)
    return [change_call(move, gone, made, what) for gone, made, what in pairs if gone != made]


def change_call(move: Move, gone: Records, made: Records, says: str) -> PlannedCall:
    """Return the write that replaces what stands at a name."""
    return PlannedCall(
        "route53",
        "ChangeResourceRecordSets",
        {"HostedZoneId": move.zone_id, "ChangeBatch": {"Changes": batch_of(gone, made)}},
        says,
        on=(f"hostedzone/{move.zone_id}",),
    )


def minutes_of(moves: tuple[Move, ...], request: CutOverRequest) -> float:
    """Return how long a cut-over takes."""
    longest = max(move.remembered_seconds for move in moves)
    first = longest + PROPAGATION_SECONDS if longest > FIRST_TTL else 0
    each = PROPAGATION_SECONDS + ALIAS_TTL + request.watch_seconds
    return (first + each * len(request.steps)) / 60


def warnings_of(facts: CutOverFacts, moving: tuple[NameFacts, ...], left: tuple[str, ...]) -> tuple[str, ...]:
    """Return what the operator should know before saying yes."""
    warnings = [f"stays: {why}" for why in left]
    for one in moving:
        lost = ", ".join(map(str, ports_lost(one, facts.listeners)))
        if lost:
            warnings.append(f"{one.name} answers on port {lost} today as well, and will not afterwards")
    addresses = " and ".join(dict.fromkeys(addresses_of(one.records)[0].values[0] for one in moving))
    warnings.append(
        f"whoever uses a name for more than the listeners' ports (SSH, mail, FTP), or knows {addresses} "
        "itself, stays with the instance that has the address: keep both until nobody asks there any more"
    )
    if facts.zones_left:
        warnings.append(f"not checked: {facts.zones_left} more hosted zones; name what is there with --name")
    return tuple(warnings)


# Back ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RollbackFacts:
    """What stands at each name of a cut-over now, and how its old address serves: a row for each move."""

    there: tuple[Records, ...]
    served: tuple[Page, ...]


@dataclass(frozen=True)
class RollbackPlan:
    """The names that go back, each with what stands there now, and those that need not."""

    backs: tuple[tuple[Move, Records], ...]
    unchanged: tuple[str, ...]
    plan: Plan


def plan_rollback(facts: RollbackFacts, request: RollbackRequest) -> RollbackPlan:
    """Return the plan. Raises PreconditionFailed when names must not go back, or all have."""
    rows = tuple(
        row for row in zip(request.moves, facts.there, facts.served, strict=True) if row[1] != row[0].before
    )
    for move, there, page in rows:
        if there not in move.states:
            raise PreconditionFailed(
                f"{move.name} is {says_of(there)}, which {request.run_id} did not make of it. "
                f"It was {says_of(move.before)}. Change it by hand where that is wanted. Nothing was changed."
            )
        if page.status // 100 != move.old.page.status // 100:
            raise PreconditionFailed(
                f"{page.url} answers {page.says} for {move.name}, and its clients would be led there. "
                "Mend it first. Nothing was changed."
            )
    backs = tuple((move, there) for move, there, _ in rows)
    names = ", ".join(move.name for move, _ in backs)
    if not backs:
        every = ", ".join(move.name for move in request.moves)
        raise PreconditionFailed(f"{every} stands as before {request.run_id}. Nothing was changed.")
    return RollbackPlan(
        backs=backs,
        unchanged=tuple(m.name for m in request.moves if m.name not in {b.name for b, _ in backs}),
        plan=Plan(
            procedure="rollback",
            says=f"lead {names} back to where it led before {request.run_id}",
            guarantee="every name gets back the very record it had; what somebody else made of one stays",
            calls=tuple(
                change_call(move, there, move.before, f"put back {move.name}: {says_of(move.before)}")
                for move, there in backs
            ),
            details={"run": request.run_id},
            looks=LOOKS,
        ),
    )
