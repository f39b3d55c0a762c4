"""What stands around an instance and inside it, as far as it decides whether it may be turned off."""

from __future__ import annotations

from dataclasses import dataclass, field

from nospof.model.external import Used
from nospof.model.traits import Traits


@dataclass(frozen=True)
class Key:
    """A KMS key that volumes need to be attached again.

    `state` is AWS's word; `manager` is "AWS" or "CUSTOMER".
    """

    arn: str
    state: str
    manager: str
    volume_ids: tuple[str, ...]


@dataclass(frozen=True)
class NamedAddress:
    """A record of the account's Route 53 that holds an address.

    `ttl_seconds` is how long clients remember it; `has_policy`: it is one of several for its name.
    """

    name: str
    zone_id: str
    ttl_seconds: int
    has_policy: bool = False


@dataclass(frozen=True)
class Surroundings:
    """What the cloud tells around an instance. What could not be read is named in `unread`, with why.

    Args:
        elastic_addresses: public addresses that stay with it while it is off.
        records: the account's Route 53 records that hold its public address.
        product_codes: of AWS Marketplace, which its copies keep.
        spot_request: "one-time" or "persistent" and the request's id; empty for no Spot instance.
        tenancy: "default", "dedicated" or "host".
        host_id: the dedicated host, if any.
        more_interfaces: network interfaces beyond the first.
        keys: that its volumes are encrypted with.
        has_user_data: whether it was launched with a script or the like.
        vcpus: of its type.
        vcpus_used: by the account's running instances of the same quota.
        vcpu_quota: what the account may run of it; None where there is no such quota.
        quota_code: of that quota.
        traits: its settings, those of its volumes among them.
        unread: a sentence for each part that could not be read.
    """

    elastic_addresses: tuple[str, ...] = ()
    records: tuple[NamedAddress, ...] = ()
    product_codes: tuple[str, ...] = ()
    spot_request: str = ""
    tenancy: str = "default"
    host_id: str = ""
    more_interfaces: tuple[str, ...] = ()
    keys: tuple[Key, ...] = ()
    has_user_data: bool = False
    vcpus: int = 0
    vcpus_used: int = 0
    vcpu_quota: float | None = None
    quota_code: str = ""
    traits: Traits = field(default_factory=Traits)
    unread: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mark:
    """Something a machine is known by, which no other should have.

    Args:
        kind: "machine id", "host key", "host name" or "node id" (software's own name for its machine).
        name: the file it is in; for a host name the name itself.
        hash: tells two apart; of a public host key its fingerprint, as OpenSSH shows it.
    """

    kind: str
    name: str
    hash: str


@dataclass(frozen=True)
class WebSetting:
    """A setting of a web server, or of what stands around one.

    `value` is as the server means it, in seconds where it is a time, "set" where only that matters; empty
    where it is not set. `path` is the file it is in, or belongs in.
    """

    server: str
    setting: str
    value: str
    path: str


@dataclass(frozen=True)
class Listening:
    """A port that is listened on; `process` is empty where that may not be seen."""

    port: int
    process: str


@dataclass(frozen=True)
class Inside:
    """What a look inside the machine found; `unread` says why it, or a part of it, could not be had.

    Args:
        boot_traps: what keeps it from booting again, a sentence each.
        jobs: cron entries, timers and workers that a copy would run as well.
        keeps: what it keeps that changes: engines, sessions, files, a sentence each.
        marks: what it is known by.
        web: how its web servers are set, as far as that matters behind a balancer.
        web_unread: why that could not be had, empty where it could.
        listening: who listens where.
        no_hold: why nobody can have it write nothing for a moment; empty where that can be tried.
        uses: what it mounts from others, and is connected to.
        uses_unread: why its connections could not be had, empty where they could.
    """

    boot_traps: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    web: tuple[WebSetting, ...] = ()
    web_unread: str = ""
    listening: tuple[Listening, ...] = ()
    no_hold: str = ""
    uses: tuple[Used, ...] = ()
    uses_unread: str = ""


@dataclass(frozen=True)
class Whereabouts:
    """Where nospof itself lives: the instance it runs on, if on one, and its journal's addresses."""

    instance_id: str = ""
    journal_addresses: tuple[str, ...] = ()
