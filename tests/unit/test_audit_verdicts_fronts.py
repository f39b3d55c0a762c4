"""Small accounts of entries and balancers, each with the verdict that was worked out by hand first."""

from __future__ import annotations

from typing import Any

import pytest

from nospof.model.estate import UNKNOWN, Estate, Use
from nospof.model.findings import Unread
from nospof.model.item import Item
from nospof.model.kinds import KINDS
from nospof.render.answers import to_json
from nospof.services.audit import audit_estate
from support.estates import A, B, account, balancer, described, group, instance, item, scaling, target

MACHINES = (instance("i-1", A), instance("i-2", B))
TARGETS = (target("i-1"), target("i-2"))
PAIR = (balancer(), group(), *MACHINES, *TARGETS)
APART = (balancer(), group("a"), group("b"), *MACHINES, target("i-1", "a"), target("i-2", "b"))
EITHER = ("i-1", "i-2")
ZONES_AB = (f"zone:{A}", f"zone:{B}")
WWW = {"Type": "forward", "TargetGroupArn": "arn:group:www"}
SIGN_IN = {"Type": "authenticate-oidc", "AuthenticateOidcConfig": {"Issuer": "https://login.example.com"}}
Verdicts = set[tuple[str, str, str]]


ASTRAY = item("target", TargetGroupArn=UNKNOWN, Target={"Id": "i-2", "Port": 80})


def listener(*actions: dict[str, Any], name: str = "l") -> Item:
    return item("listener", ListenerArn=name, LoadBalancerArn="arn:www", DefaultActions=list(actions))


def forward(**weights: Any) -> dict[str, Any]:
    groups = [{"TargetGroupArn": f"arn:group:{name}", "Weight": weight} for name, weight in weights.items()]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}


def at_address(address: str, zone: str) -> Item:
    where = {"Id": address, "Port": 80, "AvailabilityZone": zone}
    return item("target", TargetGroupArn="arn:group:www", Target=where, TargetHealth={"State": "healthy"})


def named(values: dict[str, dict[str, Any]]) -> Estate:
    """Two machines with an Elastic IP each, and one name with a record for each."""
    records = [
        item(
            "record set",
            HostedZoneId="Z",
            Name="example.com.",
            Type="A",
            SetIdentifier=value,
            ResourceRecords=[{"Value": value}],
            **fields,
        )
        for value, fields in values.items()
    ]
    return account(*MACHINES, *ELASTIC, *records)


def classic(*states: tuple[str, str, str]) -> Estate:
    """Two machines behind a balancer of the first generation, which says this of them."""
    rows = [{"InstanceId": who} for who in EITHER]
    front = item("classic load balancer", LoadBalancerName="old", AvailabilityZones=[A, B], Instances=rows)
    told = [
        item("classic target", LoadBalancerName="old", InstanceId=who, State=state, ReasonCode=why)
        for who, state, why in states
    ]
    return account(*MACHINES, front, *told)


def distribution(behaviours: Any) -> Item:
    return item(
        "distribution",
        Id="D",
        DomainName="d.cloudfront.net",
        Enabled=True,
        Origins={"Items": [{"Id": "o", "DomainName": "arn:www"}]},
        DefaultCacheBehavior={"TargetOriginId": "o"},
        CacheBehaviors={"Items": behaviours},
    )


TAGGED = (instance("i-1", A, Tags=UNKNOWN), MACHINES[1])
WAY_OUT = (
    instance("i-nat", A, PublicIpAddress="3.3.3.3"),
    item(
        "route table",
        RouteTableId="rtb",
        Associations=[{"SubnetId": "elsewhere"}],
        Routes=[{"DestinationCidrBlock": "0.0.0.0/0", "InstanceId": "i-nat"}],
    ),
)
ELASTIC = tuple(
    item("address", AllocationId=f"a-{who}", PublicIp=where, InstanceId=who)
    for who, where in (("i-1", "1.1.1.1"), ("i-2", "2.2.2.2"))
)


def accelerated(*groups: dict[str, Any]) -> Estate:
    """Two machines, and an accelerator with one listener and these endpoint groups."""
    front = item("accelerator", AcceleratorArn="ga", Name="ga", Enabled=True)
    listens = item("accelerator listener", ListenerArn="gl", AcceleratorArn="ga")
    found = [
        item("endpoint group", EndpointGroupArn=f"g{number}", ListenerArn="gl", **fields)
        for number, fields in enumerate(groups)
    ]
    return account(*MACHINES, front, listens, *found)


def sends(who: str, **fields: Any) -> dict[str, Any]:
    """An endpoint group with one machine."""
    about = {key: fields.pop(key) for key in ("TrafficDialPercentage",) if key in fields}
    return {"EndpointDescriptions": [{"EndpointId": who, **fields}], **about}


