"""What Terraform itself made of three sites: the verdict, and how it turns when one thing is taken away.

The plans beside the .tf files were made by Terraform 1.11 with version 5.100 of the AWS provider, and
made shorter.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nospof.adapters.iac.terraform import read_terraform
from nospof.errors import UsageError
from nospof.model.estate import Estate
from nospof.model.findings import AuditReport
from nospof.services.audit import audit_estate
from support.estates import points
from support.terraform_plans import read

PLANS = Path(__file__).parents[1] / "fixtures" / "terraform"
SPREAD: dict[str, Any] = json.loads((PLANS / "spread" / "plan.json").read_text())


def report_of(site: str) -> AuditReport:
    return audit_estate(read_terraform(PLANS / site / "plan.json"))


def rules(report: AuditReport, confidence: str = "certain") -> set[str]:
    return {one.rule for one in report.findings if one.confidence == confidence}


def test_a_balancer_before_one_machine_in_one_subnet_falls_with_the_machine_and_its_zone() -> None:
    report = report_of("two-tier")
    assert "aws_instance.page" in points(report)
    assert {one.rule for one in report.findings if one.is_single_point} == {"NSP101", "NSP201"}
    assert report.exit_code == 10


def test_a_machine_that_is_set_up_with_anothers_address_is_in_series_with_it() -> None:
    report = report_of("series")
    assert {"aws_instance.wiki", "aws_instance.tables"} <= points(report)
    assert not report.not_serving


def test_a_site_that_is_spread_has_no_single_point() -> None:
    report = report_of("spread")
    assert [one.name for one in report.services] == ["www.example.org"]
    assert points(report) == points(report, "possible") == set()
    # A mount target that fails takes its zone's half along; a NAT gateway in each zone takes nobody.
    assert rules(report) == {"NSP402", "NSP406"}
    assert rules(report, "possible") == set()
    assert report.is_complete


def test_who_is_told_of_whom_is_followed_through_templates_modules_and_launch_templates() -> None:
    uses = read_terraform(PLANS / "spread" / "plan.json").uses
    assert {(one.user, one.used_kind, one.used, one.provenance) for one in uses} == {
        ("web", "database", "store", "configured"),
        ("web", "cache", "sessions", "configured"),
        ("web", "file system", "aws_efs_file_system.files", "configured"),
    }


def test_subnets_are_found_through_variables_outputs_and_for_each() -> None:
    estate = read_terraform(PLANS / "spread" / "plan.json")
    zone = {one.id: one.text("AvailabilityZone") for one in estate.of("subnet")}
    gateways = {one.id: zone[one.text("SubnetId")] for one in estate.of("NAT gateway")}
    assert gateways == {
        'module.net.aws_nat_gateway.nat["a"]': "eu-west-1a",
        'module.net.aws_nat_gateway.nat["b"]': "eu-west-1b",
    }
    targets = {one.label: zone[one.text("SubnetId")] for one in estate.of("mount target")}
    assert targets == {
        'aws_efs_mount_target.files["a"]': "eu-west-1a",
        'aws_efs_mount_target.files["b"]': "eu-west-1b",
    }


def test_a_resource_of_a_module_stands_in_the_modules_file() -> None:
    places = {one.label: one.location for one in read_terraform(PLANS / "spread" / "plan.json").of("subnet")}
    place = places['module.net.aws_subnet.private["a"]']
    line = (PLANS / "spread" / "net" / "main.tf").read_text().splitlines()[place.line - 1]
    assert Path(place.file).parts[-2:] == ("net", "main.tf")
    assert line.startswith('resource "aws_subnet" "private"')


# One thing taken away ------------------------------------------------------------------------------------


def resource(document: dict[str, Any], address: str) -> dict[str, Any]:
    waiting = [document["planned_values"]["root_module"]]
    while waiting:
        module = waiting.pop()
        waiting += module.get("child_modules", [])
        for one in module.get("resources", []):
            if one["address"] == address:
                found: dict[str, Any] = one["values"]
                return found
    raise KeyError(address)


def configured(document: dict[str, Any], module: str, address: str) -> dict[str, Any]:
    place = document["configuration"]["root_module"]
    place = place["module_calls"][module]["module"] if module else place
    return next(one["expressions"] for one in place["resources"] if one["address"] == address)


def without_standby(document: dict[str, Any]) -> None:
    resource(document, "module.store.aws_db_instance.store")["multi_az"] = False


def without_failover(document: dict[str, Any]) -> None:
    resource(document, "aws_elasticache_replication_group.sessions")["automatic_failover_enabled"] = False


def with_one_machine(document: dict[str, Any]) -> None:
    resource(document, "aws_autoscaling_group.web").update(min_size=1, max_size=1)


def in_one_zone(document: dict[str, Any]) -> None:
    for place in ("public", "private"):
        resource(document, f'module.net.aws_subnet.{place}["b"]')["availability_zone"] = "eu-west-1a"


def with_one_gateway(document: dict[str, Any]) -> None:
    one = {"references": ['aws_nat_gateway.nat["a"].id', 'aws_nat_gateway.nat["a"]', "aws_nat_gateway.nat"]}
    configured(document, "net", "aws_route.out")["nat_gateway_id"] = one


def with_one_zone_files(document: dict[str, Any]) -> None:
    resource(document, "aws_efs_file_system.files")["availability_zone_name"] = "eu-west-1a"
    change = next(
        one for one in document["resource_changes"] if one["address"] == "aws_efs_file_system.files"
    )
    change["change"]["after_unknown"]["availability_zone_name"] = False


@pytest.mark.parametrize(
    ("take_away", "rule", "view"),
    [
        (without_standby, "NSP103", "serving"),
        (without_failover, "NSP104", "serving"),
        (with_one_machine, "NSP101", "serving"),
        (in_one_zone, "NSP201", "serving"),
        (with_one_zone_files, "NSP105", "serving"),
        (with_one_gateway, "NSP601", "egress"),
    ],
)
def test_one_thing_taken_away_is_the_one_that_is_found(
    tmp_path: Path, take_away: Callable[[dict[str, Any]], None], rule: str, view: str
) -> None:
    document = copy.deepcopy(SPREAD)
    take_away(document)
    found = audit_estate(read(tmp_path, document)).findings
    assert (rule, view, "certain") in {(one.rule, one.view, one.confidence) for one in found}


def test_a_standby_that_is_known_only_later_is_a_question_and_no_verdict(tmp_path: Path) -> None:
    document = copy.deepcopy(SPREAD)
    del resource(document, "module.store.aws_db_instance.store")["multi_az"]
    name = "module.store.aws_db_instance.store"
    change = next(one for one in document["resource_changes"] if one["address"] == name)
    change["change"]["after_unknown"]["multi_az"] = True
    report = audit_estate(read(tmp_path, document))
    assert not points(report)
    assert "NSP103" in rules(report, "possible")


def test_a_plan_of_some_targets_names_the_modules_that_it_left_out(tmp_path: Path) -> None:
    document = copy.deepcopy(SPREAD)
    root = document["planned_values"]["root_module"]
    root["child_modules"] = [one for one in root["child_modules"] if one["address"] != "module.store"]
    report = audit_estate(read(tmp_path, document))
    assert [(one.kind, one.about) for one in report.unread] == [("module", "module.store")]
    assert not report.is_complete
    assert "module.store" in report.verdict


# Nothing breaks it ---------------------------------------------------------------------------------------


def test_the_order_of_resources_changes_nothing(tmp_path: Path) -> None:
    document = copy.deepcopy(SPREAD)
    for module in (
        document["planned_values"]["root_module"],
        *document["planned_values"]["root_module"]["child_modules"],
    ):
        module["resources"].reverse()
    document["resource_changes"].reverse()
    turned, straight = audit_estate(read(tmp_path, document)), audit_estate(read(tmp_path, SPREAD))
    assert turned.findings == straight.findings
    assert turned.verdict == straight.verdict


LEAVES = st.sampled_from(
    [
        *(None, True, False, 0, -1, 1.5, 10**30, "", "x", [], {}, [None], {"a": None}, [[]]),
        *("aws_instance.web", {"references": ["module.net.private", "var.x"]}, [{"references": [1]}]),
    ]
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    rows = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [each for key, part in rows for each in places(part, (*path, key))]


EVERY_PLACE = places(SPREAD)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.sampled_from(EVERY_PLACE), LEAVES), min_size=1, max_size=8))
def test_whatever_is_changed_in_a_real_plan_it_is_an_estate_or_a_refusal_and_can_be_audited(
    tmp_path: Path, changes: list[tuple[tuple[Any, ...], Any]]
) -> None:
    document = copy.deepcopy(SPREAD)
    for path, leaf in changes:
        place: Any = document
        try:
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = copy.deepcopy(leaf)
        except (KeyError, IndexError, TypeError):
            continue
    estate = read_or_refused(tmp_path, document)
    if isinstance(estate, Estate):
        audit_estate(estate)
    else:
        assert "plan.json" in str(estate)


def read_or_refused(directory: Path, document: Any) -> Estate | UsageError:
    try:
        return read(directory, document)
    except UsageError as refused:
        return refused
