"""How a pair is planned, and what must not be put behind one balancer: every rule, met and not met."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nospof.errors import PreconditionFailed, UsageError
from nospof.model.answers import Answer
from nospof.model.cloud import (
    TAG_RUN,
    TAG_SERVICE,
    TAG_STATE,
    HealthCheck,
    IngressRule,
    Instance,
    LoadBalancer,
    Subnet,
    TargetGroup,
)
from nospof.model.requests import PairRequest
from nospof.model.surroundings import Inside, WebSetting
from nospof.planning.pair import is_open, plan_pair, resource_name, service_of
from nospof.planning.pair_rules import PairFacts

SOURCE = Instance(
    id="i-1",
    state="running",
    type="t3.small",
    image_id="ami-base",
    zone="za",
    subnet_id="subnet-a",
    vpc_id="vpc-1",
    private_ip="10.0.0.4",
    public_ip="203.0.113.4",
    security_groups=("sg-1", "sg-2"),
    tags={"Name": "site"},
)
TWIN = replace(SOURCE, id="i-2", zone="zb", subnet_id="subnet-b")
SUBNETS = (
    Subnet("subnet-a", "vpc-1", "za", 100, is_public=True),
    Subnet("subnet-b", "vpc-1", "zb", 100, is_public=True),
)
BALANCER = LoadBalancer(
    "arn:lb", "nospof-site", "dns", "application", "active", "vpc-1", ("za", "zb"), tags={TAG_SERVICE: "site"}
)
GROUP = TargetGroup("arn:tg", "nospof-site", 80, "instance", HealthCheck(), tags={TAG_SERVICE: "site"})
FACTS = PairFacts(
    source=SOURCE,
    twin=TWIN,
    twin_zone=TWIN.zone,
    subnets=SUBNETS,
    closed=(),
    clients=(IngressRule(80, "0.0.0.0/0"),),
    balancer=None,
    target_group=None,
    answer=Answer("http://10.0.0.4:80/", 200, 0.01),
)


def answer(status=0, **more):
    return Answer("http://10.0.0.4:80/", status, 0.01, **more)


def plan(request=None, **changes):
    asked = {"stateless": True, **(request or {})}
    return plan_pair(replace(FACTS, **changes), PairRequest("i-1", **asked), "run-1")


def operations(made):
    return [call.operation for call in made.plan.calls]


def refusal(request=None, kind=PreconditionFailed, **changes):
    with pytest.raises(kind) as refused:
        plan(request, **changes)
    return str(refused.value)


# What it keeps, and how it answers the check ----------------------------------------------------------


def test_c69_c71_a_look_that_found_nothing_needs_nobodys_word():
    assert plan({"stateless": False}, inside=Inside()).service == "site"


def test_c69_c71_what_it_keeps_is_told_although_the_owner_gave_his_word():
    kept = Inside(keeps=("sessions /var/lib/php/sessions",))
    assert "sessions /var/lib/php/sessions" in "\n".join(plan(inside=kept).plan.warnings)


def test_c55_c57_a_redirect_is_told_with_where_it_leads_and_is_never_accepted():
    said = refusal(answer=answer(302, location="https://www.example.org/core/install.php"))
    assert "redirects to https://www.example.org/core/install.php" in said
    assert "--health-path" in said


def test_c56_a_trusted_host_rule_is_named_as_the_likely_cause():
    assert "trust certain host names" in refusal(answer=answer(400))


def test_c59_maintenance_is_named_as_the_likely_cause():
    assert "maintenance" in refusal(answer=answer(503))


def test_c68_c74_how_its_web_server_goes_with_a_balancer_is_told_before_anything_is_made():
    apache = WebSetting("apache", "KeepAliveTimeout", "5", "/etc/apache2/apache2.conf")
    fail2ban = WebSetting("fail2ban", "ignoreip", "", "/etc/fail2ban/jail.local")
    subnets = tuple(replace(one, cidr=f"10.0.{at}.0/24") for at, one in enumerate(SUBNETS))
    told = "\n".join(plan(inside=Inside(web=(apache, fail2ban)), subnets=subnets).plan.warnings)
    assert "KeepAliveTimeout 75" in told
    assert "add 10.0.0.0/24, 10.0.1.0/24 to ignoreip" in told


# What is refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "changes", "thing", "next_step"),
    [
        pytest.param(
            {"stateless": False},
            {"inside": Inside(unread=("what is inside i-1: not managed by SSM",))},
            "not managed by SSM",
            "--stateless",
            id="state nobody looked at",
        ),
        pytest.param(
            {"stateless": False},
            {"inside": Inside(keeps=("engines mariadb",))},
            "i-1 keeps engines mariadb",
            "--stateless",
            id="a database on its own disk",
        ),
        pytest.param(
            {}, {"source": replace(SOURCE, state="stopped")}, "i-1 is stopped", "start-instances", id="off"
        ),
        pytest.param({}, {"answer": answer(302, location="/install")}, "302 to /install", "--health-path"),
        pytest.param(
            {}, {"answer": answer(301, location="https://x/")}, "301 to https://x/", "--health-path"
        ),
        pytest.param({}, {"answer": answer(400)}, "answers 400", "--health-path"),
        pytest.param({}, {"answer": answer(503)}, "answers 503", "--health-path"),
        pytest.param({}, {"answer": answer(204)}, "answers 204", "--health-path"),
        pytest.param({}, {"twin": replace(TWIN, state="stopped")}, "i-2 is stopped", "start it"),
        pytest.param(
            {}, {"twin": replace(TWIN, state="terminated")}, "i-2 is terminated", "leave --with out"
        ),
        pytest.param({}, {"twin": replace(TWIN, vpc_id="vpc-2")}, "i-2 is in vpc-2", "one VPC"),
        pytest.param({}, {"twin": replace(TWIN, zone="za")}, "both in za", "--same-zone"),
        pytest.param(
            {}, {"balancer": replace(BALANCER, tags={})}, "load balancer named nospof-site", "--service"
        ),
        pytest.param(
            {},
            {"balancer": replace(BALANCER, tags={TAG_SERVICE: "other"})},
            "load balancer named nospof-site",
            "--service",
        ),
        pytest.param(
            {}, {"target_group": replace(GROUP, tags={})}, "target group named nospof-site", "--service"
        ),
        pytest.param(
            {"port": 8080}, {"target_group": GROUP}, "nospof-site of site exists with port 80", "--service"
        ),
        pytest.param({"health_path": "/up"}, {"target_group": GROUP}, "not port 80 and GET /up", "--service"),
        pytest.param({}, {"balancer": replace(BALANCER, vpc_id="vpc-2")}, "is in vpc-2", "--service"),
        pytest.param({}, {"subnets": SUBNETS[:1]}, "in 1 zone(s)", "create-subnet --vpc-id vpc-1"),
        pytest.param({}, {"subnets": ()}, "in 0 zone(s)", "create-subnet"),
        pytest.param(
            {},
            {"subnets": (SUBNETS[0], replace(SUBNETS[1], free_addresses=7))},
            "in 1 zone(s)",
            "create-subnet",
        ),
        pytest.param(
            {},
            {"subnets": (SUBNETS[1], Subnet("subnet-c", "vpc-1", "zc", 100, is_public=True))},
            "i-1 in za would get no traffic",
            "--availability-zone za",
            id="the source's zone has no subnet for the balancer",
        ),
        pytest.param(
            {},
            {"twin": replace(TWIN, zone="zd"), "twin_zone": "zd"},
            "i-2 in zd would get no traffic",
            "--availability-zone zd",
            id="the twin's zone has no subnet for the balancer",
        ),
        pytest.param(
            {},
            {"twin": None, "twin_zone": "zd"},
            "the twin in zd would get no traffic",
            "--availability-zone zd",
            id="the zone the clone would choose has no subnet for the balancer",
        ),
        pytest.param({"service": "Bob's"}, {}, '"\'"', "--service", id="a name that is no tag"),
        pytest.param({"service": "s" * 257}, {}, "sss", "at most 256", id="a name too long for a tag"),
    ],
)
def test_what_is_no_pair_is_refused_with_the_next_step(request_, changes, thing, next_step):
    says = refusal(request_, **changes)
    assert thing in says
    assert next_step in says
    assert says.endswith("Nothing was changed.")


@pytest.mark.parametrize(
    ("request_", "changes"),
    [
        ({}, {}),
        ({}, {"twin": None}),
        ({"same_zone": True}, {"twin": replace(TWIN, zone="za")}),
        ({}, {"balancer": BALANCER, "target_group": GROUP}),
        (
            {"service": "shop"},
            {"balancer": replace(BALANCER, name="nospof-shop", tags={TAG_SERVICE: "shop"})},
        ),
        ({}, {"answer": answer(error="timed out")}),
        ({}, {"subnets": (SUBNETS[0], replace(SUBNETS[1], free_addresses=8))}),
        ({"service": "Größe 7: a_b/c.d=e+f-g@h"}, {}),
        ({"port": 65535, "listener_port": 1}, {}),
    ],
)
def test_what_is_a_pair_is_planned(request_, changes):
    assert plan(request_, **changes).plan.procedure == "pair"


@pytest.mark.parametrize(
    ("request_", "changes", "says"),
    [
        ({"health_path": "health"}, {}, "--health-path 'health'"),
        ({"port": 0}, {}, "--port 0"),
        ({"port": 65536}, {}, "--port 65536"),
        ({"listener_port": -1}, {}, "--listener-port -1"),
        ({}, {"twin": SOURCE}, "i-1 cannot be its own twin"),
    ],
)
def test_a_request_that_makes_no_sense_is_a_usage_error(request_, changes, says):
    assert says in refusal(request_, UsageError, **changes)


# Names ----------------------------------------------------------------------------------------------

AWS_NAME = re.compile(r"[A-Za-z0-9](-?[A-Za-z0-9])*")


@pytest.mark.parametrize("service", ["www", "a" * 25, "Shop-2"])
def test_a_legal_service_name_is_kept_whole(service):
    assert resource_name(service) == f"nospof-{service}"


@pytest.mark.parametrize(
    "service", ["", "-", "a--b", "-a", "a-", "my shop", "müller", "a" * 26, "a" * 24 + "-b", "日本", "a_b"]
)
def test_any_other_service_name_becomes_legal_with_a_digest(service):
    name = resource_name(service)
    assert AWS_NAME.fullmatch(name)
    assert len(name) <= 32
    assert re.search(r"-[0-9a-f]{6}$", name)


@given(st.text(max_size=60))
def test_every_name_made_is_one_aws_takes(service):
    name = resource_name(service)
    assert AWS_NAME.fullmatch(name)
    assert len(name) <= 32


@given(st.lists(st.text("ab-_ é", max_size=40), min_size=2, max_size=20, unique=True))
def test_two_services_never_share_a_name(services):
    assert len({resource_name(service) for service in services}) == len(services)


@pytest.mark.parametrize(
    ("asked", "tags", "service"),
    [
        ("shop", {TAG_SERVICE: "tagged", "Name": "site"}, "shop"),
        ("", {TAG_SERVICE: "tagged", "Name": "site"}, "tagged"),
        ("", {"Name": "site"}, "site"),
        ("", {}, "i-1"),
    ],
)
def test_the_service_is_named_as_asked_then_as_tagged_then_after_the_instance(asked, tags, service):
    assert service_of(replace(SOURCE, tags=tags), PairRequest("i-1", service=asked)) == service


def test_the_security_groups_description_is_ascii_whatever_the_service_is_called():
    description = plan({"service": "Größe"}).security_group.description
    assert re.fullmatch(r"[A-Za-z0-9 ._:/()#,@+=&;{}!$*-]{1,255}", description)


# Where the balancer stands --------------------------------------------------------------------------


def subnet(name, zone, *, free=100, public=True, default=False):
    return Subnet(name, "vpc-1", zone, free, is_public=public, is_default=default)


@pytest.mark.parametrize(
    ("subnets", "chosen", "is_internal"),
    [
        pytest.param(
            (subnet("a1", "za"), subnet("a2", "za"), subnet("b1", "zb")),
            ("a1", "b1"),
            False,
            id="one subnet per zone",
        ),
        pytest.param(
            (subnet("a1", "za"), subnet("a2", "za", default=True), subnet("b1", "zb")),
            ("a2", "b1"),
            False,
            id="the zone's default subnet first",
        ),
        pytest.param(
            (subnet("a1", "za", free=7), subnet("a2", "za"), subnet("b1", "zb")),
            ("a2", "b1"),
            False,
            id="the one with room",
        ),
        pytest.param(
            (subnet("a1", "za", public=False), subnet("a2", "za"), subnet("b1", "zb")),
            ("a2", "b1"),
            False,
            id="public ones where two zones have them",
        ),
        pytest.param(
            (subnet("a1", "za"), subnet("b1", "zb", public=False)),
            ("a1", "b1"),
            True,
            id="internal where they do not",
        ),
        pytest.param(
            (subnet("c1", "zc"), subnet("b1", "zb"), subnet("a1", "za")),
            ("a1", "b1", "c1"),
            False,
            id="every zone, in order",
        ),
    ],
)
def test_c62_the_balancer_takes_one_roomy_subnet_of_each_zone(subnets, chosen, is_internal):
    made = plan(subnets=subnets)
    assert made.balancer.subnet_ids == chosen
    assert made.balancer.is_internal is is_internal
    assert ("reachable inside it only" in "\n".join(made.plan.warnings)) is is_internal


# Who may connect ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "is_it"),
    [
        ((), False),
        ((IngressRule(80, "0.0.0.0/0"),), True),
        ((IngressRule(0, "0.0.0.0/0"),), True),
        ((IngressRule(443, "0.0.0.0/0"),), False),
        ((IngressRule(80, "10.0.0.0/8"),), False),
        ((IngressRule(80, from_group="sg-9"),), False),
        ((IngressRule(80, "::/0"),), False),
        ((IngressRule(443, "0.0.0.0/0"), IngressRule(80, "0.0.0.0/0")), True),
    ],
)
def test_a_port_is_open_when_anybody_may_reach_it_over_the_balancers_ipv4(rules, is_it):
    assert is_open(rules, 80) is is_it


# The plan itself ------------------------------------------------------------------------------------

WRITES = [
    "CreateSecurityGroup",
    "AuthorizeSecurityGroupIngress",
    "CreateTargetGroup",
    "CreateLoadBalancer",
    "CreateListener",
    "RegisterTargets",
    "RegisterTargets",
    "CreateTags",
    "CreateTags",
]


def test_the_plan_lists_each_write_in_order():
    assert operations(plan()) == WRITES
    assert operations(plan(closed=("sg-1",))) == [*WRITES[:2], "AuthorizeSecurityGroupIngress", *WRITES[2:]]


def test_the_twin_is_registered_before_the_source():
    first, second = (c.parameters["Targets"] for c in plan().plan.calls if c.operation == "RegisterTargets")
    assert (first, second) == ([{"Id": "i-2", "Port": 80}], [{"Id": "i-1", "Port": 80}])


def test_both_members_are_marked_with_the_service_itself():
    marks = [c.parameters for c in plan({"service": "my shop"}).plan.calls if c.operation == "CreateTags"]
    assert [one["Resources"] for one in marks] == [["i-1"], ["i-2"]]
    for one in marks:
        assert {"Key": TAG_SERVICE, "Value": "my shop"} in one["Tags"]
        assert {"Key": TAG_STATE, "Value": "none"} in one["Tags"]


def test_a_twin_not_made_yet_is_a_named_stand_in():
    calls = plan(twin=None).plan.calls
    twins = [call for call in calls if {"Targets", "Resources"} & set(call.placeholders)]
    assert [call.operation for call in twins] == ["RegisterTargets", "CreateTags"]
    assert not [call for call in plan().plan.calls if {"Targets", "Resources"} & set(call.placeholders)]


def test_the_request_decides_ports_and_check():
    made = plan({"port": 8080, "listener_port": 81, "health_path": "/up"}, closed=("sg-1",))
    assert (made.target_group.port, made.target_group.health_check.path) == (8080, "/up")
    assert made.listener_port == 81
    ports = [
        call.parameters["IpPermissions"][0]["FromPort"]
        for call in made.plan.calls
        if call.operation == "AuthorizeSecurityGroupIngress"
    ]
    assert ports == [81, 8080]


def test_everything_made_carries_the_run_and_the_service():
    made = plan()
    for request in (made.security_group, made.target_group, made.balancer):
        assert request.tags == {TAG_RUN: "run-1", TAG_SERVICE: "site"}
        assert request.name == "nospof-site"


@pytest.mark.parametrize(
    ("warning", "request_", "changes"),
    [
        ("not checked: http://10.0.0.4:80/ could not be asked", {}, {"answer": answer(error="timed out")}),
        ("both members are in za", {"same_zone": True}, {"twin": replace(TWIN, zone="za")}),
    ],
)
def test_what_the_operator_should_know_is_said_and_only_then(warning, request_, changes):
    assert warning in "\n".join(plan(request_, **changes).plan.warnings)
    assert warning not in "\n".join(plan(request_).plan.warnings)


def test_the_permissions_name_those_that_aws_asks_for_beside_the_calls():
    also = set(plan().plan.permissions) - {call.permission for call in plan().plan.calls}
    assert also == {
        "elasticloadbalancing:AddTags",
        "elasticloadbalancing:ModifyTargetGroupAttributes",
    }


def test_what_is_made_is_asked_about_with_the_tags_it_will_have_and_under_its_name():
    made = plan().plan.calls
    for call in made:
        if call.operation in ("CreateTargetGroup", "CreateLoadBalancer"):
            assert {pair["Key"] for pair in call.parameters["Tags"]} == {TAG_RUN, TAG_SERVICE}
        if call.service == "elbv2":
            assert call.on
            assert all("/nospof-" in one for one in call.on)
            assert set(call.tags) == {TAG_RUN, TAG_SERVICE}
    (group,) = (call for call in made if call.operation == "CreateSecurityGroup")
    assert group.parameters["TagSpecifications"][0]["ResourceType"] == "security-group"
