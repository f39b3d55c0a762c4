"""The web API and the command line are asked the same, and a run goes on whoever dies."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.balanced import announced
from support.local_cloud import RunningCloud
from support.served import Served, served
from support.site import Site
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud

READ_AT = "read_at"


@pytest.fixture(scope="module")
def shop(local_cloud: RunningCloud) -> list[str]:
    return announced(local_cloud, "shop")


@pytest.fixture
def server(site: Site) -> Iterator[Served]:
    with served(site) as one:
        yield one


def told(answer: Any) -> Any:
    """Return an answer without when it was read."""
    if isinstance(answer, dict):
        return {key: told(value) for key, value in answer.items() if key != READ_AT}
    return [told(one) for one in answer] if isinstance(answer, list) else answer


def printed(site: Site, *command: str) -> Any:
    return json.loads(site.nospof(*command, "--format", "json").stdout)


def a_clone(instance_id: str) -> dict[str, Any]:
    return {"instance_id": instance_id, "port": 8080, "path": "/health", "allow_address_change": True}


def test_both_faces_answer_the_same(server: Served, shop: list[str]) -> None:
    site = server.site
    assert told(server.api("audit")) == told(printed(site, "audit"))
    assert told(server.api("events")) == told(printed(site, "maintain", "events"))
    what_if = "fail zone:us-east-1a"
    supposed = server.api(f"audit?what_if={what_if.replace(' ', '%20')}")
    assert told(supposed) == told(printed(site, "audit", "--what-if", what_if))
    (listed,) = [one for one in server.api("services")["services"] if one["name"] == "shop"]
    assert sorted(listed["members"]) == sorted(shop)
    picture = server.ask("GET", "/api/v1/services/shop/picture.svg")
    assert (picture[0], picture[1][:4]) == (200, "<svg")

    order = {"procedure": "clone", "request": a_clone(shop[0])}
    status, plan = server.ask("POST", "/api/v1/plans", order)
    asked = ("--port", "8080", "--path", "/health", "--allow-address-change")
    assert (status, plan) == (200, printed(site, "clone", shop[0], *asked, "--plan"))

    # And the same refusals, with the code that the command ends with.
    for path, command in (
        ("services/nobody/data", ("data", "status", "nobody")),
        ("runs/clone-1", ("runs", "show", "clone-1")),
    ):
        status, said = server.ask("GET", f"/api/v1/{path}")
        done = site.nospof(*command, "--format", "json")
        assert said == json.loads(done.stdout), (status, said)
        assert said["error"]["exit_code"] == done.returncode


def events_of(server: Served, run_id: str) -> Iterator[tuple[str, Any]]:
    """Yield the events of a run as they come."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    headers = {"Authorization": f"Bearer {server.tokens['viewer']}"}
    try:
        connection.request("GET", f"/api/v1/runs/{run_id}/events", headers=headers)
        with connection.getresponse() as answer:
            assert answer.status == 200
            kind = ""
            for line in answer:
                name, _, value = line.decode().strip().partition(": ")
                if name == "event":
                    kind = value
                elif name == "data":
                    yield kind, json.loads(value)
    finally:
        connection.close()


def test_a_run_that_was_asked_for_is_begun_once_followed_and_goes_on_where_the_server_is_killed(
    site: Site,
) -> None:
    source = site.launch("asked")
    with served(site) as first:
        run_id = first.begin("clone", a_clone(source), "one")
        assert first.begin("clone", a_clone(source), "one") == run_id
        status, said = first.ask(
            "POST",
            "/api/v1/runs",
            {"procedure": "clone", "request": {**a_clone(source), "port": 80}},
            Idempotency_Key="one",
        )
        assert (status, said["error"]["exit_code"]) == (400, 2)
        eventually(lambda: first.api(f"runs/{run_id}")["steps"], "it has begun")
        first.kill()
    with served(site) as second:
        seen = list(events_of(second, run_id))
        assert [kind for kind, _ in seen[-2:]] == ["run", "end"]
        assert {kind for kind, _ in seen} == {"now", "run", "end"}
        assert seen[-2][1]["state"] == "done", seen[-2]
        assert len(site.answer("runs", "list")) == 1
        assert second.api(f"runs/{run_id}") == site.answer("runs", "show", run_id)
        assert "take the image with the source off" in second.api(f"runs/{run_id}/log")
        assert [one["id"] for one in second.api("runs")["runs"]] == [run_id]
        deeds = second.api("deeds")["deeds"]
    assert [(one["did"], one["status"], one["run_id"]) for one in deeds] == [
        ("POST /api/v1/runs", 400, ""),
        ("POST /api/v1/runs", 202, run_id),
        ("POST /api/v1/runs", 202, run_id),
    ]


