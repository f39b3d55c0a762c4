"""Ask for pages as clients do, on schedule, before and while they are led elsewhere."""

from __future__ import annotations

import math
import re
import statistics
from html import unescape
from urllib.parse import urlsplit

from nospof.errors import CloudError
from nospof.model.answers import Answer
from nospof.model.cutting_over import Asked, Measured, Page, Watched
from nospof.planning.cut_over_rules import not_whole
from nospof.ports.world import World

REQUESTS_PER_SECOND = 2
BASELINE_REQUESTS = 30
LOOK_SECONDS = 10.0
"""How often the members' health is looked at while requests go out."""
TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


def page_of(answer: Answer) -> Page:
    """Return what an answer is compared by."""
    found = TITLE.search(answer.body)
    title = " ".join(unescape(found[1]).split())[:200] if found else ""
    return Page(answer.url, answer.status, title, len(answer.body), answer.location, answer.error)


def page_at(world: World, url: str, host: str) -> Page:
    """Ask for a page under a Host."""
    return page_of(world.probe.get(url, host=host))


def measure_old(world: World, asked: tuple[Asked, ...]) -> Measured:
    """Measure how pages are served before anything is moved."""
    return measure(world, asked, BASELINE_REQUESTS, BASELINE_REQUESTS, "")


def watch_share(
    world: World, asked: tuple[Asked, ...], group_arn: str, share: int, seconds: int, baseline: Measured
) -> Watched:
    """Watch the balancer serve while it has a share of the clients; end early where it serves worse."""
    count = max(1, seconds * REQUESTS_PER_SECOND)
    measured = measure(world, asked, count, baseline.allows(count), group_arn)
    is_worse = bool(measured.not_whole) or measured.failed > baseline.allows(count)
    return Watched(share, measured, is_worse)


def measure(world: World, asked: tuple[Asked, ...], count: int, allowed: int, group_arn: str) -> Measured:
    """Send requests on schedule, the pages in turn, and count what clients would have met.

    A latency counts from the moment its request was due: behind a hanging one it is late too. It ends early
    once more failed than is allowed, or once a member of the target group, if one is named, is not healthy.
    """
    began = world.clock.now()
    looked_at = -math.inf
    latencies: list[float] = []
    failed, first, sick, number = 0, "", "", 0
    for number in range(1, count + 1):
        due = began + (number - 1) / REQUESTS_PER_SECOND
        world.clock.sleep(max(0.0, due - world.clock.now()))
        if group_arn and world.clock.now() - looked_at >= LOOK_SECONDS:
            looked_at, sick = world.clock.now(), not_whole_now(world, group_arn)
        one = asked[number % len(asked)]
        late = max(0.0, world.clock.now() - due)
        answer = world.probe.get(one.url, host=one.host)
        if one.page.is_served(answer):
            latencies.append(late + answer.seconds)
        else:
            failed, first = failed + 1, first or f"{answer.says} at {urlsplit(answer.url).netloc}"
        world.reporter.progress(f"{failed} of {number} requests failed", number / count)
        if sick or failed > allowed:
            break
    middle = statistics.median(latencies) if latencies else 0.0
    return Measured(number, failed, middle, max(latencies, default=0.0), first, sick)


def not_whole_now(world: World, group_arn: str) -> str:
    """Return why the members do not stand in for each other now; what is not known is no reason."""
    try:
        return not_whole(world.cloud.targets(group_arn))
    except CloudError as error:
        if not error.retryable:
            raise
        return ""
