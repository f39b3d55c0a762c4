"""What the console's pages show of an account, and what stands in their fields."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from nospof.audit.question import Question
from nospof.audit.reporting import build_report
from nospof.console.api import glance
from nospof.console.pages import MOST_WHOLE, PAGES, TYPED, typed, value_of, worst_first
from nospof.services.asking import asked_procedures, described
from support.estates import account, instance


@pytest.fixture(scope="module")
def report():
    """Of an account with more services than a page has room for."""
    many = [instance(f"web{number:02}", "eu-west-1a", Tags=[]) for number in range(MOST_WHOLE + 5)]
    return build_report(replace(account(*many), read_at=1_800_000_000), Question())


def test_a_page_has_the_worst_services_whole_and_names_the_others(report):
    well = replace(report.services[0], name="well", findings=())
    services = (well, *report.services)
    whole, others = worst_first(services)
    assert len(whole) == MOST_WHOLE
    assert (others[-1].name, len(whole) + len(others)) == ("well", len(services))
    text = PAGES.get_template("audit.html").render(
        title="Audit",
        role="viewer",
        parts=[],
        here="",
        place="",
        what_if="",
        services=[],
        unread=[],
        others=[glance(one).model_dump() for one in others],
        verdict="",
        mood="bad",
        read_at=0.0,
    )
    assert text.count("<li><a href=") == len(others) == 6
    assert f"<h2>{len(others)} more</h2>" in text


def test_a_link_says_which_one_and_agrees_to_nothing():
    link = SimpleNamespace(
        query_params={"instance_id": "i-1", "live": "true", "write_check": "rm -rf /", "port": "1"}
    )
    fields = {one["name"]: value_of(one, link) for one in described("pair")["fields"] if one["type"] in TYPED}
    assert (fields["instance_id"], fields["live"], fields["write_check"], fields["port"]) == (
        "i-1",
        False,
        "",
        "80",
    )


def test_several_are_typed_with_commas():
    assert [typed(one) for one in ((10, 50), (), None, 80, "x")] == ["10, 50", "", "", "80", "x"]


def test_every_field_can_be_typed_but_what_has_parts_of_its_own():
    left = {
        (name, one["name"])
        for name in asked_procedures()
        for one in described(name)["fields"]
        if one["type"] not in TYPED
    }
    assert left == {("drill", "writes")}
