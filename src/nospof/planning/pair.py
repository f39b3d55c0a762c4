"""Decide how a service becomes a pair behind a balancer, or why it must not.

Pure: facts in, a plan or `PreconditionFailed` out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from nospof.errors import PreconditionFailed, UsageError
from nospof.model.answers import Answer
from nospof.model.cloud import (
    TAG_RUN,
    TAG_SERVICE,
    TAG_STATE,
    HealthCheck,
    IngressRule,
    Instance,
    LoadBalancer,
    LoadBalancerRequest,
    SecurityGroupRequest,
    Subnet,
    TargetGroup,
    TargetGroupRequest,
)
from nospof.model.plans import Plan, PlannedCall
from nospof.model.requests import PairRequest

NAME_LENGTH = 32
"""AWS allows 32 characters for the names of balancers and target groups."""

FROM_EVERYWHERE = "0.0.0.0/0"
"""A balancer reaches its targets over IPv4, so what ::/0 lets in does not let it in."""

TAG_LENGTH = 256
PORTS = range(1, 65536)
NOT_YET = "sg-00000000000000000"
"""Stands for a security group that does not exist yet."""


@dataclass(frozen=True)
class PairFacts:
    """Everything the decision rests on, read before it.

    `clients` is who may reach the source's port today. `twin_zone` is where the twin is or will be,
    empty where it cannot be made. `closed` are the members' security groups that must be opened to the
    balancer.
    """

    source: Instance
    twin: Instance | None
    twin_zone: str
    subnets: tuple[Subnet, ...]
    closed: tuple[str, ...]
    clients: tuple[IngressRule, ...]
    balancer: LoadBalancer | None
    target_group: TargetGroup | None
    answer: Answer


@dataclass(frozen=True)
class PairPlan:
    """What is made around the two instances. `opens` are the instances' groups to open."""

    service: str
    security_group: SecurityGroupRequest
    target_group: TargetGroupRequest
    balancer: LoadBalancerRequest
    listener_port: int
    clients: tuple[IngressRule, ...]
    opens: tuple[str, ...]
    plan: Plan


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


def plan_pair(facts: PairFacts, request: PairRequest, token: str) -> PairPlan:
    """Return the plan.

    Raises:
        UsageError: the request contradicts itself.
        PreconditionFailed: the pair must not be made like this.
    """
    refuse_what_makes_no_sense(request)
    service = service_of(facts.source, request)
    name = resource_name(service)
    refuse_unspeakable_name(service)
    refuse_two_diverging_copies(facts.source, request)
    refuse_what_is_no_pair(facts, request)
    subnets, is_internal = balancer_subnets(facts)
    tags = {TAG_RUN: token, TAG_SERVICE: service}
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
    )
    refuse_foreign_names(facts, service, target_group)
    balancer = LoadBalancerRequest(name, subnets, (), is_internal, tags)
    return PairPlan(
        service=service,
        security_group=security_group,
        target_group=target_group,
        balancer=balancer,
        listener_port=request.listener_port,
        clients=tuple(replace(rule, port=request.listener_port) for rule in facts.clients),
        opens=facts.closed,
        plan=Plan(
            procedure="pair",
            says=f"put {facts.source.id} and {facts.twin.id if facts.twin else 'its twin'} behind the "
            f"balancer {name} as the service {service}",
            guarantee=f"{facts.source.id} serves throughout; the twin gets no traffic before it passed",
            calls=pair_calls(facts, request, balancer),
            warnings=warnings_of(facts, is_internal),
            details={
                "service": service,
                "balancer": name,
                "health check": f"GET {request.health_path} on port {request.port} must answer 200",
            },
        ),
    )


def refuse_what_makes_no_sense(request: PairRequest) -> None:
    """Refuse a request that cannot be understood, whatever the world looks like."""
    if not request.health_path.startswith("/"):
        raise UsageError(f"--health-path {request.health_path!r} must begin with /")
    for option, port in (("--port", request.port), ("--listener-port", request.listener_port)):
        if port not in PORTS:
            raise UsageError(f"{option} {port} is no port; use one from {PORTS[0]} to {PORTS[-1]}")


