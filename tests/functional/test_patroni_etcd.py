"""The votes of two PostgreSQLs counted by etcd: one machine at a time is let in, and replaced."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nospof.model.layout import as_said
from support.machines import Bench
from support.postgres_machines import Trio, write_image, written
from support.waiting import eventually


def etcd_or_skip() -> str:
    """Return where etcd is; without one, skip here and fail in CI."""
    found = shutil.which("etcd", path="/usr/bin:/usr/local/bin")
    if found is None:
        message = "needs etcd: sudo apt-get install etcd-server"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    return found


def voter(bench: Bench, name: str, etcd: str) -> None:
    """Make a machine that has nothing but etcd."""
    if name not in bench.hypervisor.machines():
        bench.machine(name)
    (bench.hypervisor.disk(name) / "bin").mkdir(exist_ok=True)
    (bench.hypervisor.disk(name) / "bin/etcd").symlink_to(etcd)
    bench.boot(name)


def test_a_member_is_gone_and_then_its_arbitrator_is_replaced() -> None:
    etcd = etcd_or_skip()
    with tempfile.TemporaryDirectory(prefix="nospof-patroni-", dir="/tmp") as directory:
        image = Path(directory) / "image"
        write_image(image)
        (image / "bin").mkdir()
        (image / "bin/etcd").symlink_to(etcd)
        bench = Bench(Path(directory) / "machines", None)
        try:
            trio = Trio(bench, image)
            trio.apply("a", trio.layout("a"))
            trio.copy("b", "a")
            bench.machine("c")
            three = trio.layout("ab", "c")
            refused = trio.ask("a", "apply", layout=as_said(three))["problem"]
            assert refused.startswith("nobody counts the vote of this machine")
            assert refused.endswith("The server is alone again, as it was")
            assert (trio.ask("a", "state")["role"], trio.is_door_open("a")) == ("alone", True)

            voter(bench, "c", etcd)
            did = [one for name in "cab" for one in trio.apply(name, three)]
            assert did.count("this machine votes, by etcd") == 3
            eventually(lambda: trio.ask("b", "state")["ready"], "b is in step", every_seconds=0.2)

            with written(trio, "b") as ledger:
                eventually(lambda: ledger.acknowledged, "writes are acknowledged")
                bench.hypervisor.power_off("a")
                kept = trio.ask("b", "failover", gone="a", is_off=False)["problem"]
                assert kept.startswith("a does not answer and is not off: it keeps its place")
                with ThreadPoolExecutor() as two:
                    said = list(two.map(lambda _: trio.ask("b", "failover", gone="a"), range(2)))
                done = ["nobody waits for a any longer", "another member leads"]
                assert sorted(one["did"] for one in said) == [[], done], said
                assert not any(one["problem"] for one in said)
                leads = time.monotonic()
                eventually(lambda: ledger.acknowledged_after(leads), "writes go on")
            assert set(ledger.acknowledged) <= trio.orders("b")
            assert trio.ask("b", "failover", gone="b")["problem"] == "b leads, and answers: it is not gone"
            bench.boot("a")
            eventually(lambda: trio.ask("a", "state")["ready"], "a came back", every_seconds=0.2)
            said = trio.ask("a", "failover", gone="b", is_off=False)
            assert said["did"] == [f"writes were handed to {trio.seat('a').address}"], said

            voter(bench, "c2", etcd)
            bench.hypervisor.power_off("c")
            renewed = trio.layout("ab", "c2")
            did = [one for name in ("c2", "a", "b") for one in trio.apply(name, renewed)]
            assert f"http://{trio.seat('c').address}:2380 votes no more" in did
            eventually(lambda: trio.ask("c2", "state")["votes"] == 3, "three vote again", every_seconds=0.2)
            assert trio.ask("a", "state")["votes"] == 3
        finally:
            bench.close()
