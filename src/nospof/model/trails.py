"""Where a client is sent from a page, redirect after redirect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nospof.model.answers import Answer

Ends = Literal["there", "in a loop", "elsewhere", "too far"]


@dataclass(frozen=True)
class Trail:
    """What came of following a page's redirects.

    Args:
        urls: what was asked for, in order.
        answer: the last one, without its body.
        ends: "there" at a page or an error, "elsewhere" at a host that is not the service's.
        made_by: "WordPress" or "Drupal", where an answer betrays it.
        assets: what the page links that is the service's own.
        insecure: what it links over plain HTTP although it was asked for over HTTPS.
    """

    urls: tuple[str, ...]
    answer: Answer
    ends: Ends = "there"
    made_by: str = ""
    assets: tuple[str, ...] = ()
    insecure: tuple[str, ...] = ()

    @property
    def is_endless(self) -> bool:
        """Whether a client never arrives."""
        return self.ends in ("in a loop", "too far")

    @property
    def says(self) -> str:
        """Where it led, in a few words."""
        return f"{' -> '.join(self.urls)}: {self.answer.says}"
