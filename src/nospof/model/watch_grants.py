"""What whoever watches over maintenance asks AWS for: all that it begins, keeps and tells."""

from __future__ import annotations

from collections.abc import Iterable

from nospof.model.grants import Grant, look

PUBLISH = Grant(
    "TellATopic",
    "publish news to a topic of SNS (--sns); name yours here to narrow it, and leave this out without one",
    ("sns:Publish",),
    ("arn:*:sns:*:*:*",),
)


def joined(*several: Iterable[Grant]) -> tuple[Grant, ...]:
    """Return one policy's grants for what several grant: looks in one, and each other once."""
    looks, others = set[str](), dict[str, Grant]()
    sid = look().sid
    for grant in (one for each in several for one in each):
        if grant.sid == sid:
            looks.update(grant.actions)
        else:
            others.setdefault(grant.sid, grant)
    return (look(*looks), *others.values())
