"""A MariaDB that becomes a pair with an arbitrator, on real machines: made, killed, frozen, handed over."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from nospof.model.layout import Seat
from support.addresses import new_address
from support.shop import Ledger, Shop, writing, written_more
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud

REST = "0123456789abcdef"


@dataclass(frozen=True)
class Made:
    """A pair, and what was seen while it was made."""

    shop: Shop
    converting: Ledger
    did: list[str]
    stranger: dict[str, object]
    stranger_log: str


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    shop = Shop(tmp_path_factory.mktemp("shop"))
    try:
        shop.boot_source()
        with writing(shop, ["i-a"] * 2, "converting") as converting:
            eventually(written_more(converting), "writers write to the plain server")
            did = shop.applied("i-a", shop.alone)
            eventually(written_more(converting), "writers write to the cluster of one")
        shop.copy_source()
        eventually(lambda: shop.answers("i-a"), "the source has its door again after a boot")
        log = shop.disk("i-b") / "var/log/mariadb.service.log"
        eventually(lambda: "nobody has let in" in log.read_text(), "the copy was kept from starting")
        stranger, said = shop.state("i-b"), log.read_text()
        for name in ("i-c", "i-a", "i-b"):
            shop.applied(name, shop.pair)
        shop.wait_ready("i-a", "i-b")
        yield Made(shop, converting, did, stranger, said)
    finally:
        shop.close()


@pytest.fixture
def shop(made: Made) -> Iterator[Shop]:
    """The pair, in step before and after."""
    yield made.shop
    made.shop.wait_ready("i-a", "i-b")


def nothing_is_lost(shop: Shop, ledger: Ledger) -> None:
    wanted = set(ledger.acknowledged)
    for name in ("i-a", "i-b"):
        # A member has certified all that was acknowledged, and may still be applying the last of it.
        eventually(lambda name=name: wanted <= shop.own_orders(name), f"{name} has all", timeout_seconds=20)  # type: ignore[misc]
    assert not ledger.conflicts
    eventually(lambda: same_content(shop), "both are the same", timeout_seconds=20)


def same_content(shop: Shop) -> bool:
    one, other = (shop.ask(name, "check") for name in ("i-a", "i-b"))
    assert not one["problem"]
    assert one["position"]
    return (one["tables"], one["position"]) == (other["tables"], other["position"])


def doors_agree(shop: Shop, name: str) -> None:
    eventually(lambda: shop.writer("i-a") == shop.writer("i-b") == name, "both doors agree")


def other_than(name: str) -> str:
    return "i-b" if name == "i-a" else "i-a"


def test_a_plain_server_becomes_a_cluster_of_one_and_nothing_is_lost(made: Made) -> None:
    assert "MariaDB is a cluster of its own, behind its door" in made.did
    assert not set(made.converting.acknowledged) - made.shop.orders("i-a")
    assert made.converting.failed  # it was off for a moment, and its applications saw it


def test_a_copy_of_a_member_does_not_start_its_database(made: Made) -> None:
    assert made.stranger["role"] == "stranger"
    assert "ready for connections" not in made.stranger_log.rpartition("Shutdown complete")[2]


def test_the_twin_came_by_what_it_missed_and_not_by_a_copy_of_all(made: Made) -> None:
    log = (made.shop.disk("i-b") / "var/log/mariadb.service.log").read_text()
    assert "Receiving IST" in log
    assert "SST request" not in log.replace("Prepared SST request", "") or "IST received" in log


def test_three_have_a_vote_and_every_door_leads_to_the_same_member(shop: Shop) -> None:
    states = {name: shop.state(name) for name in ("i-a", "i-b", "i-c")}
    assert [states[name]["votes"] for name in states] == [3, 3, 3]
    assert sorted(states[name]["role"] for name in ("i-a", "i-b")) == ["primary", "replica"]
    doors_agree(shop, shop.chosen())
    assert states["i-a"]["writer"] == states["i-b"]["writer"] == shop.seats[shop.chosen()].address


def test_a_repeat_changes_nothing(shop: Shop) -> None:
    assert [shop.applied(name, shop.pair) for name in ("i-c", "i-a", "i-b")] == [[], [], []]


def test_own_addresses_are_each_members_own(shop: Shop) -> None:
    ids = {
        shop.run(name, "cat etc/mysql/mariadb.conf.d/zz-nospof.cnf | grep server-id").stdout
        for name in ("i-a", "i-b")
    }
    assert len(ids) == 2
    for name in ("i-a", "i-b"):
        text = (shop.disk(name) / "etc/mysql/mariadb.conf.d/zz-nospof.cnf").read_text()
        assert f"wsrep-node-address = {shop.seats[name].address}" in text


def test_a_writer_that_is_killed_loses_nothing_and_comes_back_as_the_other(shop: Shop) -> None:
    first = shop.chosen()
    with writing(shop, ["i-a", "i-a", "i-b", "i-b"], f"kill-{first}") as ledger:
        eventually(written_more(ledger), "all write")
        shop.run(first, "kill -9 $(systemctl show -p MainPID --value mariadb)")
        eventually(lambda: shop_writer(shop) == other_than(first), "writes go to the other")
        eventually(written_more(ledger), "writes go on")
        shop.wait_ready(first)
        eventually(written_more(ledger), "writes go on with both")
    assert shop.chosen() == other_than(first)
    doors_agree(shop, other_than(first))
    nothing_is_lost(shop, ledger)


def shop_writer(shop: Shop) -> str:
    try:
        return shop.writer("i-a")
    except Exception:  # noqa: BLE001 - nobody, for now
        return ""


def test_a_frozen_writer_is_noticed_though_it_accepts_connections(shop: Shop) -> None:
    first = shop.chosen()
    pid = shop.run(first, "systemctl show -p MainPID --value mariadb").stdout.strip()
    with writing(shop, ["i-a", "i-b"], f"freeze-{first}") as ledger:
        eventually(written_more(ledger), "all write")
        shop.run(first, f"kill -STOP {pid}")
        try:
            eventually(lambda: shop_writer(shop) == other_than(first), "writes go to the other")
            eventually(written_more(ledger), "writes go on")
        finally:
            shop.run(first, f"kill -CONT {pid}")
        shop.wait_ready(first)
    nothing_is_lost(shop, ledger)


def test_a_table_that_is_written_to_is_seen_to_be_the_same_on_both(shop: Shop) -> None:
    def hold_the_same() -> bool:
        with ThreadPoolExecutor() as both:
            asked = both.map(lambda name: shop.ask(name, "check", tables=["shop.orders"]), ("i-a", "i-b"))
            one, other = (said["tables"][0]["seen"] for said in asked)
        held.append(min(len(one), len(other)))
        return bool(set(one) & set(other))

    held: list[int] = []
    with writing(shop, ["i-a"], "compared") as ledger:
        eventually(written_more(ledger), "writes are acknowledged")
        eventually(hold_the_same, "both were seen to hold the same", timeout_seconds=60)
    assert held[-1] > 1, "it was not written to meanwhile"
    nothing_is_lost(shop, ledger)


def test_a_handover_moves_writes_and_a_second_one_has_nothing_to_do(shop: Shop) -> None:
    first = shop.chosen()
    with writing(shop, ["i-a", "i-a", "i-b", "i-b"], f"handover-{first}") as ledger:
        eventually(written_more(ledger), "all write")
        said = shop.ask(first, "handover")
        assert said["problem"] == ""
        assert said["did"] == [f"writes go to {shop.seats[other_than(first)].address}"]
        eventually(written_more(ledger), "writes go on")
    doors_agree(shop, other_than(first))
    assert shop.ask(first, "handover")["did"] == []
    nothing_is_lost(shop, ledger)


def test_a_member_does_not_begin_as_the_first_beside_one_that_serves(shop: Shop) -> None:
    first = shop.chosen()
    assert shop.ask(first, "bootstrap")["did"] == []
    other = other_than(first)
    shop.run(other, "systemctl stop mariadb")
    refused = shop.ask(other, "bootstrap")
    assert f"{shop.seats[first].address} serves already" in refused["problem"]
    position = shop.ask(other, "position")
    assert position["did"][0].rpartition(":")[0] == shop.state(first)["position"].rpartition(":")[0]
    assert shop.ask(first, "handover")["problem"].startswith("no other member is in step")
    shop.applied(other, shop.pair)


def test_a_member_rests_with_all_that_was_acknowledged_and_a_copy_of_it_is_a_plain_server(
    shop: Shop, tmp_path: Path
) -> None:
    first = shop.chosen()
    other = other_than(first)
    with writing(shop, ["i-a", "i-a", "i-b", "i-b"], f"rest-{other}") as ledger:
        eventually(written_more(ledger), "all write")
        before = set(ledger.acknowledged)
        assert shop.ask(other, "rest", rest_id=REST, seconds=300)["problem"] == ""
        (position,) = shop.ask(other, "position")["did"]
        shop.hypervisor.snapshot(other, tmp_path / "image")
        after = set(ledger.acknowledged)
        eventually(written_more(ledger), "writes go on beside it")
        woken = shop.ask(other, "wake", rest_id=REST)
        shop.wait_ready(other)
    assert (woken["problem"], woken["did"][-1]) == ("", "its database runs again")
    assert not ledger.failed
    nothing_is_lost(shop, ledger)
    shop.addresses["i-d"] = new_address()
    shop.seats["i-d"] = Seat("i-d", shop.addresses["i-d"])
    shop.create("i-d", tmp_path / "image")
    assert shop.state("i-d")["role"] == "stranger"
    assert shop.ask("i-d", "position")["did"] == [position]
    shop.applied("i-d", shop.none)
    assert before <= shop.orders("i-d") & set(ledger.acknowledged) <= after
    assert "shop.orders" in [one["name"] for one in shop.ask("i-d", "check")["tables"]]
    shop.hypervisor.destroy("i-d")


def test_a_member_that_nobody_wakes_wakes_by_itself_and_its_rest_is_worth_nothing(shop: Shop) -> None:
    first = shop.chosen()
    assert "hand them over first" in shop.ask(first, "rest", rest_id=REST, seconds=1)["problem"]
    other = other_than(first)
    assert shop.ask(other, "rest", rest_id=REST, seconds=1)["problem"] == ""
    shop.wait_ready(other)
    assert "had been started before" in shop.ask(other, "wake", rest_id=REST)["problem"]
    assert not (shop.disk(other) / "etc/systemd/system/nospof-rest.service").exists()
