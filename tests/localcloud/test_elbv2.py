"""ELBv2 over plain boto3: what AWS refuses is refused, what it tells apart is told apart."""

from __future__ import annotations

import inspect
import pickle

import moto.elb.urls
import pytest
from botocore.exceptions import ClientError
from moto.elbv2 import models as moto_models

from nospof.localcloud.elbv2 import models
from support.backends import LISTENER_PORT
from support.elbv2_world import World, refusal
from support.waiting import eventually


def test_a_balancer_is_provisioning_and_then_active(world: World) -> None:
    balancer = world.balancer()
    assert balancer["State"]["Code"] == "provisioning"
    arn = balancer["LoadBalancerArn"]

    def state() -> str:
        (answer,) = world.elbv2.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
        return str(answer["State"]["Code"])

    assert state() == "provisioning"
    eventually(lambda: state() == "active")


def test_an_unknown_instance_is_not_registered_and_leaving_twice_is_no_error(world: World) -> None:
    group = world.group()
    unknown = [{"Id": "i-00000000000000000"}]
    assert refusal(world.elbv2.register_targets, TargetGroupArn=group, Targets=unknown) == "InvalidTarget"
    world.elbv2.deregister_targets(TargetGroupArn=group, Targets=unknown)


def test_an_application_load_balancer_needs_two_zones(world: World) -> None:
    subnet = world.subnets["us-east-1a"]
    call = world.elbv2.create_load_balancer
    assert refusal(call, Name=world.name("lb"), Subnets=[subnet]) == "ValidationError"
    twin = world.ec2.create_subnet(
        VpcId=world.vpc, CidrBlock="172.31.128.0/20", AvailabilityZone="us-east-1a"
    )["Subnet"]["SubnetId"]
    code = refusal(call, Name=world.name("lb"), Subnets=[subnet, twin])
    assert code == "InvalidConfigurationRequest"


def test_names_are_unique_and_the_same_request_gives_the_same_thing(world: World) -> None:
    first = world.balancer()
    again = world.balancer(Name=first["LoadBalancerName"])
    assert again["LoadBalancerArn"] == first["LoadBalancerArn"]
    code = refusal(
        world.elbv2.create_load_balancer,
        Name=first["LoadBalancerName"],
        Subnets=[world.subnets["us-east-1a"], world.subnets["us-east-1c"]],
    )
    assert code == "DuplicateLoadBalancerName"
    name = world.name("tg")
    assert world.group(Name=name) == world.group(Name=name)
    code = refusal(world.elbv2.create_target_group, Name=name, Protocol="HTTP", Port=1234, VpcId=world.vpc)
    assert code == "DuplicateTargetGroupName"


def test_a_second_listener_on_a_port_is_refused(world: World) -> None:
    balancer, group = world.balancer(), world.group()
    world.listener(balancer, group)
    code = refusal(
        world.elbv2.create_listener,
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=LISTENER_PORT,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    assert code == "DuplicateListener"


def test_a_target_group_serves_one_balancer_only(world: World) -> None:
    group, balancers = world.group(), [world.balancer(), world.balancer()]
    world.listener(balancers[0], group)
    with pytest.raises(ClientError, match="TargetGroupAssociationLimit"):
        world.listener(balancers[1], group)
    world.elbv2.delete_load_balancer(LoadBalancerArn=balancers[0]["LoadBalancerArn"])
    world.listener(balancers[1], group)
    (described,) = world.elbv2.describe_target_groups(TargetGroupArns=[group])["TargetGroups"]
    assert described["LoadBalancerArns"] == [balancers[1]["LoadBalancerArn"]]


def test_the_profile_is_an_attribute_or_a_tag(world: World) -> None:
    balancer = world.balancer(Tags=[{"Key": "nospof:balancer-profile", "Value": "alb"}])
    world.listener(balancer, world.group())

    def configured(line: str) -> bool:
        found = (world.directory / "balancers").glob(f"*.{balancer['LoadBalancerName']}.*/haproxy.cfg")
        return any(line in file.read_text() for file in found)

    eventually(lambda: configured("retries 0"))
    arn = balancer["LoadBalancerArn"]
    change = world.elbv2.modify_load_balancer_attributes
    key = "nospof:balancer-profile"
    change(LoadBalancerArn=arn, Attributes=[{"Key": key, "Value": "retry"}])
    eventually(lambda: configured("retries 3"))
    wrong = [{"Key": key, "Value": "magic"}]
    assert refusal(change, LoadBalancerArn=arn, Attributes=wrong) == "ValidationError"


def test_cross_zone_is_on_for_an_application_load_balancer(world: World) -> None:
    arn = world.balancer()["LoadBalancerArn"]
    attributes = world.elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
    assert {"Key": "load_balancing.cross_zone.enabled", "Value": "true"} in attributes


def test_a_protocol_no_balancer_here_speaks_is_refused(world: World) -> None:
    balancer, group = world.balancer(), world.group()
    code = refusal(
        world.elbv2.create_listener,
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="TLS",
        Port=LISTENER_PORT + 1,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    assert code == "UnsupportedProtocol"


def test_a_target_group_survives_pickling() -> None:
    group = models.FakeTargetGroup("tg", "123456789012", "us-east-1", "vpc-1", "HTTP", "80")
    group.targets["i-1", 80] = {"Id": "i-1", "Port": 80, "Zone": "us-east-1a", "Number": 1}
    copy = pickle.loads(pickle.dumps(group))  # noqa: S301 - our own bytes
    assert type(copy) is models.FakeTargetGroup
    assert copy.targets == group.targets


def test_the_moto_names_we_replace_exist() -> None:
    assert inspect.isclass(moto_models.FakeTargetGroup)
    assert inspect.isclass(moto_models.FakeLoadBalancer)
    assert "ELBV2Response" in vars(moto.elb.urls)
    # What our classes call or set, and what moto calls on them.
    for name in ("register", "deregister", "deregister_terminated_instances", "health_for"):
        assert callable(getattr(moto_models.FakeTargetGroup, name))
    assert callable(moto_models.FakeLoadBalancer.activate)
    for name in ("create_load_balancer", "describe_target_health", "modify_target_group", "create_rule"):
        assert callable(getattr(moto.elb.urls.ELBV2Response, name))
    assert list(inspect.signature(moto_models.FakeHealthStatus).parameters) == [
        "instance_id",
        "port",
        "health_port",
        "status",
        "reason",
        "description",
    ]
