"""How long the writers of a PostgreSQL pair stand still when the cloud takes its primary, watched and not.

A pair is made in a local cloud by nospof's own commands. Four writers write through the door of the member
that is left, each as fast as it may; then the API is asked to stop the primary's instance by force, or to
terminate it. Afterwards every acknowledged write is looked for. Run: python bench/data_watch.py
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from support import ec2_words
from support.local_cloud import RunningCloud, running_cloud
from support.postgres_machines import Doors, written
from support.site import Site
from support.waiting import eventually

ASKED = ("--port", "8080", "--health-path", "/health", "--service", "shop", "--allow-address-change")
MADE = ("--listener-port", "8080", "--drain-seconds", "1", "--yes")
ROWS = (("stopped by force", False), ("stopped by force", True), ("terminated", True))
"""The last leaves one member."""


class Pair(Doors):
    """A pair in a local cloud, its members named by their instances' ids."""

    def __init__(self, cloud: RunningCloud, home: Path) -> None:
        self.cloud, self.site = cloud, Site(cloud, home)
        launched = ec2_words.launch(cloud, ImageId=cloud.image_named("nospof-demo-comments"))
        source = ec2_words.running(cloud.client("ec2"), launched)
        eventually(lambda: self.is_door_open(source), "the source's database answers")
        done = self.site.nospof("pair", source, *ASKED, *MADE)
        assert done.returncode == 0, done.stderr
        with self.connect(source) as connection:
            connection.execute("CREATE TABLE orders (id text PRIMARY KEY)")

    def connect(self, name: str) -> psycopg.Connection[Any]:
        """Come in as the application of a member does."""
        machines = self.cloud.home / "clouds" / self.cloud.endpoint.name / "machines"
        said = (machines / name / "disk/etc/web.database").read_text().strip()
        here = os.open(machines / name / "disk/run/postgresql", os.O_PATH)
        try:
            place = said.replace("/proc/self/cwd/run/postgresql", f"/proc/self/fd/{here}")
            return psycopg.connect(place, autocommit=True, connect_timeout=3)
        finally:
            os.close(here)

    def roles(self) -> dict[str, str]:
        """Return the members by what they are, once all of it is in step."""
        eventually(
            lambda: self.site.nospof("data", "status", "shop").returncode == 0,
            "the pair is in step",
            timeout_seconds=240,
            every_seconds=1.0,
        )
        members = self.site.answer("data", "status", "shop")["members"]
        return {state["role"]: seat["instance_id"] for seat, state in members}


def measure(pair: Pair, what: str, is_watched: bool) -> None:
    roles, ec2 = pair.roles(), pair.cloud.client("ec2")
    gone, left = roles["primary"], roles["replica"]
    watcher = pair.site.start("data", "watch", "shop") if is_watched else None
    if watcher and watcher.stdout:
        print(watcher.stdout.readline(), end="", file=sys.stderr)  # "in step": it watches from here on
    with written(pair, (left,)) as ledger:
        eventually(lambda: ledger.acknowledged, "writes are acknowledged")
        time.sleep(2)
        if what == "terminated":
            ec2.terminate_instances(InstanceIds=[gone])
        else:
            ec2.stop_instances(InstanceIds=[gone], Force=True)
        asked = time.monotonic()
        eventually(lambda: ledger.acknowledged_after(asked + 2), "writes go on", timeout_seconds=90)
        time.sleep(5)
    lost = len(set(ledger.acknowledged) - pair.orders(left))
    stall = f"{ledger.longest_stall_seconds:.1f} s"
    print(
        f"| {what} | {'yes' if is_watched else 'no'} | {len(ledger.acknowledged):,} | {lost} | {stall} |",
        flush=True,
    )
    if watcher:
        watcher.terminate()
        print(watcher.communicate(timeout=30)[0], file=sys.stderr, flush=True)
    if what != "terminated":
        eventually(lambda: pair.site.state(gone) == "stopped", "it is off")
        ec2.start_instances(InstanceIds=[gone])


def main() -> None:
    with running_cloud("bench") as cloud, tempfile.TemporaryDirectory() as home:
        pair = Pair(cloud, Path(home))
        print("| primary's instance | watched | acknowledged | lost | longest stall |\n|---|---|---|---|---|")
        for what, is_watched in ROWS:
            measure(pair, what, is_watched)


if __name__ == "__main__":
    main()
