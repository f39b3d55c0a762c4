"""The clouds the contract is tested on, each behind one `Stage`.

A stage is a cloud of the port, the few facts a test needs (an image, a type, a port that answers),
and hands for what no call of the port does: terminate, protect, announce, wait.
"""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import boto3
import pytest

from nospof.adapters.aws import AwsCloud
from nospof.adapters.endpoint_faults import EndpointFaults
from nospof.adapters.memory import MemoryCloud, MemoryService
from nospof.model.cloud import HealthCheck, Instance, LaunchRequest, TargetGroupRequest
from nospof.model.starts import SCHEDULER
from nospof.planning.dead_man import TRUST
from nospof.ports.cloud import Cloud
from support.certificates import import_certificate, memory_certificate
from support.cloud_gaps import GAPS
from support.dead_man import make_role
from support.local_cloud import running_cloud
from support.moto_server import running_moto

REGION = "eu-central-1"


class Stage:
    """One implementation, ready to be asked. Names made by `name` are used by nobody else."""

    cloud: Cloud
    image_id: str
    instance_type = "t3.micro"
    port = 80
    path = "/"

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._suffix = uuid.uuid4().hex[:8]
        self._launched: list[str] = []

    def name(self, kind: str = "x") -> str:
        """Return a new name, short enough for Elastic Load Balancing."""
        return f"{kind}-{self._suffix}-{next(self._numbers)}"

    def wait(self, holds: Callable[[], object]) -> None:
        """Return when it holds; fail the test when it has not within the time."""
        raise NotImplementedError

    def terminate(self, instance_id: str) -> None:
        """Terminate, as somebody else might."""
        raise NotImplementedError

    def protect(self, instance_id: str) -> None:
        """Set disableApiStop."""
        raise NotImplementedError

    def protect_from_termination(self, instance_id: str) -> None:
        """Set disableApiTermination; it is cleared at the end of the test."""
        raise NotImplementedError

    def protect_balancer(self, balancer_arn: str) -> None:
        """Turn a balancer's deletion protection on."""
        raise NotImplementedError

    def announce(self, instance_id: str, code: str) -> None:
        """Announce a maintenance event in an hour."""
        raise NotImplementedError

    def group_of(self, instance_id: str) -> str:
        """Make an instance the one member of a new Auto Scaling group, and return its name."""
        raise NotImplementedError

    def mark_unhealthy(self, instance_id: str) -> None:
        """Have its Auto Scaling group take it for unhealthy."""
        raise NotImplementedError

    def name_leads_to(self, name: str, dns_name: str) -> None:
        """Have a name of Route 53 lead to a balancer, as an alias."""
        raise NotImplementedError

    def add_zone(self, name: str, *, is_private: bool = False) -> str:
        """Make a hosted zone; return its id."""
        raise NotImplementedError

    def certificate(self, *names: str) -> str:
        """Have a certificate for these names, good for a year; return its ARN."""
        raise NotImplementedError

    def make_role(self, name: str, trusts: str) -> str:
        """Make a role that may start instances and that a service may take; return its ARN."""
        raise NotImplementedError

    def now(self) -> float:
        """Return the cloud's time."""
        return time.time()

    def classic(self, name: str) -> str:
        """Make a classic balancer in two zones that connects to the service's port; return its ARN."""
        raise NotImplementedError

    def vpc_id(self) -> str:
        """Return the default VPC's id."""
        raise NotImplementedError

    def launch_request(self, **changes: Any) -> LaunchRequest:
        """Return a request for one small instance in the first zone."""
        defaults: dict[str, Any] = {
            "token": self.name("token"),
            "image_id": self.image_id,
            "type": self.instance_type,
            "subnet_id": self.cloud.subnets(self.vpc_id())[0].id,
        }
        return LaunchRequest(**{**defaults, **changes})

    def launch(self, **changes: Any) -> Instance:
        """Launch one and see to it that it goes at the end of the test."""
        return self.launched(self.cloud.launch(self.launch_request(**changes)))

    def launched(self, instance: Instance) -> Instance:
        """See to it that an instance goes at the end of the test."""
        self._launched.append(instance.id)
        return instance

    def running(self, **changes: Any) -> str:
        """Return the id of a new instance that runs."""
        instance = self.launch(**changes)
        self.wait(lambda: self.cloud.instance(instance.id).state == "running")
        return instance.id

    def stopped(self, **changes: Any) -> str:
        """Return the id of a new instance that is stopped."""
        instance_id = self.running(**changes)
        self.cloud.stop_instance(instance_id)
        self.wait(lambda: self.cloud.instance(instance_id).state == "stopped")
        return instance_id

    def group_request(self, **changes: Any) -> TargetGroupRequest:
        """Return a request for a target group of the service."""
        defaults: dict[str, Any] = {
            "name": self.name("tg"),
            "vpc_id": self.vpc_id(),
            "port": self.port,
            "health_check": HealthCheck(path=self.path),
            "deregistration_delay_seconds": 5,
        }
        return TargetGroupRequest(**{**defaults, **changes})

    def two_subnets(self) -> tuple[str, ...]:
        """Return subnets of two zones."""
        by_zone = {subnet.zone: subnet.id for subnet in self.cloud.subnets(self.vpc_id())}
        return tuple(by_zone.values())[:2]

    def clean(self) -> None:
        """Terminate what the test launched."""
        for instance_id in self._launched:
            self.terminate(instance_id)
        self._launched.clear()


