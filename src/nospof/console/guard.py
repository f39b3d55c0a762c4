"""Who may come in, and as what: tokens, signed sessions, where requests come from, how many may fail.

One token for each role stands in a file that only its owner reads. A program sends it as a bearer; a page
trades it for a cookie that no script reads and no other site sends.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from nospof.errors import PreconditionFailed
from nospof.model.asked import ROLES, Caller, Role

FILE = "console-tokens.json"
ENDED_FILE = "console-ended-sessions"
SESSION_SECONDS = 12 * 3600.0
COOKIE = "nospof_session"
FAILURES, FAILURE_SECONDS = 10, 60.0
"""So many wrong tokens are looked at within so long; a token has 256 bits, so this keeps the log short."""


class Turned(Exception):
    """A request that is turned away: a HTTP status, and why."""

    def __init__(self, status: int, says: str, *, after_seconds: int = 0) -> None:
        super().__init__(says)
        self.status, self.after_seconds = status, after_seconds


def tokens_in(home: Path) -> dict[Role, str]:
    """Return the token of each role; they are made the first time.

    Raises:
        PreconditionFailed: the file cannot be read or written, or others may read it.
    """
    file = home / FILE
    try:
        with open(os.open(file, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="ascii") as opened:
            if os.fstat(opened.fileno()).st_mode & 0o077:
                raise PreconditionFailed(f"others may read {file}, which has the tokens: chmod 600 {file}")
            text = opened.read()
            if not text:
                text = json.dumps({role: secrets.token_urlsafe(32) for role in ROLES}, indent=2)
                opened.write(f"{text}\n")
        found = json.loads(text)
        return {role: str(found[role]) for role in ROLES}
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = getattr(error, "strerror", None) or f"it is not what nospof writes ({error})"
        raise PreconditionFailed(
            f"{file} cannot be used: {why}. Remove it to have new tokens, which ends every session."
        ) from error


class EndedSessions:
    """Sessions that were ended before their time, a line each in a file; also for a server after this one.

    Args:
        home: the state directory.
    """

    def __init__(self, home: Path) -> None:
        self._file = home / ENDED_FILE
        lines = self._file.read_text(encoding="ascii").split() if self._file.exists() else []
        self._ended = {one for one in lines if lasts(one)}
        if len(self._ended) < len(lines):
            self._file.write_text("".join(f"{one}\n" for one in sorted(self._ended)), encoding="ascii")

    def __contains__(self, said: str) -> bool:
        return said in self._ended

    def add(self, said: str) -> None:
        """Note that a session is over."""
        with open(os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as file:
            file.write(f"{said}\n")
        self._ended.add(said)


def lasts(said: str) -> bool:
    """Whether the time of what a session says is not over."""
    _, _, rest = said.partition(".")
    ends = rest.partition(".")[0]
    return ends.isascii() and ends.isdigit() and int(ends) > time.time()


@dataclass
class Guard:
    """Decides about requests.

    Args:
        tokens: by role.
        hosts: the names by which this server may be asked for, with their ports.
        origins: where its own pages come from.
        ended: the sessions that are over before their time.
    """

    tokens: dict[Role, str]
    hosts: frozenset[str]
    origins: frozenset[str]
    ended: EndedSessions
    _failed: deque[float] = field(default_factory=deque)

    def refuse_strangers(self, host: str, origin: str, *, changes: bool) -> None:
        """Refuse what was meant for another name (DNS rebinding), and what another site's page sends.

        Raises:
            Turned: it is such a request.
        """
        if host.lower() not in self.hosts:
            raise Turned(421, f"this server does not answer for {host[:100]!r}; see: nospof serve --help")
        if changes and origin and origin not in self.origins:
            raise Turned(403, "another site's page sent this")

    def caller(self, bearer: str, cookie: str, address: str) -> Caller:
        """Return who asks.

        Raises:
            Turned: nobody that is known, or too many were not.
        """
        if bearer:
            return Caller(self._role_of(bearer), address)
        role = self.role_in(cookie)
        if role is None:
            raise Turned(
                401, "send a token, as: Authorization: Bearer TOKEN; see: nospof serve --print-token"
            )
        return Caller(role, address)

    def _role_of(self, token: str) -> Role:
        now = time.monotonic()
        while self._failed and self._failed[0] < now - FAILURE_SECONDS:
            self._failed.popleft()
        given = token.encode()
        found = [role for role in ROLES if hmac.compare_digest(self.tokens[role].encode(), given)]
        if found:
            return found[0]
        if len(self._failed) >= FAILURES:
            wait = int(self._failed[0] + FAILURE_SECONDS - now) + 1
            raise Turned(429, "too many wrong tokens; wait a minute", after_seconds=wait)
        self._failed.append(now)
        raise Turned(401, "the token is not one of this server; see: nospof serve --print-token")

    def session(self, token: str) -> tuple[Role, str]:
        """Return the role of a token, and a cookie that says it for a while.

        Raises:
            Turned: the token is none.
        """
        role = self._role_of(token)
        said = f"{role}.{int(time.time() + SESSION_SECONDS)}.{secrets.token_urlsafe(12)}"
        return role, f"{said}.{self._signature(said, role)}"

    def role_in(self, cookie: str) -> Role | None:
        """Return the role that a cookie says, where this server signed it and its time is not over."""
        said, _, signature = cookie.rpartition(".")
        role = next((one for one in ROLES if one == said.partition(".")[0]), None)
        if role is None or not hmac.compare_digest(self._signature(said, role).encode(), signature.encode()):
            return None
        return role if lasts(said) and said not in self.ended else None

    def end(self, cookie: str) -> None:
        """End a session now, wherever its cookie is; what is no session is left alone."""
        if self.role_in(cookie):
            self.ended.add(cookie.rpartition(".")[0])

    def _signature(self, said: str, role: Role) -> str:
        """Return what only this server can write; a new token of the role makes all of them worthless."""
        return hmac.new(self.tokens[role].encode(), said.encode(), hashlib.sha256).hexdigest()
