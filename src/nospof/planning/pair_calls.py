"""The writes of a pair, in order, as the plan shows them and the rehearsal asks for them."""

from __future__ import annotations

from nospof.model.cloud import TAG_SERVICE, TAG_STATE, LoadBalancerRequest
from nospof.model.launching import tag_pairs
from nospof.model.plans import PlannedCall
from nospof.model.requests import PairRequest
from nospof.planning.clone import tag_specifications
from nospof.planning.pair_rules import PairFacts

NOT_YET = "sg-00000000000000000"
"""Stands for a security group that does not exist yet."""


def pair_calls(
    facts: PairFacts, request: PairRequest, balancer: LoadBalancerRequest
) -> tuple[PlannedCall, ...]:
    """Return the writes of a pair, in order, without those of a clone."""
    source, name, port = facts.source, balancer.name, request.port
    twin_id = facts.twin.id if facts.twin else source.id
    not_yet = () if facts.twin else ("Targets",)
    marks = tag_pairs({TAG_SERVICE: balancer.tags[TAG_SERVICE], TAG_STATE: "none"})
    tags = tag_pairs(balancer.tags)
    group_arn, balancer_arn = f"targetgroup/{name}/0", f"loadbalancer/app/{name}/0"
    listen = {"Port": request.listener_port, "Protocol": "HTTP"}
    return (
        *entry_calls(facts, request, balancer),
        PlannedCall(
            "elbv2",
            "CreateTargetGroup",
            {"Name": name, "Port": port, "VpcId": source.vpc_id, "Tags": tags},
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
        PlannedCall(
            "elbv2",
            "CreateListener",
            listen,
            f"listen on port {request.listener_port}",
            ("LoadBalancerArn", "TargetGroupArn"),
            on=(balancer_arn,),
            tags=balancer.tags,
        ),
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


def entry_calls(
    facts: PairFacts, request: PairRequest, balancer: LoadBalancerRequest
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
