"""The page a twin must serve before it takes traffic, and what a browser would ask for next."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin, urlsplit

from nospof.model.requests import PairRequest

ASSETS = 20
"""As many of a page's files as are asked for; a page of a common site links some ten to forty."""
LINKS = {"script": "src", "img": "src", "link": "href"}
SHOWN = frozenset({"stylesheet", "icon", "preload", "modulepreload"})
"""What a link must be for a browser to ask for it by itself."""


class _Links(HTMLParser):
    """The files that a page is made of, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, None] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        is_shown = tag != "link" or bool(SHOWN & set(given.get("rel", "").lower().split()))
        if is_shown and (target := given.get(LINKS.get(tag, ""), "")):
            self.found[target] = None


def assets_of(url: str, body: str) -> tuple[str, ...]:
    """Return the first style sheets, scripts and images of a page that come from its own host and port."""
    reader = _Links()
    reader.feed(body)
    here = urlsplit(url)
    whole = dict.fromkeys(urldefrag(joined(url, one)).url for one in reader.found)
    return tuple(one for one in whole if urlsplit(one)[:2] == here[:2])[:ASSETS]


def joined(url: str, target: str) -> str:
    """Return where a link of a page leads; nowhere for one that no browser understands either."""
    try:
        return urljoin(url, target.strip())
    except ValueError:
        return ""


def proof(request: PairRequest) -> str:
    """Return what the twin must do before it takes traffic, in words."""
    page = f"GET {request.page or request.health_path} of the twin, with its files"
    return page + (f"; then {request.write_check!r} against it" if request.write_check else "")
