"""The end of an HTTP answer is found wherever the network cuts the bytes."""

import pytest

from nospof.adapters.http.pool import request_bytes
from nospof.adapters.http.reader import AnswerReader, NotHttpError
from nospof.errors import UsageError
from nospof.model.drill import LoadSpec

CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nWiki\r\nA\r\n0123\r\n\r\n89\r\n0\r\n"
)

WHOLE = {
    "length": (b"HTTP/1.1 200 OK\r\nX-Instance: i-1\r\nContent-Length: 2\r\n\r\nok", 200, True, "i-1"),
    "empty": (b"HTTP/1.1 500 No\r\ncontent-length:0\r\n\r\n", 500, True, ""),
    "close": (b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nok", 200, False, ""),
    "old": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, False, ""),
    "old kept": (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", 200, True, ""),
    "chunks": (CHUNKED + b"\r\n", 200, True, ""),
    "trailer": (CHUNKED + b"X-Sum: 1\r\n\r\n", 200, True, ""),
    "no content": (b"HTTP/1.1 204 No Content\r\nx-instance:i-2 \r\n\r\n", 204, True, "i-2"),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", 304, True, ""),
    "hints": (
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        200,
        True,
        "",
    ),
    "no reason": (b"HTTP/1.1 302\r\nContent-Length: 0\r\n\r\n", 302, True, ""),
}


@pytest.mark.parametrize("step", [1, 2, 3, 7, 10_000])
@pytest.mark.parametrize("name", WHOLE)
def test_an_answer_is_whole_at_its_last_byte_and_not_before(name, step):
    data, status, is_keep_alive, instance = WHOLE[name]
    reader = AnswerReader("X-Instance")
    for _ in range(2):  # and the next answer on the same connection is read alike
        reader.begin()
        parts = [data[at : at + step] for at in range(0, len(data), step)]
        assert [reader.feed(part) for part in parts] == [False] * (len(parts) - 1) + [True]
        assert (reader.status, reader.is_keep_alive, reader.instance) == (status, is_keep_alive, instance)


def test_a_cut_is_not_an_end_when_the_length_was_announced():
    reader = AnswerReader("X-Instance")
    assert not reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok")
    assert not reader.close()


def test_without_a_length_the_end_of_the_connection_is_the_end_of_the_answer():
    reader = AnswerReader("X-Instance")
    assert not reader.feed(b"HTTP/1.1 200 OK\r\n\r\nanything")
    assert not reader.feed(b"more\r\n\r\n")
    assert reader.close()
    assert not reader.is_keep_alive


def test_head_has_no_body_whatever_its_length_says():
    reader = AnswerReader("X-Instance", is_head=True)
    assert reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 999 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
        b"HTTP/1.1 204 No Content\r\n\r\nbody",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        CHUNKED + b"\r\nHTTP/1.1 200 OK",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000,
    ],
    ids=["ssh", "no status", "999", "negative", "too long", "204", "chunk", "after chunks", "endless"],
)
def test_what_is_not_http_is_said_to_be_so(data):
    with pytest.raises(NotHttpError):
        AnswerReader("X-Instance").feed(data)


def test_the_request_names_the_host_asked_for():
    spec = LoadSpec("http://user@127.0.0.1:81/a?b=c#d", 1, 1, host="shop.example", headers=(("X-A", "1"),))
    lines = request_bytes(spec).split(b"\r\n")
    assert lines[:2] == [b"GET /a?b=c HTTP/1.1", b"Host: shop.example"]
    assert lines[-3:] == [b"X-A: 1", b"", b""]


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "ftp://127.0.0.1/"},
        {"rate_per_second": 0},
        {"seconds": -1},
        {"timeout_seconds": 0},
        {"rate_per_second": 10_000, "seconds": 3_600},
        {"method": "POST"},
        {"headers": (("X-A", "1\r\nX-B: 2"),)},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_load_that_cannot_or_must_not_be_is_refused(wrong):
    with pytest.raises(UsageError):
        LoadSpec(**{"url": "http://127.0.0.1/", "rate_per_second": 1, "seconds": 1, **wrong})
