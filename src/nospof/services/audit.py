"""What can take my service down? One answer, whoever read the estate it is asked of."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nospof.audit.acceptance import apply_acceptance
from nospof.audit.assumed import assume
from nospof.audit.baseline import Baseline, compare, known_of
from nospof.audit.crew import CrewOf, InTurn
from nospof.audit.question import SURVIVE, Question
from nospof.audit.rates import rates_with
from nospof.audit.reporting import build_report
from nospof.errors import UsageError
from nospof.model.estate import Estate
from nospof.model.findings import AuditReport, FailOn
from nospof.model.settings import Settings


@dataclass(frozen=True)
class Terms:
    """What is asked, and how the answer is judged.

    Args:
        service: a service's name, or the name or id of its entry; empty for all.
        survive: what services must survive; empty for what the settings say, else host, rack and zone.
        what_if: changes and failures to suppose, in words.
        slo: the objective of every service in percent, or None.
        settings: what people have written down.
        baseline: an earlier report, to mark what is new and what is gone; None to mark nothing.
        fail_on: the least severity that makes the exit code; "new" counts what the baseline lacks.
        allows_incomplete: what was not read does not make the exit code.
    """

    service: str = ""
    survive: tuple[str, ...] = ()
    what_if: tuple[str, ...] = ()
    slo: float | None = None
    settings: Settings = Settings()  # noqa: RUF009 (frozen)
    baseline: Baseline | None = None
    fail_on: FailOn = "low"
    allows_incomplete: bool = False


def audit_estate(
    estate: Estate,
    terms: Terms = Terms(),
    *,
    now: float = 0.0,
    crew_of: CrewOf = InTurn,
) -> AuditReport:
    """Audit what was read.

    What is supposed is held against what is: without a baseline, the same estate without it is one.

    Args:
        estate: what was read, whoever read it.
        terms: what is asked.
        now: seconds since the epoch, by which acceptances end; when it was read, where 0.
        crew_of: how the services are gone through: in turn, or shared out.

    Raises:
        UsageError: no service goes by the name that was asked for; what is supposed, or written in the
            settings, is not understood; "new" without a baseline.
    """
    settings = terms.settings
    estate = assume(estate, settings.needs)
    question = Question(
        terms.service,
        terms.survive or settings.survive or SURVIVE,
        terms.what_if,
        settings.services,
        rates_with(settings.rates),
        terms.slo,
    )
    baseline = terms.baseline
    if baseline is None and terms.what_if:
        baseline = baseline_of_report(build_report(estate, replace(question, what_if=()), crew_of))
    if baseline is None and terms.fail_on == "new":
        raise UsageError("what is new is told against an earlier report: give one with --baseline")
    covers_all = not terms.service
    report = build_report(estate, question, crew_of)
    report = apply_acceptance(report, settings.acceptances, now or estate.read_at, covers_all=covers_all)
    if baseline is not None:
        report = compare(report, baseline, covers_all=covers_all)
    return replace(report, fail_on=terms.fail_on, allows_incomplete=terms.allows_incomplete)


def baseline_of_report(report: AuditReport) -> Baseline:
    """Return the baseline that a report makes."""
    return Baseline({one.fingerprint: known_of(one) for one in report.findings})
