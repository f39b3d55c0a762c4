"""Which addresses of 127.0.0.0/8 belong to which cloud.

Every (cloud, account, region) owns one block 127.B.0.0/16, so that a `PrivateIpAddress` really
answers and two clouds on one computer never hand out the same address. A block is claimed by
creating a file in a directory all users share; a claim whose cloud directory is gone is free again.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path

from nospof.localcloud.errors import LocalCloudError
from nospof.localcloud.locks import locked

FIRST_BLOCK = 31
LAST_BLOCK = 254
_SHARED = "nospof-addresses"


def shared_directory() -> Path:
    """Return the directory in which claims are kept; made on first use, writable by every user."""
    # One place for all users and all values of TMPDIR: two clouds must meet there.
    common = Path("/tmp")  # noqa: S108 - opened without following links, files made with O_EXCL
    base = common if common.is_dir() else Path(tempfile.gettempdir())
    directory = base / os.environ.get("NOSPOF_ADDRESS_CLAIMS", _SHARED)
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=0o777)
        directory.chmod(0o1777)
    return directory


def _read(claim: Path) -> dict[str, str]:
    try:
        content = json.loads(claim.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in content.items()} if isinstance(content, dict) else {}


def _is_stale(claim: Path) -> bool:
    owner = _read(claim).get("directory", "")
    return not owner or not Path(owner).exists()


def claim_block(directory: Path, account: str, region: str) -> str:
    """Return the second number of the block of this cloud's region, claiming one if it has none.

    Args:
        directory: the cloud's own directory; the claim lives as long as it does.
        account: the account number.
        region: the region's name.

    Raises:
        LocalCloudError: every block of the computer is taken.
    """
    wanted = {"directory": str(directory), "account": account, "region": region}
    shared = shared_directory()
    with locked(shared):  # two clouds must not take over one stale claim
        free: list[int] = []
        for block in range(FIRST_BLOCK, LAST_BLOCK + 1):
            claim = shared / f"127.{block}"
            if not claim.exists():
                free.append(block)
            elif _read(claim) == wanted:
                return str(block)
        for block in (*free, *range(FIRST_BLOCK, LAST_BLOCK + 1)):
            if _take(shared / f"127.{block}", wanted):
                return str(block)
    raise LocalCloudError(
        f"every block of addresses from 127.{FIRST_BLOCK}.0.0/16 to 127.{LAST_BLOCK}.0.0/16 is taken; "
        f"delete clouds that are not needed (their claims are in {shared})"
    )


def _take(claim: Path, content: dict[str, str]) -> bool:
    if claim.exists():
        if not _is_stale(claim):
            return False
        with contextlib.suppress(OSError):  # somebody else's file in a sticky directory
            claim.unlink()
    try:
        handle = os.open(claim, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    except FileExistsError:
        return False
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(content, file)
    return True


def release_blocks(directory: Path) -> None:
    """Give back every block the cloud in that directory has claimed."""
    shared = shared_directory()
    with locked(shared):
        for claim in shared.glob("127.*"):
            if _read(claim).get("directory") == str(directory):
                with contextlib.suppress(OSError):
                    claim.unlink()
