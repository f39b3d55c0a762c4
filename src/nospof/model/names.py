"""Names as Route 53 keeps them: hosted zones and their record sets."""

from __future__ import annotations

from dataclasses import dataclass

ALIAS_TTL = 60
"""Seconds that clients remember an alias to a load balancer (Route 53 Developer Guide, "Choosing between
alias and non-alias records"): it is the balancer's and cannot be chosen."""

ZONES_LOOKED_AT = 20
"""Each hosted zone takes a call or more, and an account has five a second (Route 53 Developer Guide,
"Quotas"). Beyond that botocore's adaptive mode slows down by itself."""


@dataclass(frozen=True)
class HostedZone:
    """A zone of the account. A private one answers inside its VPCs only."""

    id: str
    name: str
    is_private: bool = False

    def holds(self, name: str) -> bool:
        """Whether a name could stand in this zone."""
        return name == self.name or name.endswith(f".{self.name}")


@dataclass(frozen=True)
class Alias:
    """What an alias leads to; `asks_health`: it is not answered while nothing there is healthy."""

    zone_id: str
    dns_name: str
    asks_health: bool = False


@dataclass(frozen=True)
class RecordSet:
    """What one name answers to one question. Names have no final dot.

    Args:
        name: in lower case.
        type: "A", "CNAME" and so on.
        ttl_seconds: how long clients remember it; 0 for an alias.
        values: what it answers; empty for an alias.
        alias: what it leads to, where it is one.
        identifier: tells it from others of its name and type; empty where it is the only one.
        weight: its share against that of the others; None where it has none.
        beyond: fields it has that are not read here, so it cannot be written again as it is.
    """

    name: str
    type: str
    ttl_seconds: int = 0
    values: tuple[str, ...] = ()
    alias: Alias | None = None
    identifier: str = ""
    weight: int | None = None
    beyond: tuple[str, ...] = ()

    @property
    def remembered_seconds(self) -> int:
        """How long clients keep an answer."""
        return ALIAS_TTL if self.alias else self.ttl_seconds

    @property
    def says(self) -> str:
        """The record in a few words."""
        target = f"alias to {self.alias.dns_name}" if self.alias else ", ".join(self.values)
        weight = "" if self.weight is None else f", weight {self.weight}"
        which = f" ({self.identifier}{weight})" if self.identifier else ""
        return f"{self.type} {target}{which}"


Records = tuple[RecordSet, ...]
"""All record sets of one name and type, by identifier."""


def says_of(records: Records) -> str:
    """Return what stands at a name, in words."""
    return "; ".join(record.says for record in records) or "nothing"


def fields_of(record: RecordSet) -> dict[str, object]:
    """Return a record set as Route 53 spells it."""
    made: dict[str, object] = {"Name": record.name, "Type": record.type}
    if record.identifier:
        made["SetIdentifier"] = record.identifier
    if record.weight is not None:
        made["Weight"] = record.weight
    if record.alias:
        return made | {
            "AliasTarget": {
                "HostedZoneId": record.alias.zone_id,
                "DNSName": record.alias.dns_name,
                "EvaluateTargetHealth": record.alias.asks_health,
            }
        }
    return made | {
        "TTL": record.ttl_seconds,
        "ResourceRecords": [{"Value": value} for value in record.values],
    }


def batch_of(gone: Records, made: Records) -> list[dict[str, object]]:
    """Return the changes that put record sets in the place of others, all or none of which are made."""
    actions = [("DELETE", record) for record in gone] + [("CREATE", record) for record in made]
    return [{"Action": action, "ResourceRecordSet": fields_of(record)} for action, record in actions]
