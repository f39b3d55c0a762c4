"""Rules of ways out, of those who watch, and of dates that are known."""

from __future__ import annotations

from nospof.model.rules.rule import Rule

REACH = (
    Rule(
        "NSP601",
        "egress/single-nat",
        title="All members reach the outside through one gateway.",
        why=(
            "Pages may still be served, but payments, mail and updates stop. When the gateway's zone "
            "fails, members in healthy zones lose their way out with it."
        ),
        looks_at="The route out of every member's subnet, and the zone of the gateway it leads to.",
        remedy="A gateway in each zone with members, each subnet routed to its own.",
        related=("NSP503", "NSP602"),
    ),
    Rule(
        "NSP602",
        "egress/single-endpoint-leg",
        title="All members reach an AWS service through an endpoint in one zone.",
        why=(
            "An interface endpoint lives in the subnets it was given. With one of them, the zone of "
            "that subnet decides whether the others reach secrets, queues or images."
        ),
        looks_at="The subnets of interface endpoints beside the zones of the members that use them.",
        remedy="Add a subnet in each zone that has members.",
        related=("NSP601",),
    ),
    Rule(
        "NSP603",
        "admin/single-watcher",
        title="Nobody can watch or manage the service when one part fails.",
        why=(
            "Clients notice nothing, and neither do you: the bastion or the monitor is the part that is "
            "missing exactly when something else breaks."
        ),
        looks_at="What operators use to reach and watch the members, where it was read or declared.",
        remedy="A second one in another zone, or a way in that needs no machine of its own.",
        related=("NSP604",),
    ),
    Rule(
        "NSP604",
        "admin/watcher-inside",
        title="What watches the service fails together with it.",
        why=(
            "A monitor in the zone it watches is silent at the moment it was bought for, and silence "
            "looks like health."
        ),
        looks_at="Where the probes and alarms of a service run.",
        remedy="Watch from another zone, better from another region.",
        related=("NSP603",),
    ),
    Rule(
        "NSP701",
        "dated/certificate",
        title="A certificate ends, and nothing renews it.",
        why=(
            "On that day every client is refused at once, whatever the redundancy behind. Imported "
            "certificates renew themselves only if somebody built that."
        ),
        looks_at="The certificates in use, the day they end, and whether they renew by themselves.",
        remedy="A certificate that AWS renews, validated by DNS; or renew and import it before the day.",
        related=("NSP705", "NSP702"),
    ),
    Rule(
        "NSP702",
        "dated/domain",
        title="The registration of the name ends.",
        why=(
            "The name stops resolving for everybody, and may be bought by somebody else. Reminders go "
            "to an address that nobody reads."
        ),
        looks_at="The registered domains, the day they end, and whether they renew by themselves.",
        remedy="Turn automatic renewal on, and keep the contact address alive.",
        related=("NSP701",),
    ),
    Rule(
        "NSP703",
        "dated/key-deletion",
        title="A key that is in use is going to be deleted.",
        why=(
            "When the waiting period is over, everything that was encrypted with the key is unreadable "
            "for ever, backups too."
        ),
        looks_at="The state and deletion date of the keys that the service's stores and disks name.",
        remedy="Cancel the deletion; disable the key first to see who still needs it.",
        related=("NSP505", "NSP207"),
    ),
    Rule(
        "NSP704",
        "dated/forced-maintenance",
        title="Maintenance will be forced on a part without a spare.",
        why="After the given date it happens in the next window, whether you are ready or not.",
        looks_at="Pending maintenance actions and the day from which they are no longer optional.",
        remedy="Apply it earlier, at an hour of your choice; better, give the part a standby first.",
        related=("NSP204", "NSP103"),
    ),
    Rule(
        "NSP705",
        "dated/ca-bundle",
        title="The certificate of a database or its authority ends.",
        why="Clients that check it refuse to connect from that day on, all at the same time.",
        looks_at="The certificate authority of each database instance and the day its certificate ends.",
        remedy="Give clients the new bundle first, then move the database to the new authority.",
        related=("NSP701", "NSP103"),
    ),
)
