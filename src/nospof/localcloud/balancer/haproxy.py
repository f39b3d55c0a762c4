"""A load balancer made real: keeps one HAProxy as a Balancer says it shall be.

Rule: level-triggered. `apply` compares what HAProxy says of itself with what is wanted and mends the
difference, whoever or whatever caused it; applying twice does nothing the second time. A target that is
being registered is drained in HAProxy until it has passed one check, so HAProxy itself keeps that state.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from nospof.localcloud.balancer import configuration, tls
from nospof.localcloud.balancer.configuration import OPEN_SUFFIX, RUNTIME_SOCKET, STATE_FILE
from nospof.localcloud.balancer.process import CONFIGURATION, HaproxyProcess, HaproxyRefused
from nospof.localcloud.balancer.runtime import ServerView, ask, parse_servers
from nospof.localcloud.balancer.spec import Balancer, Target, TargetGroup

_STRUCTURE = "structure.cfg"
_LOOK_SECONDS = 0.5
_FIRST_CHECK_SECONDS = 0.05
_CUT_AFTER_DOWN_SECONDS = 0.5

logger = logging.getLogger(__name__)


class HaproxyBalancer:
    """The HAProxy of one load balancer.

    Args:
        directory: its own; made when needed, removed by `remove`.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.process = HaproxyProcess(directory)
        self.error = ""
        self._applied: Balancer | None = None
        self._look_again = 0.0
        self._down_since: dict[str, float] = {}

    def apply(self, wanted: Balancer) -> bool:
        """Make HAProxy be as wanted. Cheap when it is.

        Returns:
            True when it runs as wanted; False when it cannot: `error` then says why.
        """
        alive = self.process.pid() != 0
        if alive and wanted == self._applied and time.monotonic() < self._look_again:
            return True
        try:
            self._restructure(wanted, alive)
            settled = self._mend(wanted)
        except (HaproxyRefused, OSError, ValueError, subprocess.SubprocessError) as error:
            if self.error != str(error):
                logger.warning("balancer %s: %s", wanted.address, error)
            self.error = str(error)
            self._applied = None
            return False
        self.error = ""
        self._applied = wanted
        self._look_again = time.monotonic() + (_LOOK_SECONDS if settled else 0.0)
        return True

    def servers(self) -> list[ServerView]:
        """Ask HAProxy for all its targets.

        Raises:
            HaproxyUnreachable: it does not run.
        """
        return parse_servers(ask(self.directory, RUNTIME_SOCKET, "show servers state", "show stat -1 4 -1"))

    def stop(self) -> None:
        """Stop HAProxy, cutting what is in flight; its directory stays."""
        self.process.stop()

    def remove(self) -> None:
        """Stop HAProxy and delete its directory."""
        self.process.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _restructure(self, wanted: Balancer, alive: bool) -> None:
        """Start or reload HAProxy if its structure is not the wanted one."""
        structure = configuration.structure(wanted)
        record = self.directory / _STRUCTURE
        if alive and record.is_file() and record.read_text() == structure:
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        record.unlink(missing_ok=True)
        tls.write_certificates(self.directory, wanted)
        if alive:
            # The state file carries health and drain to the new worker; a target that is not known to
            # HAProxy yet is registered after the reload like any other.
            state = ask(self.directory, RUNTIME_SOCKET, "show servers state")
            (self.directory / STATE_FILE).write_text(state.lstrip())
            (self.directory / CONFIGURATION).write_text(configuration.render(wanted, self._present(wanted)))
            self.process.reload()
        else:
            (self.directory / STATE_FILE).write_text("1\n")
            (self.directory / CONFIGURATION).write_text(structure)
            self.process.start()
            logger.info("balancer %s: started", wanted.address)
        record.write_text(structure)

    def _present(self, wanted: Balancer) -> dict[str, list[Target]]:
        """Say which targets each backend has now and shall keep over a reload."""
        known = {(view.backend, view.name) for view in self.servers()}
        return {
            backend: [target for target in group.targets if (backend, target.name) in known]
            for group in wanted.groups
            for backend in (group.name, group.name + OPEN_SUFFIX)
        }

    def _mend(self, wanted: Balancer) -> bool:
        """Bring the targets into line.

        Returns:
            Whether nothing is under way: no registration, no draining, nothing refused.
        """
        views = {(view.backend, view.name): view for view in self.servers()}
        changes = self._changes(wanted, views)
        if changes:
            self._tell(changes)
            # A healthy target passes its first check within milliseconds: let it not wait for a round.
            time.sleep(_FIRST_CHECK_SECONDS)
            views = {(view.backend, view.name): view for view in self.servers()}
            self._tell(self._changes(wanted, views))
        settled = not changes and not any(view.drain or view.maintenance for view in views.values())
        return settled and not self._down_since

    def _tell(self, changes: Iterable[list[str]]) -> None:
        for commands in changes:
            answer = ask(self.directory, RUNTIME_SOCKET, *commands)
            if "No such server" in answer or "already exists" in answer:
                logger.warning("balancer %s: %s: %s", self.directory.name, commands[0], answer.strip())

    def _changes(self, wanted: Balancer, views: dict[tuple[str, str], ServerView]) -> list[list[str]]:
        """List the command lines that bring HAProxy's targets nearer to what is wanted."""
        changes: list[list[str]] = []
        expected: set[tuple[str, str]] = set()
        for group in wanted.groups:
            for target in group.targets:
                expected |= {(group.name, target.name), (group.name + OPEN_SUFFIX, target.name)}
                view = views.get((group.name, target.name))
                if target.draining:
                    changes += _drain(group, target, views)
                elif view is None:
                    changes.append(_register(group, target, wanted.profile))
                else:
                    changes += _serve(group, target, wanted.profile, view, views)
                    if wanted.profile == "retry":
                        changes += self._cut(view)
        for key, view in views.items():
            if key not in expected:
                changes.append(_forget(view))
                self._down_since.pop("/".join(key), None)
        return changes

    def _cut(self, view: ServerView) -> list[list[str]]:
        """Cut what still hangs on a target that has been down for a while: what may be repeated then is."""
        server = f"{view.backend}/{view.name}"
        if view.up or view.drain or not view.sessions:
            self._down_since.pop(server, None)
            return []
        # A machine that accepts and says nothing is frozen: waiting longer helps nobody. Otherwise not
        # at once: a connection that is only being opened to a vanished machine ends sooner by itself.
        since = self._down_since.setdefault(server, time.monotonic())
        if view.check_status != "L7TOUT" and time.monotonic() - since < _CUT_AFTER_DOWN_SECONDS:
            return []
        return [[f"shutdown sessions server {server}"]]


