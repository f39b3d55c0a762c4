"""What is asked of AWS: every page, as many ids as a call takes, names before creates, with patience."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext

import pytest
from botocore.stub import Stubber

from nospof.adapters.memory import MemoryClock
from nospof.errors import CloudError, NotFound, UnknownOutcome
from nospof.model.cloud import IngressRule, LaunchRequest, LoadBalancerRequest
from nospof.model.plans import PlannedCall
from support.aws_endpoint import answering, done, query_refusal, refusal

ARN = "arn:aws:elasticloadbalancing:eu-central-1:1:"


@pytest.fixture
def cloud():
    with answering(refusal("NobodyShouldAsk")) as endpoint:
        yield endpoint.cloud()


def instance_xml(instance_id, **also):
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in also.items())
    return (
        f"<item><instanceId>{instance_id}</instanceId><instanceType>t3.micro</instanceType>"
        f"<instanceState><name>running</name></instanceState>{inner}</item>"
    )


def described(*instances):
    sets = f"<item><instancesSet>{''.join(instances)}</instancesSet></item>" if instances else ""
    return done("DescribeInstances", f"<reservationSet>{sets}</reservationSet>")


def actions_after(cloud_call, *script, **options):
    """Return what was asked by the call, and the answer or error."""
    with answering(*script) as endpoint:
        cloud = endpoint.cloud(**options)
        try:
            outcome = cloud_call(cloud)
        except CloudError as error:
            outcome = error
        return endpoint, outcome


@contextmanager
def no_classic_balancers(cloud):
    """Have the API of 2012 know no balancer."""
    with Stubber(cloud.elb) as stub:
        stub.add_response("describe_load_balancers", {"LoadBalancerDescriptions": []})
        yield


def item(kind, number):
    """Return one element of a list, with what the adapter needs of it."""
    return {
        "instances": {
            "Instances": [
                {"InstanceId": f"i-{number}", "State": {"Name": "running"}, "InstanceType": "t3.micro"}
            ]
        },
        "volumes": {"VolumeId": f"vol-{number}", "AvailabilityZone": "z", "Size": 1},
        "load_balancers": {
            "LoadBalancerArn": f"{ARN}{number}",
            "LoadBalancerName": f"lb-{number}",
            "Type": "application",
            "State": {"Code": "active"},
        },
        "target_groups": {"TargetGroupArn": f"{ARN}{number}", "TargetGroupName": f"tg-{number}"},
    }[kind]


PAGED = {
    "instances": ("ec2", "describe_instances", "Reservations", "NextToken"),
    "volumes": ("ec2", "describe_volumes", "Volumes", "NextToken"),
    "load_balancers": ("elbv2", "describe_load_balancers", "LoadBalancers", "NextMarker"),
    "target_groups": ("elbv2", "describe_target_groups", "TargetGroups", "NextMarker"),
}


@pytest.mark.parametrize("kind", PAGED)
def test_c38_every_page_is_read_even_after_an_empty_first_one(cloud, kind):
    service, operation, key, received = PAGED[kind]
    with Stubber(getattr(cloud, service)) as stub:
        for number, page in enumerate([[], [item(kind, 2)], [item(kind, 1)]]):
            token = {} if number == 2 else {received: f"page-{number + 1}"}
            stub.add_response(operation, {key: page, **token})
        if service == "elbv2":
            stub.add_response("describe_tags", {"TagDescriptions": []})
        with no_classic_balancers(cloud) if service == "elbv2" else nullcontext():
            found = getattr(cloud, kind)()
        stub.assert_no_pending_responses()
    assert [getattr(one, "id", None) or one.name for one in found] == sorted(
        getattr(one, "id", None) or one.name for one in found
    )
    assert len(found) == 2


def test_the_next_page_is_asked_for_by_its_token():
    first = done("DescribeVolumes", "<volumeSet/><nextToken>page-2</nextToken>")
    endpoint, _ = actions_after(lambda cloud: cloud.volumes(), first, done("DescribeVolumes", "<volumeSet/>"))
    assert [request.get("NextToken") for request in endpoint.asked] == [None, "page-2"]


def statuses(ids):
    items = "".join(
        f"<item><instanceId>{one}</instanceId><instanceState><name>running</name></instanceState></item>"
        for one in ids
    )
    return done("DescribeInstanceStatus", f"<instanceStatusSet>{items}</instanceStatusSet>")


def asked_ids(request):
    return [value for name, value in request.items() if name.startswith("InstanceId.")]


def test_c39_c40_status_is_asked_for_100_ids_at_a_time_and_without_a_page_size():
    ids = tuple(f"i-{number:03}" for number in range(254))
    script = [statuses(ids[:100]), statuses(ids[100:200]), statuses(ids[200:])]
    endpoint, found = actions_after(lambda cloud: cloud.instance_status(ids), *script)
    assert [asked_ids(request) for request in endpoint.asked] == [
        list(ids[:100]),
        list(ids[100:200]),
        list(ids[200:]),
    ]
    assert not any("MaxResults" in request for request in endpoint.asked)
    assert all(request["IncludeAllInstances"] == "true" for request in endpoint.asked)
    assert [one.instance_id for one in found] == list(ids)


def test_c39_an_unknown_id_does_not_hide_the_others_in_its_chunk():
    unknown = refusal("InvalidInstanceID.NotFound")
    script = [unknown, statuses(["i-1", "i-2"]), unknown, unknown, statuses(["i-4"])]
    endpoint, found = actions_after(
        lambda cloud: cloud.instance_status(("i-1", "i-2", "i-3", "i-4")), *script
    )
    assert [asked_ids(request) for request in endpoint.asked] == [
        ["i-1", "i-2", "i-3", "i-4"],
        ["i-1", "i-2"],
        ["i-3", "i-4"],
        ["i-3"],
        ["i-4"],
    ]
    assert [one.instance_id for one in found] == ["i-1", "i-2", "i-4"]


def test_a_denied_status_is_an_error_and_not_a_missing_instance():
    endpoint, outcome = actions_after(
        lambda cloud: cloud.instance_status(("i-1", "i-2")), refusal("UnauthorizedOperation", 403)
    )
    assert outcome.is_denied
    assert len(endpoint.asked) == 1


LAUNCHED = done("RunInstances", f"<instancesSet>{instance_xml('i-new')}</instancesSet>")
LATE = refusal("InvalidInstanceID.NotFound")
REQUEST = LaunchRequest("token-1", "ami-1", "t3.micro", "subnet-1", tags={"Name": "a", "AWS:b": "c"})


def test_a_launch_carries_token_and_tags_and_leaves_out_what_is_empty():
    endpoint, _ = actions_after(lambda cloud: cloud.launch(REQUEST), LAUNCHED)
    (asked,) = endpoint.asked
    assert asked["ClientToken"] == "token-1"
    assert (asked["MinCount"], asked["MaxCount"]) == ("1", "1")
    assert {asked["TagSpecification.1.ResourceType"], asked["TagSpecification.2.ResourceType"]} == {
        "instance",
        "volume",
    }
    assert asked["TagSpecification.1.Tag.1.Key"] == "Name"
    assert not {"KeyName", "IamInstanceProfile.Arn", "TagSpecification.1.Tag.2.Key"} & set(asked)


@pytest.mark.parametrize("follow_up", ["instance", "stop_instance", "is_stop_protected"])
def test_c31_an_instance_that_is_not_known_yet_is_waited_for(follow_up):
    clock = MemoryClock(0)

    def story(cloud):
        return getattr(cloud, follow_up)(cloud.launch(REQUEST).id)

    answers = {
        "instance": described(instance_xml("i-new")),
        "stop_instance": done("StopInstances"),
        "is_stop_protected": done("DescribeInstanceAttribute"),
    }
    endpoint, outcome = actions_after(story, LAUNCHED, LATE, LATE, answers[follow_up], clock=clock)
    assert not isinstance(outcome, CloudError)
    assert len(endpoint.asked) == 4
    assert clock.now() == 2


def test_a_list_that_does_not_show_the_new_instance_is_asked_for_again():
    def story(cloud):
        return cloud.instance(cloud.launch(REQUEST).id)

    _, found = actions_after(story, LAUNCHED, described(), described(instance_xml("i-new")))
    assert found.id == "i-new"


def test_patience_with_a_new_id_ends_after_a_minute():
    clock = MemoryClock(0)
    _, outcome = actions_after(
        lambda cloud: cloud.instance(cloud.launch(REQUEST).id), LAUNCHED, LATE, clock=clock
    )
    assert isinstance(outcome, NotFound)
    assert clock.now() == 60


def test_an_id_that_was_not_made_here_is_not_waited_for():
    clock = MemoryClock(0)
    endpoint, outcome = actions_after(lambda cloud: cloud.instance("i-old"), LATE, clock=clock)
    assert isinstance(outcome, NotFound)
    assert (len(endpoint.asked), clock.now()) == (1, 0)


def test_c31_a_new_instance_is_registered_as_soon_as_the_balancer_knows_it():
    unknown = query_refusal("InvalidTarget", 400, "The following targets are not valid instances: 'i-new'")
    registered = (200, "<RegisterTargetsResponse><RegisterTargetsResult/></RegisterTargetsResponse>")
    clock = MemoryClock(0)
    endpoint, _ = actions_after(
        lambda cloud: cloud.register(ARN, cloud.launch(REQUEST).id, 80),
        LAUNCHED,
        unknown,
        registered,
        clock=clock,
    )
    assert endpoint.actions == ["RunInstances", "RegisterTargets", "RegisterTargets"]


def test_a_new_instance_that_does_not_run_yet_is_refused_at_once():
    clock = MemoryClock(0)
    pending = query_refusal("InvalidTarget", 400, "The following targets are not in a running state: 'i-new'")
    _, outcome = actions_after(
        lambda cloud: cloud.register(ARN, cloud.launch(REQUEST).id, 80), LAUNCHED, pending, clock=clock
    )
    assert outcome.code == "InvalidTarget"
    assert clock.now() == 0


MISMATCH = refusal("IdempotentParameterMismatch")


def test_c32_a_token_used_before_finds_its_instance_when_it_is_the_same_thing():
    same = instance_xml("i-first", imageId="ami-1", subnetId="subnet-1")
    endpoint, found = actions_after(lambda cloud: cloud.launch(REQUEST), MISMATCH, described(same))
    assert found.id == "i-first"
    assert endpoint.asked[1]["Filter.1.Name"] == "client-token"


def test_c32_a_token_used_before_in_another_zone_is_refused():
    other = instance_xml("i-first", imageId="ami-1", subnetId="subnet-2")
    _, outcome = actions_after(lambda cloud: cloud.launch(REQUEST), MISMATCH, described(other))
    assert outcome.code == "IdempotentParameterMismatch"


NO_IMAGE = done("DescribeImages", "<imagesSet/>")
IMAGE = done(
    "DescribeImages",
    "<imagesSet><item><imageId>ami-1</imageId><name>run-1</name><imageState>failed</imageState>"
    "<stateReason><code>Client.SnapshotLimitExceeded</code><message>quota</message></stateReason>"
    "</item></imagesSet>",
)


def test_c21_an_image_is_taken_without_a_reboot_and_its_snapshots_are_named_after_it():
    made = done("CreateImage", "<imageId>ami-1</imageId>")
    endpoint, image = actions_after(
        lambda cloud: cloud.create_image("i-1", "run-1", {"Name": "site"}), NO_IMAGE, made
    )
    look, asked = endpoint.asked
    assert (look["Owner.1"], look["Filter.1.Value.1"]) == ("self", "run-1")
    assert asked["NoReboot"] == "true"
    assert (asked["TagSpecification.1.ResourceType"], asked["TagSpecification.1.Tag.1.Value"]) == (
        "image",
        "site",
    )
    assert (asked["TagSpecification.2.ResourceType"], asked["TagSpecification.2.Tag.1.Value"]) == (
        "snapshot",
        "run-1",
    )
    assert (image.id, image.state) == ("ami-1", "pending")


def test_c22_an_image_that_exists_though_it_was_not_listed_is_looked_for_again():
    clock = MemoryClock(0)
    duplicate = refusal("InvalidAMIName.Duplicate")
    endpoint, image = actions_after(
        lambda cloud: cloud.create_image("i-1", "run-1", {}),
        NO_IMAGE,
        duplicate,
        NO_IMAGE,
        NO_IMAGE,
        IMAGE,
        clock=clock,
    )
    assert endpoint.actions.count("CreateImage") == 1
    assert (image.id, image.state) == ("ami-1", "failed")
    assert image.state_reason == "Client.SnapshotLimitExceeded: quota"
    assert clock.now() == 2


def test_a_name_that_stays_taken_and_unseen_is_refused_after_a_minute():
    clock = MemoryClock(0)
    script = [NO_IMAGE, refusal("InvalidAMIName.Duplicate"), NO_IMAGE]
    _, outcome = actions_after(lambda cloud: cloud.create_image("i-1", "run-1", {}), *script, clock=clock)
    assert outcome.code == "InvalidAMIName.Duplicate"
    assert clock.now() == 60


def test_an_image_whose_name_only_looks_alike_is_not_adopted():
    made = done("CreateImage", "<imageId>ami-2</imageId>")
    _, image = actions_after(lambda cloud: cloud.create_image("i-1", "run-*", {}), IMAGE, made)
    assert image.id == "ami-2"


def test_only_tcp_rules_of_one_port_or_of_all_are_returned(cloud):
    permissions = [
        {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
        {"IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]},
        {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-2"}]},
        {"IpProtocol": "tcp", "FromPort": 8000, "ToPort": 8080, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
        {"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
        {"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
    ]
    with Stubber(cloud.ec2) as stub:
        stub.add_response("describe_security_groups", {"SecurityGroups": [{"IpPermissions": permissions}]})
        rules = cloud.ingress_rules("sg-1")
    assert rules == (
        IngressRule(0, from_group="sg-2"),
        IngressRule(0, cidr="::/0"),
        IngressRule(80, cidr="0.0.0.0/0"),
    )


def test_a_subnet_is_public_by_its_own_table_or_the_main_one(cloud):
    def subnet(number):
        return {
            "SubnetId": f"subnet-{number}",
            "VpcId": "vpc-1",
            "AvailabilityZone": f"zone-{number}",
            "AvailableIpAddressCount": 5,
            "MapPublicIpOnLaunch": False,
        }

    main = {"Associations": [{"Main": True}], "Routes": [{"GatewayId": "igw-1", "State": "active"}]}
    own = {
        "Associations": [{"Main": False, "SubnetId": "subnet-2"}],
        "Routes": [{"GatewayId": "local"}, {"NatGatewayId": "nat-1"}],
    }
    with Stubber(cloud.ec2) as stub:
        stub.add_response("describe_subnets", {"Subnets": [subnet(1), subnet(2)]})
        stub.add_response("describe_route_tables", {"RouteTables": [own, main]})
        found = cloud.subnets("vpc-1")
    assert [(one.id, one.is_public) for one in found] == [("subnet-1", True), ("subnet-2", False)]


def test_a_network_balancer_says_whether_it_crosses_zones_and_a_gateway_balancer_is_left_out(cloud):
    def balancer(name, kind):
        return {
            "LoadBalancerArn": f"{ARN}{name}",
            "LoadBalancerName": name,
            "Type": kind,
            "State": {"Code": "active"},
        }

    listed = [balancer("a", "application"), balancer("g", "gateway"), balancer("n", "network")]
    with Stubber(cloud.elbv2) as stub:
        stub.add_response("describe_load_balancers", {"LoadBalancers": listed})
        stub.add_response("describe_tags", {"TagDescriptions": []})
        stub.add_response(
            "describe_load_balancer_attributes",
            {"Attributes": [{"Key": "load_balancing.cross_zone.enabled", "Value": "false"}]},
        )
        with no_classic_balancers(cloud):
            found = cloud.load_balancers()
    assert [(one.name, one.is_cross_zone) for one in found] == [("a", True), ("n", False)]


def test_a_listener_made_meanwhile_is_returned(cloud):
    existing = {
        "ListenerArn": "l-1",
        "LoadBalancerArn": ARN,
        "Port": 80,
        "Protocol": "HTTP",
        "DefaultActions": [
            {
                "Type": "forward",
                "ForwardConfig": {
                    "TargetGroups": [{"TargetGroupArn": "a", "Weight": 0}, {"TargetGroupArn": "b"}]
                },
            }
        ],
    }
    with Stubber(cloud.elbv2) as stub:
        stub.add_response("describe_listeners", {"Listeners": []})
        stub.add_client_error("create_listener", "DuplicateListener")
        stub.add_response("describe_listeners", {"Listeners": [existing]})
        found = cloud.create_listener(ARN, 80, "b")
    assert found.forwards_to == (("a", 0), ("b", 1))


def test_a_balancer_that_exists_is_not_made_again(cloud):
    with Stubber(cloud.elbv2) as stub:
        stub.add_response("describe_load_balancers", {"LoadBalancers": [item("load_balancers", 1)]})
        stub.add_response("describe_tags", {"TagDescriptions": []})
        made = cloud.create_load_balancer(LoadBalancerRequest("lb-1", ("subnet-1",)))
    assert made.name == "lb-1"


@pytest.mark.parametrize(
    ("operation", "answer", "allowed"),
    [
        ("StopInstances", refusal("DryRunOperation", 412), True),
        ("StopInstances", refusal("UnauthorizedOperation", 403), False),
        ("RunInstances", refusal("InvalidAMIID.NotFound", message="'ami-later' does not exist"), True),
        ("RunInstances", refusal("InvalidPlacementGroup.Unknown", message="The group 'pg-later'"), True),
        ("RunInstances", refusal("InvalidSubnetID.NotFound", message="'subnet-1' does not exist"), False),
    ],
)
def test_a_rehearsal_tells_an_allowed_write_from_a_refused_one(operation, answer, allowed):
    parameters = {
        "StopInstances": {"InstanceIds": ["i-1"]},
        "RunInstances": {
            "ImageId": "ami-later",
            "SubnetId": "subnet-1",
            "Placement": {"GroupName": "pg-later"},
            "MinCount": 1,
            "MaxCount": 1,
        },
    }[operation]
    call = PlannedCall("ec2", operation, parameters, "says", placeholders=("ImageId", "Placement"))
    endpoint, outcome = actions_after(lambda cloud: cloud.rehearse(call), answer)
    assert endpoint.asked[0]["DryRun"] == "true"
    assert (outcome is None) is allowed


def test_an_endpoint_that_carries_out_a_rehearsal_is_found_out():
    call = PlannedCall("ec2", "StopInstances", {"InstanceIds": ["i-1"]}, "stop")
    _, outcome = actions_after(lambda cloud: cloud.rehearse(call), done("StopInstances"))
    assert "may have carried it out" in str(outcome)
    assert not isinstance(outcome, UnknownOutcome)
