"""Terraform's states: what is there, as Terraform last saw it.

Three forms: `terraform show -json`, the file of format 4, and the flat texts of format 3. What is
deposed waits for its end and serves nobody; what is tainted serves until it is replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nospof.adapters.iac.terraform.plan import Description, no_duplicates, resource_of, rows_of
from nospof.adapters.iac.terraform.resources import Key, Resource, indexed, within
from nospof.adapters.iac.terraform.shape import Malformed, mapping, objects, sequence, word


def read_shown_state(document: Mapping[str, Any]) -> Description:
    """Return what `terraform show -json` describes.

    Raises:
        Malformed: a place in it is not what it must be.
    """
    values = mapping(document.get("values"), "values")
    rows = [
        row
        for row in rows_of(values.get("root_module"), "values.root_module")
        if not row.record.get("deposed_key")
    ]
    return Description(tuple(resource_of(row, {}, None) for row in no_duplicates(rows)))


def read_state_4(document: Mapping[str, Any]) -> Description:
    """Return what a state of format 4 describes.

    Raises:
        Malformed: a place in it is not what it must be.
    """
    found: list[Resource] = []
    for where, row in objects(document.get("resources"), "resources"):
        kind, name = (word(row.get(one), f"{where}.{one}") for one in ("type", "name"))
        module = word(row.get("module"), f"{where}.module", "")
        is_data = row.get("mode") == "data"
        for at, one in objects(row.get("instances"), f"{where}.instances"):
            if one.get("deposed"):
                continue
            key = index_of(one.get("index_key"), f"{at}.index_key")
            flat = mapping(one.get("attributes_flat"), f"{at}.attributes_flat")
            values = mapping(one.get("attributes"), f"{at}.attributes") or unflattened(flat)
            found.append(instance(kind, name, module, key, values, is_data=is_data))
    return Description(once(found))


def read_state_3(document: Mapping[str, Any]) -> Description:
    """Return what a state of format 3 describes.

    Raises:
        Malformed: a place in it is not what it must be.
    """
    found: list[Resource] = []
    for where, tree in objects(document.get("modules"), "modules"):
        path = [word(one, f"{where}.path") for one in sequence(tree.get("path"), f"{where}.path")]
        module = ".".join(f"module.{one}" for one in path[1:])
        for name, part in mapping(tree.get("resources"), f"{where}.resources").items():
            at = f"{where}.resources.{name}"
            primary = mapping(mapping(part, at).get("primary"), f"{at}.primary")
            if not primary:
                continue
            pieces = name.removeprefix("data.").split(".")
            if len(pieces) < 2:
                raise Malformed(at, "a name like aws_instance.web was expected")
            key = int(pieces[2]) if len(pieces) > 2 and pieces[2].isdigit() else None
            is_data = name.startswith("data.")
            flat = mapping(primary.get("attributes"), f"{at}.primary.attributes")
            values = {"id": primary.get("id"), **unflattened(flat)}
            found.append(instance(pieces[0], pieces[1], module, key, values, is_data=is_data))
    return Description(once(found))


def once(found: list[Resource]) -> tuple[Resource, ...]:
    """Return the resources, or refuse two of one address.

    Raises:
        Malformed: two resources have one address.
    """
    seen: set[str] = set()
    for one in found:
        if one.address in seen:
            raise Malformed("resources", f"{one.address} stands here twice")
        seen.add(one.address)
    return tuple(found)


def index_of(value: Any, where: str) -> Key:
    """Return the index of an instance.

    Raises:
        Malformed: it is neither a number nor a text.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str, type(None))):
        raise Malformed(where, "a number or a text was expected")
    return int(value) if isinstance(value, float) else value


def instance(
    kind: str, name: str, module: str, key: Key, values: Mapping[str, Any], *, is_data: bool
) -> Resource:
    """Return an instance of a resource; a state tells nothing of what its attributes are made of."""
    address = within(module, indexed(f"{'data.' if is_data else ''}{kind}.{name}", key))
    return Resource(address, kind, name, module, key, values, is_data=is_data, is_partial=not is_data)


def unflattened(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that flat texts stand for: "subnets.#" counts a list, "tags.%" a map.

    A list whose count is there and whose members are not has lost them: it is left out, as if unknown.
    """
    found, parts = by_head(flat)
    for head, part in parts.items():
        if "%" in part:
            found[head] = {key: value for key, value in part.items() if key != "%"}
        elif "#" in part:
            found.update({head: rows} if (rows := rows_of_flat(part)) is not None else {})
        else:
            found[head] = unflattened(part)
    return found


def rows_of_flat(flat: Mapping[str, Any]) -> list[Any] | None:
    """Return the members of a flat list, or None where they were lost."""
    plain, parts = by_head(flat)
    number = plain.pop("#")
    rows = [
        plain[head] if head in plain else unflattened(parts[head]) for head in ordered({**plain, **parts})
    ]
    return rows if rows or str(number) == "0" else None


def by_head(flat: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return the values that stand at a path of one step, and those below each first step."""
    plain: dict[str, Any] = {}
    parts: dict[str, dict[str, Any]] = {}
    for path, value in flat.items():
        head, _, rest = path.partition(".")
        if rest:
            parts.setdefault(head, {})[rest] = value
        else:
            plain[head] = value
    return plain, parts


def ordered(keys: Mapping[str, Any]) -> list[str]:
    """Return indexes in the order of their numbers; sets have hashes for them."""
    return sorted(keys, key=lambda one: (0, int(one), "") if one.isdigit() else (1, 0, one))
