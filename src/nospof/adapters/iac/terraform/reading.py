"""From a Terraform plan or state to the estate that it describes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from nospof.adapters.iac.terraform.attaching import JOINS, attached
from nospof.adapters.iac.terraform.cells import record
from nospof.adapters.iac.terraform.linking import Linker
from nospof.adapters.iac.terraform.plan import Description, read_plan
from nospof.adapters.iac.terraform.recognise import open_document
from nospof.adapters.iac.terraform.references import References
from nospof.adapters.iac.terraform.resources import Resource
from nospof.adapters.iac.terraform.shape import Malformed
from nospof.adapters.iac.terraform.state import read_shown_state, read_state_3, read_state_4
from nospof.adapters.iac.terraform.tables import FACTS, TABLE, is_harmless
from nospof.errors import UsageError
from nospof.model.estate import UNKNOWN, Estate, Item, Use, estate_of
from nospof.model.findings import Location, Unread
from nospof.model.item import item_of
from nospof.model.kinds import KINDS

READERS = {
    "plan": ("terraform plan", read_plan),
    "shown state": ("terraform state", read_shown_state),
    "state 4": ("terraform state", read_state_4),
    "state 3": ("terraform state", read_state_3),
}
SETTINGS = ("user_data", "user_data_base64", "environment", "container_definitions")
"""Where what a machine, task or function is told to connect to stands."""
STORES = frozenset(
    {"database", "database cluster", "database proxy", "warehouse", "cache", "cache cluster", "DAX cluster"}
    | {"memory database", "broker", "Kafka cluster", "search domain", "file system", "FSx file system"}
    | {"table", "queue", "topic", "bucket"}
)
VIEW_OF = {"queue": "degraded", "topic": "degraded"}
"""What hands work over to others stops nobody at once."""
BLOCK = re.compile(r'^\s*resource\s+"([^"]+)"\s+"([^"]+)"', re.MULTILINE)
LONGEST_SOURCE = 1_000_000


def read_terraform(path: Path) -> Estate:
    """Return the estate that a plan or a state describes.

    Args:
        path: the JSON of `terraform show -json`, or a state file.

    Raises:
        UsageError: it is none of these, or a place in it is not what it must be.
    """
    form, document = open_document(path)
    call, read = READERS[form]
    try:
        described = read(document)
        return estate_from(described, call, source_lines(path.parent))
    except Malformed as error:
        raise UsageError(f"{path}: {error}") from error


def estate_from(described: Description, call: str, lines: dict[tuple[str, str], Location]) -> Estate:
    """Return the estate of a description.

    Raises:
        Malformed: a place in it is not what it must be.
    """
    resources = described.resources
    references = References(described.configuration, resources)
    links = Linker(resources, references, call)
    items = [item for one in resources for item in items_of(one, links, call, lines)]
    estate = estate_of(
        distinct(items),
        source=call[:1].upper() + call[1:],
        region=described.region,
        is_whole=False,
        assumptions=described.assumptions,
    )
    estate = attached(estate, links, resources)
    uses = tuple(uses_of(resources, references, links, estate))
    unread = sorted(
        {*described.unread, *links.unread, *not_understood(resources, call)},
        key=lambda one: (one.kind, one.about, one.reason),
    )
    return replace(estate, unread=tuple(unread), uses=uses)


def items_of(
    one: Resource, links: Linker, call: str, lines: dict[tuple[str, str], Location]
) -> Iterator[Item]:
    """Yield the items that a resource becomes."""
    if one.is_data and one.type not in FACTS:
        return
    for translation in TABLE.get(one.type, ()):
        kind = KINDS.get(translation.kind)
        if kind is None:
            continue
        fields = record(one.block, links, translation.fields)
        if isinstance(one.values.get("tags_all") or one.values.get("tags"), dict):
            fields["Tags"] = tags_of(one)
        location = lines.get((one.type, one.name), Location())
        if translation.id:
            id_ = links.id_of(one)
            if "+" not in kind.id and "." not in kind.id:
                fields[kind.id] = id_
            if kind.name == "instance":
                fields["BlockDeviceMappings"] = disks_of(one, id_)
            yield Item(kind, id_, fields, call, one.address, location)
        elif not is_open(fields, kind.id.split("+")[0]):
            yield item_of(kind, fields, call, location)


def is_open(fields: dict[str, Any], path: str) -> bool:
    """Whether nobody can tell what an item is about."""
    value: Any = fields
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value is UNKNOWN


def tags_of(one: Resource) -> list[dict[str, str]]:
    """Return a resource's tags as AWS lists them."""
    tags = one.values.get("tags_all") or one.values.get("tags") or {}
    return [{"Key": str(key), "Value": value} for key, value in tags.items() if isinstance(value, str)]


