"""What every request passes before a route: the guard, limits, headers of security, the log of deeds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nospof.console.guard import COOKIE, Guard, Turned
from nospof.model.asked import Caller, Deed

MOST_BYTES = 256 * 1024
TOO_MUCH = f"a request has {MOST_BYTES // 1024} KiB at most"
BODY_SECONDS = 15.0
SAFE = ("GET", "HEAD", "OPTIONS")
OPEN = ("/api/v1/session", "/api/v1/health")
"""What needs nobody to be known: it is where one comes to be."""
FOR_ALL = ("/login", "/static/")
ONLY_SHOWS = ("/command-lines",)
"""What a viewer may post. A plan asks for pages that its request names, from where this server is."""
KINDS = {400: "UsageError", 401: "NotKnown", 403: "NotAllowed", 404: "UnknownName", 405: "NotAllowed"}
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}

Note = Callable[[Deed], None]


def refusal(status: int, says: str) -> dict[str, Any]:
    """Return the one envelope for what never reached a service."""
    return {"error": {"kind": KINDS.get(status, "Refused"), "message": says, "exit_code": 2}}


def turned_away(why: Turned) -> JSONResponse:
    """Return the answer to a request that is turned away."""
    headers = {"retry-after": str(why.after_seconds)} if why.after_seconds else {}
    if why.status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    return JSONResponse(refusal(why.status, str(why)), why.status, headers)


class Gate:
    """The outermost layer.

    Args:
        app: what is behind it.
        guard: who decides.
        note: writes a line of the log; called in another thread.
        is_tls: whether browsers speak TLS with it.
    """

    def __init__(self, app: ASGIApp, guard: Guard, note: Note, *, is_tls: bool) -> None:
        self._app, self._guard, self._note, self._is_tls = app, guard, note, is_tls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = Body(receive)
        answer = Answer(send, body, is_tls=self._is_tls)
        scope["state"] = {**scope.get("state", {}), "caller": None}
        try:
            await self._through(scope, body, answer)
        finally:
            if scope["method"] not in SAFE:
                await asyncio.shield(asyncio.to_thread(self._note, deed_of(scope, answer.status)))

    async def _through(self, scope: Scope, body: Body, answer: Answer) -> None:
        """Have the application answer, or say why it is not asked."""
        try:
            scope["state"]["caller"] = self._let_in(scope)
            if not scope["state"]["caller"] and not is_api(scope) and not scope["path"].startswith(FOR_ALL):
                await to_log_in(scope)(scope, body.receive, answer.send)
                return
            await self._app(scope, body.receive, answer.send)
            why = body.refused
        except Turned as error:
            why = error
        if why is None:
            return
        body.refused = None
        await turned_away(why)(scope, body.receive, answer.send)

    def _let_in(self, scope: Scope) -> Caller | None:
        """Return who asks, where that is known; the API is for those who are.

        Raises:
            Turned: it is not let in.
        """
        headers = Headers(scope=scope)
        changes = scope["method"] not in SAFE
        self._guard.refuse_strangers(headers.get("host", ""), headers.get("origin", ""), changes=changes)
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or int(length[:20]) > MOST_BYTES:
            raise Turned(413, TOO_MUCH)
        if scope["path"] in OPEN:
            return None
        if not is_api(scope):
            role = self._guard.role_in(cookie_of(headers.get("cookie", "")))
            return Caller(role, address_of(scope)) if role else None
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        cookie = "" if bearer else cookie_of(headers.get("cookie", ""))
        caller = self._guard.caller(bearer if scheme.lower() == "bearer" else "", cookie, address_of(scope))
        if changes and cookie and headers.get("x-nospof-page") != "1":
            raise Turned(403, "a page's own requests carry X-Nospof-Page: 1; a program sends a token instead")
        if changes and caller.role != "operator" and not scope["path"].endswith(ONLY_SHOWS):
            raise Turned(403, "a viewer neither plans nor changes anything; use the operator's token")
        return caller


def to_log_in(scope: Scope) -> RedirectResponse:
    """Return the way to the page on which one signs in, and back from there."""
    query = scope["query_string"].decode("latin-1")
    return RedirectResponse(f"/login?next={quote(scope['path'] + (f'?{query}' if query else ''))}", 303)


def is_api(scope: Scope) -> bool:
    """Whether a request is for the API, and not for a page."""
    return str(scope["path"]).startswith("/api/")


def address_of(scope: Scope) -> str:
    """Return where a request comes from."""
    return str((scope.get("client") or ("",))[0])


def cookie_of(header: str) -> str:
    """Return the session's cookie, or nothing."""
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def deed_of(scope: Scope, status: int) -> Deed:
    """Return the line of the log for a request that was answered."""
    state = scope["state"]
    role = state["caller"].role if state["caller"] else ""
    did = f"{scope['method']} {scope['path']}"
    return Deed(time.time(), role, address_of(scope), did, status, str(state.get("run_id", "")))


class Answer:
    """What goes out: the headers of security, and nothing of an answer to a body that was not read.

    Attributes:
        status: of the answer, once it has begun.
    """

    def __init__(self, send: Send, body: Body, *, is_tls: bool) -> None:
        self._send, self._body = send, body
        self._headers = HEADERS | ({"strict-transport-security": "max-age=31536000"} if is_tls else {})
        self.status = 0

    async def send(self, message: Message) -> None:
        """Send a part of it."""
        if self._body.refused:  # who was reading the body has made an answer of that
            return
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            headers = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                headers.setdefault(name, value)
        await self._send(message)


class Body:
    """A request's body, which is neither too long nor too slow.

    Attributes:
        refused: why it is not read to its end.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._bytes = 0
        self._ends = asyncio.get_running_loop().time() + BODY_SECONDS
        self._is_whole = False
        self.refused: Turned | None = None

    async def receive(self) -> Message:
        """Receive the next part. Raises Turned: it comes too slowly, or is too much."""
        if self._is_whole:  # what comes now is only that the client is gone
            return await self._receive()
        left = self._ends - asyncio.get_running_loop().time()
        try:
            message = await asyncio.wait_for(self._receive(), max(left, 0.0))
        except TimeoutError:
            self.refused = Turned(408, f"the request did not come within {BODY_SECONDS:.0f} s")
            raise self.refused from None
        if message["type"] == "http.request":
            self._bytes += len(message.get("body", b""))
            self._is_whole = not message.get("more_body", False)
            if self._bytes > MOST_BYTES:
                self.refused = Turned(413, TOO_MUCH)
                raise self.refused
        return message
