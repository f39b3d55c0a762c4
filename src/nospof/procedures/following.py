"""Follow redirects as a browser does: bounded, with its cookies, to the service's own names only (C66)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import replace
from urllib.parse import urljoin, urlsplit

from nospof.model.answers import Answer
from nospof.model.trails import Ends, Trail

MOST_HOPS = 10
"""Browsers give up after some twenty; no healthy site needs half of these."""
LINKED = re.compile(
    r"""(?:src|href)\s*=\s*["']([^"'\s>]+\.(?:css|js|png|jpe?g|svg|gif|webp|ico|woff2?)(?:\?[^"'\s>]*)?)["']""",
    re.IGNORECASE,
)
WORDPRESS = re.compile(r"/wp-(?:content|includes|json)\b|WordPress", re.IGNORECASE)
DRUPAL = re.compile(r"Drupal|/sites/default/files/")

Ask = Callable[[str, str], Answer]
"""Asks for a URL with the cookies given so far."""


def follow(ask: Ask, url: str, names: Collection[str]) -> Trail:
    """Follow a page's redirects.

    Args:
        ask: asks for one URL of the service.
        url: where to begin.
        names: the hosts that are the service's own; others are not asked.
    """
    urls: list[str] = []
    cookies, made_by, ends = "", "", "there"
    while True:
        urls.append(url)
        answer = ask(url, cookies)
        made_by = made_by or betrayed(answer)
        if not answer.is_redirect:
            break
        url, before = plain(urljoin(url, answer.location)), len(cookies)
        cookies = "; ".join(filter(None, (cookies, answer.cookies)))
        if (urlsplit(url).hostname or "") not in names:
            urls.append(url)
            ends = "elsewhere"
            break
        # Sent back with a cookie it did not have before, a client is asked something else.
        if url in urls and len(cookies) == before:
            ends = "in a loop"
            break
        if len(urls) >= MOST_HOPS:
            ends = "too far"
            break
    return trail_of(urls, answer, ends, made_by, names)  # type: ignore[arg-type]


def trail_of(urls: list[str], answer: Answer, ends: Ends, made_by: str, names: Collection[str]) -> Trail:
    """Return the trail, with what its last page links."""
    page = urls[-1]
    linked = [plain(urljoin(page, one)) for one in LINKED.findall(answer.body)] if answer.is_good else []
    own = [one for one in dict.fromkeys(linked) if urlsplit(one).hostname in names]
    is_secure = page.startswith("https:")
    return Trail(
        urls=tuple(urls),
        answer=replace(answer, body="", cookies=""),
        ends=ends,
        made_by=made_by,
        assets=tuple(own),
        insecure=tuple(one for one in own if is_secure and one.startswith("http:")),
    )


def betrayed(answer: Answer) -> str:
    """Return what made an answer, where it says so."""
    told = " ".join((*answer.headers.values(), *answer.headers, answer.body))
    if WORDPRESS.search(told):
        return "WordPress"
    return "Drupal" if DRUPAL.search(told) or "x-drupal-cache" in answer.headers else ""


def plain(url: str) -> str:
    """Return a URL as it is compared: host in lower case, no port that goes without saying, no fragment."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    place = host if parts.port in (None, usual) else f"{host}:{parts.port}"
    return parts._replace(netloc=place, path=parts.path or "/", fragment="").geturl()
