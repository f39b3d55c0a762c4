"""What plans come to: the verdict of whole architectures, and that nothing of a plan is overlooked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nospof.adapters.iac.terraform import read_terraform
from support.estates import found, points
from support.terraform_plans import STATELESS, audit, plan, planned, read


def web(number: int, **values: Any) -> dict[str, Any]:
    return planned(f"aws_instance.web[{number}]", ami="ami-1", tags=STATELESS, **values)


def subnet(name: str, zone: str) -> dict[str, Any]:
    return planned(f"aws_subnet.{name}", availability_zone=zone, cidr_block="10.0.0.0/24")


# A balancer is no redundancy -----------------------------------------------------------------------------


def classic(number: int, *subnets: str) -> dict[str, Any]:
    machines = [web(one, unknown={"subnet_id": True}) for one in range(number)]
    front = planned("aws_elb.front", unknown={"subnets": [True] * len(subnets), "instances": [True] * number})
    return plan(
        subnet("a", "eu-west-1a"),
        subnet("b", "eu-west-1b"),
        *machines,
        front,
        references={
            "aws_elb.front": {
                "subnets": [f"aws_subnet.{one}.id" for one in subnets],
                "instances": ["aws_instance.web"],
            },
            "aws_instance.web": {"subnet_id": ["aws_subnet.a.id"]},
        },
    )


def test_c101_a_balancer_in_one_subnet_before_one_machine_has_two_single_points(tmp_path: Path) -> None:
    report = audit(tmp_path, classic(1, "a"))
    assert points(report) == {"aws_instance.web[0]", "zone:eu-west-1a"}
    assert report.exit_code == 10


def test_two_machines_of_one_subnet_share_its_zone(tmp_path: Path) -> None:
    assert points(audit(tmp_path, classic(2, "a", "b"))) == {"zone:eu-west-1a"}


# Machines in series are no pair ----------------------------------------------------------------------------


def two_machines(*, told: bool) -> dict[str, Any]:
    page = planned("aws_instance.page", ami="ami-1", unknown={"user_data": True})
    store = planned("aws_db_instance.store", identifier="store", engine="mysql", multi_az=False)
    address = planned("aws_eip.page", unknown={"instance": True})
    names = {"user_data": ["aws_db_instance.store.address", "aws_db_instance.store"]} if told else {}
    return plan(
        page,
        store,
        address,
        references={"aws_instance.page": names, "aws_eip.page": {"instance": ["aws_instance.page.id"]}},
    )


def test_a_machine_told_of_a_database_falls_with_it(tmp_path: Path) -> None:
    report = audit(tmp_path, two_machines(told=True))
    assert {one.rule for one in report.findings if one.is_single_point} == {"NSP101", "NSP103", "NSP201"}
    assert report.services[0].members == ("aws_instance.page",)


def test_a_database_that_nobody_is_told_of_is_listed(tmp_path: Path) -> None:
    report = audit(tmp_path, two_machines(told=False))
    assert not found(report, "NSP103")
    assert any("aws_db_instance.store" in one and "who needs it" in one for one in report.not_serving)


@pytest.mark.parametrize(
    ("values", "unknown", "confidence"),
    [
        ({"multi_az": False}, {}, {"certain"}),
        ({"multi_az": None}, {}, {"certain"}),
        ({"multi_az": True}, {}, set()),
        ({}, {"multi_az": True}, {"possible"}),
    ],
    ids=["no", "not set", "yes", "not known before it is applied"],
)
def test_a_database_is_judged_by_what_the_plan_knows(
    tmp_path: Path, values: dict[str, Any], unknown: dict[str, bool], confidence: set[str]
) -> None:
    document = two_machines(told=True)
    for one in document["planned_values"]["root_module"]["resources"]:
        if one["type"] == "aws_db_instance":
            one["values"] = {"identifier": "store", "engine": "mysql", **values}
    for one in document["resource_changes"]:
        if one["type"] == "aws_db_instance":
            one["change"]["after_unknown"].update(unknown)
    report = audit(tmp_path, document)
    assert {one.confidence for one in report.findings if one.rule == "NSP103"} == confidence


# Groups ----------------------------------------------------------------------------------------------------


def group(**values: Any) -> dict[str, Any]:
    zones = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
    scaling = planned(
        "aws_autoscaling_group.web",
        availability_zones=zones,
        health_check_type="ELB",
        load_balancers=["front"],
        **values,
    )
    lone = planned("aws_instance.tool", ami="ami-1")
    front = planned("aws_elb.front", name="front", availability_zones=zones)
    return plan(scaling, lone, front)


def test_a_group_of_two_over_three_zones_is_no_single_point_and_a_machine_beside_it_is_listed(
    tmp_path: Path,
) -> None:
    report = audit(tmp_path, group(min_size=2, max_size=10))
    assert report.exit_code == 0
    assert points(report) == set()
    assert any("aws_instance.tool: stands alone" in one for one in report.not_serving)


def test_a_group_of_one_is_a_single_point(tmp_path: Path) -> None:
    assert len(points(audit(tmp_path, group(min_size=1, max_size=1)))) == 2


# Nothing is overlooked -----------------------------------------------------------------------------------


def test_c93_equal_names_in_modules_at_any_depth_are_different_machines(tmp_path: Path) -> None:
    estate = read(
        tmp_path,
        plan(
            web(0),
            modules={
                "module.a": [planned('module.a.aws_instance.web["x"]')],
                "module.a.module.b": [planned("module.a.module.b.aws_instance.web[0]")],
            },
        ),
    )
    assert [one.id for one in estate.of("instance")] == [
        "aws_instance.web[0]",
        'module.a.aws_instance.web["x"]',
        "module.a.module.b.aws_instance.web[0]",
    ]


@pytest.mark.parametrize("key", ["eu-west-1.a", 'x"]', "a b", "ü", "[0]"])
def test_c94_any_key_of_for_each_makes_an_address(tmp_path: Path, key: str) -> None:
    row = {"address": f"aws_instance.web[{json.dumps(key)}]", "type": "aws_instance", "name": "web"}
    document = plan()
    document["planned_values"]["root_module"]["resources"] = [
        {**row, "mode": "managed", "index": key, "values": {}}
    ]
    (machine,) = read(tmp_path, document).of("instance")
    assert machine.id == row["address"]


def test_c94_what_is_counted_to_zero_does_not_exist(tmp_path: Path) -> None:
    document = plan(web(0))
    document["configuration"]["root_module"]["resources"].append(
        {
            "address": "aws_instance.standby",
            "mode": "managed",
            "type": "aws_instance",
            "name": "standby",
            "expressions": {},
            "count_expression": {"references": ["var.standby"]},
        }
    )
    estate = read(tmp_path, document)
    assert [one.id for one in estate.of("instance")] == ["aws_instance.web[0]"]


def test_a_kind_that_nobody_understands_is_named(tmp_path: Path) -> None:
    estate = read(tmp_path, plan(web(0), planned("aws_quantum_router.q")))
    assert [(one.kind, one.about) for one in estate.unread] == [
        ("aws_quantum_router", "aws_quantum_router.q")
    ]


def test_a_kind_that_stops_nobody_is_not_named(tmp_path: Path) -> None:
    harmless = planned("aws_iam_role.r"), planned("aws_cloudwatch_log_group.l"), planned("random_id.x")
    assert read(tmp_path, plan(web(0), *harmless)).unread == ()


def test_lines_are_found_in_the_files_beside_the_plan(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('# a site\nresource "aws_instance" "web" {\n}\n')
    (machine,) = read(tmp_path, plan(web(0))).of("instance")
    assert (Path(machine.location.file).name, machine.location.line) == ("main.tf", 2)


def test_the_same_plan_gives_the_same_estate_in_any_order(tmp_path: Path) -> None:
    document = classic(2, "a", "b")
    first = audit(tmp_path, document)
    root = document["planned_values"]["root_module"]
    root["resources"] = root["resources"][::-1]
    assert audit(tmp_path, document) == first


# States -----------------------------------------------------------------------------------------------------


def test_c107_a_state_of_format_4_leaves_out_what_is_deposed_and_takes_data_for_facts(tmp_path: Path) -> None:
    state = {
        "version": 4,
        "terraform_version": "1.9.0",
        "resources": [
            {
                "mode": "managed",
                "type": "aws_instance",
                "name": "web",
                "module": "module.site[1]",
                "instances": [
                    {"index_key": 0, "attributes": {"id": "i-1", "subnet_id": "subnet-1"}},
                    {"index_key": 0, "deposed": "abc", "attributes": {"id": "i-0"}},
                ],
            },
            {
                "mode": "data",
                "type": "aws_subnet",
                "name": "a",
                "instances": [{"attributes": {"id": "subnet-1", "availability_zone": "eu-west-1a"}}],
            },
            {
                "mode": "data",
                "type": "aws_instance",
                "name": "other",
                "instances": [{"attributes": {"id": "i-9"}}],
            },
        ],
    }
    estate = read(tmp_path, state)
    (machine,) = estate.of("instance")
    assert (machine.id, machine.label) == ("i-1", "module.site[1].aws_instance.web[0]")
    assert [one.text("AvailabilityZone") for one in estate.of("subnet")] == ["eu-west-1a"]


def test_an_attribute_removed_from_a_state_is_not_known(tmp_path: Path) -> None:
    attributes = {"id": "store", "identifier": "store", "engine": "mysql"}
    state = {
        "version": 4,
        "resources": [
            {
                "mode": "managed",
                "type": "aws_db_instance",
                "name": "store",
                "instances": [{"attributes": attributes}],
            }
        ],
    }
    (database,) = read(tmp_path, state).of("database")
    assert database.is_unknown("MultiAZ")


def test_c107_a_state_of_format_3_is_read_from_its_flat_texts(tmp_path: Path) -> None:
    primary = {
        "id": "alb",
        "attributes": {"arn": "arn:alb", "subnets.#": "2", "subnets.1": "s-1", "subnets.2": "s-2"},
    }
    state = {
        "version": 3,
        "modules": [
            {
                "path": ["root", "site"],
                "resources": {"aws_alb.front": {"type": "aws_alb", "primary": primary}},
            }
        ],
    }
    (balancer,) = read(tmp_path, state).of("load balancer")
    assert balancer.label == "module.site.aws_alb.front"
    assert [row.text("SubnetId") for row in balancer.rows("AvailabilityZones")] == ["s-1", "s-2"]


def test_c96_powershells_utf_16_is_read(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(plan(web(0))), encoding="utf-16")
    assert len(read_terraform(file).of("instance")) == 1
