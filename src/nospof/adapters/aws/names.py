"""Hosted zones and record sets of Route 53, which is one for all regions."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from nospof.adapters.aws.connection import Connection
from nospof.model.names import ZONES_LOOKED_AT, Alias, HostedZone, Records, RecordSet, batch_of

READ_HERE = frozenset({"Name", "Type", "TTL", "ResourceRecords", "AliasTarget", "SetIdentifier", "Weight"})
IN_SYNC = "INSYNC"


class Names(Connection):
    """The part of the port that speaks of names."""

    def hosted_zones(self) -> tuple[HostedZone, ...]:
        """See the port."""
        found = [
            HostedZone(
                one["Id"].rpartition("/")[2],
                plain(one["Name"]),
                bool(one.get("Config", {}).get("PrivateZone")),
            )
            for one in self._zones()
        ]
        return tuple(sorted(found, key=lambda zone: (zone.name, zone.id)))

    def record_sets(self, zone_id: str, name: str = "") -> Records:
        """See the port."""
        start = {"StartRecordName": name} if name else {}
        found = []
        with self.reading("route53:ListResourceRecordSets", zone_id):
            pages = self.route53.get_paginator("list_resource_record_sets")
            for page in pages.paginate(HostedZoneId=zone_id, **start):
                here = [as_record(one) for one in page["ResourceRecordSets"]]
                found += [record for record in here if name in ("", record.name)]
                if name and any(record.name != name for record in here):
                    break  # The list is in order, and so it begins with the name where that is there.
        return tuple(sorted(found, key=lambda one: (one.name, one.type, one.identifier)))

    def replace_records(self, zone_id: str, gone: Records, made: Records) -> str:
        """See the port."""
        changes: Any = batch_of(gone, made)
        with self.writing("route53:ChangeResourceRecordSets", zone_id):
            answer = self.route53.change_resource_record_sets(
                HostedZoneId=zone_id, ChangeBatch={"Changes": changes}
            )
        change_id = str(answer["ChangeInfo"]["Id"].rpartition("/")[2])
        self.made(change_id)
        return change_id

    def is_in_sync(self, change_id: str) -> bool:
        """See the port."""

        def ask() -> bool:
            with self.reading("route53:GetChange", change_id):
                answer = self.route53.get_change(Id=change_id)
            return bool(answer["ChangeInfo"]["Status"] == IN_SYNC)

        return self.patiently((change_id,), ask)

    def names_of(self, dns_name: str) -> tuple[str, ...]:
        """See the port."""
        found = {
            record["Name"].rstrip(".")
            for zone in self._zones()[:ZONES_LOOKED_AT]
            for record in self._records(zone)
            if dns_name.lower() in leads_to(record)
        }
        return tuple(sorted(found))

    def _zones(self) -> list[dict[str, Any]]:
        with self.reading("route53:ListHostedZones"):
            pages = self.route53.get_paginator("list_hosted_zones").paginate()
            return [one for page in pages for one in page["HostedZones"]]

    def _records(self, zone: dict[str, Any]) -> list[dict[str, Any]]:
        with self.reading("route53:ListResourceRecordSets", zone["Name"]):
            pages = self.route53.get_paginator("list_resource_record_sets")
            answers = pages.paginate(HostedZoneId=zone["Id"])
            return [one for page in answers for one in page["ResourceRecordSets"]]

    @cached_property
    def route53(self) -> Any:
        """The client for Route 53."""
        return self._client("route53", "route53:*")


def as_record(one: dict[str, Any]) -> RecordSet:
    """Return boto3's record set as ours."""
    alias = one.get("AliasTarget")
    return RecordSet(
        name=plain(one["Name"]),
        type=one["Type"],
        ttl_seconds=int(one.get("TTL") or 0),
        values=tuple(value["Value"] for value in one.get("ResourceRecords", ())),
        alias=Alias(alias["HostedZoneId"], plain(alias["DNSName"]), bool(alias["EvaluateTargetHealth"]))
        if alias
        else None,
        identifier=one.get("SetIdentifier", ""),
        weight=int(one["Weight"]) if "Weight" in one else None,
        beyond=tuple(sorted(set(one) - READ_HERE)),
    )


def plain(name: str) -> str:
    """Return a name without its final dot, in lower case, as Route 53 itself keeps names."""
    return name.rstrip(".").lower()


def leads_to(record: dict[str, Any]) -> set[str]:
    """Return the names a record leads to; an alias may ask for both families of addresses."""
    alias = record.get("AliasTarget", {}).get("DNSName", "")
    names = [alias, *(value["Value"] for value in record.get("ResourceRecords", ()))]
    return {plain(name).removeprefix("dualstack.") for name in names}
