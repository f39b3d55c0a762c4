"""Who votes: machines that go on only while most of them are there, and where each vote stands.

A layout that a look found goes before what servers are configured for; marks count only where nobody
looked. An arbitrator has a vote and keeps nothing: it is none of the machines that serve.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from nospof.audit.builder import Builder
from nospof.model.cloud import TAG_SERVICE
from nospof.model.estate import Estate, Item, Record
from nospof.model.layout import TAG_ARBITRATOR, TAG_DATA
from nospof.model.topology import UP, AllOf, AnyOf, AtLeast, Node, On, Requirement, names_in

VOTING = ("galera", "etcd", "patroni", "replica set")
STARTS_ALONE = ("etcd", "patroni", "replica set")
"""Members of such clusters start by themselves and then agree; Galera's wait for a primary component."""
LAID_OUT = {"galera": ("mariadb", "mysql"), "patroni": ("postgresql", "etcd")}
"""The servers of a machine that its layout speaks for."""
SERVERS = ("haproxy", "mariadbd", "mysqld", "garbd", "postgres", "patroni", "etcd", "mongod")
"""What connects members to each other, or leads to whoever takes writes: none of it needs one member."""
ETCD_PORT = 2379
READ = ("found", "none")
GONE = ("terminated", "shutting-down")


@dataclass(frozen=True)
class Cluster:
    """Machines that go on only while most of them are there.

    Args:
        group: one of `VOTING`.
        label: what people call it.
        members: who keeps the data, each by its id or its address.
        arbitrators: who only votes.
        is_laid_out: by nospof: what serves goes through a door to whoever takes writes.
    """

    group: str
    label: str
    members: tuple[str, ...]
    arbitrators: tuple[str, ...] = ()
    is_laid_out: bool = False

    @property
    def name(self) -> str:
        """Its node."""
        return f"{self.label} of {', '.join((*self.members, *self.arbitrators))}"

    @property
    def voters(self) -> tuple[str, ...]:
        """Everybody with a vote."""
        return self.members + self.arbitrators


# What is known of them -----------------------------------------------------------------------------------


def clusters_in(estate: Estate, look: Item) -> Iterator[Cluster]:
    """Yield the clusters that a machine is in, as a look found: by its layout, then by its servers."""
    laid_out = layout_in(look)
    if laid_out is not None:
        yield laid_out
    for one in look.rows("engines.found"):
        peers = sorted(set(one.texts("peers")))
        if one.text("group") in VOTING and len(peers) > 1 and not is_laid_out(look, one):
            yield configured(estate, one.text("group"), peers)


def layout_in(look: Item) -> Cluster | None:
    """Return the cluster of the layout that was applied to a machine, if there is one."""
    rows = [one for one in look.rows("votes.found") if one.text("by") == "layout"]
    group = rows[0].text("group") if rows else ""
    if group not in LAID_OUT:
        return None

    def seats(role: str) -> tuple[str, ...]:
        return tuple(one.text("id") or one.text("address") for one in rows if one.text("role") == role)

    label = f"{group.capitalize()} cluster {rows[0].text('cluster')}"
    return Cluster(group, label, seats("member"), seats("arbitrator"), is_laid_out=True)


def is_laid_out(look: Item, engine: Record) -> bool:
    """Whether the layout of a machine speaks for one of its servers."""
    laid_out = layout_in(look)
    return laid_out is not None and engine.text("engine") in LAID_OUT[laid_out.group]


def is_in_step(look: Item, engine: Record) -> bool:
    """Whether others have what a server keeps: by the layout, else as the server is configured."""
    laid_out = layout_in(look)
    if laid_out is not None and engine.text("engine") in LAID_OUT[laid_out.group]:
        return len(laid_out.members) > 1
    return bool(engine.text("group")) or engine.text("role") == "replica"


def configured(estate: Estate, group: str, peers: list[str]) -> Cluster:
    """Return the cluster of servers that name each other, with Galera's arbitrators that name one of them."""
    watching = [
        look
        for look in (estate.where("machine", "votes.found.address", *peers) if group == "galera" else ())
        if any(one.text("by") == "garbd" and one.text("address") in peers for one in look.rows("votes.found"))
    ]
    # Some name the arbitrator where they name the members.
    idle = {
        one.id for one in watching if "galera" not in (row.text("group") for row in one.rows("engines.found"))
    }
    members = tuple(peer for peer in peers if id_of(estate, peer) not in idle)
    return Cluster(group, f"{group} cluster {', '.join(peers)}", members, tuple(one.id for one in watching))


def id_of(estate: Estate, key: str) -> str:
    """Return the id of the machine that goes by an id or an address; the key itself where there is none."""
    item = estate.find("instance", key)
    return item.id if item is not None else key


def marked(estate: Estate, item: Item) -> Cluster:
    """Return the cluster that a machine is in by the marks that it and others of its service bear."""
    group, service = item.tags[TAG_DATA], item.tags.get(TAG_SERVICE) or item.label
    there = [
        one for one in estate.where("instance", "Tags.Value", service) if one.text("State.Name") not in GONE
    ]
    members = {
        one.id for one in there if (one.tags.get(TAG_DATA), one.tags.get(TAG_SERVICE)) == (group, service)
    }
    arbitrators = {one.id for one in there if one.tags.get(TAG_ARBITRATOR) == service}
    label = f"{group.capitalize()} cluster of {service}"
    return Cluster(
        group, label, tuple(sorted({*members, item.id})), tuple(sorted(arbitrators)), is_laid_out=True
    )


