"""What a twin must do before it takes traffic: its whole page, and a write where its operator gives one."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from nospof.adapters.commands import ShellCommands
from nospof.errors import ProcedureFailed, UsageError
from nospof.model.answers import Answer
from nospof.model.requests import PairRequest
from nospof.planning.pages import ASSETS, assets_of
from nospof.procedures.pair import pair
from nospof.procedures.proving import At, verify, write_to
from nospof.procedures.registry import pair_plan
from nospof.runtime.memory import MemorySteps
from support.memory_world import memory_world, one_instance

PAGE = """
<!doctype html><link rel="stylesheet" href="/css/a.css?v=2"><link rel=canonical href="/elsewhere">
<script src="js/b.js#x"></script><script>var a = '<img src="/no.png">'</script>
<img src="//cdn.example/c.png"><img src="https://www.example.org/d.png"><img src="data:image/png;base64,AA">
<img src="/css/a.css?v=2"><img src="http://[broken/e.png"><img alt="none">
"""


def test_the_files_of_a_page_are_those_a_browser_asks_its_own_host_for():
    assert assets_of("http://10.0.0.1:8080/shop/index", PAGE) == (
        "http://10.0.0.1:8080/css/a.css?v=2",
        "http://10.0.0.1:8080/shop/js/b.js",
    )


def test_only_the_first_files_of_a_page_are_asked_for():
    many = "".join(f'<img src="/{n}.png">' for n in range(100))
    assert len(assets_of("http://a/", many)) == ASSETS


class Pages:
    """Eyes that see the same site everywhere, but for files that are missing at some places."""

    def __init__(self, missing: dict[str, set[str]]) -> None:
        self.missing = missing
        self.asked: list[str] = []

    def get(self, url: str, **_: object) -> Answer:
        self.asked.append(url)
        place, _, path = url.removeprefix("http://").partition("/")
        is_missing = path in self.missing.get(place.partition(":")[0], ())
        return Answer(url, 404 if is_missing else 200, 0.1, PAGE if path == "shop" else "")


def proved(missing_at_twin: set[str], missing_at_source: set[str]) -> tuple[str, list[str]]:
    cloud = one_instance()
    source, twin = cloud.the_instance, cloud.add_instance(tags={"Name": "twin"})
    eyes = Pages(
        {source.public_ip: missing_at_source, twin.public_ip: missing_at_twin, "lb": missing_at_twin}
    )
    request = PairRequest(source.id, health_path="/up", page="/shop")
    world = replace(memory_world(cloud), probe=eyes)
    return verify(world, twin.id, "http://lb:80", request, is_internal=False), eyes.asked


def test_the_page_and_its_files_are_asked_for_at_the_twin_first_and_then_through_the_balancer():
    said, asked = proved(set(), set())
    assert said.count("200 at http") == said.count("with 2 files") == 2
    places = [url.split("/")[2] for url in asked if url.endswith(".js")]
    assert len(places) == 2
    assert places[1] == "lb:80"


def test_c60_a_file_that_only_the_twin_lacks_stops_it():
    with pytest.raises(ProcedureFailed, match=r"twin answers 404 at http://\S+/js/b\.js, a part of its page"):
        proved({"js/b.js"}, set())


def test_a_file_that_the_source_lacks_as_well_is_told_and_no_fault_of_the_twin():
    assert "1 of which the source" in proved({"js/b.js"}, {"js/b.js"})[0]


# The write ----------------------------------------------------------------------------------------------


class Recorded:
    """Commands that come out as they are told to."""

    def __init__(self, *problems: str) -> None:
        self.problems = list(problems)
        self.ran: list[tuple[str, str]] = []

    def run(self, command: str, variables: dict[str, str], within_seconds: float) -> str:
        self.ran.append((command, variables["NOSPOF_TWIN_URL"]))
        return self.problems.pop(0) if self.problems else ""


def told(commands: Recorded | None, **request: str) -> list[str]:
    """Tell a pair; return the instances that were registered: both of them only where all went well."""
    cloud = one_instance()
    asked = PairRequest(cloud.the_instance.id, service="www", stateless=True, write_check="try it", **request)
    try:
        MemorySteps("run-1").tell(pair, replace(memory_world(cloud), commands=commands), asked)
    finally:
        (group,) = cloud.target_groups()
        registered = [one.instance_id for one in cloud.targets(group.arn)]
        assert len(registered) == (2 if commands and not commands.problems and len(commands.ran) == 2 else 1)
    return registered


def test_c60_the_command_is_run_at_the_twin_and_through_the_balancer_before_the_source_joins():
    commands = Recorded()
    assert len(told(commands)) == 2
    assert [command for command, _ in commands.ran] == ["try it"] * 2
    assert [".elb." in url for _, url in commands.ran] == [False, True]


def test_a_write_that_goes_wrong_at_the_twin_is_not_tried_through_the_balancer():
    commands = Recorded("it ended with 7: not written", "never")
    with pytest.raises(ProcedureFailed, match=r"write check failed at http.*7: not written.*no traffic"):
        told(commands)
    assert len(commands.ran) == 1


def test_where_nobody_may_run_it_the_twin_does_not_pass():
    with pytest.raises(ProcedureFailed, match="nothing was written"):
        told(None)


def test_a_twin_that_cannot_be_reached_does_not_pass():
    cloud = one_instance()
    world = replace(memory_world(cloud), commands=Recorded())
    with pytest.raises(ProcedureFailed, match="inside the network"):
        write_to(world, cloud.the_instance.id, At(81), "http://nowhere", "try it")


def test_the_plan_tells_the_page_and_the_command():
    cloud = one_instance()
    asked = PairRequest(
        cloud.the_instance.id, service="www", stateless=True, page="/shop", write_check="try it"
    )
    told_proof = pair_plan(memory_world(cloud), asked).details["before the source joins"]
    assert told_proof == "GET /shop of the twin, with its files; then 'try it' against it"
    with pytest.raises(UsageError, match="--page"):
        pair_plan(memory_world(cloud), replace(asked, page="shop"))


def test_a_command_that_ends_well_says_nothing_and_one_that_does_not_says_why():
    shell = ShellCommands()
    assert shell.run('test "$PLACE" = here', {"PLACE": "here"}, 10) == ""
    assert shell.run("echo no such; echo form >&2; exit 3", {}, 10) == "it ended with 3: no such form"


def test_a_command_that_does_not_end_is_ended_with_what_it_started():
    began = time.monotonic()
    assert ShellCommands().run("sleep 60 & sleep 60", {}, 0.2) == "it had not ended after 0.2 s"
    assert time.monotonic() - began < 20
