"""Decide how the data of a pair is kept in step, or why it must not be tried.

Pure: facts in, a plan or `PreconditionFailed` out. Two writable copies behind one balancer are never a plan.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from nospof.errors import PreconditionFailed
from nospof.model.cloud import Instance, LaunchRequest, Subnet
from nospof.model.launching import run_parameters, tag_pairs
from nospof.model.layout import TAG_DATA, DataFacts, Engine, Examined, Layout, MemberState, Obstacle, Seat
from nospof.model.plans import Plan, PlannedCall
from nospof.model.requests import PairRequest
from nospof.model.surroundings import Inside
from nospof.planning.arbitrator import arbitrator_of, arbitrator_subnet, usable
from nospof.planning.concerns import some
from nospof.planning.pair_rules import PairFacts

KEPT_BY: dict[str, Engine] = {"mariadb": "galera", "postgresql": "patroni"}
"""What keeps each database server in step with another."""

PORTS: dict[Engine, tuple[int, ...]] = {
    "galera": (3306, 4444, 4567, 4568, 9280),
    "patroni": (2379, 2380, 5432, 8008, 9280),
}
"""Who talks to whom: clients, state transfers, votes, and the checks that tell who may be written to."""
WRITER_IS: dict[Engine, str] = {"galera": "9280/writer", "patroni": "8008/primary"}
"""What a member answers with 200 where it is the one that is written to, and not with 200 elsewhere."""

CLUSTER_LENGTH = 32
NOT_YET = "i-00000000000000000"


@dataclass(frozen=True)
class DataPlan:
    """How the data of a pair is kept in step.

    Args:
        engine: what keeps it.
        cluster: its name.
        mends: what is taken away before, each by its table.
        arbitrator: what is launched for the third vote, in no subnet yet.
        group_id: the security group of all three.
        ports: that its members must be let reach of each other.
        plan: its calls, in order: those before the clone, and those after it.
    """

    engine: Engine
    cluster: str
    mends: tuple[Obstacle, ...]
    arbitrator: LaunchRequest
    group_id: str
    ports: tuple[int, ...]
    before: tuple[PlannedCall, ...] = ()
    after: tuple[PlannedCall, ...] = ()
    warnings: tuple[str, ...] = ()
    details: dict[str, str] = field(default_factory=dict)

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that are changed before, each once whatever is in its way."""
        return tuple(dict.fromkeys(one.what for one in self.mends))

    def layout(self, members: Sequence[Instance], arbitrator: Instance | None = None) -> Layout:
        """Return the layout of these machines, the preferred writer first."""
        return Layout(
            self.engine,
            self.cluster,
            tuple(seat_of(one) for one in members),
            seat_of(arbitrator) if arbitrator else None,
        )


def seat_of(instance: Instance) -> Seat:
    """Return an instance as one with a vote."""
    return Seat(instance.id, instance.private_ip, instance.zone)


def cluster_of(service: str) -> str:
    """Return a cluster's name for a service: letters every engine takes, and no two services' alike."""
    legal = re.sub(r"[^A-Za-z0-9]+", "_", service).strip("_").lower()
    if legal == service and len(legal) <= CLUSTER_LENGTH:
        return legal
    return f"{legal[: CLUSTER_LENGTH - 7]}_{hashlib.sha256(service.encode()).hexdigest()[:6]}"


def is_wanted(inside: Inside, request: PairRequest) -> bool:
    """Whether a source keeps a database that two can keep, whose owner did not say that it never changes."""
    return not request.stateless and any(f"engines {engine}" in inside.keeps for engine in KEPT_BY)


