"""A live account read through the discovery port, on the local cloud: complete, named where denied."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nospof.adapters.aws import connect
from nospof.adapters.aws.discovery import AwsDiscovery
from nospof.adapters.saved.account import SavingDiscovery
from nospof.adapters.saved.opening import open_saved
from nospof.errors import CloudError
from nospof.model.estate import Estate
from nospof.model.kinds import ASKED
from nospof.services.reading import read_estate
from nospof.services.reading_plan import FEW, MENTIONS
from support.ec2_words import launch, running
from support.local_cloud import REGION, RunningCloud

pytestmark = pytest.mark.local_cloud
SECONDS = 2.0
"""45 lists at some 10 ms each, and room for a busy machine."""


@pytest.fixture
def discovery(local_cloud: RunningCloud, monkeypatch: pytest.MonkeyPatch) -> AwsDiscovery:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    return AwsDiscovery(connect(REGION, "", local_cloud.url))


@pytest.fixture
def site(local_cloud: RunningCloud) -> Iterator[str]:
    """An instance behind a balancer; its id."""
    ec2, elbv2 = local_cloud.client("ec2"), local_cloud.client("elbv2")
    instance_id = running(ec2, launch(local_cloud))
    subnets = ec2.describe_subnets()["Subnets"][:2]
    group = elbv2.create_target_group(
        Name="www", Protocol="HTTP", Port=80, VpcId=subnets[0]["VpcId"], TargetType="instance"
    )["TargetGroups"][0]["TargetGroupArn"]
    arn = elbv2.create_load_balancer(
        Name="www",
        Subnets=[one["SubnetId"] for one in subnets],
        Tags=[{"Key": "nospof:service", "Value": "shop"}],
    )["LoadBalancers"][0]["LoadBalancerArn"]
    forward = [{"Type": "forward", "TargetGroupArn": group}]
    listener = elbv2.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=forward)
    elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": instance_id, "Port": 80}])
    yield instance_id
    elbv2.delete_listener(ListenerArn=listener["Listeners"][0]["ListenerArn"])
    elbv2.delete_load_balancer(LoadBalancerArn=arn)
    elbv2.delete_target_group(TargetGroupArn=group)
    ec2.terminate_instances(InstanceIds=[instance_id])


@pytest.fixture
def no_faults(local_cloud: RunningCloud) -> Iterator[None]:
    yield
    local_cloud.admin("DELETE", "inject")


def told(estate: Estate) -> dict[str, list[tuple[str, object]]]:
    return {name: [(one.id, one.fields) for one in each] for name, each in estate.items.items()}


def test_every_call_of_every_kind_is_answered_and_a_site_is_read_whole(
    discovery: AwsDiscovery, site: str
) -> None:
    estate = read_estate(discovery, time.time())
    assert [one.says for one in estate.unread] == []
    assert (estate.source, estate.account, estate.region) == ("AWS", "123456789012", REGION)
    assert site in {one.id for one in estate.of("instance")}
    assert [one.text("Target.Id") for one in estate.of("target")] == [site]
    assert [one.tags for one in estate.of("load balancer")] == [{"nospof:service": "shop"}]
    (group,) = estate.of("target group")
    (balancer,) = estate.of("load balancer")
    (listener,) = estate.of("listener")
    assert group.texts("LoadBalancerArns") == (balancer.id,)
    assert listener.text("LoadBalancerArn") == balancer.id
    assert {one.id for one in estate.of("instance status")} == {one.id for one in estate.of("instance")}


def test_a_replay_of_what_was_saved_gives_the_same(
    discovery: AwsDiscovery, site: str, tmp_path: Path
) -> None:
    now = time.time()
    live = read_estate(SavingDiscovery(discovery, tmp_path, now), now)
    saved = open_saved([tmp_path])
    replay = read_estate(saved, saved.read_at)
    assert told(replay) == told(live)
    assert (replay.read_at, replay.unread, replay.region) == (live.read_at, live.unread, live.region)


@pytest.mark.usefixtures("no_faults")
@pytest.mark.parametrize(
    ("service", "action", "code", "what"),
    [
        ("ec2", "DescribeVolumes", "UnauthorizedOperation", "volumes"),
        ("elbv2", "DescribeTargetHealth", "AccessDenied", "targets"),
        ("elbv2", "DescribeTags", "AccessDenied", "tags of load balancers"),
        ("globalaccelerator", "ListAccelerators", "AccessDeniedException", "accelerators"),
    ],
)
def test_what_is_denied_is_named(
    local_cloud: RunningCloud,
    discovery: AwsDiscovery,
    site: str,
    service: str,
    action: str,
    code: str,
    what: str,
) -> None:
    rule = {"service": service, "action": action, "code": code, "status": 403, "count": 0}
    assert local_cloud.admin("POST", "inject", rule)[0] == 200
    estate = read_estate(discovery, time.time())
    assert [(one.kind, one.reason) for one in estate.unread] == [(what, code)]


def test_lists_are_read_to_the_last_page(
    discovery: AwsDiscovery, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nospof.adapters.aws.discovery.page_size", lambda *_: 1)
    pages = list(discovery.pages("autoscaling:DescribeAutoScalingGroups", {}))
    assert pages
    images = [
        one for page in discovery.pages("ec2:DescribeImages", {"Owners": ["self"]}) for one in page["Images"]
    ]
    assert len(images) >= 2


def test_a_second_reading_of_a_small_account_takes_no_two_seconds(discovery: AwsDiscovery, site: str) -> None:
    read_estate(discovery, time.time())
    began = time.monotonic()
    read_estate(discovery, time.time())
    assert time.monotonic() - began < SECONDS


def test_an_operation_that_boto3_does_not_know_is_a_cloud_error(discovery: AwsDiscovery) -> None:
    for call in ("ec2:DescribeNonsense", "nonsense:DescribeNonsense"):
        with pytest.raises(CloudError):
            list(discovery.pages(call, {}))


def test_a_service_that_a_region_does_not_have_is_told_and_nobody_waits_for_it(
    monkeypatch: pytest.MonkeyPatch, local_cloud: RunningCloud
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    cloud = connect("eu-south-2", "", local_cloud.url)
    nobody = AwsDiscovery(cloud)
    monkeypatch.setattr(cloud, "_endpoint", "http://127.0.0.1:9")
    began = time.monotonic()
    with pytest.raises(CloudError) as refused:
        list(nobody.pages("apprunner:ListServices", {}))
    assert refused.value.code == "NotOfferedInRegion"
    assert time.monotonic() - began < SECONDS


def test_a_global_service_is_asked_in_the_region_it_lives_in(discovery: AwsDiscovery) -> None:
    list(discovery.pages("globalaccelerator:ListAccelerators", {}, is_global=True))
    list(discovery.pages("iam:ListServerCertificates", {}, is_global=True))
    assert set(discovery._clients) == {("globalaccelerator", "us-west-2"), ("iam", "us-east-1")}


@pytest.mark.parametrize("kind", MENTIONS)
def test_what_is_listed_only_where_something_names_it_is_answered_too(
    discovery: AwsDiscovery, kind: str
) -> None:
    one = ASKED[kind]
    pages = list(discovery.pages(one.call, dict(one.fixed), is_global=one.is_global))
    assert pages


def test_types_are_described_by_their_names(discovery: AwsDiscovery) -> None:
    kind, names = ASKED["instance type"], ["i3.large", "t3.small"]
    (page,) = discovery.pages(kind.call, {kind.argument: names})
    told = {one[kind.id]: one["InstanceStorageSupported"] for one in page[kind.rows]}
    assert told == {"i3.large": True, "t3.small": False}


@pytest.fixture
def launched(local_cloud: RunningCloud) -> Iterator[tuple[str, list[str]]]:
    """A template with three versions, the second the default; its id, and the images of the versions."""
    ec2 = local_cloud.client("ec2")
    own = ec2.describe_images(Owners=["self"])["Images"][0]["ImageId"]
    images = [own, "ami-0123456789abcdef0", "ami-0123456789abcdef1"]
    created = ec2.create_launch_template(LaunchTemplateName="www", LaunchTemplateData={"ImageId": images[0]})
    template = created["LaunchTemplate"]["LaunchTemplateId"]
    for image in images[1:]:
        data = {"ImageId": image}
        ec2.create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData=data)
    ec2.modify_launch_template(LaunchTemplateId=template, DefaultVersion="2")
    yield template, images
    ec2.delete_launch_template(LaunchTemplateId=template)


def test_the_latest_and_the_default_version_of_every_template_come_in_one_call(
    discovery: AwsDiscovery, launched: tuple[str, list[str]]
) -> None:
    template, _ = launched
    estate = read_estate(discovery, time.time())
    versions = {one.text("VersionNumber"): one for one in estate.of("launch template version")}
    assert {one.text("LaunchTemplateId") for one in versions.values()} == {template}
    assert sorted(versions) == ["2", "3"]


def test_an_image_that_a_template_names_and_nobody_has_is_known_to_be_gone(
    discovery: AwsDiscovery, launched: tuple[str, list[str]], tmp_path: Path
) -> None:
    _, (own, *gone) = launched
    live = read_estate(SavingDiscovery(discovery, tmp_path, 0.0), 0.0)
    states = {one.id: one.text("State") for one in live.of("image")}
    assert states[own] == "available"
    assert [states[one] for one in gone] == ["deregistered"] * 2
    assert live.unread == ()
    assert told(read_estate(open_saved([tmp_path]), 0.0)) == told(live)


@pytest.fixture
def many_balancers(local_cloud: RunningCloud) -> Iterator[list[str]]:
    """More balancers than one call tells the tags of, each tagged with its own name."""
    ec2, elbv2 = local_cloud.client("ec2"), local_cloud.client("elbv2")
    subnets = [one["SubnetId"] for one in ec2.describe_subnets()["Subnets"][:2]]
    arns = []
    for number in range(FEW + 1):
        tags = [{"Key": "nospof:service", "Value": f"many-{number}"}]
        made = elbv2.create_load_balancer(Name=f"many-{number}", Subnets=subnets, Type="network", Tags=tags)
        arns.append(made["LoadBalancers"][0]["LoadBalancerArn"])
    yield arns
    for arn in arns:
        elbv2.delete_load_balancer(LoadBalancerArn=arn)


@pytest.mark.usefixtures("no_faults")
@pytest.mark.parametrize("is_denied", [False, True])
def test_every_one_of_many_balancers_has_its_tags_with_the_tag_index_and_without(
    local_cloud: RunningCloud,
    discovery: AwsDiscovery,
    many_balancers: list[str],
    tmp_path: Path,
    is_denied: bool,
) -> None:
    index = "resourcegroupstaggingapi"
    if is_denied:
        rule = {"service": index, "action": "GetResources", "code": "AccessDeniedException", "count": 0}
        assert local_cloud.admin("POST", "inject", rule)[0] == 200
    estate = read_estate(SavingDiscovery(discovery, tmp_path, 0.0), time.time())
    asked = [one.name for one in tmp_path.iterdir()]
    assert sum(one.startswith(f"{index}.") for one in asked) == 1
    assert sum(one.startswith("elbv2.DescribeTags.") for one in asked) == (2 if is_denied else 0)
    assert estate.unread == ()
    tagged = {one.id: one.tags.get("nospof:service") for one in estate.of("load balancer")}
    assert tagged == {arn: f"many-{number}" for number, arn in enumerate(many_balancers)}


def test_all_kinds_have_been_asked_for(discovery: AwsDiscovery, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = set()
    answer = discovery.pages
    monkeypatch.setattr(
        discovery, "pages", lambda call, *args, **kwargs: (asked.add(call), answer(call, *args, **kwargs))[1]
    )
    read_estate(discovery, time.time())
    assert {one.call for one in ASKED.values() if not one.per and one.name not in MENTIONS} <= asked
