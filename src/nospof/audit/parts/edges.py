"""What stands at the edge before balancers: CloudFront, Global Accelerator, API Gateway, Elastic IPs.

AWS runs them in many places; what can fail is what they send to.
"""

from __future__ import annotations

from nospof.audit.builder import Builder
from nospof.audit.parts.entry import machine_of_interface, named
from nospof.model.estate import Estate, Item
from nospof.model.topology import UP, AllOf, AnyOf, Node, On, Requirement, Split, Unknown

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def distribution(b: Builder, item: Item) -> Requirement:
    """A CloudFront distribution: what its behaviours send to, each by its path."""
    name = b.name(item)
    behaviours = [item.text("DefaultCacheBehavior.TargetOriginId")]
    behaviours += [row.text("TargetOriginId") for row in item.rows("CacheBehaviors.Items")]
    ways = [origin_or_group(b, item, one) for one in dict.fromkeys(behaviours) if one]
    if item.is_unknown("CacheBehaviors.Items"):
        b.not_read(f"where distribution {title_of(item)} sends some of its clients")
    distinct = list(dict.fromkeys(ways)) or [b.unread(f"origins of distribution {title_of(item)}")]
    if len(distinct) > 1:
        b.assume("clients of a distribution are spread evenly over the origins that serve different paths")
    needs = distinct[0] if len(distinct) == 1 else Split(tuple((1, way) for way in distinct))
    label = f"distribution {title_of(item)}"
    facts = item.facts("Aliases.Items", "DefaultCacheBehavior.TargetOriginId")
    b.add(Node(name, needs, kind="distribution", label=label), item=item, facts=facts)
    if item.flag("Enabled", True) is False:
        b.is_off(name, "disabled")
    for one in dict.fromkeys(behaviours):
        if one and (first := first_of_group(item, one)) and takes_writes(item, one):
            b.also_needs(name, "degraded", origin(b, item, first))
    b.apply_uses(name, item)
    return On(name)


def title_of(item: Item) -> str:
    """Return what people call a distribution: its first name, else its own."""
    return next(iter(item.texts("Aliases.Items")), "") or item.text("DomainName") or item.label


def origin_or_group(b: Builder, item: Item, key: str) -> Requirement:
    """Return what a behaviour needs: its origin, or one of its group, for reading."""
    members = members_of_group(item, key)
    if not members:
        return origin(b, item, key)
    if len(members) == 1:
        return origin(b, item, members[0])
    b.assume("CloudFront goes to a group's second origin for reading only; writing needs the first")
    parts = tuple(dict.fromkeys(origin(b, item, one) for one in members))
    label = f"origin group {key} of {title_of(item)}"
    return b.add(Node(f"{b.name(item)}/{key}", AnyOf(parts), kind="origin group", label=label))


def members_of_group(item: Item, key: str) -> list[str]:
    """Return the origins of a group, the first one first; none where the key is an origin's own."""
    for group in item.rows("OriginGroups.Items"):
        if group.text("Id") == key:
            return [row.text("OriginId") for row in group.rows("Members.Items")]
    return []


def first_of_group(item: Item, key: str) -> str:
    """Return the first origin of a group of several."""
    members = members_of_group(item, key)
    return members[0] if len(members) > 1 else ""


def takes_writes(item: Item, key: str) -> bool:
    """Whether a behaviour lets clients write to its origin."""
    methods: set[str] = set()
    if item.text("DefaultCacheBehavior.TargetOriginId") == key:
        methods |= set(item.texts("DefaultCacheBehavior.AllowedMethods.Items"))
    for row in item.rows("CacheBehaviors.Items"):
        if row.text("TargetOriginId") == key:
            methods |= set(row.texts("AllowedMethods.Items"))
    return bool(methods & WRITES)


def origin(b: Builder, item: Item, key: str) -> Requirement:
    """Return what an origin needs."""
    row = next((one for one in item.rows("Origins.Items") if one.text("Id") == key), None)
    domain = row.text("DomainName") if row else ""
    if not domain:
        return b.unread(f"origin {key} of {title_of(item)}")
    return named(b, domain, f"origin {domain}")


# Global Accelerator ---------------------------------------------------------------------------------------


def accelerator(b: Builder, item: Item) -> Requirement:
    """A Global Accelerator: any endpoint that gets traffic, of each of its listeners."""
    name = b.name(item)
    ways = [
        listener_way(b, item, listener)
        for listener in b.estate.where("accelerator listener", "AcceleratorArn", item.id)
    ]
    distinct = list(dict.fromkeys(ways))
    if not distinct:
        distinct = [b.unread(f"endpoints of accelerator {item.label}")]
    needs = distinct[0] if len(distinct) == 1 else Split(tuple((1, way) for way in distinct))
    b.add(Node(name, needs, kind="accelerator", label=f"accelerator {item.label}"), item=item)
    if item.flag("Enabled", True) is False:
        b.is_off(name, "disabled")
    b.apply_uses(name, item)
    return On(name)


