"""Rules of data that can be lost."""

from __future__ import annotations

from nospof.model.rules.rule import Rule

DATA = (
    Rule(
        "NSP301",
        "data/only-copy",
        title="One event destroys the only copy of some data.",
        why=(
            "An outage ends; lost data stays lost. A zone that is dark hides a disk and gives it back, "
            "but a dead disk without a copy takes orders, uploads and accounts with it."
        ),
        looks_at=(
            "Where each piece of data lives and which copies would be left, without counting those that "
            "one mistake reaches at once."
        ),
        remedy=(
            "A second copy elsewhere: replication for what must not be lost at all, snapshots for the rest."
        ),
        related=("NSP302", "NSP304", "NSP101"),
    ),
    Rule(
        "NSP302",
        "data/no-backup",
        title="There is no backup.",
        why=(
            "Replicas repeat a mistake within a second; only a backup remembers how it was before. A "
            "deleted table is the commonest disaster, and no second zone helps."
        ),
        looks_at=(
            "Backup retention, snapshots and protection plans of every store and of disks that hold the "
            "only copy of something."
        ),
        remedy="Turn automatic backups on, and restore one now and then to know that it works.",
        related=("NSP301", "NSP303", "NSP306"),
    ),
    Rule(
        "NSP303",
        "data/stale-backup",
        title="The newest backup is older than what may be lost.",
        why=(
            "A backup that stopped silently looks like one that works until the day it is needed. What "
            "came after it is what will be missing."
        ),
        looks_at="The time of the newest backup beside the recovery point that was asked for.",
        remedy="Find out why backups stopped, take one now, and let its age raise an alarm.",
        related=("NSP302",),
    ),
    Rule(
        "NSP304",
        "data/instance-store",
        title="Data lives on disks that vanish when the machine stops.",
        why=(
            "Local disks of an instance are emptied by a stop, a resize or a host failure. They suit "
            "scratch data and copies, never originals."
        ),
        looks_at=(
            "The local disks of each member's type, and what is written there where somebody looked inside."
        ),
        remedy="Move it to a volume, or treat it as a copy of something that lasts.",
        related=("NSP301",),
    ),
    Rule(
        "NSP305",
        "data/async-replica-only",
        title="The only other copy runs behind and does not take over.",
        why=(
            "An asynchronous replica misses the last moments and waits for a person to promote it. It "
            "shortens the repair; it is not a spare."
        ),
        looks_at="Read replicas and their sources, beside standbys that take over by themselves.",
        remedy="A standby that is in step and takes over by itself; keep the replica for reading.",
        related=("NSP103", "NSP401"),
    ),
    Rule(
        "NSP306",
        "data/no-deletion-protection",
        title="One wrong command deletes it.",
        why=(
            "Scripts run against the wrong account, and a stack that is removed takes its database "
            "along. A switch that must be turned off first costs nothing and stops both."
        ),
        looks_at="The deletion protection of stores and balancers.",
        remedy="Turn deletion protection on.",
        related=("NSP302",),
    ),
    Rule(
        "NSP307",
        "data/async-failover",
        title="A failover loses writes that were acknowledged.",
        why=(
            "Where nothing waits until another machine has a write, the one that takes over lacks the last "
            "ones. Clients were told that they are kept, and the old primary throws them away when it comes "
            "back."
        ),
        looks_at=(
            "What a look inside finds of PostgreSQL: Patroni's synchronous mode, and without Patroni the "
            "standbys that a primary waits for."
        ),
        remedy=(
            "Synchronous replication: writes take a little longer, and while no standby is there they go on "
            "unless it is strict."
        ),
        related=("NSP305", "NSP401"),
    ),
)
