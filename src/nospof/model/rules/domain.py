"""Rules of what several parts share, and lose together."""

from __future__ import annotations

from nospof.model.rules.rule import Rule

DOMAIN = (
    Rule(
        "NSP201",
        "domain/zone",
        title="One zone's failure takes the service down, though it may have many members.",
        why=(
            "A zone is a group of data centres with power and cooling in common. Members in the same "
            "zone protect each other from their own faults and from nothing that happens to the "
            "building."
        ),
        looks_at=(
            "The zone of every machine, disk, store and balancer leg, and the zones that each balancer "
            "serves."
        ),
        remedy=(
            "A member in another zone, or the zone enabled on the balancer when a target is there already."
        ),
        related=("NSP101", "NSP106", "NSP409"),
    ),
    Rule(
        "NSP202",
        "domain/host",
        title="One physical host takes every member down.",
        why=(
            "Machines on one dedicated host share its power supply, memory and network card. Two of "
            "them there count as one."
        ),
        looks_at="The dedicated host that each instance is placed on.",
        remedy="Place a member on another host, and let hosts recover by themselves.",
        related=("NSP203", "NSP201"),
    ),
    Rule(
        "NSP203",
        "domain/rack",
        title="All members share a rack, or may.",
        why=(
            "A cluster placement group puts machines near each other on purpose, for speed. One switch "
            "or power feed may then be under all of them. The same is likely of machines that hang on one "
            "network node, which EC2 tells of types for computing in groups. An Outpost is a rack or two of "
            "AWS in a room of your own: all that is on it shares power and line."
        ),
        looks_at=(
            "The placement group of every member, its strategy where it could be read, the Outpost it is on, "
            "and the lowest network node above it where EC2 tells."
        ),
        remedy=(
            "A second member outside of that group or Outpost, or a spread group, whose members never share "
            "a rack."
        ),
        related=("NSP201", "NSP202"),
    ),
    Rule(
        "NSP204",
        "domain/maintenance-window",
        title="What AWS has announced takes every member out in one window.",
        why=(
            "Scheduled events come with a date, and dates collide: two members retired on the same "
            "night are no spare for each other. It is critical when due within 14 days."
        ),
        looks_at=(
            "The scheduled events of every member, from first to last possible moment, and which "
            "windows overlap."
        ),
        remedy="Take one of them early, while the other serves: `nospof maintain take`.",
        related=("NSP101", "NSP704"),
    ),
    Rule(
        "NSP205",
        "domain/quorum",
        title="The loss of one domain leaves too few votes to go on.",
        why=(
            "A cluster that decides by majority needs more than half of its votes. Two of three in one "
            "place mean that this place decides alone whether the cluster lives. Two votes without a third "
            "are less available than one server: the loss of either stops both."
        ),
        looks_at=(
            "The voting members of each cluster and where they stand, arbitrators with them, as a look "
            "inside found them or as marks say; a vote is not a copy of the data."
        ),
        remedy="Three places with a vote each; the third may be a small arbitrator.",
        related=("NSP201", "NSP103"),
    ),
    Rule(
        "NSP206",
        "domain/spot-pool",
        title="All members are spot capacity of one pool.",
        why=(
            "When a pool runs dry, everything that was bought from it is taken back within two minutes, "
            "all members at the same time."
        ),
        looks_at="The purchase option, type and zone of every member.",
        remedy="Keep some members on demand, or spread over more types and zones.",
        related=("NSP201", "NSP801"),
    ),
    Rule(
        "NSP207",
        "domain/shared-key",
        title="All members need one key or one licence server.",
        why=(
            "What every member asks for at start or at work is shared by all of them, however many "
            "there are. A disabled key stops the whole pool, not one member."
        ),
        looks_at="The keys, secrets and licence servers that members name, and their state.",
        remedy=(
            "Protect it from deletion, and keep a second one, or a grace period, where the product allows it."
        ),
        related=("NSP505", "NSP703"),
    ),
    Rule(
        "NSP208",
        "domain/region",
        title="The whole service stands in one region.",
        why=(
            "The loss of a region is rare and long. Whether to pay for surviving it is the owner's "
            "choice, so this is asked only when wanted."
        ),
        looks_at="Everything the service needs, when --survive names the region.",
        remedy="A second region with its own copy of data and service, and a name that moves clients.",
        related=("NSP201", "NSP107"),
    ),
)
