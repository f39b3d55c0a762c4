"""What a caller may do, as far as IAM itself can tell before anything is tried."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

from botocore.config import Config

from nospof.adapters.aws.network import Network
from nospof.model.plans import PlannedCall

SESSION = re.compile(r"arn:([a-z-]+):sts::(\d+):assumed-role/([^/]+)/.+")
QUICK = Config(retries={"mode": "standard", "total_max_attempts": 2})
"""Nobody is kept waiting for an answer that may be missing: a network can reach EC2 and not IAM."""
ALLOWED = "allowed"
CHANGED = "route53:ChangeResourceRecordSets"
LISTS = ("aws:TagKeys", f"{CHANGED}NormalizedRecordNames", f"{CHANGED}RecordTypes", f"{CHANGED}Actions")


class Permission(Network):
    """The part of the port that asks IAM."""

    def simulate(self, call: PlannedCall) -> dict[str, bool | None]:
        """See the port. What rests on a condition or a resource IAM was not told is not known."""
        source = call.by or policy_source(self.identity().arn)
        arns = self._arns(call)
        is_about_something = bool(arns) or call.operation.startswith("Describe")
        with self.reading("iam:SimulatePrincipalPolicy", source):
            pages = self.iam.get_paginator("simulate_principal_policy").paginate(
                PolicySourceArn=source,
                ActionNames=list(call.permissions),
                ResourceArns=arns or ["*"],
                ContextEntries=self._context(call),
            )
            results = [one for page in pages for one in page["EvaluationResults"]]
        told: dict[str, list[bool | None]] = {action: [] for action in call.permissions}
        for one in results:
            is_known = is_about_something and not one.get("MissingContextValues")
            is_allowed = one["EvalDecision"] == ALLOWED
            told[one["EvalActionName"]].append(True if is_allowed else False if is_known else None)
        return {action: worst(decisions) for action, decisions in told.items()}

    @cached_property
    def iam(self) -> Any:
        """The client for IAM."""
        return self.client("iam", self.region, QUICK, operation="iam:*")

    def _arns(self, call: PlannedCall) -> list[str]:
        partition, account = self.identity().arn.split(":")[1], self.identity().account
        place = ":" if call.prefix == "route53" else f"{self.region}:{account}"  # one for all regions
        made = [f"arn:{partition}:{call.prefix}:{place}:{one}" for one in call.on]
        return made or [one for one in call.parameters.values() if str(one).startswith("arn:")]

    def _context(self, call: PlannedCall) -> Any:
        """Return what is known of the call, for policies that rest on it."""
        asked = {one["Key"]: one["Value"] for one in call.parameters.get("Tags", ())}
        known = {"aws:RequestedRegion": [self.region]}
        if "PassedToService" in call.parameters:
            known["iam:PassedToService"] = [call.parameters["PassedToService"]]
        known |= {f"aws:ResourceTag/{key}": [value] for key, value in call.tags.items()}
        known |= {f"{call.prefix}:ResourceTag/{key}": [value] for key, value in call.tags.items()}
        known |= changed_names(call)
        known |= {f"aws:RequestTag/{key}": [value] for key, value in asked.items()}
        if asked:
            known |= {"aws:TagKeys": list(asked), f"{call.prefix}:CreateAction": [call.operation]}
        return [
            {
                "ContextKeyName": key,
                "ContextKeyValues": values,
                "ContextKeyType": "stringList" if key in LISTS else "string",
            }
            for key, values in known.items()
        ]


def changed_names(call: PlannedCall) -> dict[str, list[str]]:
    """Return what a change of names tells of itself, as condition keys."""
    changes = call.parameters.get("ChangeBatch", {}).get("Changes", ())
    sets = [one["ResourceRecordSet"] for one in changes]
    told = {
        "NormalizedRecordNames": [one["Name"] for one in sets],
        "RecordTypes": [one["Type"] for one in sets],
        "Actions": [one["Action"] for one in changes],
    }
    return {f"{CHANGED}{key}": list(dict.fromkeys(values)) for key, values in told.items() if values}


def worst(decisions: list[bool | None]) -> bool | None:
    """Return what several decisions come to: one denial denies, and what was not told is not known."""
    if False in decisions:
        return False
    return True if decisions and None not in decisions else None


def policy_source(arn: str) -> str:
    """Return whose policies count: the user's, or the role's whose session it is.

    A session does not tell its role's path; where the role has one, IAM says that it knows no such role.
    """
    found = SESSION.fullmatch(arn)
    return f"arn:{found[1]}:iam::{found[2]}:role/{found[3]}" if found else arn
