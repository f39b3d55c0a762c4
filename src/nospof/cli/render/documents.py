"""The audit's report for programs: one JSON document, or one line for each finding."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from fractions import Fraction
from importlib.resources import files
from typing import Any

from nospof.cli.audit_text import accepted_last
from nospof.model.findings import AuditReport, Finding

SCHEMA = "nospof.audit/1"
LINE_SCHEMA = "nospof.finding/1"
VERDICT_SCHEMA = "nospof.verdict/1"


def render_json(report: AuditReport) -> str:
    """Return the whole report as JSON, keys sorted, with the schema's id."""
    return written({"schema": SCHEMA, **verdict(report), **plain(report)})


def written(document: dict[str, Any]) -> str:
    """Return a document as JSON, for programs and people: keys sorted, letters as they are."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)


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
    if is_dataclass(value):
        found = {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        if isinstance(value, Finding):
            found |= {"slug": value.slug, "fingerprint": value.fingerprint}
        return found
    if isinstance(value, Fraction):
        return round(float(value), 6)
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return value
