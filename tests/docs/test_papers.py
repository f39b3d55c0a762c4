"""The papers of the house: links lead somewhere, terms are defined once, decisions have one shape."""

from __future__ import annotations

import re
import tomllib
from itertools import chain
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from nospof import errors
from nospof.cli.main import EPILOG
from nospof.errors import ExitCode, NospofError
from nospof.model.findings import RULES
from nospof.model.permissions import GRANTS, actions_of

ROOT = Path(__file__).parents[2]
PAPERS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
DECISIONS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
ERRORS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, NospofError)]
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def prose(path: Path) -> str:
    """Return a paper without its fenced blocks."""
    return FENCED.sub("", path.read_text())


def anchors(path: Path) -> set[str]:
    """Return the names GitHub gives a paper's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(path: Path) -> list[str]:
    """Return the relative links of a paper that lead nowhere."""
    dead = []
    for link in LINK.findall(prose(path)):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file) if file else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    return dead


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_relative_link_leads_somewhere(path):
    assert not dead_links(path)


def test_a_dead_link_would_be_found(tmp_path):
    paper = tmp_path / "paper.md"
    paper.write_text(
        "# One\n[a](#one) [b](#two) [c](paper.md#one) [d](gone.md) [e](https://nowhere.invalid)\n"
    )
    assert dead_links(paper) == ["#two", "gone.md"]


@pytest.mark.parametrize(
    "path", [path for path in PAPERS if "docs" in path.parts], ids=lambda path: path.name
)
def test_every_page_of_the_docs_can_be_reached_from_a_paper_at_the_top(path):
    reached, waiting = set(), list(ROOT.glob("*.md"))
    while waiting:
        paper = waiting.pop()
        if paper in reached or paper.suffix != ".md":
            continue
        reached.add(paper)
        files = {link.partition("#")[0] for link in LINK.findall(prose(paper)) if "://" not in link}
        waiting += [(paper.parent / file).resolve() for file in files if file]
    assert path in reached


# The glossary ----------------------------------------------------------------------------------


def terms() -> list[str]:
    return re.findall(r"^\*\*(.+?)\*\*:", (ROOT / "GLOSSARY.md").read_text(), re.MULTILINE)


def test_every_term_is_defined_once_and_in_order():
    found = terms()
    assert len(found) > 40
    assert found == sorted(set(found), key=str.casefold)


def test_every_term_is_used_by_the_code_or_by_another_paper():
    papers = [path for path in PAPERS if path.name != "GLOSSARY.md"]
    text = " ".join(path.read_text() for path in [*papers, *(ROOT / "src").rglob("*.py")])
    used = re.sub(r"[\s_-]+", " ", text).casefold()
    joined = used.replace(" ", "")
    unused = []
    for term in terms():
        words = re.sub(r"[\s_-]+", " ", term).casefold()
        is_name = " " in words and words.replace(" ", "") in joined
        if not is_name and not re.search(rf"\b{re.escape(words)}", used):
            unused.append(term)
    assert not unused


def test_every_definition_is_short():
    text = (ROOT / "GLOSSARY.md").read_text()
    bodies = re.findall(r"^\*\*(.+?)\*\*: (.+(?:\n(?!\n).+)*)", text, re.MULTILINE)
    assert [term for term, body in bodies if len(body) > 420] == []
    assert [term for term, _ in bodies] == terms()


# Exit codes ------------------------------------------------------------------------------------


def documented_codes() -> dict[int, str]:
    text = (ROOT / "docs" / "exit-codes.md").read_text()
    return {int(code): name for code, name in re.findall(r"^\| (\d+) \| `(\w+)` \|", text, re.MULTILINE)}


def test_every_exit_code_is_documented_and_no_other():
    assert documented_codes() == {int(code): code.name for code in ExitCode}


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_every_error_is_documented_with_its_exit_code(kind):
    text = (ROOT / "docs" / "exit-codes.md").read_text()
    assert re.search(rf"^\| `{kind.__name__}` \| {int(kind.exit_code)} \|", text, re.MULTILINE)


def test_the_help_knows_no_exit_code_that_is_not_documented():
    said = EPILOG.partition("Exit codes:")[2].partition("\\b")[0]
    assert {int(code) for code in re.findall(r"\b(\d+) [a-z]", said)} <= set(documented_codes())


# Decisions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_its_number_and_its_three_parts(path):
    text = path.read_text()
    assert text.startswith(f"# {path.stem[:4]} ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    assert len(text.splitlines()) <= 60


def test_decisions_are_numbered_without_gaps_and_listed():
    assert [int(path.stem[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    listed = LINK.findall((ROOT / "docs" / "adr" / "README.md").read_text())
    assert listed == [path.name for path in DECISIONS]


# What the code says and the papers must say too ------------------------------------------------


def test_every_rule_of_the_audit_is_documented_under_its_name():
    text = (ROOT / "docs" / "rules.md").read_text()
    assert dict(re.findall(r"^\| (NSP\d+) \| `([\w/-]+)` \|", text, re.MULTILINE)) == RULES


ELB = "elasticloadbalancing"


def calls_of_the_adapter() -> set[str]:
    """Return the IAM actions behind every call the AWS adapter makes."""
    session = botocore.session.get_session()
    same = ("acm", "autoscaling", "ec2", "iam", "route53", "scheduler", "sts")
    clients = {**{name: name for name in same}, "elbv2": ELB, "elb": ELB}
    actions = set()
    for client, prefix in clients.items():
        operations = {xform_name(name): name for name in session.get_service_model(client).operation_names}
        pattern = rf"self\.{client}(?:_once)?\.(?:get_paginator\(\"(\w+)\"\)|(\w+)\()"
        for path in (ROOT / "src" / "nospof" / "adapters" / "aws").glob("*.py"):
            for found in re.finditer(pattern, path.read_text()):
                name = found[1] or found[2]
                if name in operations:
                    actions.add(f"{prefix}:{operations[name]}")
    return actions


NEEDS_NO_PERMISSION = {"sts:GetCallerIdentity"}
NEVER_CALLED = {"ec2:DescribeAvailabilityZones": "zones"}
ASKED_FOR_BY_AWS = {
    "elasticloadbalancing:AddTags",
    "iam:PassRole",
    "iam:SimulatePrincipalPolicy",
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
}
"""Permissions without a call of their own: for tags at a creation, a twin's instance profile, its keys."""
ASKED_OF_OTHERS = {
    "elasticfilesystem:DescribeFileSystems",
    "elasticfilesystem:DescribeMountTargets",
    "kms:DescribeKey",
    "rds:DescribeDBClusters",
    "rds:DescribeDBInstances",
    "servicequotas:GetServiceQuota",
    "sns:Publish",
    "ssm:DescribeInstanceInformation",
    "ssm:GetCommandInvocation",
    "ssm:SendCommand",
}
"""What pre-flight asks services that no part of the port has a client of its own for."""


