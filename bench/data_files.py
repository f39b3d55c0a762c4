"""How long an upload that was acknowledged is on one member only, and what is lost when that member dies.

Two machines are directories of this computer, each with a Syncthing as `nospof pair --sync` sets it up. An
upload is a file of 50 kB; it counts as had when it can be read at the other member.
Run: python bench/data_files.py [rows, default all]
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from support.uploads import Uploads
from support.waiting import eventually

UPLOADS = 40
BURST = 500
REST_SECONDS = 1.0
POLL_SECONDS = 0.005
PATIENCE_SECONDS = 60.0
TEXT = "x" * 50_000


def until(is_so: Callable[[], bool]) -> float:
    """Return the seconds until something is so."""
    began = time.monotonic()
    while not is_so():
        if time.monotonic() - began > PATIENCE_SECONDS:
            raise SystemExit("it did not come within a minute")
        time.sleep(POLL_SECONDS)
    return time.monotonic() - began


def told(seconds: list[float]) -> str:
    """Return a row's figures."""
    ordered = sorted(seconds)
    return f"p50 {statistics.median(ordered):.2f} s, longest {ordered[-1]:.2f} s of {len(ordered)}"


def is_gone(path: Path) -> bool:
    """Whether there is no such file."""
    return not path.exists()


def one_at_a_time(uploads: Uploads) -> str:
    found = []
    for number in range(UPLOADS):
        here, there = random.sample(["i-a", "i-b"], 2)
        uploads.upload(here, f"one-{number}", TEXT)
        found.append(until(partial(Path.exists, uploads.directory(there) / f"one-{number}")))
        time.sleep(random.random() * REST_SECONDS)  # noqa: S311 - no secret
    return told(found)


def burst(uploads: Uploads) -> str:
    began = time.monotonic()
    for number in range(BURST):
        uploads.upload("i-a", f"burst-{number}", TEXT)
        time.sleep(0.01)
    took = time.monotonic() - began
    last = until(lambda: len(list(uploads.directory("i-b").glob("burst-*"))) == BURST)
    return f"{BURST} in {took:.1f} s, all there {last:.2f} s after the last"


def deleted(uploads: Uploads) -> str:
    found = []
    for number in range(UPLOADS // 4):
        (uploads.directory("i-a") / f"one-{number}").unlink()
        there = uploads.directory("i-b") / f"one-{number}"
        found.append(until(partial(is_gone, there)))
    return told(found)


def plug_pulled(uploads: Uploads) -> str:
    """Uploads of ten seconds, then one member's power is gone: what the other does not have."""
    given = []
    ends = time.monotonic() + 10.0
    while time.monotonic() < ends:
        given.append(f"given-{len(given)}")
        uploads.upload("i-a", given[-1], TEXT)
        time.sleep(0.05)
    uploads.hypervisor.power_off("i-a")
    time.sleep(5.0)
    missing = set(given) - {one.name for one in uploads.directory("i-b").iterdir()}
    uploads.boot("i-a")
    back = until(lambda: not set(given) - {one.name for one in uploads.directory("i-b").iterdir()})
    return f"{len(missing)} of the last {len(given)} at 20 a second; had {back:.1f} s after it is on again"


ROWS: dict[str, Callable[[Uploads], str]] = {
    "one at a time, either way": one_at_a_time,
    "a hundred a second": burst,
    "deleted": deleted,
    "the plug of a member is pulled": plug_pulled,
}


def main() -> None:
    """Print a row for each thing that happens."""
    with tempfile.TemporaryDirectory(prefix="nospof-files-") as at:
        uploads = Uploads(Path(at))
        try:
            uploads.copy_source()
            uploads.share()
            eventually(lambda: uploads.ask("i-a", "state")["ready"], "both are in step")
            for name, row in ROWS.items():
                if not sys.argv[1:] or name in sys.argv[1:]:
                    print(f"| {name} | {row(uploads)} |", flush=True)
        finally:
            uploads.close()


if __name__ == "__main__":
    main()
