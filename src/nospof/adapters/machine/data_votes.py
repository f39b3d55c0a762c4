"""The part of the data program that keeps the votes by which Patroni knows who leads: etcd, or a Raft.

Three vote, never two: of two that do not hear each other neither may go on. etcd is what production has.
Where there is none, Patroni's own Raft (pysyncobj) votes; upstream calls it deprecated, and it is for
demonstrations. It runs by any Python from 3.6 on.
"""

import http.client
import json
import os
import re
import shutil
import socket
import time
from typing import Any

from nospof.adapters.machine.data_machine import Host, found_program
from nospof.adapters.machine.hold_databases import Refused

# The sender cuts here: what stands above is in the parts before, but for the imports.

VOTES_UNIT = "nospof-votes.service"
VOTES_CONFIGURATION = "etc/nospof/votes.json"
VOTES_DIRECTORY = "var/lib/nospof/votes"
CLIENT_PORT, PEER_PORT = 2379, 2380
CHANGE_SECONDS = 30.0
REST_SECONDS = 3.0
PATRONI_PACKAGES = "sudo apt-get install patroni etcd-server"


def seat_name(seat: "dict[str, Any]") -> str:
    """Return what a seat is called among those who vote."""
    return str(seat.get("id") or "member-" + re.sub("[^0-9a-zA-Z]", "-", seat["address"]))


def voters_of(layout: "dict[str, Any]") -> "list[dict[str, Any]]":
    """Return everybody with a vote."""
    return [*layout["members"], *([layout["arbitrator"]] if layout.get("arbitrator") else [])]


def refuse_even(layout: "dict[str, Any]") -> None:
    """Refuse votes that one failure takes the majority of. Raises Refused."""
    voters = voters_of(layout)
    count = len({one["address"] for one in voters})
    if count < 3 or count % 2 == 0:
        raise Refused(
            f"{count} machines vote: where half of them is lost, the other half may not go on. "
            "Three have to vote, each in a zone of its own"
        )


def url(address: str, port: int) -> str:
    """Return where something is answered."""
    return "http://{}:{}".format("[" + address + "]" if ":" in address else address, port)


def rest(
    address: str, port: int, path: str, body: "dict[str, Any] | None" = None, **options: Any
) -> "tuple[int, Any]":
    """Ask a machine over HTTP; return its code and its answer. 0 where it gives none.

    Args:
        body: sent by POST.
        options: method, headers, seconds.
    """
    line = http.client.HTTPConnection(address, port, timeout=options.get("seconds", REST_SECONDS))
    try:
        line.request(
            options.get("method", "GET" if body is None else "POST"),
            path,
            None if body is None else json.dumps(body),
            {"Content-Type": "application/json", **options.get("headers", {})},
        )
        answer = line.getresponse()
        text = answer.read(1 << 20).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        return 0, None
    finally:
        line.close()
    try:
        return answer.status, json.loads(text)
    except ValueError:
        return answer.status, text


def etcd_configuration(cluster: str, own: "dict[str, Any]", peers: "list[str]", place: str) -> str:
    """Return etcd's configuration on one machine.

    Args:
        peers: where those who vote already listen; none for the first of all.
    """
    client, peer = url(own["address"], CLIENT_PORT), url(own["address"], PEER_PORT)
    everybody = sorted({*peers, peer})
    return json.dumps(
        {
            "name": peer,  # what a peer is called is each one's own matter
            "data-dir": place,
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": ",".join(f"{one}={one}" for one in everybody),
            "initial-cluster-token": cluster,
            "initial-cluster-state": "existing" if peers else "new",
            "enable-grpc-gateway": True,  # off in 3.4 where there is a file; Patroni comes in by it
            "auto-compaction-retention": "1",
            "logger": "zap",
        },
        sort_keys=True,
        indent=1,
    )


def raft_section(layout: "dict[str, Any]", own: "dict[str, Any]", place: str) -> "dict[str, Any]":
    """Return what Patroni has to know of its own votes. Without `bind_addr` it would listen to everybody."""
    others = [one["address"] for one in voters_of(layout) if one["address"] != own["address"]]
    address = "{}:{}".format(own["address"], PEER_PORT)
    return {
        "data_dir": place,
        "self_addr": address,
        "bind_addr": address,
        "partner_addrs": [f"{one}:{PEER_PORT}" for one in others],
    }


