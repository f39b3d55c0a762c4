"""Rules of what keeps a spare from helping."""

from __future__ import annotations

from nospof.model.rules.rule import Rule

FAILOVER = (
    Rule(
        "NSP401",
        "failover/manual",
        title="There is a spare, and a person has to bring it in.",
        why=(
            "A person must be woken, understand and decide: that is half an hour on a good night. Until "
            "then the spare is as useful as none."
        ),
        looks_at=(
            "Whether what takes over does so by itself: failover settings, standbys, failover records."
        ),
        remedy="Let it happen automatically, and drill it so that people trust it.",
        related=("NSP305", "NSP405"),
    ),
    Rule(
        "NSP402",
        "failover/slow-detection",
        title="A dead target stays in service for more than 60 s.",
        why=(
            "Until the balancer notices, it goes on sending clients to a machine that answers nobody. "
            "With two members that is every second request."
        ),
        looks_at="Interval, timeout and unhealthy threshold of each group's health check.",
        remedy="A shorter interval or a lower threshold.",
        related=("NSP403", "NSP406"),
    ),
    Rule(
        "NSP403",
        "failover/matcher-hides-failure",
        title=(
            "The health check takes a redirect for health; a site sent to its installer or to a login passes."
        ),
        why=(
            "A site that lost its database often still answers, with a redirect to an error page. A "
            "check content with that never takes the member out."
        ),
        looks_at="The answers that each group's health check accepts.",
        remedy="A page that answers 200 only when the site works, and a matcher that says 200.",
        related=("NSP402", "NSP406"),
    ),
    Rule(
        "NSP404",
        "failover/dead-process-stays",
        title="A member whose process died is not replaced.",
        why=(
            "The Auto Scaling group asks only whether the machine is powered. A machine that runs and "
            "serves nobody stays, out of the balancer and without a successor."
        ),
        looks_at="The health check type of each Auto Scaling group that stands behind a balancer.",
        remedy="Let the group use the balancer's health check, with a grace period long enough to start.",
        related=("NSP402", "NSP508"),
    ),
    Rule(
        "NSP405",
        "failover/control-plane",
        title="The failover needs a change that AWS must make at that moment.",
        why=(
            "Calls that launch, move or re-point things are the first to slow down when a zone fails "
            "and everybody makes them. What is in place already goes on working."
        ),
        looks_at=(
            "What happens between failure and recovery: whether anything must be launched, attached or "
            "renamed."
        ),
        remedy="Keep enough running in every zone, so that nothing needs to be changed to survive.",
        related=("NSP802", "NSP401"),
    ),
    Rule(
        "NSP406",
        "failover/blind-dependency",
        title="Members fail in a way their health check does not see.",
        why=(
            "The balancer believes the check. If it asks for a static page while the files or the "
            "database are gone, broken members go on getting their share of clients."
        ),
        looks_at="What each member needs beside what its health check touches.",
        remedy=(
            "Let the checked page use what the site needs, with care that a shared failure does not "
            "take out all."
        ),
        related=("NSP402", "NSP403", "NSP105"),
    ),
    Rule(
        "NSP407",
        "failover/split-clients",
        title="Clients are divided between groups, and nobody moves them when one is lost.",
        why=(
            "Two halves without a way from one to the other are not a pair: when one stops, half of the "
            "clients are lost until a person acts."
        ),
        looks_at="Weights of listeners and records, and whether each part has health checks or a spare.",
        remedy="A spare within each group, or one group for all.",
        related=("NSP107",),
    ),
    Rule(
        "NSP408",
        "failover/bypassed-endpoint",
        title="Clients use the address of one member instead of the endpoint that fails over.",
        why=(
            "The cluster moves its endpoint and does all that was asked of it, but this client never "
            "asks there."
        ),
        looks_at=(
            "The addresses that members connect to or are configured with, beside the endpoints of the "
            "stores."
        ),
        remedy="Use the cluster's own endpoint, by name, in every client.",
        related=("NSP103", "NSP104"),
    ),
    Rule(
        "NSP409",
        "failover/target-outside-zones",
        title="A target is in a zone the balancer does not serve: it gets no traffic and is no spare.",
        why=(
            "It is paid for, it is registered, it looks like redundancy in every list, and no request "
            "reaches it."
        ),
        looks_at="The zone of each target beside the zones that its balancer has enabled.",
        remedy="Enable the zone on the balancer.",
        related=("NSP106", "NSP201"),
    ),
)
