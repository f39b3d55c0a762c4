"""ELBv2 over plain boto3: what AWS refuses is refused, and target health is what HAProxy says."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import moto.elb.urls
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.elbv2 import models as moto_models

from nospof.localcloud.elbv2 import models
from support.backends import BACKEND_PORT, LISTENER_PORT, Backend, eventually, get, new_address, prefix

_ENDPOINT = Path(__file__).parents[1] / "support" / "elbv2_endpoint.py"


class World:
    """An endpoint, its clients, and the web servers behind its instances."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._process = subprocess.Popen(
            [
                sys.executable,
                str(_ENDPOINT),
                str(directory / "balancers"),
                prefix(),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        self.elbv2 = self._client("elbv2")
        self.ec2 = self._client("ec2")
        self.backends: list[Backend] = []
        self._number = 0
        subnets = self.ec2.describe_subnets()["Subnets"]
        self.subnets = {s["AvailabilityZone"]: s["SubnetId"] for s in subnets}
        self.vpc = subnets[0]["VpcId"]

    def _client(self, service: Any) -> Any:
        return boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url=self.url,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - the endpoint takes any
            config=Config(retries={"max_attempts": 1}),
        )

    def name(self, kind: str) -> str:
        """Return a new name."""
        self._number += 1
        return f"{kind}-{self._number}"

    def instance(self, zone: str = "us-east-1a", *, answers: bool = True) -> tuple[str, Backend | None]:
        """Run an instance, with a web server behind it unless told otherwise."""
        backend = Backend(self.directory, self.name("server")) if answers else None
        if backend:
            self.backends.append(backend)
        address = backend.address if backend else new_address()
        (instance,) = self.ec2.run_instances(
            ImageId="ami-12345678",
            MinCount=1,
            MaxCount=1,
            InstanceType="t3.micro",
            SubnetId=self.subnets[zone],
            TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "address", "Value": address}]}],
        )["Instances"]
        return instance["InstanceId"], backend

    def balancer(self, **changes: Any) -> dict[str, Any]:
        """Create a load balancer in two zones."""
        wish = {
            "Name": self.name("lb"),
            "Subnets": [self.subnets["us-east-1a"], self.subnets["us-east-1b"]],
        } | changes
        (answer,) = self.elbv2.create_load_balancer(**wish)["LoadBalancers"]
        return dict(answer)

    def group(self, **changes: Any) -> str:
        """Create a target group that checks /health often."""
        wish = {
            "Name": self.name("tg"),
            "Protocol": "HTTP",
            "Port": BACKEND_PORT,
            "VpcId": self.vpc,
            "HealthCheckPath": "/health",
            "HealthCheckIntervalSeconds": 5,
            "HealthCheckTimeoutSeconds": 2,
        } | changes
        return str(self.elbv2.create_target_group(**wish)["TargetGroups"][0]["TargetGroupArn"])

    def listener(
        self, balancer: dict[str, Any], *groups: str, port: int = LISTENER_PORT, weights: Any = ()
    ) -> str:
        """Create a listener that forwards to target groups."""
        shares = weights or [1] * len(groups)
        tuples = [{"TargetGroupArn": arn, "Weight": w} for arn, w in zip(groups, shares, strict=True)]
        return str(
            self.elbv2.create_listener(
                LoadBalancerArn=balancer["LoadBalancerArn"],
                Protocol="HTTP",
                Port=LISTENER_PORT,
                DefaultActions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": tuples}}],
            )["Listeners"][0]["ListenerArn"]
        )

    def register(self, group: str, *targets: str) -> None:
        """Register instances on the group's own port."""
        self.elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": target} for target in targets])

    def health(self, group: str, target: str) -> tuple[str, str, str]:
        """Return a target's state, reason and description."""
        answer = self.elbv2.describe_target_health(TargetGroupArn=group, Targets=[{"Id": target}])
        health = answer["TargetHealthDescriptions"][0]["TargetHealth"]
        return health["State"], health.get("Reason", ""), health.get("Description", "")

    def until(self, group: str, target: str, *words: str) -> tuple[str, str, str]:
        """Wait until a target's state, and reason if given, are these."""
        eventually(lambda: self.health(group, target)[: len(words)] == words)
        return self.health(group, target)

    def close(self) -> None:
        """Stop everything and see that nothing is left."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()
        for backend in self.backends:
            backend.end()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("elbv2"))
    try:
        yield world
    finally:
        world.close()


def refusal(call: Callable[..., Any], **words: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**words)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return str(caught.value.response["Error"]["Code"])


def test_a_registered_instance_serves_at_the_dns_name(world: World) -> None:
    one, backend = world.instance()
    two, other = world.instance("us-east-1b")
    balancer, group = world.balancer(), world.group()
    world.listener(balancer, group)
    world.register(group, one, two)
    for target in (one, two):
        world.until(group, target, "healthy", "")
    assert backend
    assert other
    url = f"http://{balancer['DNSName']}:{LISTENER_PORT}/"
    assert {get(url)[1] for _ in range(8)} == {backend.name, other.name}


def test_a_balancer_is_provisioning_and_then_active(world: World) -> None:
    balancer = world.balancer()
    assert balancer["State"]["Code"] == "provisioning"
    arn = balancer["LoadBalancerArn"]

    def state() -> str:
        (answer,) = world.elbv2.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
        return str(answer["State"]["Code"])

    assert state() == "provisioning"
    eventually(lambda: state() == "active")


def test_health_of_a_target_without_listener_is_unused(world: World) -> None:
    one, _ = world.instance(answers=False)
    group = world.group()
    world.register(group, one)
    assert world.health(group, one)[:2] == ("unused", "Target.NotInUse")


def test_health_goes_from_initial_to_the_code_that_fails_and_to_healthy(world: World) -> None:
    one, backend = world.instance()
    assert backend
    backend.answer_health("503")
    balancer, group = world.balancer(), world.group()
    world.listener(balancer, group)
    world.register(group, one)
    assert world.health(group, one)[0] == "initial"
    words = world.until(group, one, "unhealthy", "Target.ResponseCodeMismatch")
    assert words[2] == "Health checks failed with these codes: [503]"
    backend.answer_health("200")
    world.until(group, one, "healthy", "")
    backend.answer_health("302")
    words = world.until(group, one, "unhealthy", "Target.ResponseCodeMismatch")
    assert words[2] == "Health checks failed with these codes: [302]"
    world.elbv2.modify_target_group(TargetGroupArn=group, Matcher={"HttpCode": "200-399"})
    world.until(group, one, "healthy", "")


def test_health_of_a_target_that_does_not_answer_is_a_timeout(world: World) -> None:
    one, backend = world.instance()
    assert backend
    backend.answer_health("hang")
    balancer, group = world.balancer(), world.group()
    world.listener(balancer, group)
    world.register(group, one)
    assert world.until(group, one, "unhealthy", "Target.Timeout")[2] == "Request timed out"


def test_health_of_a_target_that_refuses_is_failed_checks(world: World) -> None:
    one, _ = world.instance(answers=False)
    balancer, group = world.balancer(), world.group()
    world.listener(balancer, group)
    world.register(group, one)
    assert world.until(group, one, "unhealthy", "Target.FailedHealthChecks")[2] == "Health checks failed"


def test_a_leaving_target_drains_until_the_delay_is_over(world: World) -> None:
    one, backend = world.instance()
    assert backend
    balancer, group = world.balancer(), world.group()
    world.elbv2.modify_target_group_attributes(
        TargetGroupArn=group, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "3"}]
    )
    world.listener(balancer, group)
    world.register(group, one)
    world.until(group, one, "healthy", "")
    url = f"http://{balancer['DNSName']}:{LISTENER_PORT}"
    answers: list[int] = []
    # One request ends within the delay, the other is cut at its end.
    in_flight = [
        threading.Thread(target=lambda s=s: answers.append(get(f"{url}/slow?{s}")[0])) for s in ("1", "9")
    ]
    for thread in in_flight:
        thread.start()
    time.sleep(0.3)
    world.elbv2.deregister_targets(TargetGroupArn=group, Targets=[{"Id": one}])
    assert world.health(group, one)[:2] == ("draining", "Target.DeregistrationInProgress")
    eventually(lambda: get(f"{url}/")[0] == 503)
    in_flight[0].join()
    assert answers == [200]
    assert world.health(group, one)[0] == "draining"
    world.until(group, one, "unused", "Target.NotRegistered")
    in_flight[1].join(20)
    assert answers[1] in (502, 503)
    assert world.elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"] == []
    world.register(group, one)
    world.until(group, one, "healthy", "")
    assert get(f"{url}/")[0] == 200


def test_a_stopped_instance_is_unused_and_refused(world: World) -> None:
    one, _ = world.instance()
    balancer, group = world.balancer(), world.group()
    world.listener(balancer, group)
    world.register(group, one)
    world.until(group, one, "healthy", "")
    world.ec2.stop_instances(InstanceIds=[one])
    assert world.health(group, one) == ("unused", "Target.InvalidState", "Target is in the stopped state")
    other = world.group()
    assert (
        refusal(world.elbv2.register_targets, TargetGroupArn=other, Targets=[{"Id": one}]) == "InvalidTarget"
    )
    world.ec2.start_instances(InstanceIds=[one])
    world.until(group, one, "healthy", "")
    world.ec2.terminate_instances(InstanceIds=[one])
    eventually(
        lambda: not world.elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    )


def test_one_instance_on_two_ports_is_two_targets(world: World) -> None:
    one, _ = world.instance()
    balancer, group = world.balancer(), world.group()
    world.listener(balancer, group)
    world.elbv2.register_targets(
        TargetGroupArn=group, Targets=[{"Id": one}, {"Id": one, "Port": BACKEND_PORT + 1}]
    )

    def states() -> dict[int, str]:
        answer = world.elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return {d["Target"]["Port"]: d["TargetHealth"]["State"] for d in answer}

    eventually(lambda: states() == {BACKEND_PORT: "healthy", BACKEND_PORT + 1: "unhealthy"})


def test_a_target_in_a_zone_the_balancer_does_not_serve_is_unused(world: World) -> None:
    one, _ = world.instance("us-east-1c")
    balancer, group = world.balancer(), world.group()
    world.listener(balancer, group)
    world.register(group, one)
    state, reason, text = world.health(group, one)
    assert (state, reason) == ("unused", "Target.NotInUse")
    assert "Availability Zone that is not enabled" in text


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


def test_a_deleted_balancer_answers_no_more(world: World) -> None:
    one, _ = world.instance()
    balancer, group = world.balancer(), world.group()
    world.listener(balancer, group)
    world.register(group, one)
    world.until(group, one, "healthy", "")
    world.elbv2.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])

    def refuses() -> bool:
        try:
            get(f"http://{balancer['DNSName']}:{LISTENER_PORT}/")
        except OSError:
            return True
        return False

    eventually(refuses)
    world.elbv2.delete_target_group(TargetGroupArn=group)


def test_rules_choose_in_the_order_of_their_priority(world: World) -> None:
    one, backend = world.instance()
    assert backend
    balancer, group = world.balancer(), world.group()
    listener = world.listener(balancer, group)
    world.register(group, one)
    world.until(group, one, "healthy", "")

    def rule(priority: int, action: dict[str, Any], **condition: Any) -> None:
        world.elbv2.create_rule(
            ListenerArn=listener, Priority=priority, Conditions=[condition], Actions=[action]
        )

    closed = {"StatusCode": "503", "ContentType": "text/html", "MessageBody": '<p class="x">50 % $off</p>'}
    moved = {"StatusCode": "HTTP_301", "Host": "new.test", "Port": "80", "Path": "/new/#{path}"}
    rule(
        20,
        {"Type": "fixed-response", "FixedResponseConfig": closed},
        Field="path-pattern",
        Values=["/shop/*"],
    )
    rule(10, {"Type": "redirect", "RedirectConfig": moved}, Field="host-header", Values=["*.old.test"])
    url = f"http://{balancer['DNSName']}:{LISTENER_PORT}"
    eventually(lambda: get(f"{url}/shop/x")[0] == 503)
    status, body, headers = get(f"{url}/shop/x")
    assert (status, body, headers["content-type"]) == (503, closed["MessageBody"], "text/html")
    status, _, headers = get(f"{url}/shop/x?a=b", host="www.old.test")
    assert (status, headers["location"]) == (301, "http://new.test/new/shop/x?a=b")
    assert get(f"{url}/shopping")[:2] == (200, backend.name)


def test_weights_send_nothing_to_a_group_of_weight_zero(world: World) -> None:
    one, old = world.instance()
    two, new = world.instance()
    assert old
    assert new
    balancer, groups = world.balancer(), [world.group(), world.group()]
    listener = world.listener(balancer, *groups, weights=[1, 0])
    world.register(groups[0], one)
    world.register(groups[1], two)
    for group, target in zip(groups, (one, two), strict=True):
        world.until(group, target, "healthy", "")
    url = f"http://{balancer['DNSName']}:{LISTENER_PORT}/"
    assert {get(url)[1] for _ in range(20)} == {old.name}
    world.elbv2.modify_listener(
        ListenerArn=listener,
        DefaultActions=[
            {
                "Type": "forward",
                "ForwardConfig": {
                    "TargetGroups": [
                        {"TargetGroupArn": groups[0], "Weight": 0},
                        {"TargetGroupArn": groups[1], "Weight": 1},
                    ]
                },
            }
        ],
    )
    eventually(lambda: get(url)[1] == new.name)
    assert {get(url)[1] for _ in range(20)} == {new.name}


def test_sticky_clients_stay_with_their_target_while_it_serves(world: World) -> None:
    targets = [world.instance(), world.instance()]
    balancer, group = world.balancer(), world.group()
    world.elbv2.modify_target_group_attributes(
        TargetGroupArn=group,
        Attributes=[
            {"Key": "stickiness.enabled", "Value": "true"},
            {"Key": "stickiness.type", "Value": "lb_cookie"},
        ],
    )
    world.listener(balancer, group)
    world.register(group, *(target for target, _ in targets))
    for target, _ in targets:
        world.until(group, target, "healthy", "")
    url = f"http://{balancer['DNSName']}:{LISTENER_PORT}/"
    _, first, headers = get(url)
    cookie = headers["set-cookie"].partition(";")[0]
    assert cookie.startswith("AWSALB=")
    assert {get(url, cookie=cookie)[1] for _ in range(6)} == {first}
    for _, backend in targets:
        if backend and backend.name == first:
            backend.answer_health("503")
    eventually(lambda: get(url, cookie=cookie)[1] != first)


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
        Protocol="HTTPS",
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