class MemoryStage(Stage):
    """The reference."""

    def __init__(self) -> None:
        super().__init__()
        self.cloud: MemoryCloud = MemoryCloud()
        self.cloud.service_of_new = MemoryService(port=self.port)
        self.image_id = self.cloud.base_image()

    def wait(self, holds: Callable[[], object]) -> None:
        for _ in range(300):
            if holds():
                return
            self.cloud.clock.sleep(1)
        pytest.fail("it did not become true in five virtual minutes")

    def terminate(self, instance_id: str) -> None:
        self.cloud.terminate(instance_id)

    def protect(self, instance_id: str) -> None:
        self.cloud.protect_from_stop(instance_id, on=True)

    def protect_from_termination(self, instance_id: str) -> None:
        self.cloud.protect_from_termination(instance_id)

    def protect_balancer(self, balancer_arn: str) -> None:
        self.cloud.undeletable.add(balancer_arn)

    def announce(self, instance_id: str, code: str) -> None:
        self.cloud.announce(instance_id, code, in_seconds=3600, movable_seconds=7200)

    def group_of(self, instance_id: str) -> str:
        name = self.name("group")
        self.cloud.join_auto_scaling_group(instance_id, name)
        return name

    def mark_unhealthy(self, instance_id: str) -> None:
        self.cloud._mark(instance_id, health="Unhealthy")

    def name_leads_to(self, name: str, dns_name: str) -> None:
        self.cloud.lead(name, dns_name)

    def add_zone(self, name: str, *, is_private: bool = False) -> str:
        return self.cloud.add_zone(name, is_private=is_private)

    def certificate(self, *names: str) -> str:
        made = memory_certificate(self.cloud, *names)
        return made.arn

    def make_role(self, name: str, trusts: str) -> str:
        return self.cloud.add_role(name, (trusts,)).arn

    def now(self) -> float:
        return self.cloud.clock.now()

    def classic(self, name: str) -> str:
        zones = tuple(one.name for one in self.cloud.zones())[:2]
        check = HealthCheck(path="", matcher="", protocol="TCP", port=self.port)
        return self.cloud.add_classic_balancer(name, zones, self.port, check).arn

    def vpc_id(self) -> str:
        subnets = self.cloud.subnets("vpc-00000000000000001")
        return subnets[0].vpc_id


