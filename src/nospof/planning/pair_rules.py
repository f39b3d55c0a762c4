"""What a pair is decided on, and the reasons why one must not be made.

Pure: each rule takes facts and raises `PreconditionFailed` or `UsageError` with what to do next.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from nospof.errors import PreconditionFailed, UsageError
from nospof.model.answers import Answer
from nospof.model.certificates import Certificate
from nospof.model.cloud import (
    TAG_SERVICE,
    TAG_STATE,
    HealthCheck,
    IngressRule,
    Instance,
    LoadBalancer,
    Subnet,
    TargetGroup,
    TargetGroupRequest,
)
from nospof.model.external import Stores
from nospof.model.layout import DataFacts
from nospof.model.mounting import MountsFacts
from nospof.model.requests import PairRequest
from nospof.model.sharing import FilesFacts
from nospof.model.standing import Standing
from nospof.model.surroundings import Inside, Surroundings
from nospof.model.trails import Trail
from nospof.planning.concerns import some

TAG_LENGTH = 256
PORTS = range(1, 65536)
A_PART = re.compile(r"\d{1,8}|[0-9a-f]{1,2}")
"""A name that applications give to a part of a directory: of a year, a month, a day, or a hash."""


@dataclass(frozen=True)
class PairFacts:
    """Everything the decision rests on, read before it.

    `clients` is who may reach the source's port today. `twin_zone` is where the twin is or will be,
    empty where it cannot be made. `closed` are the members' security groups that must be opened to the
    balancer. `answer` is the source's, asked as a balancer asks. `behind` is where the source stands
    behind balancers of others. `on_443` is what it serves over TLS there,
    None where that was not asked. `trails` are where clients of HTTPS would be sent, asked at the source as
    the balancer will ask. `secure_clients` may reach its port 443. `data` is there where the source keeps a
    database that two could keep, `files` where directories of it are to be shared, `mounts` where they are to
    be on file systems of EFS. `stores` is who
    keeps what the source uses elsewhere.
    """

    source: Instance
    twin: Instance | None
    twin_zone: str
    subnets: tuple[Subnet, ...]
    closed: tuple[str, ...]
    clients: tuple[IngressRule, ...]
    balancer: LoadBalancer | None
    target_group: TargetGroup | None
    answer: Answer
    around: Surroundings = field(default_factory=Surroundings)
    inside: Inside = field(default_factory=Inside)
    behind: tuple[Standing, ...] = ()
    auto_scaling_group: str = ""
    now: float = 0.0
    names: tuple[str, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    on_443: Answer | None = None
    trails: tuple[Trail, ...] = ()
    secure_clients: tuple[IngressRule, ...] = ()
    data: DataFacts | None = None
    files: FilesFacts | None = None
    mounts: MountsFacts | None = None
    stores: Stores = field(default_factory=Stores)


def refuse_what_makes_no_sense(request: PairRequest) -> None:
    """Refuse a request that cannot be understood, whatever the world looks like."""
    if not request.health_path.startswith("/"):
        raise UsageError(f"--health-path {request.health_path!r} must begin with /")
    if request.page and not request.page.startswith("/"):
        raise UsageError(f"--page {request.page!r} must begin with /")
    ports = {
        "--port": request.port,
        "--listener-port": request.listener_port,
        "--https-port": request.https_port,
    }
    for option, port in ports.items():
        if port not in PORTS:
            raise UsageError(f"{option} {port} is no port; use one from {PORTS[0]} to {PORTS[-1]}")
    if request.balancer and request.new_balancer:
        raise UsageError("--balancer and --new-balancer exclude each other")
    if request.certificate and request.http_only:
        raise UsageError("--certificate and --http-only contradict each other; leave one out")
    if request.certificate and request.https_port == request.listener_port:
        raise UsageError(
            f"the balancer cannot speak HTTP and HTTPS on one port, {request.https_port}; choose another "
            "with --https-port or --listener-port"
        )


def refuse_unspeakable_name(service: str) -> None:
    """Refuse a name Elastic Load Balancing does not take as a tag (API reference, Tag)."""
    strange = sorted({c for c in service if not (c.isalpha() or c.isnumeric() or c in " _.:/=+-@")})
    if strange or service != service.strip() or len(service) > TAG_LENGTH:
        raise PreconditionFailed(
            f"the service name {service!r} cannot be a tag of a load balancer"
            f"{': it contains ' + ' '.join(map(repr, strange)) if strange else ''}. Choose one of at most "
            f"{TAG_LENGTH} letters, digits, spaces and _ . : / = + - @ with --service. Nothing was changed."
        )


def left_beside(facts: PairFacts) -> tuple[str, ...]:
    """Return what the source keeps that is not kept by two."""
    keeps = facts.inside.keeps
    if facts.data is not None:
        engine, directory = facts.data.examined.engine, facts.data.examined.directory.rstrip("/")
        keeps = tuple(
            one
            for one in keeps
            if one != f"engines {engine}" and not (directory and one.startswith(f"files {directory}/"))
        )
    # A file that is held open is no upload that is there or not: its halves would meet.
    # On one file system there are no halves, and who writes is waited for before it moves there.
    in_step = (
        *syncs(tuple(one for one in keeps if not one.startswith("files ")), shared_of(facts)),
        *syncs(keeps, mounted_of(facts)),
    )
    sticks = not facts.behind
    return tuple(one for one in keeps if one not in in_step and not (sticks and one.startswith("sessions ")))


def keeps_something(facts: PairFacts, *, stateless: bool = True) -> bool:
    """Whether members keep what changes, in step or each its own: nobody may take them for stateless.

    `stateless` is the owner's word that what a member keeps by itself does not change.
    """
    sessions = not stateless and any(one.startswith("sessions ") for one in facts.inside.keeps)
    kept = (facts.data, facts.files, facts.mounts)
    return any(one is not None for one in kept) or sessions


def shared_of(facts: PairFacts) -> tuple[str, ...]:
    """Return the directories that both are to have."""
    shared = facts.files.found.directories if facts.files else ()
    return (*(one.path for one in shared), *mounted_of(facts))


def mounted_of(facts: PairFacts) -> tuple[str, ...]:
    """Return the directories that are to be those of a file system, the same for both."""
    return tuple(one.path for one in facts.mounts.found.directories) if facts.mounts else ()


def syncs(keeps: Sequence[str], directories: Sequence[str]) -> tuple[str, ...]:
    """Return what of a source's keeping lies in directories that both have."""
    return tuple(
        one for one in keeps if any(f"{one.partition(' ')[2]}/".startswith(f"{at}/") for at in directories)
    )


