"""The assumptions, as data: how often things fail, how long it takes, and what AWS promises.

No rate of zone outages or instance faults is published, so most figures are assumptions and say so.
A figure of a service level agreement is what AWS pays credit for; it is never mixed with them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from nospof.errors import UsageError
from nospof.model.settings import OwnRate, Range

Label = Literal["assumption", "vendor", "SLA", "own"]
JUDGED = "our judgement, wide on purpose: AWS publishes no such rate"


@dataclass(frozen=True)
class Rate:
    """How often a kind of failure happens a year, and the minutes to restore, as low, likely, high."""

    kind: str
    per_year: Range
    minutes: Range
    label: Label = "assumption"
    source: str = JUDGED

    @property
    def says(self) -> str:
        """The rate in one line, with its label and source."""
        often, long = ("/".join(f"{one:g}" for one in each) for each in (self.per_year, self.minutes))
        return f"{self.kind}: {often} a year, {long} min each ({self.label}: {self.source})"


@dataclass(frozen=True)
class Promise:
    """A published figure, in percent: of one kind, spread over zones or in one zone."""

    kind: str
    is_spread: bool
    percent: float
    url: str
    as_of: str

    @property
    def says(self) -> str:
        """The figure with its source and date."""
        return f"{self.percent:g} % ({self.url}, {self.as_of})"


ONCE: Range = (1.0, 1.0, 1.0)
DEFAULTS: tuple[Rate, ...] = (
    Rate("instance", (0.1, 0.5, 2), (30, 120, 480)),
    Rate("healing", ONCE, (4, 10, 30), source="the time a group needs to replace a machine; our judgement"),
    Rate("zone", (0.05, 0.2, 0.5), (60, 240, 600)),
    Rate("host", (0.02, 0.1, 0.3), (30, 120, 480)),
    Rate("spot pool", (0.2, 2, 12), (5, 60, 480)),
    Rate(
        "volume",
        (0.0005, 0.0015, 0.003),
        (60, 240, 1440),
        "vendor",
        "durability of EBS volumes, 99.8 to 99.9 % a year; the time to restore is our judgement",
    ),
    Rate("database", (0.2, 0.7, 2), (8, 25, 90)),
    Rate("database failover", (0.5, 1.5, 4), (0.5, 1.5, 4)),
    Rate("bad change", (0.5, 2, 6), (8, 30, 120)),
    Rate("own restart", (6, 12, 24), (2, 5, 15), source="patches and reboots of your own; our judgement"),
    Rate("maintenance", (0.2, 1, 2), (2, 10, 30)),
    Rate("managed service", (0.02, 0.1, 0.3), (20, 60, 180)),
    Rate("line", (0.2, 1, 4), (10, 60, 240)),
    Rate("expiry", ONCE, (30, 120, 600), source="once, on the day; our judgement"),
    Rate("noticing", ONCE, (0.2, 0.5, 1.5), source="where a health check's settings are not known; ours"),
    Rate("region", (0.02, 0.1, 0.3), (60, 180, 480)),
)
BETA: Range = (0.01, 0.05, 0.1)
"""Of the failures of one member, the part that takes all alike members (assumption)."""

RATE_OF_EVENT: dict[str, str] = {
    **dict.fromkeys(("instance", "NAT instance", "appliance", "process", "task"), "instance"),
    **dict.fromkeys(("host", "rack"), "host"),
    **dict.fromkeys(("database", "warehouse", "cache", "broker", "search"), "database"),
    **dict.fromkeys(("line", "tunnel", "customer gateway", "site"), "line"),
    **dict.fromkeys(("certificate", "domain", "database certificate", "key deletion"), "expiry"),
    **dict.fromkeys(
        ("NAT gateway", "endpoint", "mount target", "file system", "directory", "database proxy"),
        "managed service",
    ),
    **dict.fromkeys(("forced maintenance",), "maintenance"),
    **{one: one for one in ("zone", "spot pool", "volume", "maintenance", "region")},
}
"""Which rate an event goes by. What is not listed has no figure, and is named."""

ELB = "https://aws.amazon.com/elasticloadbalancing/sla/"
EC2 = "https://aws.amazon.com/compute/sla/"
RDS = "https://aws.amazon.com/rds/sla/"
AURORA = "https://aws.amazon.com/rds/aurora/sla/"
MEMORY = "https://aws.amazon.com/memorydb/sla/"
BLOG = (
    "https://aws.amazon.com/blogs/database/"
    "introducing-99-99-availability-with-amazon-elasticache-for-redis-and-amazon-memorydb-for-redis/"
)
EFS = "https://aws.amazon.com/efs/sla/"
TABLE = "https://cloudonaut.io/aws-sla-are-you-able-to-keep-your-availability-promise/"
PROMISES: tuple[Promise, ...] = (
    Promise("load balancer", True, 99.99, ELB, "2022-07-25"),
    Promise("load balancer", False, 99.9, ELB, "2022-07-25"),
    Promise("instance", True, 99.99, EC2, "2022-05-05"),
    Promise("instance", False, 99.5, EC2, "2022-05-05"),
    Promise("database", True, 99.95, RDS, "2024-01-22"),
    Promise("database", False, 99.5, RDS, "2024-01-22"),
    Promise("database cluster", True, 99.99, AURORA, "2022-05-19"),
    Promise("database cluster", False, 99.9, AURORA, "2022-05-19"),
    Promise("file system", True, 99.99, EFS, "2022-05-04"),
    Promise("file system", False, 99.9, EFS, "2022-05-04"),
    Promise("cache", True, 99.99, BLOG, "2023-02"),
    Promise("cache", False, 99.5, BLOG, "2023-02"),
    Promise("memory database", True, 99.99, MEMORY, "2024-12-01"),
    Promise("memory database", False, 99.5, MEMORY, "2024-12-01"),
    Promise("table", True, 99.99, TABLE, "2019-01-31"),
    Promise("bucket", True, 99.9, TABLE, "2019-01-31"),
    Promise("record", True, 100.0, TABLE, "2019-01-31"),
    Promise("distribution", True, 99.9, TABLE, "2019-01-31"),
    Promise("API", True, 99.95, TABLE, "2019-01-31"),
)


@dataclass(frozen=True)
class Rates:
    """The rates in force: by kind, and for single resources by their event."""

    by_kind: Mapping[str, Rate] = field(default_factory=lambda: {one.kind: one for one in DEFAULTS})
    by_event: Mapping[str, Rate] = field(default_factory=dict)

    def of(self, event_id: str, event_kind: str) -> Rate | None:
        """Return the rate of an event, or None where there is no figure."""
        own = self.by_event.get(event_id)
        key = RATE_OF_EVENT.get(event_kind, "")
        if own is None:
            return self.by_kind[key] if key else None
        base = self.by_kind.get(key, own)
        often = own.per_year if own.per_year != UNSAID else base.per_year
        long = own.minutes if own.minutes != UNSAID else base.minutes
        if UNSAID in (often, long):
            return None
        return Rate(own.kind, often, long, own.label, own.source)


UNSAID: Range = (-1.0, -1.0, -1.0)
"""Stands in an own rate for what its writer left as it was."""


def rates_with(own: Iterable[OwnRate]) -> Rates:
    """Return the rates with people's own in place of ours.

    Raises:
        UsageError: a kind that there is no rate for; a range that is none.
    """
    standard = Rates()
    by_kind, by_event = dict(standard.by_kind), {}
    for one in own:
        _refuse_bad(one, tuple(by_kind))
        source = one.source or f"told in {one.where}" if one.where else one.source or "told"
        if one.resource:
            by_event[one.resource] = Rate(
                one.resource, one.per_year or UNSAID, one.minutes or UNSAID, "own", source
            )
            continue
        base = by_kind[one.kind]
        by_kind[one.kind] = replace(
            base,
            per_year=one.per_year or base.per_year,
            minutes=one.minutes or base.minutes,
            label="own",
            source=source,
        )
    return Rates(by_kind, by_event)


def _refuse_bad(one: OwnRate, kinds: tuple[str, ...]) -> None:
    at = f"{one.where}: " if one.where else ""
    if bool(one.kind) == bool(one.resource):
        raise UsageError(f"{at}an assumption is about a kind of failure or about one resource: name one")
    if one.kind and one.kind not in kinds:
        near = difflib.get_close_matches(one.kind, kinds, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(kinds)}"
        raise UsageError(f"{at}no rate is called {one.kind!r}; {hint}")
    for name, each in (("per_year", one.per_year), ("minutes", one.minutes)):
        if each is not None and not (0 < each[0] <= each[1] <= each[2] < float("inf")):
            raise UsageError(f"{at}{name} must be low <= likely <= high, above zero, not {list(each)}")
