"""Which kind of saved account a path is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nospof.adapters.saved.account import SavedDiscovery, is_saved_account
from nospof.adapters.saved.dumps import DumpDiscovery
from nospof.errors import UsageError


def open_saved(paths: Sequence[Path]) -> SavedDiscovery | DumpDiscovery:
    """Return what answers from saved files: a directory of `--save`, or the AWS command line's output.

    Args:
        paths: one saved account; or files, and directories whose *.json files are meant.

    Raises:
        UsageError: there is nothing to read, or something else than was expected.
    """
    if len(paths) == 1 and is_saved_account(paths[0]):
        return SavedDiscovery(paths[0])
    files: list[Path] = []
    for path in paths:
        if is_saved_account(path):
            raise UsageError(f"{path} is a whole saved account: give it alone.")
        if not path.exists():
            raise UsageError(f"There is no file {path}.")
        found = sorted(path.glob("*.json")) if path.is_dir() else [path]
        if not found:
            raise UsageError(f"{path} holds no *.json files.")
        files += found
    if not files:
        raise UsageError("No files were given.")
    return DumpDiscovery(files)
