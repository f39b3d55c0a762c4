"""The audit as text and JSON: the same account, the same bytes."""

from __future__ import annotations

import json
from dataclasses import replace

from nospof.model.findings import Part
from nospof.render.audit_drawing import draw
from nospof.render.audit_text import render_text
from nospof.render.documents import render_json
from nospof.services.audit import audit_estate
from support.audit_accounts import ZONES, Pair, audit, finding, one_instance, read


def test_same_account_same_bytes() -> None:
    first, second = Pair((ZONES[0], ZONES[0])).cloud, Pair((ZONES[0], ZONES[0])).cloud
    assert render_text(audit(first)) == render_text(audit(second))
    assert render_json(audit(first)) == render_json(audit(second))


def test_order_of_the_answers_changes_nothing() -> None:
    cloud = Pair((ZONES[0], ZONES[0])).cloud
    estate = read(cloud)
    turned = replace(estate, items={kind: each[::-1] for kind, each in reversed(estate.items.items())})
    assert render_json(audit_estate(turned)) == render_json(audit_estate(estate))


def test_a_fingerprint_survives_what_is_not_its_identity() -> None:
    pair = Pair()
    pair.cloud.stop_instance(pair.ids[1])
    pair.cloud.clock.sleep(60)
    now = finding(audit(pair.cloud), "NSP101")
    pair.cloud.deregister(pair.group.arn, pair.ids[1], 80)
    pair.cloud.clock.sleep(600)
    configured = finding(audit(pair.cloud), "NSP101")
    assert now.time != configured.time
    assert now.fingerprint == configured.fingerprint


def test_text_fits_the_page_and_marks_the_single_points() -> None:
    cloud = one_instance()
    cloud.announce(cloud.the_instance.id)
    text = render_text(audit(cloud))
    assert text.startswith("3 single points of failure and 3 other findings in 1 service")
    assert "✗ zone eu-central-1a" in text
    assert f"$ nospof clone {cloud.the_instance.id}" in text
    long = [line for line in text.splitlines() if len(line) > 100 and "$ " not in line]
    assert all(line.startswith("         ") for line in long)
    assert text.count("[critical]") == 3


def test_json_says_everything_with_its_schema() -> None:
    document = json.loads(render_json(audit(one_instance())))
    assert document["schema"] == "nospof.audit/1"
    assert document["exit_code"] == 10
    assert document["complete"] is False
    found = document["services"][0]["findings"][0]
    assert found["rule"] == "NSP101"
    assert found["slug"] == "serving/single-instance"
    assert len(found["fingerprint"]) == 64
    assert found["share"] == 1.0
    assert found["proof"][0] == {"depth": 0, "says": "service site stops, because this stops:"}


def test_zones_with_nothing_but_a_balancer_share_a_line_and_a_broken_one_keeps_its_column() -> None:
    names = [f"z-{letter}" for letter in "abcdef"]
    zones = [Part("zone", name, name) for name in names]
    legs = [Part("balancer", name, "balancer www") for name in names]
    machines = [Part("instance", "z-a", "one"), Part("instance", "z-b", "two")]
    drawn = draw((*zones, *legs, *machines))
    assert "and in z-c, z-d, z-e, z-f" in drawn
    assert max(map(len, drawn.splitlines())) <= 100

    broken = [replace(zone, is_single_point=zone.name == "z-f") for zone in zones]
    drawn = draw((*broken, *legs, *machines))
    assert "and in z-c, z-d, z-e " in drawn
    assert "✗ zone z-f" in drawn
    assert "and in" not in draw((*zones[:3], *legs[:3], *machines))
