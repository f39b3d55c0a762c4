"""What people write into nospof.yaml: plain data, each with the place it was written at.

The file is read by an adapter; what it means for an estate or a report is decided in the audit.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from nospof.model.window import Window

Range = tuple[float, float, float]
"""Low, likely, high."""


@dataclass(frozen=True)
class Acceptance:
    """Somebody accepts findings for a reason and until a day.

    It matches by fingerprint, or by rule, service and resource together; only the resource may
    hold wildcards.

    Args:
        until: the last day it holds, ISO 8601.
        resource: the event or a member of the finding, as `fnmatch` has it.
        blast: what stops, as it was when this was accepted; more reopens the finding.
        share: the share of clients lost when this was accepted; more reopens it.
        where: "nospof.yaml:12".
    """

    reason: str
    owner: str
    until: str
    fingerprint: str = ""
    rule: str = ""
    service: str = ""
    resource: str = ""
    blast: tuple[str, ...] = ()
    share: Fraction | None = None
    where: str = ""


@dataclass(frozen=True)
class Need:
    """Somebody says that one thing needs another, in a view."""

    user: str
    needs: str
    view: str = "serving"
    where: str = ""


@dataclass(frozen=True)
class OwnRate:
    """An assumption replaced: how often a year, and how many minutes each time.

    Args:
        kind: the kind of failure; empty where `resource` is given.
        resource: the event that alone it holds for; empty for all of the kind.
        per_year: None leaves what is assumed.
        minutes: None leaves what is assumed.
        source: where the figures come from, in the writer's words.
    """

    kind: str = ""
    resource: str = ""
    per_year: Range | None = None
    minutes: Range | None = None
    source: str = ""
    where: str = ""


@dataclass(frozen=True)
class ServiceWish:
    """What is asked of one service, and what its monitoring has measured; None and empty say nothing.

    `slo` and `measured` are in percent of the time; `maintenance` is when it may be worked on.
    """

    name: str
    entry: str = ""
    scope: str = ""
    slo: float | None = None
    measured: float | None = None
    needs_egress: bool | None = None
    maintenance: Window | None = None
    where: str = ""


@dataclass(frozen=True)
class Settings:
    """Everything a settings file says."""

    services: tuple[ServiceWish, ...] = ()
    needs: tuple[Need, ...] = ()
    acceptances: tuple[Acceptance, ...] = ()
    rates: tuple[OwnRate, ...] = ()
    survive: tuple[str, ...] = ()
    file: str = ""