def listener_way(b: Builder, item: Item, listener: Item) -> Requirement:
    """Return what a listener needs: one endpoint with weight, in a group with a traffic dial above zero."""
    sure: list[Requirement] = []
    perhaps: list[Requirement] = []
    groups = b.estate.where("endpoint group", "ListenerArn", *listener.keys)
    for group in groups:
        dial = group.number("TrafficDialPercentage", 100)
        if dial == 0:
            continue
        if group.is_unknown("EndpointDescriptions"):
            perhaps.append(UP)
            b.not_read(f"endpoints of {group.label}")
        for row in group.rows("EndpointDescriptions"):
            weight = row.number("Weight", 128)
            if weight == 0:
                continue
            who = row.text("EndpointId")
            need = named(b, who, f"endpoint {who} in {group.text('EndpointGroupRegion') or 'its region'}")
            label = f"endpoint {who}"
            node = b.add(Node(f"{group.id}/{who}", need, kind="target", label=label), item=group)
            if row.text("HealthState") == "UNHEALTHY":
                b.is_off(node.node, "unhealthy")
            (perhaps if None in (dial, weight) else sure).append(node)
    if not groups and (not b.estate.is_whole or b.estate.is_unread("endpoint group")):
        return b.unread(f"endpoints of accelerator {item.label}")
    parts = (*sure, *perhaps)
    if len(parts) == 1:
        return parts[0]
    # What nobody could tell of may get no traffic, and then it is no spare.
    least = AnyOf(tuple(sure)) if sure else AllOf(parts)
    return Unknown(least, AnyOf(parts)) if perhaps else AnyOf(parts)


# Elastic IPs ----------------------------------------------------------------------------------------------


def address(b: Builder, item: Item) -> Requirement:
    """An Elastic IP: it leads to one machine, and nothing moves it by itself."""
    name = b.name(item)
    machine = machine_of_address(b.estate, item)
    if machine is not None:
        needs = b.of(machine)
    elif balancer := balancer_of_address(b.estate, item):
        needs = b.of(balancer)
    else:
        needs = b.unread(f"what holds Elastic IP {item.label}")
    facts = item.facts("InstanceId", "NetworkInterfaceId")
    return b.add(Node(name, needs, kind="address", label=f"Elastic IP {item.label}"), item=item, facts=facts)


def machine_of_address(estate: Estate, item: Item) -> Item | None:
    """Return the instance that an Elastic IP leads to, by itself or by the interface that it is bound to."""
    if found := estate.find("instance", item.text("InstanceId")):
        return found
    key = item.text("NetworkInterfaceId")
    if not key:
        return None
    if interface := estate.find("network interface", key):
        return machine_of_interface(estate, interface)
    holders = estate.where("instance", "NetworkInterfaces.NetworkInterfaceId", key)
    return holders[0] if holders else None


def balancer_of_address(estate: Estate, item: Item) -> Item | None:
    """Return the network balancer that an Elastic IP belongs to."""
    path = "AvailabilityZones.LoadBalancerAddresses.AllocationId"
    found = estate.where("load balancer", path, item.id)
    return found[0] if found else None


# API Gateway ----------------------------------------------------------------------------------------------


def api(b: Builder, item: Item) -> Requirement:
    """An API of API Gateway, which spans the region: what it calls is what can fail."""
    name = b.name(item)
    calls = b.estate.where("HTTP API integration", "ApiId", item.id) if item.kind.name == "HTTP API" else ()
    parts = [integration(b, one) for one in calls]
    distinct = list(dict.fromkeys(one for one in parts if one is not None))
    needs: Requirement = UP
    if distinct:
        needs = distinct[0] if len(distinct) == 1 else Split(tuple((1, one) for one in distinct))
    elif not calls:
        b.not_read(f"what the API {item.label} calls")
    return b.add(Node(name, needs, kind="API", label=f"API {item.label}"), item=item)


def integration(b: Builder, item: Item) -> Requirement | None:
    """Return what an integration calls; nothing where it answers by itself."""
    uri = item.text("IntegrationUri")
    if not uri or item.text("IntegrationType") == "MOCK":
        return None
    if b.knows("function") and (known := b.estate.find("function", function_of(uri))):
        return b.of(known)
    if listener := b.estate.find("listener", uri):
        return b.need("load balancer", listener.text("LoadBalancerArn"))
    host = uri.partition("://")[2].partition("/")[0].partition(":")[0] or uri
    return named(b, host, f"what {uri} is")


def function_of(uri: str) -> str:
    """Return the function's ARN in an integration's URI, which is the ARN itself or a path around it."""
    inner = uri.partition("/functions/")[2].partition("/invocations")[0]
    return inner or uri


def api_domain(b: Builder, item: Item) -> Requirement:
    """A name of API Gateway: which API each of its paths leads to is not read."""
    b.not_read(f"the APIs behind {item.label}")
    return b.add(Node(b.name(item), UP, kind="API", label=f"API domain {item.label}"), item=item)
