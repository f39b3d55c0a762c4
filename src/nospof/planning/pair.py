"""Decide how a service becomes a pair behind a balancer, or why it must not.

Pure: facts in, a plan or `PreconditionFailed` out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from nospof.errors import PreconditionFailed
from nospof.model.cloud import (
    TAG_RUN,
    TAG_SERVICE,
    HealthCheck,
    IngressRule,
    Instance,
    LoadBalancerRequest,
    SecurityGroupRequest,
    TargetGroupRequest,
)
from nospof.model.plans import Plan, PlannedCall
from nospof.model.requests import PairRequest
from nospof.planning import https_rules, web_rules
from nospof.planning.certificates import SecureListener, secure_listener
from nospof.planning.concerns import some
from nospof.planning.data import DataPlan, plan_data, with_data
from nospof.planning.external import with_external
from nospof.planning.files import (
    FilesPlan,
    plan_files,
    sessions_warning,
    stays_seconds,
    with_files,
)
from nospof.planning.joining import JoinPlan, plan_join
from nospof.planning.mounting import MountsPlan, plan_mounts, with_mounts
from nospof.planning.pages import proof
from nospof.planning.pair_calls import pair_calls
from nospof.planning.pair_rules import (
    PairFacts,
    refuse_foreign_names,
    refuse_two_diverging_copies,
    refuse_unspeakable_name,
    refuse_what_is_no_pair,
    refuse_what_makes_no_sense,
    refuse_what_no_check_passes,
    told_of_members,
)

NAME_LENGTH = 32
"""AWS allows 32 characters for the names of balancers and target groups."""

FROM_EVERYWHERE = "0.0.0.0/0"
"""A balancer reaches its targets over IPv4, so what ::/0 lets in does not let it in."""

ENTRY_LOOKS = (
    PlannedCall("ec2", "DescribeInstanceStatus", {}, "see whether the status checks pass"),
    PlannedCall("ec2", "DescribeSecurityGroups", {}, "find the balancer's security group"),
    *(
        PlannedCall("elbv2", f"Describe{what}", {}, f"see {says}")
        for what, says in (
            ("Listeners", "what the balancer listens on"),
            ("Tags", "whose it is"),
            ("TargetHealth", "whether the members are healthy"),
        )
    ),
)


@dataclass(frozen=True)
class PairPlan:
    """What is made around the two instances. `opens` are the instances' groups to open.

    `secure` is the listener that ends TLS; without one the balancer speaks HTTP only.
    """

    service: str
    security_group: SecurityGroupRequest
    target_group: TargetGroupRequest
    balancer: LoadBalancerRequest
    listener_port: int
    clients: tuple[IngressRule, ...]
    opens: tuple[str, ...]
    plan: Plan
    secure: SecureListener | None = None
    data: DataPlan | None = None
    files: FilesPlan | None = None
    mounts: MountsPlan | None = None


def service_of(source: Instance, request: PairRequest) -> str:
    """Return the service's name: as asked, as tagged, or the instance's own."""
    return request.service or source.tags.get(TAG_SERVICE) or source.name


def resource_name(service: str) -> str:
    """Return a balancer's and target group's name for a service: legal, recognisable, its own.

    A name that had to be changed or cut carries a digest of the whole, so that two services never
    share one.
    """
    legal = re.sub(r"[^A-Za-z0-9]+", "-", service).strip("-")
    name = f"nospof-{legal}"
    if legal and legal == service and len(name) <= NAME_LENGTH:
        return name
    digest = hashlib.sha256(service.encode()).hexdigest()[:6]
    return f"{name[: NAME_LENGTH - 7].rstrip('-')}-{digest}"


def plan_way_in(facts: PairFacts, request: PairRequest, token: str) -> PairPlan | JoinPlan:
    """Return the plan: of joining the balancer that the source is behind, else of making one.

    Raises: as `plan_pair`.
    """
    service = service_of(facts.source, request)
    refuse_what_makes_no_sense(request)
    refuse_unspeakable_name(service)
    data, files = plan_data(facts, request, service, token), plan_files(facts, request)
    mounts = plan_mounts(facts, request)
    made: PairPlan | JoinPlan
    if not facts.behind and not request.balancer:
        made = plan_pair(facts, request, token)
    else:
        https_rules.refuse_tls_of_others(request)
        made = plan_join(facts, request, service)
    plan = with_files(made.plan, files) if files else made.plan
    plan = with_mounts(plan, mounts) if mounts else plan
    plan = with_data(plan, data) if data else plan
    plan = replace(plan, calls=(*(mounts.before if mounts else ()), *plan.calls))
    return replace(made, data=data, files=files, mounts=mounts, plan=with_external(plan, facts))


def plan_pair(facts: PairFacts, request: PairRequest, token: str) -> PairPlan:
    """Return the plan of a balancer that is made.

    Raises:
        UsageError: the request contradicts itself.
        PreconditionFailed: the pair must not be made like this.
    """
    refuse_what_makes_no_sense(request)
    service = service_of(facts.source, request)
    refuse_unspeakable_name(service)
    refuse_two_diverging_copies(facts, request)
    refuse_what_is_no_pair(facts, request)
    refuse_what_no_check_passes(facts)
    https_rules.refuse_lost_https(facts.source.id, facts.on_443, request)
    secure = secure_listener(request, facts.names, facts.certificates, facts.now)
    subnets, is_internal = balancer_subnets(facts)
    cidrs = tuple(one.cidr for one in facts.subnets if one.id in subnets and one.cidr)
    https_rules.refuse_endless_redirects(facts.trails, cidrs)
    name, tags = resource_name(service), {TAG_RUN: token, TAG_SERVICE: service}
    # EC2 takes ASCII only in a description; the service's name may be any letters, ours is not.
    security_group = SecurityGroupRequest(
        name, f"clients of {name} to the load balancer", facts.source.vpc_id, tags
    )
    target_group = TargetGroupRequest(
        name,
        facts.source.vpc_id,
        request.port,
        HealthCheck(path=request.health_path),
        request.drain_seconds,
        tags,
        https_rules.protocol_of(request.port),
        stays_seconds(facts),
    )
    refuse_foreign_names(facts, service, target_group)
    balancer = LoadBalancerRequest(name, subnets, (), is_internal, tags)
    clients = clients_of(facts, request, secure)
    return PairPlan(
        service=service,
        security_group=security_group,
        target_group=target_group,
        balancer=balancer,
        listener_port=request.listener_port,
        clients=clients,
        opens=facts.closed,
        secure=secure,
        plan=Plan(
            procedure="pair",
            says=f"put {facts.source.id} and {facts.twin.id if facts.twin else 'its twin'} behind the "
            f"balancer {name} as the service {service}",
            guarantee=f"{facts.source.id} serves throughout; the twin gets no traffic before it passed",
            calls=pair_calls(facts, request, balancer, secure, clients),
            looks=ENTRY_LOOKS,
            warnings=(
                *warnings_of(facts, is_internal),
                *https_rules.warnings_of(secure, facts.on_443, facts.trails, request, cidrs),
                *web_rules.warnings_of(facts.inside, request.port, cidrs),
            ),
            details=details_of(request, service, target_group, secure),
        ),
    )


def details_of(
    request: PairRequest, service: str, group: TargetGroupRequest, secure: SecureListener | None
) -> dict[str, str]:
    """Return what the plan tells by name."""
    check = f"GET {group.health_check.path} on port {group.port} over {group.protocol} must answer 200"
    tls = {"certificate": secure.certificate_arn, "names": some(secure.names)} if secure else {}
    named = {"service": service, "balancer": group.name, "health check": check}
    return {**named, "before the source joins": proof(request), **tls}


def clients_of(
    facts: PairFacts, request: PairRequest, secure: SecureListener | None
) -> tuple[IngressRule, ...]:
    """Return who may reach the balancer: whoever may reach the source today, port by port."""
    rules = [replace(rule, port=request.listener_port) for rule in facts.clients]
    if secure:
        rules += [replace(rule, port=secure.port) for rule in facts.secure_clients or facts.clients]
    return tuple(dict.fromkeys(rules))


def balancer_subnets(facts: PairFacts) -> tuple[tuple[str, ...], bool]:
    """Choose one subnet per zone, and whether the balancer must be internal.

    A source without a public address is not put on the Internet by a balancer. AWS wants two zones, one
    subnet in each, with at least 8 free addresses (C62), and sends nothing to a member in a zone the
    balancer is not in.
    """
    roomy = [subnet for subnet in facts.subnets if subnet.free_addresses >= 8]
    public = [subnet for subnet in roomy if subnet.is_public]
    is_internal = not facts.source.public_ip or len({subnet.zone for subnet in public}) < 2
    by_zone: dict[str, str] = {}
    for subnet in sorted(roomy if is_internal else public, key=lambda s: (s.zone, not s.is_default, s.id)):
        by_zone.setdefault(subnet.zone, subnet.id)
    if len(by_zone) < 2:
        raise PreconditionFailed(
            f"{facts.source.vpc_id} has subnets with 8 free addresses in {len(by_zone)} zone(s); an "
            "application load balancer needs two zones. Add a subnet: aws ec2 create-subnet --vpc-id "
            f"{facts.source.vpc_id} --availability-zone ... --cidr-block .... Nothing was changed."
        )
    members = {
        facts.source.zone: facts.source.id,
        facts.twin_zone: facts.twin.id if facts.twin else "the twin",
    }
    for zone, member in members.items():
        if zone and zone not in by_zone:
            raise PreconditionFailed(
                f"the balancer would stand in {' and '.join(sorted(by_zone))}, and {member} in "
                f"{zone} would get no traffic from it. Add a {'' if is_internal else 'public '}subnet "
                f"with 8 free addresses there: aws ec2 create-subnet --vpc-id {facts.source.vpc_id} "
                f"--availability-zone {zone} --cidr-block .... Nothing was changed."
            )
    return tuple(by_zone[zone] for zone in sorted(by_zone)), is_internal


def is_open(ingress: Iterable[IngressRule], port: int) -> bool:
    """Whether everybody may already connect to the port."""
    return any(rule.port in (0, port) and rule.cidr == FROM_EVERYWHERE for rule in ingress)


def warnings_of(facts: PairFacts, is_internal: bool) -> tuple[str, ...]:
    """Return what the operator should know before saying yes."""
    source, warnings = facts.source, []
    if is_internal:
        why = (
            f"{source.vpc_id} has no two public zones"
            if source.public_ip
            else f"{source.id} is private in {source.vpc_id}"
        )
        warnings.append(f"{why}, so the balancer is reachable inside it only")
    if not facts.clients:
        warnings.append(
            f"no security group of {source.id} lets anybody reach its port, so the balancer's lets nobody "
            "either; open it afterwards"
        )
    if not facts.answer.status:
        warnings.append(
            f"not checked: {facts.answer.url} could not be asked from here ({facts.answer.says}); the "
            "balancer's own check decides"
        )
    warnings += [*told_of_members(facts), *sessions_warning(facts)]
    warnings.append(
        "clients come in through the balancer's name once you point them there; names are not changed"
    )
    return tuple(warnings)
