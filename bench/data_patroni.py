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
from collections.abc import Callable
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from support.machines import Bench
from support.postgres_machines import Ledger, Trio, write_image, written
from support.waiting import eventually

Act = Callable[[Trio, Ledger], None]
AWAY_SECONDS = 90.0


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
    trio.bench.run("kill -9 $(head -1 var/lib/postgresql/data/postmaster.pid)", leader(trio))


def freeze(trio: Trio, ledger: Ledger) -> None:
    frozen = leader(trio)
    trio.bench.hypervisor.freeze(frozen)
    go_on(ledger)
    trio.bench.hypervisor.thaw(frozen)


def arbitrator(trio: Trio, _ledger: Ledger) -> None:
    trio.bench.hypervisor.power_off("c")
    time.sleep(5)


def rolling(trio: Trio, ledger: Ledger) -> None:
    for name in "ab":
        said = trio.ask(name, "handover")
        assert not said["problem"], said
        trio.bench.shut_down(name)
        go_on(ledger)
        trio.bench.boot(name)
        in_step(trio)


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


ROWS: dict[str, Act] = {
    "nothing": nothing,
    "planned switchover": switchover,
    "primary killed, told": kill_told,
    "primary killed, not told": kill,
    "server of the primary killed": kill_server,
    "primary frozen, then thawed": freeze,
    "arbitrator lost": arbitrator,
    "both restarted in turn": rolling,
    "both killed and back": both,
    "replica killed as it joins": join,
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
