"""A part of the script that looks inside a machine: how its web servers are set, behind a balancer or not."""

import contextlib
import os
import re
import ssl
from typing import Any

from nospof.adapters.machine.probe_machine import Machine, Unreadable, read_regular, refused, settings

# The sender cuts here: what stands above is in the parts before, but for the imports.

CERTIFICATES = ("/etc/letsencrypt/live", "/etc/nginx", "/etc/apache2", "/etc/httpd", "/etc/haproxy")
CERTIFICATE_ROWS = 200
# A server's processes, and where its configuration is: files, and directories of files.
APACHE = ("apache2", "httpd")
APACHE_FILES = ("/etc/apache2/apache2.conf", "/etc/httpd/conf/httpd.conf")
APACHE_PARTS = (
    "/etc/apache2/mods-enabled",
    "/etc/apache2/conf-enabled",
    "/etc/apache2/sites-enabled",
    "/etc/httpd/conf.d",
)
NGINX_FILES = ("/etc/nginx/nginx.conf",)
NGINX_PARTS = ("/etc/nginx/conf.d", "/etc/nginx/sites-enabled")
FAIL2BAN_FILES = ("/etc/fail2ban/jail.conf", "/etc/fail2ban/jail.local")
SITE_ROOTS = ("/var/www", "/var/www/html", "/srv", "/opt")
DRUPAL_SETTINGS = ("sites/default/settings.php", "web/sites/default/settings.php")
WORDPRESS_DEBIAN = "/etc/wordpress"
NO_VIEW_CRON = re.compile(r"(?im)^\s*define\(\s*['\"]DISABLE_WP_CRON['\"]\s*,\s*(true|1)\s*\)")
SERVED = re.compile(
    r"(?im)(?:^|[{;])\s*(?:DocumentRoot|Alias\s+\S+|root|alias)\s+[\"']?(/[^\"'\s;$%*]+)[\"']?\s*(?:;|$)"
)
PACKAGED = "/usr/"
TRUSTS = re.compile(r"(?m)^\s*\$settings\['reverse_proxy'\]\s*=\s*TRUE", re.IGNORECASE)
UNITS = {"": 1.0, "s": 1.0, "ms": 0.001, "m": 60.0, "h": 3600.0}


def web(m: Machine) -> "list[Any]":
    """Return how long servers keep idle connections, and whether what runs believes a balancer about clients.

    Of configurations only these settings are taken: a number of seconds, the networks fail2ban ignores, and
    whether the others are there.
    """
    names = {str(one["name"]) for one in m.processes}
    found: list[Any] = []
    if names & set(APACHE):
        found += apache(m)
    if "nginx" in names:
        found += nginx(m)
    if "fail2ban-server" in names:
        found.append(fail2ban(m))
    return found + drupal(m) + wordpress(m)


def row(server: str, setting: str, value: str, path: str) -> "dict[str, str]":
    """Return one setting of a server."""
    return {"server": server, "setting": setting, "value": value, "path": path}


def apache(m: Machine) -> "list[Any]":
    """Return Apache's: the last of a setting counts, and without one Apache's own default."""
    own = [one for one in APACHE_FILES if m.read(one)]
    seconds, path, keeps, remote = 5.0, "".join(own[:1]), True, ""
    for one in (*own, *parts_of(m, APACHE_PARTS)):
        text = m.read(one)
        for match in re.finditer(r"(?im)^\s*(KeepAliveTimeout|KeepAlive|RemoteIPHeader)\s+(\S+)", text):
            name, value = match.group(1).lower(), match.group(2)
            if name == "keepalive":
                keeps = value.lower() != "off"
            elif name == "remoteipheader":
                remote = one
            else:
                seconds, path = seconds_of(value, seconds), one
    kept = [row("apache", "KeepAliveTimeout", f"{seconds:g}", path)] if keeps else []
    return [*kept, row("apache", "RemoteIPHeader", "set" if remote else "", remote or path)]


