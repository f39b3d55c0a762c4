"""Where a resource stands in the .tf files beside a plan: a plan itself has no lines."""

from __future__ import annotations

import re
from pathlib import Path

from nospof.model.findings import Location

BLOCK = re.compile(r'^\s*resource\s+"([^"]+)"\s+"([^"]+)"', re.MULTILINE)
LONGEST = 1_000_000


def source_lines(directory: Path) -> dict[tuple[str, str], Location]:
    """Return where each resource stands, by type and name; what stands in two places is left out."""
    found: dict[tuple[str, str], Location | None] = {}
    for file in sorted(directory.glob("*.tf")):
        try:
            text = file.read_text(encoding="utf-8", errors="replace")[:LONGEST]
        except OSError:
            continue
        for match in BLOCK.finditer(text):
            key = (match[1], match[2])
            line = text.count("\n", 0, match.start(1)) + 1
            found[key] = None if key in found else Location(str(file), line)
    return {key: place for key, place in found.items() if place is not None}
