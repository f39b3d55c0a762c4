"""AWS Health, as far as it tells of announced events; moto has nothing of it.

Only accounts with a support plan may ask ("You must have a Business, Enterprise On-Ramp, or Enterprise
Support plan", AWS Health API Reference); the local cloud's account has none until the admin API says so.
Every region's events are told at every endpoint, as Health has one for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.ec2.models import ec2_backends
from moto.utilities.utils import get_partition

from nospof.localcloud.awserrors import AwsError
from nospof.localcloud.cloud import current
from nospof.localcloud.ec2.events import ScheduledEvent

SERVICE = "health"
STATUSES = {"announced": "upcoming", "under way": "open", "over": "closed"}
TYPES = {
    "instance-reboot": "AWS_EC2_INSTANCE_REBOOT_MAINTENANCE_SCHEDULED",
    "system-reboot": "AWS_EC2_SYSTEM_REBOOT_MAINTENANCE_SCHEDULED",
    "instance-stop": "AWS_EC2_INSTANCE_STOP_SCHEDULED",
}
PAGE = 100
MOST_ARNS = 10

Document = dict[str, Any]


@dataclass(frozen=True)
class Told:
    """An event as Health tells it, with the instance it affects."""

    event: Document
    entity: Document
    description: str


def answer(operation: str, asked: Document) -> Document:
    """Return the answer to one of Health's questions.

    Args:
        operation: its name.
        asked: its input, in Health's own words.

    Raises:
        AwsError: no support plan, or a question that is not understood.
    """
    if not current().has_support_plan:
        raise AwsError(
            "SubscriptionRequiredException",
            "AWS Premium Support Subscription is required to use this service.",
        )
    operations = {
        "DescribeEvents": _describe_events,
        "DescribeAffectedEntities": _describe_affected_entities,
        "DescribeEventDetails": _describe_event_details,
    }
    if operation not in operations:
        raise AwsError("InvalidAction", f"The local cloud does not offer '{operation}' of 'health'.")
    if str(asked.get("locale", "en")).partition("-")[0] != "en":
        raise AwsError("UnsupportedLocale", f"The locale '{asked['locale']}' is not supported.")
    with current().lock:
        told = sorted(_told(), key=lambda one: one.event["lastUpdatedTime"], reverse=True)
    return operations[operation](told, asked)


def _told() -> Iterable[Told]:
    backends: list[tuple[str, str, Any]] = list(ec2_backends.iter_backends())
    for account, region, backend in backends:
        for instance in backend.all_instances():
            for event in instance.announced:
                yield _as_told(event, instance, account, region)


def _as_told(event: ScheduledEvent, instance: Any, account: str, region: str) -> Told:
    kind, partition = _type_of(event, instance.root_device_type), get_partition(region)
    arn = f"arn:{partition}:health:{region}::event/EC2/{kind}/{kind}_{event.instance_event_id}"
    changed = _seconds(event.changed)
    about: Document = {
        "arn": arn,
        "service": "EC2",
        "eventTypeCode": kind,
        "eventTypeCategory": "scheduledChange",
        "region": region,
        "availabilityZone": instance.placement.zone,
        "startTime": _seconds(event.not_before),
        "endTime": _seconds(event.not_after),
        "lastUpdatedTime": changed,
        "statusCode": STATUSES[event.phase],
        "eventScopeCode": "ACCOUNT_SPECIFIC",
    }
    entity = {
        "entityArn": f"arn:{partition}:health:{region}:{account}:entity/{event.instance_event_id}",
        "eventArn": arn,
        "entityValue": instance.id,
        "awsAccountId": account,
        "lastUpdatedTime": changed,
        "statusCode": "RESOLVED" if event.phase == "over" else "PENDING",
    }
    return Told(about, entity, event.description)


def _type_of(event: ScheduledEvent, root: str) -> str:
    if event.outage:
        return f"AWS_EC2_INSTANCE_{event.outage.upper()}_MAINTENANCE_SCHEDULED"
    persistent = "PERSISTENT_" if root == "ebs" else ""
    return TYPES.get(event.code, f"AWS_EC2_{persistent}INSTANCE_RETIREMENT_SCHEDULED")


def _seconds(moment: datetime) -> float:
    return moment.replace(tzinfo=UTC).timestamp()


# Questions ----------------------------------------------------------------------------------------------

Passes = Callable[[Told, list[Any]], bool]


def _event_is(member: str) -> Passes:
    return lambda told, wanted: told.event[member] in wanted


def _entity_is(member: str) -> Passes:
    return lambda told, wanted: told.entity[member] in wanted


def _is_within(member: str) -> Passes:
    def passes(told: Told, ranges: list[Any]) -> bool:
        moment = told.event[member]
        return any(one.get("from", moment) <= moment <= one.get("to", moment) for one in ranges)

    return passes


_OF_BOTH: dict[str, Passes] = {
    "eventArns": _event_is("arn"),
    "entityArns": _entity_is("entityArn"),
    "entityValues": _entity_is("entityValue"),
    "lastUpdatedTimes": _is_within("lastUpdatedTime"),
}
OF_EVENTS: dict[str, Passes] = {
    **_OF_BOTH,
    "eventTypeCodes": _event_is("eventTypeCode"),
    "eventTypeCategories": _event_is("eventTypeCategory"),
    "eventStatusCodes": _event_is("statusCode"),
    "services": _event_is("service"),
    "regions": _event_is("region"),
    "availabilityZones": _event_is("availabilityZone"),
    "startTimes": _is_within("startTime"),
    "endTimes": _is_within("endTime"),
}
OF_ENTITIES: dict[str, Passes] = {**_OF_BOTH, "statusCodes": _entity_is("statusCode")}


def _chosen(told: list[Told], asked: Document, filters: dict[str, Passes]) -> list[Told]:
    given = asked.get("filter") or {}
    for name in given:
        if name not in filters:
            raise AwsError("ValidationException", f"The local cloud does not know the filter '{name}'.")
    return [one for one in told if all(filters[name](one, given[name]) for name in given)]


def _page(found: list[Document], asked: Document, member: str) -> Document:
    size, token = asked.get("maxResults", PAGE), str(asked.get("nextToken") or "0")
    if not isinstance(size, int) or not 1 <= size <= PAGE:
        raise AwsError("ValidationException", f"'maxResults' must be between 1 and {PAGE}.")
    if not token.isdigit():
        raise AwsError("InvalidPaginationToken", "The token is not valid.")
    end = int(token) + size
    more = {"nextToken": f"{end:08}"} if end < len(found) else {}
    return {member: found[int(token) : end], **more}


def _describe_events(told: list[Told], asked: Document) -> Document:
    return _page([one.event for one in _chosen(told, asked, OF_EVENTS)], asked, "events")


def _describe_affected_entities(told: list[Told], asked: Document) -> Document:
    _check_arns((asked.get("filter") or {}).get("eventArns"))
    return _page([one.entity for one in _chosen(told, asked, OF_ENTITIES)], asked, "entities")


def _describe_event_details(told: list[Told], asked: Document) -> Document:
    arns = _check_arns(asked.get("eventArns"))
    known = {one.event["arn"]: one for one in told}
    return {
        "successfulSet": [
            {
                "event": known[arn].event,
                "eventDescription": {"latestDescription": known[arn].description},
                "eventMetadata": {},
            }
            for arn in arns
            if arn in known
        ],
        "failedSet": [
            {"eventArn": arn, "errorName": "InvalidEventArn", "errorMessage": "There is no such event."}
            for arn in arns
            if arn not in known
        ],
    }


def _check_arns(arns: Any) -> list[str]:
    if not isinstance(arns, list) or not 1 <= len(arns) <= MOST_ARNS:
        raise AwsError("ValidationException", f"'eventArns' must have between 1 and {MOST_ARNS} members.")
    return arns
