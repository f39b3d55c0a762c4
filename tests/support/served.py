"""A web API of nospof in front of a local cloud, as a process, and the shortest way to ask it."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from support.site import Site
from support.waiting import eventually


@dataclass
class Served:
    """A server, its port, and the tokens by role."""

    site: Site
    process: subprocess.Popen[str]
    port: int
    tokens: dict[str, str]

    def ask(
        self, method: str, path: str, body: Any = None, role: str = "operator", **headers: str
    ) -> tuple[int, Any]:
        """Return the status and the JSON of an answer; headers are given with _ for -."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if role:
            sent.setdefault("Authorization", f"Bearer {self.tokens[role]}")
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, data, sent)
            with connection.getresponse() as answer:
                text = answer.read().decode()
                is_json = "json" in (answer.getheader("content-type") or "")
                return answer.status, json.loads(text) if is_json and text else text
        finally:
            connection.close()

    def api(self, path: str) -> Any:
        """Return what a question is answered well with."""
        status, said = self.ask("GET", f"/api/v1/{path}")
        assert status == 200, said
        return said

    def begin(self, procedure: str, request: dict[str, Any], key: str) -> str:
        """Have something run; return its id."""
        order = {"procedure": procedure, "request": request}
        status, said = self.ask("POST", "/api/v1/runs", order, Idempotency_Key=key)
        assert status == 202, said
        return str(said["run_id"])

    def ended(self, run_id: str) -> dict[str, Any]:
        """Return a run once it has ended."""
        eventually(
            lambda: self.api(f"runs/{run_id}")["state"] not in ("waiting", "running"),
            f"{run_id} ends",
            timeout_seconds=120,
            every_seconds=0.2,
        )
        found: dict[str, Any] = self.api(f"runs/{run_id}")
        return found

    def kill(self) -> None:
        """End it without a chance to say anything."""
        self.process.kill()
        self.process.communicate()


@contextmanager
def served(site: Site, *options: str) -> Iterator[Served]:
    """Serve for as long as this lasts."""
    tokens = {
        role: site.nospof("serve", "--print-token", "--role", role).stdout.strip()
        for role in ("viewer", "operator")
    }
    port = () if "--port" in options else ("--port", "0")
    process = site.start("serve", *port, *options)
    try:
        assert process.stderr
        line = process.stderr.readline()
        found = re.search(r"at \S+:(\d+)/api/v1/", line)
        assert found, line + process.stderr.read()
        yield Served(site, process, int(found[1]), tokens)
    finally:
        process.kill()
        process.communicate()
