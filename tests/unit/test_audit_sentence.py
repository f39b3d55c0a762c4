"""The one sentence of a report: what counts, what was accepted, and what was not read, never a page long."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from nospof.model.findings import NAMED, AuditReport, Suppression, Unread
from nospof.render.audit_text import render_text
from support.audit_reports import single_database

NOT_GIVEN = "not among the files given"
ACCEPTED = Suppression("known", "ops@example.org", "2027-03-31")


def unread(number: int, reason: str = NOT_GIVEN) -> Unread:
    return Unread(f"kind{number}", f"ec2:Describe{number}", reason)


def reading(*not_read: Unread, of_services: tuple[str, ...] = ()) -> AuditReport:
    report = single_database()
    (service,) = report.services
    return replace(report, unread=not_read, services=(replace(service, not_read=of_services),))


def accepting(*rules: str) -> AuditReport:
    report = single_database()
    (service,) = report.services
    findings = tuple(
        replace(one, suppressed=ACCEPTED if one.rule in rules else None) for one in service.findings
    )
    return replace(report, services=(replace(service, findings=findings),))


def missing(report: AuditReport) -> str:
    return report.verdict.partition(" Not read: ")[2]


# What was not read ------------------------------------------------------------------------------------


def test_what_stands_alone_names_its_call() -> None:
    assert missing(reading(unread(1))) == f"kind1 (ec2:Describe1: {NOT_GIVEN})."


def test_what_is_missing_for_one_reason_is_told_together() -> None:
    report = reading(unread(1), unread(2, "AccessDenied"), unread(3))
    assert missing(report) == f"kind1, kind3 ({NOT_GIVEN}); kind2 (ec2:Describe2: AccessDenied)."


def test_of_many_a_few_are_named_and_the_others_counted() -> None:
    report = reading(*map(unread, range(40)))
    assert missing(report) == f"kind0, kind1, kind2, kind3, kind4, kind5 and 34 more ({NOT_GIVEN})."


def test_what_one_of_several_refused_is_told_with_its_name() -> None:
    alike = [replace(unread(1), about=name) for name in ("www", "shop")]
    assert missing(reading(*alike)) == f"kind1 of www, kind1 of shop ({NOT_GIVEN})."


def test_what_services_lack_is_short_too_and_each_told_once() -> None:
    report = reading(of_services=tuple(f"image ami-{number % 8}" for number in range(40)))
    assert missing(report).endswith("image ami-5 and 2 more.")
    assert missing(report).count("ami-0") == 1


def test_the_text_lists_all_that_could_not_be_read() -> None:
    text = render_text(reading(*map(unread, range(40))))
    assert all(f"  kind{number} (ec2:Describe{number}: {NOT_GIVEN})\n" in text for number in range(40))


@given(st.lists(st.builds(unread, st.integers(0, 99), st.sampled_from(["a", "b", "c"])), max_size=60))
def test_the_sentence_stays_short_and_forgets_no_reason(every: list[Unread]) -> None:
    says = missing(reading(*every))
    assert says.count("kind") <= 3 * NAMED
    assert all(f"{one.reason})" in says for one in every)
    assert bool(says) == bool(every)


# What was accepted ------------------------------------------------------------------------------------


def test_what_was_accepted_is_not_counted_and_said_behind() -> None:
    assert accepting().verdict.startswith(
        "3 single points of failure (1 possible) and 1 other finding in 1 service;"
    )
    assert accepting("NSP201", "NSP407").verdict.startswith(
        "2 single points of failure (1 possible) in 1 service (2 accepted);"
    )


def test_an_accepted_single_point_is_not_said_to_be_gone() -> None:
    verdict = accepting("NSP103", "NSP201", "NSP901").verdict
    assert "no further single point of failure, but 1 other finding, in" in verdict
    assert "(3 accepted)" in verdict


def test_where_only_lesser_things_were_accepted_there_is_no_single_point() -> None:
    report = accepting("NSP407")
    (service,) = report.services
    lesser = tuple(one for one in service.findings if one.suppressed)
    verdict = replace(report, services=(replace(service, findings=lesser),)).verdict
    assert "no single point of failure in" in verdict
    assert "(1 accepted)" in verdict
