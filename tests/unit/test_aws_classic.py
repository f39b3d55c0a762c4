"""What a classic balancer tells in sentences, as the words of a target group."""

import pytest

from nospof.adapters.aws.classic import as_check, as_target
from nospof.model.cloud import HealthCheck, classic_name


@pytest.mark.parametrize(
    ("state", "description", "becomes"),
    [
        ("InService", "N/A", "healthy"),
        ("InService", "Instance deregistration currently in progress.", "draining"),
        ("OutOfService", "Instance registration is still in progress.", "initial"),
        (
            "OutOfService",
            "Instance has not passed the configured HealthyThreshold number of health checks consecutively.",
            "initial",
        ),
        (
            "OutOfService",
            "Instance has failed at least the UnhealthyThreshold number of health checks consecutively.",
            "unhealthy",
        ),
        ("OutOfService", "Instance is in stopped state.", "unused"),
        (
            "OutOfService",
            "Instance is in the EC2 Availability Zone for which LoadBalancer is not configured to route "
            "traffic to.",
            "unused",
        ),
        ("Unknown", "A transient error occurred. Please try again later.", "unavailable"),
    ],
)
def test_a_state_of_2012_is_told_in_the_words_of_today(state, description, becomes):
    told = {"InstanceId": "i-1", "State": state, "ReasonCode": "ELB", "Description": description}
    target = as_target(told, 80)
    assert (target.state, target.is_healthy) == (becomes, becomes == "healthy")
    assert (target.description == "") == target.is_healthy


@pytest.mark.parametrize(
    ("target", "path", "protocol", "port"),
    [
        ("HTTP:8080/health?deep=1", "/health?deep=1", "HTTP", 8080),
        ("HTTPS:443/", "/", "HTTPS", 443),
        ("TCP:3306", "", "TCP", 3306),
        ("SSL:443", "", "SSL", 443),
    ],
)
def test_a_check_is_its_protocol_port_and_page(target, path, protocol, port):
    told = {"Target": target, "Interval": 30, "Timeout": 5, "UnhealthyThreshold": 2, "HealthyThreshold": 10}
    check = as_check(told)
    assert (check.path, check.protocol, check.port) == (path, protocol, port)
    assert check.accepts(200) == bool(path)
    assert not check.accepts(301)
    assert (check.interval_seconds, check.healthy_threshold) == (30, 10)


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        ("arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/old", "old"),
        ("arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/new/50dc", ""),
        ("arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/group/50dc", ""),
    ],
)
def test_a_classic_balancer_is_known_by_its_arn(arn, name):
    assert classic_name(arn) == name


def test_statuses_and_ranges_of_a_matcher():
    check = HealthCheck(matcher="200,302-304")
    assert [code for code in (199, 200, 301, 302, 303, 304, 305) if check.accepts(code)] == [
        200,
        302,
        303,
        304,
    ]
