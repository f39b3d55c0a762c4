"""Rules of capacity, and of what the audit itself could not see."""

from __future__ import annotations

from nospof.model.rules.rule import Rule

LIMITS = (
    Rule(
        "NSP801",
        "capacity/no-headroom",
        title="When one member is lost the others cannot bear the load.",
        why=(
            "Two members that are both busy are not a spare for each other: the second follows the "
            "first within minutes."
        ),
        looks_at=(
            "How many members run, how few the group may keep, and how many are needed where that is known."
        ),
        remedy="Keep one member more than the peak needs, and never let the group go below two.",
        related=("NSP802", "NSP101"),
    ),
    Rule(
        "NSP802",
        "capacity/zone-loss-needs-launch",
        title="After the loss of a zone new members must be launched before the load is borne.",
        why=(
            "That is the moment when everybody launches. Capacity that is running already is the only "
            "capacity that is sure."
        ),
        looks_at="The members in each zone beside the number that is needed.",
        remedy="Run enough in the other zones beforehand.",
        related=("NSP801", "NSP405"),
    ),
    Rule(
        "NSP803",
        "capacity/burst-credit",
        title="The shared file system becomes slow for everybody once its burst credit is used up.",
        why=(
            "In bursting mode EFS gives 50 KiB/s for each GiB stored, and more only from a credit: a small "
            "one serves well for weeks, then every page waits and every member's health check fails at once."
        ),
        looks_at="The throughput mode of file systems that members use, and how much they store.",
        remedy="Switch to elastic throughput, and keep code and caches on the members' own disks.",
        related=("NSP105", "NSP801"),
    ),
    Rule(
        "NSP901",
        "completeness/unread",
        title="The service may hang on something that could not be read.",
        why=(
            "What was not seen is not taken for sound: it might be the one thing everything needs. The "
            "finding says so instead of passing over it."
        ),
        looks_at="Calls that were refused or failed, and what the service needs from them.",
        remedy="Grant the permission that is named, and audit again.",
        related=("NSP904",),
    ),
    Rule(
        "NSP902",
        "completeness/unresolved-module",
        title="A part of the description lies in a module that was not there.",
        why="Resources that are made in it, or settings that come out of it, may be what decides.",
        looks_at="References to modules and templates outside of what was given.",
        remedy="Audit the resolved plan, in which every module is unfolded.",
        related=("NSP904", "NSP903"),
    ),
    Rule(
        "NSP903",
        "completeness/syntax-error",
        title="A file could not be understood.",
        why="Everything that it describes is missing from the picture, so nothing is said of it.",
        looks_at="The files that were given.",
        remedy="Mend the file at the place that is named.",
        related=("NSP902",),
    ),
    Rule(
        "NSP904",
        "completeness/unknown-attribute",
        title="A setting that decides is not known before it is applied.",
        why=(
            "A plan leaves open what is computed later. Both ways are tried, and where they differ the "
            "finding is only possible."
        ),
        looks_at="Attributes that are unknown in the description and that some verdict hangs on.",
        remedy="Set it in the description, or audit the account afterwards.",
        related=("NSP901",),
    ),
    Rule(
        "NSP905",
        "completeness/conflicting-facts",
        title="Two sources contradict each other.",
        why="One of them is out of date, and a verdict on either would be a guess.",
        looks_at="The same field of the same resource, read twice.",
        remedy="Read again; if it stays, mend the source that is wrong.",
        related=("NSP901",),
    ),
)
