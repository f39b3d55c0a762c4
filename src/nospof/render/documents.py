"""The audit's report for programs: one JSON document, or one line for each finding."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from fractions import Fraction
from functools import cache
from importlib.resources import files
from json.encoder import encode_basestring as quoted
from typing import Any

from nospof.model.findings import AuditReport, Finding
from nospof.render.audit_text import accepted_last

SCHEMA = "nospof.audit/1"
LINE_SCHEMA = "nospof.finding/1"
VERDICT_SCHEMA = "nospof.verdict/1"

encoded = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def render_json(report: AuditReport) -> str:
    """Return the whole report as JSON, keys sorted, with the schema's id."""
    return written({"schema": SCHEMA, **verdict(report), **plain(report)})


def written(value: Any, line: str = "\n") -> str:
    """Return a value as JSON, for programs and people: indented, keys sorted, letters as they are.

    The bytes are those of the standard library, which encodes in C only what is not indented: a large
    report takes it twice as long.

    Args:
        value: what JSON can hold; every key is a text.
        line: how a line begins where the value stands.
    """
    if isinstance(value, str):
        return quoted(value)
    if type(value) is int:
        return str(value)
    deeper = f"{line}  "
    if isinstance(value, dict) and value:
        rows = [f"{quoted(key)}: {written(value[key], deeper)}" for key in sorted(value)]
        return f"{{{deeper}{f',{deeper}'.join(rows)}{line}}}"
    if isinstance(value, (list, tuple)) and value:
        rows = [written(each, deeper) for each in value]
        return f"[{deeper}{f',{deeper}'.join(rows)}{line}]"
    return encoded(value)


def render_jsonl(report: AuditReport) -> str:
    """Return a line with the verdict, then one for each finding; each says where it was read.

    The first line is there so that an account without findings is told from one nobody audited.
    """
    origin = {
        "account": report.account,
        "region": report.region,
        "source": report.source,
        "read_at": report.read_at,
    }
    lines = [{"schema": VERDICT_SCHEMA, **origin, **verdict(report)}]
    lines += [{"schema": LINE_SCHEMA, **origin, **plain(one)} for one in accepted_last(report.findings)]
    return "\n".join(
        json.dumps(each, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        for each in lines
    )


def schema_text() -> str:
    """Return the JSON schema of the report, as it is published."""
    return (files(__package__) / "audit-1.json").read_text(encoding="utf-8")


def verdict(report: AuditReport) -> dict[str, Any]:
    """Return what the report comes to."""
    return {
        "verdict": report.verdict,
        "exit_code": int(report.exit_code),
        "complete": report.is_complete,
    }


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it; a finding also says its slug and fingerprint."""
    if isinstance(value, (str, int, float)):
        return value
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    if names := names_of(value.__class__):
        found = {name: plain(getattr(value, name)) for name in names}
        if isinstance(value, Finding):
            found |= {"slug": value.slug, "fingerprint": value.fingerprint}
        return found
    return round(float(value), 6) if isinstance(value, Fraction) else value


@cache
def names_of(kind: type) -> tuple[str, ...]:
    """Return the names of a dataclass's fields; none for what is no dataclass."""
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else ()
