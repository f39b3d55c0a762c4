"""The service that runs inside the in-memory instances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nospof.model.layout import Layout, Obstacle
from nospof.model.mounting import Mount
from nospof.model.sharing import Sharing


@dataclass(frozen=True)
class MemoryService:
    """A web service: the port it listens on, and the status it answers, by path where they differ.

    `forces_https` sends every page but `paths` to HTTPS; `trusts_proxy` believes X-Forwarded-Proto about
    what the client spoke. `tls_port` answers over TLS, where it is not 0.
    """

    port: int = 80
    status: int = 200
    paths: dict[str, int] = field(default_factory=dict)
    location: str = ""
    forces_https: bool = False
    trusts_proxy: bool = False
    tls_port: int = 0
    headers: dict[str, str] = field(default_factory=dict)

    def status_of(self, path: str) -> int:
        """Return the status of one path."""
        return self.paths.get(path, self.status)

    def sends_to_https(self, path: str, headers: Mapping[str, str]) -> bool:
        """Whether a plain request for a page is answered with "come again over HTTPS"."""
        spoke = headers.get("X-Forwarded-Proto", "") if self.trusts_proxy else ""
        return self.forces_https and path not in self.paths and spoke != "https"


@dataclass
class MemoryServer:
    """A database server: its rows, the layout it has, and whether it has all that the others of that have.

    One that `is_stuck` does not catch up by itself. `rest` is whose it is, and until when at most it lasts.
    """

    engine: str
    rows: list[str]
    obstacles: tuple[Obstacle, ...] = ()
    is_mended: bool = False
    layout: Layout | None = None
    has_joined: bool = True
    is_stuck: bool = False
    rest: tuple[str, float] = ("", 0.0)


@dataclass
class MemoryUploads:
    """A directory of uploads: their names, with whom they are shared, and what is mounted there instead.

    `is_away` is a machine without what it should have mounted: it takes none.
    """

    files: set[str]
    sharing: Sharing | None = None
    obstacles: tuple[Obstacle, ...] = ()
    mounts: tuple[Mount, ...] = ()
    is_away: bool = False
