"""What a twin runs at its first boot, so that nobody takes it for its source (C48-C50).

A copy of a disk has the source's machine id, host name and SSH host keys: logs of the two merge, agents and
licences see one machine, whoever trusts one trusts both.
"""

from __future__ import annotations

import re

from nospof.model.cloud import Instance

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
