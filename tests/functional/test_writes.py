"""Acknowledged writes are read back: a site that loses or doubles them is caught, an honest one is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nospof.adapters.clock import SystemClock
from nospof.adapters.http.process import HttpLoadGenerator
from nospof.adapters.memory.cloud import MemoryCloud
from nospof.errors import NospofError, PreconditionFailed
from nospof.model.drill import LoadSpec, Objective
from nospof.model.writes import WriteSpec, WriteVerdict, WriteWish
from nospof.ports.world import World
from nospof.procedures import writing
from nospof.procedures.writing import Place, refuse_unless_taken, verdicts_on, wait_until_taken
from support.addresses import new_address
from support.memory_world import memory_world
from support.waiting import eventually
from support.writing_site import WritingSite, writing_site

WISH = WriteWish("/entries", rate_per_second=100)
PAGES = WriteWish(
    "/pages/{id}.png",
    method="PUT",
    body="\x89PNG\xff {id}",
    content_type="image/png",
    encoding="latin-1",
    rate_per_second=100,
)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(writing, "SETTLE_SECONDS", 1.0)
    monkeypatch.setattr(writing, "READABLE_SECONDS", 1.0)
    clock = SystemClock()
    return replace(memory_world(MemoryCloud()), clock=clock, load=HttpLoadGenerator(), poll_seconds=0.05)


def killed_once(world: World, site: WritingSite, *places: Place, wish: WriteWish = WISH) -> WriteVerdict:
    """Write, kill the site meanwhile and start it again, write on, and judge."""
    with writing.writing(world, site.url, (wish,), seconds=60.0) as written:
        run = written[0].run
        eventually(lambda: run.snapshot().served > 50)
        site.kill()
        failed = run.snapshot().failed
        eventually(lambda: run.snapshot().failed > failed)
        site.start()
        wait_until_taken(world, written)
        before = run.snapshot().served
        eventually(lambda: run.snapshot().served > before + 50)
        (verdict,) = verdicts_on(world, written, (Place("the service", site.url), *places), Objective())
    return verdict


def test_an_honest_site_that_is_killed_loses_nothing(world: World, tmp_path: Path) -> None:
    with writing_site(new_address(), tmp_path / "entries") as site:
        verdict = killed_once(world, site)
    assert verdict.passed, verdict.says
    assert verdict.acknowledged > 100
    assert verdict.acknowledged + verdict.failed == verdict.total
    assert (verdict.lost, verdict.duplicates) == ({}, {})
    kept = (tmp_path / "entries").read_text().split()
    assert len(kept) == verdict.acknowledged + verdict.kept_unacknowledged


def test_a_site_that_acknowledges_before_it_keeps_is_caught_losing(world: World, tmp_path: Path) -> None:
    with writing_site(new_address(), tmp_path / "entries", "early") as site:
        verdict = killed_once(world, site)
    assert not verdict.passed
    missing = verdict.lost["the service"]
    assert 0 < len(missing) < verdict.acknowledged
    assert not set(missing) & set((tmp_path / "entries").read_text().split())
    assert "acknowledged writes are not at the service: nospof-" in verdict.says


def test_a_site_that_writes_twice_is_caught_doubling(world: World, tmp_path: Path) -> None:
    with writing_site(new_address(), tmp_path / "entries", "twice") as site:
        verdict = killed_once(world, site)
    assert not verdict.passed
    assert verdict.lost == {}
    assert len(verdict.duplicates["the service"]) >= verdict.acknowledged


def test_a_member_that_does_not_have_what_another_acknowledged_is_caught(
    world: World, tmp_path: Path
) -> None:
    with (
        writing_site(new_address(), tmp_path / "entries") as site,
        writing_site(new_address(), tmp_path / "elsewhere") as other,
    ):
        verdict = killed_once(world, site, Place("i-other", other.url))
    assert len(verdict.lost["i-other"]) == verdict.lost_count == verdict.acknowledged
    assert not verdict.passed


def test_a_member_that_cannot_be_asked_is_told_of_and_loses_nothing(world: World, tmp_path: Path) -> None:
    with writing_site(new_address(), tmp_path / "entries") as site:
        verdict = killed_once(world, site, Place("i-gone", f"http://{new_address()}:8080"))
    assert verdict.passed
    assert verdict.warnings[0].startswith("not read back from i-gone: ")
    assert "connection refused" in verdict.warnings[0]


@pytest.mark.parametrize(
    ("mode", "wish", "says"),
    [
        ("full", WISH, "were answered well before anything was broken"),
        ("honest", replace(WISH, body='{"id": "always the same"}'), "name a page that lists the id of each"),
        ("honest", replace(PAGES, read_path="/pages/{id}.gif"), "or with {id} in it the page that is each"),
        ("cutting", PAGES, "or with {id} in it the page that is each"),
    ],
    ids=["takes nothing", "lists nothing", "has no pages", "has other pages"],
)
def test_nothing_is_broken_where_writes_would_prove_nothing(
    world: World, tmp_path: Path, mode: str, wish: WriteWish, says: str
) -> None:
    with (
        writing_site(new_address(), tmp_path / "entries", mode) as site,
        writing.writing(world, site.url, (wish,), seconds=60.0) as written,
    ):
        eventually(lambda: written[0].run.snapshot().due > 20)
        eventually(lambda: written[0].run.snapshot().in_flight < 10)
        with pytest.raises(PreconditionFailed, match=says):
            refuse_unless_taken(world, written, site.url)


@pytest.mark.parametrize(("mode", "is_kept"), [("honest", True), ("cutting", False)])
def test_what_has_a_page_each_is_read_there_byte_for_byte(
    world: World, tmp_path: Path, mode: str, is_kept: bool
) -> None:
    with writing_site(new_address(), tmp_path / "entries", mode) as site:
        verdict = killed_once(world, site, Place("i-a", site.url), wish=PAGES)
    assert verdict.passed == is_kept, verdict.says
    assert verdict.acknowledged > 100
    assert verdict.lost_count == (0 if is_kept else verdict.acknowledged)
    (page, *_) = tmp_path.glob("page-nospof-*-0.png")
    id_ = page.name.removeprefix("page-").removesuffix(".png")
    assert page.read_bytes() == b"\x89PNG\xff " + id_.encode()[: None if is_kept else -1]


def test_a_page_that_cannot_be_read_is_no_page_that_is_not_there(tmp_path: Path) -> None:
    spec = LoadSpec("http://127.0.0.1/", 1.0, 1.0, method="PUT", writes=WriteSpec("w", "{id}"))
    for mode in ("honest", "full"):
        with writing_site(new_address(), tmp_path / "entries", mode) as site:
            (tmp_path / "page-w-1").write_text("w-1")
            pages = f"{site.url}/pages/{{id}}"
            if mode == "honest":
                assert HttpLoadGenerator().read_back(spec, pages, ("w-1", "w-2")) == ("w-1",)
            else:
                with pytest.raises(NospofError, match="answers 503: whether it is kept is not known"):
                    HttpLoadGenerator().read_back(spec, pages, ("w-1", "w-2"))


def test_a_good_status_that_was_not_agreed_on_acknowledges_nothing(world: World, tmp_path: Path) -> None:
    with writing_site(new_address(), tmp_path / "entries", "polite") as site:
        verdict = killed_once(world, site)
    assert verdict.acknowledged == 0
    assert "answered 200, which acknowledges nothing" in verdict.failures
    assert not verdict.passed


def test_each_write_goes_out_once_with_its_own_id_in_url_headers_and_body(tmp_path: Path) -> None:
    """A PUT names what it writes in its URL."""
    address = new_address()
    spec = LoadSpec(
        f"http://{address}:8080/files/{{id}}.txt?of={{id}}",
        50.0,
        0.2,
        method="PUT",
        headers=(("Idempotency-Key", "{id}"),),
        writes=WriteSpec("w-x", "the body of {id}, \N{SNOWMAN}", "text/plain"),
    )
    with writing_site(address, tmp_path / "heard"), HttpLoadGenerator().start(spec) as load:
        assert load.finish().total == 10
        requests = (tmp_path / "heard").read_text().split("\n---\n")[:-1]
    assert len(requests) == 10
    for request in requests:
        id_ = request.partition("/files/")[2].partition(".txt")[0]
        assert request.startswith(f"PUT /files/{id_}.txt?of={id_} HTTP/1.1")
        assert f"\nIdempotency-Key: {id_}\n" in request
        assert request.endswith(f"\nthe body of {id_}, \N{SNOWMAN}")
    ids = [request.partition("/files/")[2].partition(".txt")[0] for request in requests]
    assert sorted(ids) == sorted(f"w-x-{number}" for number in range(10))


def test_what_cannot_be_read_whole_is_an_error_and_no_list(tmp_path: Path) -> None:
    spec = LoadSpec("http://127.0.0.1/", 1.0, 1.0, method="POST", writes=WriteSpec("w", "{id}"))
    with writing_site(new_address(), tmp_path / "entries") as site:
        assert HttpLoadGenerator().read_back(spec, f"{site.url}/") == ()
        (tmp_path / "entries").write_text("w-1 w-12\nw-x-1 xw-1 'w-1' w-2.png w-22\n" + "w-3 " * 40_000)
        found = HttpLoadGenerator().read_back(spec, f"{site.url}/")
        site.kill()
        with pytest.raises(NospofError, match="connection refused"):
            HttpLoadGenerator().read_back(spec, f"{site.url}/")
    assert found == ("w-1", "w-12", "w-1", "w-2", "w-22", *["w-3"] * 40_000)
