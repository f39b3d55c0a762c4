"""The HTTP server: where it listens, what it answers for, and how it ends."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from nospof import bootstrap
from nospof.console.app import make_app
from nospof.console.desk import Desk
from nospof.console.guard import EndedSessions, Guard
from nospof.errors import PreconditionFailed, UsageError
from nospof.model.asked import Role
from nospof.model.settings import Settings

HEAD_SECONDS = 10.0
"""So long a client may take to say what it wants."""
END_SECONDS = 3
MOST_CONNECTIONS = 400


@dataclass(frozen=True)
class Wishes:
    """How to serve: `origin` is how browsers reach it, empty for by its own address."""

    bind: str
    port: int
    origin: str = ""
    certificate: Path | None = None
    key: Path | None = None
    works: bool = True

    @property
    def is_tls(self) -> bool:
        """Whether browsers speak TLS with it."""
        return bool(self.certificate) or self.origin.startswith("https://")


class Impatient(H11Protocol):
    """Lets go of a client that does not say what it wants."""

    def connection_made(self, transport: Any) -> None:
        """See asyncio.Protocol."""
        super().connection_made(transport)
        self._patience = asyncio.get_running_loop().call_later(HEAD_SECONDS, self._lose_patience)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._patience.cancel()
        super().connection_lost(exc)

    def _lose_patience(self) -> None:
        scope: Any = self.scope  # None until a request's head was read
        if scope is None:
            self.transport.abort()


def serve_until_told(
    wishes: Wishes, tokens: dict[Role, str], settings: Settings, say: Callable[[str], None]
) -> None:
    """Serve until SIGINT or SIGTERM; runs go on.

    Raises:
        PreconditionFailed: nobody can listen there, or the state cannot be written.
        CloudError: the account cannot be asked who this is.
    """
    listener = listening(wishes)
    host, port = listener.getsockname()[:2]
    netloc = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    scheme = "https" if wishes.certificate else "http"
    names = {netloc, f"localhost:{port}"}
    origins = {f"{scheme}://{one}" for one in names}
    if wishes.origin:
        names.add(wishes.origin.partition("://")[2])
        origins.add(wishes.origin)
    desk = Desk(settings)
    place = desk.place()
    guard = Guard(tokens, frozenset(names), frozenset(origins), EndedSessions(bootstrap.state_directory()))
    app = make_app(desk, guard, say, works=wishes.works, is_tls=wishes.is_tls)
    config = uvicorn.Config(
        app,
        http=Impatient,
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=END_SECONDS,
        ssl_certfile=wishes.certificate,
        ssl_keyfile=wishes.key,
    )
    try:
        config.load()
    except OSError as error:  # a certificate and a key that are none, or not of each other
        raise UsageError(f"--tls-certificate and --tls-key: {error}") from error
    say(f"serving {place} at {wishes.origin or f'{scheme}://{netloc}'}/api/v1/; Ctrl-C ends this, and no run")
    uvicorn.Server(config).run(sockets=[listener])


def listening(wishes: Wishes) -> socket.socket:
    """Return a socket that listens.

    Raises:
        PreconditionFailed: it cannot be had.
    """
    family = socket.AF_INET6 if ":" in wishes.bind else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((wishes.bind, wishes.port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise PreconditionFailed(
            f"nobody can listen at {wishes.bind} port {wishes.port} ({error.strerror}); choose another --port"
        ) from error
    return listener
