"""A site that keeps what is written in a file, honestly or not. It can be killed and started again.

    python writing_site.py ADDRESS PORT FILE MODE

"honest" acknowledges what is on the disk, "early" what will be a little later, "twice" keeps everything
two times, "polite" answers 200 where 201 would be a promise, "full" takes nothing, "cutting" keeps a
page without its last byte. A PUT is kept as it came; below /pages it makes a page.
"""

from __future__ import annotations

import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LATE_SECONDS = 0.3


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    file, mode = Path(), ""

    def do_GET(self) -> None:
        if self.path.startswith("/pages/"):
            page = self.page()
            if self.mode == "full":
                return self.say(503, b"full")
            return self.say(200, page.read_bytes()) if page.exists() else self.say(404, b"")
        return self.say(200, self.file.read_bytes() if self.file.exists() else b"")

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/pages/"):
            self.page().write_bytes(body[:-1] if self.mode == "cutting" else body)
        else:
            self.keep(f"{self.requestline}\n{self.headers.as_string().strip()}\n\n{body.decode()}\n---")
        self.say(201, b"kept")

    def page(self) -> Path:
        return self.file.with_name(f"page-{self.path.removeprefix('/pages/')}")

    def do_POST(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.mode == "full":
            self.say(503, b"full")
        elif self.mode == "early":
            self.say(201, b"surely")
            time.sleep(LATE_SECONDS)
            self.keep(given["id"])
        else:
            for _ in range(2 if self.mode == "twice" else 1):
                self.keep(given["id"])
            self.say(200 if self.mode == "polite" else 201, b"kept")

    def keep(self, id_: str) -> None:
        with self.file.open("a") as file:
            file.write(f"{id_}\n")
            file.flush()
            os.fsync(file.fileno())

    def say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Instance", "i-writing")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class WritingSite:
    """The site as a process."""

    def __init__(self, address: str, file: Path, mode: str) -> None:
        self.url = f"http://{address}:8080"
        self._command = [sys.executable, __file__, address, "8080", str(file), mode]
        self._address = address
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                socket.create_connection((self._address, 8080), timeout=5).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError("the site does not listen")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def writing_site(address: str, file: Path, mode: str = "honest") -> Iterator[WritingSite]:
    site = WritingSite(address, file, mode)
    try:
        yield site
    finally:
        site.kill()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


if __name__ == "__main__":
    Handler.file, Handler.mode = Path(sys.argv[3]), sys.argv[4]
    threading.stack_size(256 * 1024)
    Server((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
