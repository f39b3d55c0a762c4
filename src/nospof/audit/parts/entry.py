"""Names and their records: what clients are sent to, and whether anything moves them when it fails.

A record that nobody checks is always answered with: its share of the clients is lost with what it
names. A checked one that fails is left out, and its clients get the others. Route 53 itself answers
from many places at once, so a record has no fault of its own.
"""

from __future__ import annotations

from collections.abc import Iterable

from nospof.audit.builder import Builder
from nospof.model.estate import UNKNOWN, Estate, Item
from nospof.model.findings import Fact
from nospof.model.topology import UP, AllOf, AnyOf, Node, On, Requirement, Split, Unknown

ADDRESS_TYPES = ("A", "CNAME", "AAAA")
"""In this order: who has both families falls back to IPv4, and who has IPv4 alone never gets the other."""
NAMED_KINDS = (
    "load balancer",
    "classic load balancer",
    "distribution",
    "accelerator",
    "API domain",
    "address",
    "instance",
)
"""What a record or an origin can name by its host name, its address or, in a description, its id."""
DUALSTACK = "dualstack."
MANAGED_ENDPOINTS = (".s3.", ".s3-website", ".cloudfront.net", ".awsglobalaccelerator.com", ".execute-api.")


def record_set(b: Builder, item: Item) -> Requirement:
    """All records of a host name: the name is what clients know, so it is one thing."""
    records = records_of_name(b.estate, item)
    first = records[0]
    if item.id != first.id:
        return b.of(first)
    name, host = b.name(first), host_of(first)
    if len(records) == 1:
        needs = values_of(b, first)
    else:
        answers = [(one, answer(b, one)) for one in records]
        needs = routed(b, answers)
    b.add(Node(name, needs, kind="record", label=f"name {host}"), item=first, facts=facts_of(first))
    return On(name)


def answer(b: Builder, item: Item) -> On:
    """Add one of several records of a name."""
    node = Node(f"answer {item.id}", values_of(b, item), kind="record", label=says_of(item))
    found = b.add(node, item=item, facts=facts_of(item))
    if says := fails_now(b.estate, item.text("HealthCheckId")):
        b.is_off(found.node, says)
    return found


def fails_now(estate: Estate, key: str) -> str:
    """Return that a record's check fails, if no place that it is made from sees otherwise; else nothing."""
    check = estate.find("health check", key) if key else None
    if check is None or check.flag("HealthCheckConfig.Disabled") or check.flag("HealthCheckConfig.Inverted"):
        return ""
    seen = [
        one.text("StatusReport.Status") for one in estate.where("health check status", "HealthCheckId", key)
    ]
    return f"left out: {seen[0]}" if seen and all(one.startswith("Failure") for one in seen) else ""


def records_of_name(estate: Estate, item: Item) -> tuple[Item, ...]:
    """Return the records that clients of a name use, as they were read; the first stands for all."""
    same = [
        one
        for one in estate.where("record set", "Name", item.text("Name"))
        if one.text("HostedZoneId") == item.text("HostedZoneId")
    ]
    for kind in ADDRESS_TYPES:
        if found := tuple(one for one in same if one.text("Type") == kind):
            return found
    return (item,)


def host_of(item: Item) -> str:
    """Return a record's host name as people write it."""
    return item.text("Name").rstrip(".").replace("\\052", "*").lower()


def says_of(item: Item) -> str:
    """Return a record of several as people tell it from the others."""
    which = item.text("SetIdentifier") or ", ".join(targets_of(item))
    return f"record {host_of(item)} ({which})"


def facts_of(item: Item) -> tuple[Fact, ...]:
    """Return what was read about a record: where it leads, its weight and its check."""
    paths = ["AliasTarget.DNSName" if item.at("AliasTarget") else "ResourceRecords", "HealthCheckId"]
    paths += [path for path in ("Weight", "Failover", "TTL") if item.at(path) is not None]
    return item.facts(*paths)


def targets_of(item: Item) -> tuple[str, ...]:
    """Return the host names and addresses that a record leads to."""
    if alias := item.text("AliasTarget.DNSName"):
        return (plain(alias),)
    return tuple(plain(row.text("Value")) for row in item.rows("ResourceRecords") if row.text("Value"))


def plain(host: str) -> str:
    """Return a host name without closing dot, and without the prefix that an alias may carry."""
    return host.rstrip(".").removeprefix(DUALSTACK)


def values_of(b: Builder, item: Item) -> Requirement:
    """Return what one record needs: each of its values gets its share, and nobody checks them singly."""
    targets = targets_of(item)
    unknown = is_unknown(item)
    parts = [named(b, one, f"what answers at {one} (named by {host_of(item)})") for one in targets]
    if unknown or not parts:
        parts.append(b.unread(f"what {host_of(item)} leads to"))
    distinct = list(dict.fromkeys(parts))
    return distinct[0] if len(distinct) == 1 else Split(tuple((1, one) for one in distinct))


def is_unknown(item: Item) -> bool:
    """Whether a record leads somewhere that nobody could tell."""
    if item.is_unknown("AliasTarget.DNSName") or item.is_unknown("ResourceRecords"):
        return True
    return any(row.is_unknown("Value") for row in item.rows("ResourceRecords"))


# Which record is answered with ---------------------------------------------------------------------------


