"""Rules of one part that takes the service down."""

from __future__ import annotations

from nospof.model.rules.rule import Rule

SERVING = (
    Rule(
        "NSP100",
        "serving/down",
        title="Nothing can serve the clients, as configured or now.",
        why=(
            "This is no risk but a state: the service answers nobody. It is told before everything "
            "else, because what could fail next means nothing while nothing works."
        ),
        looks_at=(
            "The state of every machine, target and store the service needs, and whether anything is "
            "registered that could answer."
        ),
        remedy="Bring back what is out of service, or register a machine that can serve; then audit again.",
        related=("NSP409", "NSP101"),
    ),
    Rule(
        "NSP101",
        "serving/single-instance",
        title="One instance takes the service down.",
        why=(
            "Hardware retires, kernels panic and every patch needs a reboot. With one machine each of "
            "these is an outage, and most of its minutes a year come from planned work rather than from "
            "faults."
        ),
        looks_at=(
            "Which instances answer for the service: the targets behind its balancer, the members of "
            "its Auto Scaling group, or the address its name points to."
        ),
        remedy=(
            "A twin in another zone and both behind a balancer: `nospof clone`, then `nospof pair`. In "
            "an Auto Scaling group, two members in two zones."
        ),
        related=("NSP102", "NSP201", "NSP204", "NSP301"),
    ),
    Rule(
        "NSP102",
        "serving/single-volume",
        title="One volume takes the service down.",
        why=(
            "A volume has copies, but all within one zone and under one name: when it fails, what is "
            "mounted from it stops. It fails less often than a machine, and hurts more, since data goes "
            "with it."
        ),
        looks_at=(
            "The volumes each member needs to run, joined as its RAID or LVM does where somebody looked "
            "inside."
        ),
        remedy=(
            "A second machine with disks of its own. A mirror over two volumes mends the disk alone, "
            "not the machine above it."
        ),
        related=("NSP101", "NSP301", "NSP302"),
    ),
    Rule(
        "NSP103",
        "serving/single-database",
        title="One database instance takes the service down.",
        why=(
            "However many web servers there are, they stop together with the one database they all ask. "
            "A restore from backup takes as long as the data is large, and loses what came after the "
            "backup."
        ),
        looks_at=(
            "Whether the database has a standby that takes over by itself: Multi-AZ for RDS, two or "
            "more members for an Aurora cluster. A read replica is no standby."
        ),
        remedy="Turn Multi-AZ on, or give the cluster a second member in another zone.",
        related=("NSP201", "NSP305", "NSP408"),
    ),
    Rule(
        "NSP104",
        "serving/single-cache",
        title="One cache or session store takes the service down.",
        why=(
            "What starts as a cache ends as a need: sessions live in it, or the database cannot bear "
            "the load without it. Then the loss of one node logs everybody out or stops everything."
        ),
        looks_at=(
            "Replication groups, their failover setting and the zones of their nodes, and who uses them."
        ),
        remedy=(
            "A replica in another zone with automatic failover turned on; or declare in nospof.yaml "
            "that the service only degrades without it."
        ),
        related=("NSP201", "NSP401"),
    ),
    Rule(
        "NSP105",
        "serving/single-file-path",
        title="All members reach their files through one place.",
        why=(
            "A shared file system is as available as the way to it. One mount target, one server or a "
            "file system kept in one zone turns a pair of machines into a pair of clients of one thing."
        ),
        looks_at="Mount targets and the zones of file systems, and which of them each member mounts.",
        remedy=(
            "A mount target in every zone with members, mounted by name; a file system that spans zones."
        ),
        related=("NSP406", "NSP201"),
    ),
    Rule(
        "NSP106",
        "serving/zonal-balancer",
        title="The balancer itself stands in one zone.",
        why=(
            "A balancer is no better than its zones. With one zone enabled, that zone's failure closes "
            "the only door, and targets elsewhere are of no help."
        ),
        looks_at="The zones that are enabled on each balancer, not the number of its targets.",
        remedy="Enable a second zone on the balancer, with a healthy target in it.",
        related=("NSP201", "NSP409"),
    ),
    Rule(
        "NSP107",
        "serving/single-entry",
        title="Clients have one way in, and nothing moves them when it fails.",
        why=(
            "A name that points to one address, or a fixed address on one interface, sends every client "
            "to the same place whatever happens there. People then change it by hand, and wait for "
            "caches to forget."
        ),
        looks_at=(
            "The records of the service's name, their health checks, and what the addresses belong to."
        ),
        remedy=(
            "Point the name at a balancer by alias, or give its records health checks and a failover policy."
        ),
        related=("NSP101", "NSP407"),
    ),
    Rule(
        "NSP108",
        "serving/inline-appliance",
        title="All traffic passes through one appliance.",
        why=(
            "A firewall or proxy that stands in the path is part of the service, whoever looks after "
            "it. It is often the one machine nobody dares to restart."
        ),
        looks_at=(
            "Routes and endpoints that send a member's traffic through something before it reaches the "
            "clients."
        ),
        remedy="One appliance or endpoint per zone, each zone's traffic through its own.",
        related=("NSP201", "NSP601"),
    ),
    Rule(
        "NSP109",
        "serving/private-line",
        title="The service depends on one line to another site.",
        why=(
            "A tunnel or a private line ends in one device on each side. What the service fetches over "
            "it is gone as long as that line is."
        ),
        looks_at="VPN tunnels, Direct Connect links and the routes that use them.",
        remedy=(
            "A second line on other devices, better at another location, and routes that change by "
            "themselves."
        ),
        related=("NSP101",),
    ),
    Rule(
        "NSP110",
        "serving/identity-provider",
        title="Nobody can sign in when one identity provider fails.",
        why=(
            "Where every request must be signed in, the provider is as much a part of the service as "
            "its database, and it is often run by somebody else."
        ),
        looks_at="Listener rules and settings that ask another service who the client is.",
        remedy="Let sessions outlive a short loss of the provider, or use one that spans zones.",
        related=("NSP104",),
    ),
    Rule(
        "NSP111",
        "serving/single-broker",
        title="One broker or queue takes the service down.",
        why=(
            "A broker stands between parts so that each may fail alone; one broker means that they all "
            "fail together instead."
        ),
        looks_at="The brokers that members use, how many nodes each has, and in which zones.",
        remedy="A cluster, or an active and a standby broker, over two zones or more.",
        related=("NSP201", "NSP205"),
    ),
    Rule(
        "NSP112",
        "serving/single-part",
        title=(
            "One part that no other rule names, such as a process inside a machine, takes the service down."
        ),
        why=(
            "What serves is more than machines: a process nobody restarts, a task, a function or an "
            "appliance of its own kind can be the one thing everything needs."
        ),
        looks_at=(
            "Whatever the service was seen to need, by configuration, by declaration or by looking inside."
        ),
        remedy="A second one of it, where the first cannot take it along.",
        related=("NSP101", "NSP404"),
    ),
)
