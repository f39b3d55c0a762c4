"""Which of Terraform's files this is; for each wrong kind, the command that makes the right one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from nospof.adapters.saved.files import parse_json, read_text
from nospof.errors import UsageError

Form = Literal["plan", "shown state", "state 4", "state 3"]

PLAN = "terraform plan -out tf.plan && terraform show -json tf.plan > plan.json"
STATE = "terraform show -json > state.json"

_OTHERS = {
    "AWSTemplateFormatVersion": "a CloudFormation template",
    "provider_schemas": "the providers' schemas",
    "diagnostics": "the answer of `terraform validate`",
    "configurationItems": "a snapshot of AWS Config",
    "Reservations": "an answer of the AWS CLI",
}
"""A key that only one other kind of file has, and what that is."""


def open_document(path: Path) -> tuple[Form, Mapping[str, Any]]:
    """Return what a file is, and what it holds.

    Raises:
        UsageError: it is none of Terraform's JSON files; says what it is and how to make one.
    """
    refuse_other_files(path)
    text = read_text(path)
    refuse_other_texts(path, text)
    found = parse_json(text, path)
    if not isinstance(found, Mapping):
        raise UsageError(f"{path}: a Terraform plan or state is one JSON object. Make one: {PLAN}")
    return form_of(path, found), found


def refuse_other_files(path: Path) -> None:
    """Refuse what is no JSON by its name or first bytes.

    Raises:
        UsageError: it is a directory, Terraform's own language, or a plan in Terraform's own format.
    """
    if path.is_dir():
        says = "Terraform files" if any(path.glob("*.tf")) else "a directory"
        raise UsageError(
            f"{path}: {says}; a plan says what they come to. In {path}: {PLAN}; then give plan.json."
        )
    if path.suffix == ".tf" or path.name.endswith(".tf.json"):
        raise UsageError(
            f"{path}: only a plan says what such a file comes to. "
            f"In {path.parent}: {PLAN}; then give plan.json."
        )
    try:
        with path.open("rb") as stream:
            begin = stream.read(4)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}.") from error
    if begin.startswith(b"PK"):
        raise UsageError(
            f"{path}: a plan in Terraform's own format. "
            f"Show it as JSON: terraform show -json {path} > plan.json"
        )


def refuse_other_texts(path: Path, text: str) -> None:
    """Refuse texts that are no JSON file of Terraform, by how they begin.

    Raises:
        UsageError: it is empty, a log, or what a person sees on the screen.
    """
    begin = text.lstrip()[:400]
    if not begin:
        raise UsageError(f"{path} is empty. Make a plan again: {PLAN}")
    if "\x1b[" in begin[:40]:
        raise UsageError(f"{path}, line 1: colour codes stand here; this is not the JSON form. {PLAN}")
    first = begin.splitlines()[0]
    if first.startswith("{") and '"@level"' in first:
        raise UsageError(f"{path}, line 1: the log of `terraform plan -json`, not the plan. Make it: {PLAN}")
    if not begin.startswith(("{", "[")):
        later = next(
            (
                number
                for number, line in enumerate(text.splitlines(), 1)
                if line.startswith('{"format_version')
            ),
            0,
        )
        if later:
            raise UsageError(
                f"{path}, line {later}: the plan begins here; remove the lines before it, "
                f"or write standard output alone to the file: {PLAN}"
            )
        raise UsageError(f"{path}, line 1: this is not JSON. Make a plan in JSON: {PLAN}")


def form_of(path: Path, found: Mapping[str, Any]) -> Form:
    """Return which of Terraform's files this is.

    Raises:
        UsageError: none, or of a format that is not known.
    """
    if "planned_values" in found or "resource_changes" in found:
        check_format(path, found)
        return "plan"
    if "format_version" in found and (
        "values" in found or set(found) <= {"format_version", "terraform_version"}
    ):
        check_format(path, found)
        return "shown state"
    if "version" in found and ("resources" in found or "modules" in found or "serial" in found):
        version = found["version"]
        if version == 4:
            return "state 4"
        if version == 3:
            return "state 3"
        raise UsageError(f"{path}: state of format {version!r}; formats 3 and 4 are read. Try: {STATE}")
    for key, says in _OTHERS.items():
        if key in found:
            raise UsageError(f"{path}: this is {says}, not a Terraform plan or state.")
    raise UsageError(f"{path}: neither a Terraform plan nor a state. A plan: {PLAN}; a state: {STATE}")


def check_format(path: Path, found: Mapping[str, Any]) -> None:
    """Refuse other major versions of the JSON format than 0 and 1.

    Raises:
        UsageError: it is another one, or no version at all.
    """
    version = found.get("format_version")
    if not isinstance(version, str) or version.split(".")[0] not in ("0", "1"):
        raise UsageError(
            f"{path}: format_version {version!r}; 0.x and 1.x are understood. Is nospof older than Terraform?"
        )
