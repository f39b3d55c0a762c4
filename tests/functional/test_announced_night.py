"""A night in which AWS reboots both members of a pair, gone through by hand: nobody notices.

One member's reboot is rescheduled; the other is drained, and what AWS has announced happens to it. It is told
as over, and the member is put back. Then AWS takes back what it had announced for the first.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.balanced import balanced
from support.ec2_words import get, healthy, instance, launch, machine, running, status
from support.local_cloud import RunningCloud
from support.site import clients_of
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud

HOUR = 3600.0


def events_of(ec2: Any, instance_id: str) -> dict[str, dict[str, Any]]:
    return {one["InstanceEventId"]: one for one in status(ec2, instance_id)["Events"]}


def test_a_pair_goes_through_the_reboots_that_aws_announces_for_both_in_one_night(
    local_cloud: RunningCloud,
) -> None:
    ec2, elb = local_cloud.client("ec2"), local_cloud.client("elbv2")
    first, second = members = [running(ec2, launch(local_cloud)) for _ in range(2)]
    name, group = balanced(local_cloud, members)

    def in_service() -> set[str]:
        found = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return {one["Target"]["Id"] for one in found if one["TargetHealth"]["State"] == "healthy"}

    eventually(lambda: in_service() == {first, second})
    announced = {
        one: local_cloud.admin(
            "POST", "event", {"instance": one, "code": "system-reboot", "seconds": 2 * HOUR}
        )
        for one in members
    }
    of_first, of_second = (str(announced[one][1]["event"]) for one in members)
    in_danger = ec2.describe_instance_status(Filters=[{"Name": "event.code", "Values": ["system-reboot"]}])
    assert {first, second} <= {one["InstanceId"] for one in in_danger["InstanceStatuses"]}

    tomorrow = datetime.now(UTC) + timedelta(hours=26)
    ec2.modify_instance_event_start_time(InstanceId=second, InstanceEventId=of_second, NotBefore=tomorrow)
    host = machine(local_cloud, first)["host"]
    with clients_of(name) as answers:
        elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": first}])
        eventually(
            lambda: (
                [
                    one["Target"]["Id"]
                    for one in elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
                ]
                == [second]
            )
        )
        local_cloud.admin("POST", "scheduler", {"ahead_seconds": 2 * HOUR + 1})
        try:
            eventually(lambda: events_of(ec2, first)[of_first]["Description"].startswith("[Completed] "))
        finally:
            local_cloud.admin("POST", "scheduler", {"ahead_seconds": 0})
        eventually(lambda: machine(local_cloud, first)["boots"] == 2)
        healthy(ec2, first)
        eventually(lambda: get(instance(ec2, first)["PrivateIpAddress"]) == 200)
        elb.register_targets(TargetGroupArn=group, Targets=[{"Id": first}])
        eventually(lambda: in_service() == {first, second})
        seen = len(answers)
        eventually(lambda: len(answers) >= seen + 10, "visitors go on")
    assert set(answers) == {200}
    assert machine(local_cloud, first)["host"] != host
    assert (machine(local_cloud, second)["boots"], len(events_of(ec2, second))) == (1, 1)

    assert local_cloud.admin("POST", "event/cancel", {"event": of_second})[0] == 200
    assert events_of(ec2, second)[of_second]["Description"] == "[Canceled] scheduled reboot"
