"""One-time schedules of EventBridge Scheduler that really start instances, as the role they name.

moto keeps schedules and carries none out. Here those are carried out that are due at a time and start
instances; every other one is refused, for a schedule that never fires is worse than none.
"""

from __future__ import annotations

import json
import logging
import re
import time
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import moto.scheduler.urls
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.scheduler.models import scheduler_backends
from moto.scheduler.responses import EventBridgeSchedulerResponse as MotoSchedulerResponse
from moto.utilities.utils import get_partition

from nospof.localcloud import iam
from nospof.localcloud.awserrors import AwsError
from nospof.localcloud.cloud import current
from nospof.localcloud.policies import Asked, many

log = logging.getLogger(__name__)

SERVICE = "scheduler.amazonaws.com"
STARTS = re.compile(r"arn:[a-z-]+:scheduler:::aws-sdk:ec2:startInstances")
AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
AGAIN_SECONDS = 1.0
"""A start that is refused is tried again; AWS takes longer and longer between two tries."""


class EventBridgeSchedulerResponse(MotoSchedulerResponse):
    """moto's schedules, checked as AWS does, and a repeat with the same token answered as the first."""

    def create_schedule(self) -> str:
        """Make a schedule; with the token of one that is there, return that."""
        self._check()
        name, token = self.uri.split("/")[-1], self._get_param("ClientToken")
        group = self.scheduler_backend.get_schedule_group(self._get_param("GroupName"))
        earlier: Any = group.schedules.get(name)
        if earlier is not None and token and getattr(earlier, "client_token", "") == token:
            return json.dumps({"ScheduleArn": earlier.arn})
        answer = super().create_schedule()
        made: Any = group.get_schedule(name)
        made.client_token, made.not_before = token, 0.0
        return answer

    def update_schedule(self) -> str:
        """Replace a schedule as a whole."""
        self._check()
        answer = super().update_schedule()
        name = self.uri.split("?")[0].split("/")[-1]
        changed: Any = self.scheduler_backend.get_schedule(self._get_param("GroupName"), name)
        changed.action_after_completion = self._get_param("ActionAfterCompletion")
        changed.not_before = 0.0
        return answer

    def _check(self) -> None:
        target = self._get_param("Target") or {}
        expression = str(self._get_param("ScheduleExpression"))
        if not AT.fullmatch(expression) or not STARTS.fullmatch(str(target.get("Arn"))):
            raise AwsError(
                "ValidationException",
                "The local cloud carries out at(...) of ec2:startInstances, and no other schedule.",
            )
        try:
            datetime.fromisoformat(AT.fullmatch(expression)[1])  # type: ignore[index]
        except ValueError as error:
            raise AwsError("ValidationException", f"Invalid Schedule Expression {expression}.") from error
        roles = iam_backends[self.current_account][get_partition(self.region)].get_roles()
        trusts = {role.arn: role.assume_role_policy_document for role in roles}
        if SERVICE not in trusted_by(trusts.get(str(target.get("RoleArn")), "")):
            raise AwsError(
                "ValidationException",
                "The execution role you provide must allow AWS EventBridge Scheduler to assume the role.",
            )


def install() -> None:
    """Put our schedules in the place moto routes to. Called once, before the first request."""
    urls: Any = moto.scheduler.urls
    urls.url_paths = dict.fromkeys(urls.url_paths, EventBridgeSchedulerResponse.dispatch)


def trusted_by(document: str) -> set[str]:
    """Return the services that a trust policy lets take its role."""
    statements = many(json.loads(document or "{}").get("Statement", []))
    return {
        service
        for one in statements
        if one.get("Effect") == "Allow"
        for service in many((one.get("Principal") or {}).get("Service", []))
    }


def carry_out() -> bool:
    """Make every start that is due; return whether there was one. The cloud's lock is taken here.

    One that is refused stays, and is tried again; one that was made goes, where that was asked for.
    """
    now, is_any = time.time() + current().ahead_seconds, False
    backends: list[tuple[str, str, Any]] = list(scheduler_backends.iter_backends())
    for account, region, backend in backends:
        with current().lock:
            due = [
                (group, schedule)
                for group in backend.schedule_groups.values()
                for schedule in list(group.schedules.values())
                if max(due_at(schedule), getattr(schedule, "not_before", 0.0)) <= now
            ]
            for group, schedule in due:
                is_any = True
                try:
                    start(schedule.target, account, region)
                except AwsError as error:
                    log.warning("the schedule %s cannot be carried out yet: %s", schedule.name, error)
                    schedule.not_before = now + AGAIN_SECONDS
                else:
                    schedule.not_before = float("inf")
                    if schedule.action_after_completion == "DELETE":
                        group.delete_schedule(schedule.name)
    return is_any


def due_at(schedule: Any) -> float:
    """Return when a schedule is due, seconds since the epoch."""
    found = AT.fullmatch(schedule.schedule_expression)
    if found is None or schedule.state == "DISABLED":
        return float("inf")
    zone = schedule.schedule_expression_timezone
    local = datetime.fromisoformat(found[1])
    return local.replace(tzinfo=UTC if zone == "UTC" else ZoneInfo(zone)).timestamp()


def start(target: dict[str, Any], account: str, region: str) -> None:
    """Start the instances of a target, as its role.

    Raises:
        AwsError: the role may not, or an instance is not in a state for it, or there is no room.
    """
    partition = get_partition(region)
    backend: Any = ec2_backends[account][region]
    for instance_id in json.loads(target.get("Input") or "{}").get("InstanceIds", []):
        arn = f"arn:{partition}:ec2:{region}:{account}:instance/{instance_id}"
        tags = iam.tags_of(arn, account, region)
        known = {f"aws:ResourceTag/{key}": (value,) for key, value in tags.items()}
        asked = Asked("ec2:StartInstances", arn, {**known, "aws:RequestedRegion": (region,)})
        iam.refuse_unless_allowed(asked, target["RoleArn"], iam_backends[account][partition])
        backend.get_instance(instance_id).start()
