"""The permissions of the audit, as the paper has them: what the kinds are read with, no more, no less."""

from __future__ import annotations

import json
import re
from pathlib import Path

from nospof.model.kinds import ASKED
from nospof.model.kinds.additions import ADDITIONS

PAPER = Path(__file__).parents[2] / "docs" / "permissions.md"
ROW = re.compile(r"^\| `([a-z0-9-]+:\w+)` \| (.+) \|$", re.MULTILINE)
FENCED = re.compile(r"^```json\n(.*?)^```", re.MULTILINE | re.DOTALL)


def expected() -> dict[str, str]:
    """Return what each permission tells, by permission."""
    told: dict[str, dict[str, None]] = {}
    for kind in ASKED.values():
        told.setdefault(kind.action or kind.call, {})[kind.plural] = None
    for addition in ADDITIONS:
        told.setdefault(addition.action, {})[addition.what] = None
        if addition.index is not None:
            told.setdefault(addition.index.action, {})[addition.what] = None
    return {action: ", ".join(told[action]) for action in sorted(told)}


def test_the_table_says_what_each_permission_of_the_audit_tells() -> None:
    found = dict(ROW.findall(PAPER.read_text()))
    rows = "\n".join(f"| `{action}` | {tells} |" for action, tells in expected().items())
    assert found == expected(), f"the table in {PAPER.name} should be:\n{rows}"


def test_the_audits_own_policy_grants_exactly_these() -> None:
    policies = [json.loads(one) for one in FENCED.findall(PAPER.read_text())]
    (statement,) = next(
        one["Statement"] for one in policies if one["Statement"][0]["Sid"] == "NospofAuditReads"
    )
    wanted = json.dumps(list(expected()), indent=10)
    assert statement["Action"] == list(expected()), f"the actions in {PAPER.name} should be:\n{wanted}"


def test_the_audit_asks_for_nothing_that_changes_anything() -> None:
    reads = ("Describe", "Get", "List", "GET")
    assert all(action.partition(":")[2].startswith(reads) for action in expected())
