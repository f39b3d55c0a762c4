"""The one running local cloud of this process: its directory, machines, lock and background work.

moto's models are pickled and must not hold live objects, so they reach the cloud through
`current()`. Whoever reads or changes a moto model holds `cloud.lock`; work that takes long (copying
a disk, booting) runs in `cloud.work` without it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from nospof.localcloud.addresses import claim_block
from nospof.localcloud.machines.partitions import Partitions

if TYPE_CHECKING:
    from nospof.localcloud.machines.hypervisor import Hypervisor

ACCOUNT = "123456789012"


class Cloud:
    """What the models need of the world: machines, disks of images, addresses, background work.

    Args:
        directory: everything of this cloud lives below it.
        hypervisor: where its machines run.

    Snapshots begun while `snapshot_seconds` is more than 0 take that long. The clock of schedules and of
    announced events is `ahead_seconds` ahead of the computer's. `full` are the types for which a zone has no
    room. Health answers when the account `has_support_plan`.
    """

    def __init__(self, directory: Path, hypervisor: Hypervisor) -> None:
        self.directory = directory
        self.images = directory / "images"
        self.images.mkdir(exist_ok=True)
        self.hypervisor = hypervisor
        self.snapshot_seconds = 0.0
        self.ahead_seconds = 0.0
        self.has_support_plan = False
        self.full: set[tuple[str, str]] = set()
        self.partitions = Partitions()
        self.lock = threading.RLock()
        self.dirty = threading.Event()
        self._work = ThreadPoolExecutor(max_workers=6, thread_name_prefix="work")
        self._jobs: dict[str, Future[None]] = {}
        self._blocks: dict[tuple[str, str], str] = {}

    def now(self) -> datetime:
        """Return the time by the clock of schedules and events, UTC without a zone as moto has it."""
        return datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=self.ahead_seconds)

    def block(self, account: str, region: str) -> str:
        """Return the first two numbers of the region's addresses, such as '127.31'."""
        key = (account, region)
        if key not in self._blocks:
            self._blocks[key] = f"127.{claim_block(self.directory, account, region)}"
        return self._blocks[key]

    def begin(self, name: str, job: Callable[[], None]) -> None:
        """Run a job in the background unless one of that name is under way or not yet seen to end."""
        if name not in self._jobs:
            self._jobs[name] = self._work.submit(job)

    def outcome(self, name: str) -> BaseException | bool | None:
        """Return None while there is no such job, False while it runs, then once True or its error."""
        job = self._jobs.get(name)
        if job is None:
            return None
        if not job.done():
            return False
        del self._jobs[name]
        return job.exception() or True

    def close(self) -> None:
        """Wait for the background work that has begun; end the partitions."""
        self.partitions.close()
        self._work.shutdown(wait=True, cancel_futures=True)


_current: Cloud | None = None


def set_current(cloud: Cloud) -> None:
    """Make this the cloud moto's models act on. Called once, before the first request."""
    global _current
    _current = cloud


def current() -> Cloud:
    """Return the running cloud."""
    if _current is None:
        raise RuntimeError("no local cloud runs in this process")
    return _current
