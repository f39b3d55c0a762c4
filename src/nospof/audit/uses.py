"""Who needs what, where no call declares it: addresses in settings, and what the network permits.

An address in a setting is matched whole, and only against stores that were read: nothing is guessed
from words. What a security group permits may never be used, so it counts in the pessimistic reading
only, and becomes a question.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from nospof.model.estate import Estate, Item, Record, Use

HOST = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+")
FILE_SYSTEM_HOST = re.compile(r"(?:[a-z0-9-]+\.)?(fs-[0-9a-f]+)\.efs\.")

ENDPOINTS: dict[str, tuple[str, ...]] = {
    "database": ("Endpoint.Address",),
    "database cluster": ("Endpoint", "ReaderEndpoint"),
    "database proxy": ("Endpoint",),
    "warehouse": ("Endpoint.Address",),
    "cache": (
        "ConfigurationEndpoint.Address",
        "NodeGroups.PrimaryEndpoint.Address",
        "NodeGroups.ReaderEndpoint.Address",
        "NodeGroups.NodeGroupMembers.ReadEndpoint.Address",
    ),
    "cache cluster": ("ConfigurationEndpoint.Address", "CacheNodes.Endpoint.Address"),
    "memory database": ("ClusterEndpoint.Address", "Shards.Nodes.Endpoint.Address"),
    "DAX cluster": ("ClusterDiscoveryEndpoint.Address", "Nodes.Endpoint.Address"),
    "broker": ("BrokerInstances.Endpoints",),
    "search domain": ("Endpoint",),
    "FSx file system": ("DNSName",),
}
"""The host names of each kind of store."""
GROUPS: dict[str, tuple[str, tuple[int, ...]]] = {
    "database": ("VpcSecurityGroups.VpcSecurityGroupId", (3306, 5432, 1521, 1433)),
    "database cluster": ("VpcSecurityGroups.VpcSecurityGroupId", (3306, 5432, 8182, 27017)),
    "warehouse": ("VpcSecurityGroups.VpcSecurityGroupId", (5439,)),
    "cache cluster": ("SecurityGroups.SecurityGroupId", (6379, 11211)),
    "memory database": ("SecurityGroups.SecurityGroupId", (6379,)),
    "DAX cluster": ("SecurityGroups.SecurityGroupIdentifier", (8111, 9111)),
    "broker": ("SecurityGroups", (5671, 61617, 8883)),
    "search domain": ("VPCOptions.SecurityGroupIds", (443,)),
}
"""Where the security groups of a store stand, and the ports it listens on where it says none itself."""
PORTS = ("Endpoint.Port", "Port")
USERS: dict[str, str] = {
    "instance": "SecurityGroups.GroupId",
    "container service": "networkConfiguration.awsvpcConfiguration.securityGroups",
    "function": "VpcConfig.SecurityGroupIds",
}
"""What may use a store, and where its security groups stand."""


def find_uses(estate: Estate) -> tuple[Use, ...]:
    """Return the uses that were found and those the estate has, without what a person has settled."""
    return settled((*estate.uses, *configured(estate), *permitted(estate)))


def settled(uses: Iterable[Use]) -> tuple[Use, ...]:
    """Return the uses, each once; what a person said decides, and "none" means that there is no such use."""
    listed = list(dict.fromkeys(uses))
    said = {(one.user, one.used_kind, one.used): one for one in listed if one.provenance == "assumed"}
    known = {(one.user, one.used_kind, one.used) for one in listed if one.provenance != "permitted"}
    found = []
    for use in listed:
        at = (use.user, use.used_kind, use.used)
        decided = said.get(at)
        if decided is not None and use is not decided:
            continue
        if use.view != "none" and (use.provenance != "permitted" or at not in known):
            found.append(use)
    return tuple(found)


# What settings say ----------------------------------------------------------------------------------------


def configured(estate: Estate) -> Iterator[Use]:
    """Yield what functions and containers are told to connect to."""
    stores = endpoints(estate)
    for item in estate.of("function"):
        variables = item.at("Environment.Variables")
        pairs = variables.items() if isinstance(variables, dict) else ()
        for name, value in pairs:
            yield from named(stores, item.id, str(value), f"variable {name} of function {item.label}")
        for row in item.rows("FileSystemConfigs"):
            yield from access_point(estate, item, row.text("Arn"))
    for service in estate.of("container service"):
        definition = estate.find("task definition", service.text("taskDefinition"))
        if definition is not None:
            yield from of_definition(stores, service, definition)


def of_definition(stores: dict[str, tuple[str, str]], service: Item, definition: Item) -> Iterator[Use]:
    """Yield what a service's tasks are told to connect to, to mount and to read at the start."""
    for container in definition.rows("containerDefinitions"):
        for row in container.rows("environment"):
            where = f"variable {row.text('name')} of task definition {definition.label}"
            yield from named(stores, service.id, row.text("value"), where)
        for row in container.rows("secrets"):
            # A value may name one key inside the secret, behind its ARN's seven parts.
            arn = ":".join(row.text("valueFrom").split(":")[:7])
            if ":secretsmanager:" in arn:
                yield Use(service.id, "secret", arn, "recovery", why=f"task definition {definition.label}")
    for volume in definition.rows("volumes"):
        if key := volume.text("efsVolumeConfiguration.fileSystemId"):
            why = f"volume {volume.text('name')} of task definition {definition.label}"
            yield Use(service.id, "file system", key, why=why)


