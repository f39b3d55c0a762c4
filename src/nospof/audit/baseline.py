"""Against an earlier report: what is new, worse, better, the same, and gone.

A finding is known by its fingerprint alone, so another wording or order makes no difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, Literal

from nospof.errors import UsageError
from nospof.model.findings import SEVERITIES, AuditReport, Finding

SCHEMA = "nospof.audit/1"
DOUBLED = 2.0
"""Minutes are a wide range; less than twice as many is no news."""
SHARE_ROUNDING = 1e-5
"""Shares are rounded where they are written down."""

Mark = Literal["new", "worse", "better", "unchanged"]


@dataclass(frozen=True)
class Known:
    """A finding as an earlier report told it. `minutes` is the median; 0 where it had none."""

    fingerprint: str
    severity: str
    confidence: str
    share: float
    order: int
    minutes: float = 0.0
    service: str = ""
    says: str = ""

    @property
    def harm(self) -> tuple[float, ...]:
        """What grows with how bad it is."""
        certain = 1 if self.confidence == "certain" else 0
        return -SEVERITIES.index(self.severity), self.share, -self.order, certain


@dataclass(frozen=True)
class Baseline:
    """The findings of an earlier report, by fingerprint."""

    known: Mapping[str, Known]


def compare(report: AuditReport, earlier: Baseline, *, covers_all: bool = True) -> AuditReport:
    """Return the report with every finding marked, and a line for each that is gone.

    Args:
        report: as it is now.
        earlier: what it is held against.
        covers_all: every service is in the report; otherwise only findings of those that are can be gone.
    """
    services = tuple(
        replace(
            one,
            findings=tuple(replace(each, baseline=mark_of(each, earlier)) for each in one.findings),
        )
        for one in report.services
    )
    here = {one.fingerprint for one in report.findings}
    audited = {one.name for one in report.services}
    gone = sorted(
        f"{one.says} ({one.service})"
        for key, one in earlier.known.items()
        if key not in here and (covers_all or one.service in audited)
    )
    return replace(report, services=services, gone=tuple(gone))


def mark_of(finding: Finding, earlier: Baseline) -> Mark:
    """Return how a finding stands against an earlier report; worse in one respect is worse."""
    before, now = earlier.known.get(finding.fingerprint), known_of(finding)
    if before is None:
        return "new"
    pairs = list(zip(now.harm, before.harm, strict=True))
    is_more = any(a > b + SHARE_ROUNDING for a, b in pairs)
    is_less = any(a < b - SHARE_ROUNDING for a, b in pairs)
    if now.minutes and before.minutes:
        is_more |= now.minutes >= DOUBLED * before.minutes
        is_less |= before.minutes >= DOUBLED * now.minutes
    return "worse" if is_more else "better" if is_less else "unchanged"


def known_of(finding: Finding) -> Known:
    """Return what a baseline keeps of a finding."""
    return Known(
        fingerprint=finding.fingerprint,
        severity=finding.severity,
        confidence=finding.confidence,
        share=float(finding.share),
        order=finding.order,
        minutes=finding.minutes.likely if finding.minutes else 0.0,
        service=finding.service,
        says=f"{finding.rule} {finding.title}",
    )


def baseline_of(document: Any, file: str) -> Baseline:
    """Return the baseline that a report in JSON makes.

    Args:
        document: what the file holds, read already.
        file: its name, for what is wrong with it.

    Raises:
        UsageError: it is no report of ours, or of another version.
    """
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        says = document.get("schema") if isinstance(document, dict) else None
        raise UsageError(
            f"{file} is no baseline: its schema is {says!r}, not {SCHEMA!r}; "
            "make one with: nospof audit --format json"
        )
    known: dict[str, Known] = {}
    for number, service in enumerate(_list(document, "services", file)):
        for place, row in enumerate(_list(service, "findings", f"{file}: services[{number}]")):
            one = _known(row, f"{file}: services[{number}].findings[{place}]")
            known[one.fingerprint] = one
    return Baseline(known)


def _list(value: Any, name: str, at: str) -> list[Any]:
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, list):
        raise UsageError(f"{at} is damaged: {name} is no list")
    return found


def _known(row: Any, at: str) -> Known:
    if not isinstance(row, dict):
        raise UsageError(f"{at} is damaged: it is no finding")
    minutes = row.get("minutes")
    if not (minutes is None or isinstance(minutes, dict)):
        raise UsageError(f"{at} is damaged: minutes")
    return Known(
        fingerprint=_text(row, "fingerprint", at),
        severity=_text(row, "severity", at, SEVERITIES),
        confidence=_text(row, "confidence", at, ("certain", "possible")),
        share=_number(row, "share", at),
        order=int(_number(row, "order", at)),
        minutes=_number(minutes, "likely", f"{at}.minutes") if minutes else 0.0,
        service=_text(row, "service", at),
        says=f"{_text(row, 'rule', at)} {_text(row, 'title', at)}",
    )


def _text(row: Mapping[str, Any], name: str, at: str, allowed: tuple[str, ...] = ()) -> str:
    value = row.get(name)
    if not isinstance(value, str) or (allowed and value not in allowed):
        raise UsageError(f"{at} is damaged: {name} is {value!r}")
    return value


def _number(row: Mapping[str, Any], name: str, at: str) -> float:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise UsageError(f"{at} is damaged: {name} is {value!r}")
    return float(value)
