"""Whole architectures as Terraform describes them, each with the verdict that was worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.estates import found, points
from support.terraform_plans import STATELESS, audit, plan, planned


def singles(report: Any) -> set[str]:
    return {one.rule for one in report.findings if one.is_single_point and one.confidence == "certain"}


def test_a_wiki_and_its_database_on_two_machines_are_in_series_and_no_pair(tmp_path: Path) -> None:
    """Equal image and size make no pair: the wiki is told of the database's address, and needs both."""
    wiki = planned("aws_instance.wiki", ami="ami-1", instance_type="t3.small", unknown={"user_data": True})
    store = planned("aws_instance.store", ami="ami-1", instance_type="t3.small")
    address = planned("aws_eip.wiki", unknown={"instance": True})
    report = audit(
        tmp_path,
        plan(
            wiki,
            store,
            address,
            references={
                "aws_eip.wiki": {"instance": ["aws_instance.wiki.id"]},
                "aws_instance.wiki": {"user_data": ["aws_instance.store.private_ip"]},
            },
        ),
    )
    assert {"aws_instance.wiki", "aws_instance.store"} <= points(report)
    assert len(found(report, "NSP201")) == 2  # Nobody names the zones: they may be two, and each stops it.


def test_three_machines_in_one_subnet_without_a_way_in_have_only_that_zone_and_no_entry(
    tmp_path: Path,
) -> None:
    subnet = planned("aws_subnet.only", availability_zone="eu-west-1a")
    machines = [
        planned(f"aws_instance.web[{number}]", ami="ami-1", tags=STATELESS, unknown={"subnet_id": True})
        for number in range(3)
    ]
    report = audit(
        tmp_path,
        plan(subnet, *machines, references={"aws_instance.web": {"subnet_id": ["aws_subnet.only.id"]}}),
    )
    # Three machines with no common way in are three services, not one that is redundant.
    assert all("zone:eu-west-1a" in {one.event for one in service.findings} for service in report.services)
    assert len(report.services) == 3


def modules(*names: str) -> dict[str, Any]:
    """A plan whose modules come from elsewhere and left nothing in it."""
    calls = {
        name: {"source": f"git::https://example.org/{name}.git", "module": {"resources": []}}
        for name in names
    }
    for name, call in calls.items():
        call["module"] = {
            "resources": [
                {
                    "address": f"aws_instance.{name}",
                    "mode": "managed",
                    "type": "aws_instance",
                    "name": name,
                    "expressions": {},
                }
            ]
        }
    document = plan()
    document["configuration"]["root_module"]["module_calls"] = calls
    return document


def test_modules_that_left_nothing_in_the_plan_make_it_incomplete_and_are_named(tmp_path: Path) -> None:
    report = audit(tmp_path, modules("network", "database"))
    assert report.exit_code == 13
    said = " ".join(one.says for one in report.unread)
    assert "network" in said
    assert "database" in said


def old_state(**attributes: str) -> dict[str, Any]:
    resources = {
        "aws_alb.front": {
            "id": "arn:alb",
            "arn": "arn:alb",
            "subnets.#": "2",
            "subnets.1": "s-1",
            "subnets.2": "s-2",
        },
        "aws_elasticache_cluster.sessions": {
            "id": "sessions",
            "cluster_id": "sessions",
            "engine": "redis",
            "num_cache_nodes": "1",
            "availability_zone": "eu-west-1b",
        },
        "aws_db_instance.site": {"id": "site", "identifier": "site", "engine": "mysql", **attributes},
        "aws_instance.batch": {"id": "i-1", "availability_zone": "eu-west-1a"},
    }
    return {
        "version": 3,
        "modules": [
            {
                "path": ["root"],
                "resources": {
                    name: {"type": name.split(".")[0], "primary": {"id": each["id"], "attributes": each}}
                    for name, each in resources.items()
                },
            }
        ],
    }


def test_an_old_state_without_its_web_tier_is_incomplete_and_lists_what_nobody_is_known_to_need(
    tmp_path: Path,
) -> None:
    report = audit(tmp_path, old_state())
    assert report.exit_code == 13
    idle = " ".join(report.not_serving)
    for name in ("aws_elasticache_cluster.sessions", "aws_db_instance.site", "aws_instance.batch"):
        assert name in idle
    assert not found(report, "NSP103")  # Whether the database has a standby is not in the file.


def test_what_stands_in_one_subnet_of_unknown_zone_falls_with_one_zone(tmp_path: Path) -> None:
    """A classic balancer and its only machine, in one subnet whose zone nobody names."""
    subnet = planned("aws_subnet.only", cidr_block="10.0.0.0/24", unknown={"availability_zone": True})
    web = planned("aws_instance.web[0]", ami="ami-1", tags=STATELESS, unknown={"subnet_id": True})
    front = planned("aws_elb.front", unknown={"subnets": [True], "instances": [True]})
    report = audit(
        tmp_path,
        plan(
            subnet,
            web,
            front,
            references={
                "aws_elb.front": {"subnets": ["aws_subnet.only.id"], "instances": ["aws_instance.web"]},
                "aws_instance.web": {"subnet_id": ["aws_subnet.only.id"]},
            },
        ),
    )
    assert points(report) == {"aws_instance.web[0]", "zone of aws_subnet.only"}
