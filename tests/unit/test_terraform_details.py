"""What Terraform says by joints, numbers and data sources, each read for itself."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from nospof.model.estate import UNKNOWN, Estate
from support.terraform_plans import plan, planned, read


def state(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"version": 4, "terraform_version": "1.9.0", "resources": list(resources)}


def stored(type_: str, called: str, /, mode: str = "managed", **attributes: Any) -> dict[str, Any]:
    return {"mode": mode, "type": type_, "name": called, "instances": [{"attributes": attributes}]}


def rows(estate: Estate, kind: str, path: str, *fields: str) -> list[tuple[str, ...]]:
    (item,) = estate.of(kind)
    return [tuple(row.text(one) for one in fields) for row in item.rows(path)]


# Joints --------------------------------------------------------------------------------------------------


def test_what_is_joined_by_a_resource_of_its_own_is_as_if_it_were_written_inside(tmp_path: Path) -> None:
    estate = read(
        tmp_path,
        state(
            stored("aws_instance", "web", id="i-1", root_block_device=[{"volume_id": "vol-0"}]),
            stored("aws_ebs_volume", "data", id="vol-1", availability_zone="eu-west-1a"),
            stored(
                "aws_volume_attachment", "data", volume_id="vol-1", instance_id="i-1", device_name="/dev/xvdf"
            ),
            stored("aws_eip", "web", id="eipalloc-1", public_ip="198.51.100.7"),
            stored("aws_eip_association", "web", allocation_id="eipalloc-1", instance_id="i-1"),
            stored("aws_elb", "front", id="front", name="front", instances=[]),
            stored("aws_elb_attachment", "front", elb="front", instance="i-1"),
            stored("aws_lb_target_group", "web", id="arn:tg", arn="arn:tg"),
            stored("aws_autoscaling_group", "web", name="web", target_group_arns=[], load_balancers=[]),
            stored(
                "aws_autoscaling_attachment", "a", autoscaling_group_name="web", lb_target_group_arn="arn:tg"
            ),
            stored("aws_autoscaling_attachment", "b", autoscaling_group_name="web", elb="front"),
            stored("aws_route_table", "out", id="rtb-1", route=[]),
            stored(
                "aws_route",
                "out",
                route_table_id="rtb-1",
                destination_cidr_block="0.0.0.0/0",
                gateway_id="igw-1",
            ),
            stored("aws_route_table_association", "out", route_table_id="rtb-1", subnet_id="subnet-1"),
            stored("aws_main_route_table_association", "out", route_table_id="rtb-1", vpc_id="vpc-1"),
        ),
    )
    assert rows(estate, "instance", "BlockDeviceMappings", "Ebs.VolumeId") == [("vol-1",), ("vol-0",)]
    assert rows(estate, "volume", "Attachments", "InstanceId") == [("i-1",)]
    assert [one.text("InstanceId") for one in estate.of("address")] == ["i-1"]
    assert rows(estate, "classic load balancer", "Instances", "InstanceId") == [("i-1",)]
    (group,) = estate.of("auto scaling group")
    assert (group.texts("TargetGroupARNs"), group.texts("LoadBalancerNames")) == (("arn:tg",), ("front",))
    assert rows(estate, "route table", "Routes", "DestinationCidrBlock", "GatewayId") == [
        ("0.0.0.0/0", "igw-1")
    ]
    assert rows(estate, "route table", "Associations", "SubnetId", "Main") == [("subnet-1", ""), ("", "True")]


@pytest.mark.parametrize(
    "rule",
    [
        stored(
            "aws_security_group_rule",
            "in",
            type="ingress",
            security_group_id="sg-store",
            source_security_group_id="sg-web",
            protocol="tcp",
            from_port=3306,
            to_port=3306,
        ),
        stored(
            "aws_vpc_security_group_ingress_rule",
            "in",
            security_group_id="sg-store",
            referenced_security_group_id="sg-web",
            ip_protocol="tcp",
            from_port=3306,
            to_port=3306,
        ),
    ],
    ids=["old", "new"],
)
def test_a_rule_of_a_security_group_is_the_groups(tmp_path: Path, rule: dict[str, Any]) -> None:
    groups = [stored("aws_security_group", name, id=f"sg-{name}", ingress=[]) for name in ("web", "store")]
    estate = read(tmp_path, state(*groups, rule))
    store = estate.find("security group", "sg-store")
    assert store is not None
    (permission,) = store.rows("IpPermissions")
    assert (permission.number("FromPort"), permission.text("IpProtocol")) == (3306, "tcp")
    assert [one.text("GroupId") for one in permission.rows("UserIdGroupPairs")] == ["sg-web"]


def test_a_target_whose_machine_is_not_known_stands_for_itself_and_is_named(tmp_path: Path) -> None:
    document = plan(
        planned("aws_lb_target_group.web", name="web"),
        planned("aws_lb_target_group_attachment.web", unknown={"target_group_arn": True, "target_id": True}),
        references={
            "aws_lb_target_group_attachment.web": {
                "target_group_arn": ["aws_lb_target_group.web.arn"],
                "target_id": ["local.machine"],
            }
        },
    )
    estate = read(tmp_path, document)
    (target,) = estate.of("target")
    assert target.text("Target.Id") == "aws_lb_target_group_attachment.web"
    assert target.text("TargetHealth.State") == "healthy"
    assert [one.about for one in estate.unread] == ["aws_lb_target_group_attachment.web.target_id"]


# Numbers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "nodes"),
    [
        ({}, [1]),
        ({"num_cache_clusters": 3}, [3]),
        ({"number_cache_clusters": 2}, [2]),
        ({"num_node_groups": 2, "replicas_per_node_group": 1}, [2, 2]),
        ({"cluster_mode": [{"num_node_groups": 3, "replicas_per_node_group": 0}]}, [1, 1, 1]),
    ],
    ids=["nothing", "clusters", "as it was called", "shards", "in a block"],
)
def test_the_nodes_of_a_cache_are_counted(tmp_path: Path, values: dict[str, Any], nodes: list[int]) -> None:
    estate = read(tmp_path, plan(planned("aws_elasticache_replication_group.c", **values)))
    (cache,) = estate.of("cache")
    assert [len(shard.rows("NodeGroupMembers")) for shard in cache.rows("NodeGroups")] == nodes
    assert cache.text("AutomaticFailover") == "disabled"


def test_a_number_of_nodes_that_nobody_can_tell_is_left_open(tmp_path: Path) -> None:
    document = plan(
        planned("aws_elasticache_replication_group.c", unknown={"num_cache_clusters": True}),
        references={"aws_elasticache_replication_group.c": {"num_cache_clusters": ["local.n"]}},
    )
    (cache,) = read(tmp_path, document).of("cache")
    assert not cache.rows("NodeGroups")


# Names ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("www", "www.example.org"),
        ("www.example.org", "www.example.org"),
        ("example.org", "example.org"),
        ("", "example.org"),
        ("notexample.org", "notexample.org.example.org"),
    ],
)
def test_a_record_has_its_zones_name_at_its_end(tmp_path: Path, name: str, full: str) -> None:
    zone = planned("aws_route53_zone.z", name="example.org")
    record = planned("aws_route53_record.r", name=name, type="A", unknown={"zone_id": True})
    references = {"aws_route53_record.r": {"zone_id": ["aws_route53_zone.z.zone_id"]}}
    (item,) = read(tmp_path, plan(zone, record, references=references)).of("record set")
    assert item.text("Name") == full


def test_node_groups_whose_names_are_made_up_later_are_all_there(tmp_path: Path) -> None:
    made = [planned(f"aws_eks_node_group.n[{one}]", unknown={"node_group_name": True}) for one in range(2)]
    estate = read(tmp_path, plan(*made))
    assert [one.id for one in estate.of("node group")] == [
        "aws_eks_node_group.n[0]",
        "aws_eks_node_group.n[1]",
    ]


def test_two_things_of_one_name_are_two_things(tmp_path: Path) -> None:
    both = [planned(f"aws_elb.{name}", name="front") for name in ("here", "there")]
    assert [one.id for one in read(tmp_path, plan(*both)).of("classic load balancer")] == [
        "front",
        "aws_elb.there",
    ]


# Addresses in settings -----------------------------------------------------------------------------------

HOST = "store.abc123.eu-west-1.rds.amazonaws.com"


@pytest.mark.parametrize(
    "told",
    [
        {"user_data": f"DB=mysql://site@{HOST}:3306/shop"},
        {"user_data_base64": base64.b64encode(f"host={HOST}\n".encode()).decode()},
    ],
    ids=["plain", "base64"],
)
def test_an_address_that_stands_in_a_state_tells_who_is_used(tmp_path: Path, told: dict[str, str]) -> None:
    database = stored("aws_db_instance", "store", identifier="store", address=HOST, endpoint=f"{HOST}:3306")
    uses = read(tmp_path, state(stored("aws_instance", "web", id="i-1", **told), database)).uses
    assert [(one.user, one.used_kind, one.used, one.provenance) for one in uses] == [
        ("i-1", "database", "store", "configured")
    ]


@pytest.mark.parametrize("text", [f"not-{HOST}", f"{HOST}.example.org", "store", "rds.amazonaws.com"])
def test_what_only_looks_like_an_address_tells_nothing(tmp_path: Path, text: str) -> None:
    database = stored("aws_db_instance", "store", identifier="store", address=HOST)
    assert not read(tmp_path, state(stored("aws_instance", "web", id="i-1", user_data=text), database)).uses


def test_a_template_that_is_a_data_source_is_looked_through(tmp_path: Path) -> None:
    document = plan(
        planned("aws_instance.web", unknown={"user_data": True}),
        planned("aws_db_instance.store", identifier="store"),
        references={"aws_instance.web": {"user_data": ["data.template_file.start.rendered"]}},
    )
    document["configuration"]["root_module"]["resources"].append(
        {
            "address": "data.template_file.start",
            "mode": "data",
            "type": "template_file",
            "name": "start",
            "expressions": {"vars": {"references": ["aws_db_instance.store.address"]}},
        }
    )
    assert [one.used for one in read(tmp_path, document).uses] == ["store"]


def test_what_a_machine_only_waits_for_is_no_use(tmp_path: Path) -> None:
    document = plan(
        planned("aws_instance.web", unknown={"vpc_security_group_ids": [True]}),
        planned("aws_db_instance.store", identifier="store"),
        references={"aws_instance.web": {"vpc_security_group_ids": ["aws_security_group.g.id"]}},
    )
    document["configuration"]["root_module"]["resources"][0]["depends_on"] = ["aws_db_instance.store"]
    assert not read(tmp_path, document).uses


# Facts and omissions -------------------------------------------------------------------------------------


def test_a_balancer_that_is_looked_up_counts_only_where_something_here_belongs_to_it(tmp_path: Path) -> None:
    shared = stored("aws_lb", "shared", mode="data", id="arn:lb", arn="arn:lb", name="shared")
    listener = stored("aws_lb_listener", "shop", arn="arn:l", load_balancer_arn="arn:lb", default_action=[])
    assert not read(tmp_path, state(shared)).of("load balancer")
    assert [one.id for one in read(tmp_path, state(shared, listener)).of("load balancer")] == ["arn:lb"]


def test_a_balancer_that_is_in_no_file_is_named(tmp_path: Path) -> None:
    listener = stored("aws_lb_listener", "shop", arn="arn:l", load_balancer_arn="arn:lb", default_action=[])
    unread = read(tmp_path, state(listener)).unread
    assert [(one.kind, one.about) for one in unread] == [("load balancer", "arn:lb")]


def test_a_machine_tells_the_zone_of_a_subnet_that_is_managed_elsewhere(tmp_path: Path) -> None:
    machine = stored("aws_instance", "web", id="i-1", subnet_id="subnet-1", availability_zone="eu-west-1a")
    balancer = stored("aws_lb", "front", arn="arn:aws:elasticloadbalancing:eu-west-1:123456789012:x")
    estate = read(tmp_path, state(machine, balancer))
    assert [(one.id, one.text("AvailabilityZone")) for one in estate.of("subnet")] == [
        ("subnet-1", "eu-west-1a")
    ]
    assert (estate.region, estate.account) == ("eu-west-1", "123456789012")


def test_zones_that_were_looked_up_are_known(tmp_path: Path) -> None:
    zones = stored("aws_availability_zones", "all", mode="data", names=["eu-west-1a"], zone_ids=["euw1-az2"])
    (zone,) = read(tmp_path, state(zones)).of("zone")
    assert (zone.id, zone.text("ZoneId")) == ("eu-west-1a", "euw1-az2")


@pytest.mark.parametrize("kind", ["helm_release", "azurerm_linux_virtual_machine", "aws_mystery"])
def test_what_may_matter_and_is_not_understood_is_named_whoever_provides_it(
    tmp_path: Path, kind: str
) -> None:
    estate = read(tmp_path, plan(planned(f"{kind}.shop")))
    assert [(one.kind, one.about) for one in estate.unread] == [(kind, f"{kind}.shop")]


@pytest.mark.parametrize(
    ("more", "says"),
    [({"errored": True}, "failed half-way"), ({"complete": False}, "not all")],
)
def test_a_plan_that_is_not_all_says_so(tmp_path: Path, more: dict[str, bool], says: str) -> None:
    estate = read(tmp_path, plan(planned("aws_instance.web"), **more))
    assert [says in one.reason for one in estate.unread] == [True]


def test_what_terraform_forgets_goes_on_to_exist_and_is_named(tmp_path: Path) -> None:
    document = plan(planned("aws_instance.web"))
    document["resource_changes"].append(
        {"address": "aws_db_instance.old", "change": {"actions": ["forget"], "before": {"id": "old"}}}
    )
    unread = read(tmp_path, document).unread
    assert [(one.kind, one.about) for one in unread] == [("aws_db_instance", "aws_db_instance.old")]


def test_what_is_deleted_is_not_there(tmp_path: Path) -> None:
    document = plan(planned("aws_instance.web"))
    document["resource_changes"].append(
        {"address": "aws_instance.old", "change": {"actions": ["delete"], "before": {"id": "i-9"}}}
    )
    assert [one.id for one in read(tmp_path, document).of("instance")] == ["aws_instance.web"]


def test_a_shown_state_leaves_out_what_is_deposed_and_keeps_what_is_tainted(tmp_path: Path) -> None:
    def shown(name: str, id_: str, **more: Any) -> dict[str, Any]:
        address = f"module.site.aws_instance.{name}"
        row = {"address": address, "mode": "managed", "type": "aws_instance", "name": name}
        return {**row, "values": {"id": id_}, **more}

    children = [
        {
            "address": "module.site",
            "resources": [
                shown("web", "i-1", tainted=True),
                shown("web", "i-0", deposed_key="00aa11bb"),
            ],
        }
    ]
    document = {"format_version": "1.0", "values": {"root_module": {"child_modules": children}}}
    assert [one.id for one in read(tmp_path, document).of("instance")] == ["i-1"]


def test_a_machine_gets_its_address_when_it_is_launched(tmp_path: Path) -> None:
    asked = planned("aws_instance.a", associate_public_ip_address=True, unknown={"public_ip": True})
    not_asked = planned("aws_instance.b", associate_public_ip_address=False, unknown={"public_ip": True})
    estate = read(tmp_path, plan(asked, not_asked))
    shown = [one.at("PublicIpAddress") for one in estate.of("instance")]
    assert shown == ["aws_instance.a.public_ip", UNKNOWN]
