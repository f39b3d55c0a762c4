"""What looks inside machines found, kept beside a saved account: one file, those without an answer too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nospof.adapters.saved.files import read_own, write_own
from nospof.model.machine import Looked
from nospof.ports.machine import Machines

PROBES = "probes.json"
FORMAT = "nospof saved probes"
VERSION = 1
NOT_SAVED = "not among what was saved"


class SavingMachines:
    """Passes looks on, and writes them all down when the last has come. Implements `ports.machine.Machines`.

    Args:
        machines: who looks.
        directory: a saved account's.
    """

    def __init__(self, machines: Machines, directory: Path) -> None:
        self._machines = machines
        self._file = directory / PROBES

    def look(self, instance_ids: Sequence[str]) -> Iterator[Looked]:
        """See the port.

        Raises:
            UsageError: the file cannot be written.
        """
        found = []
        for looked in self._machines.look(instance_ids):
            found.append(looked)
            yield looked
        rows = [vars(one) for one in sorted(found, key=lambda one: one.instance_id)]
        write_own(self._file, {"format": FORMAT, "version": VERSION, "looks": rows})


class SavedMachines:
    """Answers what `SavingMachines` has written. Implements `ports.machine.Machines`.

    Args:
        directory: a saved account's, with looks in it.

    Raises:
        UsageError: the file is none of ours, or of a later version.
    """

    def __init__(self, directory: Path) -> None:
        file = directory / PROBES
        rows = read_own(file, FORMAT, VERSION, "holds no saved looks inside machines").get("looks")
        self._looks = {one.instance_id: one for one in map(looked_of, rows if isinstance(rows, list) else ())}

    def look(self, instance_ids: Sequence[str]) -> Iterator[Looked]:
        """See the port."""
        for one in dict.fromkeys(instance_ids):
            yield self._looks.get(one) or Looked(one, operation="ssm:SendCommand", problem=NOT_SAVED)


def looked_of(row: Any) -> Looked:
    """Return a look as it was saved; one that somebody has spoilt tells nothing."""
    row = row if isinstance(row, dict) else {}
    document = row.get("document")
    return Looked(
        str(row.get("instance_id", "")),
        document if isinstance(document, dict) else None,
        str(row.get("operation", "")),
        str(row.get("problem", "")) or ("" if isinstance(document, dict) else NOT_SAVED),
    )


def has_probes(directory: Path) -> bool:
    """Whether a saved account has looks inside machines beside it."""
    return directory.is_dir() and (directory / PROBES).is_file()
