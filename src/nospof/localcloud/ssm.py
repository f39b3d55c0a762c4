"""SSM operations for Run Command and the list of managed instances."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import moto.ssm.urls
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.ec2.models import ec2_backends
from moto.ssm.responses import SimpleSystemManagerResponse

from nospof.localcloud.awserrors import AwsError
from nospof.localcloud.cloud import current
from nospof.localcloud.commands import Command, Invocation, RunCommand

DOCUMENT = "AWS-RunShellScript"
PAGE = 50

_run_command: RunCommand | None = None


def set_run_command(run_command: RunCommand) -> None:
    """Give the operations what delivers commands. Called once, before the first request."""
    global _run_command
    _run_command = run_command


def run_command() -> RunCommand:
    """Return what delivers commands."""
    if _run_command is None:
        raise RuntimeError("no local cloud runs in this process")
    return _run_command


class SsmResponse(SimpleSystemManagerResponse):
    """moto's SSM with Run Command made real."""

    def _instances(self) -> Iterator[Any]:
        for instance in ec2_backends[self.current_account][self.region].all_instances():
            if instance.state not in ("terminated", "shutting-down", "pending"):
                yield instance

    # Sending ------------------------------------------------------------------------------------------

    def send_command(self) -> ActionResult:
        """Accept a script for instances that run; it is delivered in the background."""
        document = self._get_param("DocumentName") or ""
        if document.rsplit("/", 1)[-1] != DOCUMENT:
            raise AwsError("InvalidDocument", f"Document {document} does not exist; {DOCUMENT} does.")
        parameters = {key: list(value) for key, value in (self._get_param("Parameters") or {}).items()}
        if not parameters.get("commands"):
            raise AwsError("InvalidParameters", "The parameter 'commands' is required.")
        execution = (parameters.get("executionTimeout") or ["3600"])[0]
        if not execution.isdigit() or not 1 <= int(execution) <= 172_800:
            raise AwsError("InvalidParameters", f"executionTimeout '{execution}' is not 1 to 172800 seconds.")
        timeout = int(self._get_param("TimeoutSeconds") or 3600)
        if not 30 <= timeout <= 2_592_000:
            raise AwsError("ValidationException", "TimeoutSeconds must be between 30 and 2592000.")
        chosen = self._chosen_instances()
        command = Command(
            account=self.current_account,
            region=self.region,
            document=DOCUMENT,
            parameters=parameters,
            comment=self._get_param("Comment") or "",
            timeout_seconds=timeout,
            invocations={instance_id: Invocation(instance_id) for instance_id in chosen},
            targets=self._get_param("Targets") or [],
        )
        run_command().send(command)
        return ActionResult({"Command": _shown(command)})

    def _chosen_instances(self) -> list[str]:
        known = {instance.id: instance for instance in self._instances() if instance.state == "running"}
        ids = list(self._get_param("InstanceIds") or [])
        for target in self._get_param("Targets") or []:
            key, values = target.get("Key", ""), target.get("Values", [])
            if key == "InstanceIds":
                ids += values
            elif key.startswith("tag:"):
                ids += [i.id for i in known.values() if i.get_filter_value(key) in values]
            else:
                raise AwsError("InvalidTarget", f"Targets by '{key}' are not known to the local cloud.")
        wrong = [instance_id for instance_id in ids if instance_id not in known]
        if wrong:
            raise AwsError(
                "InvalidInstanceId",
                f"Instances [[{', '.join(wrong)}]] not in a valid state for account {self.current_account}",
            )
        return list(dict.fromkeys(ids))

    def cancel_command(self) -> ActionResult:
        """Cancel a command on all its instances or on those named."""
        run_command().cancel(
            self._command(self._get_param("CommandId")), self._get_param("InstanceIds") or []
        )
        return EmptyResult()

    # Looking ------------------------------------------------------------------------------------------

    def _command(self, command_id: str) -> Command:
        command = run_command().commands.get(command_id or "")
        if command is None or (command.account, command.region) != (self.current_account, self.region):
            raise AwsError("InvalidCommandId", f"The command ID {command_id} is not valid.")
        return command

    def _commands(self) -> list[Command]:
        if self._get_param("CommandId"):
            return [self._command(self._get_param("CommandId"))]
        wanted, here = self._get_param("InstanceId"), (self.current_account, self.region)
        found = [c for c in run_command().commands.values() if (c.account, c.region) == here]
        return [c for c in reversed(found) if not wanted or wanted in c.invocations]

    def get_command_invocation(self) -> ActionResult:
        """Return how a command went on an instance."""
        command = self._command(self._get_param("CommandId"))
        invocation = command.invocations.get(self._get_param("InstanceId") or "")
        if invocation is None:
            raise AwsError("InvocationDoesNotExist", "The command was not sent to that instance.")
        return ActionResult(
            {
                "CommandId": command.command_id,
                "InstanceId": invocation.instance_id,
                "Comment": command.comment,
                "DocumentName": command.document,
                "DocumentVersion": "1",
                "PluginName": "aws:runShellScript",
                "ResponseCode": invocation.exit_code,
                "ExecutionStartDateTime": _iso(invocation.started),
                "ExecutionEndDateTime": _iso(invocation.ended),
                "Status": invocation.status,
                "StatusDetails": invocation.details,
                "StandardOutputContent": invocation.stdout,
                "StandardErrorContent": invocation.stderr,
            }
        )

    def list_commands(self) -> ActionResult:
        """List commands, the newest first."""
        return self._page("Commands", [_shown(command) for command in self._commands()])

    def list_command_invocations(self) -> ActionResult:
        """List commands by instance, the newest first."""
        wanted = self._get_param("InstanceId")
        return self._page(
            "CommandInvocations",
            [
                _shown_invocation(command, invocation, bool(self._get_param("Details")))
                for command in self._commands()
                for invocation in command.invocations.values()
                if not wanted or invocation.instance_id == wanted
            ],
        )

    def describe_instance_information(self) -> ActionResult:
        """List the instances that have an agent, and whether it answers."""
        shown = [_information(instance) for instance in self._instances()]
        filters = {f["Key"]: f["Values"] for f in self._get_param("Filters") or []}
        filters |= {f["key"]: f["valueSet"] for f in self._get_param("InstanceInformationFilterList") or []}
        fields = {"InstanceIds": "InstanceId", "PingStatus": "PingStatus", "PlatformTypes": "PlatformType"}
        for key, values in filters.items():
            if key not in fields:
                raise AwsError("InvalidFilterKey", f"The filter key {key} is not known to the local cloud.")
            shown = [entry for entry in shown if entry[fields[key]] in values]
        return self._page("InstanceInformationList", shown)

    def _page(self, name: str, entries: list[dict[str, Any]]) -> ActionResult:
        token = str(self._get_param("NextToken") or "0")
        if not token.isdigit():
            raise AwsError("InvalidNextToken", "The specified token is not valid.")
        start, size = int(token), int(self._get_param("MaxResults") or PAGE)
        answer: dict[str, Any] = {name: entries[start : start + size]}
        if start + size < len(entries):
            answer["NextToken"] = str(start + size)
        return ActionResult(answer)


