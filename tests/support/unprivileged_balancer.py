"""A balancer's whole life, as a program of its own: run by a user without rights in the directory given."""

from __future__ import annotations

import sys
import urllib.request
from pathlib import Path

from nospof.localcloud.balancer import (
    Balancer,
    FixedResponse,
    HaproxyBalancer,
    Listener,
    Rule,
    why_it_cannot_listen,
)


def main(root: Path, address: str) -> None:
    """Print why port 80 cannot be had, what a higher port answers, and the process id when stopped."""
    print(why_it_cannot_listen(address, 80))  # noqa: T201
    balancer = HaproxyBalancer(root / "balancer")
    rule = Rule((), FixedResponse(200, body="served"))
    try:
        assert balancer.apply(Balancer(address, (Listener(8080, (rule,)),))), balancer.error
        with urllib.request.urlopen(f"http://{address}:8080/", timeout=10) as answer:
            print(answer.read().decode())  # noqa: T201
    finally:
        balancer.remove()
    print(balancer.process.pid())  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
