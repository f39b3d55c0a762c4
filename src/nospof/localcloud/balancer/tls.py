"""TLS at a balancer's door: certificates as files HAProxy reads, and what a listener speaks.

Rule: a file's name is a digest of its content, so that another certificate is another structure.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from nospof.localcloud.balancer.spec import Balancer, Listener


def bind_options(listener: Listener) -> str:
    """Write what follows a listener's address: nothing without certificates."""
    if not listener.certificates:
        return ""
    files = " ".join(f"crt {_file_name(pem)}" for pem in listener.certificates)
    versions = f"ssl-min-ver {listener.oldest_tls} ssl-max-ver {listener.newest_tls}"
    return f"ssl {files} {versions} alpn h2,http/1.1"


def write_certificates(directory: Path, balancer: Balancer) -> None:
    """Write the certificates a balancer's listeners need, readable by nobody else; others go."""
    wanted = {_file_name(pem): pem for listener in balancer.listeners for pem in listener.certificates}
    for name, pem in wanted.items():
        path = directory / name
        if not path.exists():
            partial = path.with_suffix(".new")
            partial.unlink(missing_ok=True)
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(pem)
            partial.replace(path)
    for path in directory.glob("*.pem"):
        if path.name not in wanted:
            path.unlink()


def _file_name(pem: str) -> str:
    return f"{hashlib.sha256(pem.encode()).hexdigest()[:16]}.pem"
