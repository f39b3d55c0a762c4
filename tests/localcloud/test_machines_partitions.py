"""Two machines that cannot reach each other, while both reach everybody else; and one that reaches nobody."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nospof.localcloud.machines import cgroups, partitions
from nospof.localcloud.machines.partitions import CannotPartition, Partitions, Side
from support.ec2_words import launch, running
from support.local_cloud import RunningCloud
from support.machines import Bench, partitions_or_skip
from support.waiting import eventually

NAMES = ("i-1", "i-2", "i-3")
SERVER = """\
import os, socket, threading, time
server = socket.create_server((os.environ["NOSPOF_ADDRESS"], 7000))
def serve(connection):
    while True:
        connection.sendall(b"tick\\n")
        time.sleep(0.02)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"""
LISTENER = """\
import socket, sys
connection = socket.create_connection((sys.argv[1], 7000), 1)
connection.settimeout(0.5)
while True:
    try:
        state = "hears" if connection.recv(100) else "ended"
    except TimeoutError:
        state = "silence"
    open("heard.new", "w").write(state)
    __import__("os").replace("heard.new", "heard")
"""


@pytest.fixture
def able() -> None:
    partitions_or_skip()


@pytest.fixture
def three(bench: Bench, able: None) -> Bench:
    for name in NAMES:
        disk = bench.machine(name, server="exec python3 server.py")
        (disk / "server.py").write_text(SERVER)
        (disk / "listener.py").write_text(LISTENER)
        bench.boot(name)
    eventually(lambda: all(reaches(bench, "i-3", name) for name in NAMES), "all servers listen")
    return bench


@pytest.fixture
def held() -> Iterator[Partitions]:
    held = Partitions()
    yield held
    held.close()


def side(bench: Bench, name: str) -> Side:
    return Side(name, bench.root / name, (bench.hypervisor.address(name),))


def reaches(bench: Bench, name: str, other: str) -> bool:
    program = "import socket,sys; socket.create_connection((sys.argv[1], 7000), 0.5).recv(1)"
    return bench.run(f"python3 -c '{program}' {bench.hypervisor.address(other)}", name).exit_code == 0


def sends(bench: Bench, name: str, other: str) -> bool:
    """Whether something that wants no answer leaves one machine for another."""
    program = 'import socket,sys; socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", (sys.argv[1], 7000))'
    return bench.run(f"python3 -c '{program}' {bench.hypervisor.address(other)}", name).exit_code == 0


def tables() -> str:
    done = subprocess.run(["/usr/sbin/nft", "list", "tables"], capture_output=True, text=True, check=True)
    return done.stdout


def test_neither_reaches_the_other_and_both_reach_everybody_else(three: Bench, held: Partitions) -> None:
    heard = three.hypervisor.disk("i-2") / "heard"
    three.run(f"setsid python3 listener.py {three.hypervisor.address('i-1')} >/dev/null 2>&1 &", "i-2")
    eventually(lambda: heard.exists() and heard.read_text() == "hears", "it hears the other")
    held.part(side(three, "i-1"), side(three, "i-2"))
    held.part(side(three, "i-2"), side(three, "i-1"))
    assert held.pairs() == [["i-1", "i-2"]]
    able_to = {(one, other) for one in NAMES for other in NAMES if reaches(three, one, other)}
    assert able_to == {(a, b) for a in NAMES for b in NAMES} - {("i-1", "i-2"), ("i-2", "i-1")}
    assert (sends(three, "i-1", "i-2"), sends(three, "i-1", "i-3")) == (False, True)
    eventually(lambda: heard.read_text() == "silence", "what was connected hears nothing, and no end")
    assert held.heal("i-1", "i-2")
    assert not held.heal("i-1", "i-2")
    assert reaches(three, "i-1", "i-2")
    eventually(lambda: heard.read_text() == "hears", "the connection goes on")


def test_a_machine_that_is_cut_off_reaches_itself_alone_and_nobody_reaches_it(
    three: Bench, held: Partitions
) -> None:
    heard, address = three.hypervisor.disk("i-2") / "heard", three.hypervisor.address("i-1")
    three.run(f"setsid python3 listener.py {address} >/dev/null 2>&1 &", "i-2")
    eventually(lambda: heard.exists() and heard.read_text() == "hears", "it hears the other")
    held.cut_off(side(three, "i-1"))
    held.cut_off(side(three, "i-1"))
    assert held.pairs() == [["i-1"]]
    able_to = {(one, other) for one in NAMES for other in NAMES if reaches(three, one, other)}
    assert able_to == {("i-1", "i-1")} | {(a, b) for a in NAMES[1:] for b in NAMES[1:]}
    assert [sends(three, *way) for way in (("i-1", "i-2"), ("i-2", "i-1"), ("i-2", "i-3"))] == [
        False,
        False,
        True,
    ]
    with pytest.raises(OSError, match="timed out"):
        socket.create_connection((address, 7000), 0.5)
    eventually(lambda: heard.read_text() == "silence", "what was connected hears nothing, and no end")
    held.end_without(three.hypervisor.is_on)
    assert held.reconnect("i-1")
    assert not held.reconnect("i-1")
    assert reaches(three, "i-3", "i-1")
    eventually(lambda: heard.read_text() == "hears", "the connection goes on")


def test_a_partition_ends_with_its_machine(three: Bench, held: Partitions) -> None:
    held.part(side(three, "i-1"), side(three, "i-2"))
    held.end_without(three.hypervisor.is_on)
    assert held.pairs() == [["i-1", "i-2"]]
    three.hypervisor.power_off("i-2")
    held.end_without(three.hypervisor.is_on)
    assert held.pairs() == []
    three.boot("i-2")
    eventually(lambda: reaches(three, "i-1", "i-2"), "it is reached again")


def test_nothing_stays_in_the_packet_filter_of_who_is_killed(three: Bench) -> None:
    before = tables()
    program = (
        "import sys, time; from pathlib import Path\n"
        "from nospof.localcloud.machines.partitions import Partitions, Side\n"
        "root, *given = sys.argv[1:]\n"
        "held = Partitions()\n"
        "held.part(*(Side(i, Path(root, i), (a,)) for i, a in zip(given[::2], given[1::2])))\n"
        "print(flush=True); time.sleep(600)"
    )
    addresses = [word for name in NAMES[:2] for word in (name, three.hypervisor.address(name))]
    command = [sys.executable, "-c", program, str(three.root), *addresses]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as keeper:
        assert keeper.stdout
        keeper.stdout.readline()
        assert not reaches(three, "i-1", "i-2")
        keeper.kill()
    eventually(lambda: tables() == before, "the table is gone")
    assert reaches(three, "i-1", "i-2")


def test_it_is_said_when_a_machine_has_no_group(
    bench: Bench, held: Partitions, able: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NAMES[:2]:
        bench.machine(name)
    before = tables()
    with pytest.raises(CannotPartition, match="no control group of its own"):
        held.part(side(bench, "i-1"), side(bench, "i-2"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(CannotPartition, match="only root"):
        held.part(side(bench, "i-1"), side(bench, "i-2"))
    assert tables() == before


def test_a_filter_that_does_not_filter_is_no_partition(
    three: Bench, held: Partitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tables()
    monkeypatch.setattr(partitions, "SET_UP_SECONDS", 0.5)
    monkeypatch.setattr(partitions, "_socket_of", lambda _: "socket cgroupv2 level 1 no-such-group")
    with pytest.raises(CannotPartition, match="still reaches"):
        held.part(side(three, "i-1"), side(three, "i-2"))
    assert held.pairs() == []
    assert tables() == before


def test_no_group_is_left_of_a_destroyed_machine(three: Bench) -> None:
    group = cgroups.group_of(three.root / "i-1")
    assert group
    assert group.is_dir()
    three.hypervisor.destroy("i-1")
    assert not group.exists()


@pytest.mark.local_cloud
def test_instances_are_parted_and_healed_by_the_clouds_own_api(
    local_cloud: RunningCloud, ec2: Any, source: str, able: None, tmp_path: Path
) -> None:
    other = running(ec2, launch(local_cloud))
    parted = {"instance": source, "peer": other, "fault": "partition"}
    status, answer = local_cloud.admin("POST", "fault", parted)
    assert (status, answer) == (200, {"partitions": [sorted([source, other])]})
    assert local_cloud.admin("GET", "status")[1]["partitions"] == [sorted([source, other])]
    assert local_cloud.admin("POST", "fault", {**parted, "fault": "heal"}) == (200, {"partitions": []})
    assert local_cloud.admin("POST", "fault", {**parted, "fault": "heal"})[0] == 409
    assert local_cloud.admin("POST", "fault", {**parted, "peer": source})[0] == 400
    assert local_cloud.admin("POST", "fault", {**parted, "peer": "i-none"})[0] == 404
    assert local_cloud.admin("POST", "fault", {"instance": source, "fault": "partition"})[0] == 400
    assert local_cloud.admin("POST", "fault", parted)[0] == 200
    ec2.terminate_instances(InstanceIds=[other])
    eventually(lambda: local_cloud.admin("GET", "status")[1]["partitions"] == [], "it ends with its machine")
