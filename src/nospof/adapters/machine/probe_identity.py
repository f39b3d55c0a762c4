"""A part of the script that looks inside a machine: by what it is known, and since when it exists."""

import base64
import contextlib
import hashlib
import os
import re
import time
from typing import Any

from nospof.adapters.machine.probe_machine import Machine

# The sender cuts here: what stands above is in the parts before, but for the imports.

FIRST_START = "/var/lib/cloud/instance/sem"
NODE_IDS = (
    "/etc/iscsi/initiatorname.iscsi",
    "/etc/nvme/hostid",
    "/etc/salt/minion_id",
    "/var/lib/amazon/ssm/Vault/Store/RegistrationKey",
    "/var/lib/mysql/auto.cnf",
    "/var/lib/nomad/client/client-id",
    "/var/lib/rustdesk-server/id_ed25519.pub",
    "/var/lib/tailscale/tailscaled.state",
    "/var/lib/zerotier-one/identity.public",
    "/var/ossec/etc/client.keys",
)
"""Where software that is common on such machines keeps what it knows its own machine by."""
NODE_ID_NAME = re.compile(
    r"(?:\w+[.-])?(?:uuid|(?:node|host|client|engine|server|agent|machine)[-_]?id)(?:\.\w+)?"
)
"""The whole name of such a file where nobody here knows the software."""
NODE_ID_BYTES = 4096


def identity(m: Machine) -> "list[Any]":
    """Return what no twin may share: hashes, and the fingerprints of the public SSH host keys."""
    rows = [
        {"kind": kind, "name": name, "hash": digest(text)}
        for kind, name in (("machine id", "/etc/machine-id"), *(("node id", one) for one in node_ids(m)))
        for text in [m.read(name, NODE_ID_BYTES).strip()]
        if text
    ]
    for one in m.names("/etc/ssh"):
        if re.match(r"ssh_host_\w+_key\.pub$", one):
            found = fingerprint(m.read("/etc/ssh/" + one))
            rows += [{"kind": "host key", "name": "/etc/ssh/" + one, "hash": found}] if found else []
    name = m.read("/etc/hostname").strip()
    return rows + ([{"kind": "host name", "name": name, "hash": ""}] if name else [])


def node_ids(m: Machine) -> "list[str]":
    """Return the files by which software knows this machine: those known, and those that are called so."""
    found = {one for one in NODE_IDS if is_file(m, one)}
    for directory in m.names("/var/lib"):
        at = "/var/lib/" + directory
        if directory in ("dbus", "cloud", "systemd") or not os.path.isdir(m.path(at)):
            continue
        names = (one for one in m.names(at)[:1000] if NODE_ID_NAME.fullmatch(one))
        found |= {at + "/" + one for one in names if is_file(m, at + "/" + one)}
    return sorted(found)


def is_file(m: Machine, name: str) -> bool:
    """Whether the machine has such a regular file, of its own and not by a link."""
    path = m.path(name)
    return os.path.isfile(path) and not os.path.islink(path)


def digest(text: str) -> str:
    """Return what tells two apart without telling either."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fingerprint(line: str) -> str:
    """Return a public key's fingerprint as ssh-keygen and known hosts show it; empty where it is none."""
    parts = line.split()
    try:
        raw = base64.b64decode(parts[1].encode(), validate=True)
    except (IndexError, ValueError):
        return ""
    return "SHA256:" + base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=")


def made(m: Machine) -> float:
    """Return when the machine was made; 0 when nobody could tell: then what its image brought counts too.

    cloud-init notes the end of a new instance's first start. Otherwise it is when the oldest part of
    the machine's identity was written to this disk.
    """
    first = [FIRST_START + "/" + one for one in m.names(FIRST_START) if "scripts_user" in one]
    own = ["/etc/machine-id", *("/etc/ssh/" + one for one in m.names("/etc/ssh") if one.endswith("_key.pub"))]
    moments = []
    for names, field in ((first, "st_mtime"), (own, "st_ctime")):
        for one in names:
            with contextlib.suppress(OSError):
                moments.append(getattr(os.lstat(m.path(one)), field))
        if moments:
            break
    return min(moments) if moments and min(moments) <= time.time() else 0.0
