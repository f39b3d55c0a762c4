"""A load as a picture."""

from xml.etree import ElementTree

from nospof.model.drill import LoadProgress
from nospof.model.sight import LoadSeen
from nospof.render.plot import draw_load

SVG = "{http://www.w3.org/2000/svg}"


def seen(seconds, one, other, failed=0, phase="before the fault"):
    due = one + other + failed
    return LoadSeen(phase, LoadProgress(float(seconds), due, one + other, failed, {"i-a": one, "i-b": other}))


KILLED = (
    seen(0, 0, 0),
    seen(1, 100, 100),
    seen(2, 150, 200, 50, "broken, not noticed yet"),
    seen(3, 150, 400, 50, "broken, noticed"),
    seen(4, 250, 500, 50, "after the fault"),
)


def drawn(loads):
    return ElementTree.fromstring(draw_load(loads))  # noqa: S314 - our own text


def paths(loads, kind):
    return [one.get("d") for one in drawn(loads).iter(f"{SVG}path") if one.get("class") == kind]


def test_there_is_nothing_to_draw_before_time_has_passed():
    assert draw_load(()) == ""
    assert draw_load(KILLED[:1]) == ""
    assert draw_load((KILLED[0], KILLED[0])) == ""


def test_each_instance_has_an_area_and_what_failed_another_on_top():
    assert (len(paths(KILLED, "served")), len(paths(KILLED, "failed"))) == (2, 1)
    assert paths(KILLED[:2], "failed") == []
    says = drawn(KILLED).findtext(f"{SVG}title")
    assert says == "800 requests in 4 s, 50 failed"


def test_an_area_is_as_high_as_the_rate_and_empty_while_its_instance_answers_nothing():
    heights = []
    for part in paths(KILLED, "served")[0].split("Z")[:-1]:
        below, above = part.split("V")[0].split(" ")[1], part.split("V")[1].split("H")[0]
        heights.append(float(below) - float(above))
    assert heights[0] == 2 * heights[1] == heights[3] > 0
    assert heights[2] == 0


def test_each_phase_is_named_where_it_begins():
    text = [one.text for one in drawn(KILLED).iter(f"{SVG}text")]
    for phase in ("before the fault", "broken, not noticed yet", "broken, noticed", "after the fault"):
        assert text.count(phase) == 1
    assert {"0/s", "100/s", "200/s", "0 s", "2 s", "4 s", "i-a", "i-b", "failed"} <= {*text}


def test_what_an_instance_calls_itself_is_no_markup():
    load = LoadProgress(1.0, 5, 5, 0, {"<script>": 5, "": 1})
    svg = draw_load((seen(0, 0, 0), LoadSeen("<b>", load)))
    assert "<script>" not in svg
    assert "<b>" not in svg
    assert "no name given" in svg


def test_an_instance_that_calls_itself_failed_has_not():
    before = LoadSeen("before", LoadProgress(0.0, 0, 0, 0, {"failed": 0}))
    now = LoadSeen("before", LoadProgress(1.0, 5, 5, 0, {"failed": 5}))
    assert len(paths((before, now), "served")) == 1
    assert paths((before, now), "failed") == []


def test_what_failed_is_named_however_many_have_answered():
    many = {f"i-{number}": 5 for number in range(9)}
    loads = (seen(0, 0, 0), LoadSeen("before", LoadProgress(1.0, 45, 45, 0, many)))
    assert [one.text for one in drawn(loads).iter(f"{SVG}text")].count("failed") == 1
