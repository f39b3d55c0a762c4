"""Terraform's files written by hand, in the shape that `terraform show -json` gives them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nospof.adapters.iac.terraform import read_terraform
from nospof.model.estate import Estate
from nospof.model.findings import AuditReport
from nospof.services.audit import audit_estate

STATELESS = {"nospof:state": "none"}


def planned(address: str, *, unknown: dict[str, Any] | None = None, **values: Any) -> dict[str, Any]:
    """A managed resource; `unknown` are attributes that are known only once it is applied."""
    bare = address.rpartition("module.")[2].partition(".")[2] if "module." in address else address
    type_, _, name = bare.partition(".")
    name, _, index = name.partition("[")
    row: dict[str, Any] = {"address": address, "mode": "managed", "type": type_, "name": name}
    if index:
        row["index"] = json.loads(index.rstrip("]"))
    return {**row, "values": values, "_unknown": unknown or {}}


def plan(
    *resources: dict[str, Any],
    modules: dict[str, list[dict[str, Any]]] | None = None,
    references: dict[str, dict[str, list[str]]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A plan: resources of the root, of modules by address, and what attributes refer to, by resource."""
    every = [*resources, *(one for each in (modules or {}).values() for one in each)]
    changes = [
        {
            "address": one["address"],
            "mode": "managed",
            "type": one["type"],
            "name": one["name"],
            "change": {"actions": ["create"], "after_unknown": {"id": True, **one["_unknown"]}},
        }
        for one in every
    ]

    def rows(some: Any) -> list[dict[str, Any]]:
        return [{key: value for key, value in one.items() if key != "_unknown"} for one in some]

    children = [{"address": address, "resources": rows(each)} for address, each in (modules or {}).items()]
    configured: dict[str, dict[str, Any]] = {}
    for one in resources:
        address = f"{one['type']}.{one['name']}"
        told: dict[str, Any] = {key: {} for key in [*one["values"], *one["_unknown"]]}
        named = {key: {"references": each} for key, each in (references or {}).get(address, {}).items()}
        keyed = {"count_expression": {}} if "index" in one else {}
        configured[address] = {
            "address": address,
            "mode": "managed",
            "type": one["type"],
            "name": one["name"],
            "expressions": {**told, **named},
            **keyed,
        }
    return {
        "format_version": "1.2",
        "terraform_version": "1.9.0",
        "planned_values": {"root_module": {"resources": rows(resources), "child_modules": children}},
        "resource_changes": changes,
        "configuration": {"root_module": {"resources": list(configured.values())}},
        **more,
    }


def read(directory: Path, document: Any, name: str = "plan.json") -> Estate:
    file = directory / name
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return read_terraform(file)


def audit(directory: Path, document: Any) -> AuditReport:
    return audit_estate(read(directory, document))
