"""What moto works out anew for each call, and what is the same each time: here it is worked out once.

A command that waits asks ten times a second, so a third of what a gateway did was this.
"""

from __future__ import annotations

import functools
from typing import Any

from moto.core import responses, serialize
from moto.moto_server.werkzeug_app import DomainDispatcherApplication


class Dispatcher(DomainDispatcherApplication):
    """moto's choice of a service by the host that was asked, which lists moto's directory to find one."""

    def __init__(self, create_app: Any) -> None:
        super().__init__(create_app)
        self._by_host: dict[str | None, Any] = {}

    def get_backend_for_host(self, host: str | None) -> Any:
        """Return the name of the service a host stands for, or None; called under moto's lock."""
        if host not in self._by_host:
            self._by_host[host] = super().get_backend_for_host(host)
        return self._by_host[host]


def install() -> None:
    """Put memories in front of moto's functions. Called once, before the first request."""
    # The methods of a class, found among all its members for each call.
    calls: Any = responses
    calls.method_names_from_class = functools.cache(calls.method_names_from_class)
    _remember_keys()


def _remember_keys() -> None:
    """Have each name that a member of an answer may have in moto's models worked out once.

    It follows from the kind of object, from the member's key and from its shape, of which botocore keeps one
    for each place in an answer; never from the object itself. So the shape is where it is kept.
    """
    picker: Any = serialize.XFormedAttributePicker
    work_out = picker.get_possible_keys

    def get_possible_keys(self: Any, context: Any) -> tuple[str, ...]:
        if context.shape is None:  # a member that no shape describes
            return tuple(dict.fromkeys(work_out(self, context)))
        known = vars(context.shape).setdefault("names_in_models", {})
        asked = (type(context.obj), context.key, *self.alias_providers)
        if asked not in known:
            known[asked] = tuple(dict.fromkeys(work_out(self, context)))  # each once, in moto's order
        names: tuple[str, ...] = known[asked]
        return names

    picker.get_possible_keys = get_possible_keys
