"""What an audit says: findings with their evidence, what was not read, and the verdict."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from nospof.errors import ExitCode

Severity = Literal["critical", "high", "medium", "low"]
Confidence = Literal["certain", "possible"]

SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")

RULES = {
    "NSP100": "serving/down",
    "NSP101": "serving/single-instance",
    "NSP102": "serving/single-volume",
    "NSP201": "domain/zone",
    "NSP203": "domain/rack",
    "NSP204": "domain/maintenance-window",
    "NSP402": "failover/slow-detection",
    "NSP403": "failover/matcher-hides-failure",
    "NSP407": "failover/split-clients",
    "NSP409": "failover/target-outside-zones",
    "NSP901": "completeness/unread",
}
"""Rule ids and their slugs. An id is never given another meaning."""


@dataclass(frozen=True)
class Fact:
    """Something that was read: by which call, of what, which field, and what it said."""

    call: str
    about: str
    field: str
    value: str


@dataclass(frozen=True)
class ProofStep:
    """A line of a proof; deeper lines support the nearest shallower one above."""

    depth: int
    says: str


@dataclass(frozen=True)
class Remedy:
    """What mends a finding, and what came of trying it on the model.

    `is_tried` means that a second audit was made with the remedy in place; `removes` and `adds` are
    the rules that it no longer found or found anew, and `is_verified` means that this very finding
    went away. What cannot be tried on what was read is advice.
    """

    says: str
    commands: tuple[str, ...] = ()
    is_tried: bool = False
    is_verified: bool = False
    removes: tuple[str, ...] = ()
    adds: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with one service.

    Args:
        rule: its stable id.
        service: the service's name.
        title: names the resource and the missing thing.
        event: the identity of what can happen; with rule and service it is the finding's own.
        members: everything whose fault has this same effect.
        view: where it hurts.
        order: how many things must happen: 0 it is so already, 1 a single point of failure.
        time: "configured", or "now" when it is so only because something has failed already.
        share: the share of clients that lose the service, at least.
        due: when it happens, ISO 8601, for what is announced; otherwise empty.
        stops: the parts of the service that stop.
    """

    rule: str
    service: str
    title: str
    event: str
    severity: Severity
    confidence: Confidence = "certain"
    members: tuple[str, ...] = ()
    view: str = "serving"
    order: int = 1
    time: Literal["configured", "now"] = "configured"
    share: Fraction = Fraction(1)
    due: str = ""
    stops: tuple[str, ...] = ()
    proof: tuple[ProofStep, ...] = ()
    facts: tuple[Fact, ...] = ()
    remedy: Remedy = Remedy("")

    @property
    def slug(self) -> str:
        """The rule's readable name."""
        return RULES[self.rule]

    @property
    def is_single_point(self) -> bool:
        """Whether one event is enough to stop the service for all its clients."""
        return self.view == "serving" and self.order == 1 and self.share == 1

    @property
    def fingerprint(self) -> str:
        """The finding's identity: the same tomorrow, whatever its wording, count or order."""
        return hashlib.sha256(f"{self.rule}|{self.service}|{self.event}".encode()).hexdigest()


@dataclass(frozen=True)
class Unread:
    """Something that could not be read, and why. `about` is empty when it is all of its kind."""

    kind: str
    operation: str
    reason: str
    about: str = ""

    @property
    def says(self) -> str:
        """What was not read, and why, in a few words."""
        return f"{self.kind}{f' of {self.about}' if self.about else ''} ({self.operation}: {self.reason})"


@dataclass(frozen=True)
class Part:
    """A part of a service as the drawing shows it. `zone` is empty for what spans the region."""

    tier: str
    zone: str
    name: str
    state: str = ""
    is_single_point: bool = False


@dataclass(frozen=True)
class ServiceReport:
    """One service.

    `pairs` counts the cuts of two failures neither of which is one alone; `pair_classes` says which,
    as products; both are empty when `pairs_refused` says why they were not computed.
    """

    name: str
    entry: str
    members: tuple[str, ...]
    zones: tuple[str, ...]
    parts: tuple[Part, ...]
    findings: tuple[Finding, ...]
    pairs: int = 0
    pair_classes: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()
    pairs_refused: str = ""
    notes: tuple[str, ...] = ()
    not_read: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()


@dataclass(frozen=True)
class AuditReport:
    """The whole answer. The same facts give the same report."""

    account: str
    region: str
    read_at: float
    counts: dict[str, int]
    services: tuple[ServiceReport, ...]
    unread: tuple[Unread, ...]
    not_serving: tuple[str, ...]
    scope: tuple[str, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings of all services, worst first."""
        found = [finding for service in self.services for finding in service.findings]
        return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))

    @property
    def is_complete(self) -> bool:
        """Whether all that the verdict rests on was read."""
        return bool(self.services) and not self.unread and not any(one.not_read for one in self.services)

    @property
    def exit_code(self) -> ExitCode:
        """FINDINGS when something is certain; INCOMPLETE when something may be; else DONE."""
        if any(finding.confidence == "certain" for finding in self.findings):
            return ExitCode.FINDINGS
        if self.findings or not self.is_complete:
            return ExitCode.INCOMPLETE
        return ExitCode.DONE

    @property
    def verdict(self) -> str:
        """One sentence: what was found, in how many services, from what, and what was not read."""
        doubt = "INCOMPLETE: " if self.exit_code is ExitCode.INCOMPLETE else ""
        return f"{doubt}{self._found()}; read: {self._read()}.{self._missing()}"

    def _found(self) -> str:
        if not self.services:
            return f"nothing that serves was found in {self.region}"
        where = counted(len(self.services), "service")
        singles = [one for one in self.findings if one.is_single_point]
        possible = sum(one.confidence == "possible" for one in singles)
        others = len(self.findings) - len(singles)
        if singles:
            doubt = f" ({possible} possible)" if possible else ""
            more = f" and {counted(others, 'other finding')}" if others else ""
            return f"{counted(len(singles), 'single point')} of failure{doubt}{more} in {where}"
        but = f", but {counted(others, 'other finding')}," if others else ""
        seen = "" if self.is_complete else " what was read of"
        return f"no single point of failure{but} in{seen} {where}"

    def _read(self) -> str:
        return ", ".join(counted(number, kind) for kind, number in self.counts.items()) or "nothing"

    def _missing(self) -> str:
        missing = [one.says for one in self.unread]
        missing.extend(dict.fromkeys(what for service in self.services for what in service.not_read))
        return f" Not read: {'; '.join(missing)}." if missing else ""


def counted(number: int, what: str) -> str:
    """Return "1 instance", "2 instances"."""
    if number == 1:
        return f"1 {what}"
    return f"{number} {what[:-1]}ies" if what.endswith("y") else f"{number} {what}s"
