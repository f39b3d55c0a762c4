"""What comes to the web API and should not: strangers, other sites' pages, nonsense, too much, too slowly."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path

import pytest

from support.local_cloud import RunningCloud
from support.served import Served, served
from support.site import Site

pytestmark = pytest.mark.local_cloud

ORDER = {"procedure": "clone", "request": {"instance_id": "i-0123456789abcdef0"}}


@pytest.fixture(scope="module")
def server(local_cloud: RunningCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(Site(local_cloud, tmp_path_factory.mktemp("home"))) as one:
        yield one


def log_in(server: Served, role: str) -> str:
    """Return a session's cookie, as a browser has it."""
    body = b'{"token": "%s"}' % server.tokens[role].encode()
    answer = raw(
        server,
        f"POST /api/v1/session HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}",
        body,
    )
    (line,) = (one for one in answer.split("\r\n") if one.lower().startswith("set-cookie:"))
    cookie = SimpleCookie(line.partition(": ")[2])["nospof_session"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "strict", "/")
    return str(cookie.value)


def raw(server: Served, head: str, body: bytes = b"", *, host: str = "") -> str:
    """Return what the server answers to bytes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        named = f"Host: {host or f'127.0.0.1:{server.port}'}"
        connection.sendall(f"{head}\r\n{named}\r\nConnection: close\r\n\r\n".encode() + body)
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode(errors="replace")


def test_nobody_comes_in_without_a_token_and_a_viewer_changes_nothing(server: Served) -> None:
    document = server.api("openapi.json")
    for path, methods in document["paths"].items():
        if path in ("/api/v1/session", "/api/v1/health"):
            continue
        for method in methods:
            asked = path.replace("{run_id}", "clone-1").replace("{service}", "shop")
            status, said = server.ask(method.upper(), asked, role="", **{"Idempotency-Key": "a"})
            assert (status, said["error"]["kind"]) == (401, "NotKnown"), path
            if method == "post":
                only_shows = path.endswith("/command-lines")
                status, _ = server.ask("POST", asked, ORDER, "viewer", Idempotency_Key="a")
                assert (status == 403) is not only_shows, path
    assert server.ask("GET", "/api/v1/deeds", role="viewer")[0] == 403
    assert server.ask("GET", "/api/v1/about", role="viewer")[0] == 200


def test_another_sites_page_and_another_name_are_turned_away(server: Served) -> None:
    assert server.ask("GET", "/api/v1/about", Host="attacker.example")[0] == 421
    assert server.ask("GET", "/api/v1/health", role="", Host=f"attacker.example:{server.port}")[0] == 421
    evil = {"Origin": "https://attacker.example", "Idempotency_Key": "a"}
    assert server.ask("POST", "/api/v1/runs", ORDER, **evil)[0] == 403
    cookie = f"nospof_session={log_in(server, 'operator')}"
    assert server.ask("GET", "/api/v1/about", role="", Cookie=cookie)[1]["role"] == "operator"
    asked = {"Cookie": cookie, "Idempotency_Key": "a"}
    # A form of another site sends the cookie where a browser is old, and no header of its own.
    assert server.ask("POST", "/api/v1/runs", ORDER, "", **asked)[0] == 403
    own = {"X_Nospof_Page": "1", "Origin": f"http://127.0.0.1:{server.port}"}
    assert server.ask("POST", "/api/v1/plans", ORDER, "", **asked, **own)[0] != 403
    other = cookie.partition("=")[2][:-1] + ("1" if cookie.endswith("0") else "0")
    for forged in ("operator.99999999999.x.y", "operator", "", other):
        assert server.ask("GET", "/api/v1/about", role="", Cookie=f"nospof_session={forged}")[0] == 401
    out = log_in(server, "operator")
    assert server.ask("DELETE", "/api/v1/session", role="", Cookie=f"nospof_session={out}", **own)[0] == 204
    assert server.ask("GET", "/api/v1/about", role="", Cookie=f"nospof_session={out}")[0] == 401
    viewer = {"Cookie": f"nospof_session={log_in(server, 'viewer')}", "Idempotency_Key": "a"}
    assert server.ask("POST", "/api/v1/runs", ORDER, "", **viewer, **own)[0] == 403


def test_answers_carry_the_headers_of_security_and_no_secret(server: Served) -> None:
    answer = raw(server, f"GET /api/v1/about HTTP/1.1\r\nAuthorization: Bearer {server.tokens['viewer']}")
    head = answer.partition("\r\n\r\n")[0].lower()
    for header in ("content-security-policy", "x-content-type-options: nosniff", "cache-control: no-store"):
        assert header in head
    assert "server:" not in head
    files = Path(server.site.home)
    mode = (files / "console-tokens.json").stat().st_mode
    assert mode & 0o077 == 0
    for file in files.rglob("*"):
        if file.is_file() and file.name != "console-tokens.json":
            assert server.tokens["operator"].encode() not in file.read_bytes(), file


def test_paths_lead_nowhere_and_too_much_or_too_slow_is_let_go_of(server: Served) -> None:
    token = f"Authorization: Bearer {server.tokens['operator']}"
    session = f"Cookie: nospof_session={log_in(server, 'operator')}"
    for path, known_by in (
        ("/../../etc/passwd", session),
        ("/static/../../guard.py", session),
        ("/static/..%2f..%2fguard.py", session),
        ("/runs/..%2f..%2fetc%2fpasswd", session),
        ("//x", session),
        ("/api/v1/runs/..%2f..%2fetc%2fpasswd/log", token),
        ("/api/v1/runs/%00/log", token),
    ):
        status = raw(server, f"GET {path} HTTP/1.1\r\n{known_by}").split(" ")[1]
        assert status in ("400", "404"), path
    assert "\r\nlocation: /login?next=//x\r\n" in raw(server, "GET //x HTTP/1.1")
    told = f"POST /api/v1/runs HTTP/1.1\r\n{token}\r\nContent-Type: application/json\r\n"
    assert " 413 " in raw(server, f"{told}Content-Length: 99999999")
    chunk = b"%x\r\n" % 300_000 + b"x" * 300_000 + b"\r\n0\r\n\r\n"
    assert " 413 " in raw(server, f"{told}Transfer-Encoding: chunked", chunk)
    nested = b'{"procedure": "clone", "request": ' + b'{"a":' * 3000 + b"1" + b"}" * 3001
    status = raw(server, f"{told}Idempotency-Key: a\r\nContent-Length: {len(nested)}", nested).split(" ")[1]
    assert status == "400"
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as slow:
        slow.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost:")
        began = time.monotonic()
        slow.settimeout(60)
        assert slow.recv(1) == b""
        assert time.monotonic() - began < 40
    assert server.ask("GET", "/api/v1/health", role="")[0] == 200


def test_what_does_not_hold_to_the_document_is_refused_and_never_a_fault(
    server: Served, tmp_path: Path
) -> None:
    """Hundreds of requests made from the document: none is answered with 5xx, or as it does not say."""
    program = Path(sys.executable).with_name("schemathesis")
    url = f"http://127.0.0.1:{server.port}"
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    asked = (
        "--phases",
        "examples,coverage,fuzzing",
        "--max-examples",
        "6",
        "--seed",
        "1",
        "--request-timeout",
        "60",
    )
    options = ("--url", url, "--checks", checks, *asked, "--exclude-path-regex", "/events$")
    key = f"Authorization: Bearer {server.tokens['operator']}"
    done = subprocess.run(
        [program, "run", *options, "--header", key, f"{url}/api/v1/openapi.json"],
        cwd=tmp_path,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_a_token_is_not_guessed(local_cloud: RunningCloud, tmp_path: Path) -> None:
    with served(Site(local_cloud, tmp_path / "home")) as server:
        seen = [server.ask("GET", "/api/v1/about", role="", Authorization="Bearer x")[0] for _ in range(12)]
        assert seen == [401] * 10 + [429] * 2
        assert server.api("about")["role"] == "operator", "who has a token is let in meanwhile"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--bind", "0.0.0.0"), "in the clear"),  # noqa: S104 - it is refused
        (("--bind", "localhost"), "no IP address"),
        (("--origin", "ops.example.com"), "--origin"),
        (("--tls-key", __file__), "go together"),
        (("--tls-key", __file__, "--tls-certificate", __file__), "--tls-certificate and --tls-key: "),
    ],
)
def test_what_would_not_be_safe_is_not_served(site: Site, options: tuple[str, ...], says: str) -> None:
    done = site.nospof("serve", "--port", "0", *options)
    assert (done.returncode, says in done.stderr) == (2, True), done.stderr


def test_without_its_libraries_it_says_what_to_install(site: Site, tmp_path: Path) -> None:
    (tmp_path / "fastapi.py").write_text("raise ModuleNotFoundError(name='fastapi')\n")
    done = site.nospof("serve", "--port", "0", PYTHONPATH=f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    assert (done.returncode, "pip install 'nospof[console]'" in done.stderr) == (2, True), done.stderr
    assert len(done.stderr.splitlines()) == 1
