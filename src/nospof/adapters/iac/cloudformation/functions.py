"""Evaluates CloudFormation's functions; what only a deployment would tell is UNKNOWN.

A reference to a resource is the resource's logical id, which is its id in the estate.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

from nospof.adapters.iac.cloudformation.loading import Template
from nospof.adapters.iac.cloudformation.parameters import Open, Parameters
from nospof.errors import UsageError
from nospof.model.estate import UNKNOWN


class Nothing:
    """The type of NOTHING: AWS::NoValue, a property that is not there."""


NOTHING = Nothing()
PLACE = re.compile(r"\$\{([^!{}][^{}]*)\}")
DYNAMIC = "{{resolve:"
PLAIN_ATTRIBUTES = ("Port", "CidrBlock", "Ipv6CidrBlocks", "VpcId", "SubnetId", "PrivateIp")
"""Attributes that are no way to name their resource."""


class Evaluator:
    """Evaluates the values of one template.

    Args:
        template: it.
        parameters: their values.
    """

    def __init__(self, template: Template, parameters: Parameters) -> None:
        self.template = template
        self.parameters = parameters
        self.resources: Mapping[str, Any] = template.document["Resources"]
        self.assumptions: dict[str, None] = dict.fromkeys(parameters.assumptions)
        self._conditions: dict[str, Any] = {}
        self._under_way: list[str] = []
        self._functions: dict[str, Callable[[Any, tuple[str, ...]], Any]] = {
            "Ref": self._ref,
            "Condition": self._condition,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::FindInMap": self._find_in_map,
            "Fn::If": self._if,
            "Fn::Equals": self._equals,
            "Fn::And": self._and,
            "Fn::Or": self._or,
            "Fn::Not": self._not,
            "Fn::GetAZs": self._zones,
            "Fn::Base64": lambda value, at: self.value(value, at),
            "Fn::ImportValue": self._import,
            "Fn::Cidr": lambda _value, at: Open(".".join(at)),
            "Fn::Length": lambda _value, _at: UNKNOWN,
            "Fn::ToJsonString": lambda _value, _at: UNKNOWN,
            "Fn::Transform": lambda _value, _at: UNKNOWN,
        }

    # What others ask ------------------------------------------------------------------------------

    def value(self, raw: Any, at: tuple[str, ...]) -> Any:
        """Return what a value is; `at` is the path to it, for messages.

        Raises:
            UsageError: a function is not used as it must be.
        """
        if isinstance(raw, dict):
            name = function_of(raw)
            if name:
                if name not in self._functions:
                    self.refuse(at, f"no function is called {name}")
                return self._functions[name](raw[name], at)
            each = {key: self.value(one, (*at, key)) for key, one in raw.items()}
            return {key: one for key, one in each.items() if one is not NOTHING}
        if isinstance(raw, list):
            found = [self.value(one, (*at, str(place))) for place, one in enumerate(raw)]
            return [one for one in found if one is not NOTHING]
        if isinstance(raw, str) and DYNAMIC in raw:
            self.assume("what {{resolve:...}} names is read at deployment: it is not known")
            return UNKNOWN
        return raw

    def holds(self, condition: str, at: tuple[str, ...]) -> bool | None:
        """Return whether a condition holds; None when nobody could tell."""
        found = self._condition(condition, at)
        return None if found is UNKNOWN else found is True

    def assume(self, says: str) -> None:
        """Note what is taken for true, once."""
        self.assumptions.setdefault(says)

    def refuse(self, at: tuple[str, ...], says: str) -> NoReturn:
        """Raise a UsageError that names file, line and path."""
        line = self.template.line(*at)
        raise UsageError(f"{self.template.file}, line {line}, {'.'.join(at)}: {says}.")

    # References -----------------------------------------------------------------------------------

    def _ref(self, value: Any, at: tuple[str, ...]) -> Any:
        if not isinstance(value, str):
            self.refuse(at, "Ref takes the name of a parameter or a resource")
        if value == "AWS::NoValue":
            return NOTHING
        if value in self.parameters.values:
            return self.parameters.values[value]
        if value not in self.resources:
            self._no_such(value, at)
        return value

    def _get_att(self, value: Any, at: tuple[str, ...]) -> Any:
        parts = value.split(".", 1) if isinstance(value, str) else value
        if not isinstance(parts, list) or len(parts) != 2 or not isinstance(parts[0], str):
            self.refuse(at, "GetAtt takes a resource and an attribute")
        name, attribute = parts
        if name not in self.resources:
            self._no_such(name, at)
        resource = self.resources[name]
        kind = str(resource.get("Type", "")) if isinstance(resource, dict) else ""
        if not isinstance(attribute, str) or kind.startswith(("Custom::", "AWS::CloudFormation::")):
            return UNKNOWN
        if attribute == "AvailabilityZone":
            return self.zone_of(name, at)
        if attribute in ("LatestVersionNumber", "DefaultVersionNumber"):
            return "1"
        return UNKNOWN if attribute.rpartition(".")[2] in PLAIN_ATTRIBUTES else name

    def zone_of(self, name: str, at: tuple[str, ...]) -> Any:
        """Return the zone that a resource names, or that its subnet does."""
        if name in self._under_way:
            self.refuse(at, f"the zone of {name} depends on itself")
        resource = self.resources[name] if isinstance(self.resources[name], dict) else {}
        properties = resource.get("Properties")
        properties = properties if isinstance(properties, dict) else {}
        self._under_way.append(name)
        try:
            if "AvailabilityZone" in properties:
                return self.value(properties["AvailabilityZone"], ("Resources", name, "AvailabilityZone"))
            subnet = self.value(properties.get("SubnetId"), ("Resources", name, "SubnetId"))
            if isinstance(subnet, str) and subnet in self.resources and subnet != name:
                return self.zone_of(subnet, at)
        finally:
            self._under_way.pop()
        return UNKNOWN

    def _sub(self, value: Any, at: tuple[str, ...]) -> Any:
        names: Mapping[str, Any] = {}
        if isinstance(value, list):
            if len(value) != 2 or not isinstance(value[0], str) or not isinstance(value[1], dict):
                self.refuse(at, "Sub takes a text, or a list of a text and a mapping")
            value, names = value
        if not isinstance(value, str):
            self.refuse(at, "Sub takes a text, or a list of a text and a mapping")
        if DYNAMIC in value:
            return UNKNOWN
        parts: list[Any] = []
        end = 0
        for found in PLACE.finditer(value):
            name = found[1].strip()
            raw = names.get(name, {"Fn::GetAtt" if "." in name else "Ref": name})
            parts += [
                literal(value[end : found.start()]),
                self.value(raw, (*at, name) if name in names else at),
            ]
            end = found.end()
        return joined("", [*parts, literal(value[end:])])

    def _no_such(self, name: str, at: tuple[str, ...]) -> NoReturn:
        near = difflib.get_close_matches(name, [*self.parameters.values, *self.resources], 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        self.refuse(at, f"there is no parameter or resource {name}{hint}")

    def _import(self, value: Any, at: tuple[str, ...]) -> Any:
        name = self.value(value, at)
        if isinstance(name, (list, dict)):
            self.refuse(at, "ImportValue takes the name of an export")
        shown = "another stack exports" if name is UNKNOWN or isinstance(name, Open) else f"{name} imports"
        self.assume(f"what {shown} is not known")
        return f"{{import {name}}}" if isinstance(name, str) else UNKNOWN

    # Texts and lists ------------------------------------------------------------------------------

    def _arguments(self, name: str, value: Any, at: tuple[str, ...], *numbers: int) -> list[Any]:
        if not isinstance(value, list) or len(value) not in numbers:
            said = f"a list of {len(value)}" if isinstance(value, list) else "no list"
            self.refuse(at, f"{name} takes a list of {' or '.join(map(str, numbers))}, and has {said}")
        return value

    def _join(self, value: Any, at: tuple[str, ...]) -> Any:
        between, parts = self._arguments("Join", value, at, 2)
        parts = self.value(parts, at)
        if isinstance(parts, Open):
            parts = parts.members()
        if parts is UNKNOWN:
            return UNKNOWN
        if not isinstance(between, str) or not isinstance(parts, list):
            self.refuse(at, "Join takes a text and a list")
        return joined(between, parts)

    def _select(self, value: Any, at: tuple[str, ...]) -> Any:
        place, parts = (self.value(one, at) for one in self._arguments("Select", value, at, 2))
        if place is UNKNOWN or parts is UNKNOWN:
            return UNKNOWN
        try:
            number = int(str(place))
        except ValueError:
            self.refuse(at, f"Select takes a number, and has {place!r}")
        if isinstance(parts, Open) and number >= 0:
            return parts.member(number)
        if not isinstance(parts, list):
            self.refuse(at, "Select takes a number and a list")
        if not 0 <= number < len(parts):
            self.refuse(at, f"Select takes member {number} of a list that has {len(parts)}")
        return parts[number]

    def _split(self, value: Any, at: tuple[str, ...]) -> Any:
        between, text = self._arguments("Split", value, at, 2)
        text = self.value(text, at)
        if text is UNKNOWN:
            return Open(".".join(at))
        if not isinstance(between, str) or not between or not isinstance(text, str):
            self.refuse(at, "Split takes a text that divides, and a text")
        return text.split(between)

    def _find_in_map(self, value: Any, at: tuple[str, ...]) -> Any:
        arguments = self._arguments("FindInMap", value, at, 3, 4)
        name, *keys = (self.value(one, at) for one in arguments[:3])
        if UNKNOWN in (name, *keys):
            return UNKNOWN
        found = self.template.document.get("Mappings") or {}
        for key in (name, *keys):
            if not isinstance(key, (str, int)) or not isinstance(found, dict):
                self.refuse(at, "FindInMap takes a mapping's name and two keys")
            if str(key) not in found:
                if len(arguments) == 4 or is_symbolic(key):
                    return UNKNOWN
                self.refuse(at, f"FindInMap finds no {key} in mapping {name}")
            found = found[str(key)]
        return found

    def _zones(self, value: Any, at: tuple[str, ...]) -> Any:
        self.value(value, at)
        self.assume("Fn::GetAZs names at least two zones, az[0] and az[1], and all are different")
        return Open("az")

    # Conditions -----------------------------------------------------------------------------------

    def _condition(self, value: Any, at: tuple[str, ...]) -> Any:
        declared = self.template.document.get("Conditions") or {}
        if not isinstance(value, str) or not isinstance(declared, dict) or value not in declared:
            self.refuse(at, f"there is no condition {value}")
        if value not in self._conditions:
            if value in self._under_way:
                self.refuse(at, f"condition {value} depends on itself")
            self._under_way.append(value)
            found = self.value(declared[value], ("Conditions", value))
            self._under_way.pop()
            if not isinstance(found, bool) and found is not UNKNOWN:
                self.refuse(("Conditions", value), "a condition is made with And, Equals, Not or Or")
            self._conditions[value] = found
        return self._conditions[value]

    def _if(self, value: Any, at: tuple[str, ...]) -> Any:
        condition, *ways = self._arguments("If", value, at, 3)
        held = self._condition(condition, at)
        if held is UNKNOWN:
            self.assume(f"whether condition {condition} holds is not known, so neither is what hangs on it")
            first, second = (self.value(one, at) for one in ways)
            return first if first is second or (type(first) is type(second) and first == second) else UNKNOWN
        return self.value(ways[0 if held else 1], at)

    def _equals(self, value: Any, at: tuple[str, ...]) -> Any:
        first, second = (self.value(one, at) for one in self._arguments("Equals", value, at, 2))
        if first is NOTHING or second is NOTHING:
            self.refuse(at, "Equals cannot compare AWS::NoValue")
        if any(one is UNKNOWN or isinstance(one, Open) for one in (first, second)):
            return UNKNOWN
        said, other = text_of(first), text_of(second)
        if said != other and (is_symbolic(said) or is_symbolic(other)):
            return UNKNOWN
        return said == other

    def _truths(self, name: str, value: Any, at: tuple[str, ...], *numbers: int) -> list[Any]:
        found = [self.value(one, at) for one in self._arguments(name, value, at, *numbers)]
        if not all(isinstance(one, bool) or one is UNKNOWN for one in found):
            self.refuse(at, f"{name} takes conditions")
        return found

    def _and(self, value: Any, at: tuple[str, ...]) -> Any:
        found = self._truths("And", value, at, *range(2, 11))
        return False if False in found else UNKNOWN if UNKNOWN in found else True

    def _or(self, value: Any, at: tuple[str, ...]) -> Any:
        found = self._truths("Or", value, at, *range(2, 11))
        return True if True in found else UNKNOWN if UNKNOWN in found else False

    def _not(self, value: Any, at: tuple[str, ...]) -> Any:
        (found,) = self._truths("Not", value, at, 1)
        return UNKNOWN if found is UNKNOWN else not found


def function_of(raw: Mapping[str, Any]) -> str:
    """Return the function that a mapping calls, or an empty string."""
    if len(raw) != 1:
        return ""
    name = next(iter(raw))
    is_call = name == "Ref" or (name.startswith("Fn::") and not name.startswith("Fn::ForEach"))
    return name if is_call or (name == "Condition" and isinstance(raw[name], str)) else ""


def references(raw: Any) -> Iterator[tuple[str, str]]:
    """Yield every name that a value refers to, with the attribute that is asked for."""
    waiting = [raw]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            name = function_of(one)
            value = one.get(name) if name else None
            if name == "Ref" and isinstance(value, str):
                yield value, ""
            elif name == "Fn::GetAtt":
                parts = value.split(".", 1) if isinstance(value, str) else value
                if isinstance(parts, list) and len(parts) == 2 and isinstance(parts[0], str):
                    yield parts[0], str(parts[1])
            elif name == "Fn::Sub":
                text, *names = value if isinstance(value, list) and value else [value]
                own = names[0] if names and isinstance(names[0], dict) else {}
                for found in PLACE.findall(text) if isinstance(text, str) else ():
                    if found.strip() not in own:
                        name, _, attribute = found.strip().partition(".")
                        yield name, attribute
                waiting += own.values()
            else:
                waiting += one.values()


def literal(text: str) -> str:
    """Return the plain part of a Sub: "${!" stands for "${" itself."""
    return text.replace("${!", "${")


def joined(between: str, parts: list[Any]) -> Any:
    """Return texts as one; UNKNOWN where one of them is not known."""
    if any(one is UNKNOWN for one in parts):
        return UNKNOWN
    return between.join(text_of(one) for one in parts if one is not NOTHING)


def text_of(value: Any) -> str:
    """Return a value as CloudFormation writes it into a text."""
    if isinstance(value, Open):
        return ",".join(value.members())
    return str(value).lower() if isinstance(value, bool) else str(value)


def is_symbolic(value: Any) -> bool:
    """Whether a text stands for one that only a deployment would tell."""
    return isinstance(value, str) and ("${AWS::" in value or "{" in value or value.endswith("]"))
