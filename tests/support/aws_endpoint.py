"""An address that answers AWS calls as told: with a status and a body, or by hanging up."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

import boto3
from botocore.config import Config

from nospof.adapters.aws import AwsCloud
from nospof.adapters.aws.connection import CONFIG
from nospof.adapters.memory import MemoryClock

HANG_UP = (0, "")
"""Takes the request, then closes the connection without a word."""


def refusal(code: str, status: int = 400, message: str = "it said no") -> tuple[int, str]:
    """Return EC2's way to say no."""
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return status, f"<Response><Errors>{error}</Errors><RequestID>req-1</RequestID></Response>"


def query_refusal(code: str, status: int = 403, message: str = "it said no") -> tuple[int, str]:
    """Return the way of STS and Elastic Load Balancing to say no."""
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    return status, f"<ErrorResponse>{error}<RequestId>req-1</RequestId></ErrorResponse>"


def done(operation: str, inner: str = "") -> tuple[int, str]:
    """Return EC2's answer to an operation."""
    return 200, f"<{operation}Response><requestId>req-1</requestId>{inner}</{operation}Response>"


@dataclass
class Endpoint:
    """What was asked, in order; answers come from the script, the last one for ever."""

    url: str
    script: list[tuple[int, str]]
    asked: list[dict[str, str]] = field(default_factory=list)

    @property
    def actions(self) -> list[str]:
        return [request["Action"] for request in self.asked]

    def cloud(self, *, attempts: int = 1, clock: MemoryClock | None = None) -> AwsCloud:
        """Return the adapter at this address; botocore makes so many attempts."""
        once = Config(retries={"mode": "standard", "total_max_attempts": attempts})
        session = boto3.Session("test", "test", region_name="eu-central-1")
        return AwsCloud(session, endpoint=self.url, clock=clock or MemoryClock(), config=CONFIG.merge(once))


@contextlib.contextmanager
def answering(*script: tuple[int, str]) -> Iterator[Endpoint]:
    """Serve the script on 127.0.0.1 while the block runs."""
    endpoint = Endpoint("", list(script))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            endpoint.asked.append(dict(parse_qsl(body.decode())))
            status, text = endpoint.script.pop(0) if len(endpoint.script) > 1 else endpoint.script[0]
            if (status, text) == HANG_UP:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    endpoint.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield endpoint
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
