"""A hosted zone in a local cloud, and clients that find a service by a name in it as browsers do."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nospof.model.names import ALIAS_TTL

_numbers = itertools.count(1)


def zone_of(route53: Any, name: str) -> str:
    """Make a hosted zone; return its id."""
    made = route53.create_hosted_zone(Name=name, CallerReference=f"zone-{next(_numbers)}")
    return str(made["HostedZone"]["Id"]).rpartition("/")[2]


@dataclass
class Resolver:
    """Answers a name as Route 53 would, choosing by weight; each client remembers what it was told.

    Args:
        route53: the client that reads the records.
        zone_id: the zone.
        now: the time that counts for what is remembered.
        chance: chooses among weights.
    """

    route53: Any
    zone_id: str
    now: Callable[[], float]
    chance: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 - the same every time
    _known: dict[tuple[int, str], tuple[float, str]] = field(default_factory=dict)

    def host(self, client: int, name: str) -> str:
        """Return the address, or the balancer's name, that one client uses now."""
        until, known = self._known.get((client, name), (0.0, ""))
        if self.now() < until:
            return known
        asked = self.route53.list_resource_record_sets(HostedZoneId=self.zone_id, StartRecordName=name)
        here = [
            one for one in asked["ResourceRecordSets"] if one["Name"] == f"{name}." and one["Type"] == "A"
        ]
        weights = [one.get("Weight", 1) for one in here]
        (chosen,) = self.chance.choices(here, weights)
        if "AliasTarget" in chosen:
            ttl, answer = ALIAS_TTL, chosen["AliasTarget"]["DNSName"].rstrip(".")
        else:
            ttl, answer = chosen["TTL"], chosen["ResourceRecords"][0]["Value"]
        self._known[client, name] = (self.now() + ttl, answer)
        return str(answer)
