"""File systems of EFS: what moto knows of them is written down where machines look that mount them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nospof.localcloud.machines import mounting


def write_down(directory: Path, backends: Iterable[Any]) -> None:
    """Have a directory for each file system, and the zones that it is reached from now.

    Args:
        directory: of the cloud.
        backends: moto's, of EFS.
    """
    for backend in backends:
        for system_id, system in list(backend.file_systems_by_id.items()):
            zones = [one.availability_zone_name for one in system.iter_mount_targets()]
            mounting.write_down(directory, system_id, zones)
