"""What a twin runs at its first boot, so that nobody takes it for its source (C48-C50).

A copy of a disk has the source's machine id, host name and SSH host keys: logs of the two merge, agents and
licences see one machine, whoever trusts one trusts both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from nospof.model.cloud import Instance
from nospof.model.surroundings import Mark

NAME_LENGTH = 63
"""Of one label of a host name (RFC 1123)."""

# Where it runs, the disk begins: "/" on a machine of its own. Every path is relative, so that anywhere else
# it finds nothing and changes nothing. A machine id is never left empty: what reads it meanwhile would fail.
SCRIPT = """\
#!/bin/sh
# By nospof: this machine is a copy of {source}. It gets its own machine id, SSH host keys and name. Nothing
# else is changed, and nothing the second time.
mark=var/lib/nospof-twin
[ -d etc ] && [ -d var/lib ] || exit 0
[ "$(cat "$mark" 2>/dev/null)" = "{run}" ] && exit 0

id=$(tr -d - 2>/dev/null </proc/sys/kernel/random/uuid)
if [ -f etc/machine-id ] && [ "${{#id}}" -eq 32 ]; then
    echo "$id" >etc/machine-id
    if [ -f var/lib/dbus/machine-id ]; then
        echo "$id" >var/lib/dbus/machine-id
    fi
fi

# cloud-init, where there is one, has made new keys already.
if [ ! -e usr/bin/cloud-init ] && ls etc/ssh/ssh_host_*_key >/dev/null 2>&1; then
    new=etc/ssh/nospof-new
    rm -rf "$new" && mkdir -p "$new/etc/ssh" &&
        ssh-keygen -q -A -f "$new" && ls "$new"/etc/ssh/ssh_host_*_key >/dev/null &&
        rm -f etc/ssh/ssh_host_*_key etc/ssh/ssh_host_*_key.pub && mv "$new"/etc/ssh/ssh_host_* etc/ssh/ &&
        [ -s run/sshd.pid ] && kill -HUP "$(cat run/sshd.pid)"
    rm -rf "$new"
fi

old=$(head -n 1 etc/hostname 2>/dev/null)
case "${{old%%.*}}" in
"" | {name}) old="" ;;
{frozen}) ;;
ip-*-*-*-* | i-*) old="" ;; # EC2's own name for this very machine
esac
if [ -n "$old" ]; then
    echo "{name}" >etc/hostname
    # Programs that look themselves up must find the new name as they found the old one.
    grep -qwF -e "$old" etc/hosts 2>/dev/null && echo "127.0.1.1 {name}" >>etc/hosts
    [ "$(pwd)" = / ] && hostname "{name}"
fi
echo "{run}" >"$mark"
exit 0
"""


def identity_script(source: Instance, run_id: str) -> str:
    """Return the first-boot script of a source's twin.

    It is made of the run's id and of names that are cleaned, so nothing in it is anybody else's text.
    """
    return SCRIPT.format(
        source=source.id,
        run=run_id,
        name=host_name(source),
        frozen=f"ip-{source.private_ip.replace('.', '-')} | {source.id}",
    )


def host_name(source: Instance) -> str:
    """Return the twin's host name: its source's name, as far as a host may be called that."""
    legal = re.sub(r"[^a-z0-9]+", "-", source.name.lower()).strip("-") or source.id
    return f"{legal[: NAME_LENGTH - len('-twin')].rstrip('-')}-twin"


def shared_marks(source: Sequence[Mark], twin: Sequence[Mark]) -> tuple[Mark, ...]:
    """Return what a twin is known by that is its source's: all but what only its software can change."""
    return tuple(mark for mark in twin if mark in source and mark.kind != "node id")


def compare_identities(
    source_id: str, before: Sequence[Mark], after: Sequence[Mark], twin_id: str, twin: Sequence[Mark]
) -> tuple[str, ...]:
    """Return what should be known of two machines' identities after a clone, a sentence each (C48, C49).

    A source whose host keys changed was taken for a new machine at its start, and may have got more than
    keys: a default user, a host name.
    """
    says = []
    kept = {mark.name: mark.hash for mark in after if mark.kind == "host key"}
    keys = [mark for mark in before if mark.kind == "host key"]
    changed = [mark.name for mark in keys if kept.get(mark.name, mark.hash) != mark.hash]
    if changed:
        says.append(
            f"WARNING: the SSH host keys of {source_id} changed when it was started ({', '.join(changed)}): "
            "it was taken for a new machine. Clients will be warned; look for accounts and settings that "
            "cloud-init made anew"
        )
    if shared := shared_marks(after, twin):
        names = ", ".join(f"{mark.kind} {mark.name}" for mark in shared)
        says.append(
            f"{twin_id} has what {source_id} is known by: {names}. Whoever trusts one trusts both; give it "
            "its own: rm the keys and ssh-keygen -A, systemd-machine-id-setup, hostnamectl"
        )
    says += [
        f"{twin_id} shows the host key {mark.hash} ({mark.name.rpartition('/')[2]})"
        for mark in twin
        if mark.kind == "host key" and mark not in after
    ]
    return tuple(says)
