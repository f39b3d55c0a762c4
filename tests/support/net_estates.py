"""Small estates of networks and entries, written as AWS would answer, and what the engine says of them."""

from __future__ import annotations

from typing import Any

from nospof.audit.analysis import Analysis, analyse
from nospof.audit.builder import Service
from nospof.audit.fronts import ALL_FRONTS
from nospof.model.estate import Estate, Item, estate_of, item_of
from nospof.model.kinds import KINDS
from support.services import find_services

ZONES = ("eu-1a", "eu-1b")


def made(kind: str, **fields: Any) -> Item:
    """Return an item; double underscores in a name lead into it."""
    tree: dict[str, Any] = {}
    for path, value in fields.items():
        at = tree
        *way, last = path.split("__")
        for part in way:
            at = at.setdefault(part, {})
        at[last] = value
    return item_of(KINDS[kind], tree)


def subnet(zone: str, free: int = 200) -> Item:
    """Return the subnet of a zone."""
    return made(
        "subnet", SubnetId=f"sn-{zone}", AvailabilityZone=zone, VpcId="vpc-1", AvailableIpAddressCount=free
    )


def machine(name: str, zone: str = ZONES[0], **more: Any) -> list[Item]:
    """Return an instance and its disk."""
    return [
        made(
            "instance",
            InstanceId=f"i-{name}",
            State={"Name": "running"},
            Placement={"AvailabilityZone": zone},
            SubnetId=f"sn-{zone}",
            VpcId="vpc-1",
            BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"VolumeId": f"vol-{name}"}}],
            **more,
        ),
        made(
            "volume",
            VolumeId=f"vol-{name}",
            AvailabilityZone=zone,
            State="in-use",
            Attachments=[{"InstanceId": f"i-{name}"}],
        ),
    ]


def balanced(*names: str, name: str = "alb", **more: Any) -> list[Item]:
    """Return a balancer in two zones, with machines in its one group."""
    arn = f"arn:{name}"
    rows = [{"ZoneName": zone, "SubnetId": f"sn-{zone}"} for zone in ZONES]
    return [
        made(
            "load balancer",
            LoadBalancerArn=arn,
            LoadBalancerName=name,
            DNSName=f"{name}.elb.amazonaws.com",
            Type="application",
            Scheme="internet-facing",
            VpcId="vpc-1",
            State={"Code": "active"},
            AvailabilityZones=rows,
        ),
        made(
            "listener",
            ListenerArn=f"{arn}/l",
            LoadBalancerArn=arn,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": f"{arn}/tg"}],
            **more,
        ),
        made(
            "target group",
            TargetGroupArn=f"{arn}/tg",
            TargetGroupName=f"tg-{name}",
            TargetType="instance",
            LoadBalancerArns=[arn],
        ),
        *(
            made(
                "target",
                TargetGroupArn=f"{arn}/tg",
                Target={"Id": f"i-{one}", "Port": 80},
                TargetHealth={"State": "healthy"},
            )
            for one in names
        ),
    ]


def pair() -> list[Item]:
    """Return two machines in two zones behind a balancer."""
    subnets = [subnet(zone) for zone in ZONES]
    return [*subnets, *machine("web1"), *machine("web2", ZONES[1]), *balanced("web1", "web2")]


def record(host: str, *values: str, **more: Any) -> Item:
    """Return a record of a public zone."""
    rows = [{"Value": one} for one in values]
    fields: dict[str, Any] = {"Type": "A", "ResourceRecords": rows, **more}
    return made("record set", HostedZoneId="/hostedzone/Z1", Name=f"{host}.", **fields)


def alias(host: str, target: str, *, is_checked: bool = False, **more: Any) -> Item:
    """Return an alias record."""
    where = {"DNSName": f"dualstack.{target}.", "EvaluateTargetHealth": is_checked}
    return made(
        "record set", HostedZoneId="/hostedzone/Z1", Name=f"{host}.", Type="A", AliasTarget=where, **more
    )


def nat(name: str, zone: str, **more: Any) -> Item:
    """Return a NAT gateway."""
    return made(
        "NAT gateway",
        NatGatewayId=f"nat-{name}",
        SubnetId=f"sn-{zone}",
        VpcId="vpc-1",
        State="available",
        **more,
    )


def table(name: str, *subnets: str, is_main: bool = False, **route: Any) -> Item:
    """Return a route table with one way out."""
    associations: list[dict[str, Any]] = [{"SubnetId": f"sn-{one}"} for one in subnets]
    if is_main:
        associations.append({"Main": True})
    return made(
        "route table",
        RouteTableId=f"rtb-{name}",
        VpcId="vpc-1",
        Associations=associations,
        Routes=[{"DestinationCidrBlock": "0.0.0.0/0", **route}],
    )


def services(*items: Item, **about: Any) -> dict[str, Service]:
    """Return the services of an estate, by name."""
    return {one.entry.service: one for one in find_services(estate(*items, **about), ALL_FRONTS).found}


def estate(*items: Item, **about: Any) -> Estate:
    """Return an estate of an account."""
    return estate_of(items, source="AWS", region="eu-1", read_at=1_000_000_000.0, **about)


def only(*items: Item, **about: Any) -> Service:
    """Return the one service of an estate."""
    (found,) = services(*items, **about).values()
    return found


def worst(service: Service) -> Analysis:
    """Return the pessimistic analysis."""
    return analyse(service.topology)


def cuts(service: Service, view: str = "serving") -> set[str]:
    """Return the single points of failure of a view."""
    found = worst(service).views.get(view)
    return set(found.total) if found else set()


def shares(service: Service) -> dict[str, float]:
    """Return the events that cost a share of the clients."""
    return {event: float(share) for event, share in worst(service).serving.partial}
