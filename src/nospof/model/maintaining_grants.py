"""What own maintenance asks AWS for."""

from __future__ import annotations

from dataclasses import replace

from nospof.model.backup_grants import SERVES
from nospof.model.entry_grants import IN_AND_OUT
from nospof.model.grants import FORESEE, Grant, ec2, look
from nospof.model.shared_grants import (
    AROUND,
    COPY_DISKS,
    COPY_ENCRYPTED,
    INSIDE,
    KEEPS,
    MAY_STOP,
    POWER,
    PROMISE,
    RUN_INSIDE,
    START_ENCRYPTED,
    tag_what_is_made,
)

BOTH = (AROUND, INSIDE, POWER, START_ENCRYPTED, COPY_ENCRYPTED, PROMISE, FORESEE, IN_AND_OUT)
MAINTAIN_RUN = (
    look(*MAY_STOP, *KEEPS, *SERVES, "ec2:DescribeInstanceTypes"),
    *BOTH,
    *COPY_DISKS,
    tag_what_is_made("CreateImage"),
    replace(
        RUN_INSIDE, sid="RunCommand", why="have members do the command that was given, and ask how far it is"
    ),
    Grant(
        "RebootMembers",
        "reboot a member after its command (--reboot); leave this out where nobody needs it",
        ("ec2:RebootInstances",),
        ec2("instance"),
    ),
)
MAINTAIN_BACK = (
    look(
        *MAY_STOP,
        *SERVES,
        "ec2:DescribeImages",
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeReplaceRootVolumeTasks",
    ),
    *BOTH,
    RUN_INSIDE,
    Grant(
        "ReplaceRoot",
        "give a member the root volume of its image; the one it had is kept",
        ("ec2:CreateReplaceRootVolumeTask",),
        ec2("image", "instance", "replace-root-volume-task", "snapshot", "volume"),
    ),
)
