"""A pair of MariaDBs of which one becomes the plain server again, while people write by both doors."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.shop import Shop, writing, written_more
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud


@pytest.fixture
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    found = Shop(tmp_path_factory.mktemp("shop"))
    try:
        found.boot_source()
        found.make_pair()
        yield found
    finally:
        found.close()


def test_the_source_goes_back_to_its_plain_server_with_all_that_was_acknowledged(shop: Shop) -> None:
    with writing(shop, ["i-a", "i-a", "i-b", "i-b"]) as ledger:
        eventually(written_more(ledger), "all write")
        if shop.writer("i-a") != "i-a":
            assert not shop.ask("i-b", "handover")["problem"]
        shop.applied("i-a", shop.none)
        eventually(written_more(ledger), "writes go on to the plain server")
    assert shop.state("i-a")["role"] == "alone"
    assert not set(ledger.acknowledged) - shop.orders("i-a")
    assert not shop.answers("i-b")  # its door leads to nobody: what it took would be lost
    shop.applied("i-c", shop.none)
    assert shop.run("i-c", "systemctl is-active nospof-arbitrator").exit_code != 0
    assert shop.ask("i-c", "examine")["layout"] is None
