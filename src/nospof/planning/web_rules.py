"""How the members' web servers go with a balancer: idle connections (C74), and who clients are (C68).

What a page's view has WordPress run is told as well: two members have more views at one moment (C54).
Pure: what a look inside found in, sentences out. A server only counts where clients come in: one behind
another of the same machine never meets the balancer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_network

from nospof.model.surroundings import Inside, WebSetting
from nospof.planning.concerns import some

IDLE_SECONDS = 60
"""How long an application load balancer keeps an idle connection (idle_timeout.timeout_seconds)."""
ENOUGH_SECONDS = 75
PROCESSES = {"apache": ("apache2", "httpd"), "nginx": ("nginx",)}
SECONDS = re.compile(r"\d{1,9}(\.\d{1,3})?")
LINES = {
    "apache": f"KeepAliveTimeout {ENOUGH_SECONDS}",
    "nginx": f"keepalive_timeout {ENOUGH_SECONDS}s;",
}


def warnings_of(inside: Inside, port: int, cidrs: tuple[str, ...]) -> tuple[str, ...]:
    """Return what the web servers' settings mean behind a balancer, with the lines that mend it.

    Args:
        inside: of the source; its twin is set the same way.
        port: the members serve on.
        cidrs: of the balancer's subnets: its addresses change, their networks do not.
    """
    says = {
        "KeepAliveTimeout": hangs_up,
        "keepalive_timeout": hangs_up,
        "RemoteIPHeader": hides_clients,
        "real_ip_header": hides_clients,
        "ignoreip": bans_the_balancer,
        "reverse_proxy": hides_clients,
        "DISABLE_WP_CRON": runs_by_views,
    }
    told = [
        says[one.setting](one, cidrs)
        for one in inside.web
        if one.setting in says and meets(one, inside, port)
    ]
    unread = (f"not checked: {inside.web_unread}",) if inside.web_unread else ()
    return (*filter(None, told), *unread)


def meets(setting: WebSetting, inside: Inside, port: int) -> bool:
    """Whether a server is the one that a balancer will speak to, as far as is known who listens there."""
    there = {one.process for one in inside.listening if one.port == port and one.process}
    return setting.server not in PROCESSES or not there or bool(there & set(PROCESSES[setting.server]))


def hangs_up(one: WebSetting, _: tuple[str, ...]) -> str:
    """Say that a server closes idle connections before its balancer does, which then meets a closed one."""
    # What a machine says of itself may be anything.
    if not SECONDS.fullmatch(one.value) or float(one.value) > IDLE_SECONDS or one.server not in LINES:
        return ""
    return (
        f"{one.server} hangs up on idle connections after {one.value} s and the balancer keeps them for "
        f"{IDLE_SECONDS} s: now and then a client gets a 502 although both members are well. Put "
        f"{LINES[one.server]!r} into {one.path}"
    )


def hides_clients(one: WebSetting, cidrs: tuple[str, ...]) -> str:
    """Say that all clients will have the balancer's address."""
    if one.value or one.server not in ("apache", "nginx", "drupal"):
        return ""
    networks = cidrs or ("THE_BALANCERS_SUBNETS",)
    believed = " ".join(f"set_real_ip_from {network};" for network in networks)
    mended = {
        "apache": "a2enmod remoteip; RemoteIPHeader X-Forwarded-For; RemoteIPInternalProxy "
        + " ".join(networks),
        "nginx": f"real_ip_header X-Forwarded-For; {believed}",
        "drupal": "$settings['reverse_proxy'] = TRUE; $settings['reverse_proxy_addresses'] = "
        f"[{', '.join(repr(one) for one in networks)}]",
    }[one.server]
    return (
        f"{one.server} will take the balancer's address for that of every client (logs, limits, bans, logins "
        f"counted together): in {one.path}, {mended}"
    )


def bans_the_balancer(one: WebSetting, cidrs: tuple[str, ...]) -> str:
    """Say that fail2ban may ban the balancer, and with it everybody."""
    open_to_bans = [cidr for cidr in cidrs if not is_within(cidr, one.value.split())]
    if cidrs and not open_to_bans:
        return ""
    networks = some(open_to_bans) or "the balancer's subnets"
    return (
        f"fail2ban may ban the balancer for what one client does, and the member turns unhealthy: in "
        f"{one.path}, add {networks} to ignoreip"
    )


def runs_by_views(one: WebSetting, _: tuple[str, ...]) -> str:
    """Say that WordPress has visitors run what is due, some of it twice, and how it runs once.

    Its lock is read first and taken then (`spawn_cron`), so two views at one moment both have it. Two members
    take more views at one moment, and nothing else changes: the lock is in the database that both have.
    """
    if one.value:
        return ""
    return (
        "WordPress runs what is due (posts, mails, backups) when somebody views a page, and now and then "
        "twice: its lock does not hold against two views at one moment, on two members no more than on one. "
        f"What must run once: define('DISABLE_WP_CRON', true); in {one.path}, and a crontab that has "
        "wp-cron.php run, on one member at a time"
    )


def is_within(cidr: str, networks: Iterable[str]) -> bool:
    """Whether a network lies in one of others; what is no network counts for nothing."""
    inner = ip_network(cidr)
    for one in networks:
        try:
            outer = ip_network(one, strict=False)
        except ValueError:
            continue
        if outer.version == inner.version and inner.subnet_of(outer):  # type: ignore[arg-type]
            return True
    return False
