"""What can take my service down? One answer, whoever read the estate it is asked of."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nospof.audit.reporting import Question, build_report
from nospof.model.estate import Estate
from nospof.model.findings import AuditReport, FailOn
from nospof.ports.discovery import Discovery
from nospof.services.reading import Watcher, read_estate


@dataclass(frozen=True)
class Terms:
    """How a report is judged.

    Args:
        fail_on: the least severity that makes the exit code; "new" counts what a baseline lacks.
        allows_incomplete: what was not read does not make the exit code.
    """

    fail_on: FailOn = "low"
    allows_incomplete: bool = False


def audit_estate(
    estate: Estate,
    question: Question = Question(),  # noqa: B008 (frozen)
    terms: Terms = Terms(),
) -> AuditReport:
    """Audit what was read.

    Raises:
        UsageError: no service goes by the name that was asked for; what is supposed is not understood.
    """
    report = build_report(estate, question)
    return replace(report, fail_on=terms.fail_on, allows_incomplete=terms.allows_incomplete)


def audit_account(
    discovery: Discovery,
    read_at: float,
    question: Question = Question(),  # noqa: B008 (frozen)
    watcher: Watcher | None = None,
) -> AuditReport:
    """Read an account and audit it.

    Raises:
        CloudError: not even who is asking could be read.
        UsageError: as `audit_estate`.
    """
    return audit_estate(read_estate(discovery, read_at, watcher), question)