def _iso(moment: Any) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z" if moment else ""


def _shown(command: Command) -> dict[str, Any]:
    invocations = list(command.invocations.values())
    ended = [i for i in invocations if i.status not in ("Pending", "InProgress")]
    return {
        "CommandId": command.command_id,
        "DocumentName": command.document,
        "DocumentVersion": "1",
        "Comment": command.comment,
        "Parameters": command.parameters,
        "InstanceIds": [i.instance_id for i in invocations],
        "Targets": command.targets,
        "RequestedDateTime": command.requested,
        "Status": command.status,
        "StatusDetails": command.status,
        "TimeoutSeconds": command.timeout_seconds,
        "TargetCount": len(invocations),
        "CompletedCount": len(ended),
        "ErrorCount": sum(i.status in ("Failed", "TimedOut") for i in ended),
        "DeliveryTimedOutCount": sum(i.details == "DeliveryTimedOut" for i in ended),
    }


def _shown_invocation(command: Command, invocation: Invocation, details: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "CommandId": command.command_id,
        "InstanceId": invocation.instance_id,
        "Comment": command.comment,
        "DocumentName": command.document,
        "DocumentVersion": "1",
        "RequestedDateTime": command.requested,
        "Status": invocation.status,
        "StatusDetails": invocation.details,
    }
    if details:
        shown["CommandPlugins"] = [
            {
                "Name": "aws:runShellScript",
                "Status": invocation.status,
                "StatusDetails": invocation.details,
                "ResponseCode": invocation.exit_code,
                "Output": (invocation.stdout + invocation.stderr)[:2500],
            }
        ]
    return shown


def _information(instance: Any) -> dict[str, Any]:
    is_on = instance.state == "running" and current().hypervisor.state(instance.id) == "on"
    answers = is_on and not instance.is_cut_off
    return {
        "InstanceId": instance.id,
        "PingStatus": "Online" if answers else "ConnectionLost",
        "LastPingDateTime": utcnow(),
        "AgentVersion": "3.3.0.0",
        "IsLatestVersion": True,
        "PlatformType": "Linux",
        "PlatformName": "Debian GNU/Linux",
        "PlatformVersion": "12",
        "ResourceType": "EC2Instance",
        "IPAddress": instance.private_ip_address,
        "ComputerName": instance.private_dns_name,
    }


def install() -> None:
    """Route SSM here. Called once, before the first request."""
    moto.ssm.urls.url_paths = {"{0}/$": SsmResponse.dispatch}
