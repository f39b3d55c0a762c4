"""Prove a twin before it takes traffic, and watch the pair serve."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlsplit, urlunsplit

from nospof.errors import ProcedureFailed
from nospof.model.answers import Answer
from nospof.model.cloud import Instance
from nospof.model.requests import PairRequest
from nospof.planning.https_rules import protocol_of
from nospof.planning.pages import assets_of
from nospof.ports.world import World
from nospof.procedures.clone import url_of
from nospof.procedures.waiting import TimedOut

FIRST_ANSWERS_SECONDS = 30.0
"""The nodes of a new balancer learn of a healthy target one after the other."""
NAME_SECONDS = 600.0
"""A new balancer's name takes minutes to be known everywhere; "unknown" may be remembered as long."""
WATCHED_REQUESTS = 20
WRITE_SECONDS = 60.0
PORTS_LEFT_OUT = {"http": 80, "https": 443}


def as_a_balancer_asks(world: World, member: Instance, port: int, path: str, scheme: str = "http") -> Answer:
    """Ask a member for the page of a check with its own private address as Host, as a balancer does."""
    host = member.private_ip if port == PORTS_LEFT_OUT[scheme] else f"{member.private_ip}:{port}"
    url = f"{scheme}://{member.public_ip or member.private_ip}:{port}{path}"
    return replace(world.probe.get(url, host=host, verify=False), body="")


def refuse_a_bad_page(twin_id: str, page: Answer) -> None:
    """Refuse a twin whose page is not good."""
    if not page.is_good:
        raise ProcedureFailed(
            f"the twin {twin_id} answers {page.says} at {page.url}; it has taken no traffic. Mend it and "
            "resume"
        )


def refuse_another_page(page: Answer, request: PairRequest) -> None:
    """Refuse a page that does not say what the operator knows it must."""
    if request.expect and request.expect not in page.body:
        raise ProcedureFailed(
            f"the twin's page at {page.url} does not contain {request.expect!r}; it has taken no traffic"
        )


def verify(
    world: World, twin_id: str, url: str, request: PairRequest, *, is_internal: bool, host: str = ""
) -> str:
    """Ask for the page through the balancer, whose only member the twin is, and at the twin itself.

    This is how the twin is proved before it takes traffic: nobody else knows the balancer yet. Where a
    pair is made again the balancer may have other members, and then the twin's own answer counts; from
    where the twin or an internal balancer cannot be reached, the balancer's own check has to do, and
    the answer says so.

    Raises:
        ProcedureFailed: the page is not good, or does not say what it must.
        TimedOut: the balancer's name is not known even after ten minutes.
    """
    twin, page = world.cloud.instance(twin_id), request.page or request.health_path
    own = world.probe.get(url_of(twin, request.port, page), verify=False)
    within = NAME_SECONDS if not is_internal else 0.0
    through = ask_through(world, f"{url}{page}", within, host)
    if through.is_untrusted:
        raise ProcedureFailed(
            f"{url} shows a certificate for {host} that is not trusted here ({through.error}); whoever does "
            "not know who issued it will be warned off. Where your clients know, say so and resume: "
            "SSL_CERT_FILE=ISSUERS.pem"
        )
    asked = tuple(answer for answer in (own, through) if answer.status)
    if not asked and not is_internal:
        raise TimedOut(f"{url} could not be reached: {through.says}; it has taken no traffic")
    told, at = [], At(request.port, host=host)
    for answer in asked:
        refuse_a_bad_page(twin_id, answer)
        refuse_another_page(answer, request)
        told.append(f"{answer.says} at {answer.url}{files_of(world, answer, request, at)}")
    if not asked:
        return "not asked: neither the twin nor its internal balancer can be reached from here"
    return "; ".join(told)


@dataclass(frozen=True)
class At:
    """How members are asked: the port, the scheme where the port does not tell it, the name behind TLS."""

    port: int
    scheme: str = ""
    host: str = ""

    def base(self, member: Instance) -> str:
        """Return where a member is asked from here, without a page."""
        scheme = self.scheme or protocol_of(self.port).lower()
        return f"{scheme}://{member.public_ip or member.private_ip}:{self.port}"


