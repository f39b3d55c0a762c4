"""Tasks and functions: where they run decides, not how many are wanted."""

from __future__ import annotations

import pytest

from nospof.audit.analysis import analyse
from nospof.audit.builder import Entry
from nospof.audit.entries import read_service
from nospof.model.estate import Item
from support.estates import A, B, account, balancer, group, item, target


def service(**fields: object) -> Item:
    base = {"serviceArn": "s", "serviceName": "web", "clusterArn": "c", "desiredCount": 2}
    return item("container service", **{**base, **fields})


def task(name: str, zone: str, **fields: object) -> Item:
    base = {"taskArn": name, "group": "service:web", "clusterArn": "c", "availabilityZone": zone}
    return item("task", **base, lastStatus="RUNNING", **fields)


def cuts(kind: str, key: str, *items: Item) -> set[str]:
    found = read_service(account(*items), Entry("web", kind, key))
    return set(analyse(found.topology).serving.total)


def test_two_tasks_in_one_zone_fall_with_it() -> None:
    assert cuts("container service", "s", service(), task("1", A), task("2", A)) == {f"zone:{A}"}


def test_two_tasks_in_two_zones_are_no_single_point() -> None:
    assert cuts("container service", "s", service(), task("1", A), task("2", B)) == set()


def test_two_tasks_on_one_machine_fall_with_it() -> None:
    tasks = [task(one, A, containerInstanceArn="ci/1") for one in ("1", "2")]
    assert cuts("container service", "s", service(), *tasks) == {f"zone:{A}", "host:ci/1"}


def test_tasks_of_another_cluster_are_no_spares() -> None:
    other = task("2", B).with_fields(clusterArn="d")
    assert cuts("container service", "s", service(), task("1", A), other) == {f"task web/{A}/1", f"zone:{A}"}


@pytest.mark.parametrize(("zones", "expected"), [((A, B), set()), ((A, A), {f"zone:{A}"})])
def test_a_function_needs_one_of_its_zones_not_two_subnets(
    zones: tuple[str, str], expected: set[str]
) -> None:
    subnets = [item("subnet", SubnetId=f"s-{n}", AvailabilityZone=zone) for n, zone in enumerate(zones)]
    inside = item("function", FunctionName="f", VpcConfig={"SubnetIds": ["s-0", "s-1"]})
    assert cuts("function", "f", *subnets, inside) == expected


def test_tasks_behind_a_balancer_are_found_by_their_addresses() -> None:
    details = [{"name": "privateIPv4Address", "value": "10.0.0.7"}]
    only = task("1", A, attachments=[{"details": details}])
    front = (balancer(), group(TargetType="ip"), target("10.0.0.7"))
    assert cuts("load balancer", "arn:www", *front, service(), only) == {f"task web/{A}/1", f"zone:{A}"}


def test_a_described_service_is_what_its_group_sends_to() -> None:
    subnets = [item("subnet", SubnetId=one, AvailabilityZone=one) for one in (A, B)]
    network = {"awsvpcConfiguration": {"subnets": [A, B]}}
    web = service(loadBalancers=[{"targetGroupArn": "arn:group:www"}], networkConfiguration=network)
    front = (balancer(), group(TargetType="ip"))
    assert cuts("load balancer", "arn:www", *front, *subnets, web) == set()
    assert cuts("load balancer", "arn:www", *front, *subnets, web.with_fields(desiredCount=1)) == {
        f"task web/{A}/1",
        f"zone:{A}",
    }


def test_an_alias_of_a_function_is_the_function() -> None:
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:f"
    front = (balancer(), group(TargetType="lambda"), target(f"{arn}:live"))
    assert (
        cuts("load balancer", "arn:www", *front, item("function", FunctionName="f", FunctionArn=arn)) == set()
    )
