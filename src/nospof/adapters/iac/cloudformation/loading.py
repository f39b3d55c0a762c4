"""Opens a template: YAML with the short forms of functions, or JSON; every mistake with its line.

Built from the parser's events, not with its constructors: dates stay texts, a key that stands there
twice is refused, and neither depth nor aliases can make a small file large.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from nospof.adapters.saved.files import read_text
from nospof.errors import UsageError

MAX_BYTES = 4 * 1024 * 1024
"""CloudFormation itself takes 1 MB; a file with more white space than that is still read."""
MAX_DEPTH = 100
MAX_PARTS = 500_000
"""Values in a template, where an alias counts as much as what it stands for."""


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text: a list that is easy to read."""
    return tuple(text.split())


SHORT = {
    "Ref": "Ref",
    "Condition": "Condition",
    **{
        name: f"Fn::{name}"
        for name in words(
            "And Base64 Cidr Equals FindInMap GetAtt GetAZs If ImportValue Join Length Not Or Select "
            "Split Sub ToJsonString Transform"
        )
    },
}
"""The short form of each function (CloudFormation user guide, intrinsic function reference)."""
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The parser in C where it was built in: ten times as fast, with the same events."""
INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
DECIMAL = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@dataclass(frozen=True)
class Template:
    """A template as it was written, and the line of each section's entries: ("Resources", "Web")."""

    file: str
    document: Mapping[str, Any]
    lines: Mapping[tuple[str, ...], int]

    def line(self, *path: str) -> int:
        """Return the line where something stands; 0 where nobody could tell."""
        return self.lines.get(path[:2], self.lines.get(path[:1], 0))


def load(path: Path) -> Template:
    """Return a template.

    Raises:
        UsageError: it cannot be read, is neither YAML nor JSON, or is no template.
    """
    if path.is_file() and path.stat().st_size > MAX_BYTES:
        raise UsageError(f"{path} has more than {MAX_BYTES // 1024**2} MB; CloudFormation takes 1 MB.")
    text = read_text(path)
    document, lines = parse(text, str(path))
    if not isinstance(document, dict):
        raise UsageError(f"{path}, line 1: this is not a CloudFormation template, but {_a(document)}.")
    if not isinstance(document.get("Resources"), dict) or not document["Resources"]:
        hint = " It looks like a stack policy or an IAM policy." if "Statement" in document else ""
        raise UsageError(f"{path}, line 1: this is not a CloudFormation template: no Resources.{hint}")
    return Template(str(path), document, lines)


def parse(text: str, file: str) -> tuple[Any, dict[tuple[str, ...], int]]:
    """Return what a YAML or JSON text holds, and the lines of the entries of its sections.

    Raises:
        UsageError: it is neither, or a key stands there twice.
    """
    if not text.strip():
        raise UsageError(f"{file}, line 1: the file is empty; a CloudFormation template was expected.")
    if text.lstrip()[0] in "{[":
        try:
            json.loads(text)
        except RecursionError as error:
            raise UsageError(f"{file}: nested more than {MAX_DEPTH} levels deep.") from error
        except ValueError as error:
            if text.lstrip().startswith("{") and isinstance(error, json.JSONDecodeError):
                is_cut = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated")
                says = "the file ends too early" if is_cut else f"this is not JSON ({error.msg})"
                raise UsageError(f"{file}, line {error.lineno}: {says}.") from error
        # In JSON a tab is white space, in YAML it is not; inside a text it must be escaped in both.
        text = text.replace("\t", " ")
    reader = _Reader(file)
    try:
        for event in yaml.parse(text, LOADER):
            reader.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problem = str(error.problem or error.context)
        tab = " Indent with spaces, not tabs." if "\\t" in problem else ""
        raise UsageError(f"{file}, line {line}: this is not YAML ({problem}).{tab}") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{file}: this is not YAML ({str(error).splitlines()[0]}).") from error
    return reader.root, reader.lines