class Votes:
    """The vote of a machine.

    Args:
        m: the machine.
    """

    def __init__(self, m: Host) -> None:
        self.m = m

    # Programs -----------------------------------------------------------------------------------------

    def etcd(self) -> str:
        """Return where etcd is; of a machine that is a directory only its own counts."""
        if self.m.mark:
            own = self.m.path("bin/etcd")
            return os.path.realpath(own) if os.access(own, os.X_OK) else ""
        return found_program("etcd")

    def patroni(self, name: str = "patroni") -> str:
        """Return where a program of Patroni is; empty where it is not."""
        found = found_program(name)
        return os.path.realpath(found) if found else ""

    def patroni_python(self) -> str:
        """Return the Python that Patroni runs by. Raises Refused."""
        try:
            with open(self.patroni(), "rb") as file:
                first = file.readline().decode("utf-8", "replace")
        except OSError:
            raise Refused("there is no Patroni on the machine: " + PATRONI_PACKAGES)  # noqa: B904
        return first[2:].split()[0] if first.startswith("#!") else "python3"

    def kind(self, is_member: bool = True) -> str:
        """Return who counts the votes of this machine: "etcd" or "raft". Raises Refused: nobody can."""
        wanted = "etcd" if self.etcd() else "pysyncobj"
        if is_member and self.m.run([self.patroni_python(), "-c", "import " + wanted])[0]:
            raise Refused(
                "Patroni knows no etcd here: sudo apt-get install python3-etcd"
                if self.etcd()
                else "there is no etcd on the machine: sudo apt-get install etcd-server"
            )
        return "etcd" if self.etcd() else "raft"

    # The unit -----------------------------------------------------------------------------------------

    def unit_text(self, is_member: bool) -> str:
        """Return the unit that votes; empty where Patroni does it itself."""
        if self.kind(is_member) == "raft":
            if is_member:
                return ""
            if not self.patroni("patroni_raft_controller"):
                raise Refused("there is no etcd on the machine: sudo apt-get install etcd-server")
            command = "{} {}".format(
                self.patroni("patroni_raft_controller"), self.m.place(VOTES_CONFIGURATION)
            )
        else:
            command = f"{self.etcd()} --config-file {self.m.place(VOTES_CONFIGURATION)}"
        return (
            "[Unit]\nDescription=nospof: the vote of this machine\nAfter=network-online.target\n"
            "Wants=network-online.target\n\n"
            f"[Service]\nExecStartPre={self.m.program('boot', VOTES_UNIT)}\nExecStart={command}\n"
            "Restart=always\nRestartSec=2\nLimitNOFILE=65536\n\n[Install]\nWantedBy=multi-user.target\n"
        )

    def begin(self, layout: "dict[str, Any]", own: "dict[str, Any]") -> None:
        """Have this machine vote, now and after every boot. Raises Refused."""
        is_member = own in layout["members"]
        text = self.unit_text(is_member)
        if not text:
            return
        if self.etcd():
            self.enroll(layout, own)
        is_changed = self.m.unit(VOTES_UNIT, text)
        self.m.systemctl("enable", VOTES_UNIT)
        if is_changed or not self.m.is_active(VOTES_UNIT):
            self.m.systemctl("restart", VOTES_UNIT)
            self.m.done(f"this machine votes, by {self.kind(is_member)}")

    def end(self) -> None:
        """Have this machine vote no more, and forget what was voted for."""
        if self.m.forget_unit(VOTES_UNIT):
            self.m.done("this machine votes no more")
        self.m.remove(VOTES_CONFIGURATION)
        shutil.rmtree(self.m.path(VOTES_DIRECTORY), ignore_errors=True)

    def directory(self, own: "dict[str, Any]") -> str:
        """Return where the votes of this address are kept: a copy of the disk has those of another one."""
        return self.m.path(VOTES_DIRECTORY + "/" + re.sub("[^0-9a-zA-Z]", "-", own["address"]))

    def boot(self, layout: "dict[str, Any]", own: "dict[str, Any]") -> None:
        """Write the configuration of the vote, from this machine's own address."""
        place = self.directory(own)
        os.makedirs(place, mode=0o700, exist_ok=True)
        if not self.etcd():
            text = json.dumps(
                {
                    "scope": layout["cluster"],
                    "name": seat_name(own),
                    "raft": raft_section(layout, own, place),
                }
            )
        else:
            peers = [] if os.path.isdir(place + "/member") else self.peers(layout, own)
            text = etcd_configuration(layout["cluster"], own, peers, place)
        self.m.write(VOTES_CONFIGURATION, text, 0o600)

    # Counting -----------------------------------------------------------------------------------------

    def count(self, layout: "dict[str, Any]", own: "dict[str, Any]") -> int:
        """Return how many votes are there, as far as this machine sees."""
        if self.etcd():
            return sum(map(is_healthy, voters_of(layout)))
        others = [one for one in voters_of(layout) if one["address"] != own["address"]]
        return sum(map(is_open, [own, *others]))

    def peers(self, layout: "dict[str, Any]", own: "dict[str, Any]") -> "list[str]":
        """Return where those listen who vote with this machine, which is one of them. Raises Refused."""
        mine = url(own["address"], PEER_PORT)
        for one in voters_of(layout):
            there = {} if one == own else listed(one)
            if mine in there:
                return sorted(there)
        if own == founder(layout):
            return []
        raise Refused("nobody counts the vote of this machine: apply the layout to it again")

    def enroll(self, layout: "dict[str, Any]", own: "dict[str, Any]") -> None:
        """Have those vote who are in a layout, this machine with them. Raises Refused.

        The first one founds; everybody else is let in by those who vote, one at a time: an etcd that waits
        for some of those it was founded with does not yet speak as Patroni needs it to.
        """
        wanted = {url(one["address"], PEER_PORT) for one in voters_of(layout)}
        asked = next((one for one in [own, *voters_of(layout)] if is_healthy(one)), None)
        if asked is None:
            self.peers(layout, own)  # let in already, or the founder
            return
        there = listed(asked)
        for peer in sorted(set(there) - wanted):
            change(asked, "remove", {"ID": there[peer]})
            self.m.done(peer + " votes no more")
        mine = url(own["address"], PEER_PORT)
        if mine not in there:
            change(asked, "add", {"peerURLs": [mine]})
            self.m.done("the vote of this machine is counted")


