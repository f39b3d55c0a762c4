"""Accepted findings: marked, never removed, and only while what was accepted is still so.

An acceptance matches exactly. It ends on its day, when the finding hurts more than was accepted, or
when nothing matches it any more; each is said, so that none outlives its reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase

from nospof.errors import UsageError
from nospof.model.findings import AuditReport, Finding, ServiceReport, Suppression
from nospof.model.settings import Acceptance

MOST_DAYS = 400
"""Longer than a year with its holidays, and no longer: a risk is looked at again."""


def apply_acceptance(
    report: AuditReport, acceptances: Iterable[Acceptance], now: float, *, covers_all: bool = True
) -> AuditReport:
    """Return the report with what was accepted marked, and what is wrong with the acceptances.

    Args:
        report: as it was judged.
        acceptances: what people have written down.
        now: seconds since the epoch; an acceptance holds through its last day, UTC.
        covers_all: every service is in the report; otherwise what matches nothing may belong to another.

    Raises:
        UsageError: an acceptance without a reason, an owner, a date, or for too long.
    """
    desk = _Desk(tuple(acceptances), datetime.fromtimestamp(now, UTC).date())
    services = tuple(desk.service(one) for one in report.services)
    complaints = (*report.complaints, *desk.complaints(covers_all=covers_all))
    return replace(report, services=services, complaints=complaints)


class _Desk:
    def __init__(self, acceptances: tuple[Acceptance, ...], today: date) -> None:
        self.today = today
        self.ends = {one: last_day(one, today) for one in acceptances}
        self.used: set[Acceptance] = set()
        self.said: dict[str, None] = {}

    def service(self, service: ServiceReport) -> ServiceReport:
        return replace(service, findings=tuple(self.judged(one) for one in service.findings))

    def judged(self, finding: Finding) -> Finding:
        for one, until in self.ends.items():
            if not is_about(one, finding):
                continue
            self.used.add(one)
            if until < self.today:
                self.say(one, finding, f"was accepted by {one.owner} until {until.isoformat()}")
            elif more := grown(one, finding):
                self.say(one, finding, f"is more than {one.owner} accepted: {more}")
            else:
                return replace(finding, suppressed=Suppression(one.reason, one.owner, until.isoformat()))
        return finding

    def say(self, one: Acceptance, finding: Finding, what: str) -> None:
        at = f" ({one.where})" if one.where else ""
        self.said[f"{finding.rule} {finding.title}: {what}{at}"] = None

    def complaints(self, *, covers_all: bool) -> list[str]:
        unused = [one for one in self.ends if one not in self.used] if covers_all else []
        return [*self.said, *(f"nothing matches the acceptance {name_of(one)}" for one in unused)]


def is_about(one: Acceptance, finding: Finding) -> bool:
    """Whether an acceptance speaks of a finding: by fingerprint, or by rule, service and resource."""
    if one.fingerprint and one.fingerprint != finding.fingerprint:
        return False
    if (one.rule and one.rule != finding.rule) or (one.service and one.service != finding.service):
        return False
    if not one.resource:
        return bool(one.fingerprint)
    return any(fnmatchcase(each, one.resource) for each in (finding.event, *finding.members))


def grown(one: Acceptance, finding: Finding) -> str:
    """Return in what a finding is more than was accepted, or nothing."""
    if one.share is not None and finding.share > one.share:
        return f"{float(finding.share):.0%} of clients instead of {float(one.share):.0%}"
    wider = sorted(set(finding.stops) - set(one.blast)) if one.blast else []
    return f"{', '.join(wider)} would stop too" if wider else ""


def last_day(one: Acceptance, today: date) -> date:
    """Return the last day of an acceptance.

    Raises:
        UsageError: it says no reason, owner or date, is too broad, or holds for too long.
    """
    at = f"{one.where}: " if one.where else ""
    for name in ("reason", "owner", "until"):
        if not getattr(one, name).strip():
            raise UsageError(f"{at}an acceptance needs {name}: nobody can look at it again without it")
    if not one.fingerprint and not (one.rule and one.service and one.resource):
        raise UsageError(f"{at}an acceptance needs a fingerprint, or rule, service and resource together")
    try:
        until = date.fromisoformat(one.until)
    except ValueError as error:
        raise UsageError(f"{at}until must be a day such as 2027-03-31, not {one.until!r}") from error
    if (until - today).days > MOST_DAYS:
        raise UsageError(f"{at}until {until} is more than {MOST_DAYS} days ahead; choose a nearer day")
    return until


def name_of(one: Acceptance) -> str:
    """Return what an acceptance is called where it is complained of."""
    if one.fingerprint:
        what = f"of {one.fingerprint[:12]}"
    else:
        what = f"of {one.rule} in {one.service} at {one.resource}"
    return f"{what} by {one.owner}{f' ({one.where})' if one.where else ''}"
