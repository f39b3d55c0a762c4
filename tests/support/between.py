"""A cloud, at some of whose calls something else happens in the same moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Act = Callable[..., object]


class Before:
    """The cloud; before a call that is named, an act is done with the call's arguments."""

    def __init__(self, cloud: Any, **acts: Act) -> None:
        self._cloud, self._acts = cloud, acts

    def __getattr__(self, name: str) -> Any:
        method, act = getattr(self._cloud, name), self._acts.get(name)
        return self._with(method, act) if act else method

    def _with(self, method: Act, act: Act) -> Act:
        def call(*args: Any, **kwargs: Any) -> object:
            act(*args)
            return method(*args, **kwargs)

        return call


class After(Before):
    """The cloud; after a call that is named, an act is done with the call's arguments."""

    def _with(self, method: Act, act: Act) -> Act:
        def call(*args: Any, **kwargs: Any) -> object:
            value = method(*args, **kwargs)
            act(*args)
            return value

        return call
