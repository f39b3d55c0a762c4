"""What the audit says of small templates whose answers were worked out by hand."""

from __future__ import annotations

import pytest

from nospof.model.estate import Estate
from nospof.model.findings import AuditReport
from nospof.services.audit import Terms, audit_estate
from support.cloudformation_templates import (
    FIXTURES,
    read_fixture,
    read_resources,
    read_text_as_template,
)


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
    assert "NSP201" in rules(read_text_as_template(text))


def test_names_edges_tasks_functions_and_stores_are_wired_together() -> None:
    estate = read_fixture("many-kinds.yaml")
    report = audit_estate(estate)
    found = {one.name: {each.rule for each in one.findings} for one in report.services}
    assert estate.unread == ()
    assert set(found) == {"api.example.com", "calls", "near", "www.example.com"}
    # A function in one subnet, tasks in two; each zone has its own mount target.
    assert "NSP201" in found["calls"]
    assert not {rule for rule in found["api.example.com"] if rule.startswith(("NSP1", "NSP2"))}
    assert {(one.user, one.used, one.view) for one in estate.uses} == {
        ("Group", "Old", "serving"),
        ("Mailer", "Rows", "serving"),
        ("Tasks", "Aurora", "serving"),
        ("Tasks", "Orders", "degraded"),
        ("Tasks", "Sessions", "serving"),
    }


@pytest.mark.parametrize(
    ("before", "after", "service", "rule"),
    [
        ("DesiredCount: 2", "DesiredCount: 1", "api.example.com", "NSP101"),
        ("ReplicasPerNodeGroup: 1", "ReplicasPerNodeGroup: 0", "api.example.com", "NSP104"),
        ("AutomaticFailoverEnabled: true", "AutomaticFailoverEnabled: false", "api.example.com", "NSP104"),
        ("AvailabilityZone: eu-west-1b, VpcId", "AvailabilityZone: eu-west-1a, VpcId", "near", "NSP201"),
        ("MinSize: 2", "MinSize: 1", "near", "NSP101"),
        ("MultiAZ: true", "MultiAZ: false", "near", "NSP103"),
    ],
)
def test_taking_one_spare_away_is_found(before: str, after: str, service: str, rule: str) -> None:
    text = (FIXTURES / "many-kinds.yaml").read_text()
    assert text.count(before) == 1
    report = audit_estate(read_text_as_template(text.replace(before, after)))
    (found,) = (one for one in report.services if one.name == service)
    assert rule in {one.rule for one in found.findings}


def test_a_target_that_is_not_known_leaves_the_verdict_open() -> None:
    text = (FIXTURES / "pair-behind-a-balancer.yaml").read_text()
    changed = text.replace("{Id: !Ref Second}", "{'Fn::Transform': {Name: AWS::Include}}")
    assert changed != text
    estate = read_text_as_template(changed)
    assert [one.about for one in estate.unread] == ["Pool"]


def test_what_is_not_understood_makes_the_verdict_incomplete() -> None:
    estate = read_resources(
        {
            "Web": {"Type": "AWS::EC2::Instance"},
            "Rest": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "https://x"}},
        }
    )
    assert [one.about for one in audit_estate(estate).unread] == ["Rest"]


def test_a_zone_may_be_supposed_to_fail_where_members_are_only_promised() -> None:
    estate = read_fixture("many-kinds.yaml")
    report = audit_estate(estate, Terms(what_if=("fail zone:eu-west-1a",)))
    assert any(one.rule == "NSP100" for one in report.findings)
