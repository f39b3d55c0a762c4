"""Reads HTTP/1.1 answers from bytes as they come; knows nothing of sockets or time.

Only what a load must know is kept: the status, who answered, where the answer ends, and whether
the connection may be used again (RFC 9112, sections 6 and 9).
"""

from __future__ import annotations

from typing import Literal

MAX_HEAD_BYTES = 64 * 1024


class NotHttpError(ValueError):
    """The bytes are not an HTTP/1.x answer."""


class AnswerReader:
    """Reads the answers of one connection, one after the other.

    Call `begin` for each request, `feed` for what arrives until it returns True, and `close` when
    the connection ended.
    """

    def __init__(self, instance_header: str, *, is_head: bool = False) -> None:
        self._wanted = b"\r\n" + instance_header.lower().encode() + b":"
        self._is_head = is_head
        self.begin()

    def begin(self) -> None:
        """Forget the last answer; what follows belongs to the next."""
        self.status = 0
        self.instance = ""
        self.is_keep_alive = False
        self.has_begun = False
        self._buffer = bytearray()
        self._state: Literal["head", "length", "chunks", "until close", "whole"] = "head"
        self._missing = 0

    def feed(self, data: bytes) -> bool:
        """Take in bytes; return whether the answer is whole now.

        Raises:
            NotHttpError: the bytes are not an HTTP answer, or go on after its end.
        """
        self.has_begun = True
        if self._state == "length":
            self._count(len(data))
        else:
            self._buffer += data
            if self._state == "head":
                self._read_heads()
            if self._state == "chunks":
                self._read_chunks()
            if self._state == "until close":
                self._buffer.clear()
        return self._state == "whole"

    def close(self) -> bool:
        """The connection ended; return whether that made the answer whole."""
        return self._state == "until close"

    def _read_heads(self) -> None:
        while self._state == "head":
            end = self._buffer.find(b"\r\n\r\n")
            if not b"HTTP/1.".startswith(self._buffer[:7]) or (
                end < 0 and len(self._buffer) > MAX_HEAD_BYTES
            ):
                raise NotHttpError("no HTTP/1.x status line")
            if end < 0:
                return
            head = bytes(self._buffer[: end + 2])
            del self._buffer[: end + 4]
            self.status = self._status_of(head)
            if self.status >= 200:  # 100 Continue and 103 Early Hints announce the real answer
                self._understand(head.lower(), head)

    @staticmethod
    def _status_of(head: bytes) -> int:
        digits = head[9:12]
        if not digits.isdigit() or not 100 <= int(digits) <= 599:
            raise NotHttpError("no status in the status line")
        return int(digits)

    def _understand(self, lowered: bytes, head: bytes) -> None:
        connection = _value(lowered, b"\r\nconnection:")
        is_1_1 = head.startswith(b"HTTP/1.1")
        self.is_keep_alive = b"close" not in connection if is_1_1 else b"keep-alive" in connection
        at = lowered.find(self._wanted)
        if at >= 0:
            begin = at + len(self._wanted)
            self.instance = head[begin : head.index(b"\r\n", begin)].strip().decode("latin-1")
        if self._is_head or self.status in (204, 304):
            self._state = "length"
            self._count_buffered(0)
        elif b"chunked" in _value(lowered, b"\r\ntransfer-encoding:"):
            self._state = "chunks"
        elif length := _value(lowered, b"\r\ncontent-length:"):
            if not length.isdigit():
                raise NotHttpError("Content-Length is not a number")
            self._state = "length"
            self._count_buffered(int(length))
        else:
            self._state = "until close"
            self.is_keep_alive = False

    def _count_buffered(self, length: int) -> None:
        self._missing = length
        self._count(len(self._buffer))
        self._buffer.clear()

    def _count(self, arrived: int) -> None:
        self._missing -= arrived
        if self._missing < 0:
            raise NotHttpError("bytes after the end of the answer")
        if self._missing == 0:
            self._state = "whole"

    def _read_chunks(self) -> None:
        """Skip chunks; the last has length 0 and is followed by trailers and an empty line."""
        while True:
            line_end = self._buffer.find(b"\r\n")
            if line_end < 0:
                if len(self._buffer) > MAX_HEAD_BYTES:
                    raise NotHttpError("a chunk has no length")
                return
            try:
                size = int(bytes(self._buffer[:line_end]).partition(b";")[0], 16)
            except ValueError:
                raise NotHttpError("a chunk's length is not a number") from None
            if size == 0:
                self._read_trailers(line_end)
                return
            chunk_end = line_end + 2 + size + 2
            if len(self._buffer) < chunk_end:
                return
            del self._buffer[:chunk_end]

    def _read_trailers(self, line_end: int) -> None:
        end = self._buffer.find(b"\r\n\r\n", line_end)
        if end < 0:
            return
        if len(self._buffer) > end + 4:
            raise NotHttpError("bytes after the end of the answer")
        self._state = "whole"


def _value(lowered: bytes, name: bytes) -> bytes:
    """Return a header's value from a lower-cased head, or nothing."""
    at = lowered.find(name)
    if at < 0:
        return b""
    begin = at + len(name)
    return lowered[begin : lowered.index(b"\r\n", begin)].strip()
