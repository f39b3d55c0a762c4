"""The server's application: the routes, one envelope for every error, and the worker beside them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from nospof import __version__
from nospof.console.api import make_routes
from nospof.console.desk import Desk
from nospof.console.gate import Gate, is_api, refusal, turned_away
from nospof.console.guard import Guard, Turned
from nospof.console.pages import make_pages, wrong
from nospof.errors import CloudError, NospofError, PreconditionFailed, UnknownName, UsageError
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
    app.include_router(make_pages(desk))
    answers = Answers(desk)
    app.exception_handler(NospofError)(answers.of_ours)
    app.exception_handler(Turned)(answers.of_the_gate)
    app.exception_handler(RequestValidationError)(answers.of_validation)
    app.exception_handler(HTTPException)(answers.of_starlette)
    return Gate(app, guard, desk.note, is_tls=is_tls)


def status_of(error: NospofError) -> int:
    """Return the HTTP status of an error."""
    if isinstance(error, UnknownName):
        return HTTPStatus.NOT_FOUND
    if isinstance(error, UsageError):
        return HTTPStatus.BAD_REQUEST
    if isinstance(error, PreconditionFailed):
        return HTTPStatus.CONFLICT
    return HTTPStatus.BAD_GATEWAY if isinstance(error, CloudError) else HTTPStatus.UNPROCESSABLE_ENTITY


class Answers:
    """Says what went wrong: to programs in the one envelope, to people on a page."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def of_ours(self, request: Request, error: NospofError) -> Response:
        """Answer with the envelope that the command line writes."""
        status = status_of(error)
        return self._says(request, status, str(error), {"error": envelope(error)})

    def of_the_gate(self, request: Request, error: Turned) -> Response:
        """Answer what a route itself turned away."""
        if is_api(request.scope):
            return turned_away(error)
        return wrong(request, self._desk, error.status, str(error))

    def of_validation(self, request: Request, error: RequestValidationError) -> Response:
        """Answer what is not of the form that the OpenAPI document says, naming the field."""
        first = error.errors()[0]
        where = ".".join(str(one) for one in first["loc"][1:]) or str(first["loc"][0])
        return self._says(request, 400, f"{where}: {first['msg']}")

    def of_starlette(self, request: Request, error: HTTPException) -> Response:
        """Answer an address or a method that there is not."""
        is_nowhere = error.status_code == HTTPStatus.NOT_FOUND
        says = "there is nothing at this address; see /api/v1/openapi.json" if is_nowhere else error.detail
        answer = self._says(request, error.status_code, says)
        answer.headers.update(error.headers or {})
        return answer

    def _says(
        self, request: Request, status: int, says: str, document: dict[str, Any] | None = None
    ) -> Response:
        if is_api(request.scope):
            return JSONResponse(document or refusal(status, says), status)
        return wrong(request, self._desk, status, says)
