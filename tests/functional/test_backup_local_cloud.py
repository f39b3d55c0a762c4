"""A site with a PostgreSQL of its own is backed up, and the backup restored, while clients read and write.

By commands, with the printed policies and no more. Clients come through the balancer, as GET and as POST.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from nospof.adapters.http.process import HttpLoadGenerator
from nospof.model.drill import LoadResult, LoadSpec, Outcome
from nospof.model.writes import A_WRITE, WriteOutcome, WriteSpec
from nospof.planning.verdict import ledger_of
from support import ec2_words
from support.local_cloud import RunningCloud
from support.shop_story import ASKED, MADE
from support.site import Site, allowed
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud

LONGEST_SECONDS = 900.0
BACKUP = ("maintain", "backup", "shop", "--keep", "1", "--yes")


def failures(load: LoadResult) -> Counter[int]:
    """Return how often each kind of failure came."""
    return Counter(one for one in load.outcomes if one != Outcome.SERVED)


def test_a_backup_fails_no_request_loses_no_write_and_is_restored_to_the_last_row(
    local_cloud: RunningCloud, tmp_path: Path
) -> None:
    site = Site(local_cloud, tmp_path / "home")
    image = local_cloud.image_named("nospof-demo-comments")
    source = ec2_words.running(local_cloud.client("ec2"), ec2_words.launch(local_cloud, ImageId=image))
    made = allowed(site, "pair", "pair", source, *ASKED, *MADE)["result"]
    url = made["url"].removesuffix("/health")
    spec = LoadSpec(
        f"{url}/comments.json", 10.0, LONGEST_SECONDS, method="POST", writes=WriteSpec("backed-up", A_WRITE)
    )
    load = HttpLoadGenerator()
    with load.start(LoadSpec(f"{url}/", 20.0, LONGEST_SECONDS)) as reads, load.start(spec) as writes:
        eventually(lambda: writes.snapshot().served > 20, "comments are acknowledged before")
        before = writes.snapshot().served
        result = allowed(site, "backup data", *BACKUP, "--test")["result"]
        after = writes.snapshot().served
        eventually(lambda: writes.snapshot().served > after + 20, "comments are acknowledged afterwards")
        reads.stop()
        writes.stop()
        read, written = reads.finish(), writes.finish()
    assert (failures(read), failures(written)) == (Counter(), Counter())
    ledger = ledger_of(written)
    assert set(ledger.outcomes) == {WriteOutcome.ACKNOWLEDGED}
    assert set(ledger.ids) <= set(load.read_back(spec, f"{url}/comments.json"))
    restored = result["restored"]
    assert (restored["problem"], restored["position"]) == ("", result["taken"]["position"])
    assert before <= restored["rows"] <= after + 10
    assert allowed(site, "data", "data", "status", "shop")["wrong"] == []
    another = allowed(site, "backup data", *BACKUP)
    assert result["taken"]["image_id"] in another["result"]["removed"][0]
    (listed,) = allowed(site, "backup", "maintain", "backups", "shop")
    assert (listed["image_id"], listed["tested"]) == (another["result"]["taken"]["image_id"], "")
    tested = allowed(site, "test-backup", "maintain", "test-backup", "shop", "--yes")["result"]
    assert (tested["problem"], tested["rows"]) == ("", len(ledger.ids))
    undone = allowed(site, "discard", "runs", "undo", another["run_id"], "--yes")["result"]["removed"]
    assert listed["image_id"] in undone[0]
