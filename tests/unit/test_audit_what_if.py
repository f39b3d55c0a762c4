"""What if: failures and changes in words, tried on what was read."""

from __future__ import annotations

import pytest

from nospof.errors import UsageError
from nospof.model.findings import AuditReport
from nospof.services.audit import Terms, audit_estate
from support.estates import A, B, C, account, balancer, found, group, instance, points, target

PAIR = account(balancer(), group(), instance("i-1", A), instance("i-2", B), target("i-1"), target("i-2"))


def suppose(*sentences: str, survive: tuple[str, ...] = ("host", "rack", "zone")) -> AuditReport:
    return audit_estate(PAIR, Terms(survive=survive, what_if=sentences))


def test_the_pair_itself_has_no_single_point() -> None:
    assert suppose().exit_code == 0


@pytest.mark.parametrize("what", ["i-1", f"zone:{A}", A])
def test_a_failed_member_leaves_the_other_alone(what: str) -> None:
    assert points(suppose(f"fail {what}")) == {"i-2", f"zone:{B}"}


def test_both_failures_together_are_an_outage_with_a_proof() -> None:
    (down,) = [one for one in suppose("fail i-1", f"fail {B}").findings if one.rule == "NSP100"]
    assert down.confidence == "certain"
    assert any("is down already: taken for failed" in step.says for step in down.proof)


def test_a_twin_in_a_third_zone_bears_the_loss_of_another() -> None:
    assert points(suppose(f"twin i-1 in {C}", "fail i-2")) == set()
    assert points(suppose("remove i-2", f"twin i-1 in {A}")) == {f"zone:{A}"}


def test_a_removed_machine_is_no_spare() -> None:
    assert points(suppose("remove i-2")) == {"i-1", f"zone:{A}"}


def test_a_machine_goes_by_its_name_too() -> None:
    named = instance("i-2", B, Tags=[{"Key": "Name", "Value": "spare"}])
    estate = account(balancer(), group(), instance("i-1", A), named, target("i-1"), target("i-2"))
    report = audit_estate(estate, Terms(what_if=("remove spare",)))
    assert {"i-1", f"zone:{A}"} <= points(report)


def test_a_field_is_set_as_the_describing_call_names_it() -> None:
    assert found(suppose("set target group www Matcher.HttpCode=200-399"), "NSP403")
    assert found(suppose("set target group www HealthCheckIntervalSeconds=60"), "NSP402")


def test_supposing_changes_nothing_of_what_was_read() -> None:
    suppose("remove i-2", "set target group www Matcher.HttpCode=200-399")
    assert suppose().exit_code == 0


@pytest.mark.parametrize(
    ("sentence", "says"),
    [
        ("break i-1", "is not understood; say one of: fail WHAT"),
        ("fail i-7", "no service that was read has anything called 'i-7'"),
        ("remove i-11", "nothing that was read goes by 'i-11'; did you mean i-1?"),
        ("remove www", "'www' is the name of several things"),
        (f"twin i-11 in {C}", "did you mean i-1?"),
        ("set target grop www Matcher.HttpCode=200", "did you mean target group?"),
        ("set target group www Matcher.HttpCod=200", "did you mean Matcher.HttpCode?"),
        ("set instance i-1 State.Name", "is not understood"),
        ("", "is not understood"),
    ],
)
def test_a_sentence_that_cannot_be_carried_out_is_refused(sentence: str, says: str) -> None:
    with pytest.raises(UsageError, match=says.replace("?", r"\?")):
        suppose(sentence)


# What it must survive ------------------------------------------------------------------------------------


def test_only_what_is_asked_about_is_found() -> None:
    alone = account(balancer(), group(), instance("i-1", A), target("i-1"))
    assert points(audit_estate(alone, Terms(survive=("host",)))) == {"i-1"}
    assert points(audit_estate(alone, Terms(survive=("zone",)))) == {f"zone:{A}"}


def test_a_region_is_a_single_point_where_it_is_asked_about() -> None:
    report = suppose(survive=("host", "rack", "zone", "region"))
    assert found(report, "NSP208") == ["www stops when region eu-west-1 fails"]
    assert "the region" in report.scope[0]


def test_an_unknown_scope_is_refused() -> None:
    with pytest.raises(UsageError, match="choose from host, rack, zone, region"):
        suppose(survive=("planet",))


# What makes the exit code ----------------------------------------------------------------------------------


def test_findings_below_what_is_asked_do_not_make_the_exit_code() -> None:
    slow = PAIR.changed("target group", "arn:group:www", HealthCheckIntervalSeconds=60)
    assert audit_estate(slow).exit_code == 10
    assert audit_estate(slow, Terms(fail_on="high")).exit_code == 0


def test_what_was_not_read_is_13_unless_it_is_allowed() -> None:
    silent = PAIR.changed("instance", "i-1", Tags=[])
    assert audit_estate(silent).exit_code == 13
    assert audit_estate(silent, Terms(allows_incomplete=True)).exit_code == 0
