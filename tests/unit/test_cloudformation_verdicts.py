"""What the audit says of small templates whose answers were worked out by hand."""

from __future__ import annotations

import pytest

from nospof.model.estate import Estate
from nospof.model.findings import AuditReport
from nospof.services.audit import audit_estate
from support.cloudformation_templates import FIXTURES, read_fixture, read_resources


def said(estate: Estate) -> list[tuple[str, str]]:
    """The rules of all findings in the serving view and of lost data, with the names they speak of."""
    report = audit_estate(estate)
    return sorted((one.rule, one.title) for service in report.services for one in service.findings)


def rules(estate: Estate) -> list[str]:
    return [rule for rule, _ in said(estate)]


def test_one_machine_with_everything_on_it() -> None:
    estate = read_fixture("shop-on-one-machine.json")
    assert rules(estate) == ["NSP101", "NSP201", "NSP301"]
    assert estate.unread == ()


def test_a_machine_and_its_database_are_two_single_points_each_with_its_own_zone() -> None:
    assert rules(read_fixture("shop-with-database.yaml")) == [
        "NSP101",
        "NSP103",
        "NSP201",
        "NSP201",
        "NSP301",
        "NSP301",
    ]


def test_two_of_everything_in_two_zones_is_no_single_point() -> None:
    found = rules(read_fixture("shop-in-two-zones.yaml"))
    assert found == ["NSP404", "NSP801"]


def test_the_answer_depends_on_the_parameters() -> None:
    found = rules(read_fixture("shop-in-two-zones.yaml", Standby="false"))
    assert {"NSP103", "NSP201"} <= set(found)


def test_an_address_on_an_interface_still_leads_to_one_machine() -> None:
    assert rules(read_fixture("machine-on-an-interface.yaml")) == ["NSP101", "NSP201", "NSP301"]


def test_a_name_that_exists_only_by_condition_is_the_entry_when_it_exists() -> None:
    report = audit_estate(read_fixture("machine-on-an-interface.yaml", ZoneStack="zone"))
    assert len(report.services) == 1
    assert {one.rule for one in report.services[0].findings} >= {"NSP101", "NSP201"}
    assert report.services[0].findings[0].title.count("Public") + report.services[0].findings[0].title.count(
        "www"
    )


@pytest.mark.parametrize("name", ["network-only.yaml", "cache-of-subnets.yaml"])
def test_where_nothing_serves_nothing_is_found_and_the_verdict_is_not_all_clear(name: str) -> None:
    report: AuditReport = audit_estate(read_fixture(name))
    assert report.services == ()
    assert report.verdict.startswith("INCOMPLETE: nothing that serves")


def test_a_pair_behind_a_balancer_over_given_subnets_is_no_single_point() -> None:
    estate = read_fixture("pair-behind-a-balancer.yaml")
    assert not {rule for rule in rules(estate) if rule.startswith(("NSP1", "NSP2"))}
    assert "the subnets of a balancer stand in different zones, as AWS asks for" in estate.assumptions


def test_both_machines_of_a_pair_in_the_same_given_subnet_share_a_zone() -> None:
    text = (FIXTURES / "pair-behind-a-balancer.yaml").read_text().replace("!Select [1,", "!Select [0,")
    from support.cloudformation_templates import read_text_as_template

    assert "NSP201" in rules(read_text_as_template(text))


def test_what_is_not_understood_makes_the_verdict_incomplete() -> None:
    estate = read_resources(
        {
            "Web": {"Type": "AWS::EC2::Instance"},
            "Rest": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "https://x"}},
        }
    )
    assert [one.about for one in audit_estate(estate).unread] == ["Rest"]