def test_what_is_stopped_is_resumed_and_what_was_refused_says_why(site: Site) -> None:
    source = site.launch("stopped")
    with served(site) as server:
        run_id = server.begin("clone", a_clone(source), "a")
        eventually(lambda: server.api(f"runs/{run_id}")["state"] == "running", "it runs")
        status, said = server.ask("POST", f"/api/v1/runs/{run_id}/stop")
        assert (status, said) == (202, {"run_id": run_id, "state": "running"})
        assert server.ended(run_id)["state"] == "interrupted"
        assert server.ask("POST", f"/api/v1/runs/{run_id}/resume", Idempotency_Key="b")[0] == 202
        eventually(lambda: server.api(f"runs/{run_id}")["state"] == "done", "it is done", timeout_seconds=120)
        status, said = server.ask("POST", f"/api/v1/runs/{run_id}/resume", Idempotency_Key="c")
        assert (status, said["error"]["kind"]) == (409, "PreconditionFailed")

        refused = server.begin("clone", {"instance_id": "i-0123456789abcdef0"}, "d")
        ended = server.ended(refused)
        assert ended["state"] == "refused"
        assert "i-0123456789abcdef0" in ended["error"]


def test_what_a_run_made_is_taken_apart_as_a_run_of_its_own(site: Site) -> None:
    source = site.launch("undone")
    with served(site) as server:
        run_id = server.begin("clone", a_clone(source), "a")
        twin = server.ended(run_id)["result"]["twin"]["id"]
        status, plan = server.ask("POST", f"/api/v1/runs/{run_id}/undo/plan", {})
        assert (status, plan) == (200, printed(site, "runs", "undo", run_id, "--plan"))
        status, said = server.ask("POST", f"/api/v1/runs/{run_id}/undo", {}, Idempotency_Key="b")
        assert status == 202, said
        assert server.ended(said["run_id"])["state"] == "done"
        assert site.state(source) == "running"
        assert twin in str(plan)
        status, said = server.ask("POST", f"/api/v1/runs/{said['run_id']}/undo", {}, Idempotency_Key="c")
        assert (status, said["error"]["exit_code"]) == (400, 2)


def test_a_worker_of_its_own_does_what_was_asked_and_no_other(site: Site) -> None:
    source = site.launch("worked")
    with served(site, "--no-worker") as server:
        run_id = server.begin("clone", a_clone(source), "a")
        page = server.api("runs")
        assert [(one["id"], one["state"]) for one in page["runs"]] == [(run_id, "waiting")]
        worker = site.start("worker")
        try:
            assert server.ended(run_id)["state"] == "done"
        finally:
            worker.kill()
            worker.communicate()


def test_what_cannot_be_begun_says_why_and_is_tried_once(site: Site) -> None:
    with served(site, "--no-worker") as server:
        run_id = server.begin("clone", a_clone("i-0123456789abcdef0"), "a")
        worker = site.start("worker", "--region", "us-west-2")
        try:
            ended = server.ended(run_id)
        finally:
            worker.kill()
            worker.communicate()
    assert (ended["state"], ended["attempts"]) == ("refused", 1)
    assert f"{run_id} is about 123456789012/us-east-1, and this is 123456789012/us-west-2" in ended["error"]
    assert site.answer("runs", "list") == []