def _register(group: TargetGroup, target: Target, profile: str) -> list[str]:
    server = f"{group.name}/{target.name}"
    options = configuration.server_options(group, profile)
    return [
        f"add server {server} {target.address}:{target.port} {options}",
        f"enable health {server}",
        f"set server {server} state drain",
    ]


def _serve(
    group: TargetGroup,
    target: Target,
    profile: str,
    view: ServerView,
    views: dict[tuple[str, str], ServerView],
) -> list[list[str]]:
    """Bring a registered target into service when it has passed one check, or call it unhealthy."""
    server = f"{group.name}/{target.name}"
    changes: list[list[str]] = []
    in_service = not (view.drain or view.maintenance)
    if view.maintenance:
        changes.append([f"set server {server} state drain"])
    elif view.drain:
        rise, fall = configuration.thresholds(group, profile)
        failing_seconds = (fall - 1) * configuration.check_interval_seconds(group, profile)
        if view.up and view.passed >= rise + fall - 1:
            changes.append([f"set server {server} state ready"])
        elif not view.up and view.passed > 0:
            changes.append([f"set server {server} health up", f"set server {server} state ready"])
        elif not view.up and view.last_change_seconds >= failing_seconds:
            changes.append([f"set server {server} state ready"])
        in_service = bool(changes)
    twin = f"{group.name}{OPEN_SUFFIX}/{target.name}"
    if in_service and (group.name + OPEN_SUFFIX, target.name) not in views:
        options = configuration.open_options(group)
        changes.append(
            [f"add server {twin} {target.address}:{target.port} {options}".rstrip(), f"enable server {twin}"]
        )
    return changes


def _drain(group: TargetGroup, target: Target, views: dict[tuple[str, str], ServerView]) -> list[list[str]]:
    """Give a target no new request; what is in flight goes on."""
    return [
        [f"set server {backend}/{target.name} state maint"]
        for backend in (group.name, group.name + OPEN_SUFFIX)
        if (view := views.get((backend, target.name))) is not None and not view.maintenance
    ]


def _forget(view: ServerView) -> list[str]:
    """Cut what is left on a target and delete it; repeated, as HAProxy refuses while a connection ends."""
    server = f"{view.backend}/{view.name}"
    return [
        f"set server {server} state maint",
        f"shutdown sessions server {server}",
        f"del server {server}",
    ]
