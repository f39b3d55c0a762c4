"""Which reader a file is for: recognised by what stands in it, not by its name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nospof.errors import UsageError
from nospof.model.estate import Estate

SNIFFED = 65_536
"""A format shows in the first characters; the reader opens the file anew and reads all of it."""
KEYS = {
    "configurationItems": "config",
    "planned_values": "terraform",
    "resource_changes": "terraform",
    "terraform_version": "terraform",
    "@level": "terraform",
    "format_version": "terraform",
    "lineage": "terraform",
    "AWSTemplateFormatVersion": "template",
}
"""What stands in a format and in no other."""
TYPES = ('"Type": "AWS::', '"Type":"AWS::')
"""A template needs none of these keys, but its resources say what they are."""


def read_description(paths: tuple[Path, ...], parameters: Path | None) -> Estate | None:
    """Return the estate that one file describes, or None where the files are answers of AWS.

    Args:
        paths: what was named.
        parameters: the parameters of a CloudFormation template, or None.

    Raises:
        UsageError: nothing there, several files that do not go together, something wrong in one.
    """
    for path in paths:
        if not path.exists():
            raise UsageError(f"there is no file or directory {path}")
    kinds = {path: kind_of(path) for path in paths}
    described = [path for path, kind in kinds.items() if kind != "answers"]
    if described and len(paths) > 1:
        raise UsageError(f"{described[0]} describes a whole estate: audit it without other files")
    if parameters is not None and "template" not in kinds.values():
        raise UsageError(f"--parameters is for a CloudFormation template; {paths[0]} is none")
    if not described:
        return None
    return read_one(described[0], kinds[described[0]], parameters)


def read_one(path: Path, kind: str, parameters: Path | None) -> Estate:
    """Return the estate that a file of a known kind describes."""
    if kind == "terraform":
        from nospof.adapters.iac.terraform import read_terraform

        return read_terraform(path)
    if kind == "config":
        from nospof.adapters.iac.config import read_config_snapshot

        return read_config_snapshot(path)
    from nospof.adapters.iac.cloudformation import read_parameters_file, read_template

    return read_template(path, read_parameters_file(parameters) if parameters else {})


def kind_of(path: Path) -> str:
    """Return what a path is for: "answers", "terraform", "config" or "template"."""
    if path.is_dir():
        return "answers"
    head = head_of(path)
    if head.startswith(b"PK\x03\x04") or path.suffix in (".tf", ".tfvars", ".tfplan", ".tfstate"):
        return "terraform"  # A binary plan or the language itself: that reader says what to run.
    if head.startswith(b"\x1f\x8b"):
        return "config"  # AWS Config delivers its snapshots compressed.
    text = decoded(head).lstrip()
    if text.startswith(("\x1b", "Terraform")):
        return "terraform"  # What a terminal shows of a plan.
    return kind_of_json(text) if text.startswith(("{", "[")) else "template"


def head_of(path: Path) -> bytes:
    """Return the first bytes of a file.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(SNIFFED)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error


def decoded(head: bytes) -> str:
    """Return bytes as text: UTF-16 where a byte order mark says so, as PowerShell writes it."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head[: len(head) // 2 * 2].decode("utf-16", errors="replace")
    return head.decode("utf-8-sig", errors="replace")


def kind_of_json(text: str) -> str:
    """Return what a JSON text is for, by its keys: the top-level ones where the whole of it was seen."""
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        document = None
    for key, kind in KEYS.items():
        if f'"{key}"' in text if document is None else key in document:
            return kind
    is_template = any(one in text for one in TYPES) or (document is not None and "Resources" in document)
    return "template" if is_template else "answers"
