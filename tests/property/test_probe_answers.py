"""A machine may answer anything: the audit goes on, and never takes what it cannot read for "none"."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import replace
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from nospof.adapters.machine.ssm import SCHEMA, answer_of
from nospof.audit.parts.inside import keeps_nothing
from nospof.audit.question import Question
from nospof.audit.reporting import build_report
from nospof.model.item import item_of
from nospof.model.kinds.inside import INSIDE, SECTIONS
from nospof.render.audit_text import render_text
from support.estates import account, instance
from support.estates import item as record

NAMES = ["nvme0n1", "nvme1n1", "md0", "/", "/data", "/data/x", "ext4", "raid1", "raid5", "raid10", "galera"]
WORDS = [
    *NAMES,
    "10.0.0.1",
    "10.0.0.2",
    "10.9.9.9",
    "mysql",
    "web1",
    "web2",
    "vol-web1",
    "nfs4",
    "replica",
    "",
]
SCALARS = (
    st.sampled_from(WORDS)
    | st.text(max_size=3)
    | st.integers(-(2**62), 2**62)
    | st.floats(-1e18, 1e18)
    | st.booleans()
    | st.none()
)
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=2), SCALARS, max_size=2)
STATUS = st.sampled_from(["found", "none", "unreadable", "not applicable", "Found", ""])


@st.composite
def sections(draw: st.DrawFn) -> dict[str, Any]:
    found: dict[str, Any] = {"schema": SCHEMA}
    for name in draw(st.lists(st.sampled_from(sorted(SECTIONS)), unique=True)):
        row = st.fixed_dictionaries({}, optional=dict.fromkeys(SECTIONS[name], VALUES))
        rows = draw(st.lists(row | VALUES, max_size=3) | VALUES)
        section = {"status": draw(STATUS | VALUES), "reason": draw(VALUES), "found": rows}
        if name == "written":
            section["since"] = draw(VALUES)
        found[name] = draw(st.just(section) | VALUES) if draw(st.integers(0, 9)) == 0 else section
    return found


EVERYTHING: dict[str, Any] = {"schema": SCHEMA} | {
    name: {"status": "found", "reason": "", "found": [dict.fromkeys(fields, "/data"), {}]}
    for name, fields in SECTIONS.items()
}
"""A row of every section: what reads a field that its kind does not declare is seen each time."""


@settings(max_examples=300, deadline=None)
@given(sections(), sections())
@example(EVERYTHING, EVERYTHING)
def test_no_answer_of_a_machine_breaks_the_report(first: dict[str, Any], second: dict[str, Any]) -> None:
    looks = []
    for who, said in (("web1", first), ("web2", second)):
        packed = base64.b64encode(zlib.compress(json.dumps(said).encode())).decode()
        document, problem = answer_of(f"{SCHEMA} {packed}")
        assert (document is None) == bool(problem)
        if document is not None:
            looks.append(item_of(INSIDE[0], {**document, "InstanceId": who}))
    estate = account(
        instance("web1", "eu-west-1a", Tags=[], PrivateIpAddress="10.0.0.1"),
        instance("web2", "eu-west-1b", Tags=[], PrivateIpAddress="10.0.0.2"),
        record("file system", FileSystemId="fs-1"),
        *looks,
    )
    report = build_report(replace(estate, read_at=1_800_000_000), Question())
    assert render_text(report, pairs=True)
    for look in looks:
        if keeps_nothing(estate, look.id):
            kept = ("engines", "sessions", "written", "files")
            assert {look.text(f"{one}.status") for one in kept} == {"none"}
