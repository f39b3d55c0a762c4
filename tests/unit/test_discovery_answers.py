"""Answers in XML: read in one pass, and as botocore reads them."""

from __future__ import annotations

from random import Random
from typing import Any
from xml.sax.saxutils import escape

import botocore.session
import pytest
from botocore.parsers import PROTOCOL_PARSERS, ResponseParserError

from nospof.adapters.aws.answers import OWN, Answer, AnswerParserFactory
from nospof.adapters.values import WITHHELD, plain
from nospof.model.kinds import ASKED

SESSION = botocore.session.Session()
NAMESPACE = ' xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"'
DEPTH = 7
TEXTS = ("", "a", "arn:aws:kms:eu-west-1:1:key/1", "ä & <b>", " x ", "db.example.com", "2026-01-01T00:00:00Z")
MOMENTS = ("2026-11-02T08:00:00.000Z", "2026-11-02T10:00:00+02:00", "2026-11-02T08:00:00Z", "1793606400")
CALLS = sorted(
    call
    for call in {one.call for one in ASKED.values()}
    if SESSION.get_service_model(call.partition(":")[0]).resolved_protocol in OWN
)


def protocol_and_shape(call: str) -> tuple[str, Any]:
    service, _, operation = call.partition(":")
    model = SESSION.get_service_model(service)
    return model.resolved_protocol, model.operation_model(operation).output_shape


def written(shape: Any, random: Random, depth: int = 0) -> str:
    """Return what stands inside an element of a shape: any of its fields in any order, some unknown."""
    if shape.type_name == "structure":
        fields = [pair for pair in shape.members.items() if depth < DEPTH and random.random() < 0.6]
        random.shuffle(fields)
        rows = [elements(name, one, random, depth + 1) for name, one in fields]
        return "".join([*rows, "<notYetKnown><item>1</item></notYetKnown>" if random.random() < 0.2 else ""])
    if shape.type_name == "list":
        tag = shape.member.serialization.get("name", "member")
        return "".join(element(tag, shape.member, random, depth) for _ in range(random.randrange(3)))
    if shape.type_name == "map":
        return "<entry><key>a</key><value>b</value></entry>" * random.randrange(2)
    told = {
        "integer": ("0", "-3", "65536"),
        "long": ("9000000000",),
        "float": ("0.25", "1e-3"),
        "double": ("3.5",),
        "boolean": ("true", "false", ""),
        "timestamp": MOMENTS,
        "blob": ("aGVsbG8=",),
    }
    return escape(random.choice(told.get(shape.type_name, TEXTS)))


def element(tag: str, shape: Any, random: Random, depth: int) -> str:
    return f"<{tag}>{written(shape, random, depth)}</{tag}>"


def elements(name: str, shape: Any, random: Random, depth: int) -> str:
    tag = shape.serialization.get("name", name)
    if shape.type_name == "list" and shape.serialization.get("flattened"):
        tag = shape.member.serialization.get("name") or tag
        return "".join(element(tag, shape.member, random, depth) for _ in range(random.randrange(3)))
    return element(tag, shape, random, depth)


def body_of(shape: Any, random: Random) -> bytes:
    inside = written(shape, random)
    if wrapper := shape.serialization.get("resultWrapper"):
        inside = f"<{wrapper}>{inside}</{wrapper}>"
    about = "<requestId>r-1</requestId><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata>"
    space = random.choice((NAMESPACE, ""))
    return f"<Response{space}>{inside}{about}</Response>".encode()


def answer(body: bytes, status: int = 200) -> dict[str, Any]:
    return {"body": body, "headers": {"x-amzn-requestid": "r-1"}, "status_code": status, "context": {}}


@pytest.mark.parametrize("call", CALLS)
def test_an_answer_is_read_as_botocore_reads_it_without_what_may_be_secret(call: str) -> None:
    protocol, shape = protocol_and_shape(call)
    ours, theirs = AnswerParserFactory().create_parser(protocol), PROTOCOL_PARSERS[protocol]()
    random = Random(call)  # noqa: S311 (the same answers every time)
    found: set[str] = set()
    for _ in range(12):
        body = body_of(shape, random)
        told = ours.parse(answer(body), shape)
        expected = theirs.parse(answer(body), shape)
        assert told.pop("ResponseMetadata") == expected.pop("ResponseMetadata")
        assert told == plain(expected)
        found |= told.keys()
    assert found - {"NextToken", "NextMarker", "Marker"}


@pytest.mark.parametrize("protocol", OWN)
def test_an_error_is_read_by_botocore_itself(protocol: str) -> None:
    body = b"<Response><Errors><Error><Code>Denied</Code><Message>no</Message></Error></Errors></Response>"
    ours, theirs = AnswerParserFactory().create_parser(protocol), PROTOCOL_PARSERS[protocol]()
    told = ours.parse(answer(body, 403), None)
    assert told == theirs.parse(answer(body, 403), None)
    assert told["Error"]["Code"] == "Denied"
    assert not isinstance(told, Answer)


def test_an_answer_that_is_cut_off_is_an_error_and_no_empty_answer() -> None:
    protocol, shape = protocol_and_shape("ec2:DescribeInstances")
    with pytest.raises(ResponseParserError):
        AnswerParserFactory().create_parser(protocol).parse(answer(b"<Response><reservationSet>"), shape)


def test_what_may_be_secret_is_withheld_in_an_answer() -> None:
    protocol, shape = protocol_and_shape("ec2:DescribeLaunchTemplateVersions")
    body = (
        b"<R><launchTemplateVersionSet><item><launchTemplateData><userData>aHVudGVyMg==</userData>"
        b"</launchTemplateData></item></launchTemplateVersionSet></R>"
    )
    told = AnswerParserFactory().create_parser(protocol).parse(answer(body), shape)
    (version,) = told["LaunchTemplateVersions"]
    assert version["LaunchTemplateData"]["UserData"] == WITHHELD
