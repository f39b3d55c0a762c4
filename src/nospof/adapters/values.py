"""Answers as plain values: what JSON has, and nothing that may be secret.

Moments become ISO 8601 texts, so that an answer read today and the same one read back from a file
are equal. Of a function's or a container's environment only the addresses are kept, which say what
is connected to what.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

WITHHELD = "(not kept: may be secret)"

SECRETS = frozenset(
    {
        "authtoken",
        "clientsecret",
        "command",
        "customergatewayconfiguration",
        "entrypoint",
        "initquery",
        "masteruserpassword",
        "presharedkey",
        "userdata",
    }
)
"""Fields, in lower case, that hold secrets or where people put them."""
ENVIRONMENTS = frozenset({"environment", "environmentvariables", "variables"})
SECRET_VARIABLE = re.compile(r"pass|secret|token|credential|key", re.IGNORECASE)

_USER = re.compile(r"//[^/\s]*@")
_SEPARATORS = re.compile(r"[\s,;/?&=|\"'<>()\[\]{}]+")
_HOST = re.compile(
    r"(?:(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{1,62}|\d{1,3}(?:\.\d{1,3}){3})(?::\d{1,5})?"
)
_ARN = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:\d*:[^\s,;\"']+")


def plain(value: Any) -> Any:
    """Return a value as JSON would give it back, without what may be secret.

    Args:
        value: an answer of botocore, or what was read from a file.
    """
    # Most values are leaves, and `isinstance` of an abstract class is slow: leaves go first.
    if isinstance(value, str):
        return str(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in value]
    if isinstance(value, (dict, Mapping)):
        return {str(key): member(str(key), one) for key, one in value.items()}
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    return str(value)


def addresses(value: str) -> str:
    """Return the ARNs and the hosts of a text, with their ports, and nothing else of it."""
    arns = _ARN.findall(value)
    words = _SEPARATORS.split(_USER.sub("//", _ARN.sub(" ", value)))
    return " ".join([*arns, *(word for word in words if _HOST.fullmatch(word))])


def is_withheld(name: str) -> bool:
    """Whether not all is kept of a field that goes by a name."""
    return name.lower() in SECRETS | ENVIRONMENTS


def member(name: str, value: Any) -> Any:
    """Return what is kept of a field that goes by a name."""
    word = name.lower()
    if word in SECRETS and value:
        return WITHHELD
    if word in ENVIRONMENTS:
        return _environment(value)
    return plain(value)


def _environment(value: Any) -> Any:
    """Return an environment's variables: {name: value}, or a list of {name, value}."""
    if isinstance(value, Mapping) and not ENVIRONMENTS & {str(key).lower() for key in value}:
        pairs = {str(key): one for key, one in value.items()}
        name = next((pairs[key] for key in ("name", "Name") if key in pairs), None)
        if name is not None and {"value", "Value"} & set(pairs):
            return {
                key: _kept(str(name), one) if key.lower() == "value" else one for key, one in pairs.items()
            }
        return {key: _kept(key, one) for key, one in pairs.items()}
    if isinstance(value, (list, tuple)):
        return [_environment(one) if isinstance(one, Mapping) else plain(one) for one in value]
    return plain(value)


def _kept(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return plain(value)
    return (addresses(value) or WITHHELD) if not SECRET_VARIABLE.search(name) else WITHHELD
