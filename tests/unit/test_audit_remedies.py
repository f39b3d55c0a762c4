"""What the audit tells people to run: each command exists, and each remedy does what it says."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import click
import pytest

from nospof import audit
from nospof.audit.remedies_network import REMEDIES
from nospof.cli.main import LazyGroup
from nospof.model.findings import Finding
from nospof.services.audit import audit_estate
from support.aws_commands import PLACEHOLDER, WrongCommand, parse
from support.remedy_scenes import SCENES

SOURCES = sorted(Path(audit.__path__[0]).glob("*.py"))
UNPROVOKED = {"NSP108", "NSP503"}
"""The first is words only; the second is mended as NSP601 is, which is met."""


@cache
def told(name: str) -> tuple[Finding, ...]:
    """Return what the audit finds in a scene."""
    return tuple(one for service in audit_estate(SCENES[name]).services for one in service.findings)


def all_told() -> list[Finding]:
    return [one for name in SCENES for one in told(name)]


@pytest.mark.parametrize("name", SCENES)
def test_every_command_is_one_that_its_program_takes(name: str) -> None:
    for finding in told(name):
        for command in finding.remedy.commands:
            if command.startswith("nospof "):
                understood(command.split()[1:])
            else:
                parse(command)


def understood(words: list[str]) -> None:
    """Let click read a command of ours without running it."""
    command: click.Command | None = LazyGroup("nospof")
    while isinstance(command, click.Group):
        command = command.get_command(click.Context(command), words.pop(0))
    assert command is not None, words
    command.make_context("nospof", words)


def test_every_command_in_the_source_is_printed_for_some_scene() -> None:
    printed = {" ".join(one.split()[1:3]) for each in all_told() for one in each.remedy.commands}
    written = {
        found
        for path in SOURCES
        for found in re.findall(r"aws ([a-z0-9]+ [a-z0-9-]{4,})", path.read_text())
        if not path.name.startswith("sampling")
    }
    assert len(written) > 20
    assert written <= printed, written - printed


def test_every_rule_with_a_remedy_of_its_own_is_met() -> None:
    assert set(REMEDIES) - UNPROVOKED <= {one.rule for one in all_told()}


@pytest.mark.parametrize("name", SCENES)
def test_every_finding_has_a_remedy_and_one_that_was_tried_works(name: str) -> None:
    for finding in told(name):
        assert finding.remedy.says, (finding.rule, finding.title)
        if finding.remedy.is_tried and (name, finding.rule) not in NOT_ALL:
            assert finding.remedy.is_verified, (finding.rule, finding.remedy)


NOT_ALL = {("a broker alone", "NSP201")}
"""Three brokers in the two zones that there are: one zone still has two of them."""


def test_a_placeholder_says_what_to_put_there() -> None:
    for finding in all_told():
        for command in finding.remedy.commands:
            assert all(len(one) > 1 for one in PLACEHOLDER.findall(command))
            rest = PLACEHOLDER.sub("", command)
            assert "<" not in rest, command
            assert "  " not in PLACEHOLDER.sub("x", command), command


@pytest.mark.parametrize(
    "command",
    [
        "aws rds modify-db-instances --db-instance-identifier x",
        "aws rds modify-db-instance --multi-az",
        "aws rds modify-db-instance --db-instance-identifier x --multi-az true",
        "aws rds modify-db-instance --db-instance-identifier x --multi-zone",
        "aws rds create-db-instance --db-instance-identifier x --engine --db-instance-class y",
        "aws elbv2 modify-target-group --target-group-arn x --matcher Http=200",
        "aws elbv2 register-targets --target-group-arn x --targets <the twin>=1",
        "aws ec2 create-nat-gateway --availability-mode many",
        "aws elb2 describe-load-balancers",
    ],
)
def test_a_wrong_command_is_noticed(command: str) -> None:
    with pytest.raises(WrongCommand):
        parse(command)


def commands(name: str, rule: str) -> tuple[str, ...]:
    """Return the commands of the first finding of a rule in a scene."""
    return next(one.remedy.commands for one in told(name) if one.rule == rule)


def test_a_group_of_one_that_may_not_grow_is_allowed_to() -> None:
    (command,) = commands("a group of one", "NSP101")
    assert "--max-size 2" in command
    (command,) = commands("a group of one in subnets", "NSP101")
    assert "--max-size" not in command
    assert command.endswith("--vpc-zone-identifier subnet-a,subnet-b")


def test_a_zone_is_enabled_beside_those_that_are() -> None:
    assert commands("two targets in a zone", "NSP201")[0].endswith("--subnets subnet-a subnet-b")


def test_a_twin_is_registered_where_its_source_is() -> None:
    assert commands("a classic balancer with one", "NSP101")[1:] == (
        "aws elb register-instances-with-load-balancer --load-balancer-name old --instances <the twin>",
    )


def test_what_has_no_machine_is_not_cloned() -> None:
    assert commands("one task", "NSP101") == (
        "aws ecs update-service --cluster arn:c --service web --desired-count 2",
    )


def test_a_shard_without_a_replica_gets_one_before_it_may_take_over() -> None:
    verbs = [one.split()[2] for one in commands("a cache alone", "NSP104")]
    assert verbs == ["increase-replica-count", "modify-replication-group"]


def test_a_key_whose_deletion_is_called_off_is_enabled_too() -> None:
    verbs = [one.split()[2] for one in commands("a database whose key ends", "NSP703")]
    assert verbs == ["cancel-key-deletion", "enable-key"]


@pytest.mark.parametrize("name", SCENES)
def test_a_description_is_told_no_command_as_nothing_has_its_id_yet(name: str) -> None:
    described = replace(SCENES[name], is_whole=False)
    found = [one for service in audit_estate(described).services for one in service.findings]
    assert [one.remedy.commands for one in found if one.remedy.commands] == []
