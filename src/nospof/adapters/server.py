"""The web API of a server elsewhere, asked as the command line asks a cloud.

What it refuses becomes the error that the command would have ended with there. The token goes to that
server only, over TLS that is verified or to this computer, and stands in no message.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from nospof.adapters.hosts import is_loopback
from nospof.errors import CloudError, NospofError, UnknownOutcome, UsageError, told_error

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 600.0
"""An audit or a plan may read a large account before it answers."""
QUIET_SECONDS = 45.0
"""A run that is followed is told of every 15 s at least, be it that nothing happens."""
TRY_LATER = (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)
"""What a proxy says while the server behind it is away."""
PREFIX = "/api/v1/"


@dataclass(frozen=True)
class Server:
    """A server and how to come in.

    Args:
        url: its origin, such as "https://ops.example.com".
        token: of one of its roles.

    Raises:
        UsageError: the URL or the token cannot be one.
    """

    url: str
    token: str = field(repr=False)

    def __post_init__(self) -> None:
        if "@" in self.url:  # it may be a secret, so it is not repeated
            raise UsageError("NOSPOF_SERVER has a user in it; the token belongs into NOSPOF_TOKEN_FILE")
        try:
            parts = urlsplit(self.url)
            _ = parts.port
        except ValueError as error:
            raise UsageError(f"NOSPOF_SERVER {self.url!r} is no URL: {error}") from error
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.path.strip("/"):
            raise UsageError(f"NOSPOF_SERVER {self.url!r} is no server; write it as https://ops.example.com")
        if parts.query or parts.fragment:
            raise UsageError(f"NOSPOF_SERVER {self.url!r} is more than a server: leave out what follows it")
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise UsageError(
                f"NOSPOF_SERVER {self.url} would send the token over the network in the clear; write https://"
            )
        if not self.token.isascii() or not self.token.isprintable() or " " in self.token:
            raise UsageError(
                "the token in NOSPOF_TOKEN or NOSPOF_TOKEN_FILE is none; see: nospof serve --help"
            )

    def get(self, path: str, query: Sequence[tuple[str, str]] = ()) -> Any:
        """Return what a question is answered with, as plain JSON.

        Raises:
            CloudError: the server cannot be reached or gives no answer; `retryable` where it may later.
            UsageError: what answers is no server of ours, or does not know the token.
            NospofError: as the server says.
        """
        asked = f"{path}?{urlencode(query)}" if query else path
        with self._answer("GET", asked) as answer:
            return self._document(answer)

    def text(self, path: str) -> str:
        """Return an answer that is plain text. Raises as `get`."""
        with self._answer("GET", path) as answer:
            if answer.status == HTTPStatus.OK and kind_of(answer) == "text/plain":
                return answer.read().decode("utf-8", "replace")
            self._document(answer)
            raise self._not_ours(answer)

    def post(self, path: str, body: Any, key: str = "") -> Any:
        """Have something done, under an idempotency key where it is to be done once.

        Raises:
            UnknownOutcome: no answer came, so that it may have been accepted.
            NospofError: as `get`.
        """
        with self._answer("POST", path, json.dumps(body).encode(), key) as answer:
            return self._document(answer)

    def events(self, path: str) -> Iterator[tuple[str, Any]]:
        """Yield each event's kind and document, until the event that ends the stream.

        Raises:
            CloudError: the connection was lost; `retryable`.
            NospofError: as `get`.
        """
        with self._answer("GET", path, seconds=QUIET_SECONDS) as answer:
            if answer.status != HTTPStatus.OK:
                self._document(answer)
            if kind_of(answer) != "text/event-stream":
                raise self._not_ours(answer)
            event = ""
            for line in answer:
                name, _, value = line.decode("utf-8", "replace").rstrip("\r\n").partition(": ")
                if name == "event":
                    event = value
                elif name == "data" and event == "end":
                    return
                elif name == "data":
                    yield event, self._parsed(value)
        raise CloudError(f"{self.url} has ended the connection", retryable=True)

    @contextmanager
    def _answer(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        key: str = "",
        seconds: float = ANSWER_SECONDS,
    ) -> Iterator[http.client.HTTPResponse]:
        """Ask; what breaks while the answer is read is told as what breaks before it."""
        with closing(self._connection()) as connection:
            self._connect(connection)
            connection.sock.settimeout(seconds)
            headers = {
                "Authorization": f"Bearer {self.token}",
                "Accept": "application/json, text/event-stream",
            }
            if body is not None:
                headers["Content-Type"] = "application/json"
            if key:
                headers["Idempotency-Key"] = key
            try:
                connection.request(method, f"{PREFIX}{path}", body, headers)
                with connection.getresponse() as answer:
                    yield answer
            except (OSError, http.client.HTTPException) as error:
                kind = UnknownOutcome if method == "POST" else CloudError
                why = f"{type(error).__name__}: {error}".rstrip(": ")
                raise kind(f"{self.url} gave no whole answer ({why})", retryable=True) from error

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        if parts.scheme == "http":
            return http.client.HTTPConnection(host, parts.port, timeout=CONNECT_SECONDS)
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, parts.port, timeout=CONNECT_SECONDS, context=context)

    def _connect(self, connection: http.client.HTTPConnection) -> None:
        try:
            connection.connect()
        except ssl.SSLCertVerificationError as error:
            raise CloudError(
                f"{self.url} shows a certificate that is not trusted here ({error.verify_message}). Where "
                "it is of an authority of your own, name that with SSL_CERT_FILE"
            ) from error
        except OSError as error:
            why = error.strerror or str(error) or type(error).__name__
            raise CloudError(
                f"the server {self.url} cannot be reached ({why}). Is nospof serve running there? "
                "NOSPOF_SERVER names it",
                retryable=True,
            ) from error

    def _document(self, answer: http.client.HTTPResponse) -> Any:
        """Return an answer's JSON. Raises as `get`."""
        is_json = kind_of(answer) == "application/json"
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR and not is_json:
            is_away = answer.status in TRY_LATER
            what = "is away for now" if is_away else "has failed"
            raise UnknownOutcome(f"{self.url} {what} (HTTP {answer.status})", retryable=is_away)
        if not is_json:
            raise self._not_ours(answer)
        document = self._parsed(answer.read().decode("utf-8", "replace"))
        if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            return document
        told = document.get("error") if isinstance(document, dict) else None
        if not isinstance(told, dict) or not {"kind", "message", "exit_code"} <= told.keys():
            raise self._not_ours(answer)
        message = str(told["message"])
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise CloudError(f"{self.url}: {message}", retryable=True)
        if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            message = (
                f"{self.url} refuses: {message}. The token is the one in NOSPOF_TOKEN or NOSPOF_TOKEN_FILE"
            )
        raise told_error(str(told["kind"]), message, told)

    def _parsed(self, text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError as error:
            raise UsageError(f"{self.url} says what is no JSON: is it nospof serve? ({error})") from error

    def _not_ours(self, answer: http.client.HTTPResponse) -> NospofError:
        what = f"HTTP {answer.status}, {kind_of(answer) or 'of no type'}"
        return UsageError(f"{self.url} does not answer as nospof serve does ({what}); see NOSPOF_SERVER")


def server_in(environment: Mapping[str, str]) -> Server:
    """Return the server that NOSPOF_SERVER names, with the token of NOSPOF_TOKEN or NOSPOF_TOKEN_FILE.

    Raises:
        UsageError: it cannot be one, or there is no token for it.
    """
    url, file = environment["NOSPOF_SERVER"].rstrip("/"), environment.get("NOSPOF_TOKEN_FILE", "")
    token = environment.get("NOSPOF_TOKEN", "")
    if file and not token:
        try:
            token = Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise UsageError(f"NOSPOF_TOKEN_FILE {file} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise UsageError(f"NOSPOF_TOKEN_FILE {file} has no token in it: it is no text") from error
    server = Server(url, token)
    if not token:
        raise UsageError(
            f"NOSPOF_SERVER is {url}, and there is no token for it: set NOSPOF_TOKEN_FILE or NOSPOF_TOKEN "
            "to what nospof serve --print-token prints there"
        )
    return server


def kind_of(answer: http.client.HTTPResponse) -> str:
    """Return an answer's media type."""
    return (answer.getheader("content-type") or "").partition(";")[0].strip().lower()
