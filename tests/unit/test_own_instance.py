"""Which instance nospof runs on, asked of a metadata service that really answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from nospof.adapters.aws.own_instance import own_instance


class Metadata(BaseHTTPRequestHandler):
    """IMDSv2: a token first, then the id for whoever shows it."""

    def do_PUT(self) -> None:
        self._say(200 if self.headers["X-aws-ec2-metadata-token-ttl-seconds"] else 400, "secret")

    def do_GET(self) -> None:
        is_known = self.headers["X-aws-ec2-metadata-token"] == "secret"
        self._say(200 if is_known and self.path == "/latest/meta-data/instance-id" else 401, "i-0ab1")

    def _say(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    server = HTTPServer(("127.0.0.1", 0), Metadata)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield monkeypatch
    server.shutdown()
    thread.join()
    server.server_close()


def test_on_an_instance_its_id_is_told(metadata: pytest.MonkeyPatch) -> None:
    assert own_instance() == "i-0ab1"


def test_where_metadata_is_turned_off_nobody_is_asked(metadata: pytest.MonkeyPatch) -> None:
    metadata.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert own_instance() == ""


def test_off_ec2_nothing_answers_and_that_is_no_error(metadata: pytest.MonkeyPatch) -> None:
    metadata.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1")
    assert own_instance() == ""