def routed(b: Builder, answers: list[tuple[Item, On]]) -> Requirement:
    """Return what a name needs that has several records, by its routing policy."""
    if any(item.text("Failover") for item, _ in answers):
        return failover(b, answers)
    checked = {item.id for item, _ in answers if is_checked(b.estate, item) and has_own_check(item, answers)}
    if len(checked) == len(answers) and not any(item.at("GeoLocation") for item, _ in answers):
        return AnyOf(tuple(on for _, on in answers))
    weighted = [(item.number("Weight", 1), item, on) for item, on in answers]
    if all(weight == 0 for weight, _, _ in weighted):
        weighted = [(1, item, on) for _, item, on in weighted]
    b.assume("where a name's answers go by weight, its clients are divided as the weights say")
    parts: list[tuple[int, Requirement]] = []
    for weight, item, on in weighted:
        if weight != 0:
            others = spares_of(item, answers) if item.id in checked else []
            parts.append((int(weight or 1), AnyOf((on, *others)) if others else on))
    split = Split(tuple(parts))
    # A weight that nobody could tell may be zero, and then the others get everybody.
    is_told = all(weight is not None for weight, _, _ in weighted)
    return split if is_told or len(parts) == 1 else Unknown(AllOf(tuple(part for _, part in parts)), split)


def failover(b: Builder, answers: list[tuple[Item, On]]) -> Requirement:
    """Return what a primary and its secondary need: without a check the secondary is never answered with."""
    primary = [(item, on) for item, on in answers if item.text("Failover") == "PRIMARY"]
    others = [on for item, on in answers if item.text("Failover") != "PRIMARY"]
    if not primary:
        return AnyOf(tuple(others))
    (item, on), *_ = primary
    is_watched = is_checked(b.estate, item) and has_own_check(item, answers)
    return AnyOf((on, *others)) if is_watched else on


def spares_of(item: Item, answers: list[tuple[Item, On]]) -> list[On]:
    """Return what clients get instead of a record that fails its check.

    By location only the record for everywhere else takes over (Route 53 developer guide, geolocation
    routing); otherwise all that are left do.
    """
    others = [(one, on) for one, on in answers if one.id != item.id]
    if item.at("GeoLocation"):
        return [on for one, on in others if one.text("GeoLocation.CountryCode") == "*"]
    return [on for _, on in others]


def has_own_check(item: Item, answers: list[tuple[Item, On]]) -> bool:
    """Whether a record can fail its check while the others of its name pass theirs.

    Where all fail, Route 53 answers as if all were well (its developer guide, "How Amazon Route 53
    chooses records when health checking is configured"); so a check of several records moves nobody.
    """
    key = item.text("HealthCheckId")
    if not key or item.flag("AliasTarget.EvaluateTargetHealth") is True:
        return True
    return any(one.text("HealthCheckId") != key for one, _ in answers if one.id != item.id)


def is_checked(estate: Estate, item: Item) -> bool:
    """Whether a record is left out of answers when what it leads to fails.

    A disabled check always passes. A check that was not read counts: somebody named it.
    """
    if check := item.text("HealthCheckId"):
        known = estate.find("health check", check)
        return known is None or known.flag("HealthCheckConfig.Disabled") is not True
    return item.at("HealthCheckId") is UNKNOWN or item.flag("AliasTarget.EvaluateTargetHealth") is True


# What a name leads to -------------------------------------------------------------------------------------


def named(b: Builder, key: str, what: str) -> Requirement:
    """Return what depends on whatever goes by a host name, an address or an id.

    Args:
        b: the builder.
        key: as the record or the origin says it.
        what: what to call it where it is not among what was read.
    """
    item = find_named(b.estate, key)
    if item is not None and b.knows(item.kind.name):
        return b.of(item)
    if ".execute-api." in key:
        b.not_read(f"the API behind {key}")
    if any(part in f".{key}" for part in MANAGED_ENDPOINTS):
        return b.add(Node(f"endpoint {key}", UP, kind="endpoint", label=key))
    return b.unread(what)


def find_named(estate: Estate, key: str) -> Item | None:
    """Return the item that a host name, an address or an id leads clients to."""
    key = plain(key)
    for kind in NAMED_KINDS:
        if found := estate.find(kind, key):
            return found
    by_address = estate.where("instance", "PublicIpAddress", key) or estate.where(
        "instance", "PublicDnsName", key
    )
    if by_address:
        return by_address[0]
    if ".execute-api." in key:
        api = key.partition(".")[0]
        return estate.find("HTTP API", api) or estate.find("REST API", api)
    if interfaces := estate.where("network interface", "Association.PublicIp", key):
        return machine_of_interface(estate, interfaces[0])
    return estate.find("record set", key)


def machine_of_interface(estate: Estate, interface: Item) -> Item | None:
    """Return the instance that a network interface belongs to."""
    if found := estate.find("instance", interface.text("Attachment.InstanceId")):
        return found
    holders = estate.where("instance", "NetworkInterfaces.NetworkInterfaceId", interface.id)
    return holders[0] if holders else None


def health_check(b: Builder, item: Item) -> Requirement:
    """A health check: Route 53 runs it from many places, and the answer does not hang on any of them."""
    label = f"health check {item.label}"
    return b.add(Node(b.name(item), UP, kind="health check", label=label), item=item)


def all_of(parts: Iterable[Requirement]) -> Requirement:
    """Return a need of all different parts."""
    distinct = tuple(one for one in dict.fromkeys(parts) if one != UP)
    return distinct[0] if len(distinct) == 1 else AllOf(distinct)