def refuse_two_diverging_copies(facts: PairFacts, request: PairRequest) -> None:
    """Refuse to put two copies of changing data behind one balancer: each gets half the writes (C69, C71).

    A look inside that read everything and found nothing needs nobody's word, and what an engine keeps in
    step on both is no copy.
    """
    source, inside = facts.source, facts.inside
    if request.stateless or source.tags.get(TAG_STATE) == "none":
        return
    keeps = left_beside(facts)
    if not keeps and not inside.unread:
        return
    seen = f"{source.id} keeps {some(keeps)}" if keeps else ""
    unseen = f"not known is {some(inside.unread)}" if inside.unread else ""
    raise PreconditionFailed(
        f"{'; '.join(filter(None, (seen, unseen)))}. A database, uploads or sessions on its own disk would "
        f"split in two behind a balancer, each half with its own writes. {ways_out(keeps)} "
        "Nothing was changed."
    )


def ways_out(keeps: Sequence[str]) -> str:
    """Return what an owner can do about what his instance keeps, a sentence each."""
    kept = [one.partition(" ")[2] for one in keeps if one.startswith(("written ", "sessions "))]
    written = list(dict.fromkeys(undivided(one) for one in kept))
    tops = [one for one in written if not any(one.startswith(f"{other}/") for other in written)]
    told = []
    if tops:
        told += [
            f"Have both keep what is written there, each what the other is given: --sync {','.join(tops)} "
            "(not for databases)",
            "Or have it on a regional EFS that both mount: aws efs create-file-system --encrypted, aws efs "
            f"create-mount-target in each zone, and {' '.join(f'--efs FS-ID={one}' for one in tops)}",
        ]
    if any(not one.startswith(("written ", "sessions ")) for one in keeps):
        told.append(
            "Have a database elsewhere (RDS, Aurora) or as one that two can keep (MariaDB, PostgreSQL)"
        )
    return ". ".join([*told, "If nothing of it changes, say so with --stateless"]) + "."


def undivided(directory: str) -> str:
    """Return the directory that an application divides by dates or hashes: tomorrow there is another part."""
    parts = directory.split("/")
    while len(parts) > 3 and A_PART.fullmatch(parts[-1]):
        parts.pop()
    return "/".join(parts)


