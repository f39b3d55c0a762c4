"""Decide how a twin joins its source behind a balancer that is there already, or why it must not.

Pure. Nothing of the balancer is changed but who is registered: no listener, no check, no name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from nospof.errors import PreconditionFailed
from nospof.model.cloud import Instance, LoadBalancer
from nospof.model.launching import tag_pairs
from nospof.model.plans import Plan, PlannedCall
from nospof.model.requests import PairRequest
from nospof.model.standing import Standing
from nospof.planning.concerns import some
from nospof.planning.data import DataPlan
from nospof.planning.files import FilesPlan
from nospof.planning.members import marks_of, member_call
from nospof.planning.mounting import MountsPlan
from nospof.planning.pages import proof
from nospof.planning.pair_rules import (
    PairFacts,
    keeps_something,
    refuse_two_diverging_copies,
    refuse_what_is_no_pair,
    says_of_the_check,
    told_of_members,
)

JOIN_LOOKS = (
    PlannedCall("ec2", "DescribeInstanceStatus", {}, "see whether the status checks pass"),
    PlannedCall("elbv2", "DescribeTargetHealth", {}, "see whether the members are healthy"),
    PlannedCall("elb", "DescribeInstanceHealth", {}, "see it of the members of classic balancers"),
)
KEEPERS = {
    "aws:cloudformation:stack-name": "the CloudFormation stack",
    "elasticbeanstalk:environment-name": "the Elastic Beanstalk environment",
    "elbv2.k8s.aws/cluster": "the Kubernetes cluster",
}
"""Tags of those who keep the list of a balancer's members, and may take out whom they do not know."""


@dataclass(frozen=True)
class JoinPlan:
    """Which balancers the twin joins, and in which zones they send to it."""

    service: str
    standings: tuple[Standing, ...]
    zones: tuple[str, ...]
    plan: Plan
    data: DataPlan | None = None
    files: FilesPlan | None = None
    mounts: MountsPlan | None = None


def is_named(balancer: Mapping[str, Any], name: str) -> bool:
    """Whether a balancer is the one asked for, by its name or its ARN; any is, where none was asked for."""
    return name in ("", balancer["name"], balancer["arn"])


def chosen(behind: Iterable[Standing], request: PairRequest) -> tuple[Standing, ...]:
    """Return the places that a twin gets."""
    return tuple(one for one in behind if is_named(vars(one.balancer), request.balancer))


def as_served(request: PairRequest, standings: tuple[Standing, ...]) -> PairRequest:
    """Return the request with the port and the page that the balancer uses: they are given, not asked for."""
    if not standings:
        return request
    first = standings[0]
    path = first.group.health_check.path or request.health_path
    return replace(request, port=first.target.port, health_path=path)


def zones_of_all(standings: tuple[Standing, ...]) -> tuple[str, ...]:
    """Return the zones in which every one of the balancers sends to its members."""
    zones = [set(one.balancer.zones) for one in standings]
    return tuple(sorted(set.intersection(*zones))) if zones else ()


def zones_for_twin(
    standings: tuple[Standing, ...], source: Instance, request: PairRequest
) -> tuple[str, ...]:
    """Return where a twin gets traffic, without the source's own zone, but where that was accepted."""
    own = "" if request.same_zone else source.zone
    return tuple(zone for zone in zones_of_all(standings) if zone != own)


def plan_join(facts: PairFacts, request: PairRequest, service: str) -> JoinPlan:
    """Return the plan, as `plan_pair`."""
    standings, source = chosen(facts.behind, request), facts.source
    refuse_another_balancer(facts, request, standings)
    refuse_two_diverging_copies(facts, request)
    refuse_what_is_no_pair(facts, request)
    refuse_a_group_that_keeps_its_members(facts, standings)
    for one in standings:
        refuse_a_source_that_is_not_in_service(source, one)
    refuse_zones_without_traffic(facts, request, standings)
    names = ", ".join(dict.fromkeys(one.balancer.name for one in standings))
    return JoinPlan(
        service=service,
        standings=standings,
        zones=zones_for_twin(standings, source, request),
        plan=Plan(
            procedure="pair",
            says=f"put {facts.twin.id if facts.twin else 'its twin'} beside {source.id} behind {names}, "
            f"which is there already, as the service {service}",
            guarantee=f"{source.id} stays where it serves; the twin gets no traffic before it passed",
            calls=join_calls(facts, standings, service),
            looks=JOIN_LOOKS,
            warnings=warnings_of(facts, request, standings),
            details={
                "service": service,
                "joins": "; ".join(
                    f"{one.group.name} of {one.balancer.name} ({one.balancer.type}) on port {one.target.port}"
                    for one in standings
                ),
                "before the twin joins": proof(request),
            },
        ),
    )


def refuse_another_balancer(facts: PairFacts, request: PairRequest, standings: tuple[Standing, ...]) -> None:
    """Refuse to join a balancer that the source is not behind."""
    if not standings:
        known = some(list(dict.fromkeys(one.balancer.name for one in facts.behind)))
        raise PreconditionFailed(
            f"{facts.source.id} is not behind {request.balancer}"
            f"{f'; it is behind {known}' if known else ', nor behind any other balancer'}. "
            "Nothing was changed."
        )


