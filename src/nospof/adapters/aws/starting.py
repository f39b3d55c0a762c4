"""Starts that AWS makes by itself: one-time schedules of EventBridge Scheduler, and the role they need."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from nospof.adapters.aws.permission import Permission
from nospof.errors import CloudError, NotFound
from nospof.model.starts import Role, ScheduledStart

START = "arn:{}:scheduler:::aws-sdk:ec2:startInstances"
"""A universal target: the call of an AWS service, with its parameters as the input."""
TAKEN = "ConflictException"


class Starting(Permission):
    """The part of the port that schedules starts."""

    @cached_property
    def scheduler(self) -> Any:
        """The client for EventBridge Scheduler."""
        return self._client("scheduler", "scheduler:*")

    def role(self, name: str) -> Role:
        """See the port."""
        with self.reading("iam:GetRole", name):
            found = self.iam.get_role(RoleName=name)["Role"]
        return Role(found["Arn"], trusted_services(found.get("AssumeRolePolicyDocument") or {}))

    def schedule_start(self, start: ScheduledStart) -> None:
        """See the port. The token makes a repeat of the same start, answer lost or not, one schedule."""
        parameters, token = parameters_of(start), f"{start.name}-{start.at:.0f}"
        try:
            with self.writing("scheduler:CreateSchedule", start.name):
                self.scheduler.create_schedule(**parameters, ClientToken=token)
        except CloudError as error:
            if error.code != TAKEN:
                raise
        else:
            return
        try:
            with self.writing("scheduler:UpdateSchedule", start.name):
                self.scheduler.update_schedule(**parameters)
        except NotFound:  # it came due, and went, between the two
            with self.writing("scheduler:CreateSchedule", start.name):
                self.scheduler.create_schedule(**parameters, ClientToken=token)

    def cancel_start(self, name: str) -> None:
        """See the port."""
        with self.deleting("scheduler:DeleteSchedule", name):
            self.scheduler.delete_schedule(Name=name)


def parameters_of(start: ScheduledStart) -> dict[str, Any]:
    """Return a start as CreateSchedule and UpdateSchedule take it: an update is a whole new schedule too.

    A start that is refused, for want of room say, is tried again for a day: AWS's own retry policy.
    """
    at = datetime.fromtimestamp(start.at, UTC)
    return {
        "Name": start.name,
        "ScheduleExpression": f"at({at:%Y-%m-%dT%H:%M:%S})",
        "ScheduleExpressionTimezone": "UTC",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "ActionAfterCompletion": "DELETE",
        "Target": {
            "Arn": START.format(start.role_arn.split(":")[1]),
            "RoleArn": start.role_arn,
            "Input": json.dumps({"InstanceIds": [start.instance_id]}),
        },
    }


def trusted_services(trust: Any) -> tuple[str, ...]:
    """Return the services that a trust policy lets take its role, whatever its conditions."""
    statements = trust.get("Statement", [])
    found = {
        service
        for one in (statements if isinstance(statements, list) else [statements])
        if one.get("Effect") == "Allow" and isinstance(one.get("Principal"), dict)
        for service in as_list(one["Principal"].get("Service", []))
    }
    return tuple(sorted(found))


def as_list(value: Any) -> list[Any]:
    """Return what may stand alone or in a list as a list."""
    return value if isinstance(value, list) else [value]
