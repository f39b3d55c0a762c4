"""IAM policies evaluated: whether documents allow an action on a resource, in what is known about it.

AWS, "Policy evaluation logic": an explicit Deny wins; without an Allow the answer is no.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nospof.localcloud.awserrors import AwsError

ALLOWED, IMPLICIT_DENY, EXPLICIT_DENY = "allowed", "implicitDeny", "explicitDeny"
VARIABLE = re.compile(r"\$\{([^}$]+)\}")

Context = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Asked:
    """One thing a call needs.

    Args:
        action: as IAM spells it, "ec2:StopInstances".
        resource: an ARN, or "*" where the action knows no resources.
        context: condition keys and their values; a key that is not there is unknown to the call.
    """

    action: str
    resource: str = "*"
    context: Context = field(default_factory=dict)


def decide(documents: Iterable[Mapping[str, Any]], asked: Asked) -> str:
    """Return whether policies allow it: `ALLOWED`, `IMPLICIT_DENY` or `EXPLICIT_DENY`."""
    context = {key.lower(): values for key, values in asked.context.items()}
    hits = {
        statement["Effect"]
        for document in documents
        for statement in many(document["Statement"])
        if _is_about(statement, asked, context)
    }
    if "Deny" in hits:
        return EXPLICIT_DENY
    return ALLOWED if "Allow" in hits else IMPLICIT_DENY


def left_open(documents: Iterable[Mapping[str, Any]], asked: Asked) -> list[str]:
    """Return the condition keys that policies about this action look at and that nobody told."""
    known = {key.lower() for key in asked.context}
    keys = {
        key
        for document in documents
        for statement in many(document["Statement"])
        if _names(statement, asked, {})
        for keys in statement.get("Condition", {}).values()
        for key in keys
    }
    return sorted(key for key in keys if key.lower() not in known)


def many(value: Any) -> list[Any]:
    """Return what may stand alone or in a list as a list."""
    return value if isinstance(value, list) else [value]


def _is_about(statement: Mapping[str, Any], asked: Asked, context: Context) -> bool:
    return _names(statement, asked, context) and all(
        _holds(operator, key.lower(), [_filled(str(one), context) for one in many(wanted)], context)
        for operator, keys in statement.get("Condition", {}).items()
        for key, wanted in keys.items()
    )


def _names(statement: Mapping[str, Any], asked: Asked, context: Context) -> bool:
    """Whether a statement names the action and the resource, whatever its conditions."""
    return _is_among(statement, "Action", asked.action.lower(), context, lower=True) and _is_among(
        statement, "Resource", asked.resource, context
    )


def _is_among(
    statement: Mapping[str, Any], element: str, value: str, context: Context, *, lower: bool = False
) -> bool:
    """Whether Action or Resource, or the Not of it, has the value among its patterns."""
    wanted = element in statement
    patterns = many(statement[element if wanted else f"Not{element}"])
    return wanted == any(
        like(value, pattern.lower() if lower else _filled(pattern, context)) for pattern in patterns
    )


def like(value: str, pattern: str) -> bool:
    """Whether a value is like a pattern, in which * stands for any text and ? for one character."""
    return _regular(pattern).fullmatch(value) is not None


@functools.lru_cache(maxsize=4096)
def _regular(pattern: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "."}
    regular = "".join(parts.get(character) or re.escape(character) for character in pattern)
    return re.compile(regular, re.DOTALL)


def _filled(text: str, context: Context) -> str:
    """Return a text with its policy variables, such as ${aws:username}, filled in."""
    return VARIABLE.sub(lambda found: next(iter(context.get(found[1].lower(), ())), found[0]), text)


TESTS: dict[str, Callable[[str, str], bool]] = {
    "stringequals": lambda value, wanted: value == wanted,
    "stringequalsignorecase": lambda value, wanted: value.lower() == wanted.lower(),
    "stringlike": like,
    "arnequals": like,
    "arnlike": like,
    "bool": lambda value, wanted: value.lower() == wanted.lower(),
}


def _holds(operator: str, key: str, wanted: list[str], context: Context) -> bool:
    """Whether one condition holds. A negated one holds where the key is unknown, as at AWS."""
    quantity, _, plain = operator.lower().rpartition(":")
    values = context.get(key)
    if plain == "null":
        return (values is None) == (wanted[0].lower() == "true")
    if plain.endswith("ifexists"):
        if values is None:
            return True
        plain = plain.removesuffix("ifexists")
    is_negated = "not" in plain
    test = TESTS.get(plain.replace("not", "", 1))
    if test is None:
        raise AwsError("InvalidAction", f"The local cloud does not know the condition operator {operator}.")
    results = [any(test(value, one) for one in wanted) != is_negated for value in values or ()]
    if quantity == "forallvalues":
        return all(results)
    if quantity == "foranyvalue":
        return any(results)
    return all(results) if results else is_negated
