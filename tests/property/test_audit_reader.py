"""Whatever cannot be read, the audit never claims more than it would with everything read."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from nospof.adapters.memory.cloud import MemoryCloud
from nospof.model.cloud import TAG_STATE, HealthCheck, LoadBalancerRequest, TargetGroupRequest
from nospof.model.findings import AuditReport
from support.audit_accounts import audit

CALLS = {
    "zones": "ec2:DescribeAvailabilityZones",
    "instances": "ec2:DescribeInstances",
    "instance status": "ec2:DescribeInstanceStatus",
    "volumes": "ec2:DescribeVolumes",
    "subnets": "ec2:DescribeSubnets",
    "load balancers": "elbv2:DescribeLoadBalancers",
    "listeners": "elbv2:DescribeListeners",
    "target groups": "elbv2:DescribeTargetGroups",
    "targets": "elbv2:DescribeTargetHealth",
}


@st.composite
def accounts(draw: st.DrawFn) -> MemoryCloud:
    """A balancer over two zones, up to four members: some stopped, some with events, some in two groups."""
    cloud = MemoryCloud()
    zones = draw(st.lists(st.sampled_from(["eu-central-1a", "eu-central-1b"]), min_size=1, max_size=4))
    is_declared = draw(st.booleans())
    tags = {TAG_STATE: "none"} if is_declared else {"Name": "web"}
    members = [cloud.add_instance(zone=zone, tags=dict(tags)) for zone in zones]
    subnets = cloud.subnets(members[0].vpc_id)
    balancer = cloud.create_load_balancer(LoadBalancerRequest("www", tuple(one.id for one in subnets[:2])))
    for number in range(draw(st.integers(1, 2))):
        request = TargetGroupRequest(f"group-{number}", members[0].vpc_id, 80, HealthCheck())
        group = cloud.create_target_group(request)
        cloud.create_listener(balancer.arn, 80 + number, group.arn)
        for member in draw(st.lists(st.sampled_from(members), max_size=4, unique_by=lambda one: one.id)):
            cloud.register(group.arn, member.id, 80)
    cloud.clock.sleep(300)
    for member in draw(st.lists(st.sampled_from(members), max_size=2, unique_by=lambda one: one.id)):
        cloud.announce(member.id, in_seconds=draw(st.sampled_from([86_400, 90_000, 900_000])))
    for member in draw(st.lists(st.sampled_from(members), max_size=1)):
        cloud.stop_instance(member.id)
        cloud.clock.sleep(draw(st.sampled_from([0, 60])))
    return cloud


def certain(report: AuditReport) -> set[tuple[str, str, str]]:
    return {
        # A zone that nobody could tell goes by what stands in it.
        (one.service, one.rule, "its zone" if one.rule == "NSP201" else one.event)
        for one in report.findings
        if one.confidence == "certain" and one.is_single_point
    }


@settings(max_examples=150, deadline=None)
@given(accounts(), st.sets(st.sampled_from(sorted(CALLS)), min_size=1))
def test_what_is_certain_in_spite_of_denied_reads_is_true_with_all_of_them(
    cloud: MemoryCloud, denied: set[str]
) -> None:
    whole = audit(cloud)
    partial = audit(cloud, denied=tuple(CALLS[kind] for kind in sorted(denied)))
    assert certain(partial) <= certain(whole)
    assert {one.kind for one in partial.unread} <= denied
    if partial.unread:
        assert partial.exit_code in (10, 13)
        assert not partial.is_complete


@settings(max_examples=100, deadline=None)
@given(accounts())
def test_a_verified_remedy_takes_its_own_finding_away_and_every_cut_has_a_proof(cloud: MemoryCloud) -> None:
    report = audit(cloud)
    for one in report.findings:
        assert one.remedy.says
        assert one.rule in one.remedy.removes or not one.remedy.is_verified
        if one.share == 1 and one.view == "serving":
            assert one.proof
        assert one.severity != "critical" or one.confidence == "certain"
    assert len({one.fingerprint for one in report.findings}) == len(report.findings)