def bears_marks(estate: Estate, item: Item) -> bool:
    """Whether marks say what keeps a machine's data, and nobody looked."""
    look = estate.find("machine", item.id)
    return item.tags.get(TAG_DATA) in LAID_OUT and (look is None or look.text("votes.status") not in READ)


def is_marked_in_step(estate: Estate, item: Item) -> bool:
    """Whether marks alone say that others have what a machine keeps."""
    return bears_marks(estate, item) and len(marked(estate, item).members) > 1


def is_among_members(estate: Estate, look: Item, other: Item, connection: Record) -> bool:
    """Whether a connection of a machine to another is one that members of a cluster keep with each other."""
    seats = {id_of(estate, one.text("id") or one.text("address")) for one in look.rows("votes.found")}
    for one in look.rows("engines.found"):
        if one.text("group") in VOTING:
            seats |= {id_of(estate, peer) for peer in one.texts("peers")}
    is_theirs = connection.text("process") in SERVERS or connection.number("port") == ETCD_PORT
    return is_theirs and other.id in seats


# What follows for the picture ----------------------------------------------------------------------------


def join_clusters(b: Builder, looks: Mapping[str, Item]) -> None:
    """Let every machine of a cluster need a majority of it, and none its own server."""
    known: dict[str, Cluster] = {}
    for name, look in looks.items():
        for cluster in clusters_in(b.estate, look):
            known.setdefault(cluster.name, cluster)
            join(b, name, cluster)
            if cluster.is_laid_out and look.id not in {id_of(b.estate, one) for one in cluster.voters}:
                says = f"in doubt: it has no seat in the layout that it carries ({cluster.label})"
                b.is_off(name, says, certain=False)
    seat_of = {id_of(b.estate, key): one for one in known.values() if one.is_laid_out for key in one.members}
    for name in b.machines:
        item = b.service.item_of.get(name)
        if name in looks or item is None or item.kind.name != "instance":
            continue
        if item.id in seat_of:
            join(b, name, seat_of[item.id])
        elif bears_marks(b.estate, item):
            cluster = marked(b.estate, item)
            assume_marks(b, cluster)
            join(b, name, cluster)


def assume_marks(b: Builder, cluster: Cluster) -> None:
    """Note what is taken for true because of marks."""
    who, tags = f"{', '.join(cluster.members)} keep their database in step", TAG_DATA
    if cluster.arbitrators:
        who, tags = (
            f"{who}, and {', '.join(cluster.arbitrators)} votes with them",
            f"{tags}, {TAG_ARBITRATOR}",
        )
    b.assume(f"{who} ({cluster.label}): as marked ({tags}), not read")


def join(b: Builder, name: str, cluster: Cluster) -> None:
    """Let a machine need a majority of a cluster, and note the copies of what it keeps."""
    if len(cluster.voters) < 2:
        return
    if cluster.name not in b.nodes:
        add_cluster(b, cluster)
    b.also_needs(name, "serving", On(cluster.name))


def add_cluster(b: Builder, cluster: Cluster) -> None:
    """Add a cluster: most of its votes, and one of them from a machine that has the data."""
    b.add(Node(cluster.name, kind="cluster", label=cluster.label))
    members = [vote_of(b, cluster, one) for one in cluster.members]
    others = [vote_of(b, cluster, one, "arbitrator") for one in cluster.arbitrators]
    most: Requirement = AtLeast(len(cluster.voters) // 2 + 1, tuple((1, one) for one in (*members, *others)))
    b.change(cluster.name, requirement=AllOf((most, AnyOf(tuple(members)))) if others else most)
    if cluster.is_laid_out and len(members) > 1:
        b.state(f"data of {cluster.label}", AnyOf(tuple(disks_of(b, one) for one in members)))


def vote_of(b: Builder, cluster: Cluster, key: str, role: str = "member") -> Requirement:
    """Return what a vote needs: its machine, and not what else runs there where it starts alone."""
    before = b.machines
    needed = machine_of(b, cluster, key)
    if not isinstance(needed, On) or b.nodes[needed.node].kind != "instance":
        return needed
    machine = b.nodes[needed.node]
    if role == "arbitrator" and machine.name not in before:
        b.only_votes(machine.name)
        b.change(machine.name, kind="arbitrator")
    if role == "member" and not cluster.is_laid_out and cluster.group not in STARTS_ALONE:
        return needed
    waits = role == "member" and cluster.group not in STARTS_ALONE
    vote = replace(
        machine,
        name=f"{cluster.group} {role} on {machine.name}",
        label=f"{cluster.group} {role} on {machine.says}",
        requirement=AllOf((disks_of(b, needed, UP), *((On(cluster.name),) if waits else ()))),
        kind="vote",
        blind=UP,
        views=(),
    )
    b.falls_with(vote.name, machine.name)
    return b.add(vote)


def machine_of(b: Builder, cluster: Cluster, key: str) -> Requirement:
    """Return what depends on a machine with a vote, by its id or its address."""
    item = b.estate.find("instance", key)
    if item is not None:
        return b.of(item)
    return b.need("instance", key) if cluster.is_laid_out else b.unread(f"machine {key}")


def disks_of(b: Builder, machine: Requirement, otherwise: Requirement | None = None) -> Requirement:
    """Return what of its disks a machine needs; what is said otherwise, or itself, where it has none."""
    if not isinstance(machine, On):
        return machine
    waiting, found = [b.nodes[machine.node].requirement], []
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, AllOf):
            waiting = [*one.parts, *waiting]
        elif (names := names_in(one)) and all(b.nodes[each].kind == "volume" for each in names):
            found.append(one)
    if found:
        return AllOf(tuple(found))
    return machine if otherwise is None else otherwise
