"""An endpoint with moto's EC2 and our ELBv2, for tests that need targets of their own making.

    python elbv2_endpoint.py DIRECTORY PREFIX

An instance answers at the address in its tag `address`; load balancers get PREFIX.128 and up
Prints its URL and serves until its standard input ends; then it stops the balancers.
"""

from __future__ import annotations

import itertools
import logging
import os
import sys
import threading
from pathlib import Path
from typing import Any

os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"

from moto import backends as moto_backends
from moto.server import ThreadedMotoServer

from nospof.localcloud import elbv2


def instance_of(instance_id: str) -> Any | None:
    """Find an instance in any region."""
    for _, _, backend in list(moto_backends.get_backend("ec2").iter_backends()):
        if instance := backend.get_instance_by_id(instance_id):
            return instance
    return None


def machine(instance_id: str) -> elbv2.MachineView | None:
    """Say where an instance answers and what state it is in."""
    instance = instance_of(instance_id)
    if instance is None:
        return None
    tags = {tag["key"]: tag["value"] for tag in instance.get_tags()}
    return elbv2.MachineView(tags.get("address", instance.private_ip_address), instance.state)


def main() -> None:
    """Serve until standard input ends."""
    directory, prefix = Path(sys.argv[1]), sys.argv[2]
    numbers = itertools.count(128)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    elbv2.install()
    balancing = elbv2.Balancing(directory, machine, lambda region: f"{prefix}.{next(numbers)}")
    elbv2.set_current(balancing)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    ended = threading.Event()

    def keep() -> None:
        while not ended.wait(0.1):
            balancing.reconcile(moto_backends.get_backend("elbv2"))

    loop = threading.Thread(target=keep)
    loop.start()
    print(f"http://{host}:{port}", flush=True)  # noqa: T201 - the parent reads it
    sys.stdin.read()
    ended.set()
    loop.join()
    balancing.stop_all()
    server.stop()


if __name__ == "__main__":
    main()
