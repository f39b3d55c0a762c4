"""The service asked once, as a client or a balancer would ask it. An error is an answer too."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Required, TypedDict
from urllib.parse import SplitResult, urlsplit

from nospof.model.answers import BETRAYING, NOT_TRUSTED, Answer

MAX_BODY_BYTES = 64 * 1024


class HttpProbe:
    """Asks for pages over HTTP and HTTPS, directly: proxies in the environment are not used.

    Args:
        tls: whom to trust, where that is not whom the system trusts.
        max_body_bytes: what is kept of a page; the rest is not read.
        encoding: what pages are taken for; latin-1 keeps each byte, as a character.
    """

    def __init__(
        self,
        tls: ssl.SSLContext | None = None,
        max_body_bytes: int = MAX_BODY_BYTES,
        encoding: str = "utf-8",
    ) -> None:
        self._tls = tls
        self._max_body_bytes = max_body_bytes
        self._encoding = encoding

    def get(
        self,
        url: str,
        *,
        host: str = "",
        headers: Mapping[str, str] | None = None,
        verify: bool = True,
        timeout_seconds: float = 5.0,
    ) -> Answer:
        """Ask for a page, without following redirects. Never raises.

        Args:
            url: the page.
            host: sent as Host, and as the TLS server name, instead of the URL's own.
            headers: sent as well.
            verify: whether the certificate must be trusted.
            timeout_seconds: bounds the whole exchange, name lookup and body included.

        Returns:
            The answer; with status 0 and `error` in words when no whole answer came.
        """
        begin = time.monotonic()
        tls = (self._tls if verify else _unverifying()) if url.startswith("https:") else None
        exchange = _Exchange(url, host, timeout_seconds, tls, headers or {})
        exchange.max_body_bytes = self._max_body_bytes
        exchange.encoding = self._encoding
        # Socket timeouts bound one read and a name lookup has none at all: only somebody who
        # waits beside the exchange can bound the whole of it.
        thread = threading.Thread(target=exchange.run, name="nospof-probe", daemon=True)
        thread.start()
        thread.join(timeout_seconds)
        if thread.is_alive():
            exchange.abandon()
            return Answer(url, 0, time.monotonic() - begin, error=_timed_out(timeout_seconds))
        return Answer(url, seconds=time.monotonic() - begin, **exchange.outcome)


class _Exchange:
    """One question and its answer, in a thread of its own."""

    def __init__(
        self,
        url: str,
        host: str,
        timeout_seconds: float,
        tls: ssl.SSLContext | None,
        headers: Mapping[str, str],
    ) -> None:
        self._url = url
        self._host = host
        self._timeout_seconds = timeout_seconds
        self._tls = tls
        self._headers = {"Accept": "*/*", **headers, "Connection": "close"}
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._is_abandoned = False
        self.max_body_bytes = MAX_BODY_BYTES
        self.encoding = "utf-8"
        self.outcome: _Outcome = {"status": 0, "error": "no answer"}

    def run(self) -> None:
        try:
            self.outcome = self._ask()
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.outcome = {"status": 0, "error": in_words(error, self._timeout_seconds)}

    def abandon(self) -> None:
        """Wake the thread out of whatever it waits for on the network."""
        with self._lock:
            self._is_abandoned = True
            if self._socket is not None:
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    def _ask(self) -> _Outcome:
        parts = urlsplit(self._url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("not an http or https URL")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection = http.client.HTTPConnection(parts.hostname, timeout=self._timeout_seconds)
        try:
            connection.sock = self._connect(parts)
            headers = {"Host": self._host or parts.netloc.rpartition("@")[2], "User-Agent": "nospof-probe"}
            connection.request("GET", path, headers={**headers, **self._headers})
            with connection.getresponse() as response:
                body = response.read(self.max_body_bytes)
                if len(body) < self.max_body_bytes and response.length:
                    raise http.client.IncompleteRead(body, response.length)
                return {
                    "status": response.status,
                    "body": body.decode(self.encoding, errors="replace"),
                    "location": response.getheader("Location", ""),
                    "headers": {
                        name: ", ".join(values)
                        for name in BETRAYING
                        if (values := response.headers.get_all(name))
                    },
                    "cookies": "; ".join(
                        cookie.partition(";")[0] for cookie in response.headers.get_all("Set-Cookie", [])
                    ),
                }
        finally:
            connection.close()

    def _connect(self, parts: SplitResult) -> socket.socket:
        hostname = parts.hostname or ""
        is_tls = parts.scheme == "https"
        port = parts.port or (443 if is_tls else 80)
        plain = socket.create_connection((hostname, port), timeout=self._timeout_seconds)
        try:
            self._hold(plain)
            if not is_tls:
                return plain
            tls = self._tls or ssl.create_default_context()
            secure = tls.wrap_socket(plain, server_hostname=self._host.partition(":")[0] or hostname)
        except BaseException:
            plain.close()
            raise
        self._hold(secure)
        return secure

    def _hold(self, held: socket.socket) -> None:
        with self._lock:
            self._socket = held
            if self._is_abandoned:
                held.close()


class _Outcome(TypedDict, total=False):
    status: Required[int]
    body: str
    location: str
    headers: dict[str, str]
    cookies: str
    error: str


@cache
def _unverifying() -> ssl.SSLContext:
    """Return what takes any certificate, for those who are asked by their address."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def in_words(error: Exception, timeout_seconds: float) -> str:
    """Say why there was no answer, in the words an operator would use."""
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return words
    if isinstance(error, TimeoutError):
        return _timed_out(timeout_seconds)
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{NOT_TRUSTED}: {error.verify_message}"
    if isinstance(error, http.client.HTTPException):
        return f"not an HTTP answer: {str(error)[:80] or type(error).__name__}"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _timed_out(timeout_seconds: float) -> str:
    return f"timed out after {timeout_seconds:g} s"


_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (http.client.RemoteDisconnected, "connection closed without an answer"),
    (http.client.IncompleteRead, "connection closed in the middle of the answer"),
    (ConnectionRefusedError, "connection refused"),
    (ConnectionResetError, "connection reset"),
    (BrokenPipeError, "connection reset"),
    (socket.gaierror, "name not found"),
    (http.client.InvalidURL, "not an http or https URL"),
)
