"""ELBv2 over plain boto3: target health is what HAProxy says, and requests go where the API says."""

from __future__ import annotations

import threading
import time
from typing import Any

from support.backends import BACKEND_PORT, LISTENER_PORT, get
from support.elbv2_world import World, refusal
from support.waiting import eventually


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
    eventually(lambda: get(f"{url}/", host="www.old.test")[0] == 301)
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


def test_a_network_load_balancer_forwards_connections_and_checks_them(world: World) -> None:
    one, backend = world.instance()
    assert backend
    balancer = world.balancer(Type="network", Subnets=[world.subnets["us-east-1a"]])
    group = str(
        world.elbv2.create_target_group(
            Name=world.name("tg"), Protocol="TCP", Port=BACKEND_PORT, VpcId=world.vpc
        )["TargetGroups"][0]["TargetGroupArn"]
    )
    world.elbv2.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="TCP",
        Port=LISTENER_PORT,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    world.register(group, one)
    world.until(group, one, "healthy", "")
    status, seen, _ = get(f"http://{balancer['DNSName']}:{LISTENER_PORT}/headers")
    assert status == 200
    assert "x-forwarded-for" not in seen.lower()
    backend.end()
    world.until(group, one, "unhealthy", "Target.FailedHealthChecks")
