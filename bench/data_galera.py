"""What a MariaDB pair with an arbitrator loses, and how long its writers stand still, when it is broken.

Machines are directories of this computer, each with processes of its own. Four writers write through the
members' doors, each as fast as it may, and note what was acknowledged; afterwards every acknowledged write is
looked for on both members.
Run: python bench/data_galera.py [names of rows, default all]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from nospof.adapters.machine.hold_databases import Refused
from nospof.localcloud.machines.partitions import Partitions, Side
from support.shop import Ledger, Shop, writing, written_more
from support.waiting import eventually

QUIET_WRITES = 200


def pid(shop: Shop, name: str, unit: str = "mariadb") -> str:
    return shop.run(name, f"systemctl show -p MainPID --value {unit}").stdout.strip()


def writer_of(shop: Shop, door: str) -> str:
    try:
        return shop.writer(door)
    except (Refused, IndexError):
        return ""


def other_than(name: str) -> str:
    return "i-b" if name == "i-a" else "i-a"


def nothing(_shop: Shop, _first: str, ledger: Ledger) -> None:
    eventually(written_more(ledger, 2000), "writes go on")


def kill(shop: Shop, first: str, _ledger: Ledger) -> None:
    shop.run(first, f"kill -9 {pid(shop, first)}")
    eventually(lambda: writer_of(shop, first) == other_than(first), "writes go to the other")


def pull_the_plug(shop: Shop, first: str, ledger: Ledger) -> None:
    shop.hypervisor.power_off(first)
    eventually(lambda: writer_of(shop, other_than(first)) == other_than(first), "writes go to the other")
    eventually(written_more(ledger, QUIET_WRITES), "writes go on with one")
    shop.boot(first)


def freeze(shop: Shop, first: str, ledger: Ledger) -> None:
    number = pid(shop, first)
    shop.run(first, f"kill -STOP {number}")
    eventually(lambda: writer_of(shop, other_than(first)) == other_than(first), "writes go to the other")
    eventually(written_more(ledger, QUIET_WRITES), "writes go on with one")
    shop.run(first, f"kill -CONT {number}")


def freeze_machine(shop: Shop, first: str, ledger: Ledger) -> None:
    shop.hypervisor.freeze(first)
    eventually(lambda: writer_of(shop, other_than(first)) == other_than(first), "writes go to the other")
    eventually(written_more(ledger, QUIET_WRITES), "writes go on with one")
    shop.hypervisor.thaw(first)


def cut_off(shop: Shop, pairs: list[tuple[str, str]], during: Callable[[], object]) -> None:
    """Keep machines from reaching each other while something is done."""
    partitions = Partitions()

    def side(name: str) -> Side:
        return Side(name, shop.root / "machines" / name, (shop.seats[name].address,))

    try:
        for one, other in pairs:
            partitions.part(side(one), side(other))
        during()
    finally:
        partitions.close()


def writer_cut_off(shop: Shop, first: str, ledger: Ledger) -> None:
    other = other_than(first)

    def during() -> None:
        eventually(lambda: writer_of(shop, other) == other, "writes go to the other")
        eventually(written_more(ledger, QUIET_WRITES), "writes go on with one")

    cut_off(shop, [(first, other), (first, "i-c")], during)


def members_cut_off(shop: Shop, _first: str, _ledger: Ledger) -> None:
    """Both still reach the arbitrator, which relays."""
    cut_off(shop, [("i-a", "i-b")], lambda: time.sleep(8))


def arbitrator_lost(shop: Shop, _first: str, ledger: Ledger) -> None:
    shop.hypervisor.power_off("i-c")
    eventually(written_more(ledger, QUIET_WRITES), "writes go on without the arbitrator")
    shop.boot("i-c")


def rolling_restart(shop: Shop, first: str, ledger: Ledger) -> None:
    for name in (other_than(first), first):
        shop.ask(name, "handover")
        shop.run(name, "systemctl restart mariadb")
        shop.wait_ready("i-a", "i-b")
        eventually(written_more(ledger, QUIET_WRITES), "writes go on")


def kill_during_join(shop: Shop, first: str, ledger: Ledger) -> None:
    other = other_than(first)
    shop.run(other, f"kill -9 {pid(shop, other)}")
    shop.run(other, "systemctl start --no-block mariadb")
    time.sleep(0.7)
    shop.run(other, f"kill -9 {pid(shop, other)}")
    eventually(written_more(ledger, QUIET_WRITES), "writes go on")


def join_by_copy(shop: Shop, first: str, _ledger: Ledger) -> None:
    other = other_than(first)
    shop.run(other, "systemctl stop mariadb; rm -f var/lib/mysql/grastate.dat var/lib/mysql/galera.cache")
    shop.run(other, "systemctl start --no-block mariadb")


def both_down_and_back(shop: Shop, _first: str, _ledger: Ledger) -> None:
    for name in ("i-a", "i-b"):
        shop.run(name, f"kill -9 {pid(shop, name)}; systemctl stop mariadb")
    positions = {name: shop.ask(name, "position")["did"][0] for name in ("i-a", "i-b")}
    newest = max(positions, key=lambda name: int(positions[name].rpartition(":")[2]))
    shop.ask("i-c", "bootstrap")
    assert not shop.ask(newest, "bootstrap")["problem"]
    shop.applied(other_than(newest), shop.pair)


ROWS: dict[str, Callable[[Shop, str, Ledger], None]] = {
    "nothing": nothing,
    "kill -9 of the writer": kill,
    "power off of the writer's machine": pull_the_plug,
    "freeze of the writer": freeze,
    "freeze of the writer's machine": freeze_machine,
    "the writer cut off": writer_cut_off,
    "members cut off from each other": members_cut_off,
    "arbitrator lost": arbitrator_lost,
    "rolling restart": rolling_restart,
    "kill during a join": kill_during_join,
    "join by a copy of all": join_by_copy,
    "both down and back": both_down_and_back,
}
ONE_DOOR = ("the writer cut off", "power off of the writer's machine", "freeze of the writer's machine")
"""Where the door goes with the machine: its balancer leads people to the other."""


def broken(shop: Shop, name: str) -> str:
    """Break a pair in one way; return a row of the table."""
    first = eventually(lambda: writer_of(shop, "i-b"), "somebody is the writer")
    doors = [other_than(first)] * 4 if name in ONE_DOOR else ["i-a", "i-a", "i-b", "i-b"]
    with writing(shop, doors, name.replace(" ", "-").replace("'", "")) as ledger:
        eventually(written_more(ledger, QUIET_WRITES), "all write")
        ROWS[name](shop, first, ledger)
        shop.wait_ready("i-a", "i-b")
        eventually(written_more(ledger, QUIET_WRITES), "writes go on with both")
    lost = {door: len(set(ledger.acknowledged) - shop.own_orders(door)) for door in ("i-a", "i-b")}
    cells = [name, len(ledger.acknowledged), len(ledger.failed), ledger.conflicts]
    cells += [f"{lost['i-a']} / {lost['i-b']}", f"{ledger.longest_stall_seconds:.1f} s"]
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    wanted = [one for one in ROWS if not sys.argv[1:] or any(word in one for word in sys.argv[1:])]
    with tempfile.TemporaryDirectory(prefix="nospof-bench-") as directory:
        shop = Shop(Path(directory))
        try:
            shop.boot_source()
            began = time.monotonic()
            with writing(shop, ["i-a"] * 4, "converting") as ledger:
                eventually(written_more(ledger), "all write")
                shop.applied("i-a", shop.alone)
                eventually(written_more(ledger), "all write again")
            print(
                f"converted in {time.monotonic() - began:.1f} s; off for {ledger.longest_stall_seconds:.1f} s"
            )
            began = time.monotonic()
            shop.copy_source()
            for name in ("i-c", "i-a", "i-b"):
                shop.applied(name, shop.pair)
            shop.wait_ready("i-a", "i-b")
            print(f"copied and joined in {time.monotonic() - began:.1f} s\n")
            print("| event, 4 writers | acknowledged | failed | conflicts | lost (A / B) | longest stall |")
            print("|---|---|---|---|---|---|")
            for name in wanted:
                print(broken(shop, name), flush=True)
        finally:
            shop.close()


if __name__ == "__main__":
    main()