def plan_data(facts: PairFacts, request: PairRequest, service: str, token: str) -> DataPlan | None:
    """Return how the source's database is kept by two from now on; None where it keeps none that is.

    Raises:
        PreconditionFailed: it cannot be kept by two; everything that is in the way is named.
    """
    if facts.data is None:
        return None
    source, examined, image = facts.source, facts.data.examined, facts.data.image
    engine = KEPT_BY.get(examined.engine)
    if engine is None:
        raise PreconditionFailed(
            f"what keeps the data of {source.id} could not be looked at: {examined.problem or 'no answer'}. "
            "Nothing was changed."
        )
    refuse_another_layout(examined, source, facts.twin)
    refuse_a_twin_with_data_of_its_own(facts.data, source, facts.twin)
    refuse_obstacles(examined, source, request)
    subnet = arbitrator_subnet(facts.subnets, source, (facts.twin_zone,), request)
    arbitrator = arbitrator_of(engine, service, source, usable(image, request), request, token)
    group_id = next(iter(source.security_groups), "")
    is_open = {rule.port for rule in facts.data.inward if rule.from_group == group_id}
    ports = () if 0 in is_open else tuple(port for port in PORTS[engine] if port not in is_open)
    made = DataPlan(
        engine=engine,
        cluster=cluster_of(service),
        mends=tuple(one for one in examined.obstacles if one.mend),
        arbitrator=arbitrator,
        group_id=group_id,
        ports=ports,
    )
    return replace(
        made,
        before=before_calls(made, source),
        after=after_calls(made, source, subnet),
        warnings=(*warnings_of(made, examined, source), *jobs_warning(engine, facts.inside)),
        details={
            "data": f"{examined.engine} {examined.version} of {source.id} ({size(examined.size_bytes)}) is "
            f"kept in step by {engine.capitalize()}, one writer at a time",
            "third vote": f"a {arbitrator.type} in {subnet.zone}",
        },
    )


def refuse_another_layout(examined: Examined, source: Instance, twin: Instance | None) -> None:
    """Refuse a database that others keep already, or that is kept by two primaries."""
    layout = examined.layout
    others = [one for one in (layout.members if layout else ()) if one.address != source.private_ip]
    strangers = [one.instance_id for one in others if twin is None or one.instance_id != twin.id]
    if strangers:
        raise PreconditionFailed(
            f"the database of {source.id} is kept in step with {some(strangers)} already; see nospof data "
            "status, and pair it with that one (--with). Nothing was changed."
        )


def refuse_a_twin_with_data_of_its_own(data: DataFacts, source: Instance, twin: Instance | None) -> None:
    """Refuse to replace what is in a twin's database: only a copy of a member of the cluster joins it."""
    if twin is None or data.twin is None:
        return
    addresses = {one.address for one in data.twin.layout.members} if data.twin.layout else set()
    if source.private_ip not in addresses:
        raise PreconditionFailed(
            f"the database of the twin {twin.id} is its own, no copy of a member of {source.id}'s cluster: "
            f"it would be replaced. Have a new twin cloned: take {twin.id} away, or what made it (nospof "
            "runs undo), and pair again without --with. Nothing was changed."
        )


def refuse_obstacles(examined: Examined, source: Instance, request: PairRequest) -> None:
    """Refuse what cannot be kept by two, or only after a mend that nobody agreed to (C78)."""
    hard = [one.says for one in examined.obstacles if one.refuses]
    if examined.problem:
        hard.append(examined.problem)
    if hard:
        raise PreconditionFailed(
            f"the database of {source.id} cannot be kept by two: {'; '.join(hard)}. Nothing was changed."
        )
    mends = [one.says for one in examined.obstacles if one.mend]
    if mends and not request.mend_tables:
        raise PreconditionFailed(
            f"tables of {source.id} cannot be kept by two as they are: {'; '.join(mends)}. Mend them "
            "yourself, or have it done, and undone with the pair, with --mend-tables. Nothing was changed."
        )


def warnings_of(plan: DataPlan, examined: Examined, source: Instance) -> tuple[str, ...]:
    """Return what the operator should know before saying yes."""
    told = [
        f"the database of {source.id} restarts once before anything else happens: a few seconds without it",
        *(one.says for one in examined.obstacles if one.kind == "use"),
    ]
    if plan.mends:
        told.append(f"{len(plan.tables)} tables are changed first: {some(plan.tables)}")
    if plan.engine == "patroni":
        told.append(
            "a write is acknowledged once both have it, so it takes a little longer; when a primary dies "
            "unseen, nobody can write for up to 20 s"
        )
    return tuple(told)


