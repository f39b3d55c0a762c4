"""Faults of the API on demand: errors, lost answers and latency.

A rule says which calls it hits; the call is refused before it is done, or done and its answer lost,
or only made slow.
"""

from __future__ import annotations

import re
import threading
import time
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from nospof.localcloud.awserrors import AwsError

MAX_LATENCY_SECONDS = 60.0


@dataclass
class Rule:
    """One rule of injection.

    Args:
        service: the service's name as boto3 has it; empty for every one.
        action: the operation's name, such as RunInstances; empty for every one.
        code: the AWS error code to answer; empty for latency alone.
        status: the HTTP status; 500 and above makes clients try again.
        count: how many calls it hits; 0 for every one until it is deleted.
        after: do the call first, then lose the answer.
        latency_seconds: how long the call is held up before it is done.
        match: a regular expression the request's parameters must match.
    """

    service: str = ""
    action: str = ""
    code: str = ""
    status: int = 400
    count: int = 1
    after: bool = False
    latency_seconds: float = 0.0
    match: str = ""
    hits: int = field(default=0, init=False)

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Rule:
        """Return the rule a JSON object describes.

        Raises:
            ValueError: an unknown field, a wrong type or value, or a rule that does nothing.
        """
        known = {f.name: type(f.default) for f in fields(cls) if f.init}
        for name, value in document.items():
            if name not in known:
                raise ValueError(f"unknown field '{name}'; known are {', '.join(sorted(known))}")
            wanted = (int, float) if known[name] is float else known[name]
            if not isinstance(value, wanted) or (known[name] is not bool and isinstance(value, bool)):
                raise ValueError(f"'{name}' must be of type {known[name].__name__}")
        rule = cls(**document)
        if not rule.code and not rule.latency_seconds:
            raise ValueError("give 'code', 'latency_seconds' or both: the rule would do nothing")
        if not 0 <= rule.latency_seconds <= MAX_LATENCY_SECONDS:
            raise ValueError(f"'latency_seconds' must be between 0 and {MAX_LATENCY_SECONDS:.0f}")
        if not 400 <= rule.status <= 599:
            raise ValueError("'status' must be an HTTP error status, 400 to 599")
        if rule.count < 0:
            raise ValueError("'count' must be 0 (no limit) or more")
        try:
            re.compile(rule.match)
        except re.error as error:
            raise ValueError(f"'match' is not a regular expression: {error}") from error
        return rule

    def hits_call(self, service: str, action: str, parameters: str) -> bool:
        """Return whether a call is one this rule is for, counting it if so."""
        if self.count and self.hits >= self.count:
            return False
        if (self.service and self.service != service) or (self.action and self.action != action):
            return False
        if self.match and not re.search(self.match, parameters):
            return False
        self.hits += 1
        return True

    def error(self) -> AwsError:
        """Return the error to answer."""
        return AwsError(self.code, f"{self.code} was injected into this call.", self.status)


class Faults:
    """The rules in force."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._lock = threading.Lock()

    def add(self, rule: Rule) -> None:
        """Put a rule in force, before the ones that are."""
        with self._lock:
            self._rules.insert(0, rule)

    def clear(self) -> None:
        """Take every rule out of force."""
        with self._lock:
            self._rules.clear()

    def documents(self) -> list[dict[str, Any]]:
        """Return the rules as JSON objects, with the hits so far."""
        with self._lock:
            return [asdict(rule) for rule in self._rules]

    def for_call(self, service: str, action: str, parameters: str) -> Rule | None:
        """Return the rule that hits a call, after its latency; None for none."""
        with self._lock:
            rule = next((r for r in self._rules if r.hits_call(service, action, parameters)), None)
        if rule and rule.latency_seconds:
            time.sleep(rule.latency_seconds)
        return rule if rule and rule.code else None
