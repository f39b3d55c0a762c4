"""The part of the files program that knows Syncthing: its key, its configuration, its unit, what it says.

Members know each other by key and address: nothing is announced, looked up or relayed, and nobody logs in to
it. All of its own is in a directory named by the machine's address, so that a copy of the machine has no key
that is another's. It runs by any Python from 3.6 on.
"""

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import sys
import urllib.error
import urllib.parse
import urllib.request
from typing import Any
from xml.sax.saxutils import escape

from nospof.adapters.machine.data_machine import Host, found_program
from nospof.adapters.machine.hold_databases import Refused

# The sender cuts here: what stands above is in the parts before, but for the imports.

SHARING = "etc/nospof/files.json"
FILES_PROGRAM = "usr/local/lib/nospof/files.py"
FILES_UNIT = "nospof-files.service"
HOME = "var/lib/nospof/files"
PORT, STATUS_PORT = 22000, 22001
MARKER = ".stfolder"
"""In each directory: where it is missing, as below a disk that is not mounted, nothing counts as deleted."""
WATCH_SECONDS = 1
"""The shortest time in which Syncthing gathers changes before it looks at them."""
ANSWER_SECONDS = 10.0

UNIT = """\
[Unit]
Description=Files that others have as well (nospof)
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
ExecStartPre={guard}
ExecStart={tool} serve --home={home} --no-browser --no-restart --no-upgrade --no-default-folder --logflags=0
Environment=STMONITORED=yes STHASHING=minio HOME={home}
Restart=always
RestartSec=2
KillSignal=SIGTERM
TimeoutStopSec=30

[Install]
WantedBy=multi-user.target
"""

OPTIONS = {
    "globalAnnounceEnabled": "false",
    "localAnnounceEnabled": "false",
    "relaysEnabled": "false",
    "natEnabled": "false",
    "startBrowser": "false",
    "urAccepted": "-1",
    "crashReportingEnabled": "false",
    "autoUpgradeIntervalH": "0",
    "reconnectionIntervalS": "2",
    "setLowPriority": "false",
}
FOLDER = {
    "filesystemType": "basic",
    "maxConflicts": "-1",  # of two versions written at once both stay, however many
    "copyOwnershipFromParent": "true",
    "caseSensitiveFS": "true",
}


class Syncthing:
    """Syncthing on a machine, as a sharing says.

    Args:
        m: the machine.
    """

    def __init__(self, m: Host) -> None:
        self.m = m

    # What is its own ----------------------------------------------------------------------------------

    def home(self, own: str) -> str:
        """Return where all of its own is, for a machine of this address."""
        return HOME + "/" + own.replace(":", "-")

    def tool(self) -> str:
        """Return where the program is. Raises Refused."""
        found = found_program("syncthing")
        if not found:
            raise Refused("syncthing is not on the machine: " + how_to_install())
        return found

    def version(self) -> str:
        """Return its version as it tells it, empty where it is not there."""
        found = found_program("syncthing")
        code, said = self.m.run([found, "--version"], env=self._environment("")) if found else (1, "")
        words = said.split()
        return words[1].lstrip("v") if code == 0 and len(words) > 1 else ""

    def key(self, own: str) -> str:
        """Return the name that others know this machine by; its key is made when it has none."""
        home = self.m.path(self.home(own))
        if not os.path.exists(home + "/key.pem"):
            os.makedirs(home, mode=0o700, exist_ok=True)
            arguments = ["generate", "--home", home, "--no-default-folder", "--skip-port-probing"]
            code, said = self.m.run([self.tool(), *arguments], env=self._environment(home))
            if code:
                raise Refused("syncthing makes no key: " + said)
        code, said = self.m.run([self.tool(), "--home", home, "--device-id"], env=self._environment(home))
        if code or not said:
            raise Refused("syncthing does not tell its key: " + said)
        return said.split()[-1]

    def _environment(self, home: str) -> "dict[str, str]":
        return {**os.environ, "HOME": home or self.m.root, "STNODEFAULTFOLDER": "1"}

    def _secret(self, own: str) -> str:
        name = self.home(own) + "/status-key"
        path = self.m.path(name)
        if not os.path.exists(path):
            self.m.write(name, secrets.token_hex(24) + "\n", 0o600)
        with open(path, encoding="ascii") as file:
            return file.read().strip()

    # Configuration ------------------------------------------------------------------------------------

    def configure(self, sharing: "dict[str, Any]", own: "dict[str, Any]") -> bool:
        """Write its configuration for the machine of this seat; return whether it changed."""
        home = self.home(own["address"])
        text = configuration(sharing, own, self.m, self._status_address(own), self._secret(own["address"]))
        # Syncthing writes its own of it again, with all that it has no wish about.
        self.m.write(home + "/config.xml", text, 0o600)
        return self.m.write(home + "/wanted.xml", text, 0o600)

    def unit(self, own: "dict[str, Any]") -> bool:
        """Have its unit; return whether it changed."""
        guard = f"{sys.executable or '/usr/bin/python3'} -I -S {self.m.place(FILES_PROGRAM)} boot"
        home = self.m.path(self.home(own["address"]))
        return self.m.unit(FILES_UNIT, UNIT.format(guard=guard, tool=self.tool(), home=home))

    def forget(self) -> None:
        """Take away all that was made for it, its keys too."""
        self.m.forget_unit(FILES_UNIT)
        shutil.rmtree(self.m.path(HOME), ignore_errors=True)

    # What it says -------------------------------------------------------------------------------------

    def ask(self, own: "dict[str, Any]", path: str, method: str = "GET", body: Any = None) -> Any:
        """Return what it answers over its own address of this machine. Raises Refused."""
        request = urllib.request.Request(
            f"http://{self._status_address(own)}{path}",
            method=method,
            headers={"X-API-Key": self._secret(own["address"]), "Content-Type": "application/json"},
            data=None if body is None else json.dumps(body).encode(),
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=ANSWER_SECONDS) as answer:
                text = answer.read()
        except (OSError, urllib.error.URLError, ValueError) as error:
            raise Refused(f"syncthing does not answer: {error}")  # noqa: B904 - the cause says no more
        with contextlib.suppress(ValueError):
            return json.loads(text) if text else {}
        raise Refused("syncthing's answer is none")

    def _status_address(self, own: "dict[str, Any]") -> str:
        # Machines that are directories share one loopback: there each has a part of it as its own address.
        return "{}:{}".format(own["address"] if self.m.mark else "127.0.0.1", STATUS_PORT)


