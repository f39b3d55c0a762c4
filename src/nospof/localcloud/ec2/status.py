"""DescribeInstanceStatus: status checks and announced events, with its filters and pages."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from datetime import datetime
from typing import Any

from moto.core.parse import default_timestamp_parser

from nospof.localcloud.awserrors import AwsError
from nospof.localcloud.ec2.instances import Instance

Values = Callable[[Instance], list[str]]


def as_time(value: Any) -> datetime:
    """Return a time the request carries, parsed when moto left it as text."""
    if isinstance(value, datetime):
        return value
    if not value:
        raise AwsError("MissingParameter", "The request must contain the parameter NotBefore")
    return default_timestamp_parser(str(value))


def _of_events(field: str) -> Values:
    def values(instance: Instance) -> list[str]:
        found = (getattr(event, field) for event in instance.announced)
        return [
            v.strftime("%Y-%m-%dT%H:%M:%S.000Z") if isinstance(v, datetime) else str(v) for v in found if v
        ]

    return values


def _of_check(check: str, detail: bool) -> Values:
    def values(instance: Instance) -> list[str]:
        shown = getattr(instance, check)
        if not detail:
            return [shown["Status"]]
        return [entry["Status"] for entry in shown.get("Details", [])]

    return values


FILTERS: dict[str, Values] = {
    "availability-zone": lambda instance: [str(instance.placement.zone)],
    "availability-zone-id": lambda instance: [instance.availability_zone_id],
    "instance-state-name": lambda instance: [instance.state],
    "instance-state-code": lambda instance: [str(instance.state_code)],
    "instance-status.status": _of_check("instance_status", detail=False),
    "instance-status.reachability": _of_check("instance_status", detail=True),
    "system-status.status": _of_check("system_status", detail=False),
    "system-status.reachability": _of_check("system_status", detail=True),
    "attached-ebs-status.status": lambda instance: [
        "ok" if instance.state == "running" else "not-applicable"
    ],
    "operator.managed": lambda _: ["false"],
    "operator.principal": lambda _: [],
    "event.code": _of_events("code"),
    "event.description": _of_events("description"),
    "event.instance-event-id": _of_events("instance_event_id"),
    "event.not-before": _of_events("not_before"),
    "event.not-after": _of_events("not_after"),
    "event.not-before-deadline": _of_events("not_before_deadline"),
}


def _passes(instance: Instance, filters: list[dict[str, Any]]) -> bool:
    for item in filters:
        name = item.get("Name", "")
        if name not in FILTERS:
            raise AwsError("InvalidParameterValue", f"The filter '{name}' is invalid")
        values = FILTERS[name](instance)
        if not any(fnmatch.fnmatchcase(v, wanted) for v in values for wanted in item.get("Values", [])):
            return False
    return True


def of_volume(volume: Any) -> dict[str, Any]:
    """Return what DescribeVolumeStatus tells of a volume that is well."""
    return {
        "VolumeId": volume.id,
        "AvailabilityZone": volume.zone.name,
        "VolumeStatus": {"Status": "ok", "Details": [{"Name": "io-enabled", "Status": "passed"}]},
    }


def describe(backend: Any, parameters: Any) -> dict[str, Any]:
    """Return the answer to DescribeInstanceStatus.

    Args:
        backend: moto's EC2 backend of the region.
        parameters: the parsed request.

    Raises:
        AwsError: an unknown filter or page, a page size out of range, ids and a page size together.
    """
    ids, size = parameters.get("InstanceIds") or [], parameters.get("MaxResults")
    if ids and size is not None:
        raise AwsError(
            "InvalidParameterCombination",
            "The parameter instancesSet cannot be used with the parameter maxResults",
        )
    if size is not None and not 5 <= int(size) <= 1000:
        raise AwsError("InvalidParameterValue", f"Value ( {size} ) for parameter maxResults is invalid.")
    instances = backend.get_multi_instances_by_id(ids) if ids else backend.all_instances()
    filters = parameters.get("Filters") or []
    chosen = [
        instance
        for instance in instances
        if (parameters.get("IncludeAllInstances") or instance.state == "running")
        and _passes(instance, filters)
    ]
    token = str(parameters.get("NextToken") or 0)
    if not token.isdigit():
        raise AwsError("InvalidNextToken", "The specified NextToken is not valid.")
    start = int(token)
    end = start + (int(size) if size is not None else len(chosen))
    return {
        "InstanceStatuses": chosen[start:end],
        "NextToken": str(end) if end < len(chosen) else None,
    }
