"""How clients get from the one instance to the balancer, and back: what to type, for each name that is known.

Pure. nospof changes no name by itself: a name is the one thing every client shares.
"""

from __future__ import annotations

import json
import shlex
from typing import Any

from nospof.model.cloud import Instance, LoadBalancer
from nospof.model.surroundings import NamedAddress, Surroundings

FIRST_TTL = 60
"""Seconds: the longest that clients stay with the old address once a name is remembered so shortly."""


def cut_over(source: Instance, around: Surroundings, balancer: LoadBalancer, url: str) -> tuple[str, ...]:
    """Return what to do next, a line each, commands with their way back.

    Args:
        source: as it was before anything was done; its address is what names hold.
        around: what surrounds it.
        balancer: in front of the pair.
        url: where the pair answers.
    """
    if not source.public_ip:
        return (f"point your clients at {url}",)
    if not around.records:
        lines = [f"no name in this account's Route 53 holds {source.public_ip}: point yours at {url}"]
    else:
        lines = [line for record in around.records for line in of_record(record, source.public_ip, balancer)]
    if source.public_ip in around.elastic_addresses:
        lines.append(
            f"clients that know the Elastic IP {source.public_ip} itself stay with {source.id} alone; keep "
            "it until nobody uses it any more"
        )
    return tuple(lines)


def of_record(record: NamedAddress, address: str, balancer: LoadBalancer) -> tuple[str, ...]:
    """Return how one name moves to the balancer: remembered shortly first, then moved; and the way back."""
    if record.has_policy or not balancer.zone_id:
        why = "its record has a routing policy" if record.has_policy else "the balancer names no hosted zone"
        return (f"move {record.name} to {balancer.dns_name} by hand: {why}",)
    old = {"Type": "A", "TTL": FIRST_TTL, "ResourceRecords": [{"Value": address}]}
    alias = {
        "HostedZoneId": balancer.zone_id,
        "DNSName": balancer.dns_name,
        "EvaluateTargetHealth": True,
    }
    lines = []
    if record.ttl_seconds > FIRST_TTL:
        lines.append(
            f"{record.name} is remembered for {record.ttl_seconds} s: shorten that first, and wait as long: "
            f"{change(record, old)}"
        )
    lines.append(f"move {record.name} to the balancer: {change(record, {'Type': 'A', 'AliasTarget': alias})}")
    lines.append(f"the way back, while {address} is yours: {change(record, old)}")
    return tuple(lines)


def change(record: NamedAddress, what: dict[str, Any]) -> str:
    """Return the command that gives a name another target."""
    batch = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": {"Name": record.name, **what}}]}
    return (
        f"aws route53 change-resource-record-sets --hosted-zone-id {record.zone_id} --change-batch "
        f"{shlex.quote(json.dumps(batch))}"
    )
