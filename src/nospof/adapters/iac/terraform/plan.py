"""A plan's JSON: what will be there once it is applied.

The truth is `planned_values`, walked to any depth, with `resource_changes` telling what is known only
later. The configuration tells what refers to what; locals and dynamic blocks are not in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nospof.adapters.iac.terraform.resources import Resource, bare, indexed, with_unknown, within
from nospof.adapters.iac.terraform.shape import Malformed, mapping, objects, sequence, word
from nospof.model.findings import Unread


@dataclass(frozen=True)
class Description:
    """What a file describes: its resources in their order, and what is known to be missing from it."""

    resources: tuple[Resource, ...]
    unread: tuple[Unread, ...] = ()
    assumptions: tuple[str, ...] = ()
    region: str = ""
    read_at: Any = None
    configuration: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """A resource of a values tree, as it stands there. `where` is its path in the JSON."""

    address: str
    module: str
    record: Mapping[str, Any]
    where: str


def read_plan(document: Mapping[str, Any]) -> Description:
    """Return what a plan describes.

    Raises:
        Malformed: a place in it is not what it must be.
    """
    changes = changes_of(document)
    configuration = mapping(document.get("configuration"), "configuration")
    root = mapping(configuration.get("root_module"), "configuration.root_module")
    configured = dict(configured_resources(root, "configuration.root_module"))
    planned = mapping(document.get("planned_values"), "planned_values")
    rows = list(rows_of(planned.get("root_module"), "planned_values.root_module"))
    found = [resource_of(row, changes, configured if configuration else None) for row in no_duplicates(rows)]
    prior = mapping(document.get("prior_state"), "prior_state")
    values = mapping(prior.get("values"), "prior_state.values")
    known = {one.address for one in found}
    for row in rows_of(values.get("root_module"), "prior_state.values.root_module"):
        if row.record.get("mode") == "data" and row.address not in known:
            known.add(row.address)
            found.append(resource_of(row, {}, configured if configuration else None))
    return Description(
        tuple(found),
        (*unread_of_plan(document), *missing(configured, found), *forgotten(changes)),
        region=region_of(document, configuration),
        read_at=document.get("timestamp"),
        configuration=root,
    )


def rows_of(root: Any, where: str) -> Iterator[Row]:
    """Yield the resources of a tree of modules, each with its full address, outer modules first.

    Raises:
        Malformed: a place in it is not what it must be.
    """
    waiting = [("", root, where)]
    while waiting:
        module, part, place = waiting.pop(0)
        tree = mapping(part, place)
        for at, row in objects(tree.get("resources"), f"{place}.resources"):
            if not row:
                raise Malformed(at, "a resource was expected, not null")
            yield Row(full_address(row, module, at), module, row, at)
        below = []
        for number, (at, child) in enumerate(objects(tree.get("child_modules"), f"{place}.child_modules")):
            # The first Terraform with this format gave a module no address; its place then tells it apart.
            own = word(child.get("address"), f"{at}.address", f"{module}#{number}".lstrip("#"))
            below.append((own, child, at))
        waiting[0:0] = below


def full_address(row: Mapping[str, Any], module: str, where: str) -> str:
    """Return a resource's full address; early versions left out its module and its index."""
    word(row.get("type"), f"{where}.type")
    name = word(row.get("name"), f"{where}.name")
    prefix = "data." if row.get("mode") == "data" else ""
    address = word(row.get("address"), f"{where}.address", f"{prefix}{row['type']}.{name}")
    if module and not address.startswith(f"{module}."):
        address = f"{module}.{address}"
    index = row.get("index")
    if isinstance(index, bool) or not isinstance(index, (int, str, type(None))):
        raise Malformed(f"{where}.index", "a number or a text was expected")
    return address if address.endswith("]") else indexed(address, index)


def no_duplicates(rows: list[Row]) -> list[Row]:
    """Return the rows, or refuse two of one address.

    Raises:
        Malformed: two resources have one address.
    """
    seen: dict[str, str] = {}
    for row in rows:
        if row.address in seen:
            raise Malformed(row.where, f"{row.address} stands here a second time, after {seen[row.address]}")
        seen[row.address] = row.where
    return rows


def resource_of(
    row: Row, changes: Mapping[str, Mapping[str, Any]], configured: Mapping[str, Mapping[str, Any]] | None
) -> Resource:
    """Return a resource of a plan or of a shown state.

    Args:
        row: as it stands in the tree of values.
        changes: what the plan does, by address.
        configured: what the configuration says, by address without indexes; None where there is none.
    """
    record, where = row.record, row.where
    values = mapping(record.get("values"), f"{where}.values")
    change = changes.get(row.address)
    unknown = change.get("after_unknown") if change else None
    before = change.get("before") if change else None
    expressions = None
    if configured is not None:
        own = configured.get(bare(row.address))
        expressions = mapping(own.get("expressions"), f"{where}: expressions") if own else None
        if own and own.get("provisioners"):
            # What is run on a machine once it is there tells it of others as its user data does.
            expressions = {**(expressions or {}), "provisioners": own["provisioners"]}
    merged = with_unknown(values, unknown)
    earlier = [before.get(name) for name in ("id", "arn")] if isinstance(before, Mapping) else []
    is_data = record.get("mode") == "data"
    return Resource(
        address=row.address,
        type=str(record["type"]),
        name=str(record["name"]),
        module=row.module,
        key=record.get("index"),
        values=merged if isinstance(merged, Mapping) else {},
        expressions=expressions,
        is_data=is_data,
        is_partial=change is None and not is_data,
        earlier_ids=tuple(one for one in earlier if isinstance(one, str) and one),
    )


