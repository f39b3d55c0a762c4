"""Answers in XML read in one pass, into the plain values that the audit keeps.

botocore walks every answer by asking the model of each field anew, and its result is walked once
more to leave out what may be secret: together two thirds of the time that a large account takes.
Here the model of an answer is turned into functions once. What is rare is left to botocore, and so are
errors and every other protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from typing import Any

from botocore.parsers import EC2QueryParser, QueryParser, ResponseParserFactory

from nospof.adapters.aws.moments import moment
from nospof.adapters.values import is_withheld, member, plain

Read = Callable[[Any], Any]
"""From an XML element to a value."""

METADATA = "ResponseMetadata"


class Answer(dict[str, Any]):
    """An answer whose values are plain already."""


class AnswerParserFactory(ResponseParserFactory):
    """Gives botocore's clients their parsers: ours where there is one. Each is made once."""

    def __init__(self) -> None:
        super().__init__()
        self.set_parser_defaults(timestamp_parser=moment)
        self._parsers: dict[str, Any] = {}

    def create_parser(self, protocol_name: str) -> Any:
        """Return the parser of a protocol."""
        found = self._parsers.get(protocol_name)
        if found is None:
            own = OWN.get(protocol_name)
            found = own(timestamp_parser=moment) if own else super().create_parser(protocol_name)
            self._parsers[protocol_name] = found
        return found


class _OnePass:
    """Overrides how the parsers of botocore read the body of a good answer."""

    def __init__(self, **defaults: Any) -> None:
        super().__init__(**defaults)
        self._reads: dict[Any, Read] = {}

    def _do_parse(self: Any, response: Any, shape: Any) -> Any:
        root = self._parse_xml_string_to_dom(response["body"])
        start = root
        found = Answer()
        if shape is not None:
            if "resultWrapper" in shape.serialization:
                start = self._find_result_wrapped_shape(shape.serialization["resultWrapper"], root)
            found.update(self._read_of(shape)(start))
        self._inject_response_metadata(root, found)
        return found

    def _read_of(self: Any, shape: Any) -> Read:
        """Return the function that reads a shape, made when it is first asked for."""
        found: Read | None = self._reads.get(shape)
        if found is None:
            if shape.type_name == "structure" and not is_rare(shape):
                found = partial(read_structure, _Fields(self, shape))
            elif shape.type_name == "list":
                found = partial(read_list, self._read_of(shape.member))
            else:
                found = SCALARS.get(shape.type_name) or partial(read_by_botocore, self, shape)
            self._reads[shape] = found
        return found


class _EC2Answers(_OnePass, EC2QueryParser):
    """Reads answers of EC2."""


class _QueryAnswers(_OnePass, QueryParser):
    """Reads answers of the services that speak as EC2 nearly does: balancing, scaling, databases."""


OWN: dict[str, Callable[..., Any]] = {"ec2": _EC2Answers, "query": _QueryAnswers}


def is_rare(shape: Any) -> bool:
    """Whether a structure is one that botocore reads in ways of its own."""
    fields = [one.serialization for one in shape.members.values()]
    return bool(
        shape.is_tagged_union
        or shape.metadata.get("exception")
        or any({"xmlAttribute", "location", "eventheader"} & one.keys() for one in fields)
    )


class _Fields(dict[str, tuple[str, bool, Read] | None]):
    """The fields of a structure by the tag of their element; tags come with any namespace, or none.

    Each has its name, whether its elements are the rows of a list, and what reads one of them.
    """

    def __init__(self, parser: Any, shape: Any) -> None:
        super().__init__()
        self._parser = parser
        self._shapes = {
            parser._member_key_name(one, name): (name, one) for name, one in shape.members.items()
        }

    def __missing__(self, tag: str) -> tuple[str, bool, Read] | None:
        found = None
        if (known := self._shapes.get(tag.rpartition("}")[2])) is not None:
            name, shape = known
            is_row = shape.type_name == "list" and bool(shape.serialization.get("flattened"))
            if is_withheld(name):
                found = name, False, partial(read_withheld, self._parser, shape, name)
            else:
                found = name, is_row, self._parser._read_of(shape.member if is_row else shape)
        self[tag] = found
        return found


def read_structure(fields: _Fields, element: Iterable[Any]) -> dict[str, Any]:
    """Return the fields of an element that the model knows; where one stands twice, the first."""
    found: dict[str, Any] = {}
    for child in element:
        field = fields[child.tag]
        if field is None:
            continue
        name, is_row, read = field
        if is_row:
            found.setdefault(name, []).append(read(child))
        elif name not in found:
            found[name] = read(child)
    return found


def read_list(read: Read, element: Iterable[Any]) -> list[Any]:
    """Return the rows of an element."""
    return [read(one) for one in element]


def read_by_botocore(parser: Any, shape: Any, element: Any) -> Any:
    """Return what botocore reads, as a plain value."""
    return plain(parser._parse_shape(shape, element))


def read_withheld(parser: Any, shape: Any, name: str, element: Any) -> Any:
    """Return what is kept of a field that may hold secrets."""
    return member(name, parser._parse_shape(shape, element))


def text_of(element: Any) -> str:
    """Return the text of an element."""
    return element.text or ""


@lru_cache(maxsize=4096)
def told_moment(text: str) -> Any:
    """Return a moment as a plain value; what one call made has one moment in thousands of answers."""
    return plain(moment(text))


SCALARS: dict[str, Read] = {
    "string": text_of,
    "character": text_of,
    "boolean": lambda element: element.text == "true",
    "integer": lambda element: int(element.text or ""),
    "long": lambda element: int(element.text or ""),
    "float": lambda element: float(element.text or ""),
    "double": lambda element: float(element.text or ""),
    "timestamp": lambda element: told_moment(element.text or ""),
}
