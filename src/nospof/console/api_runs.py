"""The routes that act, and those by which a run is followed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse

from nospof.console.desk import Desk
from nospof.console.forms import (
    Accepted,
    CommandLine,
    Document,
    Key,
    Order,
    RunId,
    RunPage,
    Stopping,
    TakingBack,
)
from nospof.console.guard import Turned
from nospof.model.asked import AskedRun, Caller
from nospof.model.runs import Run
from nospof.render.answers import plain, summary, to_json
from nospof.render.plot import draw_load

LIVE = ("waiting", "running", "elsewhere")
"""The states of a run that is not at its end, as far as anybody knows here."""
LOOK_SECONDS = 0.5
BEAT_SECONDS = 15.0
MOST_FOLLOWERS = 200


def document(value: Any) -> Response:
    """Return a result as the command line writes it."""
    return Response(to_json(value), media_type="application/json")


def caller_of(request: Request) -> Caller:
    """Return who asks, as the gate found."""
    caller: Caller = request.state.caller
    return caller


def accepted(request: Request, asked: AskedRun) -> Accepted:
    """Answer that something will be done, and have the log of deeds name the run."""
    request.state.run_id = asked.run_id
    return Accepted(run_id=asked.run_id, act=asked.act, place=asked.place)


def acting(routes: APIRouter, desk: Desk) -> None:
    """Add the acts, and the plan before one."""

    @routes.post("/plans", tags=["acting"], response_model=Document)
    def plan(order: Order) -> Response:
        """Show each call that a procedure would make now; changes nothing."""
        return document(desk.plan(order.procedure, order.request))

    @routes.post("/command-lines", tags=["acting"])
    def command_line(order: Order) -> CommandLine:
        """Say how the same is typed; changes nothing."""
        return CommandLine(command=desk.command_line(order.procedure, order.request))

    @routes.post("/runs", tags=["acting"], status_code=202)
    def begin(request: Request, order: Order, key: Key) -> Accepted:
        """Have a procedure run. Accepted is not done: follow the run."""
        return accepted(request, desk.begin(order.procedure, order.request, caller_of(request), key))

    @routes.post("/runs/{run_id}/resume", tags=["acting"], status_code=202)
    def resume(request: Request, run_id: RunId, key: Key) -> Accepted:
        """Take up an interrupted or failed run where it was."""
        return accepted(request, desk.resume(run_id, caller_of(request), key))

    @routes.post("/runs/{run_id}/undo/plan", tags=["acting"], response_model=Document)
    def plan_to_undo(run_id: RunId, asked: TakingBack) -> Response:
        """Show each call that would take apart what a run made; changes nothing."""
        return document(desk.plan_to_take_back(run_id, clients_are_back=asked.clients_are_back))

    @routes.post("/runs/{run_id}/undo", tags=["acting"], status_code=202)
    def undo(request: Request, run_id: RunId, asked: TakingBack, key: Key) -> Accepted:
        """Take apart what a run made, or lead names back; that is a run of its own."""
        back = desk.take_back(run_id, caller_of(request), key, clients_are_back=asked.clients_are_back)
        return accepted(request, back)

    @routes.post("/runs/{run_id}/stop", tags=["acting"], status_code=202)
    def stop(request: Request, run_id: RunId) -> Stopping:
        """Ask a run to stop after the step under way; it can be resumed."""
        request.state.run_id = run_id
        found = desk.stop(run_id)
        return Stopping(run_id=found.id, state=found.state)


def looking_back(routes: APIRouter, desk: Desk) -> None:
    """Add the runs that were and are."""

    @routes.get("/runs", tags=["runs"])
    def runs(
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        after: Annotated[str, Query(max_length=100, description="the last run of the page before")] = "",
    ) -> RunPage:
        """List the runs, newest first."""
        page, following = desk.page(limit, after)
        return RunPage.model_validate({"runs": [summary(one) for one in page], "next": following})

    @routes.get("/runs/{run_id}", tags=["runs"], response_model=Document)
    def run(run_id: RunId) -> Response:
        """Show a run with its steps: what `nospof runs show --format json` writes."""
        return document(desk.run(run_id))

    @routes.get("/runs/{run_id}/now", tags=["runs"], response_model=Document)
    def now(run_id: RunId) -> Response:
        """Say what a run is doing at this moment: its step, what that waits for, how its load has stood."""
        return document(desk.sight(run_id))

    @routes.get(
        "/runs/{run_id}/load.svg",
        tags=["runs"],
        response_class=Response,
        responses={200: {"content": {"image/svg+xml": {"schema": {"type": "string"}}}}},
    )
    def load(run_id: RunId) -> Response:
        """Draw the load of a drill so far: answers a second by instance, failures, and the drill's phases.

        Empty where there is no load yet.
        """
        return Response(draw_load(desk.sight(run_id).loads), media_type="image/svg+xml")

    @routes.get(
        "/runs/{run_id}/log",
        tags=["runs"],
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    def log(run_id: RunId) -> PlainTextResponse:
        """Return what the run's processes said; empty where it was begun on the command line."""
        return PlainTextResponse(desk.log(run_id))


def following(routes: APIRouter, desk: Desk) -> None:
    """Add how a run is followed."""
    followers = 0

    @routes.get(
        "/runs/{run_id}/events",
        tags=["runs"],
        response_class=Response,
        responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    )
    async def follow(run_id: RunId) -> Response:
        """Follow a run: an event for each change of it, the last once it has ended.

        Each `run` event has the whole run, so that whoever comes late, or again, lacks nothing. A `now`
        event says what the step under way is doing, and how many looks at its load there are.
        """
        nonlocal followers
        first = await asyncio.to_thread(desk.run, run_id)
        if followers >= MOST_FOLLOWERS:
            raise Turned(429, f"{MOST_FOLLOWERS} follow runs already", after_seconds=10)

        async def told() -> AsyncIterator[str]:
            nonlocal followers
            followers += 1
            try:
                async for one in changes(desk, first):
                    yield one
            finally:
                followers -= 1

        return StreamingResponse(told(), media_type="text/event-stream")


async def changes(desk: Desk, run: Run) -> AsyncIterator[str]:
    """Yield a run as server-sent events: as it is, at each change, and a comment when nothing happens."""
    seen: dict[str, str] = {}
    quiet = 0.0
    while True:
        sight = await asyncio.to_thread(desk.sight, run.id)
        now = {**plain(sight), "loads": len(sight.loads)}
        for kind, says in (("now", json.dumps(now)), ("run", json.dumps(plain(run), default=str))):
            if says != seen.get(kind):
                seen[kind], quiet = says, 0.0
                yield f"event: {kind}\ndata: {says}\n\n"
        if run.state not in LIVE:
            yield f"event: end\ndata: {json.dumps({'state': run.state})}\n\n"
            return
        await asyncio.sleep(LOOK_SECONDS)
        quiet += LOOK_SECONDS
        if quiet >= BEAT_SECONDS:
            quiet = 0.0
            yield ": it is still so\n\n"
        run = await asyncio.to_thread(desk.run, run.id)
