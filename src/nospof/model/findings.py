"""What an audit says: findings with their evidence, what was not read, and the verdict."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from nospof.errors import ExitCode
from nospof.model import rules
from nospof.model.kinds import KINDS

Severity = Literal["critical", "high", "medium", "low"]
Confidence = Literal["certain", "possible"]

SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")

RULES = {rule.id: rule.slug for rule in rules.RULES.values()}
"""The rules that the audit finds: ids and their slugs. An id is never given another meaning."""


SETTING = frozenset({"zone", "subnet", "instance status", "security group", "placement group"})
"""Kinds that are read for what they say of others; the verdict does not count them."""
COUNTS_SHOWN = 8
NAMED = 6
"""So many of what was not read are named in the verdict for one reason."""


@dataclass(frozen=True)
class Fact:
    """Something that was read: by which call, of what, which field, and what it said."""

    call: str
    about: str
    field: str
    value: str


@dataclass(frozen=True)
class Location:
    """Where something stands in a file that was read; empty for a live account."""

    file: str = ""
    line: int = 0


@dataclass(frozen=True)
class Minutes:
    """Minutes of outage a year: nine years in ten lie between low and high, half below likely."""

    low: float
    likely: float
    high: float


@dataclass(frozen=True)
class Suppression:
    """Somebody has accepted a finding, for a reason and until a day (ISO 8601)."""

    reason: str
    owner: str
    until: str


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
        location: where the first member stands in the file that was read.
        minutes: what it costs a year, by the assumptions of the report.
        is_self_healing: something replaces what failed with nobody woken.
        would_settle: for a possible finding, the question whose answer would settle it.
        suppressed: who accepted it; it is shown, and counts for nothing.
        baseline: against the earlier report: "new", "worse", "better", "unchanged"; "" without one.
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
    location: Location = Location()
    minutes: Minutes | None = None
    is_self_healing: bool = False
    would_settle: str = ""
    suppressed: Suppression | None = None
    baseline: Literal["", "new", "worse", "better", "unchanged"] = ""

    @property
    def slug(self) -> str:
        """The rule's readable name."""
        return rules.EVERY_RULE[self.rule].slug

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
    def what(self) -> str:
        """What was not read."""
        return f"{self.kind} of {self.about}" if self.about else self.kind

    @property
    def says(self) -> str:
        """What was not read, and why, in a few words."""
        return f"{self.what} ({self.operation}: {self.reason})"


@dataclass(frozen=True)
class Part:
    """A part of a service as the drawing shows it. `zone` is empty for what spans the region.

    `id` is what links refer to; a part without one has none.
    """

    tier: str
    zone: str
    name: str
    state: str = ""
    is_single_point: bool = False
    id: str = ""


@dataclass(frozen=True)
class Term:
    """One cause of outage and what it costs a year. `findings` are the fingerprints it belongs to."""

    says: str
    minutes: Minutes
    findings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Availability:
    """What a service can be expected to give, as three lines that are never mixed.

    Args:
        contract: the product of what AWS pays credit for along the serial chain, in percent; None
            where a part of the chain has no published figure.
        contract_says: its terms in words, and what has no figure.
        model: minutes of outage a year by the assumptions.
        terms: what the minutes are made of, the costliest first.
        assumptions: the rates and times used, each with its label and source.
        excluded: what is not in it.
        beyond_pairs: minutes that all cuts of three and more failures can add at most.
    """

    contract: float | None
    contract_says: tuple[str, ...]
    model: Minutes
    terms: tuple[Term, ...] = ()
    assumptions: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    beyond_pairs: float = 0.0


