"""Commands while NOSPOF_SERVER names a server: what they ask of it, and what they refuse.

A command that is not named here refuses, so that none works on this machine, or in whatever account is at
hand, while somebody believes to speak to a server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import wraps
from typing import Any

import click
from click.core import ParameterSource

from nospof.cli.progress import WARNING, Watch
from nospof.cli.stopping import stopping_politely
from nospof.errors import NospofError, UsageError
from nospof.model.plans import Plan
from nospof.model.runs import Run
from nospof.services.procedures import Outcome
from nospof.services.remote import Remote

OF_THIS_MACHINE = ("cloud", "demo", "explain", "permissions", "serve", "worker")
"""Commands that work here by nature, with all below them."""
ONE_PLACE = "the server is about one account and region, its own"
ITS_SETTINGS = "the nospof.yaml of the server is what counts"
READ_HERE = "that is read on this machine"
ASKED: dict[str, dict[str, str]] = {
    "audit": {
        "settings": ITS_SETTINGS,
        "baseline": READ_HERE,
        "parameters": READ_HERE,
        "probe": "the web API does not look inside instances",
        "save": "the web API does not give AWS's own answers",
    },
    "clone": {},
    "pair": {},
    "cut-over": {},
    "drill": {},
    "data status": {},
    "data rejoin": {},
    "data undo": {},
    "maintain events": {
        "mail": READ_HERE,
        "settings": ITS_SETTINGS,
        "regions": ONE_PLACE,
        "profiles": ONE_PLACE,
    },
    "maintain apply": {"settings": ITS_SETTINGS},
    "maintain back": {},
    "maintain backup": {},
    "maintain run": {},
    "maintain take": {},
    "maintain test-backup": {},
    "runs list": {},
    "runs show": {},
    "runs stop": {},
    "runs undo": {},
    "runs resume": {"take_over": "give that word on the server's machine"},
}
"""Commands that ask the server, each with the options that it cannot be asked, and why."""
EVERYWHERE = {"region": ONE_PLACE, "profile": ONE_PLACE}


def keep_to_server(command: click.Command, path: str) -> None:
    """Have a command, and all below it, refuse what it would not ask of the server.

    Args:
        command: just imported.
        path: what is typed to reach it, such as "runs list".
    """
    if path in OF_THIS_MACHINE:
        return
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            keep_to_server(one, f"{path} {name}")
    elif path in ASKED and command.callback:
        command.callback = refusing(path, command.callback)
    else:
        command.callback = refused(path)


def refused(path: str) -> Callable[..., Any]:
    """Return what a command does that works on this machine only."""

    def refuse(**_given: Any) -> None:
        raise UsageError(
            f"nospof {path} works on this machine, and NOSPOF_SERVER names another: call it there, or unset "
            "NOSPOF_SERVER to work from here"
        )

    return refuse


def refusing(path: str, work: Callable[..., Any]) -> Callable[..., Any]:
    """Return what a command does, but for the options that the server cannot be asked."""
    unasked = EVERYWHERE | ASKED[path]

    @wraps(work)
    def ask(**given: Any) -> Any:
        context = click.get_current_context()
        is_of_files = bool(given.get("files"))  # an audit of files is one of this machine
        for option in context.command.params:
            name = str(option.name)
            is_given = context.get_parameter_source(name) is not ParameterSource.DEFAULT
            if name in unasked and is_given and not is_of_files:
                raise UsageError(
                    f"{option.opts[-1]} cannot be asked of the server in NOSPOF_SERVER: {unasked[name]}. "
                    "Leave it out, or unset NOSPOF_SERVER to work from here"
                )
        return work(**given)

    return ask


class There:
    """A server, which does and is followed. Implements `Place`.

    Args:
        remote: the server.
        watch: is shown the steps.
    """

    def __init__(self, remote: Remote, watch: Watch) -> None:
        self._remote, self._watch = remote, watch

    def plan(self, procedure: str, request: Any) -> Plan:
        """See `Place`."""
        return self._remote.plan(procedure, request)

    def run(self, procedure: str, request: Any) -> Outcome:
        """See `Place`."""
        return self._shown(lambda: self._remote.begin(procedure, request))

    def resume(self, run_id: str, *, take_over: bool = False) -> Outcome:
        """See `Place`; `take_over` is refused before."""
        del take_over
        known = self._remote.run(run_id)
        if known.state == "done":
            return self._remote.outcome(known)
        return self._shown(lambda: self._remote.resume(run_id), known)

    def _shown(self, ask: Callable[[], str], known: Run | None = None) -> Outcome:
        shown = Shown(self._remote, self._watch, known)
        with stopping_politely(shown.ask_to_stop, self._watch):
            run_id = ask()
            shown.accepted(run_id)
            return self._remote.outcome(self._remote.follow(run_id, shown))


class Awaited:
    """A run of which only the end is waited for. Implements `Onlooker`."""

    def see(self, run: Run) -> None:
        """See `Onlooker`."""

    def see_now(self, now: Mapping[str, Any]) -> None:
        """See `Onlooker`."""

    def say(self, sentence: str) -> None:
        """See `Onlooker`."""
        click.echo(sentence, err=True)


class Shown:
    """A run of a server as its steps come, and whether it is to stop. Implements `Onlooker`.

    Args:
        remote: the server.
        watch: is shown the steps.
        known: the run before it is taken up again; what it has done is not shown as done now.
    """

    def __init__(self, remote: Remote, watch: Watch, known: Run | None) -> None:
        self._remote, self._watch = remote, watch
        self._run_id = known.id if known else ""
        self._steps = {one.number for one in known.steps if not one.error} if known else set()
        self._step = ""
        self._wants_stop = self._was_asked = False
        self._warned = len(self._warnings(self._run_id)) if known else 0

    def accepted(self, run_id: str) -> None:
        """Say under which id it is done."""
        self._run_id = run_id
        self._watch.say(
            f"{run_id} is accepted by {self._remote.url}, and goes on there whatever happens here"
        )

    def ask_to_stop(self) -> str:
        """Ask the run to stop, as soon as it can be; return what a person is told."""
        self._wants_stop = True
        if not self._run_id:
            return "it is asked to stop once it is accepted; once more leaves at once"
        self._stop()
        what = (
            f"asked {self._run_id} to stop"
            if self._was_asked
            else f"{self._run_id} is asked to stop once it can be"
        )
        return (
            f"{what} after the step under way; once more leaves at once, and it goes on there. Resume it "
            f"with: nospof runs resume {self._run_id}"
        )

    def say(self, sentence: str) -> None:
        """Say something that is no step."""
        self._watch.say(sentence)

    def see_now(self, now: Mapping[str, Any]) -> None:
        """Show what the step under way is doing."""
        step = str(now.get("step", ""))
        if step != self._step:
            self._step = step
            self._watch.step_began(step or self._run_id)
        self._watch.progress(str(now.get("says", "")), now.get("done"))

    def see(self, run: Run) -> None:
        """Show what is new of it."""
        for step in run.steps:
            if step.number not in self._steps:
                self._steps.add(step.number)
                self._watch.step_ended(step.name, step.error, step.finished_at - step.started_at)
        warnings = self._warnings(run.id)
        for warning in warnings[self._warned :]:
            self._watch.warn(warning)
        self._warned = max(self._warned, len(warnings))
        self._watch.step_began(self._step or f"{run.id} is {run.state}")
        if self._wants_stop and not self._was_asked and run.state == "running":
            self._stop()

    def _warnings(self, run_id: str) -> list[str]:
        """Return what its process has warned of; it stands in the log, which another machine may have."""
        with suppress(NospofError):
            lines = self._remote.log(run_id).splitlines()
            return [line.removeprefix(WARNING) for line in lines if line.startswith(WARNING)]
        return []

    def _stop(self) -> None:
        try:
            self._remote.stop(self._run_id)
        except NospofError:
            return  # it is not begun, is at its end, or the server is away: whoever follows it will see
        self._was_asked = True
