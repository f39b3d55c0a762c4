"""What mends a finding about votes: a third vote, or one that stands elsewhere; and writes that wait."""

from __future__ import annotations

from typing import Any

from nospof.audit.builder import Service
from nospof.audit.checks_votes import DIRECT, LOSSY
from nospof.audit.majorities import Shortage, is_arbitrator, machine_of, shortage_of
from nospof.audit.parts.votes import Cluster, bears_marks, clusters_in, layout_in
from nospof.audit.proposal import Proposal
from nospof.model.cloud import TAG_SERVICE
from nospof.model.estate import Estate, Item, item_of
from nospof.model.findings import Finding
from nospof.model.kinds import KINDS
from nospof.model.layout import TAG_ARBITRATOR, TAG_DATA

THIRD = "third-vote"
"""The machine that a remedy is tried with."""


def remedy_for(estate: Estate, service: Service, finding: Finding) -> Proposal | None:
    """Return what would mend a finding about votes or about who takes over; None for others."""
    if finding.event == "cold":
        return beginning(estate, service, finding)
    if finding.event.startswith(LOSSY):
        return waiting_writes(estate, finding)
    if finding.event.startswith(DIRECT):
        return Proposal("let it connect to its own machine's door, which leads to whoever takes writes")
    if finding.rule != "NSP205" or finding.time == "now":
        return None
    short = shortage_of(service, finding.event)
    if short is None:
        return None
    zone = free_zone(estate, service, short)
    idle = [machine_of(one) for one in short.taken if is_arbitrator(one)]
    if idle and zone and estate.find("instance", idle[0]) is not None:
        return moved(short, idle[0], zone)
    is_short = short.missing or (len(short.votes) == 2 and len(short.taken) == 1)
    if zone and is_short:
        return third_vote(service, short, zone)
    return None


def beginning(estate: Estate, service: Service, finding: Finding) -> Proposal | None:
    """Propose who begins after a full stop, where nospof has laid the cluster out."""
    nodes = (service.topology.by_name[one] for one in finding.members)
    label = next((one.says for one in nodes if one.kind == "cluster"), "")
    looks = (estate.find("machine", one) for one in service.members)
    is_ours = any(look is not None and layout_in(look) is not None for look in looks)
    items = (service.item_of.get(one) for one in service.members)
    if not label or not (is_ours or any(item is not None and TAG_DATA in item.tags for item in items)):
        return None
    command = f"nospof data rejoin {finding.service}"
    return Proposal(f"after a full stop let the member of {label} begin that has the most", (command,))


def waiting_writes(estate: Estate, finding: Finding) -> Proposal:
    """Propose that a write is acknowledged once another machine has it."""
    look = estate.find("machine", finding.members[0])
    groups = {one.text("group") for one in look.rows("engines.found")} if look is not None else set()
    if "patroni" in groups or (look is not None and layout_in(look) is not None):
        return Proposal("let Patroni wait for a copy: patronictl edit-config --set synchronous_mode=true")
    return Proposal("name the standby in synchronous_standby_names of the primary, and reload it")


def free_zone(estate: Estate, service: Service, short: Shortage) -> str:
    """Return a zone without a vote of a cluster, or nothing."""
    taken = {event.partition(":")[2] for vote in short.votes for event in vote.domains}
    taken |= {service.zone_of.get(machine_of(vote), "") for vote in short.votes}
    known = [one.id for one in estate.of("zone") if one.text("State", "available") == "available"]
    known = known or sorted({one.text("AvailabilityZone") for one in estate.of("subnet")} - {""})
    return next((one for one in known if one not in taken), "")


def moved(short: Shortage, machine: str, zone: str) -> Proposal:
    """Propose that an arbitrator stands where no other vote is."""
    fields: dict[str, Any] = {
        "Placement": {"AvailabilityZone": zone},
        "SubnetId": None,
        "BlockDeviceMappings": [],
    }
    return Proposal(
        f"replace {machine}, which only votes for {short.cluster.says}, with one in {zone}, where no vote is",
        (),
        lambda old: old.changed("instance", machine, **fields),
    )


def third_vote(service: Service, short: Shortage, zone: str) -> Proposal:
    """Propose a small machine that votes and keeps nothing, where no other vote is."""
    kind = short.votes[0].name.partition(" ")[0]
    what = "an etcd member" if kind in ("etcd", "patroni") else "an arbitrator"
    return Proposal(
        f"give {short.cluster.says} a third vote: {what} on a small machine in {zone}, where no vote is",
        (),
        lambda old: with_vote(old, service, short, zone),
    )


def with_vote(estate: Estate, service: Service, short: Shortage, zone: str) -> Estate:
    """Return the estate with one more machine that votes, known to all machines of a cluster."""
    gone = [one.name.removeprefix("gone:instance ") for one in short.missing]
    for look in estate.of("machine"):
        for cluster in clusters_in(estate, look):
            if cluster.name == short.cluster.name:
                estate = told_of_third(estate, look, cluster, gone)
    marks = []
    for item in service.item_of.values():
        if item.kind.name == "instance" and bears_marks(estate, item):
            marks = [{"Key": TAG_ARBITRATOR, "Value": item.tags.get(TAG_SERVICE) or item.label}]
    place = {"AvailabilityZone": zone}
    fields = {"InstanceId": THIRD, "State": {"Name": "running"}, "Placement": place, "Tags": marks}
    return estate.plus(item_of(KINDS["instance"], fields))


def told_of_third(estate: Estate, look: Item, cluster: Cluster, gone: list[str]) -> Estate:
    """Return the estate with a machine that knows one voter more, and none of those that are gone."""
    if cluster.is_laid_out:
        rows = [dict(one.fields) for one in look.rows("votes.found") if one.text("id") not in gone]
        rows.append({**rows[0], "role": "arbitrator", "id": THIRD, "address": THIRD})
        return estate.changed("machine", look.id, votes={"status": "found", "found": rows})
    if cluster.group == "galera":
        rows = [
            {"by": "garbd", "group": "galera", "role": "member", "address": one} for one in cluster.members
        ]
        votes = {"status": "found", "found": rows}
        return estate.plus(item_of(KINDS["machine"], {"InstanceId": THIRD, "votes": votes}))
    rows = [dict(one.fields) for one in look.rows("engines.found")]
    for one in rows:
        if one.get("group") == cluster.group and set(one.get("peers", ())) == set(cluster.members):
            one["peers"] = [*cluster.members, THIRD]
    return estate.changed("machine", look.id, engines={"status": "found", "found": rows})
