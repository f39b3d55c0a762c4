"""The `aws` program against the local cloud: launch, stop, image, start, balance and delete.

Its waiters ask every 15 s, so each is run when what it waits for is so: it must see that.
"""

from __future__ import annotations

from typing import Any

import pytest

from support.backends import get
from support.local_cloud import RunningCloud
from support.programs import Aws
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud


def states(ec2: Any, *instance_ids: str) -> list[str]:
    found = ec2.describe_instances(InstanceIds=list(instance_ids))["Reservations"]
    return [one["State"]["Name"] for each in found for one in each["Instances"]]


def test_awscli_launches_stops_images_starts_balances_and_deletes(local_cloud: RunningCloud) -> None:
    aws = Aws(local_cloud.environment)
    ec2, elb = local_cloud.client("ec2"), local_cloud.client("elbv2")
    base = aws("ec2 describe-images --filters Name=name,Values=nospof-demo-site --query Images[0].ImageId")
    subnets = aws("ec2 describe-subnets --query Subnets[:2].[SubnetId,VpcId]")
    (first, vpc), (second, _) = subnets

    tags = "--tag-specifications ResourceType=instance,Tags=[{Key=Name,Value=shop}]"
    run = f"ec2 run-instances --instance-type t3.micro {tags} --query Instances[0].InstanceId"
    source = aws(f"{run} --image-id {base} --subnet-id {first}")
    eventually(lambda: states(ec2, source) == ["running"])
    stopping = aws(
        f"ec2 stop-instances --instance-ids {source} --query StoppingInstances[0].CurrentState.Name"
    )
    assert stopping == "stopping"
    eventually(lambda: states(ec2, source) == ["stopped"])
    aws(f"ec2 wait instance-stopped --instance-ids {source}")

    taken = "ResourceType=image,Tags=[{Key=of,Value=shop}] ResourceType=snapshot,Tags=[{Key=of,Value=shop}]"
    create = f"ec2 create-image --instance-id {source} --name shop-1 --no-reboot --tag-specifications {taken}"
    image = aws(f"{create} --query ImageId")
    aws(f"ec2 start-instances --instance-ids {source}")
    eventually(lambda: ec2.describe_images(ImageIds=[image])["Images"][0]["State"] == "available")
    aws(f"ec2 wait image-available --image-ids {image}")
    of_it = "--owner-ids self --filters Name=tag:of,Values=shop"
    snapshots = aws(f"ec2 describe-snapshots {of_it} --query Snapshots[].SnapshotId")
    assert len(snapshots) == 1
    twin = aws(f"{run} --image-id {image} --subnet-id {second}")
    eventually(lambda: states(ec2, source, twin) == ["running", "running"])
    aws(f"ec2 wait instance-running --instance-ids {source} {twin}")

    create = f"elbv2 create-target-group --name shop --protocol HTTP --port 8080 --vpc-id {vpc}"
    checked = "--health-check-path /health --health-check-interval-seconds 5 --healthy-threshold-count 2"
    group = aws(f"{create} {checked} --query TargetGroups[0].TargetGroupArn")
    aws(f"elbv2 register-targets --target-group-arn {group} --targets Id={source} Id={twin}")
    balancer, name = aws(
        f"elbv2 create-load-balancer --name shop --subnets {first} {second} "
        "--query LoadBalancers[0].[LoadBalancerArn,DNSName]"
    )
    listens = f"elbv2 create-listener --load-balancer-arn {balancer} --protocol HTTP --port 8080"
    aws(f"{listens} --default-actions Type=forward,TargetGroupArn={group}")

    def healthy() -> bool:
        targets = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return [one["TargetHealth"]["State"] for one in targets] == ["healthy", "healthy"]

    eventually(healthy)
    aws(f"elbv2 wait target-in-service --target-group-arn {group}")
    assert get(f"http://{name}:8080/")[0] == 200

    aws(f"elbv2 delete-load-balancer --load-balancer-arn {balancer}")
    aws(f"elbv2 delete-target-group --target-group-arn {group}")
    aws(f"ec2 terminate-instances --instance-ids {source} {twin}")
    aws(f"ec2 deregister-image --image-id {image}")
    aws(f"ec2 delete-snapshot --snapshot-id {snapshots[0]}")
    eventually(lambda: states(ec2, source, twin) == ["terminated", "terminated"])
    assert elb.describe_load_balancers()["LoadBalancers"] == []
    assert image not in [one["ImageId"] for one in ec2.describe_images(Owners=["self"])["Images"]]