def disks_of(one: Resource, id_: str) -> list[dict[str, Any]]:
    """Return an instance's disks: it has a root disk whether anybody wrote of it or not."""
    root = next(iter(one.block.blocks("root_block_device")), None)
    more = one.block.blocks("ebs_block_device")
    return [
        disk(id_, root.get("device_name") if root else None, root.get("volume_id") if root else None),
        *(disk(id_, block.get("device_name"), block.get("volume_id")) for block in more),
    ]


def disk(id_: str, device: Any, volume: Any) -> dict[str, Any]:
    """Return a disk; one that AWS has given no id goes by its machine and device."""
    named = device if isinstance(device, str) and device else "root"
    known = volume if isinstance(volume, str) and volume else f"{id_}:{named}"
    return {"DeviceName": named, "Ebs": {"VolumeId": known}}


def distinct(items: Iterable[Item]) -> list[Item]:
    """Return the items, one a kind and id: a data source may tell of what is managed here too."""
    found: dict[tuple[str, str], Item] = {}
    for item in items:
        found.setdefault((item.kind.name, item.id), item)
    return list(found.values())


def not_understood(resources: Iterable[Resource], call: str) -> Iterator[Unread]:
    """Yield the resources that may matter and that no table knows."""
    for one in resources:
        is_known = one.type in TABLE or one.type in JOINS or is_harmless(one.type)
        if not one.is_data and one.type.startswith("aws_") and not is_known:
            yield Unread(
                f"resource of type {one.type}", call, "the audit does not know what it needs", one.address
            )


# What is told to connect to what ---------------------------------------------------------------------------


def uses_of(
    resources: tuple[Resource, ...], references: References, links: Linker, estate: Estate
) -> Iterator[Use]:
    """Yield the stores that machines, groups, tasks and functions are told of in their settings."""
    stores = {item.id: item.kind.name for kind in STORES for item in estate.of(kind)}
    found: dict[tuple[str, str], Use] = {}
    for user, source in users(resources, references, links):
        names = tuple(name for setting in SETTINGS for name in source.block.references(setting))
        answer = references.of(source, tuple(dict.fromkeys(names)), through_data=True)
        for target in answer.targets:
            used = links.id_of(target.resource)
            if used in stores and (user, used) not in found:
                kind = stores[used]
                why = f"the settings of {source.address} name {target.resource.address}"
                found[user, used] = Use(user, kind, used, VIEW_OF.get(kind, "serving"), "configured", why)
    yield from (found[key] for key in sorted(found))


def users(
    resources: tuple[Resource, ...], references: References, links: Linker
) -> Iterator[tuple[str, Resource]]:
    """Yield who uses what a resource's settings name, and that resource."""
    launched_by = {
        "aws_autoscaling_group": ("launch_configuration", "launch_template", "mixed_instances_policy"),
        "aws_ecs_service": ("task_definition",),
    }
    for one in resources:
        if one.is_data:
            continue
        if one.type in ("aws_instance", "aws_lambda_function", "aws_ecs_task_definition"):
            yield links.id_of(one), one
        for name in launched_by.get(one.type, ()):
            for target in references.of(one, one.block.references(name)).targets:
                yield links.id_of(one), target.resource


# Where it stands ------------------------------------------------------------------------------------------


def source_lines(directory: Path) -> dict[tuple[str, str], Location]:
    """Return where the .tf files beside a plan have each resource; what stands in two places is left out."""
    found: dict[tuple[str, str], Location | None] = {}
    for file in sorted(directory.glob("*.tf")):
        try:
            text = file.read_text(encoding="utf-8", errors="replace")[:LONGEST_SOURCE]
        except OSError:
            continue
        for match in BLOCK.finditer(text):
            key = (match[1], match[2])
            line = text.count("\n", 0, match.start(1)) + 1
            found[key] = None if key in found else Location(str(file), line)
    return {key: place for key, place in found.items() if place is not None}