def access_point(estate: Estate, item: Item, arn: str) -> Iterator[Use]:
    """Yield the file system of a function, where its ARN names one that was read."""
    if found := estate.find("file system", arn):
        yield Use(item.id, "file system", found.id, why=f"file system of function {item.label}")


def named(stores: dict[str, tuple[str, str]], user: str, text: str, where: str) -> Iterator[Use]:
    """Yield a use for each known store whose host name stands in a text."""
    for host in HOST.findall(text):
        found = stores.get(host.lower().rstrip("."))
        if found is None and (system := FILE_SYSTEM_HOST.match(host.lower())):
            found = stores.get(system[1])
        if found is not None:
            yield Use(user, *found, why=f"{where} names {host}")


def endpoints(estate: Estate) -> dict[str, tuple[str, str]]:
    """Return kind and id of every store by its host names; of a file system by its id."""
    found: dict[str, tuple[str, str]] = {one.id: ("file system", one.id) for one in estate.of("file system")}
    for kind, paths in ENDPOINTS.items():
        for item in estate.of(kind):
            for path in paths:
                for text in leaves(item, path):
                    for host in HOST.findall(text):
                        found.setdefault(host.lower().rstrip("."), (kind, item.id))
    return found


def leaves(record: Record, path: str) -> Iterator[str]:
    """Yield every text at a path, through lists."""
    parts = path.split(".")
    for end in range(1, len(parts)):
        inside = record.rows(".".join(parts[:end]))
        if inside:
            for row in inside:
                yield from leaves(row, ".".join(parts[end:]))
            return
    value = record.at(path)
    if isinstance(value, (list, tuple)):
        yield from record.texts(path)
    elif value is not None:
        yield record.text(path)


# What the network permits ---------------------------------------------------------------------------------


def permitted(estate: Estate) -> Iterator[Use]:
    """Yield what may use a store, because a group of the store's lets a group of its own in."""
    for kind, (path, _) in GROUPS.items():
        for store in estate.of(kind):
            if kind == "database" and store.text("DBClusterIdentifier"):
                continue
            ports = ports_of(store)
            for key in dict.fromkeys(leaves(store, path)):
                group = estate.find("security group", key)
                if group is not None:
                    yield from let_in(estate, store, group, ports)


def ports_of(store: Item) -> tuple[int, ...]:
    """Return the ports that a store listens on: its own, else the usual ones of its kind."""
    told = (store.number(one) for one in PORTS if one in store.kind.paths)
    own = next((port for port in told if port is not None), None)
    return (int(own),) if own is not None else GROUPS.get(store.kind.name, ("", ()))[1]


def let_in(estate: Estate, store: Item, group: Item, ports: tuple[int, ...]) -> Iterator[Use]:
    """Yield a use for each that a security group lets in on a port of a store."""
    for rule in group.rows("IpPermissions"):
        if not is_open(rule, ports):
            continue
        for pair in rule.rows("UserIdGroupPairs"):
            source = pair.text("GroupId")
            for kind, path in USERS.items():
                for user in estate.where(kind, path, source) if source else ():
                    why = f"security group {group.label} lets {source} in"
                    yield Use(user.id, store.kind.name, store.id, provenance="permitted", why=why)


def is_open(rule: Record, ports: tuple[int, ...]) -> bool:
    """Whether a rule lets TCP in on one of the ports."""
    protocol = rule.text("IpProtocol")
    if protocol == "-1":
        return True
    low, high = rule.number("FromPort"), rule.number("ToPort")
    if protocol not in ("tcp", "6") or low is None or high is None:
        return False
    return any(low <= port <= high for port in ports)


def with_uses(estate: Estate) -> Estate:
    """Return the estate with every use that can be found in it."""
    return replace(estate, uses=find_uses(estate))
