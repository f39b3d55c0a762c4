"""Hosted zones and record sets of the in-memory cloud."""

from __future__ import annotations

from nospof.adapters.memory.account import Account, refused, serves
from nospof.model.names import Alias, HostedZone, Records, RecordSet

CHANGE = "route53:ChangeResourceRecordSets"
WRONG = "InvalidChangeBatch"


class Names(Account):
    """The part of the port that speaks of names."""

    def _set_up(self, zone_count: int) -> None:
        super()._set_up(zone_count)
        self._hosted_zones: dict[str, HostedZone] = {}
        self._record_sets: dict[str, dict[tuple[str, str, str], RecordSet]] = {}
        self._in_sync_at: dict[str, float] = {}

    @serves("route53:ListHostedZones")
    def hosted_zones(self) -> tuple[HostedZone, ...]:
        """See the port."""
        return tuple(sorted(self._hosted_zones.values(), key=lambda zone: (zone.name, zone.id)))

    @serves("route53:ListResourceRecordSets")
    def record_sets(self, zone_id: str, name: str = "") -> Records:
        """See the port."""
        there = self.find(self._record_sets, zone_id, "route53:ListResourceRecordSets", "NoSuchHostedZone")
        return tuple(record for key, record in sorted(there.items()) if name in ("", key[0]))

    @serves("route53:ListResourceRecordSets")
    def names_of(self, dns_name: str) -> tuple[str, ...]:
        """See the port."""
        every = (record for zone in self._record_sets.values() for record in zone.values())
        return tuple(sorted({one.name for one in every if one.alias and one.alias.dns_name == dns_name}))

    @serves("route53:GetChange")
    def is_in_sync(self, change_id: str) -> bool:
        """See the port."""
        at = self.find(self._in_sync_at, change_id, "route53:GetChange", "NoSuchChange")
        return self.clock.now() >= at

    @serves(CHANGE, writes=True)
    def replace_records(self, zone_id: str, gone: Records, made: Records) -> str:
        """See the port."""
        there = self.find(self._record_sets, zone_id, CHANGE, "NoSuchHostedZone").copy()
        for record in gone:
            if there.pop(key_of(record), None) != record:
                raise refused(CHANGE, WRONG, f"{record.name} {record.says} was not found")
        for record in made:
            beside = [one for one in there.values() if (one.name, one.type) == (record.name, record.type)]
            if any(not (one.identifier and record.identifier) for one in beside) or key_of(record) in there:
                raise refused(CHANGE, WRONG, f"{record.name} {record.says} conflicts with what is there")
            there[key_of(record)] = record
        self._record_sets[zone_id] = there
        change_id = self.new_id("C")
        self._in_sync_at[change_id] = self.clock.now() + self.timings.names
        return change_id

    # What happens to the cloud from outside ------------------------------------------------------

    def add_zone(self, name: str, *, is_private: bool = False) -> str:
        """Add a hosted zone without a call of the API; return its id."""
        zone_id = f"Z{self.number('zone')}"
        self._hosted_zones[zone_id] = HostedZone(zone_id, name, is_private)
        self._record_sets[zone_id] = {}
        return zone_id

    def put_record(self, zone_id: str, record: RecordSet) -> None:
        """Put a record set into a zone, as somebody else might."""
        self._record_sets[zone_id][key_of(record)] = record

    def lead(self, name: str, dns_name: str) -> None:
        """Have a name lead to a balancer, in a zone of its own."""
        zone_id = self.add_zone(name.partition(".")[2])
        self.put_record(zone_id, RecordSet(name, "A", alias=Alias("Z-elb", dns_name)))


def key_of(record: RecordSet) -> tuple[str, str, str]:
    """Return what tells a record set from all others of its zone."""
    return record.name, record.type, record.identifier
