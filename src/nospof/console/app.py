"""The server's application: the routes, one envelope for every error, and the worker beside them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from nospof import __version__
from nospof.console.api import make_routes
from nospof.console.desk import Desk
from nospof.console.gate import Gate, refusal, turned_away
from nospof.console.guard import Guard, Turned
from nospof.errors import CloudError, NospofError, PreconditionFailed, UsageError
from nospof.render.answers import envelope
from nospof.services.asking import keep_working

Say = Callable[[str], None]


def make_app(desk: Desk, guard: Guard, say: Say, *, works: bool, is_tls: bool) -> ASGIApp:
    """Return the application.

    Args:
        desk: what it asks.
        guard: who may ask.
        say: is told what the worker cannot do.
        works: have what is asked for done by this process, too.
        is_tls: whether browsers speak TLS with it, here or at a proxy before it.
    """
    is_over = threading.Event()

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        worker = (
            asyncio.create_task(asyncio.to_thread(keep_working, desk.work, say, is_over.wait))
            if works
            else None
        )
        yield
        is_over.set()
        if worker:
            await worker

    app = FastAPI(
        title="nospof",
        version=__version__,
        summary="Makes a service that lives on one EC2 instance one that no single failure can take down.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # it would load its scripts from elsewhere
        redoc_url=None,
        lifespan=life,
    )
    app.include_router(make_routes(desk, guard, is_tls=is_tls))
    app.exception_handler(NospofError)(of_ours)
    app.exception_handler(Turned)(of_the_gate)
    app.exception_handler(RequestValidationError)(of_validation)
    app.exception_handler(HTTPException)(of_starlette)
    return Gate(app, guard, desk.note, is_tls=is_tls)


def status_of(error: NospofError) -> int:
    """Return the HTTP status of an error."""
    if isinstance(error, UsageError):
        is_unknown = str(error).startswith(("there is no run", "no service is called", "nothing of number"))
        return HTTPStatus.NOT_FOUND if is_unknown else HTTPStatus.BAD_REQUEST
    if isinstance(error, PreconditionFailed):
        return HTTPStatus.CONFLICT
    return HTTPStatus.BAD_GATEWAY if isinstance(error, CloudError) else HTTPStatus.UNPROCESSABLE_ENTITY


def of_ours(_request: Request, error: NospofError) -> JSONResponse:
    """Answer with the envelope that the command line writes."""
    return JSONResponse({"error": envelope(error)}, status_of(error))


def of_the_gate(_request: Request, error: Turned) -> JSONResponse:
    """Answer what a route itself turned away."""
    return turned_away(error)


def of_validation(_request: Request, error: RequestValidationError) -> JSONResponse:
    """Answer what is not of the form that the OpenAPI document says, naming the field."""
    first = error.errors()[0]
    where = ".".join(str(one) for one in first["loc"][1:]) or str(first["loc"][0])
    return JSONResponse(refusal(400, f"{where}: {first['msg']}"), 400)


def of_starlette(_request: Request, error: HTTPException) -> JSONResponse:
    """Answer an address or a method that there is not."""
    is_nowhere = error.status_code == HTTPStatus.NOT_FOUND
    says = "there is nothing at this address; see /api/v1/openapi.json" if is_nowhere else error.detail
    return JSONResponse(refusal(error.status_code, says), error.status_code, error.headers)
