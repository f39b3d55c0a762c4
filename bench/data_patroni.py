"""What a PostgreSQL pair with an arbitrator loses, and how long its writers stand still, when it is broken.

Machines are directories of this computer, each with processes of its own; votes are counted by etcd where it
is there, else by Patroni's Raft. Four writers write through the members' doors, each as fast as it may, and
note what was acknowledged; afterwards every acknowledged write is looked for on both members.
Run: python bench/data_patroni.py [names of rows, default all]
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from nospof.adapters.machine.data_patroni import TTL_SECONDS
from nospof.adapters.machine.data_votes import VOTES_UNIT
from support.machines import Bench
from support.postgres_machines import DATA, Ledger, Trio, refusals, write_image, written
from support.waiting import eventually

Act = Callable[[Trio, Ledger], None]
AWAY_SECONDS = 90.0
POSTMASTER = f"$(head -1 {DATA}/postmaster.pid)"
SERVER = f"{POSTMASTER} $(cat /proc/{POSTMASTER}/task/{POSTMASTER}/children)"


def role(trio: Trio, name: str) -> str:
    said: str = trio.ask(name, "state")["role"]
    return said


def leader(trio: Trio) -> str:
    return next((name for name in "ab" if role(trio, name) == "primary"), "")


def other(name: str) -> str:
    return "b" if name == "a" else "a"


def in_step(trio: Trio) -> None:
    for name in "ab":
        eventually(
            lambda name=name: trio.ask(name, "state")["ready"],  # type: ignore[misc]
            f"{name} is in step",
            timeout_seconds=180,
            every_seconds=0.2,
        )


def go_on(ledger: Ledger, seconds: float = AWAY_SECONDS) -> None:
    began = time.monotonic()
    eventually(lambda: ledger.acknowledged_after(began + 0.5), "writes go on", timeout_seconds=seconds)
    time.sleep(1)


def nothing(_trio: Trio, _ledger: Ledger) -> None:
    time.sleep(3)


def switchover(trio: Trio, _ledger: Ledger) -> None:
    said = trio.ask(leader(trio), "handover")
    assert not said["problem"], said


def kill_told(trio: Trio, _ledger: Ledger) -> None:
    gone = leader(trio)
    trio.bench.hypervisor.power_off(gone)
    said = trio.ask(other(gone), "failover", gone=gone)
    assert not said["problem"], said


def kill(trio: Trio, _ledger: Ledger) -> None:
    trio.bench.hypervisor.power_off(leader(trio))


def kill_server(trio: Trio, _ledger: Ledger) -> None:
    trio.bench.run(f"kill -9 {POSTMASTER}", leader(trio))


def freeze(trio: Trio, ledger: Ledger) -> None:
    frozen = leader(trio)
    trio.bench.hypervisor.freeze(frozen)
    go_on(ledger)
    trio.bench.hypervisor.thaw(frozen)


def freeze_postmaster(trio: Trio, ledger: Ledger) -> None:
    """Who is in is served on; nobody new is let in."""
    frozen = leader(trio)
    trio.bench.run(f"kill -STOP {POSTMASTER}", frozen)
    time.sleep(3)
    go_on(ledger)
    trio.bench.run(f"kill -CONT {POSTMASTER}", frozen)


def freeze_server(trio: Trio, ledger: Ledger) -> None:
    frozen = leader(trio)
    trio.bench.run(f"kill -STOP {SERVER}", frozen)
    go_on(ledger)
    trio.bench.run(f"kill -CONT {SERVER}", frozen)
    refused(trio, frozen, ledger)


def cut_off(trio: Trio, ledger: Ledger) -> None:
    """Its clients still reach it, and its own server is written to all the while."""
    alone = leader(trio)
    with trio.apart(alone, other(alone), "c"):
        eventually(
            lambda: role(trio, other(alone)) == "primary", "another leads", timeout_seconds=AWAY_SECONDS
        )
        refused(trio, alone, ledger)
        go_on(ledger)


def members_cut_off(trio: Trio, ledger: Ledger) -> None:
    """Both still reach the arbitrator."""
    with trio.apart("a", "b"):
        time.sleep(8)
        go_on(ledger)


def refused(trio: Trio, name: str, ledger: Ledger) -> None:
    """Show what a server that leads no more answers to those who still reach it."""
    kinds = Counter(refusals(trio, name, ledger, 3.0))
    print(f"<!-- {name} leads no more, and answers writes: {dict(kinds)} -->", flush=True)


def arbitrator(trio: Trio, _ledger: Ledger) -> None:
    trio.bench.hypervisor.power_off("c")
    time.sleep(5)


def vote(trio: Trio, _ledger: Ledger) -> None:
    trio.bench.run(f"systemctl kill -s KILL {VOTES_UNIT}", "c")
    time.sleep(5)


def rolling(trio: Trio, ledger: Ledger) -> None:
    for name in "ab":
        said = trio.ask(name, "handover")
        assert not said["problem"], said
        trio.bench.shut_down(name)
        go_on(ledger)
        trio.bench.boot(name)
        in_step(trio)


def kill_the_last(trio: Trio, ledger: Ledger) -> None:
    """Who was away lacks what the last one acknowledged: it must not lead, however long that takes."""
    last = leader(trio)
    trio.bench.hypervisor.power_off(other(last))
    go_on(ledger)
    trio.bench.hypervisor.power_off(last)
    trio.bench.boot(other(last))
    time.sleep(2 * TTL_SECONDS)
    assert role(trio, other(last)) != "primary", "who lacks acknowledged writes leads"
    trio.bench.boot(last)


def both(trio: Trio, _ledger: Ledger) -> None:
    for name in "ab":
        trio.bench.hypervisor.power_off(name)
    for name in "ab":
        trio.bench.boot(name)


def join(trio: Trio, ledger: Ledger) -> None:
    replica = other(leader(trio))
    trio.bench.hypervisor.power_off(replica)
    go_on(ledger)
    trio.bench.boot(replica)
    time.sleep(3)
    trio.bench.hypervisor.power_off(replica)
    go_on(ledger)


def kill_copying(trio: Trio, ledger: Ledger) -> None:
    """Its data is gone, so it copies everything anew."""
    replica = other(leader(trio))
    data = trio.disk(replica) / DATA
    trio.bench.hypervisor.power_off(replica)
    go_on(ledger)
    for one in data.iterdir():
        shutil.rmtree(one) if one.is_dir() else one.unlink()
    trio.bench.boot(replica)
    eventually((data / "base").is_dir, f"{replica} copies", timeout_seconds=AWAY_SECONDS, every_seconds=0.01)
    trio.bench.hypervisor.freeze(replica)
    assert not (data / "backup_manifest").exists(), "it had all before it could be killed"
    trio.bench.hypervisor.power_off(replica)
    go_on(ledger)


ROWS: dict[str, Act] = {
    "nothing": nothing,
    "planned switchover": switchover,
    "primary killed, told": kill_told,
    "primary killed, not told": kill,
    "server of the primary killed": kill_server,
    "primary frozen, then thawed": freeze,
    "its postmaster frozen, then thawed": freeze_postmaster,
    "its whole server frozen, then thawed": freeze_server,
    "primary cut off": cut_off,
    "members cut off from each other": members_cut_off,
    "arbitrator lost": arbitrator,
    "vote of the arbitrator killed": vote,
    "both restarted in turn": rolling,
    "both killed and back": both,
    "the last one killed, the other back": kill_the_last,
    "replica killed as it joins": join,
    "replica killed as it copies all": kill_copying,
}


def form(bench: Bench, image: Path) -> Trio:
    etcd = shutil.which("etcd")
    write_image(image)
    (image / "bin").mkdir()
    if etcd:
        (image / "bin/etcd").symlink_to(etcd)
    trio = Trio(bench, image)
    trio.apply("a", trio.layout("a"))
    trio.copy("b", "a")
    bench.machine("c")
    (bench.hypervisor.disk("c") / "bin").mkdir(exist_ok=True)
    if etcd:
        (bench.hypervisor.disk("c") / "bin/etcd").symlink_to(etcd)
    bench.boot("c")
    for name in "cab":
        trio.apply(name, trio.layout("ab", "c"))
    in_step(trio)
    print(f"votes are counted by {'etcd' if etcd else 'Patroni (Raft)'}")
    return trio


def measure(trio: Trio, name: str) -> None:
    began = time.monotonic()
    with written(trio, "ab") as ledger:
        eventually(lambda: ledger.acknowledged, "writes are acknowledged", timeout_seconds=AWAY_SECONDS)
        time.sleep(2)
        ROWS[name](trio, ledger)
        go_on(ledger)
        for machine in "abc":
            trio.bench.boot(machine)
        in_step(trio)
    lost = {one: len(set(ledger.acknowledged) - trio.orders_here(one)) for one in "ab"}
    print(
        f"| {name} | {len(ledger.acknowledged):,} | {ledger.failed:,} | {lost['a']} / {lost['b']} "
        f"| {ledger.longest_stall_seconds:.1f} s | {time.monotonic() - began:.0f} s |",
        flush=True,
    )


def main() -> None:
    wanted = sys.argv[1:] or list(ROWS)
    with tempfile.TemporaryDirectory(prefix="nospof-bench-", dir="/tmp") as directory:
        bench = Bench(Path(directory) / "machines", None)
        try:
            trio = form(bench, Path(directory) / "image")
            print("| what happens | acknowledged | failed | lost on a / b | longest stall | until in step |")
            print("|---|---|---|---|---|---|")
            for name in wanted:
                measure(trio, name)
        finally:
            bench.close()


if __name__ == "__main__":
    main()
