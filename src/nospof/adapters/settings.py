"""Reads nospof.yaml: what is asked of services, what people know, what they accept, what they assume.

Every mistake is told with file, line and field; a key that nobody reads is a mistake too, because an
acceptance with a typing error would otherwise accept nothing and say nothing.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from fractions import Fraction
from math import isfinite
from pathlib import Path
from typing import Any, NoReturn, TypeAlias, TypeVar

import yaml

from nospof.adapters.saved.files import read_text
from nospof.errors import UsageError
from nospof.model.rules import EVERY_RULE
from nospof.model.settings import Acceptance, Need, OwnRate, Range, ServiceWish, Settings
from nospof.model.topology import VIEWS as EVERY_VIEW
from nospof.model.window import Window, window_of

MAX_CHARACTERS = 1_000_000
SCOPES = ("host", "rack", "zone", "region")
KEYS = ("service", "services", "assume", "suppress", "assumptions", "survive")
VIEWS = (*EVERY_VIEW, "none")
"""Where a need hurts; "none" says that there is no such need, whatever the network permits."""
WISH_KEYS = ("entry", "scope", "slo", "measured", "needs_egress", "maintenance")
NUMBER = re.compile(r"[-+]?\d[\d_]*(\.\d*)?([eE][-+]?\d+)?|[-+]?\.\d+")

Node: TypeAlias = Any
"""A node of PyYAML; `isinstance` says what it is before it is used."""
Made = TypeVar("Made")


def read_settings(path: Path) -> Settings:
    """Return what a settings file says; an empty one says nothing.

    Raises:
        UsageError: it cannot be read, is no YAML, or says something that is not understood.
    """
    return parse_settings(read_text(path), str(path))


def parse_settings(text: str, file: str) -> Settings:
    """Return what a text says; `file` is the name it goes by in messages.

    Raises:
        UsageError: as for `read_settings`.
    """
    root = compose(text, file)
    if root is None or (isinstance(root, yaml.ScalarNode) and not root.value):
        return Settings(file=file)
    reader = _Reader(file)
    fields = reader.fields(root, KEYS, "the settings")
    wishes = [
        wish for key in ("service", "services") if key in fields for wish in reader.wishes(fields[key], key)
    ]
    return Settings(
        services=tuple(wishes),
        needs=reader.each(fields, "assume", reader.need),
        acceptances=reader.each(fields, "suppress", reader.acceptance),
        rates=reader.each(fields, "assumptions", reader.rate),
        survive=reader.each(fields, "survive", reader.scope),
        file=file,
    )


def compose(text: str, file: str) -> Node | None:
    """Return the root of a YAML text, or None where it is empty. No anchors: nobody needs them here.

    Raises:
        UsageError: it is no YAML, or too large.
    """
    if len(text) > MAX_CHARACTERS:
        raise UsageError(f"{file} has more than {MAX_CHARACTERS:,} characters; that is not read.")
    try:
        for event in yaml.parse(text, yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise UsageError(f"{file}:{line}: anchors and aliases (& and *) are not read; write it out")
        root: Node | None = yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise UsageError(f"{file}:{line}: this is not YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{file}: this is not YAML: {str(error).splitlines()[0]}") from error
    except RecursionError as error:
        raise UsageError(f"{file}: nested too deeply.") from error
    return root


class _Reader:
    """Reads nodes; `where` of what it returns is the file and the line."""

    def __init__(self, file: str) -> None:
        self.file = file

    def at(self, node: Node) -> str:
        return f"{self.file}:{node.start_mark.line + 1}"

    def refuse(self, node: Node, says: str) -> NoReturn:
        raise UsageError(f"{self.at(node)}: {says}")

    # Shapes ---------------------------------------------------------------------------------------

    def fields(self, node: Node, allowed: tuple[str, ...] | None, what: str) -> dict[str, Node]:
        """Return the entries of a mapping: none twice, none that nobody reads, none without a value."""
        if not isinstance(node, yaml.MappingNode):
            self.refuse(node, f"{what} must be a mapping (key: value)")
        found: dict[str, Node] = {}
        for key_node, value in node.value:
            key = self.text(key_node, f"a key of {what}")
            if allowed is not None and key not in allowed:
                near = difflib.get_close_matches(key, allowed, 1)
                hint = f"did you mean {near[0]}?" if near else f"it may hold {', '.join(allowed)}"
                self.refuse(key_node, f"{what}: no key is called {key!r}; {hint}")
            if key in found:
                self.refuse(key_node, f"{what}: {key} stands there twice")
            found[key] = value
        return found

    def each(self, fields: dict[str, Node], key: str, make: Callable[[Node, str], Made]) -> tuple[Made, ...]:
        """Return what a list holds, made one by one; nothing where the key is missing."""
        if key not in fields:
            return ()
        return tuple(make(one, f"{key}[{place}]") for place, one in enumerate(self.rows(fields[key], key)))

    def rows(self, node: Node, what: str) -> list[Node]:
        if not isinstance(node, yaml.SequenceNode):
            self.refuse(node, f"{what} must be a list (- each on a line of its own)")
        return list(node.value)

    def text(self, node: Node, what: str) -> str:
        """Return a text; dates and numbers are texts here, as they were written."""
        if not isinstance(node, yaml.ScalarNode) or not node.value.strip():
            self.refuse(node, f"{what} must be a text, and not empty")
        return str(node.value).strip()

    def texts(self, fields: dict[str, Node], names: tuple[str, ...], what: str) -> dict[str, str]:
        return {one: self.text(fields[one], f"{what}.{one}") for one in names if one in fields}

    def number(self, node: Node, what: str) -> float:
        is_number = isinstance(node, yaml.ScalarNode) and NUMBER.fullmatch(node.value)
        value = float(node.value.replace("_", "")) if is_number else float("nan")
        if not isfinite(value):
            self.refuse(node, f"{what} must be a number")
        return value

    def flag(self, node: Node, what: str) -> bool:
        words = {"true": True, "yes": True, "false": False, "no": False}
        value = words.get(node.value.lower()) if isinstance(node, yaml.ScalarNode) else None
        if value is None:
            self.refuse(node, f"{what} must be true or false")
        return value

    def range(self, node: Node, what: str) -> Range:
        parts = self.rows(node, what)
        low, likely, high = (
            (self.number(one, what) for one in parts)
            if len(parts) == 3
            else self.refuse(node, f"{what} must have three numbers: [low, likely, high]")
        )
        if not 0 < low <= likely <= high:
            self.refuse(node, f"{what} must be low <= likely <= high, all above zero")
        return low, likely, high

    # What they hold -------------------------------------------------------------------------------

    def wishes(self, node: Node, key: str) -> list[ServiceWish]:
        """Return what is asked of services, each by its name."""
        named = self.fields(node, None, key)
        return [self.wish(name, each, f"{key}.{name}") for name, each in named.items()]

    def wish(self, name: str, node: Node, what: str) -> ServiceWish:
        fields = self.fields(node, WISH_KEYS, what)
        slo = self.number(fields["slo"], f"{what}.slo") if "slo" in fields else None
        if slo is not None and not 0 < slo < 100:
            self.refuse(fields["slo"], f"{what}.slo must be a percentage below 100, such as 99.95")
        measured = self.number(fields["measured"], f"{what}.measured") if "measured" in fields else None
        if measured is not None and not 0 <= measured <= 100:
            self.refuse(
                fields["measured"], f"{what}.measured must be a percentage of the time, such as 99.93"
            )
        egress = fields.get("needs_egress")
        return ServiceWish(
            name,
            **self.texts(fields, ("entry",), what),
            scope=self.scope(fields["scope"], f"{what}.scope") if "scope" in fields else "",
            slo=slo,
            measured=measured,
            needs_egress=self.flag(egress, f"{what}.needs_egress") if egress else None,
            maintenance=self.window(fields, f"{what}.maintenance"),
            where=self.at(node),
        )

    def window(self, fields: dict[str, Node], what: str) -> Window | None:
        if "maintenance" not in fields:
            return None
        node = fields["maintenance"]
        try:
            return window_of(self.text(node, what))
        except ValueError as error:
            self.refuse(node, f"{what}: {error}")

    def scope(self, node: Node, what: str) -> str:
        return self.one_of(node, self.text(node, what), SCOPES, what)

    def one_of(self, node: Node, value: str, allowed: tuple[str, ...], what: str) -> str:
        if value not in allowed:
            near = difflib.get_close_matches(value, allowed, 1)
            hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(allowed)}"
            self.refuse(node, f"{what}: {value!r} is not known; {hint}")
        return value

    def need(self, node: Node, what: str) -> Need:
        """Return who needs what: a sentence ("web1 needs redis: degraded"), or user, needs and view."""
        if isinstance(node, yaml.MappingNode) and len(node.value) == 1 and " needs " in self.first_key(node):
            # YAML takes the sentence's colon for its own.
            (key, value) = node.value[0]
            return self.sentence(node, f"{self.text(key, what)}: {self.text(value, what)}", what)
        if isinstance(node, yaml.ScalarNode):
            return self.sentence(node, self.text(node, what), what)
        fields = self.fields(node, ("user", "needs", "view"), what)
        said = self.texts(fields, ("user", "needs", "view"), what)
        for name in ("user", "needs"):
            if name not in said:
                self.refuse(node, f"{what} needs {name}")
        view = self.one_of(node, said.get("view", "serving"), VIEWS, f"{what}.view")
        return Need(said["user"], said["needs"], view, self.at(node))

    def first_key(self, node: Node) -> str:
        key = node.value[0][0]
        return key.value if isinstance(key, yaml.ScalarNode) else ""

    def sentence(self, node: Node, text: str, what: str) -> Need:
        """Return what a sentence says. An ARN's colons stay: only a last word that is a view is one."""
        body, _, last = text.rpartition(": ")
        view = last.strip() if body else "serving"
        user, needs, other = (body or text).partition(" needs ")
        if not needs or not user.strip() or not other.strip():
            self.refuse(node, f'{what}: say it as "web1 needs redis: degraded"')
        return Need(user.strip(), other.strip(), self.one_of(node, view, VIEWS, what), self.at(node))

    def acceptance(self, node: Node, what: str) -> Acceptance:
        names = ("reason", "owner", "until", "fingerprint", "rule", "service", "resource")
        fields = self.fields(node, (*names, "blast", "share"), what)
        said = self.texts(fields, names, what)
        for name in ("reason", "owner", "until"):
            if name not in said:
                self.refuse(node, f"{what} needs {name}: nobody can look at it again without it")
        if "fingerprint" not in said and not {"rule", "service", "resource"} <= said.keys():
            self.refuse(node, f"{what} needs a fingerprint, or rule, service and resource together")
        if "rule" in said:
            self.one_of(fields["rule"], said["rule"], tuple(EVERY_RULE), f"{what}.rule")
        share = Fraction(self.number(fields["share"], f"{what}.share")) if "share" in fields else None
        if share is not None and not 0 < share <= 1:
            self.refuse(fields["share"], f"{what}.share must be above 0 and at most 1")
        blast = self.rows(fields["blast"], f"{what}.blast") if "blast" in fields else []
        stops = tuple(self.text(one, f"{what}.blast") for one in blast)
        return Acceptance(**said, blast=stops, share=share, where=self.at(node))

    def rate(self, node: Node, what: str) -> OwnRate:
        fields = self.fields(node, ("kind", "resource", "per_year", "minutes", "source"), what)
        if ("kind" in fields) == ("resource" in fields):
            self.refuse(node, f"{what} is about a kind of failure or about one resource: name one")
        if not {"per_year", "minutes"} & fields.keys():
            self.refuse(node, f"{what} needs per_year, minutes or both")
        often, long = (
            self.range(fields[one], f"{what}.{one}") if one in fields else None
            for one in ("per_year", "minutes")
        )
        said = self.texts(fields, ("kind", "resource", "source"), what)
        return OwnRate(
            said.get("kind", ""),
            said.get("resource", ""),
            often,
            long,
            said.get("source", ""),
            self.at(node),
        )