BOTH_PERHAPS = {("NSP101", one, "possible") for one in EITHER} | {
    ("NSP201", one, "possible") for one in ZONES_AB
}
BOTH_HALF = {("NSP407", one, "certain") for one in (*EITHER, *ZONES_AB)}
FIRST_PERHAPS = {("NSP101", "i-1", "possible"), ("NSP201", f"zone:{A}", "possible")}
FIRST = {("NSP101", "i-1", "certain"), ("NSP201", f"zone:{A}", "certain")}

SHAPES: dict[str, tuple[Estate, Verdicts, int]] = {
    "who must sign in first needs the group all the same": (
        account(balancer(), group(), MACHINES[0], TARGETS[0], listener(SIGN_IN, WWW)),
        {
            ("NSP101", "i-1", "certain"),
            ("NSP201", f"zone:{A}", "certain"),
            ("NSP901", "unread:identity provider https://login.example.com", "possible"),
        },
        10,
    ),
    "a weight nobody can tell may be zero": (
        described(*APART, listener(forward(a=UNKNOWN, b=UNKNOWN))),
        BOTH_PERHAPS,
        13,
    ),
    "a second listener that sends nobody can tell where": (
        described(*PAIR, listener(WWW), listener({**WWW, "TargetGroupArn": UNKNOWN}, name="m")),
        set(),
        13,
    ),
    "a rule whose actions nobody can tell": (
        described(*PAIR, listener(WWW), item("listener rule", RuleArn="r", ListenerArn="l", Actions=UNKNOWN)),
        set(),
        13,
    ),
    "a rule that answers by itself": (
        described(*PAIR, listener(WWW), listener({"Type": "fixed-response"}, name="m")),
        set(),
        0,
    ),
    "a network balancer in zones nobody can tell": (
        described(balancer(Type="network", AvailabilityZones=UNKNOWN), group(), *MACHINES, *TARGETS),
        {("NSP901", "unread:zones of balancer www", "possible")},
        13,
    ),
    "two addresses in one zone": (
        account(balancer(), group(TargetType="ip"), at_address("10.0.0.1", A), at_address("10.0.0.2", A)),
        {("NSP201", f"zone:{A}", "certain")},
        10,
    ),
    "two addresses in two zones": (
        account(balancer(), group(TargetType="ip"), at_address("10.0.0.1", A), at_address("10.0.0.2", B)),
        set(),
        13,
    ),
    "two addresses outside of the network": (
        account(
            balancer(), group(TargetType="ip"), at_address("10.9.0.1", "all"), at_address("10.9.0.2", "all")
        ),
        {("NSP201", "zone:unplaced", "possible")},
        13,
    ),
    "records with a check each": (
        named(
            {"1.1.1.1": {"Weight": 1, "HealthCheckId": "h"}, "2.2.2.2": {"Weight": 1, "HealthCheckId": "k"}}
        ),
        set(),
        0,
    ),
    "one check of both records tells them from nothing": (
        named(
            {"1.1.1.1": {"Weight": 1, "HealthCheckId": "h"}, "2.2.2.2": {"Weight": 1, "HealthCheckId": "h"}}
        ),
        BOTH_HALF,
        10,
    ),
    "one check of the primary and the secondary": (
        named(
            {
                "1.1.1.1": {"Failover": "PRIMARY", "HealthCheckId": "h"},
                "2.2.2.2": {"Failover": "SECONDARY", "HealthCheckId": "h"},
            }
        ),
        FIRST,
        10,
    ),
    "a record's weight nobody can tell": (
        named({"1.1.1.1": {"Weight": 100}, "2.2.2.2": {"Weight": UNKNOWN}}),
        BOTH_PERHAPS,
        13,
    ),
    "two records, and only one with weight": (
        named({"1.1.1.1": {"Weight": 100}, "2.2.2.2": {"Weight": 0}}),
        FIRST,
        10,
    ),
    "an accelerator before two machines": (accelerated(sends("i-1"), sends("i-2")), set(), 0),
    "an endpoint's weight nobody can tell": (
        accelerated(sends("i-1"), sends("i-2", Weight=UNKNOWN)),
        FIRST_PERHAPS,
        13,
    ),
    "a traffic dial nobody can tell": (
        accelerated(sends("i-1"), sends("i-2", TrafficDialPercentage=UNKNOWN)),
        FIRST_PERHAPS,
        13,
    ),
    "other endpoints nobody can tell": (
        accelerated(sends("i-1"), {"EndpointDescriptions": UNKNOWN}),
        FIRST_PERHAPS,
        13,
    ),
    "a classic balancer that has not looked at one yet": (
        classic(("i-1", "InService", "N/A"), ("i-2", "Unknown", "ELB")),
        FIRST_PERHAPS,
        13,
    ),
    "a classic balancer that found one dead": (
        classic(("i-1", "InService", "N/A"), ("i-2", "OutOfService", "Instance")),
        FIRST,
        10,
    ),
    "a member that is stopped, whatever its group says": (
        account(
            balancer(),
            group(),
            MACHINES[0],
            instance("i-2", B, State={"Name": "stopped"}),
            *TARGETS,
            scaling("g", {"i-1": A, "i-2": B}),
        ),
        {("NSP101", f"g/{A}/1", "certain"), ("NSP201", f"zone:{A}", "certain")},
        10,
    ),
    "a machine that may stand in the zone of the other": (
        described(balancer(), group(), instance("i-1", UNKNOWN), MACHINES[1], *TARGETS),
        {("NSP201", f"zone:{B}", "possible")},
        13,
    ),
    "a network balancer of which one zone is told": (
        described(balancer(Type="network", zones=(UNKNOWN, B)), group(), *MACHINES, *TARGETS),
        set(),
        0,
    ),
    "a target that nobody can tell beside one": (
        described(balancer(), group(), MACHINES[0], TARGETS[0], target(UNKNOWN)),
        FIRST_PERHAPS,
        13,
    ),
    "a target of which nobody can tell the group": (
        described(balancer(), group(), *MACHINES, TARGETS[0], ASTRAY),
        FIRST_PERHAPS,
        13,
    ),
    "a target that nobody can tell alone": (
        described(balancer(), group(), target(UNKNOWN)),
        {("NSP901", "unread:targets of www", "possible")},
        13,
    ),
    "a distribution of which some paths lead nobody can tell where": (
        described(*PAIR, distribution(UNKNOWN)),
        set(),
        13,
    ),
    "a distribution of one path": (described(*PAIR, distribution([])), set(), 0),
    "a machine whose tags nobody can tell": (
        account(balancer(Tags=[{"Key": "nospof:service", "Value": UNKNOWN}]), group(), *TAGGED, *TARGETS),
        set(),
        13,
    ),
    "a group that may ask its balancer for health": (
        described(
            balancer(),
            group(),
            *MACHINES,
            *TARGETS,
            scaling("g", {"i-1": A, "i-2": B}, HealthCheckType=UNKNOWN),
        ),
        {("NSP404", "health:g", "possible")},
        13,
    ),
    "a way out of a network that serves nobody": (account(*PAIR, *WAY_OUT), set(), 0),
}


