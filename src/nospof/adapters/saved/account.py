"""An account in a directory: every answer of a reading in a file of its own, to be read again.

`SavingDiscovery` writes down what passes through it, refusals too; `SavedDiscovery` answers from
there. The same estate comes of both. Nothing that the audit leaves unread as perhaps secret is
written, and the files are for their owner only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nospof.adapters.saved.files import read_json, read_own, reason_of, write_own
from nospof.adapters.values import plain
from nospof.errors import CloudError, UsageError
from nospof.model.cloud import Identity
from nospof.ports.discovery import Discovery, Page

MANIFEST = "manifest.json"
FORMAT = "nospof saved account"
VERSION = 1


class SavingDiscovery:
    """Passes calls on, and writes each answer down.

    Args:
        discovery: who answers.
        directory: where to; it must be empty, or not be there yet.
        read_at: now, seconds since the epoch; the time that a later replay tells.

    Raises:
        UsageError: the directory is not empty or cannot be made.
    """

    def __init__(self, discovery: Discovery, directory: Path, read_at: float) -> None:
        self._discovery = discovery
        self._directory = directory
        self._read_at = read_at
        self._identity = Identity("", "", "")
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            is_empty = next(directory.iterdir(), None) is None
        except OSError as error:
            raise UsageError(f"{directory} cannot be written to: {reason_of(error)}.") from error
        if not is_empty:
            raise UsageError(f"{directory} is not empty: give a new directory to save to.")

    @property
    def source(self) -> str:
        """See the port."""
        return self._discovery.source

    def identity(self) -> Identity:
        """See the port; begins the manifest."""
        self._identity = self._discovery.identity()
        manifest = {"format": FORMAT, "version": VERSION, "source": self.source, **self._origin()}
        write_own(self._directory / MANIFEST, manifest)
        return self._identity

    def pages(self, call: str, arguments: Mapping[str, object], *, is_global: bool = False) -> Iterator[Page]:
        """See the port."""
        file = self._directory / file_name(call, arguments, is_global)
        document: dict[str, Any] = {
            "call": call,
            "arguments": plain(arguments),
            "is_global": is_global,
            **self._origin(),
            "pages": [],
            "error": None,
        }
        try:
            for page in self._discovery.pages(call, arguments, is_global=is_global):
                document["pages"].append(page)
                yield page
        except CloudError as error:
            document["error"] = {
                "message": str(error),
                "code": error.code,
                "operation": error.operation,
                "request_id": error.request_id,
                "retryable": error.retryable,
            }
            write_own(file, document)
            raise
        write_own(file, document)

    def _origin(self) -> dict[str, Any]:
        who = self._identity
        return {"account": who.account, "arn": who.arn, "region": who.region, "read_at": self._read_at}


class SavedDiscovery:
    """Answers from a directory that `SavingDiscovery` has written.

    Args:
        directory: where the manifest is.

    Raises:
        UsageError: it is no such directory, or of a later version of it.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        file = directory / MANIFEST
        manifest = read_own(file, FORMAT, VERSION, "is no manifest of a saved account")
        try:
            self.source = str(manifest["source"])
            self.read_at = float(manifest["read_at"])
            self._identity = Identity(*(str(manifest[name]) for name in ("account", "arn", "region")))
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"{file} does not say {error}.") from error

    def identity(self) -> Identity:
        """See the port."""
        return self._identity

    def pages(self, call: str, arguments: Mapping[str, object], *, is_global: bool = False) -> Iterator[Page]:
        """See the port."""
        file = self._directory / file_name(call, arguments, is_global)
        if not file.exists():
            message = f"{call} is not among what was saved in {self._directory}."
            raise CloudError(message, code="not among what was saved", operation=call)
        document = read_json(file)
        if not isinstance(document, dict) or (document.get("call"), document.get("arguments")) != (
            call,
            plain(arguments),
        ):
            raise UsageError(f"{file} is not the answer of {call}: it was changed or renamed.")
        pages = document.get("pages")
        if not isinstance(pages, list) or not all(isinstance(page, dict) for page in pages):
            raise UsageError(f"{file} holds no pages of an answer.")
        yield from pages
        if error := document.get("error"):
            raise CloudError(error.pop("message"), **error)


def is_saved_account(path: Path) -> bool:
    """Whether a directory holds an account that was saved."""
    return path.is_dir() and (path / MANIFEST).is_file()


def file_name(call: str, arguments: Mapping[str, object], is_global: bool) -> str:
    """Return the name of the file for a call: readable, and one for each set of arguments."""
    wanted = json.dumps(plain(arguments), sort_keys=True)
    digest = hashlib.sha256(wanted.encode()).hexdigest()[:16]
    scope = ".global" if is_global else ""
    return (
        f"{call.replace(':', '.')}{scope}.{digest}.json"
        if arguments
        else f"{call.replace(':', '.')}{scope}.json"
    )
