"""What surrounds a procedure: the cloud, a clock, eyes on the service, load, faults, a listener."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from nospof.model.answers import Answer
from nospof.model.drill import LoadProgress
from nospof.model.surroundings import Whereabouts
from nospof.ports.cloud import Cloud
from nospof.ports.databases import Databases
from nospof.ports.faults import Faults
from nospof.ports.files import Files
from nospof.ports.load import LoadGenerator
from nospof.ports.machine import Holds, Machines, Traffic
from nospof.ports.mounts import Mounts
from nospof.ports.running import Running


class Clock(Protocol):
    """Time."""

    def now(self) -> float:
        """Return seconds since the epoch, UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Probe(Protocol):
    """The service, asked as a client or a balancer would ask it."""

    def get(
        self,
        url: str,
        *,
        host: str = "",
        headers: Mapping[str, str] | None = None,
        verify: bool = True,
        timeout_seconds: float = 5.0,
    ) -> Answer:
        """Ask for a page, without following redirects. Never raises: an error is an answer too.

        Args:
            url: the page.
            host: sent as Host instead of the URL's own.
            headers: sent as well.
            verify: whether a certificate must be trusted; a balancer does not look at its targets'.
            timeout_seconds: bounds the whole exchange.
        """


class Reporter(Protocol):
    """Whoever watches the run. Telling it something is never journalled and never fails."""

    def progress(self, says: str, done: float | None = None) -> None:
        """Say what the step under way is doing; `done` is its share, 0 to 1, when known."""

    def warn(self, says: str) -> None:
        """Say something the operator should know, so that it stays to be read."""

    def loaded(self, phase: str, load: LoadProgress) -> None:
        """Say how a load stands, and in which phase of the drill that is."""


class Commands(Protocol):
    """The operator's own commands."""

    def run(self, command: str, variables: Mapping[str, str], within_seconds: float) -> str:
        """Run a command to its end, with more variables; return what went wrong, or nothing.

        A repeat runs it again: nobody else knows what it does.
        """


@dataclass(frozen=True)
class World:
    """Everything a procedure may reach.

    `machines` looks inside instances and `holds` has them write nothing for a moment, None where nobody can;
    `whereabouts` tells where nospof itself lives. `commands` runs what the operator gave, and `databases`,
    `files` and `mounts` act on the databases, the shared and the mounted directories inside instances, and
    `running` has instances do a command, None where nobody may.
    `machines` looks inside instances, `traffic` at who is connected to them, and `holds` has them write
    nothing for a moment, None where nobody can; `whereabouts` tells where nospof itself lives. `commands`
    runs what the operator gave, and `databases`, `files` and `mounts` act on the databases, the shared and
    the mounted directories inside instances, None where nobody may.
    """

    cloud: Cloud
    clock: Clock
    probe: Probe
    reporter: Reporter
    load: LoadGenerator
    faults: Faults
    poll_seconds: float = 1.0
    machines: Machines | None = None
    whereabouts: Callable[[], Whereabouts] = Whereabouts
    holds: Holds | None = None
    commands: Commands | None = None
    databases: Databases | None = None
    files: Files | None = None
    mounts: Mounts | None = None
    running: Running | None = None
    traffic: Traffic | None = None
