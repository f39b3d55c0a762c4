"""Commands of the `aws` program, understood by botocore's models as that program understands them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import cache
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.model import OperationModel, Shape

PLACEHOLDER = re.compile(r"<([^<>]+)>")
"""What the reader of a command must put in."""
COMMA = re.compile(r",(?![^{<]*[}>])")
"""A comma of a structure, not one inside braces or in words for the reader."""
OF_THE_PROGRAM = {"region", "query", "output"}
"""Options that every command takes."""


class WrongCommand(AssertionError):
    """A command that the `aws` program would refuse."""


@dataclass(frozen=True)
class Call:
    """What a command asks of AWS.

    Args:
        service: the service, as botocore calls it.
        operation: the operation, as botocore calls it.
        parameters: the request, with placeholders as they were written.
        region: the region that it names, or nothing.
    """

    service: str
    operation: str
    parameters: dict[str, Any]
    region: str = ""


@cache
def operations(service: str) -> dict[str, OperationModel]:
    """Return the operations of a service by their spelling on the command line."""
    session = botocore.session.get_session()
    if service not in session.get_available_services():
        raise WrongCommand(f"there is no service {service}")
    model = session.get_service_model(service)
    return {xform_name(one, "-"): model.operation_model(one) for one in model.operation_names}


def parse(command: str, given: dict[str, str] | None = None) -> Call:
    """Return what a command asks for.

    Args:
        command: the command.
        given: what to put in for placeholders, by the text in their brackets.

    Raises:
        WrongCommand: the program would refuse it.
    """
    held: list[str] = []

    def hold(found: re.Match[str]) -> str:
        held.append(found[0])
        return f"\x00{len(held) - 1}\x00"

    words = shlex.split(PLACEHOLDER.sub(hold, command))
    given = given or {}

    def filled(word: str) -> str:
        def value(found: re.Match[str]) -> str:
            text = held[int(found[1])]
            return given.get(text[1:-1], text)

        return re.sub("\x00(\\d+)\x00", value, word)

    program, service, verb, *rest = words
    if program != "aws" or verb not in operations(service):
        raise WrongCommand(f"{command}: there is no {program} {service} {verb}")
    model = operations(service)[verb]
    parameters, options = read_options(model, [filled(one) for one in rest], command)
    for name in model.input_shape.required_members if model.input_shape else ():
        if name not in parameters:
            raise WrongCommand(f"{command}: --{xform_name(name, '-')} is missing")
    return Call(service, model.name, parameters, options.get("region", ""))


def read_options(
    model: OperationModel, words: list[str], command: str
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the request that options spell, and the options of the program itself."""
    members: dict[str, Any] = dict(model.input_shape.members) if model.input_shape else {}
    names = {xform_name(one, "-"): one for one in members}
    parameters: dict[str, Any] = {}
    options: dict[str, str] = {}
    for name, values in grouped(words, command):
        is_denied = name.startswith("no-") and name not in names
        known = names.get(name.removeprefix("no-") if is_denied else name)
        if name in OF_THE_PROGRAM:
            (options[name],) = values
        elif known is None or (is_denied and members[known].type_name != "boolean"):
            raise WrongCommand(f"{command}: there is no --{name}")
        elif known in parameters:
            raise WrongCommand(f"{command}: --{name} stands twice, and only the last would count")
        elif members[known].type_name == "boolean":
            if values:
                raise WrongCommand(f"{command}: --{name} takes no value")
            parameters[known] = not is_denied
        else:
            parameters[known] = value_of(members[known], values, f"{command}: --{name}")
    return parameters, options


def grouped(words: list[str], command: str) -> list[tuple[str, list[str]]]:
    """Return options with the words that follow each."""
    found: list[tuple[str, list[str]]] = []
    for word in words:
        if word.startswith("--"):
            found.append((word[2:], []))
        elif not found:
            raise WrongCommand(f"{command}: {word} belongs to no option")
        else:
            found[-1][1].append(word)
    return found


def value_of(shape: Any, words: list[str], where: str) -> Any:
    """Return the value that words spell for a shape: a scalar, a list, or shorthand."""
    if shape.type_name == "list":
        if not words:
            raise WrongCommand(f"{where} needs a value")
        return [value_of(shape.member, [one], where) for one in words]
    if len(words) != 1:
        raise WrongCommand(f"{where} takes one value, not {words}")
    (word,) = words
    if shape.type_name == "structure":
        return word if PLACEHOLDER.fullmatch(word) else shorthand(shape, word, where)
    if shape.type_name == "boolean":
        return word == "true"
    if shape.type_name in ("integer", "long"):
        return word if PLACEHOLDER.fullmatch(word) else int(word)
    allowed = getattr(shape, "enum", ())
    if allowed and word not in allowed and not PLACEHOLDER.fullmatch(word):
        raise WrongCommand(f"{where} does not take {word}")
    return word


def shorthand(shape: Any, word: str, where: str) -> dict[str, Any]:
    """Return the structure that shorthand spells: Key=value,Key=value."""
    found: dict[str, Any] = {}
    last = ""
    for part in COMMA.split(word):
        key, sign, value = part.partition("=")
        if not sign and last and shape.members[last].type_name == "list":
            found[last] += value_of(shape.members[last], [part], where)
            continue
        if not sign or key not in shape.members:
            raise WrongCommand(f"{where} has no {key}")
        last = key
        inner: Shape = shape.members[key]
        found[key] = value_of(inner, [value.strip("{}")], where)
    for key in shape.required_members:
        if key not in found:
            raise WrongCommand(f"{where} lacks {key}")
    return found
