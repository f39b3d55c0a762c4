"""The demonstration site with comments and uploads: nothing is acknowledged before it is kept."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from nospof.localcloud.images import build_demo_comments
from nospof.model.drill import Objective
from nospof.model.writes import ReadBack, WriteOutcome
from nospof.planning.verdict import judge_writes
from support.machines import Bench
from support.waiting import eventually
from support.writers import TABLE, in_postgresql, writers

Answer = tuple[int, dict[str, str], bytes]
FORM = "application/x-www-form-urlencoded"
PNG = b"\x89PNG\r\n\x1a\n"


class Visitor:
    """Somebody who asks the site of one machine, each time on a connection of its own."""

    def __init__(self, address: str) -> None:
        self._address = address

    def ask(self, method: str, path: str, body: bytes = b"", kind: str = "application/json") -> Answer:
        connection = http.client.HTTPConnection(self._address, 8080, timeout=20)
        try:
            headers = {"Content-Type": kind} if body else {}
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def comment(self, id_: str, text: str = "Red and white.") -> int:
        given = {"id": id_, "name": "Eve", "text": text}
        return self.ask("POST", "/comments.json", json.dumps(given).encode())[0]

    def upload(self, name: str, content: bytes) -> tuple[int, str]:
        """Upload with the form; return the status, and where to go on or else the page."""
        head = f'--lamp\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        body = head.encode() + content + b"\r\n--lamp--\r\n"
        status, headers, page = self.ask("POST", "/files", body, "multipart/form-data; boundary=lamp")
        return status, headers.get("location") or page.decode()

    def comments(self) -> list[dict[str, Any]]:
        status, _, body = self.ask("GET", "/comments.json")
        assert status == 200, body
        comments: list[dict[str, Any]] = json.loads(body)["comments"]
        return comments

    def ids(self) -> list[str]:
        return [one["id"] for one in self.comments()]

    def can_read(self, path: str = "/health/database") -> bool:
        try:
            return self.ask("GET", path)[0] == 200
        except OSError:
            return False


def processes_of_postgresql(disk: Path) -> list[int]:
    """Return the processes that work in the data directory, the first one of them first."""
    data = os.path.realpath(disk / "var/lib/postgresql/18/main")
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(entry / "cwd") == data:
                found.append(int(entry.name))
        except OSError:
            continue
    return sorted(found)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    directory = tmp_path_factory.mktemp("comments")
    build_demo_comments(directory / "image")
    bench = Bench(directory / "machines", None)
    try:
        bench.machine("i-1", directory / "image")
        bench.boot()
        yield bench
    finally:
        bench.close()


@pytest.fixture
def disk(bench: Bench) -> Path:
    return bench.hypervisor.disk("i-1")


@pytest.fixture
def visitor(bench: Bench) -> Visitor:
    visitor = Visitor(bench.hypervisor.address("i-1"))
    eventually(visitor.can_read, "the site can read its comments", timeout_seconds=60)
    return visitor


def test_a_comment_is_read_back_as_it_was_written(visitor: Visitor) -> None:
    assert visitor.comment("c-1", "<b>Stripes</b> & \N{SNOWMAN}") == 201
    (found,) = [one for one in visitor.comments() if one["id"] == "c-1"]
    assert (found["name"], found["text"]) == ("Eve", "<b>Stripes</b> & \N{SNOWMAN}")
    page = visitor.ask("GET", "/comments")[2].decode()
    assert "<p>&lt;b&gt;Stripes&lt;/b&gt; &amp; \N{SNOWMAN}</p>" in page


def test_a_write_that_is_sent_again_is_written_once(visitor: Visitor) -> None:
    assert [visitor.comment("again") for _ in range(3)] == [201, 201, 201]
    assert visitor.ids().count("again") == 1


def test_an_id_is_not_given_to_another_comment(visitor: Visitor) -> None:
    assert visitor.comment("taken", "mine") == 201
    assert visitor.comment("taken", "no, mine") == 409
    assert [one["text"] for one in visitor.comments() if one["id"] == "taken"] == ["mine"]


def test_a_browser_sends_the_form_it_was_given(visitor: Visitor) -> None:
    page = visitor.ask("GET", "/comments")[2].decode()
    id_ = page.partition('name="id" value="')[2].partition('"')[0]
    form = f"id={id_}&name=Ann&text=From+a+form".encode()
    status, headers, _ = visitor.ask("POST", "/comments", form, FORM)
    assert (status, headers["location"]) == (303, "/comments")
    assert "From a form" in visitor.ask("GET", "/comments")[2].decode()


@pytest.mark.parametrize(
    "body",
    [
        b"no JSON",
        b"[]",
        b'{"name": "Eve", "text": "no id"}',
        b'{"id": "a b", "name": "Eve", "text": "x"}',
        b'{"id": "x", "name": "", "text": "x"}',
        b'{"id": "x", "name": "Eve", "text": "nul \\u0000"}',
        json.dumps({"id": "x", "name": "Eve", "text": "x" * 4001}).encode(),
    ],
)
def test_what_is_no_comment_is_refused_and_says_why(visitor: Visitor, body: bytes) -> None:
    status, _, said = visitor.ask("POST", "/comments.json", body)
    assert status == 400
    assert json.loads(said)["error"]
    assert "x" not in visitor.ids()


def test_an_upload_is_kept_and_read_back(visitor: Visitor) -> None:
    content = PNG + bytes(range(256)) * 4000
    sha256 = hashlib.sha256(content).hexdigest()
    status, headers, _ = visitor.ask("PUT", "/files/boat.png", content, "image/png")
    assert (status, headers["location"]) == (201, "/files/boat.png")
    assert visitor.ask("PUT", "/files/boat.png", content)[0] == 201
    assert visitor.ask("PUT", "/files/boat.png", PNG + b"another boat")[0] == 409
    status, headers, body = visitor.ask("GET", "/files/boat.png")
    assert (status, headers["content-type"], body == content) == (200, "image/png", True)
    assert (headers["etag"], headers["x-content-type-options"]) == (f'"{sha256}"', "nosniff")
    listed = json.loads(visitor.ask("GET", "/files.json")[2])["files"]
    assert {"name": "boat.png", "bytes": len(content), "sha256": sha256} in listed
    assert visitor.ask("GET", "/files/no-boat.png")[0] == 404


def test_an_upload_that_a_browser_has_is_not_sent_again(bench: Bench, visitor: Visitor) -> None:
    assert visitor.ask("PUT", "/files/seen.png", PNG)[0] == 201
    etag = visitor.ask("HEAD", "/files/seen.png")[1]["etag"]
    connection = http.client.HTTPConnection(bench.hypervisor.address("i-1"), 8080, timeout=20)
    for known, status in ((etag, 304), ('"another"', 200)):
        connection.request("GET", "/files/seen.png", headers={"If-None-Match": known})
        answer = connection.getresponse()
        assert (answer.status, answer.headers["ETag"]) == (status, etag)
        assert answer.read() == (PNG if status == 200 else b"")
    connection.close()


def test_a_browser_uploads_with_the_form(visitor: Visitor) -> None:
    assert visitor.upload("Our Lamp.JPG", b"\xff\xd8\xff not quite\r\n a picture") == (303, "/files")
    assert '<img src="/files/Our-Lamp.jpg"' in visitor.ask("GET", "/files")[2].decode()
    assert visitor.ask("GET", "/files/Our-Lamp.jpg")[2] == b"\xff\xd8\xff not quite\r\n a picture"


def test_a_browser_whose_form_is_refused_gets_a_page_that_says_why(visitor: Visitor) -> None:
    status, page = visitor.upload("<b>.png", b"no picture")
    assert status == 400
    assert "b.png is not what its name says" in page
    assert 'href="/files">Back</a>' in page


@pytest.mark.parametrize(
    "name", ["page.html", "picture.svg", ".png", "..%2fetc.png", "a%2Fb.png", "no-suffix", "text.png"]
)
def test_nothing_a_browser_would_run_and_no_way_out_is_kept(visitor: Visitor, name: str) -> None:
    assert visitor.ask("PUT", f"/files/{name}", b"<script>")[0] == 400
    assert visitor.ask("GET", f"/files/{name}")[0] == 404


def test_what_is_too_large_or_of_unknown_length_is_refused(visitor: Visitor, bench: Bench) -> None:
    connection = http.client.HTTPConnection(bench.hypervisor.address("i-1"), 8080, timeout=20)
    for header, value, status in (
        ("Content-Length", str(9 << 20), 413),
        ("Transfer-Encoding", "chunked", 411),
    ):
        connection.putrequest("PUT", "/files/large.png")
        connection.putheader(header, value)
        connection.endheaders()
        assert connection.getresponse().status == status
        connection.close()


def test_a_connection_goes_on_after_a_body_and_a_method_is_told(bench: Bench, visitor: Visitor) -> None:
    connection = http.client.HTTPConnection(bench.hypervisor.address("i-1"), 8080, timeout=20)
    connection.connect()
    local = connection.sock.getsockname()
    for number in range(5):
        given = {"id": f"kept-{number}", "name": "Eve", "text": "x"}
        connection.request("POST", "/comments.json", json.dumps(given))
        assert connection.getresponse().read() == json.dumps({"id": f"kept-{number}"}).encode() + b"\n"
    connection.request("DELETE", "/comments.json")
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, POST")
    answer.read()
    assert connection.sock.getsockname() == local
    connection.close()


def test_pages_are_served_while_the_database_is_away_and_writes_are_not_acknowledged(
    visitor: Visitor, disk: Path
) -> None:
    server = processes_of_postgresql(disk)
    for pid in server:
        os.kill(pid, signal.SIGSTOP)  # frozen: it takes connections and says nothing
    try:
        began = time.monotonic()
        status, headers, body = visitor.ask(
            "POST", "/comments.json", b'{"id": "frozen", "name": "Eve", "text": "x"}'
        )
        assert (status, headers["retry-after"]) == (503, "1")
        assert time.monotonic() - began < 15
        assert "database" in json.loads(body)["error"]
        assert visitor.ask("GET", "/health")[0] == visitor.ask("GET", "/")[0] == 200
    finally:
        for pid in server:
            os.kill(pid, signal.SIGCONT)
    eventually(lambda: visitor.comment("frozen", "x") == 201, "writes are taken again")
    assert visitor.ids().count("frozen") == 1


def test_a_server_that_is_killed_loses_nothing_it_acknowledged_and_comes_back(
    visitor: Visitor, disk: Path
) -> None:
    acknowledged: list[str] = []
    is_over = threading.Event()

    def write() -> None:
        number = 0
        while not is_over.is_set():
            number += 1
            if visitor.comment(f"kill-{number}") == 201:
                acknowledged.append(f"kill-{number}")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        eventually(lambda: len(acknowledged) > 20, "writes are taken")
        os.kill(min(processes_of_postgresql(disk)), signal.SIGKILL)
        before = len(acknowledged)
        eventually(lambda: len(acknowledged) > before + 20, "writes are taken again", timeout_seconds=60)
    finally:
        is_over.set()
        writer.join()
    kept = [id_ for id_ in visitor.ids() if id_.startswith("kill-")]
    assert set(acknowledged) <= set(kept)
    assert len(kept) == len(set(kept))


@pytest.mark.parametrize(("waits", "loses"), [("on", False), ("off", True)])
def test_a_database_that_acknowledges_before_it_keeps_is_caught_losing(
    visitor: Visitor, disk: Path, waits: str, loses: bool
) -> None:
    """synchronous_commit=off is just that: COMMIT returns, and the log is written when there is time."""
    machine = os.open(disk, os.O_RDONLY)  # a socket's name has no room for the long way to this disk
    where = f"host=/proc/self/fd/{machine}/run/postgresql user=postgres dbname=site"
    try:
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute(TABLE.format(serial="serial").encode())
            connection.execute("alter system set wal_writer_delay = '10s'")
            connection.execute("select pg_reload_conf()")
        conninfo = f"{where} options='-c synchronous_commit={waits}'"
        with writers(lambda: in_postgresql(conninfo), prefix=f"commit-{waits}") as at_work:
            eventually(lambda: at_work.acknowledged > 500, "writes are taken")
            for pid in processes_of_postgresql(disk):
                with suppress(ProcessLookupError):  # the end of the first one ends the others
                    os.kill(pid, signal.SIGKILL)
            ledger = at_work.stop()
        eventually(visitor.can_read, "the database is back", timeout_seconds=60)
        found = [id_ for id_ in in_postgresql(where).read() if id_.startswith(f"commit-{waits}")]
    finally:
        os.close(machine)
    verdict = judge_writes(ledger, [ReadBack("the database", found)], Objective())
    assert (verdict.lost_count > 0) == loses, verdict.says
    assert verdict.duplicates == {}


def test_what_a_database_takes_back_in_favour_of_another_is_a_conflict(visitor: Visitor, disk: Path) -> None:
    machine = os.open(disk, os.O_RDONLY)
    where = f"host=/proc/self/fd/{machine}/run/postgresql user=postgres dbname=postgres"
    refuse = (
        "create or replace function refuse() returns trigger language plpgsql as "
        "$$ begin raise 'no' using errcode = '{}'; end $$"
    )
    try:
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute(TABLE.format(serial="serial").encode())
            writer = in_postgresql(where)
            assert writer.write("w-1") == (WriteOutcome.ACKNOWLEDGED, "")
            connection.execute(refuse.format("40P01").encode())
            connection.execute("create trigger no before insert on writes execute function refuse()")
            assert writer.write("w-2") == (WriteOutcome.CONFLICT, "DeadlockDetected")
            connection.execute(refuse.format("53100").encode())
            assert writer.write("w-3") == (WriteOutcome.FAILED, "DiskFull")
            assert writer.read() == ["w-1"]
    finally:
        os.close(machine)


def test_comments_and_uploads_outlive_a_power_failure_and_are_in_every_copy(
    bench: Bench, visitor: Visitor, disk: Path
) -> None:
    assert visitor.comment("kept") == 201
    assert visitor.ask("PUT", "/files/kept.txt", b"kept")[0] == 201
    bench.hypervisor.power_off("i-1")
    # Its number may be anybody's in the next boot, the first process's for one.
    (disk / "var/lib/postgresql/18/main/postmaster.pid").write_text("1\n" + "0\n" * 6)
    copy = bench.root.parent / "copy"
    bench.hypervisor.snapshot("i-1", copy)
    bench.boot()
    bench.machine("i-2", copy)
    bench.boot("i-2")
    for machine in ("i-1", "i-2"):
        other = Visitor(bench.hypervisor.address(machine))
        eventually(other.can_read, f"{machine} can read its comments", timeout_seconds=60)
        assert "kept" in other.ids()
        assert other.ask("GET", "/files/kept.txt")[2] == b"kept"


def test_an_environment_that_is_gone_is_told_on_the_console_of_the_service(tmp_path: Path) -> None:
    build_demo_comments(tmp_path / "image")
    link = tmp_path / "image/usr/lib/postgresql/18"
    link.unlink()
    link.symlink_to("/nowhere/postgresql")
    bench = Bench(tmp_path / "machines", None)
    try:
        disk = bench.machine("i-1", tmp_path / "image")
        bench.boot()
        log = disk / "var/log/postgresql.service.log"
        eventually(lambda: log.exists() and "/nowhere/postgresql" in log.read_text(), "it says what is gone")
        visitor = Visitor(bench.hypervisor.address("i-1"))
        eventually(lambda: visitor.can_read("/"), "pages are served all the same")
    finally:
        bench.close()