def refuse_unspeakable_name(service: str) -> None:
    """Refuse a name Elastic Load Balancing does not take as a tag (API reference, Tag)."""
    strange = sorted({c for c in service if not (c.isalpha() or c.isnumeric() or c in " _.:/=+-@")})
    if strange or service != service.strip() or len(service) > TAG_LENGTH:
        raise PreconditionFailed(
            f"the service name {service!r} cannot be a tag of a load balancer"
            f"{': it contains ' + ' '.join(map(repr, strange)) if strange else ''}. Choose one of at most "
            f"{TAG_LENGTH} letters, digits, spaces and _ . : / = + - @ with --service. Nothing was changed."
        )


def refuse_two_diverging_copies(source: Instance, request: PairRequest) -> None:
    """Refuse to put two databases behind one balancer: each would take half the writes."""
    if not request.stateless and source.tags.get(TAG_STATE) != "none":
        raise PreconditionFailed(
            f"nospof cannot see yet what {source.id} keeps on its disk. A database, uploads or sessions on "
            "it would split in two behind a balancer, each half with its own writes. If it keeps nothing "
            "that changes, say so with --stateless; otherwise move its state out first (RDS, EFS). "
            "Nothing was changed."
        )


def refuse_what_is_no_pair(facts: PairFacts, request: PairRequest) -> None:
    """Refuse members that cannot serve together."""
    source, twin = facts.source, facts.twin
    if source.state != "running":
        raise PreconditionFailed(
            f"{source.id} is {source.state}; start it first: aws ec2 start-instances --instance-ids "
            f"{source.id}. Nothing was changed."
        )
    if facts.answer.status and str(facts.answer.status) != HealthCheck().matcher:
        raise PreconditionFailed(
            f"{facts.answer.url} answers {facts.answer.says} to a request made as the balancer will make it "
            "(the instance's address as Host, no cookies), so the balancer would find no healthy member. "
            "Choose a page that answers 200 with --health-path. Nothing was changed."
        )
    if twin is None:
        return
    if twin.id == source.id:
        raise UsageError(f"{source.id} cannot be its own twin; leave --with out to have one cloned")
    if twin.state != "running":
        raise PreconditionFailed(
            f"the twin {twin.id} is {twin.state}; start it, or leave --with out to have a new one cloned. "
            "Nothing was changed."
        )
    if twin.vpc_id != source.vpc_id:
        raise PreconditionFailed(
            f"{twin.id} is in {twin.vpc_id} and {source.id} in {source.vpc_id}: one balancer serves one "
            "VPC. Nothing was changed."
        )
    if twin.zone == source.zone and not request.same_zone:
        raise PreconditionFailed(
            f"{source.id} and {twin.id} are both in {source.zone}: one zone's failure takes both. Clone "
            f"into another zone (nospof clone {source.id}), or accept this with --same-zone. "
            "Nothing was changed."
        )


def refuse_foreign_names(facts: PairFacts, service: str, wanted: TargetGroupRequest) -> None:
    """Refuse to take over a balancer or a group that is not this service's, or not like this."""
    for kind, found in (("load balancer", facts.balancer), ("target group", facts.target_group)):
        if found and found.tags.get(TAG_SERVICE) != service:
            raise PreconditionFailed(
                f"a {kind} named {wanted.name} exists and is not the service {service}'s; choose another "
                "name with --service. Nothing was changed."
            )
    group, balancer = facts.target_group, facts.balancer
    if group and (group.port, group.health_check) != (wanted.port, wanted.health_check):
        raise PreconditionFailed(
            f"the target group {wanted.name} of {service} exists with port {group.port} and the check "
            f"GET {group.health_check.path}, not port {wanted.port} and GET {wanted.health_check.path}. "
            "Ask for what exists, or choose another name with --service. Nothing was changed."
        )
    if balancer and balancer.vpc_id != wanted.vpc_id:
        raise PreconditionFailed(
            f"the load balancer {wanted.name} of {service} is in {balancer.vpc_id} and {facts.source.id} in "
            f"{wanted.vpc_id}; choose another name with --service. Nothing was changed."
        )


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


