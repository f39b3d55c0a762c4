"""Opening files that somebody else wrote: any Unicode encoding, and limits on size and depth; and our own.

A file that cannot be what it should be is the caller's mistake, told with the file's name, and the
line where there is one.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nospof.errors import UsageError

MAX_BYTES = 256 * 1024 * 1024
"""A plan of 10,000 resources has some 50 MB; beyond this it is not a description of one account."""
MAX_DEPTH = 200
"""Modules in modules in modules are 20 deep; Python's own parser gives up at about 1,000."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # Begins as UTF-16's does, so it is asked for first.
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def read_text(path: Path | str) -> str:
    """Return a file's text: UTF-8, UTF-16 or UTF-32, with a byte order mark or without.

    Raises:
        UsageError: there is no such file, it cannot be opened, is too large, or is no text.
    """
    file = Path(path)
    try:
        if file.is_dir():
            raise UsageError(f"{file} is a directory; a file was expected.")
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise UsageError(
                f"{file} has {size // 1024**2:,} MB; more than {MAX_BYTES // 1024**2} MB is not read."
            )
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)  # A pipe has no size beforehand.
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {reason_of(error)}.") from error
    if len(raw) > MAX_BYTES:
        raise UsageError(f"{file} has more than {MAX_BYTES // 1024**2} MB; that is not read.")
    return _decoded(raw, file)


def read_json(path: Path | str) -> Any:
    """Return what a JSON file holds.

    Raises:
        UsageError: as for `read_text`; or it is no JSON, ends too early, or is nested too deeply.
    """
    return parse_json(read_text(path), path)


def parse_json(text: str, path: Path | str) -> Any:
    """Return what a JSON text holds; `path` is the file that it came from.

    Raises:
        UsageError: it is no JSON, ends too early, or is nested too deeply.
    """
    if not text.strip():
        raise UsageError(f"{path} is empty; JSON was expected.")
    try:
        found = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        is_cut = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated")
        says = "the file ends too early" if is_cut else f"this is not JSON ({error.msg})"
        raise UsageError(f"{path}, line {error.lineno}, column {error.colno}: {says}.") from error
    except RecursionError as error:
        raise UsageError(f"{path}: nested more than {MAX_DEPTH} levels deep.") from error
    except ValueError as error:  # NaN and Infinity; a number of a thousand digits
        raise UsageError(f"{path}: this is not JSON ({error}).") from error
    if isinstance(found, (dict, list)):
        _check_depth(found, path)
    return found


def read_own(file: Path, format_: str, version: int, what: str) -> dict[str, Any]:
    """Return what a file of ours holds; `what` is said of one that is none, such as "is no manifest".

    Raises:
        UsageError: as for `read_json`; or it is something else, or of another version.
    """
    document = read_json(file)
    if not isinstance(document, dict) or document.get("format") != format_:
        raise UsageError(f"{file} {what}.")
    if (found := document.get("version")) != version:
        raise UsageError(f"{file} is of version {found}; this nospof reads version {version}.")
    return document


def write_own(file: Path, document: Mapping[str, Any]) -> None:
    """Write a file that is for its owner only.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        file.touch(mode=0o600)
        file.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {reason_of(error)}.") from error


def reason_of(error: OSError) -> str:
    """Return what the system says, to stand in a sentence."""
    return (error.strerror or str(error)).lower()


def _decoded(raw: bytes, file: Path) -> str:
    encoding = next((name for mark, name in _MARKS if raw.startswith(mark)), "")
    if not encoding:
        # Nothing here begins with a character outside ASCII, so a zero byte tells which half is which.
        encoding = {b"\0": "utf-16-be"}.get(raw[:1], "utf-16-le" if raw[1:2] == b"\0" else "utf-8")
    try:
        text = raw.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise UsageError(f"{file}, line {line}: this is not text in {encoding.upper()}.") from error
    if "\0" in text:
        raise UsageError(f"{file} is not a text file.")
    return text


def _check_depth(found: Any, path: Path | str) -> None:
    """Refuse what is nested too deeply, so that nobody need fear to recurse into it."""
    level = [found]
    for _ in range(MAX_DEPTH):
        level = [
            part
            for whole in level
            for part in (whole.values() if isinstance(whole, dict) else whole)
            if isinstance(part, (dict, list))
        ]
        if not level:
            return
    raise UsageError(f"{path}: nested more than {MAX_DEPTH} levels deep.")


def _refuse_constant(name: str) -> Any:
    message = f"{name} is no JSON value"
    raise ValueError(message)
