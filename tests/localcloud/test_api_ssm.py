"""Run Command of the local cloud: scripts run in the machine, and a dead machine is no success."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.ec2_words import healthy, launch, refused, running, stopped
from support.local_cloud import RunningCloud
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud

DOCUMENT = "AWS-RunShellScript"


@pytest.fixture
def ssm(local_cloud: RunningCloud) -> Any:
    return local_cloud.client("ssm")


@pytest.fixture(scope="module")
def source(local_cloud: RunningCloud) -> str:
    ec2 = local_cloud.client("ec2")
    instance_id = running(ec2, launch(local_cloud, "nospof-base"))
    healthy(ec2, instance_id)
    return instance_id


@pytest.fixture
def own(local_cloud: RunningCloud) -> Iterator[str]:
    """A machine a test may break."""
    ec2 = local_cloud.client("ec2")
    instance_id = running(ec2, launch(local_cloud, "nospof-base"))
    yield instance_id
    ec2.terminate_instances(InstanceIds=[instance_id])


def send(ssm: Any, instance_id: str, *commands: str, **more: Any) -> str:
    parameters = {"commands": list(commands), **more.pop("Parameters", {})}
    answer = ssm.send_command(InstanceIds=[instance_id], DocumentName=DOCUMENT, Parameters=parameters, **more)
    return str(answer["Command"]["CommandId"])


def ended(ssm: Any, command_id: str, instance_id: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        answer = ssm.get_command_invocation(CommandId=command_id, InstanceId=instance_id)
        return answer if answer["Status"] not in ("Pending", "InProgress") else None

    found = eventually(look)
    assert found is not None
    return found


def test_a_script_runs_in_the_machine_and_its_output_comes_back(
    local_cloud: RunningCloud, ssm: Any, source: str
) -> None:
    command_id = send(ssm, source, "echo written > mark", "echo out", "echo err >&2")
    answer = ended(ssm, command_id, source)
    assert (answer["Status"], answer["ResponseCode"]) == ("Success", 0)
    assert answer["StandardOutputContent"] == "out\n"
    assert answer["StandardErrorContent"] == "err\n"
    mark = local_cloud.endpoint.dir / "machines" / source / "disk" / "mark"
    assert mark.read_text() == "written\n"


def test_a_failing_script_is_failed_with_its_exit_code(ssm: Any, source: str) -> None:
    answer = ended(ssm, send(ssm, source, "exit 7"), source)
    assert (answer["Status"], answer["ResponseCode"]) == ("Failed", 7)


def test_a_script_that_takes_too_long_times_out(ssm: Any, source: str) -> None:
    command_id = send(ssm, source, "sleep 600", Parameters={"executionTimeout": ["1"]})
    answer = ended(ssm, command_id, source)
    assert (answer["Status"], answer["StatusDetails"]) == ("TimedOut", "ExecutionTimedOut")


def test_a_frozen_machine_gets_the_command_when_it_thaws(
    local_cloud: RunningCloud, ssm: Any, own: str
) -> None:
    local_cloud.admin("POST", "fault", {"instance": own, "fault": "freeze"})
    command_id = send(ssm, own, "echo thawed")
    answer = ssm.get_command_invocation(CommandId=command_id, InstanceId=own)
    assert answer["Status"] == "Pending"
    local_cloud.admin("POST", "fault", {"instance": own, "fault": "thaw"})
    assert ended(ssm, command_id, own)["StandardOutputContent"] == "thawed\n"


def test_a_machine_that_dies_under_a_command_fails_it(local_cloud: RunningCloud, ssm: Any, own: str) -> None:
    command_id = send(ssm, own, "sleep 600")
    look = {"CommandId": command_id, "InstanceId": own}
    eventually(lambda: ssm.get_command_invocation(**look)["Status"] == "InProgress")
    local_cloud.admin("POST", "fault", {"instance": own, "fault": "kill"})
    assert ended(ssm, command_id, own)["Status"] == "Failed"


def test_a_cancelled_command_stays_cancelled(local_cloud: RunningCloud, ssm: Any, own: str) -> None:
    local_cloud.admin("POST", "fault", {"instance": own, "fault": "kill"})
    command_id = send(ssm, own, "echo never")
    ssm.cancel_command(CommandId=command_id)
    assert ended(ssm, command_id, own)["Status"] == "Cancelled"
    [command] = ssm.list_commands(CommandId=command_id)["Commands"]
    assert command["Status"] == "Cancelled"


def test_commands_are_listed_by_instance(ssm: Any, source: str) -> None:
    command_id = send(ssm, source, "true", Comment="listed")
    ended(ssm, command_id, source)
    commands = ssm.list_commands(InstanceId=source)["Commands"]
    assert (commands[0]["CommandId"], commands[0]["Comment"]) == (command_id, "listed")
    [invocation] = ssm.list_command_invocations(CommandId=command_id, Details=True)["CommandInvocations"]
    assert invocation["CommandPlugins"][0]["Status"] == "Success"


def test_what_cannot_be_sent_is_refused(local_cloud: RunningCloud, ssm: Any, source: str, own: str) -> None:
    parameters = {"commands": ["true"]}
    unknown = {"InstanceIds": ["i-0123456789abcdef0"], "DocumentName": DOCUMENT, "Parameters": parameters}
    assert refused(ssm.send_command, **unknown) == "InvalidInstanceId"
    stopped(local_cloud.client("ec2"), own)
    assert refused(ssm.send_command, **{**unknown, "InstanceIds": [own]}) == "InvalidInstanceId"
    other = {"InstanceIds": [source], "DocumentName": "AWS-RunPowerShellScript", "Parameters": parameters}
    assert refused(ssm.send_command, **other) == "InvalidDocument"
    none = {"InstanceIds": [source], "DocumentName": DOCUMENT, "Parameters": {}}
    assert refused(ssm.send_command, **none) == "InvalidParameters"
    assert refused(ssm.list_commands, CommandId="0" * 36) == "InvalidCommandId"


def test_the_instances_that_answer_are_online(ssm: Any, source: str) -> None:
    filters = [{"Key": "InstanceIds", "Values": [source]}]
    [entry] = ssm.describe_instance_information(Filters=filters)["InstanceInformationList"]
    assert (entry["PingStatus"], entry["PlatformType"]) == ("Online", "Linux")
