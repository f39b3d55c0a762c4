"""The first part of the script that looks inside a machine: reading safely, disks, surroundings.

It runs alone, by any Python from 3.6 on and its standard library, and never writes. Only regular
files are opened, and only so much of each: a pipe would block, a device could act.
"""

import contextlib
import os
import re
import socket
import stat
import struct
import time
from typing import Any

SECONDS = 10.0
FILE_BYTES = 256 * 1024
LISTEN, ESTABLISHED = "0A", "01"
WAITS_NOT = {"nofail", "noauto", "x-systemd.automount"}
PSEUDO = (
    "proc",
    "sysfs",
    "tmpfs",
    "devtmpfs",
    "cgroup",
    "cgroup2",
    "devpts",
    "overlay",
    "squashfs",
    "autofs",
)


class Unreadable(Exception):
    """Something is there, and this user may not read it."""


class NotApplicable(Exception):
    """It is not this machine's to have: a virtual machine has no memory modules."""


class Machine:
    """One look at a machine.

    Args:
        root: the directory its files are in; "/" but for tests and for machines that are directories.
        proc: where its processes are shown.
        mark: an entry of the environment that all its processes have; empty where /proc shows no others.
    """

    def __init__(self, root: str, proc: str, mark: bytes) -> None:
        self.root, self.proc, self.mark = os.path.realpath(root), proc, mark
        # Its processes are marked among others, and yet its root is no directory: the computer lends it one.
        self.is_lent = bool(mark) and self.root == "/"
        self.ends = time.monotonic() + SECONDS
        self.processes: list[Any] = sorted(self._processes(), key=lambda one: (one["name"], one["pid"]))

    def path(self, name: str) -> str:
        """Return where a file of the machine is."""
        return os.path.join(self.root, name.lstrip("/"))

    def read(self, name: str, limit: int = FILE_BYTES) -> str:
        """Return the beginning of a regular file of the machine; empty when there is none."""
        path = os.path.realpath(self.path(name))
        if self.root != "/" and not path.startswith(self.root + "/"):
            return ""  # a link that leads out of the machine
        return read_regular(path, limit).decode("utf-8", "replace")

    def names(self, name: str) -> "list[str]":
        """Return the names in a directory, sorted; empty when there is none."""
        try:
            return sorted(os.listdir(self.path(name)))
        except PermissionError:
            raise Unreadable("no permission to list " + name)  # noqa: B904 - the cause says no more
        except OSError:
            return []

    def is_late(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() > self.ends

    def _processes(self) -> "list[Any]":
        found = []
        for name in os.listdir(self.proc) if os.path.isdir(self.proc) else ():
            at = os.path.join(self.proc, name)
            if not name.isdigit() or self.is_late():
                continue
            with contextlib.suppress(OSError, Unreadable, IndexError, ValueError):
                if self.mark and self.mark not in b"\0" + read_regular(at + "/environ") + b"\0":
                    continue
                command = read_regular(at + "/cmdline").decode("utf-8", "replace").split("\0")
                called = read_regular(at + "/comm").decode("utf-8", "replace").strip()
                if int(name) != os.getpid() and called:
                    found.append({"pid": int(name), "name": called, "command": command, "at": at})
        return found


def read_regular(path: str, limit: int = FILE_BYTES) -> bytes:
    """Return the beginning of a regular file: never of a pipe, a device or a socket."""
    try:
        handle = (
            os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
            if is_regular(path)
            else -1
        )
    except PermissionError:
        raise Unreadable("no permission to read " + path)  # noqa: B904
    except OSError:
        return b""
    if handle < 0:
        return b""
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return b""
        found = b""
        while len(found) < limit:
            some = os.read(handle, limit - len(found))
            if not some:
                break
            found += some
    except PermissionError:
        raise Unreadable("no permission to read " + path)  # noqa: B904
    except OSError:
        return b""
    else:
        return found
    finally:
        os.close(handle)


def is_regular(path: str) -> bool:
    """Whether a path leads to a regular file; opening anything else may block or act."""
    return stat.S_ISREG(os.stat(path).st_mode)


def refused(error: OSError) -> None:
    """Say that a directory may not be read; one that is not there, or no longer, is no matter."""
    if isinstance(error, PermissionError):
        raise Unreadable("no permission to list " + str(error.filename))


def settings(text: str, names: "tuple[str, ...]") -> "dict[str, str]":
    """Return those of the named settings that a configuration has: `name = value` or `name value`."""
    found = {}
    for line in text.splitlines():
        match = re.match(r"\s*([\w.-]+)\s*(?:[=:]|\s)\s*(.+?)\s*$", line)
        if match and match.group(1) in names:
            found[match.group(1)] = match.group(2).strip("\"'")
    return found


# Disks -----------------------------------------------------------------------------------------------


def devices(m: Machine) -> "list[Any]":
    """Return block devices: which volume each is, or of which others it is made and how."""
    found = []
    for name in m.names("/sys/block"):
        base = "/sys/block/" + name
        model = m.read(base + "/device/model").strip()
        serial = re.match(r"vol-?([0-9a-f]+)$", m.read(base + "/device/serial").strip())
        parts = m.names(base + "/slaves")
        level = m.read(base + "/md/level").strip() or ("linear" if parts else "")
        if any("_rimage_" in m.read("/sys/class/block/" + one + "/dm/name") for one in parts):
            level = "unknown"
        failed = [
            one[4:]
            for one in m.names(base + "/md")
            if one.startswith("dev-") and "faulty" in m.read(base + "/md/" + one + "/state")
        ]
        wanted = m.read(base + "/md/raid_disks").strip()
        if not (serial or parts or "Instance Storage" in model) and name.startswith(("loop", "ram", "zram")):
            continue
        found.append(
            {
                "name": name,
                "called": m.read(base + "/dm/name").strip(),
                "volume": "vol-" + serial.group(1) if serial else "",
                "instance_store": "Instance Storage" in model,
                "level": level,
                "parts": [disk_of(m, one) for one in parts],
                "failed": [disk_of(m, one) for one in failed],
                "disks": int(wanted) if wanted.isdigit() else len(parts),
                "degraded": m.read(base + "/md/degraded").strip() not in ("", "0"),
            }
        )
    return found


def disk_of(m: Machine, device: str) -> str:
    """Return the whole disk that a partition is on; the device itself when it is no partition."""
    name = device[5:] if device.startswith("/dev/") else device
    if name.startswith("mapper/"):
        named = [
            one
            for one in m.names("/sys/block")
            if m.read("/sys/block/" + one + "/dm/name").strip() == name[7:]
        ]
        return named[0] if named else ""
    if os.path.isdir(m.path("/sys/block/" + name)):
        return name
    held = [one for one in m.names("/sys/block") if os.path.isdir(m.path("/sys/block/" + one + "/" + name))]
    return held[0] if held else name


def mounts(m: Machine) -> "list[Any]":
    """Return what is mounted from disks and from other machines."""
    found = []
    for line in m.read("/proc/mounts").splitlines():
        parts = line.split()
        if len(parts) < 3 or parts[2] in PSEUDO or (m.is_lent and parts[0].startswith("/dev/")):
            continue
        if parts[2] in ("nfs", "nfs4", "cifs", "lustre", "ceph", "fuse.sshfs") or parts[0].startswith(
            "/dev/"
        ):
            is_remote = not parts[0].startswith("/dev/")
            server, _, export = parts[0].rpartition(":")
            found.append(
                {
                    "point": parts[1].replace("\\040", " "),
                    "type": parts[2],
                    "device": "" if is_remote else disk_of(m, parts[0]),
                    "server": (efs_behind_tunnel(m) if server == "127.0.0.1" else "") or server
                    if is_remote
                    else "",
                    "export": export if is_remote else "",
                }
            )
    return found


def lent(m: Machine) -> "tuple[str, ...]":
    """Return the directories that other machines lend: asking them may block, and they are not ours."""
    return tuple(str(one["point"]) for one in mounts(m) if one["server"] or one["export"])


def efs_behind_tunnel(m: Machine) -> str:
    """Return the file system that is mounted through Amazon's TLS tunnel, whose address says nothing."""
    ids = sorted(set(re.findall(r"fs-[0-9a-f]+", " ".join(m.names("/var/run/efs") + m.names("/run/efs")))))
    return ids[0] if len(ids) == 1 else ""


def fstab(m: Machine) -> "list[Any]":
    """Return what is mounted at boot, and what may keep the machine from booting."""
    found = []
    for line in m.read("/etc/fstab").splitlines():
        parts = line.split("#")[0].split()
        if len(parts) > 3 and parts[2] != "swap" and parts[2] not in PSEUDO:
            found.append(
                {
                    "point": parts[1],
                    "type": parts[2],
                    "nofail": bool(WAITS_NOT & set(parts[3].split(","))),
                    "by_kernel_name": bool(re.match(r"/dev/(sd|xvd|vd|nvme)", parts[0])),
                }
            )
    return found


def swap(m: Machine) -> "list[Any]":
    """Return where memory is swapped to."""
    rows = [line.split() for line in m.read("/proc/swaps").splitlines()[1:] if not m.is_lent]
    return [{"device": disk_of(m, row[0]) if row[0].startswith("/dev/") else row[0]} for row in rows if row]


# Hardware and surroundings --------------------------------------------------------------------------


def own_hardware(m: Machine) -> None:
    """Refuse to speak of hardware that is not this machine's to see."""
    vendor, product = (m.read("/sys/class/dmi/id/" + one).strip() for one in ("sys_vendor", "product_name"))
    if m.mark or (vendor == "Amazon EC2" and ".metal" not in product):
        raise NotApplicable("a virtual machine: the hardware is the cloud's")


def memory(m: Machine) -> "list[Any]":
    """Return the memory controllers and the errors they have counted."""
    own_hardware(m)
    base = "/sys/devices/system/edac/mc"
    counts = [(one, base + "/" + one) for one in m.names(base) if re.match(r"mc\d+$", one)]
    return [
        {
            "name": one,
            "corrected": number(m.read(at + "/ce_count")),
            "uncorrected": number(m.read(at + "/ue_count")),
        }
        for one, at in counts
    ]


def number(text: str) -> int:
    """Return a number that a file holds, 0 when it holds none."""
    return int(text.strip()) if text.strip().isdigit() else 0


def bonds(m: Machine) -> "list[Any]":
    """Return bonded interfaces and the state of their parts."""
    own_hardware(m)
    found = []
    for name in m.names("/proc/net/bonding"):
        text = m.read("/proc/net/bonding/" + name)
        slaves = re.findall(r"Slave Interface: (\S+)\nMII Status: (\S+)", text)
        found.append(
            {
                "name": name,
                "up": [one for one, up in slaves if up == "up"],
                "down": [one for one, up in slaves if up != "up"],
            }
        )
    return found


def routing(m: Machine) -> "list[Any]":
    """Return the routing daemons that run; their sessions need their own tools."""
    own_hardware(m)
    return [
        {"name": one}
        for one in sorted({str(p["name"]) for p in m.processes} & {"bgpd", "bird", "bird6", "gobgpd"})
    ]


def resolvers(m: Machine) -> "list[Any]":
    """Return who is asked for names."""
    text = m.read("/run/systemd/resolve/resolv.conf") or m.read("/etc/resolv.conf")
    return [{"address": one} for one in re.findall(r"(?m)^\s*nameserver\s+(\S+)", text)]


def clocks(m: Machine) -> "list[Any]":
    """Return what keeps the time, and from whom."""
    names = {
        "chronyd": "/etc/chrony",
        "ntpd": "/etc/ntp.conf",
        "systemd-timesyn": "/etc/systemd/timesyncd.conf",
    }
    found = []
    for name in sorted({str(one["name"]) for one in m.processes} & set(names)):
        files = (
            [names[name], "/etc/chrony.conf", "/etc/chrony/chrony.conf"]
            if name == "chronyd"
            else [names[name]]
        )
        text = "\n".join(m.read(one) for one in files)
        found.append({"name": name, "servers": re.findall(r"(?m)^\s*(?:server|pool|NTP=)\s*(\S+)", text)})
    return found


# Sockets ------------------------------------------------------------------------------------------


def address_of(text: str) -> "tuple[str, int]":
    """Return address and port as /proc/net/tcp and tcp6 write them; mapped IPv4 as IPv4."""
    raw, _, port = text.partition(":")
    words = [struct.pack("=I", int(raw[at : at + 8], 16)) for at in range(0, len(raw), 8)]
    packed = b"".join(words)
    if len(packed) == 16 and packed[:12] == b"\0" * 10 + b"\xff\xff":
        packed = packed[12:]
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed), int(port, 16)


def owners(m: Machine) -> "dict[str, str]":
    """Return the name of the process behind each socket, by inode, as far as this user may see."""
    found: dict[str, str] = {}
    for process in m.processes:
        with contextlib.suppress(OSError):
            for handle in os.listdir("{}/fd".format(process["at"])):
                with contextlib.suppress(OSError):
                    match = re.match(
                        r"socket:\[(\d+)\]$", os.readlink("{}/fd/{}".format(process["at"], handle))
                    )
                    if match:
                        found.setdefault(match.group(1), str(process["name"]))
    return found


def sockets(m: Machine, state: str) -> "list[tuple[str, str, str]]":
    """Return local end, remote end and process of the TCP sockets in a state."""
    known = owners(m)
    found = []
    for name in ("tcp", "tcp6"):
        text = read_regular(m.proc + "/net/" + name, 4 << 20).decode("ascii", "replace")
        for line in text.splitlines()[1:]:
            parts = line.split()
            # Machines that are directories share one network: only what their own processes hold is theirs.
            if len(parts) > 9 and parts[3] == state and not (m.mark and parts[9] not in known):
                found.append((parts[1], parts[2], known.get(parts[9], "")))
    return found
