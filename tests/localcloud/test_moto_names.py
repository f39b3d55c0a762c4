"""Every name of moto the local cloud relies on, one test each: an upgrade that moves one is seen here."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest

NAMES = [
    "moto.autoscaling.models:AutoScalingBackend.attach_instances",
    "moto.autoscaling.models:AutoScalingBackend.enter_standby_instances",
    "moto.autoscaling.models:AutoScalingBackend.exit_standby_instances",
    "moto.autoscaling.models:AutoScalingBackend.notify_terminate_instances",
    "moto.autoscaling.models:AutoScalingBackend.resume_processes",
    "moto.autoscaling.models:AutoScalingBackend.set_instance_health",
    "moto.autoscaling.models:AutoScalingBackend.suspend_processes",
    "moto.autoscaling.models:AutoScalingBackend.update_attached_target_groups",
    "moto.backends:get_backend",
    "moto.core.base_backend:AccountSpecificBackend",
    "moto.core.base_backend:BackendDict._instances",
    "moto.core.base_backend:BackendDict.iter_backends",
    "moto.core.base_backend:BaseBackend",
    "moto.core.exceptions:ServiceException",
    "moto.core.parse:default_timestamp_parser",
    "moto.core.responses:ActionResult",
    "moto.core.responses:BaseResponse._enrich_response",
    "moto.core.responses:BaseResponse._get_action",
    "moto.core.responses:BaseResponse.boto3_service_name",
    "moto.core.responses:BaseResponse.call_action",
    "moto.core.responses:BaseResponse.serialized",
    "moto.core.responses:EmptyResult",
    "moto.core.types:Base64EncodedString.from_raw_string",
    "moto.core.utils:camelcase_to_underscores",
    "moto.core.utils:utcnow",
    "moto.ec2.models:EC2Backend._get_template_from_args",
    "moto.ec2.models:EC2Backend.create_default_subnet",
    "moto.ec2.models:EC2Backend.create_default_vpc",
    "moto.ec2.models:EC2Backend.describe_availability_zones",
    "moto.ec2.models:EC2Backend.get_default_security_group",
    "moto.ec2.models:EC2Backend.get_default_subnets",
    "moto.ec2.models:EC2Backend.get_multi_instances_by_id",
    "moto.ec2.models:ec2_backends",
    "moto.ec2.models.amis:Ami",
    "moto.ec2.models.elastic_block_store:Snapshot",
    "moto.ec2.models.instance_types:INSTANCE_TYPE_OFFERINGS",
    "moto.ec2.models.instances:Instance",
    "moto.ec2.models.instances:InstanceState",
    "moto.ec2.models.instances:StateReason",
    "moto.ec2.models.security_groups:SecurityGroupRule",
    "moto.ec2.models.subnets:Subnet.get_available_subnet_ip",
    "moto.ec2.responses:EC2Response.error_on_dryrun",
    "moto.ec2.responses:EC2Response.run_instances",
    "moto.ec2.urls:url_paths",
    "moto.ec2.utils:filter_dict_attribute_mapping",
    "moto.ec2.utils:random_ami_id",
    "moto.ec2.utils:random_snapshot_id",
    "moto.elbv2.models:elbv2_backends",
    "moto.iam.access_control:CreateAccessKeyFailure",
    "moto.iam.access_control:IAMPolicy",
    "moto.iam.access_control:create_access_key",
    "moto.iam.models:IAMBackend.get_group_policy",
    "moto.iam.models:IAMBackend.get_groups_for_user",
    "moto.iam.models:IAMBackend.get_role_policy",
    "moto.iam.models:IAMBackend.get_user_policy",
    "moto.iam.models:IAMBackend.list_attached_group_policies",
    "moto.iam.models:IAMBackend.list_attached_role_policies",
    "moto.iam.models:IAMBackend.list_attached_user_policies",
    "moto.iam.models:iam_backends",
    "moto.iam.responses:IamResponse",
    "moto.iam.urls:url_paths",
    "moto.moto_server.werkzeug_app:DomainDispatcherApplication",
    "moto.moto_server.werkzeug_app:MotoRequestHandler",
    "moto.moto_server.werkzeug_app:create_backend_app",
    "moto.scheduler.models:EventBridgeSchedulerBackend.get_schedule_group",
    "moto.scheduler.models:ScheduleGroup.delete_schedule",
    "moto.scheduler.models:scheduler_backends",
    "moto.scheduler.responses:EventBridgeSchedulerResponse.create_schedule",
    "moto.scheduler.responses:EventBridgeSchedulerResponse.update_schedule",
    "moto.scheduler.urls:url_paths",
    "moto.ssm.models:ParameterDict",
    "moto.ssm.responses:SimpleSystemManagerResponse",
    "moto.ssm.urls:url_paths",
]


def named(name: str) -> Any:
    module, _, path = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_name_exists(name: str) -> None:
    assert named(name) is not None


@pytest.mark.parametrize(
    ("function", "instantiated"),
    [
        ("moto.ec2.models.instances:InstanceBackend.run_instances", "Instance"),
        ("moto.ec2.models.elastic_block_store:EBSBackend.create_snapshot", "Snapshot"),
        ("moto.ec2.models.amis:AmiBackend.copy_image", "Ami"),
    ],
)
def test_the_model_is_made_from_the_global_that_is_replaced(function: str, instantiated: str) -> None:
    assert instantiated in named(function).__code__.co_names


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (
            "moto.ec2.models.instances:Instance",
            ["_state", "_reason", "_private_ips", "client_token", "nics", "state_reason", "root_device_name"],
        ),
        ("moto.ec2.models.amis:Ami", ["ebs_snapshot", "state", "root_device_name", "name", "owner_id"]),
        ("moto.ec2.models.elastic_block_store:Snapshot", ["status", "volume", "id"]),
        (
            "moto.scheduler.models:Schedule",
            ["schedule_expression", "schedule_expression_timezone", "state", "target", "name"],
        ),
        ("moto.ec2.models.subnets:Subnet", ["_subnet_ips", "cidr_block"]),
        ("moto.efs.models:EFSBackend", ["file_systems_by_id"]),
        ("moto.efs.models:MountTarget", ["availability_zone_name"]),
    ],
)
def test_the_model_keeps_the_fields_that_are_used(model: str, fields: list[str]) -> None:
    source = inspect.getsource(named(model))
    for field in fields:
        assert f"self.{field}" in source, field


def test_the_answer_of_an_error_is_a_status_headers_and_a_body() -> None:
    assert "status, headers, body" in inspect.getsource(named("moto.core.responses:BaseResponse.call_action"))


def test_a_request_for_ec2_is_parsed_by_its_model() -> None:
    assert named("moto.ec2.responses:EC2Response")().automated_parameter_parsing is True