@dataclass(frozen=True)
class ServiceReport:
    """One service.

    `pairs` counts the cuts of two failures neither of which is one alone; `pair_classes` says which,
    as products; both are empty when `pairs_refused` says why they were not computed. `links` are the
    ids of a part and of one that it needs.
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
    questions: tuple[str, ...] = ()
    availability: Availability | None = None
    links: tuple[tuple[str, str], ...] = ()


FailOn = Literal["critical", "high", "medium", "low", "new"]


@dataclass(frozen=True)
class AuditReport:
    """The whole answer. The same facts give the same report.

    Args:
        source: what was read: "AWS", "Terraform plan", ...
        counts: how many of each kind were read, so that an omission can be seen.
        not_serving: a line for each machine that was read and serves nobody.
        scope: what was asked and what was not.
        assumptions: what the reader took for true.
        gone: findings of the baseline that are no longer there, one line each.
        complaints: what is wrong with the suppressions: expired, without a match.
        fail_on: findings below this severity do not make the exit code; "new" counts new ones only.
        allows_incomplete: what was not read does not make the exit code.
    """

    account: str
    region: str
    read_at: float
    counts: dict[str, int]
    services: tuple[ServiceReport, ...]
    unread: tuple[Unread, ...]
    not_serving: tuple[str, ...]
    scope: tuple[str, ...]
    source: str = "AWS"
    assumptions: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    complaints: tuple[str, ...] = ()
    fail_on: FailOn = "low"
    allows_incomplete: bool = False

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
        """FINDINGS when something that counts is certain; INCOMPLETE when something may be; else DONE."""
        counting = [finding for finding in self.findings if self.counts_for_exit(finding)]
        if any(finding.confidence == "certain" for finding in counting):
            return ExitCode.FINDINGS
        if (counting or not self.is_complete) and not self.allows_incomplete:
            return ExitCode.INCOMPLETE
        return ExitCode.DONE

    def counts_for_exit(self, finding: Finding) -> bool:
        """Whether a finding is at or above what the caller asked to fail on, and nobody accepted it."""
        if finding.suppressed:
            return False
        if self.fail_on == "new":
            return finding.baseline in ("new", "worse")
        return SEVERITIES.index(finding.severity) <= SEVERITIES.index(self.fail_on)

    @property
    def verdict(self) -> str:
        """One sentence: what was found, in how many services, from what, and what was not read."""
        doubt = "INCOMPLETE: " if self.exit_code is ExitCode.INCOMPLETE else ""
        return f"{doubt}{self._found()}; read: {self._read()}.{self._missing()}"

    def _found(self) -> str:
        if not self.services:
            return f"nothing that serves was found{f' in {self.region}' if self.region else ''}"
        where = counted(len(self.services), "service")
        counting = [one for one in self.findings if not one.suppressed]
        accepted = [one for one in self.findings if one.suppressed]
        behind = f" ({len(accepted)} accepted)" if accepted else ""
        singles = [one for one in counting if one.is_single_point]
        possible = sum(one.confidence == "possible" for one in singles)
        others = len(counting) - len(singles)
        if singles:
            doubt = f" ({possible} possible)" if possible else ""
            more = f" and {counted(others, 'other finding')}" if others else ""
            return f"{counted(len(singles), 'single point')} of failure{doubt}{more} in {where}{behind}"
        # One that somebody accepted is still there.
        further = "further " if any(one.is_single_point for one in accepted) else ""
        but = f", but {counted(others, 'other finding')}," if others else ""
        seen = "" if self.is_complete else " what was read of"
        return f"no {further}single point of failure{but} in{seen} {where}{behind}"

    def _read(self) -> str:
        told = [said(number, kind) for kind, number in self.counts.items() if kind not in SETTING]
        shown, more = told[:COUNTS_SHOWN], len(told) - COUNTS_SHOWN
        return ", ".join([*shown, f"{more} kinds more"] if more > 0 else shown) or "nothing"

    def _missing(self) -> str:
        alike: dict[str, list[Unread]] = {}
        for one in self.unread:
            alike.setdefault(one.reason, []).append(one)
        told = [in_one(each) for each in alike.values()]
        others = list(dict.fromkeys(what for service in self.services for what in service.not_read))
        told += [few(others)] if others else []
        return f" Not read: {'; '.join(told)}." if told else ""


@dataclass(frozen=True)
class WrittenReport:
    """A report in one of its forms, with what a program goes by."""

    text: str
    verdict: str
    exit_code: int


def in_one(unread: list[Unread]) -> str:
    """Return in a few words what was not read for one reason; the report lists each by itself."""
    if len(unread) == 1:
        return unread[0].says
    return f"{few([one.what for one in unread])} ({unread[0].reason})"


def few(names: list[str]) -> str:
    """Return the first names of many, each once, and how many more there are."""
    each = list(dict.fromkeys(names))
    more = f" and {len(each) - NAMED} more" if len(each) > NAMED else ""
    return f"{', '.join(each[:NAMED])}{more}"


def said(number: int, kind: str) -> str:
    """Return how many of a kind, in words."""
    known = KINDS.get(kind)
    return f"{number} {known.plural}" if known and number != 1 else counted(number, kind)


def counted(number: int, what: str) -> str:
    """Return "1 instance", "2 instances"."""
    if number == 1:
        return f"1 {what}"
    return f"{number} {what[:-1]}ies" if what.endswith("y") else f"{number} {what}s"
