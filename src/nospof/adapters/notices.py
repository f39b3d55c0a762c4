"""News, delivered: to a command of the operator's own, to a URL, to a topic of SNS.

Each way has a thread and a queue of its own, so that one that hangs delays nothing and no other. What cannot
be delivered is counted and said, and is never a reason to stop.
"""

from __future__ import annotations

import http.client
import json
import queue
import shlex
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol
from urllib.parse import urlsplit

from nospof.adapters.commands import why_not_done
from nospof.adapters.hosts import is_loopback
from nospof.errors import CloudError, UsageError

HOOK_SECONDS = 30.0
"""A command that has not ended by then is ended."""
REQUEST_SECONDS = 10.0
RETRY_SECONDS = (1.0, 4.0, 15.0)
"""How long after each request that did not arrive there is another one."""
WAITING = 1000
"""News that are kept for a way that is slow; more are lost, and counted."""
SAID_CHARACTERS = 300
VARIABLE_CHARACTERS = 4000
"""The kernel takes no longer ones than 128 KiB; all of it is in the JSON."""
TRY_LATER = 429
SERVER_ERROR = 500
SUBJECT_CHARACTERS = 100
"""Of SNS: its subjects are shorter, of ASCII, in one line."""

Document = Mapping[str, Any]
"""One of the news, as JSON has it."""


class Way(Protocol):
    """A way to people."""

    name: str

    def send(self, news: Document) -> str:
        """Deliver one of the news; return why it was not, or nothing. Never raises, and ends in time."""


class Hook:
    """A command, run for each: JSON on its standard input, and a few variables.

    Raises:
        UsageError: there is no such command.
    """

    def __init__(self, command: str) -> None:
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise UsageError(f"--notify {command!r} cannot be read as a command: {error}.") from error
        if not self._words or shutil.which(self._words[0]) is None:
            raise UsageError(
                f"--notify {command!r}: there is no program {self._words[0] if self._words else ''!r} that "
                "can be run. Give its path, and make it executable."
            )
        self.name = f"--notify {self._words[0]}"

    def send(self, news: Document) -> str:
        """See `Way`. What it started is ended with it when its time is over."""
        return why_not_done(
            self._words,
            variables_of(news),
            HOOK_SECONDS,
            given=json.dumps(news) + "\n",
            characters=SAID_CHARACTERS,
        )


class Webhook:
    """A URL that each is posted to as JSON, again a few times where it does not arrive.

    Raises:
        UsageError: it is no URL that news may be sent to: not https, and not on this computer.
    """

    def __init__(self, url: str, sleep: Callable[[float], None] = time.sleep) -> None:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise UsageError(f"--webhook {url!r} is no URL: {error}.") from error
        if not host or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))):
            raise UsageError(
                f"--webhook {url!r}: news are sent to https:// addresses, or to http:// on this computer."
            )
        self._host, self._port, self._is_secret = host, port, parts.scheme == "https"
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._sleep = sleep
        self.name = f"--webhook {host}"  # the rest of it may be a secret

    def send(self, news: Document) -> str:
        """See `Way`. An answer that says no is not asked again; one that says later is."""
        why = ""
        for pause in (*RETRY_SECONDS, None):
            why, is_final = self._post(json.dumps(news).encode())
            if not why or is_final or pause is None:
                break
            self._sleep(pause)
        return why

    def _post(self, body: bytes) -> tuple[str, bool]:
        """Return why it did not arrive, and whether it makes no sense to try again."""
        kind = http.client.HTTPSConnection if self._is_secret else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=REQUEST_SECONDS)
        try:
            connection.request("POST", self._path, body, {"Content-Type": "application/json"})
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            return f"{type(error).__name__}: {error}", False
        finally:
            connection.close()
        if 200 <= status < 300:
            return "", True
        return f"it answers {status}", status != TRY_LATER and status < SERVER_ERROR


class Topic:
    """A topic of SNS. `publish` takes its ARN, a subject and a message.

    Raises:
        UsageError: that is no ARN of a topic.
    """

    def __init__(self, arn: str, publish: Callable[[str, str, str], None]) -> None:
        words = arn.split(":")
        if len(words) != 6 or words[0] != "arn" or words[2] != "sns" or not all(words[3:]):
            raise UsageError(
                f"--sns {arn!r} is no topic; write its ARN: arn:aws:sns:eu-central-1:123456789012:nospof"
            )
        self._arn, self._publish, self.name = arn, publish, f"--sns {words[-1]}"

    def send(self, news: Document) -> str:
        """See `Way`."""
        subject = f"nospof {news['kind']}: {' '.join(news['services']) or news['instance_id']}"
        plain = " ".join(subject.encode("ascii", "replace").decode().split())
        try:
            self._publish(self._arn, plain[: SUBJECT_CHARACTERS - 1].strip(": "), json.dumps(news, indent=2))
        except CloudError as error:
            return str(error)
        return ""


class Post:
    """Takes news at once, and delivers them beside.

    Args:
        ways: to whom.
        complain: is told what could not be delivered, from other threads.
    """

    def __init__(self, ways: tuple[Way, ...], complain: Callable[[str], None]) -> None:
        self._complain = complain
        self._queues = [(way, queue.Queue[Document | None](WAITING)) for way in ways]
        self.lost = 0
        self._threads = [
            threading.Thread(target=self._deliver, args=one, daemon=True) for one in self._queues
        ]
        for thread in self._threads:
            thread.start()

    def take(self, news: Document) -> None:
        """Have one of the news delivered."""
        for way, waiting in self._queues:
            try:
                waiting.put_nowait(news)
            except queue.Full:
                self._is_lost(f"{way.name}: {WAITING} news wait for it, and this one is lost: {news['says']}")

    def close(self, within_seconds: float) -> None:
        """Wait until all is delivered, for so long at most."""
        ends = time.monotonic() + within_seconds
        for _, waiting in self._queues:
            with suppress(queue.Full):
                waiting.put(None, timeout=max(0.0, ends - time.monotonic()))
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))

    def _deliver(self, way: Way, waiting: queue.Queue[Document | None]) -> None:
        while (news := waiting.get()) is not None:
            why = way.send(news)
            if why:
                self._is_lost(f"{way.name} was not told of {news['says']!r}: {why}")

    def _is_lost(self, says: str) -> None:
        self.lost += 1
        self._complain(says)


def variables_of(news: Document) -> dict[str, str]:
    """Return the variables a command gets: what a line of shell needs without reading JSON."""
    place = news.get("place") or {}
    found = {
        "KIND": news["kind"],
        "SAYS": news["says"],
        "SERVICES": " ".join(news["services"]),
        "INSTANCE": news["instance_id"],
        "EVENT": news["event_id"],
        "RUN": news["run_id"],
        "ACCOUNT": place.get("account", ""),
        "REGION": place.get("region", ""),
    }
    return {
        f"NOSPOF_{name}": str(value).replace("\0", "")[:VARIABLE_CHARACTERS] for name, value in found.items()
    }
