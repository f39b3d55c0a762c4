"""Small accounts in the in-memory cloud, for the tests of the audit."""

from __future__ import annotations

from dataclasses import replace

from nospof.adapters.memory.cloud import MemoryCloud
from nospof.model.cloud import (
    TAG_STATE,
    HealthCheck,
    LoadBalancerRequest,
    TargetGroupRequest,
)
from nospof.model.estate import Estate, Item, item_of
from nospof.model.findings import AuditReport, Finding
from nospof.model.kinds import KINDS
from nospof.services.audit import Terms, audit_estate
from nospof.services.reading import read_estate
from support.memory_discovery import MemoryDiscovery

STATELESS = {TAG_STATE: "none"}
ZONES = ("eu-central-1a", "eu-central-1b", "eu-central-1c")


class Pair:
    """Instances behind a balancer in two zones, all healthy."""

    def __init__(
        self, zones: tuple[str, ...] = ZONES[:2], *, balancer_zones: int = 2, check: HealthCheck | None = None
    ) -> None:
        self.cloud = MemoryCloud()
        self.members = [
            self.cloud.add_instance(zone=zone, tags={"Name": f"web-{number}", **STATELESS})
            for number, zone in enumerate(zones, 1)
        ]
        vpc = self.members[0].vpc_id
        subnets = tuple(subnet.id for subnet in self.cloud.subnets(vpc))[:balancer_zones]
        self.balancer = self.cloud.create_load_balancer(LoadBalancerRequest("www", subnets))
        self.group = self.cloud.create_target_group(
            TargetGroupRequest("www", vpc, 80, check or HealthCheck())
        )
        self.cloud.create_listener(self.balancer.arn, 80, self.group.arn)
        for member in self.members:
            self.cloud.register(self.group.arn, member.id, 80)
        self.cloud.clock.sleep(300)

    @property
    def ids(self) -> list[str]:
        return [member.id for member in self.members]


def read(cloud: MemoryCloud, *denied: str) -> Estate:
    """Read everything but what is denied, named as boto3 names the call."""
    discovery = MemoryDiscovery(cloud)
    for call in denied:
        discovery.deny(call)
    return read_estate(discovery, cloud.clock.now())


def audit(cloud: MemoryCloud, service: str = "", *, denied: tuple[str, ...] = ()) -> AuditReport:
    return audit_estate(read(cloud, *denied), Terms(service=service))


def target(group: str, who: str, state: str = "healthy", port: int = 80) -> Item:
    """A target as its group tells of it."""
    fields = {
        "TargetGroupArn": group,
        "Target": {"Id": who, "Port": port},
        "TargetHealth": {"State": state},
    }
    return item_of(KINDS["target"], fields)


def with_targets(estate: Estate, *targets: Item) -> Estate:
    """The estate with these targets and no others."""
    return replace(estate, items={**estate.items, "target": targets})


def one_instance(**tags: str) -> MemoryCloud:
    return MemoryCloud.with_one_instance(tags={"Name": "site", **tags})


def rules(report: AuditReport) -> list[str]:
    return sorted(finding.rule for finding in report.findings)


def finding(report: AuditReport, rule: str) -> Finding:
    found = [one for one in report.findings if one.rule == rule]
    assert len(found) == 1
    return found[0]
