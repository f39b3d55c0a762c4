"""The page of permissions says what the register says, and the policies are ones that IAM takes."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import botocore.session
import pytest

from nospof.model.permissions import GRANTS, LONGEST_POLICY, actions_of, audit_tells, policy
from nospof.procedures.registry import PROCEDURES
from nospof.render.documents import written

DOCS = Path(__file__).parents[2] / "docs"
TOOL = runpy.run_path(str(DOCS / "update_permissions.py"))
FENCED = re.compile(r"^```json\n(.*?)^```", re.MULTILINE | re.DOTALL)
BESIDE = {"data", "dead-man", "dead-man-role", "events", "external", "maintain-watch", "watch"}
"""What is no procedure of its own."""
READS = ("Describe", "Get", "List", "GET", "Simulate")
SERVICES = {
    "elasticloadbalancing": ("elbv2", "elb"),
    "elasticfilesystem": ("efs",),
    "servicequotas": ("service-quotas",),
}
PERMISSIONS_ONLY = {"iam:PassRole", "kms:ReEncryptFrom", "kms:ReEncryptTo"}
"""Actions that are no call of the API."""


def test_the_page_of_permissions_is_fresh():
    assert (DOCS / "permissions.md").read_text() == TOOL["render"](), "run docs/update_permissions.py"


def test_every_policy_stands_on_the_page():
    shown = [json.loads(one) for one in FENCED.findall((DOCS / "permissions.md").read_text())]
    assert [policy(name) for name in GRANTS] == sorted(shown, key=[policy(name) for name in GRANTS].index)


def test_every_procedure_has_its_permissions_and_so_have_the_audit_and_the_keeper():
    assert set(GRANTS) == {*PROCEDURES, "audit", "keep", "repair", *BESIDE}


@pytest.mark.parametrize("name", GRANTS)
def test_a_policy_is_one_that_iam_takes(name):
    document = policy(name)
    assert len(json.dumps(document, separators=(",", ":"))) <= LONGEST_POLICY
    names = [one["Sid"] for one in document["Statement"]]
    assert all(re.fullmatch(r"[A-Za-z0-9]+", one) for one in names)
    assert names == sorted(set(names))
    for statement in document["Statement"]:
        assert set(statement) - {"Condition"} == {"Sid", "Effect", "Action", "Resource"}
        assert statement["Action"] == sorted(set(statement["Action"]))
        assert all(
            one == "*" or re.fullmatch(r"arn:\*:[a-z0-9]+:[^ ]*", one) for one in statement["Resource"]
        )


@pytest.mark.parametrize("name", GRANTS)
def test_a_policy_is_the_same_bytes_each_time(name):
    assert written(policy(name)) == written(json.loads(written(policy(name))))


@pytest.mark.parametrize("name", [name for name in GRANTS if name != "audit"])
def test_every_action_is_a_call_that_aws_has(name):
    session = botocore.session.get_session()
    for action in set(actions_of(name)) - PERMISSIONS_ONLY:
        prefix, _, call = action.partition(":")
        models = [session.get_service_model(one) for one in SERVICES.get(prefix, (prefix,))]
        assert any(call in model.operation_names for model in models), action


@pytest.mark.parametrize("name", GRANTS)
def test_what_a_grant_only_looks_at_is_for_every_resource_and_no_write_is_without_bounds(name):
    unbounded = [
        (grant.sid, action)
        for grant in GRANTS[name]
        for action in grant.actions
        if grant.resources == ("*",)
        and not grant.condition
        and not action.partition(":")[2].startswith(READS)
    ]
    assert not unbounded


@pytest.mark.parametrize("name", [name for name in GRANTS if name != "audit"])
def test_c14_whoever_may_start_an_instance_may_start_one_with_encrypted_disks(name):
    actions = actions_of(name)
    assert ("kms:CreateGrant" in actions) is ("ec2:StartInstances" in actions)
    for grant in GRANTS[name]:
        if "kms:CreateGrant" in grant.actions:
            assert grant.condition == {"Bool": {"kms:GrantIsForAWSResource": "true"}}


def test_the_audit_asks_for_nothing_that_changes_anything():
    assert all(action.partition(":")[2].startswith(READS) for action in audit_tells())
    assert set(actions_of("audit")) == set(audit_tells())
