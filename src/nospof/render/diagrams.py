"""The services as diagrams in text: Graphviz DOT and Mermaid."""

from __future__ import annotations

from collections.abc import Iterator

from nospof.model.findings import AuditReport, Part, ServiceReport
from nospof.render.audit_drawing import label
from nospof.render.drawing import Drawing, drawing_of

RED, PALE = "#b3261e", "#fde7e5"


def render_dot(report: AuditReport) -> str:
    """Return the services as one Graphviz graph, a cluster for each and within it for each zone."""
    lines = [
        "digraph nospof {",
        "  rankdir=TB; compound=true; fontname=sans; labelloc=t;",
        '  node [shape=box, style="rounded,filled", fillcolor=white, fontname=sans];',
        f"  label={dot_text(report.verdict)};",
    ]
    for number, service in enumerate(report.services):
        lines += dot_service(number, service)
    return "\n".join([*lines, "}"])


def dot_service(number: int, service: ServiceReport) -> Iterator[str]:
    """Yield one service's cluster."""
    drawing = drawing_of(service)
    names = names_of(drawing, f"s{number}")
    yield f"  subgraph cluster_s{number} {{"
    yield f"    label={dot_text(service.name)};"
    for place, zone in enumerate(drawing.zones):
        yield f"    subgraph cluster_s{number}z{place} {{"
        colour = f"color={dot_text(RED)}; style=dashed;" if zone.is_single_point else "style=rounded;"
        yield f"      label={dot_text(label(zone, 'zone '))}; {colour}"
        yield from (
            f"      {names[one.id]} {dot_box(one)};" for one in drawing.boxes if one.zone == zone.zone
        )
        yield "    }"
    yield from (f"    {names[one.id]} {dot_box(one)};" for one in drawing.boxes if not one.zone)
    points = points_of(drawing)
    for user, used in drawing.links:
        cut = f" [style=dotted, color={dot_text(RED)}]" if used in points else ""
        yield f"    {names[user]} -> {names[used]}{cut};"
    yield "  }"


def dot_box(box: Part) -> str:
    """Return a node's attributes."""
    colour = f", color={dot_text(RED)}, fillcolor={dot_text(PALE)}" if box.is_single_point else ""
    return f"[label={dot_text(label(box))}{colour}]"


def dot_text(text: str) -> str:
    """Return text as DOT quotes it."""
    flat = " ".join(text.split())
    return '"' + flat.replace("\\", "\\\\").replace('"', '\\"') + '"'


def render_mermaid(report: AuditReport) -> str:
    """Return the services as one Mermaid flowchart."""
    lines = ["flowchart TB"]
    for number, service in enumerate(report.services):
        lines += mermaid_service(number, service)
    lines.append(f"  classDef point fill:{PALE},stroke:{RED},stroke-width:2px,color:#1d1b20")
    return "\n".join(lines)


def mermaid_service(number: int, service: ServiceReport) -> Iterator[str]:
    """Yield one service's subgraph."""
    drawing = drawing_of(service)
    names = names_of(drawing, f"s{number}")
    yield f"  subgraph s{number}[{mermaid_text(service.name)}]"
    for place, zone in enumerate(drawing.zones):
        yield f"    subgraph s{number}z{place}[{mermaid_text(label(zone, 'zone '))}]"
        yield from (
            f"      {mermaid_box(names[one.id], one)}" for one in drawing.boxes if one.zone == zone.zone
        )
        yield "    end"
        if zone.is_single_point:
            yield f"    class s{number}z{place} point"
    yield from (f"    {mermaid_box(names[one.id], one)}" for one in drawing.boxes if not one.zone)
    points = points_of(drawing)
    for user, used in drawing.links:
        yield f"    {names[user]} {'-.->' if used in points else '-->'} {names[used]}"
    yield "  end"


def mermaid_box(name: str, box: Part) -> str:
    """Return a node."""
    return f"{name}[{mermaid_text(label(box))}]{':::point' if box.is_single_point else ''}"


def mermaid_text(text: str) -> str:
    """Return text as Mermaid quotes it: what it could take for markup, as entities."""
    flat = " ".join(text.split()) or " "
    return (
        '"' + "".join(one if one.isalnum() or one in " .-_,:✗/()" else f"#{ord(one)};" for one in flat) + '"'
    )


def names_of(drawing: Drawing, before: str) -> dict[str, str]:
    """Return a plain name for each box."""
    return {one.id: f"{before}n{number}" for number, one in enumerate(drawing.boxes)}


def points_of(drawing: Drawing) -> set[str]:
    """Return the ids of the single points."""
    return {one.id for one in drawing.boxes if one.is_single_point}
