"""The role as which a cloud starts an instance by itself, and what a run is asked with to have that."""

from __future__ import annotations

import json
from typing import Any

from nospof.model.permissions import policy
from nospof.planning.dead_man import ROLE, TRUST


def make_role(iam: Any, name: str = ROLE, trust: str = TRUST) -> str:
    """Make the role as the documentation says; return its ARN."""
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]
    document = json.dumps(policy("dead-man-role"))
    iam.put_role_policy(RoleName=name, PolicyName="start", PolicyDocument=document)
    return str(made["Arn"])


def with_dead_man(procedure: str, without_action: str = "") -> dict[str, Any]:
    """Return a procedure's policy and what --dead-man adds, with one action of that taken out."""
    document = policy(procedure)
    added = [
        {**one, "Action": kept}
        for one in policy("dead-man")["Statement"]
        if (kept := [action for action in one["Action"] if action != without_action])
    ]
    return {**document, "Statement": [*document["Statement"], *added]}