def configuration(
    sharing: "dict[str, Any]", own: "dict[str, Any]", m: Host, status_address: str, secret: str
) -> str:
    """Return the text of Syncthing's configuration."""
    devices = "".join(
        '<device id="{}" name="{}" compression="never"><address>tcp://{}</address></device>\n'.format(
            escape(one["device"]), escape(one["id"]), at(one["address"], PORT)
        )
        for one in sharing["members"]
    )
    mine = own["device"] in sharing.get("joining", [])
    shared = "".join('<device id="{}"/>'.format(escape(one["device"])) for one in sharing["members"])
    folders = "".join(
        '<folder id="{}" path="{}" type="{}" rescanIntervalS="600" fsWatcherEnabled="true" '
        'fsWatcherDelayS="{}" ignorePerms="false" autoNormalize="false">{}{}'
        '<minDiskFree unit="%">1</minDiskFree></folder>\n'.format(
            folder_of(one),
            escape(m.path(one), {'"': "&quot;"}),
            "receiveonly" if mine else "sendreceive",
            WATCH_SECONDS,
            shared,
            elements(FOLDER),
        )
        for one in sharing["directories"]
    )
    listening = "<listenAddress>tcp://{}</listenAddress>".format(at(own["address"], PORT))
    # What is no digest of a password is nobody's password: only who has the key is answered.
    status = (
        f'<gui enabled="true" tls="false"><address>{status_address}</address><apikey>{secret}</apikey>'
        "<user>nobody</user><password>!</password></gui>\n"
    )
    options = f"<options>{listening}{elements(OPTIONS)}</options>\n"
    return f'<configuration version="36">\n{folders}{devices}{status}{options}</configuration>\n'


def elements(values: "dict[str, str]") -> str:
    """Return settings as elements of XML."""
    return "".join(f"<{name}>{value}</{name}>" for name, value in values.items())


def at(address: str, port: int) -> str:
    """Return an address with a port."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def folder_of(directory: str) -> str:
    """Return the name that all members know a directory by."""
    return "nospof-" + hashlib.sha256(directory.encode()).hexdigest()[:12]


def query(path: str, **asked: str) -> str:
    """Return a path with what is asked of it."""
    return path + "?" + urllib.parse.urlencode(asked)


def how_to_install() -> str:
    """Return how the program comes to the machine."""
    if found_program("apt-get"):
        return "sudo apt-get install -y --no-install-recommends syncthing"
    return "install syncthing 1.19 or later from https://syncthing.net/downloads"
