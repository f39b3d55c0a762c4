"""What to do once a pair stands, so that clients come in through its balancer: what to type.

Pure. A pair changes no name by itself: a name is the one thing every client shares.
"""

from __future__ import annotations

import shlex

from nospof.model.cloud import Instance, LoadBalancer
from nospof.model.surroundings import Surroundings


def cut_over(
    source: Instance, around: Surroundings, balancer: LoadBalancer, url: str, service: str
) -> tuple[str, ...]:
    """Return what to do next, a line each.

    Args:
        source: as it was before anything was done; its address is what names hold.
        around: what surrounds it.
        balancer: in front of the pair.
        url: where the pair answers.
        service: the pair's.
    """
    address, command = source.public_ip, f"nospof cut-over {shlex.quote(service)}"
    if not address:
        return (f"point your clients at {url}",)
    lines = [
        f"move {one.name} to {balancer.dns_name} by hand: its record has a routing policy"
        for one in around.records
        if one.has_policy
    ]
    simple = [one.name for one in around.records if not one.has_policy]
    if simple:
        lines.append(f"lead {', '.join(simple)} to the pair, watched, and back if it serves worse: {command}")
    if not around.records:
        lines.append(
            f"no name in this account's Route 53 holds {address}: point yours at {url}; what to change where "
            f"somebody else serves it: {command} --name NAME --plan"
        )
    if address in around.elastic_addresses:
        lines += address_lines(source, balancer)
    return tuple(lines)


def address_lines(source: Instance, balancer: LoadBalancer) -> tuple[str, ...]:
    """Return how an Elastic IP that clients know by heart gets in front of the pair.

    A network load balancer can take it, in a zone that is added to it with the address (Elastic Load
    Balancing API, SetSubnets); the instance must let go of it before, so nobody is served there meanwhile.
    """
    address, name = source.public_ip, f"{balancer.name[:28]}-ip"
    return (
        f"clients that know the Elastic IP {address} itself stay with {source.id} alone; keep it there until "
        "nobody uses it any more",
        "or put it before the pair, which takes it out of service for the minutes a network load balancer "
        f"needs in a new zone: (1) aws elbv2 create-target-group --name {name} --target-type alb --protocol "
        f"TCP --port PORT --vpc-id {source.vpc_id}; aws elbv2 register-targets --target-group-arn GROUP "
        f"--targets Id={balancer.arn}; aws elbv2 create-load-balancer --name {name} --type network --subnets "
        f"OTHER-ZONE; aws elbv2 create-listener for it; (2) aws ec2 disassociate-address --public-ip "
        f"{address}; aws elbv2 set-subnets --load-balancer-arn NLB --subnet-mappings SubnetId=OTHER-ZONE "
        f"SubnetId={source.subnet_id},AllocationId=ALLOCATION; the way back: aws elbv2 delete-load-balancer, "
        f"aws ec2 associate-address --instance-id {source.id} --public-ip {address}",
    )
