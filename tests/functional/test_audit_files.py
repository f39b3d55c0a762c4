"""`nospof audit FILE` as a person runs it: no account, no network, the right code and one clear line."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from support.site import nospof

SINGLE = """
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Second: {Type: String, Default: "no", AllowedValues: ["yes", "no"]}
Conditions:
  IsPair: !Equals [!Ref Second, "yes"]
Resources:
  Balancer:
    Type: AWS::ElasticLoadBalancingV2::LoadBalancer
    Properties: {Scheme: internet-facing, Subnets: [!Ref SubnetA, !Ref SubnetB]}
  SubnetA: {Type: AWS::EC2::Subnet, Properties: {AvailabilityZone: eu-west-1a, VpcId: vpc-1}}
  SubnetB: {Type: AWS::EC2::Subnet, Properties: {AvailabilityZone: eu-west-1b, VpcId: vpc-1}}
  Listener:
    Type: AWS::ElasticLoadBalancingV2::Listener
    Properties:
      LoadBalancerArn: !Ref Balancer
      Port: 80
      Protocol: HTTP
      DefaultActions: [{Type: forward, TargetGroupArn: !Ref Group}]
  Group:
    Type: AWS::ElasticLoadBalancingV2::TargetGroup
    Properties:
      Port: 80
      Protocol: HTTP
      VpcId: vpc-1
      HealthCheckIntervalSeconds: 5
      HealthCheckTimeoutSeconds: 2
      UnhealthyThresholdCount: 2
      Targets:
        - Id: !Ref One
        - !If [IsPair, {Id: !Ref Two}, !Ref "AWS::NoValue"]
  One:
    Type: AWS::EC2::Instance
    Properties:
      SubnetId: !Ref SubnetA
      ImageId: ami-1
      Tags: [{Key: "nospof:state", Value: none}]
  Two:
    Type: AWS::EC2::Instance
    Condition: IsPair
    Properties:
      SubnetId: !Ref SubnetB
      ImageId: ami-1
      Tags: [{Key: "nospof:state", Value: none}]
"""


@pytest.fixture
def template(tmp_path: Path) -> Path:
    file = tmp_path / "site.yaml"
    file.write_text(SINGLE)
    return file


def audit(home: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return nospof(home, "audit", *map(str, arguments))


def test_a_template_with_one_machine_has_its_two_single_points_with_their_line(
    template: Path, tmp_path: Path
) -> None:
    done = audit(tmp_path, template)
    assert done.returncode == 10, done.stderr
    assert done.stdout.startswith("2 single points of failure")
    line = 1 + SINGLE.splitlines().index("  One:")
    assert f"{template}:{line}" in "".join(done.stdout.split("\n     "))


def test_parameters_decide_whether_the_second_machine_exists(template: Path, tmp_path: Path) -> None:
    parameters = tmp_path / "parameters.json"
    parameters.write_text('[{"ParameterKey": "Second", "ParameterValue": "yes"}]')
    done = audit(tmp_path, template, "--parameters", parameters)
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("No single point of failure")


def test_the_same_template_gives_the_same_bytes_in_every_format(template: Path, tmp_path: Path) -> None:
    for chosen in ("text", "json", "jsonl", "sarif", "junit", "html", "dot", "mermaid"):
        first, second = (audit(tmp_path, template, "--format", chosen) for _ in range(2))
        assert first.stdout == second.stdout
        assert (first.returncode, bool(first.stdout)) == (10, True)


def test_the_formats_are_what_they_say(template: Path, tmp_path: Path) -> None:
    sarif = json.loads(audit(tmp_path, template, "--format", "sarif").stdout)
    place = sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"].endswith("site.yaml")
    junit = ElementTree.fromstring(audit(tmp_path, template, "--format", "junit").stdout)  # noqa: S314 (ours)
    assert junit.iter("failure")
    page = audit(tmp_path, template, "--format", "html").stdout
    assert "<svg" in page


def test_a_report_goes_into_a_file_and_the_verdict_to_the_person(template: Path, tmp_path: Path) -> None:
    done = audit(tmp_path, template, "--format", "json", "--output", tmp_path / "report.json")
    assert done.stdout == ""
    assert done.stderr.startswith("2 single points of failure")
    assert json.loads((tmp_path / "report.json").read_text())["exit_code"] == done.returncode == 10


def test_a_pipeline_fails_on_what_is_new_only(template: Path, tmp_path: Path) -> None:
    baseline = tmp_path / "before.json"
    audit(tmp_path, template, "--format", "json", "--output", baseline)
    same = audit(tmp_path, template, "--baseline", baseline, "--fail-on", "new")
    assert same.returncode == 0, same.stdout
    template.write_text(SINGLE.replace("HealthCheckIntervalSeconds: 5", "HealthCheckIntervalSeconds: 60"))
    worse = audit(tmp_path, template, "--baseline", baseline, "--fail-on", "new")
    assert worse.returncode == 10
    assert "new" in worse.stdout


def test_an_accepted_finding_stays_in_the_report_and_out_of_the_exit_code(
    template: Path, tmp_path: Path
) -> None:
    settings = tmp_path / "accepted.yaml"
    until = "2027-06-30"
    entries = "".join(
        f"  - {{rule: {rule}, service: {{service}}, resource: '*', reason: one is enough, owner: ops, "
        f"until: {until}}}\n"
        for rule in ("NSP101", "NSP201")
    )
    name = json.loads(audit(tmp_path, template, "--format", "json").stdout)["services"][0]["name"]
    settings.write_text("suppress:\n" + entries.replace("{service}", name))
    done = audit(tmp_path, template, "--settings", settings)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "NSP101" in done.stdout
    assert "one is enough" in done.stdout


def test_what_if_marks_what_a_change_would_bring(template: Path, tmp_path: Path) -> None:
    done = audit(tmp_path, template, "--what-if", "twin One in eu-west-1b")
    assert done.returncode == 0, done.stdout
    assert "Gone since" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("missing.json",), "there is no file or directory missing.json"),
        (("{template}", "--save", "x"), "--save is for an account"),
        (("{template}", "--probe"), "--probe is for an account"),
        (("{template}", "--region", "eu-west-1"), "--region is for an account"),
        (("{template}", "--fail-on", "new"), "give one with --baseline"),
        (("{template}", "--survive", "planet"), "choose from host, rack, zone, region"),
        (("{template}", "--service", "shop"), "no service goes by 'shop'"),
        (("{template}", "--what-if", "explode"), "is not understood"),
        (("{template}", "--baseline", "{template}"), "site.yaml"),
        (("{template}", "--settings", "missing.yaml"), "missing.yaml"),
        (("{template}", "--output", "/nowhere/report.txt"), "/nowhere/report.txt cannot be written"),
    ],
)
def test_a_mistake_is_one_clear_line_and_exit_code_2(
    template: Path, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    done = audit(tmp_path, *(one.replace("{template}", str(template)) for one in arguments))
    assert done.returncode == 2, done.stdout + done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
