"""Tasks, node groups and functions: what runs on machines that AWS or another group keeps."""

from __future__ import annotations

from nospof.audit.builder import Builder
from nospof.audit.parts.copies import umbrella, zones_at
from nospof.model.estate import Estate, Item
from nospof.model.topology import UP, AnyOf, Node, On, Requirement

RUNNING = ("RUNNING", "")
ENDED = ("STOPPING", "DEPROVISIONING", "STOPPED")


def container_service(b: Builder, item: Item) -> Requirement:
    """An ECS service: any of its tasks serves."""
    tasks = tasks_of(b, item)
    needs: Requirement = AnyOf(tuple(tasks))
    if not tasks and not b.estate.is_whole:
        needs = b.unread(f"tasks of service {item.label}")
    return umbrella(b, item, needs, item.facts("desiredCount", "runningCount"))


def tasks_of(b: Builder, item: Item) -> list[Requirement]:
    """Return the tasks of a service: those that run, else those it promises."""
    running = [
        one
        for one in b.estate.where("task", "group", f"service:{item.label}")
        if one.text("clusterArn") in ("", item.text("clusterArn"))
    ]
    if running:
        return [place_task(b, item, one, *place_of(running, one)) for one in running]
    if item.text("status") == "INACTIVE":
        return []
    number = item.number("desiredCount", 1)
    if number is None:
        return [b.unread(f"how many tasks {item.label} keeps")]
    zones = zones_at(b, item, "networkConfiguration.awsvpcConfiguration.subnets")
    found: list[Requirement] = []
    is_known = b.estate.is_whole and not b.estate.is_unread("task", "listed task", "container cluster")
    for place in range(int(number)):
        zone = zones[place % len(zones)] if zones else ""
        promised = place_task(b, item, None, zone, place // max(1, len(zones)) + 1)
        if is_known:
            b.is_off(promised.node, "not running")
        found.append(promised)
    return found


def tasks_with_zones(b: Builder, item: Item) -> list[tuple[str, Requirement]]:
    """Return the tasks of a service, each with its zone where that is known."""
    found = tasks_of(b, item)
    return [(b.service.zone_of.get(one.node, "") if isinstance(one, On) else "", one) for one in found]


def place_of(tasks: list[Item], task: Item) -> tuple[str, int]:
    """Return a task's zone, and its place among those there: the same after it was replaced."""
    zone = task.text("availabilityZone")
    there = sorted(one.id for one in tasks if one.text("availabilityZone") == zone)
    return zone, there.index(task.id) + 1


def place_task(b: Builder, service: Item, item: Item | None, zone: str, number: int) -> On:
    """Add a task; its service starts another when it fails."""
    name = f"task {service.label}/{zone or 'zone'}/{number}"
    if name in b.nodes:
        return On(name)
    label = f"task {number} of {service.label}{f' in {zone}' if zone else ''}"
    fault = b.event(name, "task", label)
    certain, possible = b.domains(zone, name)
    if item is not None and (host := item.text("containerInstanceArn")):
        machine = host.rpartition("/")[2]
        certain = (*certain, b.event(f"host:{host}", "host", f"container instance {machine}"))
    b.member(name)
    facts = service.facts("desiredCount", "launchType") + (
        item.facts("availabilityZone") if item is not None else ()
    )
    b.add(
        Node(name, UP, (fault,), certain, possible, kind="task", label=label),
        item=item or service,
        facts=facts,
        zone=zone,
    )
    for event in (fault, *certain):
        b.heals(event, f"ECS service {service.label}")
    if item is not None and item.text("lastStatus") not in RUNNING:
        b.is_off(name, item.text("lastStatus"), certain=item.text("lastStatus") in ENDED)
    elif item is not None and item.text("healthStatus") == "UNHEALTHY":
        b.is_off(name, "UNHEALTHY", certain=False)
    b.apply_uses(name, service)
    return On(name)


def task(b: Builder, item: Item) -> Requirement:
    """A task that was named by itself: by its address, in a target group."""
    service = service_of(b.estate, item)
    if service is None:
        return b.unread(f"the service of task {item.id}")
    tasks_of(b, service)
    running = list(b.estate.where("task", "group", item.text("group")))
    same = [one for one in running if one.text("clusterArn") == item.text("clusterArn")]
    return place_task(b, service, item, *place_of(same, item))


def service_of(estate: Estate, item: Item) -> Item | None:
    """Return the service that keeps a task."""
    name = item.text("group").removeprefix("service:")
    found = estate.where("container service", "serviceName", name)
    return next((one for one in found if one.text("clusterArn") == item.text("clusterArn")), None)


def node_group(b: Builder, item: Item) -> Requirement:
    """An EKS node group: any of its machines; where its pods stand only Kubernetes knows."""
    names = [row.text("name") for row in item.rows("resources.autoScalingGroups")]
    parts = [b.need("auto scaling group", one) for one in names if one]
    b.not_read(f"which nodes of {item.label} run which pods")
    needs = AnyOf(tuple(parts)) if parts else b.unread(f"nodes of {item.label}")
    return umbrella(b, item, needs, item.facts("scalingConfig.desiredSize", "subnets"))


def function(b: Builder, item: Item) -> Requirement:
    """A function: in the whole region, or in the zones of the subnets it was given."""
    zones = zones_at(b, item, "VpcConfig.SubnetIds")
    legs = []
    for zone in zones:
        label = f"function {item.label} in {zone}"
        node = Node(f"{b.name(item)} in {zone}", domains=(b.zone(zone),), kind="function zone", label=label)
        legs.append(b.add(node, item=item, zone=zone))
    needs: Requirement = AnyOf(tuple(legs)) if legs else UP
    if not zones and (item.is_unknown("VpcConfig.SubnetIds") or item.at("VpcConfig.SubnetIds")):
        needs = b.unread(f"zones of function {item.label}")
    found = umbrella(b, item, needs, item.facts("VpcConfig.SubnetIds", "State"))
    if item.text("State") in ("Failed", "Inactive"):
        b.is_off(found.node, item.text("State"), certain=item.text("State") == "Failed")
    b.apply_uses(found.node, item)
    return found
