"""Partitions of the network: between two machines, or between one and everybody else.

The computer's packet filter drops what a process of one machine and an address of the other exchange,
in both directions; both go on to reach everybody else. A machine that is cut off reaches itself alone,
and nobody else reaches it. The filter's table belongs to a process that ends with
this one, and the kernel takes it away then: nothing stays behind, however the local cloud ends.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nospof.localcloud.machines import cgroups

NFT_GROUPS = "/sys/fs/cgroup"  # nft looks for groups below this, wherever they are mounted
SET_UP_SECONDS = 5.0
TRIAL_SECONDS = 0.3
_TRIAL = """\
import os, socket, sys
with open(sys.argv[1], "w") as group:
    group.write(str(os.getpid()))
with socket.socket() as probe:
    probe.settimeout(float(sys.argv[3]))
    try:
        probe.connect((sys.argv[2], 9))
    except TimeoutError:
        raise SystemExit(7)
"""
"""From inside a machine's group: an address that can be reached accepts or refuses at once."""
_NOTHING_CAME_BACK = 7
LOOPBACK = "127.0.0.1"  # what a machine's connections to itself come from
SOMEBODY_ELSE = "127.255.255.253"
"""An address of this computer that no machine has."""


class CannotPartition(RuntimeError):
    """This computer cannot keep the two machines apart; says why. Nothing was changed."""


@dataclass(frozen=True)
class Side:
    """One of the two machines.

    Args:
        machine_id: its name.
        directory: where it lives.
        addresses: all that lead to it.
    """

    machine_id: str
    directory: Path
    addresses: tuple[str, ...]


class Partitions:
    """The partitions in force. Safe to use from many threads."""

    def __init__(self) -> None:
        self._held: dict[frozenset[str], subprocess.Popen[str]] = {}
        self._lock = threading.Lock()

    def part(self, one: Side, other: Side) -> None:
        """Keep two machines that run apart; returns once that was tried and is so. A repeat changes nothing.

        Raises:
            CannotPartition: this computer cannot.
        """
        names = frozenset((one.machine_id, other.machine_id))
        self._hold(names, lambda: _between(one, other), lambda filter_: _try_out(filter_, one, other))

    def cut_off(self, side: Side) -> None:
        """Keep a machine that runs from everybody but itself; otherwise as `part`."""
        self._hold(
            frozenset((side.machine_id,)),
            lambda: _around(side),
            lambda filter_: _try(
                filter_, side, "the outside", SOMEBODY_ELSE, time.monotonic() + SET_UP_SECONDS
            ),
        )

    def _hold(
        self,
        names: frozenset[str],
        rules: Callable[[], list[str]],
        try_out: Callable[[subprocess.Popen[str]], None],
    ) -> None:
        with self._lock:
            if names in self._held and self._held[names].poll() is None:
                return
            filter_ = _begin(rules)
            try:
                try_out(filter_)
            except CannotPartition as error:
                raise CannotPartition(f"{error} {_end(filter_)}".strip()) from error
            except BaseException:
                _end(filter_)
                raise
            self._held[names] = filter_

    def heal(self, one: str, other: str) -> bool:
        """Let two machines reach each other again; return whether they were apart."""
        with self._lock:
            filter_ = self._held.pop(frozenset((one, other)), None)
            if filter_:
                _end(filter_)
            return filter_ is not None

    def reconnect(self, machine_id: str) -> bool:
        """Let a machine reach everybody again; return whether it was cut off."""
        return self.heal(machine_id, machine_id)

    def pairs(self) -> list[list[str]]:
        """Return which machines are kept apart, sorted; one alone is cut off."""
        with self._lock:
            return sorted(sorted(key) for key, filter_ in self._held.items() if filter_.poll() is None)

    def end_without(self, is_there: Callable[[str], bool]) -> None:
        """End the partitions of machines that are not there any more."""
        for names in self.pairs():
            if not all(is_there(name) for name in names):
                self.heal(names[0], names[-1])

    def close(self) -> None:
        """End all partitions."""
        self.end_without(lambda _: False)


