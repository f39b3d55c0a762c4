"""The writes of a pair, in order, as the plan shows them and the rehearsal asks for them."""

from __future__ import annotations

from typing import Any

from nospof.model.certificates import SECURITY_POLICY
from nospof.model.cloud import TAG_SERVICE, IngressRule, LoadBalancerRequest
from nospof.model.launching import tag_pairs
from nospof.model.plans import PlannedCall
from nospof.model.requests import PairRequest
from nospof.planning.certificates import SecureListener
from nospof.planning.clone import tag_specifications
from nospof.planning.concerns import some
from nospof.planning.https_rules import protocol_of
from nospof.planning.members import marks_of
from nospof.planning.pair_rules import PairFacts, keeps_something

NOT_YET = "sg-00000000000000000"
"""Stands for a security group that does not exist yet."""


def pair_calls(
    facts: PairFacts,
    request: PairRequest,
    balancer: LoadBalancerRequest,
    secure: SecureListener | None,
    clients: tuple[IngressRule, ...],
) -> tuple[PlannedCall, ...]:
    """Return the writes of a pair, in order, without those of a clone."""
    source, name, port = facts.source, balancer.name, request.port
    twin_id = facts.twin.id if facts.twin else source.id
    not_yet = () if facts.twin else ("Targets",)
    marks = tag_pairs(
        marks_of(balancer.tags[TAG_SERVICE], is_kept=keeps_something(facts, stateless=request.stateless))
    )
    tags = tag_pairs(balancer.tags)
    group_arn, balancer_arn = f"targetgroup/{name}/0", f"loadbalancer/app/{name}/0"
    return (
        *entry_calls(facts, request, balancer, clients),
        PlannedCall(
            "elbv2",
            "CreateTargetGroup",
            {
                "Name": name,
                "Port": port,
                "Protocol": protocol_of(port),
                "VpcId": source.vpc_id,
                "Tags": tags,
            },
            f"make the target group {name}, checked with GET {request.health_path}",
            on=(group_arn,),
            tags=balancer.tags,
        ),
        PlannedCall(
            "elbv2",
            "CreateLoadBalancer",
            {"Name": name, "Subnets": list(balancer.subnet_ids), "Tags": tags},
            f"make the load balancer {name} in {len(balancer.subnet_ids)} zones",
            on=(balancer_arn,),
            tags=balancer.tags,
        ),
        *listener_calls(request, secure, balancer_arn, balancer),
        PlannedCall(
            "elbv2",
            "RegisterTargets",
            {"Targets": [{"Id": twin_id, "Port": port}]},
            "register the twin, let the balancer check it, and ask it for a page",
            ("TargetGroupArn", *not_yet),
            on=(group_arn,),
            tags=balancer.tags,
        ),
        PlannedCall(
            "elbv2",
            "RegisterTargets",
            {"Targets": [{"Id": source.id, "Port": port}]},
            f"register {source.id} beside it",
            ("TargetGroupArn",),
            on=(group_arn,),
            tags=balancer.tags,
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


def listener_calls(
    request: PairRequest, secure: SecureListener | None, balancer_arn: str, balancer: LoadBalancerRequest
) -> tuple[PlannedCall, ...]:
    """Return the writes that open the balancer's ports."""

    def listen(port: int, says: str, **parameters: Any) -> PlannedCall:
        return PlannedCall(
            "elbv2",
            "CreateListener",
            {"Port": port, **parameters},
            says,
            ("LoadBalancerArn", "TargetGroupArn"),
            on=(balancer_arn,),
            tags=balancer.tags,
        )

    plain = f"listen on port {request.listener_port}"
    if secure is None:
        return (listen(request.listener_port, plain, Protocol="HTTP"),)
    tls = listen(
        secure.port,
        f"end TLS on port {secure.port} for {some(secure.names)}",
        Protocol="HTTPS",
        SslPolicy=SECURITY_POLICY,
        Certificates=[{"CertificateArn": secure.certificate_arn}],
    )
    to_https = f" and send clients to HTTPS on port {secure.port}" if secure.redirects else ""
    return tls, listen(request.listener_port, f"{plain}{to_https}", Protocol="HTTP")


def entry_calls(
    facts: PairFacts,
    request: PairRequest,
    balancer: LoadBalancerRequest,
    clients: tuple[IngressRule, ...],
) -> tuple[PlannedCall, ...]:
    """Return the writes that let clients reach the balancer, and the balancer the instances."""
    name = balancer.name
    made = PlannedCall(
        "ec2",
        "CreateSecurityGroup",
        {
            "GroupName": name,
            "Description": f"clients of {name}",
            "VpcId": facts.source.vpc_id,
            "TagSpecifications": tag_specifications(balancer.tags, "security-group"),
        },
        f"make the security group {name} for the balancer",
    )
    inbound = (
        allow_call(
            NOT_YET,
            rule.port,
            {"IpRanges": [{"CidrIp": rule.cidr}]}
            if rule.cidr
            else {"UserIdGroupPairs": [{"GroupId": rule.from_group}]},
            f"let {rule.cidr or rule.from_group} reach the balancer on port {rule.port}",
            "GroupId",
        )
        for rule in clients
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
    return made, *inbound, *inward


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
