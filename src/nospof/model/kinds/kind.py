"""What a kind of resource is: the call that lists it, how it is named, which fields are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Kind:
    """A kind of resource.

    Args:
        name: our word for it: "instance".
        call: the call that describes it: "ec2:DescribeInstances" (boto3's service and operation).
        rows: where its records stand in the answer, dotted; lists on the way are flattened.
        id: the field with its identity; several joined by "+" where one is not enough. The parent's id
            goes in front where there is a `parent` field.
        keys: further fields that others refer to it by.
        names: such fields that hold host names: compared without case and closing dot.
        fields: every path that is read, dotted, through lists as well; "Tags" needs no declaring.
        label: the field with the name that people know it by, where that is not its Name tag.
        plural: what people call several; `name` + "s" where empty.
        per: the kind for each of whose items the call is made, "" for one call for all.
        argument: the call's argument that takes the parent's id.
        takes: the parent's field that the argument takes instead, where that is not its id.
        passes: further arguments, with the parent's field that each takes.
        batch: how many parents one call takes; then the argument is a list.
        parent: the field under which the reader keeps the parent's id in the record, where the answer
            does not say it.
        fixed: further arguments of the call, as pairs.
        action: the IAM action, where it is not the call with its IAM prefix.
        is_global: the call goes to the one global endpoint, not to the region's.
        used_in: the view that is lost with it for those who are told to connect to it; empty where nobody is.
    """

    name: str
    call: str
    rows: str
    id: str
    fields: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    label: str = ""
    plural: str = ""
    per: str = ""
    argument: str = ""
    takes: str = ""
    passes: tuple[tuple[str, str], ...] = ()
    batch: int = 1
    parent: str = ""
    fixed: tuple[tuple[str, object], ...] = ()
    action: str = ""
    is_global: bool = False
    used_in: str = ""

    def __post_init__(self) -> None:
        if not self.plural:
            object.__setattr__(self, "plural", f"{self.name}s")

    @property
    def singular(self) -> str:
        """What people call one."""
        return self.name

    @cached_property
    def paths(self) -> frozenset[str]:
        """Every path that may be read, with what they lead through."""
        found = {"Tags"}
        others = filter(None, [self.parent, self.label])
        for path in (*self.fields, *self.keys, *self.names, *self.id.split("+"), *others):
            parts = path.split(".")
            found.update(".".join(parts[: end + 1]) for end in range(len(parts)))
        return frozenset(found)

    @cached_property
    def steps(self) -> dict[str, tuple[str, ...]]:
        """The fields that lead to every path that may be read."""
        return {path: tuple(path.split(".")) for path in self.paths}


def rows_of(page: Mapping[str, Any], path: str) -> list[Any]:
    """Return what stands at a path of an answer; lists on the way are flattened."""
    return rows_in([page], path)


def rows_in(pages: Iterable[Any], path: str) -> list[Any]:
    """Return what stands at a path of answers, or of parts of them, in order; see `rows_of`."""
    found = list(pages)
    for part in path.split(".") if path else ():
        found = [one.get(part) for one in found if type(one) is dict or isinstance(one, Mapping)]
        if any(isinstance(one, (list, tuple)) for one in found):
            found = [each for one in found for each in (one if isinstance(one, (list, tuple)) else (one,))]
    return [one for one in found if one is not None]