def jobs_warning(engine: Engine, inside: Inside) -> tuple[str, ...]:
    """Return how jobs that must not run twice are had run where the writer is, and nowhere else."""
    has_visitors_run_them = any(one.setting == "DISABLE_WP_CRON" and not one.value for one in inside.web)
    if not inside.jobs and not has_visitors_run_them:
        return ()
    return (
        f"what must run once can ask before it does: curl -fs http://ADDRESS:{WRITER_IS[engine]} >/dev/null "
        "&& JOB, with the private address of the member that it is on",
    )


def size(size_bytes: int) -> str:
    """Return a size as people read it."""
    value, units = float(size_bytes), ("bytes", "KiB", "MiB", "GiB", "TiB")
    for unit in units:
        if value < 1024 or unit == units[-1]:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError("the last unit returns")


# Calls -------------------------------------------------------------------------------------------


def told_call(instance_id: str, says: str, *, is_known: bool = True) -> PlannedCall:
    """Return the write that has a machine act on its database."""
    return PlannedCall(
        "ssm",
        "SendCommand",
        {"DocumentName": "AWS-RunShellScript", "InstanceIds": [instance_id]},
        says,
        () if is_known else ("InstanceIds",),
        # The look inside was the same call to the same instance: it is allowed.
        is_allowed=is_known,
    )


def allow_members_call(group_id: str, port: int) -> PlannedCall:
    """Return the write that lets the members of a security group reach each other's port."""
    peer = {"UserIdGroupPairs": [{"GroupId": group_id}]}
    return PlannedCall(
        "ec2",
        "AuthorizeSecurityGroupIngress",
        {
            "GroupId": group_id,
            "IpPermissions": [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **peer}],
        },
        f"let members of {group_id} reach each other's port {port}",
    )


def before_calls(plan: DataPlan, source: Instance) -> tuple[PlannedCall, ...]:
    """Return the writes that have the source's database stand in a cluster of its own."""
    mark = PlannedCall(
        "ec2",
        "CreateTags",
        {"Resources": [source.id], "Tags": tag_pairs({TAG_DATA: plan.engine})},
        f"mark on {source.id} what keeps its data",
    )
    mends = (told_call(source.id, f"mend {len(plan.tables)} tables"),) if plan.mends else ()
    return mark, *mends, told_call(source.id, "restart its database as a cluster of one")


def after_calls(plan: DataPlan, source: Instance, subnet: Subnet) -> tuple[PlannedCall, ...]:
    """Return the writes that give the cluster its other members."""
    opening = (allow_members_call(plan.group_id, port) for port in plan.ports)
    launch = PlannedCall(
        "ec2",
        "RunInstances",
        run_parameters(replace(plan.arbitrator, subnet_id=subnet.id)),
        f"launch the arbitrator, a {plan.arbitrator.type} in {subnet.zone}",
    )
    return (
        launch,
        *opening,
        told_call(NOT_YET, "give the arbitrator its vote", is_known=False),
        told_call(source.id, "name its partners to it"),
        told_call(NOT_YET, "let the twin join, and wait until it is in step", is_known=False),
    )


def with_data(plan: Plan, data: DataPlan) -> Plan:
    """Return a pair's plan with what is done for its data."""
    return replace(
        plan,
        says=f"{plan.says}, its data kept in step by {data.engine.capitalize()}",
        calls=(*data.before, *data.after, *plan.calls),
        warnings=(*data.warnings, *plan.warnings),
        details={**plan.details, **data.details},
    )


# States ------------------------------------------------------------------------------------------


def out_of_step(layout: Layout, states: Sequence[tuple[Seat, MemberState]]) -> tuple[str, ...]:
    """Return why the data of a layout is not in step, with all votes; nothing where it is."""
    told = []
    for seat, state in states:
        if state.problem:
            told.append(f"{seat.instance_id} cannot be asked: {state.problem}")
        elif not state.ready:
            told.append(f"{seat.instance_id} is {state.role or 'unknown'}: {state.says or 'not in step'}")
        elif state.votes and state.votes < len(layout.voters):
            told.append(f"{seat.instance_id} counts {state.votes} of {len(layout.voters)} votes")
    primaries = [seat.instance_id for seat, state in states if state.role == "primary"]
    if len(primaries) > 1:
        told.append(f"{' and '.join(primaries)} both take writes")
    elif not primaries and not told:
        told.append("nobody takes writes")
    return tuple(told)
