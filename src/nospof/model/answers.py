"""What a service said when it was asked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """One HTTP answer, or the reason why none came.

    `status` is 0 and `error` says why when there was no complete answer. `body` is at most the
    first 64 KiB, decoded as text.
    """

    url: str
    status: int
    seconds: float
    body: str = ""
    location: str = ""
    error: str = ""

    @property
    def is_good(self) -> bool:
        """Whether a client would have been served: 200 to 299."""
        return 200 <= self.status < 300

    @property
    def says(self) -> str:
        """The answer in a few words."""
        if not self.status:
            return self.error
        return f"{self.status} to {self.location}" if self.location else str(self.status)
