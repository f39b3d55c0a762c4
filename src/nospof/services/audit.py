"""What can take my service down? Reads one account in one region and returns the report.

A call that fails never becomes an empty answer: what it would have told is named as unread, and
everything that rests on it is judged both ways.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from nospof.audit.account import AccountFacts
from nospof.audit.report import build_report
from nospof.audit.reporting import Question
from nospof.audit.reporting import build_report as build_estate_report
from nospof.errors import CloudError
from nospof.model.cloud import Listener, Target, TargetGroup
from nospof.model.estate import Estate
from nospof.model.findings import AuditReport, Unread
from nospof.ports.cloud import Cloud

P = ParamSpec("P")
T = TypeVar("T")


def audit_estate(estate: Estate, question: Question = Question()) -> AuditReport:  # noqa: B008 (frozen)
    """Audit what was read, whoever read it.

    Raises:
        UsageError: no service goes by the name that was asked for; what is supposed is not understood.
    """
    return build_estate_report(estate, question)


def audit_account(cloud: Cloud, *, service: str = "", read_at: float) -> AuditReport:
    """Audit every service of the account, or one.

    Args:
        cloud: the account and region; only read.
        service: the service's name, or the name or id of its balancer or instance; empty for all.
        read_at: now, seconds since the epoch.

    Raises:
        CloudError: not even who is asking could be read.
        UsageError: no service goes by that name.
    """
    return build_report(read_account(cloud, read_at), service)


def read_account(cloud: Cloud, read_at: float) -> AccountFacts:
    """Read everything the audit rests on; what cannot be read is named in `unread`.

    Raises:
        CloudError: not even who is asking could be read.
    """
    identity = cloud.identity()
    reading = _Reading()
    zones = reading.ask("zones", "", cloud.zones) or ()
    instances = reading.ask("instances", "", cloud.instances) or ()
    ids = tuple(one.id for one in instances)
    statuses = (reading.ask("instance status", "", cloud.instance_status, ids) or ()) if ids else ()
    volumes = reading.ask("volumes", "", cloud.volumes) or ()
    balancers = reading.ask("load balancers", "", cloud.load_balancers) or ()
    groups = reading.ask("target groups", "", cloud.target_groups) or ()
    listeners: dict[str, tuple[Listener, ...]] = {}
    for balancer in balancers:
        found = reading.ask("listeners", balancer.name, cloud.listeners, balancer.arn)
        if found is not None:
            listeners[balancer.arn] = found
    targets: dict[str, tuple[Target, ...]] = {}
    for arn, name in sorted(groups_in_use(groups, listeners).items()):
        members = reading.ask("targets", name, cloud.targets, arn)
        if members is not None:
            targets[arn] = members
    return AccountFacts(
        identity=identity,
        read_at=read_at,
        zones=zones,
        instances={one.id: one for one in instances},
        statuses={one.instance_id: one for one in statuses},
        volumes={one.id: one for one in volumes},
        balancers={one.arn: one for one in balancers},
        listeners=listeners,
        groups={one.arn: one for one in groups},
        targets=targets,
        unread=tuple(reading.unread),
    )


def groups_in_use(
    groups: tuple[TargetGroup, ...], listeners: dict[str, tuple[Listener, ...]]
) -> dict[str, str]:
    """Return the ARNs and names of the groups that a balancer may send to; nobody asks the others."""
    used = {group.arn: group.name for group in groups if group.balancer_arns}
    names = {group.arn: group.name for group in groups}
    for each in listeners.values():
        for listener in each:
            used.update((arn, names.get(arn, arn)) for arn, _ in listener.forwards_to)
    return used


class _Reading:
    """Asks, and remembers what got no answer."""

    def __init__(self) -> None:
        self.unread: list[Unread] = []

    def ask(self, kind: str, about: str, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Return the answer, or None after noting why there is none."""
        try:
            return call(*args, **kwargs)
        except CloudError as error:
            self.unread.append(Unread(kind, error.operation or kind, error.code or str(error), about))
            return None
