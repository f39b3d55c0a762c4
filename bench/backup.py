"""What a backup costs the clients of a pair, how long the member is away, and how long restoring takes.

Pairs are made in a local cloud by nospof's own commands: a site with comments in a PostgreSQL, a shop with
a MariaDB. Clients read pages through the balancer at a steady rate meanwhile, and write: comments by POST
through the balancer, orders by SQL at both doors. Afterwards every acknowledged write is looked for.
Run: python bench/backup.py [postgresql] [mariadb]
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from nospof.adapters.http.process import HttpLoadGenerator
from nospof.model.drill import LoadResult, LoadSpec, Outcome
from nospof.model.writes import A_WRITE, WriteSpec
from nospof.planning.verdict import ledger_of
from support import ec2_words
from support.local_cloud import RunningCloud, running_cloud
from support.shop import writing
from support.shop_story import ASKED, MADE, Story
from support.site import Site
from support.waiting import eventually

RATE, WRITES, LONGEST = 50.0, 20.0, 900.0
BEFORE_AND_AFTER_SECONDS = 5.0
BACKUP = ("maintain", "backup", "shop", "--test", "--yes")


@dataclass
class Row:
    """What was seen."""

    engine: str
    reads: LoadResult
    acknowledged: int
    failed: int
    lost: int
    told: Any

    def __str__(self) -> str:
        taken, restored = self.told["taken"], self.told["restored"]
        away = self.told["seconds_out_of_service"]
        failed = sum(one != Outcome.SERVED for one in self.reads.outcomes)
        return (
            f"| {self.engine} | {failed} of {self.reads.total:,} | {self.failed} of "
            f"{self.acknowledged + self.failed:,} | {self.lost} | {away:.1f} s | "
            f"{taken['seconds']:.1f} s | {restored['seconds']:.1f} s | {restored['check_seconds']:.1f} s |"
            + (f" {restored['problem']}" if restored["problem"] else "")
        )


def run(site: Site, *command: str) -> Any:
    done = site.nospof(*command, "--format", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def in_step(site: Site) -> None:
    eventually(
        lambda: site.nospof("data", "status", "shop").returncode == 0, "it is in step", timeout_seconds=240
    )


@contextmanager
def loaded(url: str) -> Iterator[list[LoadResult]]:
    """Read a page while something is done, and for some seconds before and after."""
    seen: list[LoadResult] = []
    with HttpLoadGenerator().start(LoadSpec(url, RATE, LONGEST)) as load:
        time.sleep(BEFORE_AND_AFTER_SECONDS)
        yield seen
        time.sleep(BEFORE_AND_AFTER_SECONDS)
        load.stop()
        seen.append(load.finish())


def of_postgresql(cloud: RunningCloud, home: Path) -> Row:
    site = Site(cloud, home / "home")
    launched = ec2_words.launch(cloud, ImageId=cloud.image_named("nospof-demo-comments"))
    source = ec2_words.running(cloud.client("ec2"), launched)
    url = run(site, "pair", source, *ASKED, *MADE)["result"]["url"].removesuffix("/health")
    in_step(site)
    spec = LoadSpec(
        f"{url}/comments.json",
        WRITES,
        LONGEST,
        method="POST",
        writes=WriteSpec(f"w{time.time_ns()}", A_WRITE),
    )
    with HttpLoadGenerator().start(spec) as writes, loaded(url + "/") as reads:
        told = run(site, *BACKUP)["result"]
        time.sleep(BEFORE_AND_AFTER_SECONDS)
        writes.stop()
        ledger = ledger_of(writes.finish())
    there = set(HttpLoadGenerator().read_back(spec, f"{url}/comments.json"))
    in_step(site)
    kept = [one for one, outcome in zip(ledger.ids, ledger.outcomes, strict=True) if outcome == 0]
    return Row("PostgreSQL", reads[0], len(kept), len(ledger.ids) - len(kept), len(set(kept) - there), told)


def of_mariadb(cloud: RunningCloud, home: Path) -> Row:
    story = Story(cloud, home)
    try:
        url = run(story.site, "pair", story.source, *ASKED, *MADE)["result"]["url"].removesuffix("/health")
        in_step(story.site)
        with writing(story, [story.source, story.twin] * 2) as ledger, loaded(url + "/") as reads:
            told = run(story.site, *BACKUP)["result"]
        lost = set(ledger.acknowledged) - story.orders(story.source)
        in_step(story.site)
        return Row("MariaDB", reads[0], len(ledger.acknowledged), len(ledger.failed), len(lost), told)
    finally:
        story.close()


def main() -> None:
    rows = {"postgresql": of_postgresql, "mariadb": of_mariadb}
    print(
        "| engine | failed GETs | failed writes | lost | out of service | at rest | restored in | read in |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name in sys.argv[1:] or list(rows):
        with running_cloud("bench") as cloud, tempfile.TemporaryDirectory() as home:
            print(rows[name](cloud, Path(home)), flush=True)


if __name__ == "__main__":
    main()
