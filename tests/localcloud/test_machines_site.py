"""The demonstration site: its pages, and the web server that serves what the disk holds."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nospof.localcloud.images import build_base, build_demo_site
from support.machines import Bench
from support.waiting import eventually

Answer = tuple[int, dict[str, str], bytes]


class Client:
    """One connection that says exactly what it is told."""

    def __init__(self, address: str) -> None:
        self._socket = socket.create_connection((address, 8080), timeout=30)
        self._stream = self._socket.makefile("rb")

    def send(self, text: str) -> None:
        self._socket.sendall(text.encode("latin-1"))

    def read(self, *, has_body: bool = True) -> Answer:
        """Read one answer."""
        status = int(self._stream.readline().split()[1])
        headers = {}
        while line := self._stream.readline().decode().strip():
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        body = self._stream.read(int(headers["content-length"])) if has_body else b""
        return status, headers, body

    def get(self, path: str, method: str = "GET", extra: str = "") -> Answer:
        self.send(f"{method} {path} HTTP/1.1\r\nHost: site\r\n{extra}\r\n")
        return self.read(has_body=method != "HEAD")

    def is_closed(self) -> bool:
        """Wait until the server has closed the connection or sent something unasked for."""
        return self._stream.read(1) == b""

    def close(self) -> None:
        self._stream.close()
        self._socket.close()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    directory = tmp_path_factory.mktemp("site")
    build_demo_site(directory / "image")
    bench = Bench(directory / "machines", None)
    bench.machine("i-site", directory / "image")
    bench.boot("i-site")
    yield bench
    bench.close()


@pytest.fixture
def www(bench: Bench) -> Path:
    return bench.hypervisor.disk("i-site") / "srv/www"


@pytest.fixture
def client(bench: Bench) -> Iterator[Client]:
    client = connect(bench, "i-site")
    yield client
    client.close()


def connect(bench: Bench, machine_id: str) -> Client:
    clients: list[Client] = []

    def opens() -> bool:
        try:
            clients.append(Client(bench.hypervisor.address(machine_id)))
        except ConnectionRefusedError:
            return False
        return True

    eventually(opens, "the web server listens")
    return clients[0]


def test_the_home_page_says_what_this_copy_can_do(client: Client) -> None:
    status, headers, body = client.get("/")
    assert status == 200
    assert headers["content-type"] == "text/html; charset=utf-8"
    text = " ".join(body.decode().split())
    assert "serves its pages from the disk of the instance it runs on" in text
    assert "Comments and uploads come with the data part" in text


def test_every_link_of_every_page_leads_somewhere(client: Client) -> None:
    for page in ("/", "/about", "/news"):
        body = client.get(page)[2].decode()
        links = re.findall(r'(?:href|src)="([^"]+)"', body)
        assert len(links) >= 5
        assert {link: client.get(link)[0] for link in links} == dict.fromkeys(links, 200)


def test_one_connection_carries_many_requests(client: Client) -> None:
    answers = [client.get("/health") for _ in range(50)]
    assert {(status, headers["connection"], body) for status, headers, body in answers} == {
        (200, "keep-alive", b"ok\n")
    }


def test_requests_sent_together_are_answered_in_their_order(client: Client) -> None:
    paths = ["/", "/nothing", "/health", "/style.css"] * 10
    client.send("".join(f"GET {path} HTTP/1.1\r\nHost: site\r\n\r\n" for path in paths))
    assert [client.read()[0] for _ in paths] == [200, 404, 200, 200] * 10


def test_a_request_that_comes_in_pieces_is_answered_when_it_is_whole(client: Client) -> None:
    for piece in ("GET /hea", "lth HTTP/1.1\r", "\nHost: si", "te\r\n\r", "\n"):
        client.send(piece)
    assert client.read()[2] == b"ok\n"


def test_head_is_get_without_the_body(client: Client) -> None:
    _, of_get, body = client.get("/about")
    status, of_head, _ = client.get("/about", "HEAD")
    assert status == 200
    assert of_head["content-length"] == of_get["content-length"] == str(len(body))
    assert client.get("/health")[2] == b"ok\n"


@pytest.mark.parametrize("path", ["/", "/nothing", "/health"])
def test_every_answer_names_the_instance(client: Client, path: str) -> None:
    assert client.get(path)[1]["x-instance"] == "i-site"


@pytest.mark.parametrize(
    "path",
    [
        "/../web.port",
        "/../../etc/machine-id",
        "/%2e%2e/%2e%2e/etc/machine-id",
        "/..%2f..%2fetc/machine-id",
        "/a/../../../etc/machine-id",
        "//etc/machine-id",
        "/leading-out",
        "/directory-out/machine-id",
        "/.hidden",
        "/nul%00.html",
        "etc/machine-id",
        "*",
    ],
)
def test_nothing_outside_of_the_document_root_is_served(client: Client, www: Path, path: str) -> None:
    for name, target in (("leading-out", "../../etc/machine-id"), ("directory-out", "../../etc")):
        (www / name).unlink(missing_ok=True)
        (www / name).symlink_to(target)
    (www / ".hidden").write_text("secret")
    assert client.get(path)[0] == 404


def test_other_methods_are_not_allowed_and_may_not_poison_the_connection(client: Client) -> None:
    smuggled = "GET /health HTTP/1.1\r\nHost: site\r\n\r\n"
    client.send(f"POST / HTTP/1.1\r\nHost: site\r\nContent-Length: {len(smuggled)}\r\n\r\n{smuggled}")
    status, headers, _ = client.read()
    assert (status, headers["allow"], headers["connection"]) == (405, "GET, HEAD", "close")
    assert client.is_closed()


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("nonsense\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost : site\r\n\r\n", 400),
        ("GET / HTTP/2.0\r\nHost: site\r\n\r\n", 505),
        ("GET / HTTP/1.1\r\nHost: site\r\nX: " + "x" * 20_000, 431),
    ],
)
def test_what_is_no_request_is_refused(client: Client, request_text: str, status: int) -> None:
    client.send(request_text)
    found, headers, _ = client.read()
    assert (found, headers["connection"]) == (status, "close")


def test_an_old_client_is_answered_and_let_go(client: Client) -> None:
    client.send("GET /health HTTP/1.0\r\n\r\n")
    assert client.read()[2] == b"ok\n"
    assert client.is_closed()


def test_a_change_on_the_disk_is_served_at_once(client: Client, www: Path) -> None:
    page = www / "changing.txt"
    for number in range(20):
        page.write_text(f"version {number:02}")
        assert client.get("/changing.txt")[2] == f"version {number:02}".encode()
    page.unlink()
    assert client.get("/changing.txt")[0] == 404


def test_a_change_of_a_page_that_was_served_from_memory_is_served_at_once(client: Client, www: Path) -> None:
    page = www / "lasting.txt"
    page.write_text("old")
    written = page.stat().st_ctime

    def is_old_and_served() -> bool:
        return client.get("/lasting.txt")[2] == b"old" and time.time() - written > 1.5

    eventually(is_old_and_served, "the page is old enough to be kept in memory")
    page.write_text("new")
    assert client.get("/lasting.txt")[2] == b"new"
    page.unlink()
    assert client.get("/lasting.txt")[0] == 404


def test_health_fails_when_the_document_root_cannot_be_read(client: Client, www: Path) -> None:
    away = www.with_name("away")
    www.rename(away)
    try:
        assert client.get("/health")[0] == 503
        assert client.get("/")[0] == 404
    finally:
        away.rename(www)
    assert client.get("/health")[0] == 200


def test_a_large_file_arrives_whole_at_a_slow_client(client: Client, www: Path) -> None:
    content = bytes(range(256)) * 40_000
    (www / "large.bin").write_bytes(content)
    client.send("GET /large.bin HTTP/1.1\r\nHost: site\r\n\r\n" * 3)
    assert [client.read()[2] == content for _ in range(3)] == [True] * 3
    (www / "large.bin").unlink()


def test_a_request_that_has_begun_is_finished_while_the_machine_stops(tmp_path: Path) -> None:
    build_demo_site(tmp_path / "image")
    bench = Bench(tmp_path / "machines", None)
    disk = bench.machine("i-1", tmp_path / "image")
    bench.boot("i-1")
    begun, idle, other = (connect(bench, "i-1") for _ in range(3))
    try:
        assert idle.get("/health")[0] == 200
        begun.send("GET / HTTP/1.1\r\nHo")
        assert other.get("/health")[0] == 200  # so the half request has been read
        bench.hypervisor.shutdown("i-1")
        eventually(lambda: _refuses(bench.hypervisor.address("i-1")), "nobody new is let in")
        assert idle.is_closed()
        assert bench.hypervisor.state("i-1") == "on"
        begun.send("st: site\r\n\r\n")
        status, headers, body = begun.read()
        assert (status, headers["connection"]) == (200, "close")
        assert body == (disk / "srv/www/index.html").read_bytes()
        eventually(lambda: bench.is_off("i-1"), "the machine is off")
        assert "stopped in order" in (disk / "var/log/web.log").read_text()
    finally:
        for client in (begun, idle, other):
            client.close()
        bench.close()


def test_the_port_is_the_one_the_disk_names(tmp_path: Path) -> None:
    build_demo_site(tmp_path / "image")
    bench = Bench(tmp_path / "machines", None)
    try:
        disk = bench.machine("i-1", tmp_path / "image")
        (disk / "etc/web.port").write_text("8123\n")
        bench.boot("i-1")
        address = bench.hypervisor.address("i-1")
        eventually(lambda: not _refuses(address, 8123), "the web server listens")
        assert _refuses(address)
    finally:
        bench.close()


def test_an_image_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    build_base(tmp_path / "image")
    before = (tmp_path / "image/etc/machine-id").read_text()
    build_demo_site(tmp_path / "image")
    assert (tmp_path / "image/etc/machine-id").read_text() == before
    assert not (tmp_path / "image/srv/www").exists()


def _refuses(address: str, port: int = 8080) -> bool:
    try:
        socket.create_connection((address, port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False
