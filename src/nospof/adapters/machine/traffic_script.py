"""The script that tells whether requests are still in flight at a machine's port. It changes nothing.

The kernel tells of each connection when data came and went last, to whoever asks as `ss` does. It runs alone,
after the first part of the script that looks inside, by any Python from 3.6 on.
"""

import base64
import json
import os
import socket
import struct
import sys
import zlib
from collections.abc import Iterator
from typing import Any

from nospof.adapters.machine.probe_machine import LISTEN, Machine, address_of, sockets

# The sender cuts here: what stands above is in the first part.

SCHEMA = "nospof.traffic/1"
# Of linux/netlink.h, linux/sock_diag.h and linux/inet_diag.h.
NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, REQUEST_AND_DUMP, DONE, FAILED, INET_DIAG_INFO = 4, 20, 0x301, 3, 2, 2
HEADER, MESSAGE_BYTES, QUEUES_AT = 16, 72, 56
LAST_SENT_AT, LAST_RECEIVED_AT = 44, 52  # in struct tcp_info, milliseconds ago
ESTABLISHED_ONLY = 1 << 1
ANYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to
FORWARDERS = ("docker-proxy",)  # connections are led past it, into a network of their own


class NotTold(Exception):
    """The kernel does not tell, or not of all connections."""


def in_flight(m: Machine, port: int) -> "dict[str, Any]":
    """Return how many connections of others wait for this machine, and how many only stand open."""
    here = [(address_of(one)[0], who) for one, _, who in sockets(m, LISTEN) if address_of(one)[1] == port]
    if not here:
        return {"requests": 0, "idle": 0, "problem": "nobody there listens on port " + str(port)}
    if any(who in FORWARDERS for _, who in here):
        return {"requests": 0, "idle": 0, "problem": "port " + str(port) + " is led on into a container"}
    addresses = {address for address, _ in here}
    requests = idle = 0
    try:
        for own, peer, is_waited_for in connections(port):
            if own == peer or not (addresses & {own, *ANYWHERE}):
                continue
            requests += is_waited_for
            idle += not is_waited_for
    except (NotTold, OSError, struct.error) as error:
        return {"requests": 0, "idle": 0, "problem": str(error) or type(error).__name__}
    return {"requests": requests, "idle": idle, "problem": ""}


def connections(port: int) -> "Iterator[tuple[str, str, bool]]":
    """Yield own and remote address of each connection to a port, and whether its client waits for an answer.

    It does where it spoke last, or where bytes wait to be read here or there.
    """
    for family, width in ((socket.AF_INET, 4), (socket.AF_INET6, 16)):
        for message in dump(family, port):
            own, peer = (plain(family, message[at : at + width]) for at in (8, 24))
            unread, unsent = struct.unpack_from("=II", message, QUEUES_AT)
            sent, received = last_moments(message)
            yield own, peer, bool(unread or unsent or received < sent)


def plain(family: int, packed: bytes) -> str:
    """Return an address; a mapped IPv4 one as IPv4."""
    if len(packed) == 16 and packed[:12] == b"\0" * 10 + b"\xff\xff":
        family, packed = socket.AF_INET, packed[12:]
    return socket.inet_ntop(family, packed)


def dump(family: int, port: int) -> "Iterator[bytes]":
    """Yield the kernel's message of each established connection to a port."""
    asked = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 1 << (INET_DIAG_INFO - 1), 0, ESTABLISHED_ONLY)
    asked += struct.pack("!H", port) + bytes(46)
    head = struct.pack("=IHHII", HEADER + len(asked), SOCK_DIAG_BY_FAMILY, REQUEST_AND_DUMP, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(5)
        kernel.sendto(head + asked, (0, 0))
        while True:
            some, at = kernel.recv(1 << 17), 0
            while at + HEADER <= len(some):
                length, kind = struct.unpack_from("=IH", some, at)
                if kind == DONE:
                    return
                if kind == FAILED:
                    code = -int(struct.unpack_from("=i", some, at + HEADER)[0])
                    raise NotTold("the kernel does not tell of connections: " + os.strerror(code))
                yield some[at + HEADER : at + length]
                at += max((length + 3) & ~3, HEADER)


def last_moments(message: bytes) -> "tuple[int, int]":
    """Return how many milliseconds ago data was sent and received last."""
    at = MESSAGE_BYTES
    while at + 4 <= len(message):
        length, kind = struct.unpack_from("=HH", message, at)
        if kind == INET_DIAG_INFO:
            (sent,) = struct.unpack_from("=I", message, at + 4 + LAST_SENT_AT)
            (received,) = struct.unpack_from("=I", message, at + 4 + LAST_RECEIVED_AT)
            return sent, received
        at += max((length + 3) & ~3, 4)
    raise NotTold("the kernel does not tell when data came last")


def main() -> None:
    """Tell of the port on the command line; a machine that is a directory says so in its environment."""
    root = os.environ.get("NOSPOF_DISK", "")
    mark = "NOSPOF_MACHINE={}".format(os.environ.get("NOSPOF_MACHINE", "")).encode() if root else b""
    m = Machine(root or "/", "/proc", mark)
    text = json.dumps({"schema": SCHEMA, **in_flight(m, int(sys.argv[1]))}, sort_keys=True)
    sys.stdout.write(SCHEMA + " " + base64.b64encode(zlib.compress(text.encode(), 9)).decode() + "\n")


if __name__ == "__main__":
    main()
