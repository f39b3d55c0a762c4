"""The faces of the audit's report, by the name that --format takes; each is imported when it is asked for.

The same report gives the same bytes, in every one of them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # every command imports this package, and only some the audit's words
    from nospof.model.findings import AuditReport

Renderer = Callable[..., str]
"""Takes a report; the text takes `pairs` too."""


def later(module: str, name: str) -> Renderer:
    """Return a renderer that imports its module when it is called."""

    def render(report: AuditReport, **options: bool) -> str:
        renderer: Renderer = getattr(importlib.import_module(module), name)
        return renderer(report, **options)

    return render


RENDERERS: dict[str, Renderer] = {
    "text": later("nospof.render.audit_text", "render_text"),
    "json": later("nospof.render.documents", "render_json"),
    "jsonl": later("nospof.render.documents", "render_jsonl"),
    "sarif": later("nospof.render.sarif", "render_sarif"),
    "junit": later("nospof.render.junit", "render_junit"),
    "html": later("nospof.render.page", "render_html"),
    "dot": later("nospof.render.diagrams", "render_dot"),
    "mermaid": later("nospof.render.diagrams", "render_mermaid"),
}
