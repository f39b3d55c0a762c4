"""What the loss of a store does to those who are told of it, whatever kind of file tells them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nospof.adapters.iac.cloudformation.reading import read_template
from nospof.adapters.iac.terraform.reading import read_terraform
from nospof.model.estate import Estate

VIEWS = {"queue": "degraded", "table": "serving"}
"""What hands work over stops nobody at once."""


def views(estate: Estate) -> dict[str, str]:
    return {use.used_kind: use.view for use in estate.uses}


def test_a_template_says_that_a_queue_degrades_and_a_table_stops_who_is_told_of_it(tmp_path: Path) -> None:
    variables = {"QUEUE": {"Ref": "Jobs"}, "TABLE": {"Ref": "Rows"}}
    resources = {
        "Work": {"Type": "AWS::Lambda::Function", "Properties": {"Environment": {"Variables": variables}}},
        "Jobs": {"Type": "AWS::SQS::Queue"},
        "Rows": {"Type": "AWS::DynamoDB::Table"},
    }
    file = tmp_path / "template.json"
    file.write_text(json.dumps({"Resources": resources}))
    assert views(read_template(file, {})) == VIEWS


def test_a_plan_says_that_a_queue_degrades_and_a_table_stops_who_is_told_of_it(tmp_path: Path) -> None:
    names = {"work": "aws_lambda_function", "jobs": "aws_sqs_queue", "rows": "aws_dynamodb_table"}
    told = {"references": ["aws_sqs_queue.jobs.url", "aws_dynamodb_table.rows.name"]}
    planned: list[dict[str, Any]] = []
    configured: list[dict[str, Any]] = []
    for name, kind in names.items():
        one = {"address": f"{kind}.{name}", "mode": "managed", "type": kind, "name": name}
        planned.append({**one, "values": {}})
        configured.append(
            {**one, "expressions": {"environment": [{"variables": told}]} if name == "work" else {}}
        )
    document = {
        "format_version": "1.2",
        "planned_values": {"root_module": {"resources": planned}},
        "configuration": {"root_module": {"resources": configured}},
    }
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(document))
    assert views(read_terraform(file)) == VIEWS
