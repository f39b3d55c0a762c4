"""Where a resource stands in the .tf files beside a plan: a plan itself has no lines."""

from __future__ import annotations

import re
from pathlib import Path

from nospof.adapters.iac.terraform.resources import bare, within
from nospof.model.findings import Location

MAX_FILES = 2_000
MAX_BYTES = 1_000_000
DEEPEST = 20
"""Modules in modules; deeper ones are not looked for."""

_RESOURCE = re.compile(r'^\s*(resource|data)\s+"([^"]+)"\s+"([^"]+)"', re.MULTILINE)
_MODULE = re.compile(r'^\s*module\s+"([^"]+)"\s*\{(.*?)^\s*\}', re.MULTILINE | re.DOTALL)
_SOURCE = re.compile(r'^\s*source\s*=\s*"(\.{1,2}/[^"]*)"', re.MULTILINE)


class Lines:
    """Finds the file and line of resources, as far as the files are there.

    Args:
        directory: where the root module stands; modules are followed by paths of this disk.
    """

    def __init__(self, directory: Path) -> None:
        self._places: dict[str, Location] = {}
        self._number = 0
        waiting = [("", directory, 0)]
        seen: set[tuple[str, Path]] = set()
        while waiting and self._number < MAX_FILES:
            module, where, depth = waiting.pop(0)
            if (module, where) in seen or depth > DEEPEST:
                continue
            seen.add((module, where))
            for name, source in self._read(module, where):
                waiting.append((within(module, f"module.{name}"), where / source, depth + 1))

    def of(self, address: str) -> Location:
        """Return where the resource of an address stands; an empty place when no file tells."""
        return self._places.get(bare(address), Location())

    def _read(self, module: str, where: Path) -> list[tuple[str, str]]:
        """Note the resources of a module, and return the modules it calls by a path."""
        calls: list[tuple[str, str]] = []
        try:
            files = sorted(where.glob("*.tf"))
        except OSError:
            return calls
        for file in files[: MAX_FILES - self._number]:
            self._number += 1
            try:
                if not file.is_file() or file.stat().st_size > MAX_BYTES:
                    continue
                text = file.read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            for match in _RESOURCE.finditer(text):
                form, kind, name = match.groups()
                own = f"{'data.' if form == 'data' else ''}{kind}.{name}"
                line = text.count("\n", 0, match.start(1)) + 1
                self._places.setdefault(within(module, own), Location(str(file), line))
            found = ((match[1], _SOURCE.search(match[2])) for match in _MODULE.finditer(text))
            calls += [(name, source[1]) for name, source in found if source]
        return calls