def changes_of(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return what the plan does with each resource, by address; what was set aside earlier is left out.

    Raises:
        Malformed: a place in it is not what it must be.
    """
    found = {}
    for where, row in objects(document.get("resource_changes"), "resource_changes"):
        if row.get("deposed"):
            continue
        address = word(row.get("address"), f"{where}.address")
        change = mapping(row.get("change"), f"{where}.change")
        sequence(change.get("actions"), f"{where}.change.actions")
        found[address] = change
        if (index := row.get("index")) is not None and isinstance(index, (int, str)):
            found.setdefault(indexed(address, index), change)
    return found


def configured_resources(root: Mapping[str, Any], where: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each configured resource with its address without indexes.

    Its record gets "is_certain": whether neither it nor a module around it is counted.

    Raises:
        Malformed: a place in it is not what it must be.
    """
    waiting: list[tuple[str, Mapping[str, Any], str, bool]] = [("", root, where, True)]
    while waiting:
        module, tree, place, is_certain = waiting.pop(0)
        for at, row in objects(tree.get("resources"), f"{place}.resources"):
            full = within(module, word(row.get("address"), f"{at}.address"))
            yield full, {**row, "is_certain": is_certain and not is_counted(row), "module": module}
        calls = mapping(tree.get("module_calls"), f"{place}.module_calls")
        for name, record in calls.items():
            at = f"{place}.module_calls.{name}"
            call = mapping(record, at)
            inner = mapping(call.get("module"), f"{at}.module")
            own = within(module, f"module.{name}")
            if not inner:
                yield f"{own}.", {"is_certain": True, "mode": "managed", "module": own, "type": "module"}
            waiting.append((own, inner, f"{at}.module", is_certain and not is_counted(call)))


def is_counted(record: Mapping[str, Any]) -> bool:
    """Whether count or for_each say how many there are of it."""
    return bool(record.get("count_expression") or record.get("for_each_expression"))


def missing(configured: Mapping[str, Mapping[str, Any]], found: list[Resource]) -> list[Unread]:
    """Return what is configured for certain and not planned: a plan of some targets leaves out the rest."""
    planned = {bare(one.address) for one in found}
    modules = {address.rsplit(".", 2)[0] for address in planned if address.startswith("module.")}
    says: dict[str, Unread] = {}
    for address, record in configured.items():
        if address in planned or record.get("mode") == "data" or not record["is_certain"]:
            continue
        module = record["module"]
        if module and not any(one == module or one.startswith(f"{module}.") for one in modules):
            outer = outermost(module, modules)
            reason = "none of its resources are in the plan"
            says[outer] = Unread("module", "terraform plan", reason, outer)
        else:
            reason = "it is configured and not in the plan (was it made with -target?)"
            says[address] = Unread(str(record.get("type")), "terraform plan", reason, address)
    return list(says.values())


def outermost(module: str, modules: set[str]) -> str:
    """Return the outermost module around a module, or itself, that has nothing in the plan."""
    parts = module.split(".")
    for end in range(2, len(parts) + 1, 2):
        outer = ".".join(parts[:end])
        if not any(one == outer or one.startswith(f"{outer}.") for one in modules):
            return outer
    return module


def forgotten(changes: Mapping[str, Mapping[str, Any]]) -> list[Unread]:
    """Return what Terraform stops to manage: it goes on to exist, and is in no file from then on."""
    reason = "Terraform forgets it; it goes on to exist"
    return [
        Unread(address.split(".")[-2], "terraform plan", reason, address)
        for address, change in changes.items()
        if "forget" in (change.get("actions") or ()) and address.count(".")
    ]


def unread_of_plan(document: Mapping[str, Any]) -> list[Unread]:
    """Return what the plan says of itself: that it failed, or that it is not all."""
    found = []
    if document.get("errored") is True:
        found.append(Unread("plan", "terraform plan", "planning failed half-way; the rest is not in it"))
    elif document.get("complete") is False:
        found.append(Unread("plan", "terraform plan", "the plan itself says that it is not all"))
    return found


def region_of(document: Mapping[str, Any], configuration: Mapping[str, Any]) -> str:
    """Return the region of the provider without an alias, where the plan tells it."""
    providers = mapping(configuration.get("provider_config"), "configuration.provider_config")
    for name, provider in providers.items():
        if name.split(":")[-1] != "aws" or not isinstance(provider, Mapping) or provider.get("alias"):
            continue
        region = mapping(provider.get("expressions"), f"provider {name}").get("region")
        if not isinstance(region, Mapping):
            continue
        if isinstance(region.get("constant_value"), str):
            return str(region["constant_value"])
        variables = mapping(document.get("variables"), "variables")
        for reference in region.get("references") or ():
            variable = variables.get(str(reference).removeprefix("var."))
            if isinstance(variable, Mapping) and isinstance(variable.get("value"), str):
                return str(variable["value"])
    return ""