@dataclass
class _Open:
    """A mapping or list that is not closed yet."""

    value: Any
    tag: str
    anchor: str
    line: int
    key: str | None = None
    parts: int = 1
    merged: list[Mapping[str, Any]] = field(default_factory=list)


class _Reader:
    """Takes a parser's events and makes plain values of them."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.root: Any = None
        self.lines: dict[tuple[str, ...], int] = {}
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._documents = 0

    def take(self, event: Any) -> None:
        """Take the next event."""
        line = event.start_mark.line + 1
        match type(event).__name__:
            case "DocumentStartEvent":
                self._documents += 1
                if self._documents > 1:
                    self._refuse(line, "a second YAML document begins; a template is one")
            case "ScalarEvent":
                value = self._function(event.tag, scalar(event), line)
                self._add(value, 1, line, event.anchor or "")
            case "AliasEvent":
                if event.anchor not in self._anchors:
                    self._refuse(line, f"*{event.anchor} refers to what is not complete yet or not there")
                self._add(*self._anchors[event.anchor], line, "")
            case "MappingStartEvent" | "SequenceStartEvent":
                if len(self._open) >= MAX_DEPTH:
                    self._refuse(line, f"nested more than {MAX_DEPTH} levels deep")
                empty: Any = {} if type(event).__name__ == "MappingStartEvent" else []
                self._open.append(_Open(empty, event.tag or "", event.anchor or "", line))
            case "MappingEndEvent" | "SequenceEndEvent":
                done = self._open.pop()
                for base in done.merged:
                    done.value = {**base, **done.value}
                value = self._function(done.tag, done.value, done.line)
                self._add(value, done.parts, done.line, done.anchor)

    def _add(self, value: Any, parts: int, line: int, anchor: str) -> None:
        if anchor:
            self._anchors[anchor] = (value, parts)
        if not self._open:
            self.root = value
            return
        whole = self._open[-1]
        if isinstance(whole.value, list):
            whole.value.append(value)
        elif whole.key is None:
            self._key(whole, value, line)
        elif whole.key == "<<":
            bases = value if isinstance(value, list) else [value]
            if not all(isinstance(base, dict) for base in bases):
                self._refuse(line, "<< takes a mapping")
            whole.merged += bases
            whole.key = None
        else:
            whole.value[whole.key] = value
            whole.key = None
        whole.parts += parts
        if whole.parts > MAX_PARTS:
            self._refuse(line, f"more than {MAX_PARTS:,} values; are aliases nested in aliases?")

    def _key(self, whole: _Open, value: Any, line: int) -> None:
        if isinstance(value, (dict, list)):
            self._refuse(line, "a key must be a text")
        key = str(value).lower() if isinstance(value, bool) else str(value)
        path = (*(one.key or "" for one in self._open[:-1]), key)
        if key in whole.value:
            self._refuse(line, f"{'.'.join(path)} stands there twice")
        whole.key = key
        if len(path) <= 2:
            self.lines[path] = line

    def _function(self, tag: str | None, value: Any, line: int) -> Any:
        if not tag or not tag.startswith("!") or tag == "!":
            return value
        name = SHORT.get(tag[1:])
        if name is None:
            self._refuse(line, f"no function is called {tag}")
        if name == "Fn::GetAtt" and isinstance(value, str):
            value = value.split(".", 1)
        return {name: value}

    def _refuse(self, line: int, says: str) -> Any:
        raise UsageError(f"{self.file}, line {line}: {says}.")


def scalar(event: Any) -> Any:
    """Return the value of a scalar: a number, a switch, nothing, or its text; a date is a text."""
    text: str = event.value
    tag = event.tag or ""
    if not event.implicit[0] and (event.style or tag.startswith("!") or tag.endswith(":str")):
        return text
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    if INTEGER.fullmatch(text) and len(text) < 20:
        return int(text)
    return float(text) if DECIMAL.fullmatch(text) else text


def _a(value: Any) -> str:
    return "a list" if isinstance(value, list) else "a single value"
