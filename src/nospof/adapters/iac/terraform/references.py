"""What an expression of the configuration refers to, through modules' variables and outputs.

The JSON tells which names an expression uses, not what it makes of them. Where the names lead to several
instances, count and for_each are taken to pair like with like; what cannot be told stays open.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nospof.adapters.iac.terraform.plan import is_counted
from nospof.adapters.iac.terraform.resources import (
    Key,
    Resource,
    indexed,
    key_of,
    references_in,
    steps,
    within,
)

LONGEST_CHAIN = 100
"""Variables given on through more modules than this are not followed."""
CONSTANT = ("path", "terraform", "self")

Step = str | int


@dataclass(frozen=True)
class Target:
    """An attribute of a resource that an expression uses; empty when it uses the whole."""

    resource: Resource
    attribute: str


@dataclass(frozen=True, eq=False)
class Found:
    """What an expression uses; not whole where a local or a data source hides what else it uses."""

    targets: tuple[Target, ...] = ()
    is_whole: bool = True


@dataclass(frozen=True)
class Scope:
    """A module instance while its expressions are followed."""

    module: str
    config: Mapping[str, Any]
    call: Mapping[str, Any]
    parent: Scope | None
    key: Key = None


@dataclass(frozen=True)
class Asker:
    """Whose expression it is: its index, and what gives it its instances."""

    key: Key = None
    each: tuple[str, ...] = ()
    number: int = 1


@dataclass
class _Walk:
    through_data: bool
    targets: dict[tuple[str, str], Target] = field(default_factory=dict)
    is_whole: bool = True
    seen: set[tuple[str, str, Key]] = field(default_factory=set)


class References:
    """Follows references within one plan.

    Args:
        root: the configuration's root module; empty where there is none.
        resources: all instances that the plan has.
    """

    def __init__(self, root: Mapping[str, Any], resources: Iterable[Resource]) -> None:
        self._root = Scope("", root, {}, None)
        self._instances: dict[tuple[str, str, str], dict[Key, Resource]] = {}
        self._children: dict[tuple[str, str], dict[str, Key]] = {}
        self._scopes: dict[str, Scope | None] = {"": self._root}
        self._configs: dict[int, dict[str, Mapping[str, Any]]] = {}
        self._answers: dict[tuple[str, tuple[str, ...], Key, bool], Found] = {}
        modules: dict[str, None] = {}
        for one in resources:
            kind = f"data.{one.type}" if one.is_data else one.type
            self._instances.setdefault((one.module, kind, one.name), {})[one.key] = one
            modules[one.module] = None
        for module in modules:
            self._note_module(module)

    def of(self, asker: Resource, references: tuple[str, ...], *, through_data: bool = False) -> Found:
        """Return what references lead to, seen from a resource.

        Args:
            asker: whose expression it is.
            references: the names that it uses.
            through_data: follow what data sources are made from as well, such as rendered templates.
        """
        if not references:
            return Found()
        is_keyed = goes_by_index(references)
        at = (asker.module, references, asker.key if is_keyed else None, through_data)
        if is_keyed:
            at = (f"{asker.module}|{asker.type}.{asker.name}", *at[1:])
        if at not in self._answers:
            self._answers[at] = self._follow(asker, references, is_keyed, through_data)
        return self._answers[at]

    def _follow(
        self, asker: Resource, references: tuple[str, ...], is_keyed: bool, through_data: bool
    ) -> Found:
        scope = self._scope(asker.module)
        if scope is None:
            return Found(is_whole=False)
        walk = _Walk(through_data)
        who = self._asker(scope, asker) if is_keyed else Asker()
        self._expression(walk, scope, references, who, 0)
        return Found(tuple(walk.targets.values()), walk.is_whole)

    # Names ------------------------------------------------------------------------------------------

    def _expression(
        self, walk: _Walk, scope: Scope, references: tuple[str, ...], who: Asker, depth: int
    ) -> None:
        if depth > LONGEST_CHAIN:
            walk.is_whole = False
            return
        here = who if goes_by_index(references) else Asker()
        for path in without_prefixes([steps(one) for one in references]):
            at = (scope.module, str(path), here.key)
            if at not in walk.seen:
                walk.seen.add(at)
                self._name(walk, scope, path, here, depth + 1)

    def _name(self, walk: _Walk, scope: Scope, path: tuple[Step, ...], who: Asker, depth: int) -> None:
        head = path[0]
        if head in CONSTANT or len(path) < 2:
            return
        if head == "var":
            self._variable(walk, scope, path, who, depth)
        elif head == "module":
            self._output(walk, scope, path, who, depth)
        elif head == "each":
            if path[1] == "value":
                outer, walk.targets = walk.targets, {}
                self._expression(walk, scope, who.each, Asker(), depth)
                self._narrow(walk, outer, who)
        elif head == "data":
            self._data(walk, scope, path, who, depth)
        elif head == "local":
            walk.is_whole = False
        elif head != "count":
            self._resource(walk, scope, path, who)

    def _variable(self, walk: _Walk, scope: Scope, path: tuple[Step, ...], who: Asker, depth: int) -> None:
        if scope.parent is None:
            return  # A root variable has a value; it refers to nothing.
        given = scope.call.get("expressions")
        expression = given.get(str(path[1])) if isinstance(given, Mapping) else None
        outer, walk.targets = walk.targets, {}
        caller = Asker(scope.key, references_in(scope.call.get("for_each_expression")))
        self._expression(walk, scope.parent, references_in(expression), caller, depth)
        self._narrow(walk, outer, who, path[2:])

    def _output(self, walk: _Walk, scope: Scope, path: tuple[Step, ...], who: Asker, depth: int) -> None:
        name = str(path[1])
        rest = path[2:]
        children = self._children.get((scope.module, name), {})
        own = within(scope.module, f"module.{name}")
        wanted = list(children) or [own]
        if rest and (key := key_of(rest[0])) is not None:
            wanted, rest = [indexed(own, key)], rest[1:]
        elif who.key is not None and who.key in children.values():
            wanted = [address for address, key in children.items() if key == who.key]
        if not rest:
            walk.is_whole = False
            return
        outer, walk.targets = walk.targets, {}
        for address in wanted:
            inner = self._scope(address)
            outputs = inner.config.get("outputs") if inner else None
            output = outputs.get(str(rest[0])) if isinstance(outputs, Mapping) else None
            if inner is None or not isinstance(output, Mapping):
                walk.is_whole = False
                continue
            # An index behind an output picks from what it gives: the asker's own index still pairs them.
            self._expression(walk, inner, references_in(output.get("expression")), Asker(), depth)
        self._narrow(walk, outer, who, rest[1:])

    def _data(self, walk: _Walk, scope: Scope, path: tuple[Step, ...], who: Asker, depth: int) -> None:
        if len(path) < 3:
            return
        if not walk.through_data:
            walk.is_whole = False
            return
        record = self._configured(scope).get(f"data.{path[1]}.{path[2]}")
        if record is not None:
            self._expression(walk, scope, references_in(record.get("expressions")), who, depth)

    def _resource(self, walk: _Walk, scope: Scope, path: tuple[Step, ...], who: Asker) -> None:
        kind, name, rest = str(path[0]), str(path[1]), path[2:]
        instances = self._instances.get((scope.module, kind, name))
        if not instances:
            record = self._configured(scope).get(f"{kind}.{name}")
            if record is None or not is_counted(record):
                walk.is_whole = False
            return
        key = key_of(rest[0]) if rest else None
        if key is not None:
            found, rest = [instances[key]] if key in instances else [], rest[1:]
        else:
            found = paired(instances, who)
        attribute = str(rest[0]) if rest and isinstance(rest[0], str) else ""
        for one in found:
            walk.targets.setdefault((one.address, attribute), Target(one, attribute))

    def _narrow(
        self, walk: _Walk, outer: dict[tuple[str, str], Target], who: Asker, rest: tuple[Step, ...] = ()
    ) -> None:
        """Keep, of what an output, a variable or a for_each gave, what pairs with the asker."""
        index = key_of(rest[0]) if rest else None
        targets = list(walk.targets.values())
        if index is not None:
            kept = [one for one in targets if one.resource.key == index]
            if not kept and isinstance(index, int) and index < len(targets):
                kept = [targets[index]]
        elif who.key is not None:
            kept = [one for one in targets if one.resource.key == who.key]
            if not kept and isinstance(who.key, int) and who.key < len(targets) == who.number:
                kept = [targets[who.key]]
        else:
            kept = targets
        walk.targets = outer | {(one.resource.address, one.attribute): one for one in kept or targets}

    # Modules ------------------------------------------------------------------------------------------

    def _asker(self, scope: Scope, resource: Resource) -> Asker:
        record = self._configured(scope).get(f"{resource.type}.{resource.name}", {})
        number = len(self._instances.get((resource.module, resource.type, resource.name), ()))
        return Asker(resource.key, references_in(record.get("for_each_expression")), number)

    def _configured(self, scope: Scope) -> dict[str, Mapping[str, Any]]:
        at = id(scope.config)
        if at not in self._configs:
            rows = scope.config.get("resources")
            self._configs[at] = {
                str(one.get("address")): one
                for one in (rows if isinstance(rows, list) else ())
                if isinstance(one, Mapping)
            }
        return self._configs[at]

    def _note_module(self, module: str) -> None:
        """Note a module instance and those around it."""
        outer = ""
        for name, key in calls_in(module):
            address = indexed(within(outer, f"module.{name}"), key)
            self._children.setdefault((outer, name), {})[address] = key
            outer = address

    def _scope(self, module: str) -> Scope | None:
        if module in self._scopes:
            return self._scopes[module]
        scope: Scope | None = self._root
        for name, key in calls_in(module):
            scope = self._inner(scope, name, key) if scope else None
        self._scopes[module] = scope
        return scope

    def _inner(self, scope: Scope, name: str, key: Key) -> Scope | None:
        calls = scope.config.get("module_calls")
        call = calls.get(name) if isinstance(calls, Mapping) else None
        config = call.get("module") if isinstance(call, Mapping) else None
        if not isinstance(call, Mapping) or not isinstance(config, Mapping):
            return None
        own = indexed(within(scope.module, f"module.{name}"), key)
        return Scope(own, config, call, scope, key)


def goes_by_index(references: Iterable[str]) -> bool:
    """Whether an expression says something else for each index of its asker."""
    return any(one.split(".")[0] in ("each", "count") for one in references)


def calls_in(module: str) -> Iterator[tuple[str, Key]]:
    """Yield the calls that lead to a module instance, outermost first, each with its index."""
    path = steps(module)
    at = 0
    while at + 1 < len(path):
        key = key_of(path[at + 2]) if at + 2 < len(path) else None
        yield str(path[at + 1]), key
        at += 2 if key is None else 3


def paired(instances: Mapping[Key, Resource], who: Asker) -> list[Resource]:
    """Return the instances that pair with the asker: of the same index, else at the same place of as many."""
    if who.key is None or len(instances) < 2:
        return list(instances.values())
    if who.key in instances:
        return [instances[who.key]]
    found = list(instances.values())
    if isinstance(who.key, int) and len(found) == who.number and who.key < len(found):
        return [found[who.key]]
    return found


def without_prefixes(paths: list[tuple[Step, ...]]) -> list[tuple[Step, ...]]:
    """Return the paths that no other begins with: "aws_subnet.a.id" is told with "aws_subnet.a" beside it."""
    distinct = list(dict.fromkeys(path for path in paths if path))
    longer = {path[:end] for path in distinct for end in range(1, len(path))}
    return [path for path in distinct if path not in longer]