def nginx(m: Machine) -> "list[Any]":
    """Return nginx's: the shortest of its time-outs counts, and without one nginx's own default."""
    own = [one for one in NGINX_FILES if m.read(one)]
    shortest, real_ip = None, ""
    for one in (*own, *parts_of(m, NGINX_PARTS)):
        text = m.read(one)
        for match in re.finditer(r"(?m)^\s*keepalive_timeout\s+([^\s;]+)", text):
            seconds = seconds_of(match.group(1), 75.0)
            if seconds and (shortest is None or seconds < shortest[0]):
                shortest = (seconds, one)
        if re.search(r"(?m)^\s*real_ip_header\s", text):
            real_ip = one
    seconds, path = shortest or (75.0, "".join(own[:1]))
    return [
        row("nginx", "keepalive_timeout", f"{seconds:g}", path),
        row("nginx", "real_ip_header", "set" if real_ip else "", real_ip or path),
    ]


def fail2ban(m: Machine) -> "dict[str, str]":
    """Return the networks fail2ban never bans."""
    ignored, path = "", FAIL2BAN_FILES[1]
    for one in (*FAIL2BAN_FILES, *parts_of(m, ("/etc/fail2ban/jail.d",))):
        said = settings(m.read(one), ("ignoreip",)).get("ignoreip")
        if said:
            ignored, path = said, one
    return row("fail2ban", "ignoreip", " ".join(re.split(r"[\s,]+", ignored)), path)


def drupal(m: Machine) -> "list[Any]":
    """Return whether each Drupal believes a proxy about its clients."""
    found = []
    for root in SITE_ROOTS:
        for name in ("", *m.names(root)):
            for path in (os.path.join(root, name, one) for one in DRUPAL_SETTINGS):
                text = m.read(path)
                if "$settings[" in text:
                    found.append(row("drupal", "reverse_proxy", "set" if TRUSTS.search(text) else "", path))
    return [one for at, one in enumerate(found) if one not in found[:at]]


def wordpress(m: Machine) -> "list[Any]":
    """Return whether each WordPress leaves what is due to a job, and not to whoever views a page."""
    names = [WORDPRESS_DEBIAN + "/" + one for one in m.names(WORDPRESS_DEBIAN) if one.startswith("config-")]
    names += [
        os.path.join(root, name, "wp-config.php") for root in SITE_ROOTS for name in ("", *m.names(root))
    ]
    found = {os.path.realpath(m.path(one)): one for one in reversed(names) if "define(" in m.read(one)}
    return [
        row("wordpress", "DISABLE_WP_CRON", "set" if NO_VIEW_CRON.search(m.read(one)) else "", one)
        for one in sorted(found.values())
    ]


def served(m: Machine) -> "list[str]":
    """Return the directories that web servers are told to serve, without what packages brought."""
    found = set()
    for one in (*APACHE_FILES, *parts_of(m, APACHE_PARTS), *NGINX_FILES, *parts_of(m, NGINX_PARTS)):
        found |= {at.rstrip("/") for at in SERVED.findall(m.read(one))}
    return sorted(one for one in found if one and not (one + "/").startswith(PACKAGED))


def parts_of(m: Machine, directories: "tuple[str, ...]") -> "list[str]":
    """Return the files of configuration directories, in the order a server reads them."""
    return [at + "/" + one for at in directories for one in m.names(at)]


def seconds_of(text: str, otherwise: float) -> float:
    """Return a time as servers write it: 5, 75s, 500ms, 1m."""
    match = re.match(r"(\d+)(ms|s|m|h)?$", text)
    return int(match.group(1)) * UNITS[match.group(2) or ""] if match else otherwise


def certificates(m: Machine) -> "list[Any]":
    """Return the certificates of this machine's servers and when they end."""
    found: list[Any] = []
    for root in CERTIFICATES:
        for at, directories, files in os.walk(m.path(root), onerror=refused):
            directories.sort()
            for name in sorted(files):
                path = os.path.join(at, name)
                is_full = len(found) >= CERTIFICATE_ROWS
                if not name.endswith((".crt", ".pem", ".cer")) or is_full or m.is_late():
                    continue
                with contextlib.suppress(OSError, ValueError, Unreadable, AttributeError):
                    if b"-----BEGIN CERTIFICATE-----" not in read_regular(path):
                        continue
                    ends = ssl._ssl._test_decode_cert(path)["notAfter"]  # type: ignore[attr-defined]
                    ends_at = int(ssl.cert_time_to_seconds(ends))
                    found.append({"path": "/" + os.path.relpath(path, m.root), "ends_at": ends_at})
    return found
