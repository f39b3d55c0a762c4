"""What is asked for only because something names it: kinds, and images of others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nospof.adapters.saved.account import SavingDiscovery
from nospof.adapters.saved.opening import open_saved
from nospof.errors import CloudError
from nospof.model.estate import Estate
from nospof.model.kinds import ASKED
from nospof.services.reading import depth_of, read_estate
from nospof.services.reading_plan import FEW, IMAGE_NAMES, MENTIONS
from nospof.services.reading_requests import IMAGES_AT_ONCE
from support.scripted_discovery import ScriptedDiscovery

NOW = 1_800_000_000.0
LISTS = [one.call for one in ASKED.values() if not one.per and one.name not in MENTIONS]


def read(answers: dict[str, Any], **changes: Any) -> tuple[Estate, ScriptedDiscovery]:
    discovery = ScriptedDiscovery(answers, **changes)
    return read_estate(discovery, NOW), discovery


# What nothing names -----------------------------------------------------------------------------------


def routes(**route: str) -> dict[str, Any]:
    return {"ec2:DescribeRouteTables": [{"RouteTables": [{"RouteTableId": "rtb-1", "Routes": [route]}]}]}


def owned(call: str, rows: str, **fields: Any) -> dict[str, Any]:
    """Return the answer of a call with one record."""
    answer: Any = [fields]
    for part in reversed(rows.split(".")):
        answer = {part: answer}
    return {call: [answer]}


CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/1"
NAMING = [
    ({}, set()),
    (routes(GatewayId="local"), set()),
    (routes(NatGatewayId="nat-1"), {"NAT gateway"}),
    (routes(GatewayId="igw-1"), {"internet gateway"}),
    (routes(VpcPeeringConnectionId="pcx-1"), {"peering connection"}),
    (routes(GatewayId="vpce-1"), {"listed firewall"}),
    (
        routes(GatewayId="vgw-1"),
        {"internet gateway", "listed firewall", "VPN connection", "direct connection", "virtual interface"},
    ),
    (
        routes(TransitGatewayId="tgw-1"),
        {
            "transit gateway attachment",
            "listed firewall",
            "VPN connection",
            "direct connection",
            "virtual interface",
        },
    ),
    (
        owned("rds:DescribeDBInstances", "DBInstances", DBInstanceIdentifier="orders"),
        {"database proxy", "pending maintenance"},
    ),
    (
        owned("rds:DescribeDBInstances", "DBInstances", DBInstanceIdentifier="orders", KmsKeyId="k"),
        {"database proxy", "pending maintenance", "listed key"},
    ),
    (owned("route53:ListHostedZones", "HostedZones", Id="/hostedzone/Z"), {"health check"}),
    (
        owned(
            "cloudfront:ListDistributions",
            "DistributionList.Items",
            Id="E",
            ViewerCertificate={"ACMCertificateArn": CERTIFICATE},
        ),
        {"listed edge certificate"},
    ),
    (
        owned(
            "autoscaling:DescribeAutoScalingGroups",
            "AutoScalingGroups",
            AutoScalingGroupName="www",
            LaunchConfigurationName="old",
        ),
        {"launch configuration"},
    ),
    (
        owned(
            "ec2:DescribeInstances",
            "Reservations.Instances",
            InstanceId="i-1",
            Placement={"GroupName": "spread"},
        ),
        {"placement group"},
    ),
    (
        owned(
            "ec2:DescribeInstances",
            "Reservations.Instances",
            InstanceId="i-1",
            InstanceType="m5.large",
            InstanceLifecycle="scheduled",
        ),
        set(),
    ),
    (
        owned("ec2:DescribeInstances", "Reservations.Instances", InstanceId="i-1", InstanceLifecycle="spot"),
        {"spot request"},
    ),
    (
        owned("ec2:DescribeInstances", "Reservations.Instances", InstanceId="i-1", Placement={"HostId": "h"}),
        {"dedicated host"},
    ),
    (
        owned(
            "ec2:DescribeInstances", "Reservations.Instances", InstanceId="i-1", InstanceType="p4d.24xlarge"
        ),
        {"rack position"},
    ),
    (
        owned(
            "ec2:DescribeInstanceStatus",
            "InstanceStatuses",
            InstanceId="i-1",
            AttachedEbsStatus={"Status": "ok"},
        ),
        set(),
    ),
    (
        owned(
            "ec2:DescribeInstanceStatus",
            "InstanceStatuses",
            InstanceId="i-1",
            AttachedEbsStatus={"Status": "impaired"},
        ),
        {"volume status"},
    ),
    (
        owned(
            "ec2:DescribeLaunchTemplateVersions",
            "LaunchTemplateVersions",
            LaunchTemplateId="lt-1",
            VersionNumber=1,
            LaunchTemplateData={
                "CapacityReservationSpecification": {
                    "CapacityReservationTarget": {"CapacityReservationId": "cr-1"}
                }
            },
        ),
        {"capacity reservation"},
    ),
    (owned("kafka:ListClustersV2", "ClusterInfoList", ClusterArn="arn:k"), {"event source mapping"}),
    (owned("lambda:ListFunctions", "Functions", FunctionName="f"), set()),
]


@pytest.mark.parametrize(("answers", "kinds"), NAMING)
def test_what_nothing_names_is_not_asked_for(answers: dict[str, Any], kinds: set[str]) -> None:
    _, discovery = read(answers)
    wanted = [*LISTS, *(ASKED[one].call for one in kinds)]
    lists = {one.call for one in ASKED.values() if not one.per}
    assert sorted(call for call, _ in discovery.asked if call in lists) == sorted(wanted)


def test_every_kind_that_may_be_left_out_has_its_example() -> None:
    assert {kind for _, kinds in NAMING for kind in kinds} == MENTIONS.keys()


@pytest.mark.parametrize("kind", MENTIONS)
def test_a_kind_is_asked_for_when_nobody_could_read_what_may_name_it(kind: str) -> None:
    refused = {ASKED[one.kind].call: "AccessDenied" for one in MENTIONS[kind]}
    _, discovery = read({}, refused=refused)
    assert discovery.times(ASKED[kind].call) >= 1


def test_a_key_that_only_a_search_domain_names_is_described() -> None:
    key = "arn:aws:kms:eu-central-1:123456789012:key/1"
    encrypted = {"DomainName": "logs", "EncryptionAtRestOptions": {"KmsKeyId": key}}
    answers = {
        "opensearch:ListDomainNames": [{"DomainNames": [{"DomainName": "logs"}]}],
        "opensearch:DescribeDomains": [{"DomainStatusList": [encrypted]}],
        "kms:ListKeys": [{"Keys": [{"KeyId": "1", "KeyArn": key}]}],
    }
    _, discovery = read(answers)
    assert discovery.times("kms:DescribeKey") == 1


TYPES = "ec2:DescribeInstanceTypes"


def running(*types: str) -> dict[str, Any]:
    instances = [{"InstanceId": f"i-{number}", "InstanceType": one} for number, one in enumerate(types)]
    return {"ec2:DescribeInstances": [{"Reservations": [{"Instances": instances}]}]}


def test_only_types_that_may_have_local_disks_are_described_each_once() -> None:
    every = ("i3.large", "t3.small", "m5.large", "c7i-flex.large", "i3.large", "m5d.large", "", "r6id.large")
    _, discovery = read(running(*every))
    asked = [arguments for call, arguments in discovery.asked if call == TYPES]
    assert asked == [{"InstanceTypes": ["i3.large", "m5d.large", "r6id.large"]}]


def test_a_type_that_could_not_be_described_is_named() -> None:
    estate, _ = read(running("i3.large"), refused={TYPES: "UnauthorizedOperation"})
    assert [one.says for one in estate.unread] == [f"instance types ({TYPES}: UnauthorizedOperation)"]


STATUS = "route53:GetHealthCheckStatus"


def watched(checks: list[dict[str, Any]], *named: str) -> dict[str, Any]:
    records = [{"Name": f"{one}.", "Type": "A", "SetIdentifier": one, "HealthCheckId": one} for one in named]
    return {
        "route53:ListHostedZones": [{"HostedZones": [{"Id": "/hostedzone/Z"}]}],
        "route53:ListResourceRecordSets": [{"ResourceRecordSets": records}],
        "route53:ListHealthChecks": [{"HealthChecks": checks}],
    }


def checks(*names: str, **fields: Any) -> list[dict[str, Any]]:
    return [{"Id": one, "HealthCheckConfig": {"Type": "HTTP", **fields}} for one in names]


def test_only_the_checks_that_decide_an_answer_are_asked_for_their_status() -> None:
    others = [
        *checks("unnamed"),
        *checks("off", Disabled=True),
        *checks("metric", Type="CLOUDWATCH_METRIC"),
    ]
    answers = watched([*checks("named"), *others], "named", "off", "metric")
    _, discovery = read(answers)
    assert [one for one in discovery.asked if one[0] == STATUS] == [(STATUS, {"HealthCheckId": "named"})]


def test_many_checks_are_taken_to_pass_and_the_report_says_so() -> None:
    every = [f"c{number}" for number in range(FEW + 1)]
    for names, times in ((every[:-1], FEW), (every, 0)):
        estate, discovery = read(watched(checks(*names), *names))
        assert discovery.times(STATUS) == times
        assert any("health checks of names" in one for one in estate.assumptions) is (times == 0)


@pytest.mark.parametrize(("answers", "kinds"), NAMING)
def test_what_is_named_and_denied_is_unread(answers: dict[str, Any], kinds: set[str]) -> None:
    refused = {ASKED[one].call: "AccessDenied" for one in kinds}
    estate, _ = read(answers, refused=refused)
    assert {one.kind for one in estate.unread} >= {ASKED[one].plural for one in kinds}
    assert {one.operation for one in estate.unread} == refused.keys()


def test_mentions_are_fields_that_are_read_of_kinds_that_come_earlier() -> None:
    for kind, mentions in MENTIONS.items():
        for one in mentions:
            assert not one.path or one.path in ASKED[one.kind].paths
            assert depth_of(ASKED[one.kind]) < depth_of(ASKED[kind])
    assert all(one.path in ASKED[one.kind].paths for one in IMAGE_NAMES)


# Images of others -------------------------------------------------------------------------------------


IMAGES = "ec2:DescribeImages"


class Launching(ScriptedDiscovery):
    """An account that launches from images; of the ids that it is asked for it knows some.

    Args:
        own: the account's own images.
        known: those of others that can still be launched.
        launched: what the instances run.
        answers: of further calls.
    """

    def __init__(
        self, own: list[str], known: list[str], launched: list[str], answers: dict[str, Any] | None = None
    ) -> None:
        instances = [{"InstanceId": f"i-{number}", "ImageId": one} for number, one in enumerate(launched)]
        super().__init__(
            {"ec2:DescribeInstances": [{"Reservations": [{"Instances": instances}]}], **(answers or {})}
        )
        self.own, self.known = own, known
        self.batches: list[list[str]] = []
        self.refuses_filters = ""

    def pages(self, call: str, arguments: Any, *, is_global: bool = False) -> Any:
        if call != IMAGES or call in self._refused:
            yield from super().pages(call, arguments, is_global=is_global)
            return
        if "Owners" in arguments:
            found = self.own
        else:
            if self.refuses_filters:
                raise CloudError("refused", code=self.refuses_filters, operation=call)
            (wanted,) = arguments["Filters"]
            assert wanted["Name"] == "image-id"
            self.batches.append(wanted["Values"])
            found = [one for one in self.known if one in wanted["Values"]]
        yield {"Images": [{"ImageId": one, "State": "available"} for one in found]}


def states(estate: Estate) -> dict[str, str]:
    return {one.id: one.text("State") for one in estate.of("image")}


def test_an_image_of_another_owner_is_read_and_one_that_is_gone_is_known_to_be() -> None:
    discovery = Launching(["ami-1"], ["ami-2"], ["ami-1", "ami-2", "ami-3"])
    estate = read_estate(discovery, NOW)
    assert states(estate) == {"ami-1": "available", "ami-2": "available", "ami-3": "deregistered"}
    assert discovery.batches == [["ami-2", "ami-3"]]
    assert estate.unread == ()


def test_images_that_templates_and_configurations_name_are_read_too() -> None:
    data = {"LaunchTemplateId": "lt-1", "VersionNumber": 1, "LaunchTemplateData": {"ImageId": "ami-4"}}
    groups = [{"AutoScalingGroupName": "www", "LaunchConfigurationName": "old"}]
    configurations = [{"LaunchConfigurationName": "old", "ImageId": "ami-5"}]
    answers = {
        "ec2:DescribeLaunchTemplateVersions": [{"LaunchTemplateVersions": [data]}],
        "autoscaling:DescribeAutoScalingGroups": [{"AutoScalingGroups": groups}],
        "autoscaling:DescribeLaunchConfigurations": [{"LaunchConfigurations": configurations}],
    }
    estate = read_estate(Launching([], ["ami-4"], [], answers), NOW)
    assert states(estate) == {"ami-4": "available", "ami-5": "deregistered"}


def test_a_parameter_that_names_an_image_is_not_asked_for_as_one() -> None:
    discovery = Launching([], [], ["resolve:ssm:/golden"])
    assert states(read_estate(discovery, NOW)) == {}
    assert discovery.batches == []


def test_nothing_is_asked_where_every_image_is_the_accounts_own() -> None:
    discovery = Launching(["ami-1"], [], ["ami-1", "ami-1"])
    read_estate(discovery, NOW)
    assert discovery.batches == []


def test_many_images_are_asked_for_in_few_calls_each_once() -> None:
    every = [f"ami-{number:03}" for number in range(2 * IMAGES_AT_ONCE + 1)]
    discovery = Launching([], every, every * 2)
    estate = read_estate(discovery, NOW)
    assert sorted(map(len, discovery.batches)) == [1, IMAGES_AT_ONCE, IMAGES_AT_ONCE]
    assert [one.id for one in estate.of("image")] == every


def test_images_that_nobody_was_told_of_are_unread_and_never_gone() -> None:
    discovery = Launching(["ami-1"], [], ["ami-1", "ami-2", "ami-3"])
    discovery.refuses_filters = "Throttling"
    estate = read_estate(discovery, NOW)
    assert states(estate) == {"ami-1": "available"}
    assert [one.says for one in estate.unread] == [
        "images of ami-2 and 1 more (ec2:DescribeImages: Throttling)"
    ]


def test_images_that_are_denied_altogether_are_one_line() -> None:
    instances = {
        "ec2:DescribeInstances": [
            {"Reservations": [{"Instances": [{"InstanceId": "i", "ImageId": "ami-1"}]}]}
        ]
    }
    estate, _ = read(instances, refused={IMAGES: "AccessDenied"})
    assert [one.says for one in estate.unread] == ["images (ec2:DescribeImages: AccessDenied)"]
    assert states(estate) == {}


def test_a_replay_of_a_saved_account_knows_the_same_images(tmp_path: Path) -> None:
    discovery = Launching(["ami-1"], ["ami-2"], ["ami-1", "ami-2", "ami-3"])
    live = read_estate(SavingDiscovery(discovery, tmp_path, NOW), NOW)
    saved = open_saved([tmp_path])
    replay = read_estate(saved, saved.read_at)
    assert states(replay) == states(live)
    assert replay.unread == live.unread == ()


def dumped(directory: Path, images: list[dict[str, str]] | None) -> Estate:
    """Return what files of the command line tell: an instance of ami-1 and one of ami-2, and some images."""
    instances = [{"InstanceId": f"i-{one}", "ImageId": f"ami-{one}"} for one in (1, 2)]
    (directory / "instances.json").write_text(json.dumps({"Reservations": [{"Instances": instances}]}))
    if images is not None:
        (directory / "images.json").write_text(json.dumps({"Images": images}))
    saved = open_saved([directory])
    return read_estate(saved, NOW)


def test_an_image_that_is_not_among_the_files_is_not_said_to_be_gone(tmp_path: Path) -> None:
    estate = dumped(tmp_path, [{"ImageId": "ami-1", "State": "available"}])
    assert states(estate) == {"ami-1": "available"}
    assert [one.says for one in estate.unread if one.kind == "images"] == [
        "images of ami-2 (ec2:DescribeImages: not among the files given)"
    ]


def test_where_no_images_were_given_they_are_unread_in_one_line(tmp_path: Path) -> None:
    estate = dumped(tmp_path, None)
    assert [one.about for one in estate.unread if one.kind == "images"] == [""]
