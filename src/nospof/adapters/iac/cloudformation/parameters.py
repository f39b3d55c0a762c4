"""Parameters of a template: what was given, else the default, else a stand-in that is told apart.

A list that nobody gave has members all the same, which have no names but "Subnets[0]": two of them are
taken to exist, as AWS asks for where a service is to stand in several zones.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from nospof.adapters.iac.cloudformation.loading import Template, parse, words
from nospof.adapters.saved.files import read_text
from nospof.errors import UsageError
from nospof.model.estate import UNKNOWN

PSEUDO = tuple(
    f"AWS::{name}"
    for name in words("AccountId NotificationARNs NoValue Partition Region StackId StackName URLSuffix")
)
ASSUMED_MEMBERS = 2


class Open:
    """A list that is not known: its members go by its name and their place."""

    def __init__(self, name: str) -> None:
        self.name = name

    def member(self, place: int) -> str:
        """Return what a member goes by."""
        return f"{self.name}[{place}]"

    def members(self) -> list[str]:
        """Return the members that are taken to exist."""
        return [self.member(place) for place in range(ASSUMED_MEMBERS)]


def read_parameters_file(path: Path) -> dict[str, str]:
    """Return the parameters in a file: the AWS command line's list, or a mapping of names to values.

    Raises:
        UsageError: it cannot be read, or holds something else.
    """
    document, _ = parse(read_text(path), str(path))
    if isinstance(document, dict) and isinstance(document.get("Parameters"), (dict, list)):
        document = document["Parameters"]  # The form that pipelines use.
    if isinstance(document, list):
        pairs = [_pair(path, place, one) for place, one in enumerate(document)]
    elif isinstance(document, dict):
        pairs = [(str(name), value) for name, value in document.items()]
    else:
        raise UsageError(f"{path} holds neither a list of ParameterKey and ParameterValue nor a mapping.")
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise UsageError(f"{path}: parameter {name} stands there twice.")
        found[name] = _text(path, name, value)
    return found


def _pair(path: Path, place: int, one: Any) -> tuple[str, Any]:
    if isinstance(one, str) and "=" in one:
        name, _, value = one.partition("=")
        return name, value
    if not isinstance(one, dict) or not {"ParameterKey", "ParameterValue"} <= one.keys():
        raise UsageError(f"{path}, entry {place + 1}: expected ParameterKey and ParameterValue.")
    return str(one["ParameterKey"]), one["ParameterValue"]


def _text(path: Path, name: str, value: Any) -> str:
    if isinstance(value, list) and not any(isinstance(one, (dict, list)) for one in value):
        return ",".join(str(one) for one in value)
    if value is None or isinstance(value, (dict, list)):
        raise UsageError(f"{path}: parameter {name} must be a text, a number or a list of them.")
    return str(value).lower() if isinstance(value, bool) else str(value)


class Parameters:
    """The parameters of a template, by name.

    Raises:
        UsageError: a value that the template does not allow; a parameter that it does not have.
    """

    def __init__(self, template: Template, given: Mapping[str, str]) -> None:
        self.template = template
        self.assumptions: list[str] = []
        declared = template.document.get("Parameters") or {}
        if not isinstance(declared, dict):
            raise UsageError(
                f"{template.file}, line {template.line('Parameters')}: Parameters is no mapping."
            )
        for name in given:
            if name not in declared and name not in PSEUDO:
                near = difflib.get_close_matches(name, [*declared, *PSEUDO], 1)
                hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(declared) or 'none'}."
                raise UsageError(f"{template.file} has no parameter {name}; {hint}")
        self.values = {name: self._value(name, one, given.get(name)) for name, one in declared.items()}
        self.values |= {name: given.get(name, f"${{{name}}}") for name in PSEUDO if name != "AWS::NoValue"}

    def _value(self, name: str, declared: Any, given: str | None) -> Any:
        if not isinstance(declared, dict) or not isinstance(declared.get("Type"), str):
            self._refuse(name, "has no Type")
        kind = declared["Type"]
        is_list = kind.startswith(("List<", "CommaDelimitedList")) or "<List<" in kind
        if kind.startswith("AWS::SSM::Parameter::Value"):
            self.assumptions.append(f"parameter {name} is read from Systems Manager: its value is not known")
            return Open(name) if is_list else UNKNOWN
        raw = given if given is not None else declared.get("Default")
        if raw is None:
            return self._not_given(name, kind, is_list)
        if isinstance(raw, (dict, list)):
            self._refuse(name, "must have a text or a number for its Default")
        text = str(raw).lower() if isinstance(raw, bool) else str(raw)
        values = [one.strip() for one in text.split(",")] if is_list else [text]
        for value in values:
            self._check(name, declared, kind, value)
        if is_list and kind.endswith("AvailabilityZone::Name>") and len(set(values)) < len(values):
            twice = next(one for one in values if values.count(one) > 1)
            self.assumptions.append(f"parameter {name} names {twice} more than once")
        return values if is_list else text

    def _not_given(self, name: str, kind: str, is_list: bool) -> Any:
        self.assumptions.append(f"parameter {name} was not given and has no default: its value is not known")
        if is_list:
            return Open(name)
        # What it refers to is not known, but that it is the same wherever it is used is.
        return f"{{{name}}}" if kind.startswith("AWS::EC2::") and kind.endswith(("Id", "Name")) else UNKNOWN

    def _check(self, name: str, declared: Mapping[str, Any], kind: str, value: str) -> None:
        allowed = declared.get("AllowedValues")
        if isinstance(allowed, list) and allowed:
            words = [str(one).lower() if isinstance(one, bool) else str(one) for one in allowed]
            if value not in words:
                shown = ", ".join(words[:12]) + (", ..." if len(words) > 12 else "")
                self._refuse(name, f"is {value!r}, which is not among its AllowedValues: {shown}")
        if kind in ("Number", "List<Number>"):
            number = _number(value)
            if number is None:
                self._refuse(name, f"is {value!r}, which is no number")
            least, most = (_number(declared.get(one)) for one in ("MinValue", "MaxValue"))
            if (least is not None and number < least) or (most is not None and number > most):
                self._refuse(name, f"is {value}, which is not within its MinValue and MaxValue")

    def _refuse(self, name: str, says: str) -> NoReturn:
        line = self.template.line("Parameters", name)
        raise UsageError(f"{self.template.file}, line {line}: parameter {name} {says}.")


def _number(value: Any) -> float | None:
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None