def files_of(world: World, page: Answer, request: PairRequest, at: At) -> str:
    """Ask for the files a page is made of; what the source cannot give either is no fault of the twin.

    Args:
        page: of the twin, wherever it was asked.
        at: how source and twin are asked.

    Raises:
        ProcedureFailed: the source gives a file that the twin does not.
    """
    files = assets_of(page.url, page.body)
    answers = [world.probe.get(one, host=at.host, verify=False) for one in files]
    missing = [answer for answer in answers if not is_there(answer)]
    for answer in missing:
        base = at.base(world.cloud.instance(request.instance_id))
        path = urlunsplit(("", "", *urlsplit(answer.url)[2:]))
        if is_there(world.probe.get(base + path, host=at.host, verify=False)):
            raise ProcedureFailed(
                f"the twin answers {answer.says} at {answer.url}, a part of its page that the source has; it "
                "has taken no traffic. Mend it and resume"
            )
    lacking = f", {len(missing)} of which the source has not either" if missing else ""
    return f" with {len(files)} files{lacking}" if files else ""


def is_there(answer: Answer) -> bool:
    """Whether a browser would get a file, perhaps from elsewhere."""
    return 200 <= answer.status < 400


def write_to(world: World, twin_id: str, at: At, through: str, command: str) -> tuple[str, ...]:
    """Have the operator's command write to the twin and read that back: at itself, then by the balancer.

    It runs once more where the step is done again.

    Args:
        at: how the twin is asked.
        through: the balancer's URL while it has no other member, or empty.
        command: gets the URL, without a page, as NOSPOF_TWIN_URL, the name behind TLS as NOSPOF_TWIN_HOST.

    Raises:
        ProcedureFailed: it went wrong, or the twin cannot be reached from here.
    """
    places = (at.base(world.cloud.instance(twin_id)), through)
    reached = [one for one in places if one and world.probe.get(f"{one}/", host=at.host, verify=False).status]
    if not reached or world.commands is None:
        raise ProcedureFailed(
            f"neither {twin_id} nor its balancer can be reached from here, so nothing was written to it; it "
            "has taken no traffic. Run nospof inside the network and resume there"
        )
    for place in reached:
        variables = {"NOSPOF_TWIN": twin_id, "NOSPOF_TWIN_URL": place, "NOSPOF_TWIN_HOST": at.host}
        world.reporter.progress(f"writing to the twin at {place}")
        problem = world.commands.run(command, variables, WRITE_SECONDS)
        if problem:
            raise ProcedureFailed(
                f"the write check failed at {place}: {problem}. The twin {twin_id} has taken no traffic. "
                "Mend it and resume"
            )
    return tuple(reached)


def ask_through(world: World, url: str, name_seconds: float, host: str = "") -> Answer:
    """Return the balancer's answer: its name may be unknown for minutes, its first answers errors."""
    began = world.clock.now()
    answered_at: float | None = None
    while True:
        answer = world.probe.get(url, host=host)
        now = world.clock.now()
        if answer.status and answered_at is None:
            answered_at = now
        ends = began + name_seconds if answered_at is None else answered_at + FIRST_ANSWERS_SECONDS
        if answer.is_good or answer.is_untrusted or now >= ends:
            return answer
        world.reporter.progress(f"waiting for {url}: {answer.says}")
        world.clock.sleep(world.poll_seconds)


def watch(world: World, url: str, *, is_internal: bool, host: str = "") -> int:
    """Ask through the balancer a number of times, all of which must be served; return how many.

    An internal balancer that cannot be reached from here is not watched: 0.

    Raises:
        ProcedureFailed: at least one was not served.
    """
    if is_internal and not world.probe.get(url, host=host).status:
        return 0
    failures = []
    for number in range(WATCHED_REQUESTS):
        answer = world.probe.get(url, host=host)
        if not answer.is_good:
            failures.append(answer.says)
        world.reporter.progress(
            f"watched {number + 1} of {WATCHED_REQUESTS} requests", (number + 1) / WATCHED_REQUESTS
        )
        world.clock.sleep(0.1)
    if failures:
        raise ProcedureFailed(
            f"{len(failures)} of {WATCHED_REQUESTS} requests through {url} were not served (first: "
            f"{failures[0]})"
        )
    return WATCHED_REQUESTS