def _between(one: Side, other: Side) -> list[str]:
    """Return the rules that keep two machines apart, each with its chain before it."""
    rules = []
    for side, peer in ((one, other), (other, one)):
        of_side, to_peer = _socket_of(side), ", ".join(peer.addresses)
        rules.append(f"output {of_side} ip daddr {{ {to_peer} }} drop")
        rules.append(f"input {of_side} ip saddr {{ {to_peer} }} drop")
    return rules


def _around(side: Side) -> list[str]:
    """Return the rules that keep a machine from everybody but itself.

    What others send is dropped where it leaves them: what comes in may come from `LOOPBACK` whoever sent it.
    """
    of_side, its_own = _socket_of(side), ", ".join(side.addresses)
    return [
        f"output {of_side} ip daddr {{ {its_own}, {LOOPBACK} }} accept",
        f"output {of_side} drop",
        f"output ip daddr {{ {its_own} }} drop",
        f"input {of_side} accept",
        f"input ip saddr {{ {its_own} }} drop",
    ]


def _begin(rules: Callable[[], list[str]]) -> subprocess.Popen[str]:
    program = shutil.which("nft", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if os.geteuid() != 0:
        raise CannotPartition(
            "only root can change the computer's packet filter; run the local cloud as root"
        )
    if not program:
        raise CannotPartition("there is no nft on this computer; install the package nftables")
    table = f"nospof_{os.urandom(6).hex()}"
    chain = f"add chain ip {table} {{0}} {{{{ type filter hook {{0}} priority 0; policy accept; }}}}"
    lines = [f"add table ip {table} {{ flags owner; }}", chain.format("output"), chain.format("input")]
    lines += [f"add rule ip {table} {rule}" for rule in rules()]
    filter_ = subprocess.Popen(
        [program, "-i"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": os.defpath, "HOME": os.devnull},  # it would keep a history of what it is told
        start_new_session=True,
    )
    if filter_.stdin:
        filter_.stdin.write("\n".join(lines) + "\n")
        filter_.stdin.flush()
    return filter_


def _socket_of(side: Side) -> str:
    """Return the words that match the sockets of a machine. Raises CannotPartition when it has no group."""
    group, root = cgroups.group_of(side.directory), cgroups.hierarchy()
    if not group or not root or not (group / "cgroup.procs").is_file() or not _members(group):
        raise CannotPartition(
            f"{side.machine_id} has no control group of its own, so its traffic cannot be told from that of "
            "others; the local cloud needs root and control groups of version 2 when it starts an instance"
        )
    if not root.is_relative_to(NFT_GROUPS):
        raise CannotPartition(f"control groups are mounted at {root}, where nft does not look for them")
    return f'socket cgroupv2 level 1 "{group.relative_to(NFT_GROUPS)}"'


def _members(group: Path) -> list[str]:
    with contextlib.suppress(OSError):
        return (group / "cgroup.procs").read_text(encoding="ascii").split()
    return []


def _try_out(filter_: subprocess.Popen[str], one: Side, other: Side) -> None:
    """Return once neither reaches the other. Raises CannotPartition when that does not come about."""
    deadline = time.monotonic() + SET_UP_SECONDS
    for side, peer in ((one, other), (other, one)):
        for address in peer.addresses:
            _try(filter_, side, peer.machine_id, address, deadline)


def _try(filter_: subprocess.Popen[str], side: Side, whom: str, address: str, deadline: float) -> None:
    while not _is_silent(side, address):
        if filter_.poll() is not None or time.monotonic() > deadline:
            raise CannotPartition(
                f"{side.machine_id} still reaches {whom} at {address}: the packet filter was told to drop "
                "that, and this kernel does not"
            )


def _is_silent(side: Side, address: str) -> bool:
    group = cgroups.group_of(side.directory)
    tried = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _TRIAL, f"{group}/cgroup.procs", address, str(TRIAL_SECONDS)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=30,
    )
    return tried.returncode == _NOTHING_CAME_BACK


def _end(filter_: subprocess.Popen[str]) -> str:
    """End the process that the table belongs to, and with it the table; return what it has complained of."""
    try:
        _, said = filter_.communicate(timeout=SET_UP_SECONDS)
    except subprocess.TimeoutExpired:
        filter_.kill()
        _, said = filter_.communicate()
    return " ".join((said or "").split())