@pytest.mark.parametrize(("estate", "expected", "code"), SHAPES.values(), ids=SHAPES.keys())
def test_the_verdict_is_the_one_worked_out_by_hand(estate: Estate, expected: Verdicts, code: int) -> None:
    report = audit_estate(estate)
    assert {(one.rule, one.event, one.confidence) for one in report.findings} == expected
    assert report.exit_code == code


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_pair_is_no_whole_answer_where_a_kind_was_not_read(kind: str) -> None:
    read = [one for one in (*PAIR, listener(WWW)) if one.kind.name != kind]
    unread = Unread(KINDS[kind].plural, "ec2:Describe", "AccessDenied")
    assert audit_estate(account(*read, unread=(unread,))).exit_code == 13


def test_the_same_account_in_another_order_has_the_same_report() -> None:
    kept = [
        item("file system", FileSystemId="fs"),
        item("mount target", MountTargetId="mt", FileSystemId="fs", AvailabilityZoneName=A),
        item("database", DBInstanceIdentifier="db", AvailabilityZone=A, Engine="mysql", MultiAZ=False),
    ]
    items = (*APART, listener(forward(a=1, b=2)), *kept)
    uses = [Use(who, "file system", "fs", "serving", "declared") for who in EITHER]
    uses += [Use(who, "database", "db") for who in EITHER]
    there = account(*items, uses=tuple(uses))
    back = account(*reversed(items), uses=tuple(reversed(uses)))
    assert to_json(audit_estate(there)) == to_json(audit_estate(back))


def test_a_certificate_that_has_ended_is_said_to_have_ended_once() -> None:
    ended = item("certificate", CertificateArn="c", DomainName="example.com", Type="IMPORTED", NotAfter=5)
    shows = item(
        "listener",
        ListenerArn="l",
        LoadBalancerArn="arn:www",
        DefaultActions=[WWW],
        Certificates=[{"CertificateArn": "c"}],
    )
    down = next(
        one for one in audit_estate(account(*PAIR, shows, ended, read_at=9.0)).findings if one.order == 0
    )
    assert down.title == "www serves nobody now: certificate example.com is not valid any more"