def founder(layout: "dict[str, Any]") -> "dict[str, Any]":
    """Return who votes first."""
    found: dict[str, Any] = layout.get("arbitrator") or layout["members"][0]
    return found


def listed(seat: "dict[str, Any]") -> "dict[str, str]":
    """Return who votes, by the word of one: their numbers by where they listen; nothing if it is silent."""
    code, said = rest(seat["address"], CLIENT_PORT, "/v3/cluster/member/list", {})
    rows = said.get("members", []) if code == 200 and isinstance(said, dict) else []
    return {peer: one["ID"] for one in rows for peer in one["peerURLs"]}


def change(asked: "dict[str, Any]", how: str, what: "dict[str, Any]") -> None:
    """Change who votes by one. Raises Refused.

    An etcd changes nothing before it has heard all who vote for five seconds, so it is asked again.
    """
    ends = time.monotonic() + CHANGE_SECONDS
    while True:
        code, said = rest(asked["address"], CLIENT_PORT, "/v3/cluster/member/" + how, what, seconds=10.0)
        if code == 200:
            return
        if "unhealthy cluster" not in str(said) or time.monotonic() > ends:
            raise Refused(f"etcd does not {how} a vote: {said}")
        time.sleep(0.5)


def is_healthy(seat: "dict[str, Any]") -> bool:
    """Whether a machine's etcd has a majority that it hears."""
    code, said = rest(seat["address"], CLIENT_PORT, "/health", seconds=1.0)
    return code == 200 and isinstance(said, dict) and str(said.get("health")) == "true"


def is_open(seat: "dict[str, Any]") -> bool:
    """Whether a machine takes votes."""
    try:
        socket.create_connection((seat["address"], PEER_PORT), timeout=1.0).close()
    except OSError:
        return False
    return True
