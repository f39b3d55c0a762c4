"""Who is told of which store in its settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nospof.adapters.iac.terraform.desk import Desk
from nospof.adapters.iac.terraform.references import References
from nospof.adapters.iac.terraform.resources import Resource
from nospof.model.estate import Item, Use

SETTINGS = ("user_data", "user_data_base64", "environment", "container_definitions")
"""Where what a machine, task or function is told to connect to stands."""
STORES = frozenset(
    {"database", "database cluster", "database proxy", "warehouse", "cache", "cache cluster", "DAX cluster"}
    | {"memory database", "broker", "Kafka cluster", "search domain", "file system", "FSx file system"}
    | {"table", "queue", "topic", "bucket"}
)
ADDRESSES = frozenset({"private_ip", "private_dns", "public_ip", "public_dns", "ipv6_addresses"})
"""What of another machine a setting names when it is told to connect there."""
VIEW_OF = {"queue": "degraded", "topic": "degraded"}
"""What hands work over to others stops nobody at once."""
LAUNCHED_BY = {
    "aws_autoscaling_group": ("launch_configuration", "launch_template", "mixed_instances_policy"),
    "aws_ecs_service": ("task_definition",),
}


def uses_of(
    resources: tuple[Resource, ...], references: References, desk: Desk, items: Iterable[Item]
) -> Iterator[Use]:
    """Yield the stores that machines, groups, tasks and functions are told of, by who is told."""
    items = tuple(items)
    stores = {item.id: item.kind.name for item in items if item.kind.name in STORES}
    machines = {item.id for item in items if item.kind.name == "instance"}
    found: dict[tuple[str, str], Use] = {}
    for user, source in users(resources, references, desk):
        names = tuple(name for setting in SETTINGS for name in source.block.references(setting))
        answer = references.of(source, tuple(dict.fromkeys(names)), through_data=True)
        for target in answer.targets:
            used = id_of(desk, target.resource)
            kind = stores.get(used, "")
            if used in machines and used != user and target.attribute in ADDRESSES:
                kind = "instance"
            if kind and (user, used) not in found:
                why = f"the settings of {source.address} name {target.resource.address}"
                found[user, used] = Use(user, kind, used, VIEW_OF.get(kind, "serving"), "configured", why)
    yield from (found[key] for key in sorted(found))


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


def id_of(desk: Desk, one: Resource) -> str:
    """Return the id of what a resource became, its address where it became nothing."""
    return next((draft.id for draft in desk.drafts_of(one)), one.address)
