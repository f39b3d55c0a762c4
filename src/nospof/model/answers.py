"""What a service said when it was asked."""

from __future__ import annotations

from dataclasses import dataclass, field

REDIRECTS = frozenset({301, 302, 303, 307, 308})
NOT_TRUSTED = "certificate not trusted"
BETRAYING = ("link", "server", "x-drupal-cache", "x-generator", "x-powered-by", "x-redirect-by")
"""The headers of an answer that tell what made it."""


@dataclass(frozen=True)
class Answer:
    """One HTTP answer, or the reason why none came.

    `status` is 0 and `error` says why when there was no complete answer. `body` is at most the
    first 64 KiB, or what the probe was told to keep, decoded as text. `headers` are those that betray
    what answers, in lower case; `cookies` is what a browser would send back.
    """

    url: str
    status: int
    seconds: float
    body: str = ""
    location: str = ""
    error: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    cookies: str = ""

    @property
    def is_good(self) -> bool:
        """Whether a client would have been served: 200 to 299."""
        return 200 <= self.status < 300

    @property
    def is_redirect(self) -> bool:
        """Whether it sends the client elsewhere."""
        return self.status in REDIRECTS and bool(self.location)

    @property
    def is_untrusted(self) -> bool:
        """Whether none came because of a certificate nobody here trusts."""
        return self.error.startswith(NOT_TRUSTED)

    @property
    def says(self) -> str:
        """The answer in a few words."""
        if not self.status:
            return self.error
        return f"{self.status} to {self.location}" if self.location else str(self.status)