class AwsStage(Stage):
    """The adapter for AWS at an endpoint."""

    patience_seconds = 5.0

    def __init__(self, cloud: AwsCloud, endpoint: str, image_id: str) -> None:
        super().__init__()
        self.endpoint = endpoint
        self.cloud: AwsCloud = cloud
        self.image_id = image_id
        self._ec2 = cloud.ec2
        self._groups: list[str] = []

    def wait(self, holds: Callable[[], object]) -> None:
        ends = time.monotonic() + self.patience_seconds
        while not holds():
            if time.monotonic() > ends:
                pytest.fail(f"it did not become true in {self.patience_seconds:g} seconds")
            time.sleep(0.1)

    def terminate(self, instance_id: str) -> None:
        for attribute in ("DisableApiStop", "DisableApiTermination"):
            self._ec2.modify_instance_attribute(InstanceId=instance_id, **{attribute: {"Value": False}})
        self._ec2.terminate_instances(InstanceIds=[instance_id])

    def protect(self, instance_id: str) -> None:
        self._ec2.modify_instance_attribute(InstanceId=instance_id, DisableApiStop={"Value": True})

    def protect_from_termination(self, instance_id: str) -> None:
        self._ec2.modify_instance_attribute(InstanceId=instance_id, DisableApiTermination={"Value": True})

    def protect_balancer(self, balancer_arn: str) -> None:
        protected = [{"Key": "deletion_protection.enabled", "Value": "true"}]
        self.cloud.elbv2.modify_load_balancer_attributes(LoadBalancerArn=balancer_arn, Attributes=protected)

    def announce(self, instance_id: str, code: str) -> None:
        EndpointFaults(self.endpoint).announce(instance_id, code, seconds=3600)

    def group_of(self, instance_id: str) -> str:
        name, scaling = self.name("group"), self.cloud.autoscaling
        data: Any = {"ImageId": self.image_id, "InstanceType": self.instance_type}
        self._ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)
        zone = self.cloud.instance(instance_id).zone
        sizes = {"MinSize": 0, "MaxSize": 1, "DesiredCapacity": 0}
        template: Any = {"LaunchTemplateName": name, "Version": "$Latest"}
        scaling.create_auto_scaling_group(
            AutoScalingGroupName=name, LaunchTemplate=template, AvailabilityZones=[zone], **sizes
        )
        self._groups.append(name)
        scaling.attach_instances(AutoScalingGroupName=name, InstanceIds=[instance_id])
        return name

    def mark_unhealthy(self, instance_id: str) -> None:
        self.cloud.autoscaling.set_instance_health(InstanceId=instance_id, HealthStatus="Unhealthy")

    def clean(self) -> None:
        for name in self._groups:
            self.cloud.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
        self._groups.clear()
        super().clean()

    def name_leads_to(self, name: str, dns_name: str) -> None:
        zone_id = self.add_zone(name.partition(".")[2])
        target = {"HostedZoneId": "Z1", "DNSName": f"dualstack.{dns_name}.", "EvaluateTargetHealth": False}
        record = {"Name": name, "Type": "A", "AliasTarget": target}
        batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
        self.cloud.route53.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=batch)

    def add_zone(self, name: str, *, is_private: bool = False) -> str:
        inside = {"VPC": {"VPCRegion": self.cloud.region, "VPCId": self.vpc_id()}} if is_private else {}
        made = self.cloud.route53.create_hosted_zone(
            Name=name, CallerReference=name, HostedZoneConfig={"PrivateZone": is_private}, **inside
        )
        return str(made["HostedZone"]["Id"]).rpartition("/")[2]

    def certificate(self, *names: str) -> str:
        acm = self.cloud.client("acm", self.cloud.region)
        return import_certificate(acm, *names, days=365)[0]

    def make_role(self, name: str, trusts: str) -> str:
        return make_role(self.cloud.iam, name, TRUST.replace(SCHEDULER, trusts))

    def classic(self, name: str) -> str:
        elb = self.cloud.elb
        zones = [one.name for one in self.cloud.zones()][:2]
        listener = {"Protocol": "HTTP", "LoadBalancerPort": 8085, "InstancePort": self.port}
        elb.create_load_balancer(LoadBalancerName=name, Listeners=[listener], AvailabilityZones=zones)
        elb.configure_health_check(
            LoadBalancerName=name,
            HealthCheck={
                "Target": f"TCP:{self.port}",
                "Interval": 5,
                "Timeout": 2,
                "UnhealthyThreshold": 2,
                "HealthyThreshold": 2,
            },
        )
        return next(one.arn for one in self.cloud.load_balancers() if one.name == name)

    def vpc_id(self) -> str:
        default = [{"Name": "is-default", "Values": ["true"]}]
        return str(self._ec2.describe_vpcs(Filters=default)["Vpcs"][0]["VpcId"])


class LocalStage(AwsStage):
    """The adapter at the local cloud, whose demo image serves a page."""

    patience_seconds = 60.0
    port = 8080
    path = "/health"


@pytest.fixture(scope="session")
def endpoints() -> Iterator[Callable[[str], tuple[AwsCloud, str, str]]]:
    """Return cloud, address and image of each kind of endpoint; each is started when first asked for."""
    started: dict[str, tuple[AwsCloud, str, str]] = {}
    with ExitStack() as stack:

        def start(kind: str) -> tuple[AwsCloud, str, str]:
            if kind not in started:
                address = stack.enter_context(running_moto()) if kind == "moto" else _local(stack)
                session = boto3.Session("test", "test", region_name=REGION)
                cloud = AwsCloud(session, endpoint=address)
                started[kind] = (cloud, address, _image(cloud, kind))
            return started[kind]

        yield start


def _local(stack: ExitStack) -> str:
    return str(stack.enter_context(running_cloud()).url)


def _image(cloud: AwsCloud, kind: str) -> str:
    if kind == "moto":
        return cloud.ec2.register_image(Name="base", RootDeviceName="/dev/sda1")["ImageId"]
    images = cloud.ec2.describe_images()["Images"]
    return next(one["ImageId"] for one in images if one["Name"] == "nospof-demo-site")


@pytest.fixture(params=["memory", "moto", pytest.param("local", marks=pytest.mark.local_cloud)])
def stage(
    request: pytest.FixtureRequest, endpoints: Callable[[str], tuple[AwsCloud, str, str]]
) -> Iterator[Stage]:
    """Return each implementation of the port in turn."""
    kind = request.param
    test = request.node.originalname
    if test in GAPS.get(kind, {}):
        request.node.add_marker(pytest.mark.xfail(reason=GAPS[kind][test], strict=True))
    made: Stage
    if kind == "memory":
        made = MemoryStage()
    else:
        made = (AwsStage if kind == "moto" else LocalStage)(*endpoints(kind))
    yield made
    made.clean()


@pytest.fixture
def cloud(stage: Stage) -> Cloud:
    """Return the cloud under test."""
    return stage.cloud