def pair_calls(
    facts: PairFacts, request: PairRequest, balancer: LoadBalancerRequest
) -> tuple[PlannedCall, ...]:
    """Return the writes of a pair, in order, without those of a clone."""
    source, name, port = facts.source, balancer.name, request.port
    twin_id = facts.twin.id if facts.twin else source.id
    not_yet = () if facts.twin else ("Targets",)
    marks = [
        {"Key": key, "Value": value}
        for key, value in ((TAG_SERVICE, balancer.tags[TAG_SERVICE]), (TAG_STATE, "none"))
    ]
    listen = {"Port": request.listener_port, "Protocol": "HTTP"}
    return (
        *entry_calls(facts, request, name),
        PlannedCall(
            "elbv2",
            "CreateTargetGroup",
            {"Name": name, "Port": port, "VpcId": source.vpc_id},
            f"make the target group {name}, checked with GET {request.health_path}",
        ),
        PlannedCall(
            "elbv2",
            "CreateLoadBalancer",
            {"Name": name, "Subnets": list(balancer.subnet_ids)},
            f"make the load balancer {name} in {len(balancer.subnet_ids)} zones",
        ),
        PlannedCall(
            "elbv2",
            "CreateListener",
            listen,
            f"listen on port {request.listener_port}",
            ("LoadBalancerArn", "TargetGroupArn"),
        ),
        PlannedCall(
            "elbv2",
            "RegisterTargets",
            {"Targets": [{"Id": twin_id, "Port": port}]},
            "register the twin, let the balancer check it, and ask it for a page",
            ("TargetGroupArn", *not_yet),
        ),
        PlannedCall(
            "elbv2",
            "RegisterTargets",
            {"Targets": [{"Id": source.id, "Port": port}]},
            f"register {source.id} beside it",
            ("TargetGroupArn",),
        ),
        PlannedCall(
            "ec2",
            "CreateTags",
            {"Resources": [source.id], "Tags": marks},
            f"mark {source.id} as a member of the service",
        ),
        PlannedCall(
            "ec2",
            "CreateTags",
            {"Resources": [twin_id], "Tags": marks},
            "mark the twin as a member of the service",
            () if facts.twin else ("Resources",),
        ),
    )


def entry_calls(facts: PairFacts, request: PairRequest, name: str) -> tuple[PlannedCall, ...]:
    """Return the writes that let clients reach the balancer, and the balancer the instances."""
    made = PlannedCall(
        "ec2",
        "CreateSecurityGroup",
        {"GroupName": name, "Description": f"clients of {name}", "VpcId": facts.source.vpc_id},
        f"make the security group {name} for the balancer",
    )
    clients = (
        allow_call(
            NOT_YET,
            request.listener_port,
            {"IpRanges": [{"CidrIp": rule.cidr}]}
            if rule.cidr
            else {"UserIdGroupPairs": [{"GroupId": rule.from_group}]},
            f"let {rule.cidr or rule.from_group} reach the balancer on port {request.listener_port}",
            "GroupId",
        )
        for rule in facts.clients
    )
    inward = (
        allow_call(
            group,
            request.port,
            {"UserIdGroupPairs": [{"GroupId": group}]},
            f"let the balancer reach port {request.port} of the instances ({group})",
            "UserIdGroupPairs",
        )
        for group in facts.closed
    )
    return made, *clients, *inward


def allow_call(group_id: str, port: int, peer: dict[str, object], says: str, placeholder: str) -> PlannedCall:
    """Return the write that lets a peer connect to a port."""
    permission = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **peer}
    return PlannedCall(
        "ec2",
        "AuthorizeSecurityGroupIngress",
        {"GroupId": group_id, "IpPermissions": [permission]},
        says,
        (placeholder,),
    )


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
    if facts.twin and facts.twin.zone == source.zone:
        warnings.append(f"both members are in {source.zone}: one zone's failure takes both")
    warnings.append(
        "clients come in through the balancer's name once you point them there; names are not changed"
    )
    return tuple(warnings)
