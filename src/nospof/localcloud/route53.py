"""Route 53 with change batches as AWS takes them: whole or not at all, and everywhere only after a while."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from typing import Any

import moto.route53.urls
from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.route53.exceptions import DnsNameInvalidForZone
from moto.route53.models import FakeZone, RecordSet
from moto.route53.responses import Route53 as MotoRoute53

from nospof.localcloud.awserrors import AwsError

PROPAGATION_SECONDS = 2.0
"""AWS takes up to a minute."""
WRONG = "InvalidChangeBatch"
COMPARED = (
    "ttl",
    "records",
    "weight",
    "region",
    "health_check_id",
    "alias_target",
    "failover",
    "geo_location",
    "multi_value_answer",
)


class Route53Response(MotoRoute53):
    """moto's Route 53 with batches that are transactions and changes that are pending at first."""

    def change_resource_record_sets(self) -> ActionResult:
        """Make all changes of a batch, or none."""
        zone = self.backend.get_hosted_zone(self._get_param("HostedZoneId"))
        changes = self._get_param("ChangeBatch.Changes") or []
        records = list(zone.rrsets)
        for change in changes:
            wanted = as_moto_has_it(change["ResourceRecordSet"], zone)
            records = applied(records, change["Action"], wanted)
        zone.rrsets = records
        change_id = f"C{uuid.uuid4().hex[:20].upper()}"
        self._pending[change_id] = time.time() + PROPAGATION_SECONDS
        return told(change_id, is_pending=True)

    def get_change(self) -> ActionResult:
        """Say whether a change is answered everywhere; of one that is none of ours, that it is."""
        change_id = str(self._get_param("Id")).rpartition("/")[2]
        return told(change_id, is_pending=self._pending.get(change_id, 0.0) > time.time())

    @property
    def _pending(self) -> dict[str, float]:
        pending: dict[str, float] = self.backend.__dict__.setdefault("nospof_pending", {})
        return pending


def install() -> None:
    """Put our Route 53 in the place moto routes to. Called once, before the first request."""
    moto.route53.urls.url_paths = dict.fromkeys(moto.route53.urls.url_paths, Route53Response.dispatch)


def told(change_id: str, *, is_pending: bool) -> ActionResult:
    """Return what is said of a change."""
    status = "PENDING" if is_pending else "INSYNC"
    info = {"Id": f"/change/{change_id}", "Status": status, "SubmittedAt": utcnow()}
    return ActionResult({"ChangeInfo": info})


def as_moto_has_it(given: dict[str, Any], zone: FakeZone) -> RecordSet:
    """Return a record set as moto keeps it; names end with a dot, and values are a list."""
    name = given["Name"].lower().rstrip(".") + "."
    if name != zone.name and not name.endswith(f".{zone.name}"):
        raise DnsNameInvalidForZone(name=name, zone_name=zone.name)
    values = [one["Value"] for one in given.get("ResourceRecords") or []]
    has_both = bool(values) and given.get("TTL") is not None
    if has_both is bool(given.get("AliasTarget")):
        raise AwsError(
            "InvalidInput", f"Expected exactly one of AliasTarget, or all of TTL and ResourceRecords: {name}"
        )
    if ("Weight" in given) and not given.get("SetIdentifier"):
        raise AwsError("InvalidInput", f"Invalid request: Missing field 'SetIdentifier' in Change of {name}")
    alias = dict(given["AliasTarget"]) if given.get("AliasTarget") else None
    if alias:
        alias["DNSName"] = alias["DNSName"].lower().rstrip(".") + "."
    kind: Any = RecordSet  # moto leaves methods of CloudFormation abstract in it
    made: RecordSet = kind({**given, "Name": name, "ResourceRecords": values, "AliasTarget": alias})
    return made


def applied(records: list[RecordSet], action: str, wanted: RecordSet) -> list[RecordSet]:
    """Return the records of a zone after one change. Raises AwsError."""
    what = f"resource record set [name='{wanted.name}', type='{wanted.type}'" + (
        f", set-identifier='{wanted.set_identifier}']" if wanted.set_identifier else "]"
    )
    same = next((one for one in records if key_of(one) == key_of(wanted)), None)
    others = [one for one in records if one is not same]
    if action == "DELETE":
        if same is None:
            raise AwsError(WRONG, f"[Tried to delete {what} but it was not found]")
        if any(getattr(same, field) != getattr(wanted, field) for field in COMPARED):
            raise AwsError(
                WRONG, f"[Tried to delete {what} but the values provided do not match the current values]"
            )
        return others
    if action == "CREATE" and same is not None:
        raise AwsError(WRONG, f"[Tried to create {what} but it already exists]")
    refuse_conflict(others, wanted, what)
    return [*others, wanted]


def refuse_conflict(others: Iterable[RecordSet], wanted: RecordSet, what: str) -> None:
    """Refuse a record set that cannot stand beside those of its name."""
    for one in others:
        if one.name != wanted.name:
            continue
        if "CNAME" in (one.type, wanted.type) and one.type != wanted.type:
            raise AwsError(
                WRONG,
                f"[RRSet of type {wanted.type} with DNS name {wanted.name} is not permitted as it conflicts "
                "with other records with the same DNS name]",
            )
        if one.type == wanted.type and not (one.set_identifier and wanted.set_identifier):
            raise AwsError(
                WRONG, f"[{what} cannot be created as other RRSets exist with the same name and type]"
            )


def key_of(record: RecordSet) -> tuple[str, str, str]:
    """Return what tells a record set from all others of its zone."""
    return str(record.name), str(record.type), str(record.set_identifier or "")