def refuse_a_group_that_keeps_its_members(facts: PairFacts, standings: tuple[Standing, ...]) -> None:
    """Refuse to stand beside a member of an Auto Scaling group: the group registers its own, and no other."""
    if not facts.auto_scaling_group:
        return
    names = some([one.group.name for one in standings])
    raise PreconditionFailed(
        f"{facts.source.id} is in {names} because the Auto Scaling group {facts.auto_scaling_group} put it "
        "there, and would be replaced without its twin. Let the group hold two in two zones instead: aws "
        f"autoscaling update-auto-scaling-group --auto-scaling-group-name {facts.auto_scaling_group} "
        "--min-size 2. Nothing was changed."
    )


def refuse_a_source_that_is_not_in_service(source: Instance, standing: Standing) -> None:
    """Refuse where the balancer does not find the source healthy: it could not tell of the twin either."""
    target, group = standing.target, standing.group
    if not target.is_healthy:
        why = " ".join(filter(None, (target.state, target.reason, target.description)))
        raise PreconditionFailed(
            f"{standing.balancer.name} finds {source.id} {why} in {group.name}, so it could not tell whether "
            "its twin works. Mend its check first. Nothing was changed."
        )
    answer = standing.answer
    if group.health_check.path and answer.status and not standing.accepts(answer):
        why = says_of_the_check(answer)
        raise PreconditionFailed(
            f"{answer.url} answers {answer.says} to the check of {group.name}, although "
            f"{standing.balancer.name} finds it healthy{f'. {why}' if why else ''}. Look at it again in a "
            "moment. Nothing was changed."
        )


def refuse_zones_without_traffic(
    facts: PairFacts, request: PairRequest, standings: tuple[Standing, ...]
) -> None:
    """Refuse a twin in a zone that is not enabled: a balancer never sends there.

    Cross-zone balancing does not help: it is between zones that are enabled.
    """
    zones, source = zones_of_all(standings), facts.source
    wanted = facts.twin.zone if facts.twin else ""
    asked = [wanted] if wanted else [zone.strip() for zone in request.zone.split(",") if zone.strip()]
    if not asked and not zones_for_twin(standings, source, request):
        asked = [next((one.zone for one in facts.subnets if one.zone not in zones), "another zone")]
    for zone in asked:
        for one in standings:
            if zone not in one.balancer.zones:
                raise PreconditionFailed(
                    f"{one.balancer.name} stands in {' and '.join(one.balancer.zones)} only, so the twin in "
                    f"{zone} would get no traffic. Let it stand there too: "
                    f"{enable(one.balancer, zone, facts)}. Nothing was changed."
                )


def enable(balancer: LoadBalancer, zone: str, facts: PairFacts) -> str:
    """Return the command that lets a balancer stand in one more zone."""
    subnet = next((one.id for one in facts.subnets if one.zone == zone), f"SUBNET-IN-{zone}")
    if balancer.type == "classic":
        return (
            f"aws elb attach-load-balancer-to-subnets --load-balancer-name {balancer.name} --subnets {subnet}"
        )
    return f"aws elbv2 set-subnets --load-balancer-arn {balancer.arn} --subnets {subnet} and those it has"


def warnings_of(facts: PairFacts, request: PairRequest, standings: tuple[Standing, ...]) -> tuple[str, ...]:
    """Return what the operator should know before saying yes."""
    source, warnings = facts.source, []
    for one in standings:
        name, group = one.balancer.name, one.group
        serving = [target.instance_id for target in one.others if target.is_healthy]
        if facts.twin is None and not request.live and not serving:
            warnings.append(f"while {source.id} is off for its image, {name} has nobody to send to")
        if serving:
            warnings.append(f"{some(serving)} serve in {group.name} as well, and stay")
        if not one.answer.status:
            warnings.append(
                f"not checked: {one.answer.url} could not be asked from here ({one.answer.says}), so "
                f"its twin may not be either; the check of {name} decides"
            )
        if one.entry is None or not one.entry.is_good:
            why = f"{one.entry.url} says {one.entry.says}" if one.entry else "no plain listener leads there"
            warnings.append(f"not watched: what clients get through {name} ({why})")
        if not one.balancer.is_cross_zone:
            warnings.append(f"{name} is not cross-zone: each of its zones sends to the members in it only")
        keepers = [f"{says} {tags[key]}" for key, says in KEEPERS.items() if key in (tags := group.tags)]
        if keepers:
            warnings.append(f"{some(keepers)} keeps {group.name}, and may take out whom it did not put in")
    warnings += told_of_members(facts)
    warnings.append("no name changes: clients come in through the same balancer as before")
    return tuple(dict.fromkeys(warnings))


def join_calls(facts: PairFacts, standings: tuple[Standing, ...], service: str) -> tuple[PlannedCall, ...]:
    """Return the writes of a join, in order, without those of a clone."""
    twin, not_yet = facts.twin or facts.source, () if facts.twin else ("Targets",)
    marks = tag_pairs(marks_of(service, is_kept=keeps_something(facts)))

    def members(says: str, *, joins: bool) -> Iterable[PlannedCall]:
        for one in standings:
            seat = one.seat_of(twin)
            told = says.format(group=seat.group_name, balancer=one.balancer.name)
            yield member_call(seat, told, not_yet, joins=joins, tags=one.group.tags)

    def marked(instance_id: str, says: str, placeholders: tuple[str, ...] = ()) -> PlannedCall:
        parameters = {"Resources": [instance_id], "Tags": marks}
        return PlannedCall(
            "ec2", "CreateTags", parameters, f"mark {says} as a member of the service", placeholders
        )

    return (
        *members("register the twin in {group}, and let {balancer} check it", joins=True),
        *members("take it out of {group} again, should it not serve well there", joins=False),
        marked(facts.source.id, facts.source.id),
        marked(twin.id, "the twin", () if facts.twin else ("Resources",)),
    )
