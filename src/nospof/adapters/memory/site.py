"""The service that runs inside the in-memory instances."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class MemoryService:
    """A web service: the port it listens on, and the status it answers, by path where they differ."""

    port: int = 80
    status: int = 200
    paths: dict[str, int] = field(default_factory=dict)
    location: str = ""

    def status_of(self, path: str) -> int:
        """Return the status of one path."""
        return self.paths.get(path, self.status)
