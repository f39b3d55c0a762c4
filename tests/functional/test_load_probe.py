"""The probe answers whatever happens to it, and never raises."""

import socket
import ssl
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from nospof.adapters.http.probe import MAX_BODY_BYTES, HttpProbe
from nospof.adapters.http.process import HttpLoadGenerator
from nospof.model.drill import LoadSpec, Outcome
from support.page_server import page_server


@pytest.fixture
def server():
    with page_server("127.0.82.1") as server:
        yield server


@pytest.mark.parametrize(
    ("mode", "status", "body", "location"),
    [
        ("ok", 200, "ok", ""),
        ("chunked", 200, "ok", ""),
        ("no length", 200, "ok", ""),
        ("error", 500, "ok", ""),
        ("redirect", 302, "ok", "/install"),
    ],
)
def test_an_answer_is_given_as_it_is(server, mode, status, body, location):
    server.mode = mode
    answer = HttpProbe().get(server.url)
    assert (answer.status, answer.body, answer.location, answer.error) == (status, body, location, "")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("mode", "error"),
    [
        ("cut", "connection closed without an answer"),
        ("halfway", "connection closed in the middle of the answer"),
        ("junk", "not an HTTP answer"),
        ("silent", "timed out after 0.3 s"),
        ("trickle", "timed out after 0.3 s"),
    ],
)
def test_an_error_is_an_answer_in_words(server, mode, error):
    server.mode = mode
    waits = error.startswith("timed out")
    answer = HttpProbe().get(server.url, timeout_seconds=0.3 if waits else 30.0)
    assert answer.status == 0
    assert answer.error.startswith(error)
    assert not answer.is_good


def test_a_closed_port_is_refused(server):
    server.die()
    answer = HttpProbe().get(server.url)
    assert (answer.status, answer.error, answer.says) == (0, "connection refused", "connection refused")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1",
        "ftp://127.0.0.1/",
        "http://",
        "http://127.0.0.1:port/",
        "http://127.0.0.1:99999/",
        "http://[::1/",
        "http://127.0.0.1/a b",
        "http://" + "a" * 70 + ".invalid/",
        "http://..invalid/",
    ],
)
def test_no_url_makes_it_raise(url):
    answer = HttpProbe().get(url)
    assert answer.status == 0
    assert answer.error


def test_the_body_is_at_most_64_kib(server):
    server.mode = "long"
    answer = HttpProbe().get(server.url)
    assert answer.is_good
    assert len(answer.body) == MAX_BODY_BYTES


def test_the_host_is_the_one_asked_for(server):
    HttpProbe().get(server.url + "a?b=c", host="shop.example")
    lines = server.requests[0].split(b"\r\n")
    assert lines[0] == b"GET /a?b=c HTTP/1.1"
    assert [line for line in lines if line.lower().startswith(b"host:")] == [b"Host: shop.example"]


def test_a_proxy_in_the_environment_is_not_asked(server, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.82.9:9/")
    assert HttpProbe().get(server.url).is_good


def test_a_probe_that_timed_out_leaves_no_thread(server):
    server.mode = "trickle"
    HttpProbe().get(server.url, timeout_seconds=0.2)
    deadline = time.monotonic() + 10
    while any(thread.name == "nospof-probe" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_connection_that_is_reset_is_said_to_be_so():
    with socket.create_server(("127.0.82.2", 0)) as listener:

        def reset():
            connection, _ = listener.accept()
            connection.recv(10)  # unread bytes at the close make it a reset
            connection.close()

        thread = threading.Thread(target=reset)
        thread.start()
        answer = HttpProbe().get(f"http://127.0.82.2:{listener.getsockname()[1]}/")
        thread.join()
    assert answer.error == "connection reset"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate for shop.example."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop.example")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("shop.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    (folder / "ca.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    return folder


@pytest.fixture
def secure(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "server.pem")
    with page_server("127.0.82.3", context) as server:
        yield server


def test_a_certificate_nobody_signed_is_not_trusted(secure):
    assert HttpProbe().get(secure.url, host="shop.example").error.startswith("certificate not trusted")


def test_the_certificate_is_checked_against_the_host_asked_for(secure, certificate):
    trusting = HttpProbe(ssl.create_default_context(cafile=certificate / "ca.pem"))
    assert trusting.get(secure.url, host="shop.example").is_good
    assert trusting.get(secure.url, host="shop.example:443").is_good
    assert trusting.get(secure.url).error.startswith("certificate not trusted")


def test_a_load_over_https_checks_the_certificate_too(secure, certificate):
    trusted = LoadSpec(secure.url, 100.0, 0.5, host="shop.example", ca_file=str(certificate / "ca.pem"))
    for spec, outcome in (
        (trusted, Outcome.SERVED),
        (replace(trusted, ca_file=""), Outcome.NOT_CONNECTED),
        (replace(trusted, host=""), Outcome.NOT_CONNECTED),
    ):
        with HttpLoadGenerator().start(spec) as load:
            assert set(load.finish().outcomes) == {outcome}