def test_the_policies_grant_what_the_adapter_calls_and_no_more():
    granted = {action for name in GRANTS if name != "audit" for action in actions_of(name)}
    called = calls_of_the_adapter() - NEEDS_NO_PERMISSION - NEVER_CALLED.keys()
    assert granted == called | ASKED_FOR_BY_AWS | ASKED_OF_OTHERS


@pytest.mark.parametrize("method", NEVER_CALLED.values())
def test_what_the_policy_leaves_out_is_asked_for_by_nobody(method):
    folders = ("procedures", "services", "cli", "planning", "audit")
    users = [
        path.name
        for folder in folders
        for path in (ROOT / "src" / "nospof" / folder).rglob("*.py")
        if f".{method}(" in path.read_text()
    ]
    assert not users


def names_of(requirements: list[str]) -> set[str]:
    """Return the packages that lines of requirements name."""
    return {found[0].lower() for line in requirements if (found := re.match(r"[\w-]+", line))}


def test_every_dependency_has_its_line_in_the_decision_about_them():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = (ROOT / "docs" / "adr" / "0009-dependencies.md").read_text()
    cells = " ".join(re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE))
    needed = names_of([*project["dependencies"], *chain(*project["optional-dependencies"].values())])
    assert needed - set(re.findall(r"[\w-]+", cells)) == set()


def test_every_tool_of_development_is_named_in_the_decision_about_dependencies():
    text = re.sub(r"\]\([^)]*\)", "]", (ROOT / "docs" / "adr" / "0009-dependencies.md").read_text())
    files = (ROOT / "requirements-dev.in", ROOT / "requirements.in")
    needed = names_of([line for file in files for line in file.read_text().splitlines()])
    assert needed - set(re.findall(r"[\w-]+", text)) == set()


def test_every_task_of_the_run_script_is_described():
    tasks = re.findall(r"^(\w+)\)$", (ROOT / "run").read_text(), re.MULTILINE)
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert [task for task in tasks if f"| `./run {task}` |" not in text] == []
    assert len(tasks) >= 5


@pytest.mark.parametrize(
    "name", ["CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "GLOSSARY.md", "README.md"]
)
def test_every_file_a_paper_names_exists(name):
    """Paths in backticks are from the root, from src/nospof or from docs."""
    text = FENCED.sub("", (ROOT / name).read_text())
    paths = re.findall(r"`([\w./-]+/(?:[\w.-]+\.(?:py|md))?|[\w./-]+\.(?:py|toml|md))`", text)
    roots = (ROOT, ROOT / "src" / "nospof", ROOT / "docs")
    assert [path for path in paths if not any((root / path).exists() for root in roots)] == []
