"""What a start that AWS makes by itself asks for: of whoever schedules it, and of the role that makes it."""

from __future__ import annotations

from nospof.model.grants import Grant, ec2

STARTS = "arn:*:scheduler:*:*:schedule/default/nospof-*"
"""A schedule is known by its name alone: schedules carry no tags."""
TAKE_START_BACK = Grant(
    "TakeStartBack",
    "take back the start that the dead run had asked AWS for (--dead-man)",
    ("scheduler:DeleteSchedule",),
    (STARTS,),
)
DEAD_MAN = (
    Grant(
        "ScheduleStart",
        "have AWS itself start the instance later, move that ahead, and take it back",
        ("scheduler:CreateSchedule", "scheduler:DeleteSchedule", "scheduler:UpdateSchedule"),
        (STARTS,),
    ),
    Grant(
        "PassTheDeadMan",
        "have it do so as the role of --dead-man-role; name that here where it is another one",
        ("iam:PassRole",),
        ("arn:*:iam::*:role/nospof-dead-man",),
        {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
    ),
    Grant(
        "LookAtTheDeadMan",
        "see whether it is there and AWS may take it; where this is denied, that is named as not checked",
        ("iam:GetRole",),
        ("arn:*:iam::*:role/nospof-dead-man",),
    ),
)
START_ONLY = Grant(
    "StartOnly", "start instances; name yours here to narrow it", ("ec2:StartInstances",), ec2("instance")
)
