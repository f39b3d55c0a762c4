"""The resources of a template, evaluated: what exists, and what each of its properties is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nospof.adapters.iac.cloudformation.functions import Evaluator, references
from nospof.adapters.iac.cloudformation.loading import words
from nospof.adapters.iac.cloudformation.parameters import Open
from nospof.errors import UsageError
from nospof.model.estate import UNKNOWN
from nospof.model.findings import Unread

CALL = "CloudFormation template"


@dataclass(frozen=True)
class Resource:
    """A resource as the template asks for it; `raw` is what was written, functions and all."""

    id: str
    type: str
    properties: Mapping[str, Any]
    raw: Mapping[str, Any]
    line: int

    def texts(self, name: str) -> list[Any]:
        """Return a list of single values; one alone counts as a list. UNKNOWN members stay.

        Raises:
            UsageError: it is something else.
        """
        return as_list(self, name, self.properties.get(name))

    def rows(self, name: str) -> list[Mapping[str, Any]]:
        """Return a list of mappings; empty where it is absent or unknown.

        Raises:
            UsageError: it is something else.
        """
        return [one for one in as_list(self, name, self.properties.get(name)) if one is not UNKNOWN]

    def part(self, name: str) -> Mapping[str, Any]:
        """Return a mapping; empty where it is absent or unknown.

        Raises:
            UsageError: it is something else.
        """
        value = self.properties.get(name)
        if value is None or value is UNKNOWN:
            return {}
        if not isinstance(value, dict):
            raise Misshapen(self, f"{name} must be a mapping")
        return value


class Misshapen(ValueError):
    """A property has not the shape that it must have."""

    def __init__(self, resource: Resource, says: str) -> None:
        self.resource = resource
        super().__init__(says)


LISTS_OF_ROWS = frozenset(
    words(
        "Actions BlockDeviceMappings CacheBehaviors Conditions ContainerDefinitions DefaultActions "
        "Dimensions Ebs EndpointConfigurations Items Listeners LoadBalancerAttributes LoadBalancers "
        "NetworkInterfaces Origins RecordSets SecurityGroupIngress SubnetMappings Tags Targets "
        "TrafficSources Volumes"
    )
)
"""Properties that are lists of mappings, wherever they stand."""


def chosen(*values: Any) -> Any:
    """Return the first value that is there; one that is not known is there."""
    return next((one for one in values if one is UNKNOWN or one not in (None, "")), None)


def as_list(resource: Resource, name: str, value: Any) -> list[Any]:
    """Return a property as a list, in the shape that its name asks for.

    Raises:
        UsageError: it is something else.
    """
    if value is None or value is UNKNOWN:
        return []
    listed = value if isinstance(value, list) else [value]
    for one in listed:
        is_row = isinstance(one, dict)
        if one is not UNKNOWN and (is_row != (name in LISTS_OF_ROWS) or isinstance(one, list)):
            raise Misshapen(resource, f"{name} must be a list of {'mappings' if not is_row else 'texts'}")
    return listed


class Stack:
    """All resources that exist, in the order of their ids, and what could not be told of them.

    Raises:
        UsageError: a resource is not written as it must be, or resources need each other in a circle.
    """

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.unread: list[Unread] = []
        self.by_id: dict[str, Resource] = {}
        names = sorted(evaluator.resources)
        for name in names:
            if name.startswith("Fn::ForEach"):
                self._not_read("resources made in a loop", "Fn::ForEach is not expanded", name)
            else:
                self._take(name)
        self._refuse_circles()

    def _not_read(self, kind: str, reason: str, about: str = "") -> None:
        self.unread.append(Unread(kind, CALL, reason, about))

    def _take(self, name: str) -> None:
        raw, at = self.evaluator.resources[name], ("Resources", name)
        if not isinstance(raw, dict) or not isinstance(raw.get("Type"), str):
            self.evaluator.refuse(at, "a resource is a mapping with a Type")
        condition = raw.get("Condition")
        held = True if condition is None else self.evaluator.holds(condition, at)
        if held is False:
            return
        if held is None:
            reason = f"whether it exists hangs on condition {condition}, which nobody could tell"
            self._not_read(f"resource {name}", reason)
        written = raw.get("Properties")
        if written is not None and not isinstance(written, dict):
            self.evaluator.refuse(at, "Properties must be a mapping")
        found = self.evaluator.value(written or {}, (*at, "Properties"))
        if not isinstance(found, dict):
            self._not_read(f"resource {name}", "its properties are not known")
            found = {}
        line = self.evaluator.template.line(*at)
        self.by_id[name] = Resource(name, raw["Type"], _settled(found), raw, line)

    def of(self, *types: str) -> list[Resource]:
        """Return the resources of types, without the "AWS::" in front."""
        return [one for one in self.by_id.values() if one.type.removeprefix("AWS::") in types]

    def naming(self, one: Resource, type: str, name: str) -> list[Mapping[str, Any]]:  # noqa: A002
        """Return the properties of the resources of a type that name another one by a property."""
        return [link.properties for link in self.of(type) if link.properties.get(name) == one.id]

    def find(self, id: Any) -> Resource | None:  # noqa: A002 (the field's own word)
        """Return a resource that exists by its id, or None."""
        return self.by_id.get(id) if isinstance(id, str) else None

    def zone_of_subnet(self, id: Any) -> Any:  # noqa: A002
        """Return the zone of a subnet: UNKNOWN where nobody could tell."""
        found = self.find(id)
        return found.properties.get("AvailabilityZone", UNKNOWN) if found else UNKNOWN

    def _refuse_circles(self) -> None:
        """Refuse resources that need each other in a circle, as CloudFormation does."""
        needs = {name: list(self._needs(one)) for name, one in self.by_id.items()}
        done: set[str] = set()
        for start in needs:
            path: dict[str, Iterator[str]] = {start: iter(needs[start])} if start not in done else {}
            while path:
                last = next(reversed(path))
                following = next(path[last], None)
                if following is None:
                    done.add(last)
                    del path[last]
                elif following in path:
                    circle = [*list(path)[list(path).index(following) :], following]
                    at = ("Resources", following)
                    self.evaluator.refuse(at, f"these resources need each other: {' -> '.join(circle)}")
                elif following not in done:
                    path[following] = iter(needs[following])

    def _needs(self, one: Resource) -> Iterator[str]:
        after = one.raw.get("DependsOn")
        for name in after if isinstance(after, list) else [after]:
            if isinstance(name, str) and name not in self.evaluator.resources:
                self.evaluator.refuse(("Resources", one.id), f"DependsOn names {name}, which is not there")
            if isinstance(name, str) and name in self.by_id:
                yield name
        for name, _ in sorted(references(one.raw.get("Properties"))):
            if name in self.by_id:
                yield name


def _settled(value: Any) -> Any:
    """Return a value with the members of lists that nobody gave written out."""
    if isinstance(value, Open):
        return value.members()
    if isinstance(value, dict):
        return {str(key): _settled(one) for key, one in value.items()}
    if isinstance(value, list):
        flat: list[Any] = []
        for one in value:
            flat += one.members() if isinstance(one, Open) else [_settled(one)]
        return flat
    return value


def file_error(stack: Stack, error: Misshapen) -> UsageError:
    """Return the mistake as the caller is told."""
    where = f"{stack.evaluator.template.file}, line {error.resource.line}"
    return UsageError(f"{where}, Resources.{error.resource.id}: {error}.")
