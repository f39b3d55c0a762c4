"""What the web API costs beside a server that answers the same bytes, and what fifty followers cost a run.

The floor is uvicorn with an application of five lines, in a process of its own, asked by the same client for
an answer of the same length. Then an instance is cloned in a local cloud, with nobody and with fifty who
follow it.
Run: python bench/web_api.py
"""

from __future__ import annotations

import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from support.local_cloud import running_cloud
from support.served import Served, served
from support.site import Site

ASKED = 1000
FOLLOWERS = 50
FLOOR = """
import sys, uvicorn
says = b"x" * int(sys.argv[2])
async def app(scope, receive, send):
    if scope["type"] == "http":
        head = [(b"content-length", b"%d" % len(says))]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": says})
uvicorn.run(app, port=int(sys.argv[1]), log_level="error", http="h11", loop="asyncio")
"""
FLOOR_PORT = 18787


def asked(port: int, path: str, token: str = "") -> tuple[list[float], int]:
    """Return how long each answer took, in milliseconds, over one connection; and an answer's length."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    took, length = [], 0
    for _ in range(ASKED):
        began = time.perf_counter()
        connection.request("GET", path, headers=headers)
        with connection.getresponse() as answer:
            length = len(answer.read())
            assert answer.status == 200, answer.status
        took.append((time.perf_counter() - began) * 1000)
    connection.close()
    return took, length


def floor(length: int) -> list[float]:
    """Return how long the floor took for an answer of this length."""
    process = subprocess.Popen([sys.executable, "-c", FLOOR, str(FLOOR_PORT), str(length)])
    try:
        for _ in range(100):
            try:
                asked(FLOOR_PORT, "/")
                break
            except OSError:
                time.sleep(0.1)
        return asked(FLOOR_PORT, "/")[0]
    finally:
        process.kill()
        process.wait()


def compared(server: Served) -> None:
    print("| asked | p50 | p99 | floor's p50 | ratio |\n|---|---|---|---|---|")
    for path in ("/api/v1/health", "/api/v1/procedures", "/api/v1/runs"):
        took, length = asked(server.port, path, server.tokens["viewer"])
        least = statistics.median(floor(length))
        p50, p99 = statistics.median(took), statistics.quantiles(took, n=100)[98]
        print(f"| {path} | {p50:.2f} ms | {p99:.2f} ms | {least:.2f} ms | {p50 / least:.1f} |", flush=True)


def follow(server: Served, run_id: str, late: list[float]) -> None:
    """Follow a run to its end, and note when each step was heard of after it had ended."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    connection.request(
        "GET",
        f"/api/v1/runs/{run_id}/events",
        headers={"Authorization": f"Bearer {server.tokens['viewer']}"},
    )
    known = 0
    with connection.getresponse() as answer:
        for line in answer:
            if line.startswith(b'data: {"id"'):
                steps = json.loads(line[6:])["steps"]
                late += [time.time() - one["finished_at"] for one in steps[known:]]
                known = len(steps)
    connection.close()


def followed(server: Served, followers: int) -> None:
    source = server.site.launch(f"of-{followers}")
    began = time.monotonic()
    asked_for = {"instance_id": source, "port": 8080, "path": "/health", "allow_address_change": True}
    run_id = server.begin("clone", asked_for, f"with-{followers}")
    late: list[float] = []
    threads = [threading.Thread(target=follow, args=(server, run_id, late)) for _ in range(followers)]
    for one in threads:
        one.start()
    run = server.ended(run_id)
    took = time.monotonic() - began
    for one in threads:
        one.join()
    assert run["state"] == "done", run["error"]
    heard = f"{statistics.median(late):.2f} s, longest {max(late):.2f} s of {len(late):,}" if late else ""
    print(f"| {followers} | {took:.1f} s | {heard} |", flush=True)


def main() -> None:
    with running_cloud("bench") as cloud, tempfile.TemporaryDirectory() as home:
        site = Site(cloud, Path(home))
        with served(site) as server:
            compared(server)
            print("\n| followers | a clone took | a step was heard of after |\n|---|---|---|")
            for number in (0, FOLLOWERS):
                followed(server, number)


if __name__ == "__main__":
    main()
