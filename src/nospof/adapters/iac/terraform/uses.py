"""Who is told of whom in its settings: by the configuration, or by an address that stands in them.

Settings may hold secrets: they are looked at and not kept.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nospof.adapters.iac.terraform.desk import Desk
from nospof.adapters.iac.terraform.references import Found, References
from nospof.adapters.iac.terraform.resources import Resource
from nospof.model.estate import Item, Use
from nospof.model.kinds import KINDS

SETTINGS = ("user_data", "user_data_base64", "environment", "container_definitions", "provisioners")
"""Where what a machine, task or function is told to connect to stands."""
ADDRESSES = frozenset({"private_ip", "private_dns", "public_ip", "public_dns", "ipv6_addresses"})
"""What of another machine a setting names when it is told to connect there."""
ENDPOINTS: dict[str, tuple[str, ...]] = {
    "database": ("address", "endpoint"),
    "database cluster": ("endpoint", "reader_endpoint"),
    "database proxy": ("endpoint",),
    "warehouse": ("dns_name", "endpoint"),
    "cache": ("primary_endpoint_address", "reader_endpoint_address", "configuration_endpoint_address"),
    "cache cluster": ("cluster_address", "configuration_endpoint", "cache_nodes"),
    "DAX cluster": ("cluster_address", "configuration_endpoint"),
    "file system": ("dns_name",),
    "FSx file system": ("dns_name",),
    "search domain": ("endpoint",),
    "broker": ("instances",),
    "Kafka cluster": ("bootstrap_brokers", "bootstrap_brokers_tls"),
    "queue": ("url",),
    "instance": ("private_ip", "private_dns"),
}
"""Where the addresses stand that each kind is reached by."""
WORD = re.compile(r"[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_./-]+)?")
LONGEST_TEXT = 1_000_000
LAUNCHED_BY = {
    "aws_autoscaling_group": ("launch_configuration", "launch_template", "mixed_instances_policy"),
    "aws_ecs_service": ("task_definition",),
}

TEMPLATES = ("launch template", "launch configuration", "task definition")


def uses_of(
    resources: tuple[Resource, ...], references: References, desk: Desk, items: Iterable[Item]
) -> Iterator[Use]:
    """Yield the stores that machines, groups, tasks and functions are told of, by who is told."""
    items = tuple(items)
    kinds = {item.id: item.kind.name for item in items if item.kind.used_in}
    machines = {item.id: "instance" for item in items if item.kind.name == "instance"}
    known = endpoints(desk)
    answers: dict[Found, list[tuple[Resource, str]]] = {}

    def kind_of(resource: Resource, attribute: str) -> str:
        used = id_of(desk, resource)
        return kinds.get(used, "") or (machines.get(used, "") if attribute in ADDRESSES else "")

    found: dict[tuple[str, str], Use] = {}
    for user, source in users(resources, references, desk):
        names = tuple(name for setting in SETTINGS for name in source.block.references(setting))
        answer = references.of(source, tuple(dict.fromkeys(names)), through_data=True)
        # All machines of one count share one answer: who counts is sought once.
        if answer not in answers:
            targets = [(one.resource, kind_of(one.resource, one.attribute)) for one in answer.targets]
            answers[answer] = [(resource, kind) for resource, kind in targets if kind]
        standing = [(one, kind_of(one, "private_ip")) for one in standing_in(source, known)]
        for resource, kind in (*answers[answer], *standing):
            used = id_of(desk, resource)
            if kind and used != user and (user, used) not in found:
                why = f"the settings of {source.address} name {resource.address}"
                view = KINDS[kind].used_in or "serving"  # Machines are told of each other, too.
                found[user, used] = Use(user, kind, used, view, "configured", why)
    yield from (found[key] for key in sorted(found))


def endpoints(desk: Desk) -> dict[str, Resource]:
    """Return the addresses that are known already, and whose they are."""
    found: dict[str, Resource] = {}
    for draft in desk.drafts:
        for name in ENDPOINTS.get(draft.kind, ()) if not draft.resource.is_data else ():
            for text in texts_in(draft.resource.values.get(name)):
                for part in text.split(","):
                    rest = part.rpartition("://")[2]
                    host = rest if draft.kind == "queue" else rest.partition("/")[0].partition(":")[0]
                    if "." in host:
                        found.setdefault(host.strip(".").lower(), draft.resource)
    return found


def standing_in(source: Resource, known: Mapping[str, Resource]) -> Iterator[Resource]:
    """Yield whose addresses stand whole in the settings of a resource."""
    for setting in SETTINGS:
        for text in texts_in(source.values.get(setting)):
            for one in (text, decoded(text)):
                for word in dict.fromkeys(WORD.findall(one[:LONGEST_TEXT])):
                    for host in (word, word.partition("/")[0]):
                        if (owner := known.get(host.strip("./").lower())) is not None:
                            yield owner


def texts_in(value: Any) -> Iterator[str]:
    """Yield every text within a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (Mapping, list)):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from texts_in(one)


def decoded(text: str) -> str:
    """Return what a text says in base64; nothing where it is none."""
    if len(text) < 8 or len(text) % 4 or " " in text:
        return ""
    try:
        return base64.b64decode(text, validate=True).decode("utf-8", "ignore")
    except (binascii.Error, ValueError):
        return ""


def users(
    resources: tuple[Resource, ...], references: References, desk: Desk
) -> Iterator[tuple[str, Resource]]:
    """Yield who uses what a resource's settings name, and that resource."""
    for one in resources:
        if one.is_data:
            continue
        if one.type in ("aws_instance", "aws_lambda_function", "aws_ecs_task_definition"):
            yield id_of(desk, one), one
        for name in LAUNCHED_BY.get(one.type, ()):
            for target in references.of(one, one.block.references(name)).targets:
                yield id_of(desk, one), target.resource
            for text in texts_in(one.values.get(name)):
                for kind in TEMPLATES:
                    if draft := desk.find(kind, text):
                        yield id_of(desk, one), draft.resource


def id_of(desk: Desk, one: Resource) -> str:
    """Return the id of what a resource became, its address where it became nothing."""
    return next((draft.id for draft in desk.drafts_of(one)), one.address)
