"""Remedies for what AWS runs without machines of one's own: tasks and functions."""

from __future__ import annotations

from typing import Any

from nospof.audit.builder import Service
from nospof.audit.changes import TWIN, zone_of_row
from nospof.audit.parts.containers import service_of
from nospof.audit.proposal import Proposal
from nospof.model.estate import Estate, Item, item_of
from nospof.model.kinds import KINDS

SUBNETS = "networkConfiguration.awsvpcConfiguration.subnets"


def second_place(estate: Estate, service: Service) -> Proposal | None:
    """Return how a service without machines gets a second place to run in, or None where it has machines."""
    kept = [service.item_of[one] for one in service.members if one in service.item_of]
    for item in kept:
        if item.kind.name == "container service":
            return second_task(estate, item, None)
        if item.kind.name == "task" and (found := service_of(estate, item)):
            return second_task(estate, found, item)
    functions = [one for one in service.item_of.values() if one.kind.name == "function"]
    return second_zone(estate, functions[0]) if functions and not kept else None


def second_task(estate: Estate, item: Item, task: Item | None) -> Proposal:
    """Propose that a container service keeps two tasks, in two zones."""
    subnets = item.texts(SUBNETS)
    used = task.text("availabilityZone") if task else zone_of_row(estate, subnets[0]) if subnets else ""
    given = [zone for one in subnets if (zone := zone_of_row(estate, one))]
    # Tasks on machines of a cluster run where the machines are: any zone may be meant.
    known = given or [one.id for one in estate.of("zone")]
    zone = next((one for one in known if one != used), "")
    says = f"let {item.label} keep two tasks, in two zones"
    if not zone:
        return Proposal(f"{says}: give it a subnet in another zone first")
    wanted = int(item.number("desiredCount", 1) or 1)
    if wanted > 1 and not given:
        return Proposal(f"{says}: give its cluster machines in another zone first")
    cluster = f"--cluster {item.text('clusterArn')} " if item.text("clusterArn") else ""
    # So many are wanted already: they only have to be placed anew.
    change = "--availability-zone-rebalancing ENABLED --force-new-deployment"
    command = f"aws ecs update-service {cluster}--service {item.label} "
    command += change if wanted > 1 else "--desired-count 2"
    return Proposal(
        says, (command,) if estate.is_whole else (), lambda old: with_second_task(old, item, task, zone)
    )


def with_second_task(estate: Estate, item: Item, task: Item | None, zone: str) -> Estate:
    """Return the estate with a task more, and its address wherever clients are sent to the first one's."""
    wanted = max(2, int(item.number("desiredCount", 1) or 1))
    estate = estate.changed(item.kind.name, item.id, desiredCount=wanted)
    if task is None:
        return estate
    attached = task.fields.get("attachments") or ()
    addresses = [
        str(row["value"]) for one in attached for row in one.get("details") or () if row.get("value")
    ]
    details = [{"name": "privateIPv4Address", "value": f"{one}{TWIN}"} for one in addresses]
    fields: dict[str, Any] = {
        **task.fields,
        "taskArn": f"{task.id}{TWIN}",
        "availabilityZone": zone,
        "containerInstanceArn": None,
        "attachments": [{"details": details}],
    }
    estate = estate.plus(item_of(KINDS["task"], fields))
    for target in estate.where("target", "Target.Id", *addresses):
        row = {"Id": f"{target.text('Target.Id')}{TWIN}", "Port": target.text("Target.Port")}
        fields = {**target.fields, "Target": row, "TargetHealth": {"State": "healthy"}}
        estate = estate.plus(item_of(KINDS["target"], fields))
    return estate


def second_zone(estate: Estate, item: Item) -> Proposal:
    """Propose that a function gets a subnet in another zone."""
    subnets = item.texts("VpcConfig.SubnetIds")
    used = {zone_of_row(estate, one) for one in subnets}
    networks = {one.text("VpcId") for key in subnets if (one := estate.find("subnet", key))}
    free = [
        one
        for one in estate.of("subnet")
        if one.text("VpcId") in networks and one.text("AvailabilityZone") not in used
    ]
    says = f"give function {item.label} a subnet in another zone"
    if not free:
        return Proposal(says)
    listed = [*subnets, free[0].id]
    groups = item.texts("VpcConfig.SecurityGroupIds")
    config = f"SubnetIds={','.join(listed)}" + (f",SecurityGroupIds={','.join(groups)}" if groups else "")
    command = f"aws lambda update-function-configuration --function-name {item.id} --vpc-config {config}"
    return Proposal(
        f"{says}, in {free[0].text('AvailabilityZone')}",
        (command,) if estate.is_whole else (),
        lambda old: old.changed(
            "function", item.id, VpcConfig={"SubnetIds": listed, "SecurityGroupIds": list(groups)}
        ),
    )