def says_of_the_check(answer: Answer) -> str:
    """Return why a balancer's check would fail on an answer, and what helps (C55, C56, C59)."""
    if answer.status in (301, 302, 303, 307, 308):
        return (
            f"It redirects to {answer.location or 'another page'}, which no balancer follows; to accept "
            "redirects would call a site that only shows its installer healthy"
        )
    if answer.status in (400, 403, 421):
        return (
            "Applications that trust certain host names only answer so: the balancer sends the machine's "
            "address. Let them trust the subnet, or serve a page that asks no application"
        )
    if answer.status == 503:
        return "It may be in maintenance: a page that says so would take every member out at once"
    return ""


def told_of_members(facts: PairFacts) -> list[str]:
    """Return what should be known of two members, whatever balancer they are behind, a sentence each."""
    source, told = facts.source, []
    if keeps := left_beside(facts):
        told.append(
            f"{source.id} keeps {some(keeps)}; by your word nothing of it changes, or it would split in two"
        )
    if facts.twin and facts.twin.zone == source.zone:
        told.append(f"both members are in {source.zone}: one zone's failure takes both")
    return told


def wants_https(facts: PairFacts) -> bool:
    """Whether the source sends plain requests to the HTTPS that it serves itself."""
    leads_there = facts.answer.is_redirect and facts.answer.location.startswith("https://")
    return leads_there and facts.on_443 is not None and facts.on_443.status > 0


def refuse_what_no_check_passes(facts: PairFacts) -> None:
    """Refuse a page that the balancer's check would not accept."""
    if facts.answer.status and str(facts.answer.status) != HealthCheck().matcher:
        raise PreconditionFailed(
            f"{facts.answer.url} answers {facts.answer.says} to a request made as the balancer will make it "
            "(the instance's address as Host, no cookies), so the balancer would find no healthy member. "
            f"{f'{why}. ' if (why := says_of_the_check(facts.answer)) else ''}"
            "Choose a page that answers 200 with --health-path"
            f"{', or let the balancer speak HTTPS to it with --port 443' if wants_https(facts) else ''}. "
            "Nothing was changed."
        )


def refuse_what_is_no_pair(facts: PairFacts, request: PairRequest) -> None:
    """Refuse members that cannot serve together."""
    source, twin = facts.source, facts.twin
    if source.state != "running":
        raise PreconditionFailed(
            f"{source.id} is {source.state}; start it first: aws ec2 start-instances --instance-ids "
            f"{source.id}. Nothing was changed."
        )
    if twin is None:
        return
    if twin.id == source.id:
        raise UsageError(f"{source.id} cannot be its own twin; leave --with out to have one cloned")
    if twin.state != "running":
        raise PreconditionFailed(
            f"the twin {twin.id} is {twin.state}; start it, or leave --with out to have a new one cloned. "
            "Nothing was changed."
        )
    if twin.vpc_id != source.vpc_id:
        raise PreconditionFailed(
            f"{twin.id} is in {twin.vpc_id} and {source.id} in {source.vpc_id}: one balancer serves one "
            "VPC. Nothing was changed."
        )
    if twin.zone == source.zone and not request.same_zone:
        raise PreconditionFailed(
            f"{source.id} and {twin.id} are both in {source.zone}: one zone's failure takes both. Clone "
            f"into another zone (nospof clone {source.id}), or accept this with --same-zone. "
            "Nothing was changed."
        )


def refuse_foreign_names(facts: PairFacts, service: str, wanted: TargetGroupRequest) -> None:
    """Refuse to take over a balancer or a group that is not this service's, or not like this."""
    for kind, found in (("load balancer", facts.balancer), ("target group", facts.target_group)):
        if found and found.tags.get(TAG_SERVICE) != service:
            raise PreconditionFailed(
                f"a {kind} named {wanted.name} exists and is not the service {service}'s; choose another "
                "name with --service. Nothing was changed."
            )
    group, balancer = facts.target_group, facts.balancer
    asked = (wanted.port, wanted.health_check, wanted.protocol)
    if group and (group.port, group.health_check, group.protocol) != asked:
        raise PreconditionFailed(
            f"the target group {wanted.name} of {service} exists with port {group.port} and the check "
            f"GET {group.health_check.path} over {group.protocol}, not port {wanted.port} and GET "
            f"{wanted.health_check.path} over {wanted.protocol}. "
            "Ask for what exists, or choose another name with --service. Nothing was changed."
        )
    if balancer and balancer.vpc_id != wanted.vpc_id:
        raise PreconditionFailed(
            f"the load balancer {wanted.name} of {service} is in {balancer.vpc_id} and {facts.source.id} in "
            f"{wanted.vpc_id}; choose another name with --service. Nothing was changed."
        )
