"""What a service's announced maintenance needs beyond what taking one member's does."""

from __future__ import annotations

from nospof.model.grants import Grant, ec2

APPLY_MORE = (
    Grant("Reboot", "reboot a member (--by reboot)", ("ec2:RebootInstances",), ec2("instance")),
    Grant(
        "MoveEvents",
        "have AWS begin at another time (--by move)",
        ("ec2:ModifyInstanceEventStartTime",),
        ec2("instance"),
    ),
)
