"""What writers of a MariaDB lose while it becomes one of two, where nospof is killed at every step of that.

One pair is made on a local cloud while four writers write as the application does. Nospof is killed (SIGKILL)
before and after each step, and resumed, until it is done; the source and its database must be there each time
without anybody's help. Afterwards every acknowledged write is looked for on both members.
Run: python bench/data_killed.py
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from nospof.model.requests import PairRequest
from nospof.procedures.pair import pair
from nospof.runtime.memory import MemorySteps
from support.local_cloud import running_cloud
from support.memory_world import keep_data, memory_world, one_instance
from support.shop import written_more
from support.shop_story import ASKED, MADE, Story
from support.waiting import eventually

SIGKILLED = -9


def steps_of_a_pair() -> list[str]:
    """Return the names of the steps that make such a pair, as told in memory."""
    cloud = one_instance()
    keep_data(cloud, "mariadb")
    steps = MemorySteps("told")
    steps.tell(pair, memory_world(cloud), PairRequest(cloud.the_instance.id, service="shop"))
    return steps.names


def killed_everywhere(story: Story, places: list[str]) -> None:
    """Make a pair, with nospof killed at each place in turn and resumed."""
    command = ("pair", story.source, *ASKED, *MADE)
    for place in places:
        done = story.site.nospof(*command, NOSPOF_FAILPOINT=place)
        assert done.returncode == SIGKILLED, (place, done.returncode, done.stdout[-500:], done.stderr[-2000:])
        eventually(lambda: story.site.state(story.source) == "running", f"{place}: the source runs")
        eventually(lambda: story.answers(story.source), f"{place}: its database answers")
        command = ("runs", "resume", story.site.the_run()["id"])
    done = story.site.nospof(*command)
    assert done.returncode == 0, done.stderr


def main() -> None:
    places = [f"{side} {name}" for name in steps_of_a_pair() for side in ("before", "after")]
    with tempfile.TemporaryDirectory(prefix="nospof-bench-") as directory, running_cloud("bench") as cloud:
        story = Story(cloud, Path(directory))
        began = time.monotonic()
        context, ledger = story.written(story.source, story.source)
        try:
            eventually(written_more(ledger), "all write")
            killed_everywhere(story, places)
            eventually(written_more(ledger), "all write again")
        finally:
            context.__exit__(None, None, None)
        took = time.monotonic() - began
        lost = " / ".join(str(len(story.lost(one))) for one in (story.source, story.twin))
        story.close()
    print(f"nospof killed {len(places)} times while it made one pair, {took:.0f} s\n")
    print("| acknowledged | failed | conflicts | lost (source / twin) | longest stall |")
    print("|---|---|---|---|---|")
    cells = [len(ledger.acknowledged), len(ledger.failed), ledger.conflicts, lost]
    print("| " + " | ".join(map(str, cells)) + f" | {ledger.longest_stall_seconds:.1f} s |")


if __name__ == "__main__":
    main()
