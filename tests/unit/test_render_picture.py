"""The pictures: every part is there, nothing overlaps, single points are marked, links lead to boxes."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import combinations
from xml.etree import ElementTree

from hypothesis import HealthCheck, given, settings

from nospof.audit.linking import links_between
from nospof.model.findings import Part
from nospof.model.topology import AllOf, AnyOf, Node, On, Topology
from nospof.render.diagrams import render_dot, render_mermaid
from nospof.render.drawing import MOST_BOXES, drawing_of
from nospof.render.picture import COLUMN, draw_svg, place_all
from support.audit_reports import HOSTILE, fleet, services, single_database

SVG = "{http://www.w3.org/2000/svg}"
few = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def svg(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314 - our own text


@few
@given(services)
def test_any_service_is_drawn_with_every_box_once_and_no_two_overlapping(service):
    drawing = drawing_of(service)
    placed, _, height = place_all(drawing, COLUMN)
    assert set(placed) == {one.id for one in drawing.boxes}
    for first, second in combinations(placed.values(), 2):
        apart = (
            first.x + first.width <= second.x
            or second.x + second.width <= first.x
            or first.bottom <= second.y
            or second.bottom <= first.y
        )
        assert apart
    assert all(one.bottom <= height for one in placed.values())
    picture = svg(draw_svg(service))
    boxes = [one for one in picture.iter(f"{SVG}g") if one.get("class", "").startswith("box")]
    assert len(boxes) == len(drawing.boxes)
    assert sum("point" in one.get("class", "") for one in boxes) == sum(
        one.is_single_point for one in drawing.boxes
    )
    room = float(picture.get("width", "0"))
    assert all(
        float(one.get("x", "0")) + float(one.get("width", "0")) <= room for one in picture.iter(f"{SVG}rect")
    )


def test_single_points_are_marked_by_more_than_colour_and_failing_zones_are_hatched():
    text = draw_svg(single_database().services[0])
    assert "✗ database orders" in text
    assert "✗ zone eu-west-1a" in text
    assert text.count('fill="url(#hatch-0)"') == 1
    assert text.count('class="link cut"') == 2
    assert text.count('class="link lost"') == 1
    assert "1 marked red" not in text
    assert "2 marked red" in text


def test_a_name_too_long_is_cut_and_whole_in_the_title():
    (service,) = single_database().services
    name = "a-name-that-nobody-can-read-" * 6
    text = draw_svg(replace(service, parts=(*service.parts, Part("instance", "eu-west-1a", name)), links=()))
    picture = svg(text)
    assert name in [one.text for one in picture.iter(f"{SVG}title")]
    assert max(len(one.text or "") for one in picture.iter(f"{SVG}text")) < 40


def test_a_line_passes_by_what_stands_in_its_way():
    text = draw_svg(single_database().services[0])
    paths = re.findall(r'class="link" d="(M[^"]+)"', text)
    assert any("H" in path and "V" in path and "C" not in path for path in paths)


def test_more_than_a_page_holds_is_drawn_as_classes_and_single_points_by_name():
    (service,) = fleet().services
    drawing = drawing_of(service)
    assert len(drawing.boxes) == 5
    assert {one.name for one in drawing.boxes} == {"shop", "30 instances", "batch"}
    assert len(drawing.links) == 4
    (small,) = fleet(MOST_BOXES - 2).services
    assert len(drawing_of(small).boxes) == MOST_BOXES


def test_parts_with_the_same_id_are_still_different_boxes():
    (service,) = single_database().services
    twins = (Part("instance", "a", "one", id="x"), Part("instance", "b", "one", id="x"))
    drawing = drawing_of(replace(service, parts=twins, links=(("x", "x"),)))
    assert [one.id for one in drawing.boxes] == ["x", "x#2"]
    assert drawing.links == ()
    assert [one.name for one in drawing.zones] == ["a", "b"]


@few
@given(services)
def test_diagrams_name_every_box_and_quote_everything(service):
    report = replace(single_database(), services=(service,))
    drawing = drawing_of(service)
    dot, mermaid = render_dot(report), render_mermaid(report)
    for number in range(len(drawing.boxes)):
        assert re.search(rf"^ +s0n{number} \[label=", dot, re.MULTILINE)
        assert re.search(rf"^ +s0n{number}\[", mermaid, re.MULTILINE)
    assert dot.count(" -> ") >= len(drawing.links)
    outside = re.sub(r'"(?:[^"\\]|\\.)*"', "", dot)
    assert outside.count("{") == outside.count("}")
    assert '"' not in outside
    assert "<" not in outside
    plain = re.sub(r'"[^"]*"', "", mermaid)
    assert '"' not in plain
    assert "<" not in mermaid


def test_diagrams_mark_the_single_points():
    dot, mermaid = render_dot(single_database()), render_mermaid(single_database())
    assert re.search(r'\[label="✗ database orders", color="#b3261e"', dot)
    assert dot.count("style=dotted") == 2
    assert ":::point" in mermaid
    assert mermaid.count("-.->") == 2


def test_a_hostile_name_stays_a_name_in_every_picture():
    (service,) = single_database().services
    hostile = replace(service, name=HOSTILE, parts=tuple(replace(one, name=HOSTILE) for one in service.parts))
    assert "<script" not in draw_svg(hostile)
    svg(draw_svg(hostile))


# Links ------------------------------------------------------------------------------------------


def test_links_go_through_what_is_not_drawn():
    nodes = (
        Node("entry", On("group")),
        Node("group", AnyOf((On("target-1"), On("target-2")))),
        Node("target-1", On("web-1")),
        Node("target-2", On("web-2")),
        Node("web-1", AllOf((On("disk"),)), blind=On("files")),
        Node("web-2", On("web-1")),
        Node("disk"),
        Node("files"),
    )
    drawn = ("entry", "web-1", "web-2", "files", "nobody")
    assert links_between(Topology("entry", nodes), drawn) == (
        ("entry", "web-1"),
        ("entry", "web-2"),
        ("web-1", "files"),
        ("web-2", "web-1"),
    )


def test_links_in_a_circle_come_to_an_end():
    nodes = (Node("a", On("b")), Node("b", On("c")), Node("c", On("b")))
    assert links_between(Topology("a", nodes), ("a",)) == ()
    assert links_between(Topology("a", nodes), ("a", "c")) == (("a", "c"),)


def test_a_backslash_does_not_end_a_quoted_name():
    (service,) = single_database().services
    parts = (Part("instance", "a", 'last \\" ] evil'), Part("instance", "a", "ends with \\"))
    dot = render_dot(replace(single_database(), services=(replace(service, parts=parts, links=()),)))
    assert r'[label="last \\\" ] evil"]' in dot
    assert r'[label="ends with \\"]' in dot
