"""How long `nospof --help` and `nospof runs list` take, beside Python doing nothing and click alone."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time

RUNS = 15
COMMANDS = {
    "python -c pass (the floor)": ["-c", "pass"],
    "import click": ["-c", "import click"],
    "nospof --help": ["-m", "nospof", "--help"],
    "nospof runs list": ["-m", "nospof", "runs", "list"],
}


def seconds(arguments: list[str], home: str) -> float:
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "NOSPOF_HOME": home},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - began


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for _ in range(RUNS + 1):
            for name, arguments in COMMANDS.items():
                taken[name].append(seconds(arguments, home))
    floor = statistics.median(next(iter(taken.values()))[1:])
    print(f"{'':28} {'median':>9} {'max':>9} {'x floor':>8}   ({RUNS} runs in turn, one warm-up)")
    for name, times in taken.items():
        median = statistics.median(times[1:])
        print(f"{name:28} {median * 1000:6.0f} ms {max(times[1:]) * 1000:6.0f} ms {median / floor:8.1f}")


if __name__ == "__main__":
    main()
