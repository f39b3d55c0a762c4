"""An AWS endpoint that costs nothing: it answers from a made fleet, as a recording would, and counts.

The fleet: N instances over three zones, and 252 balancers with a target group each for every 1,000. Two
groups in three belong to an Auto Scaling group with ELB health checks, as most do where machines are
cattle; the others have registered instances. Balancers are tagged, machines run an image of somebody else,
and their network has an internet gateway and a NAT gateway in each zone. Answers are serialised once, by
botocore's own output shapes, and paged as the service pages. What is not in the fleet is answered empty.

Run: python bench/support/fleet_endpoint.py INSTANCES PORT; counts by operation at /_counts, reset at /_reset.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs
from xml.sax.saxutils import escape
from zlib import crc32

import botocore.session

ZONES = ("eu-west-1a", "eu-west-1b", "eu-west-1c")
ACCOUNT = "123456789012"
IMAGE = "ami-00000000000000001"
PAGE = {"ec2": 1000, "elbv2": 400, "autoscaling": 100, "tagging": 100}
"""The largest pages that the services give."""
GROUPS_PER_THOUSAND = 252
SCALED = 3
"""One group in so many has registered instances; the others are an Auto Scaling group's."""


def arn(kind: str, name: str) -> str:
    """Return an ARN of Elastic Load Balancing."""
    return f"arn:aws:elasticloadbalancing:eu-west-1:{ACCOUNT}:{kind}/{name}/{crc32(name.encode()):016x}"


class Fleet:
    """The answers, as the describing calls give them.

    Args:
        size: how many instances.
    """

    def __init__(self, size: int) -> None:
        self.instances = [self._instance(number) for number in range(size)]
        self.volumes = [self._volume(number) for number in range(size)]
        count = size * GROUPS_PER_THOUSAND // 1000
        self.balancers = [self._balancer(number) for number in range(count)]
        self.groups = [self._group(number) for number in range(count)]
        self.members: dict[str, list[int]] = {}
        each = max(2, size // max(1, count))
        for number in range(count):
            first = number * each % max(1, size - each)
            self.members[self.groups[number]["TargetGroupArn"]] = list(range(first, first + each))
        self.scaling = [self._scaling(number) for number in range(count) if number % SCALED]

    def _instance(self, number: int) -> dict[str, Any]:
        zone = ZONES[number % 3]
        return {
            "InstanceId": f"i-{number:017x}",
            "ImageId": IMAGE,
            "InstanceType": "t3.small",
            "State": {"Code": 16, "Name": "running"},
            "LaunchTime": "2026-01-01T00:00:00Z",
            "Placement": {"AvailabilityZone": zone, "Tenancy": "default", "GroupName": ""},
            "VpcId": "vpc-1",
            "SubnetId": f"subnet-{zone[-1]}",
            "PrivateIpAddress": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
            "RootDeviceName": "/dev/xvda",
            "RootDeviceType": "ebs",
            "SecurityGroups": [{"GroupId": "sg-1", "GroupName": "web"}],
            "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeId": f"vol-{number:017x}"}}],
            "Tags": [{"Key": "Name", "Value": f"web-{number}"}, {"Key": "nospof:state", "Value": "none"}],
        }

    def _volume(self, number: int) -> dict[str, Any]:
        return {
            "VolumeId": f"vol-{number:017x}",
            "AvailabilityZone": ZONES[number % 3],
            "VolumeType": "gp3",
            "State": "in-use",
            "Size": 8,
            "Encrypted": True,
            "Attachments": [{"InstanceId": f"i-{number:017x}", "Device": "/dev/xvda"}],
        }

    def _balancer(self, number: int) -> dict[str, Any]:
        return {
            "LoadBalancerArn": arn("loadbalancer/app", f"www-{number}"),
            "LoadBalancerName": f"www-{number}",
            "DNSName": f"www-{number}.eu-west-1.elb.amazonaws.com",
            "Scheme": "internet-facing",
            "Type": "application",
            "VpcId": "vpc-1",
            "State": {"Code": "active"},
            "AvailabilityZones": [{"ZoneName": zone, "SubnetId": f"subnet-{zone[-1]}"} for zone in ZONES],
        }

    def _group(self, number: int) -> dict[str, Any]:
        return {
            "TargetGroupArn": arn("targetgroup", f"www-{number}"),
            "TargetGroupName": f"www-{number}",
            "Protocol": "HTTP",
            "Port": 80,
            "VpcId": "vpc-1",
            "TargetType": "instance",
            "HealthCheckEnabled": True,
            "HealthCheckPath": "/",
            "HealthCheckIntervalSeconds": 10,
            "HealthCheckTimeoutSeconds": 5,
            "HealthyThresholdCount": 2,
            "UnhealthyThresholdCount": 2,
            "Matcher": {"HttpCode": "200"},
            "LoadBalancerArns": [arn("loadbalancer/app", f"www-{number}")],
        }

    def _scaling(self, number: int) -> dict[str, Any]:
        group = self.groups[number]
        members = self.members[group["TargetGroupArn"]]
        return {
            "AutoScalingGroupName": f"www-{number}",
            "MinSize": len(members),
            "MaxSize": 2 * len(members),
            "DesiredCapacity": len(members),
            "DefaultCooldown": 300,
            "AvailabilityZones": list(ZONES),
            "VPCZoneIdentifier": ",".join(f"subnet-{zone[-1]}" for zone in ZONES),
            "HealthCheckType": "ELB",
            "HealthCheckGracePeriod": 300,
            "CreatedTime": "2026-01-01T00:00:00Z",
            "TargetGroupARNs": [group["TargetGroupArn"]],
            "Instances": [
                {
                    "InstanceId": f"i-{one:017x}",
                    "AvailabilityZone": ZONES[one % 3],
                    "LifecycleState": "InService",
                    "HealthStatus": "Healthy",
                    "ProtectedFromScaleIn": False,
                }
                for one in members
            ],
        }

    def answer(self, service: str, operation: str, asked: dict[str, list[str]]) -> dict[str, Any]:
        """Return what a call is answered."""
        name = f"{service}:{operation}"
        if name in self.lists:
            key, rows = self.lists[name]
            page = self.page(service, rows, asked)
            return {key: page["rows"], **page["next"]}
        if name == "ec2:DescribeInstances":
            page = self.page("ec2", self.instances, asked)
            return {"Reservations": [{"Instances": page["rows"]}], **page["next"]}
        if name == "elbv2:DescribeListeners":
            return {"Listeners": [self.listener(one) for one in asked.get("LoadBalancerArn", [])]}
        if name == "elbv2:DescribeTargetHealth":
            members = self.members.get(asked.get("TargetGroupArn", [""])[0], [])
            return {"TargetHealthDescriptions": [self.target(one) for one in members]}
        if name == "elbv2:DescribeTags":
            arns = [value for key, each in asked.items() if key.startswith("ResourceArns") for value in each]
            return {"TagDescriptions": [{"ResourceArn": one, "Tags": self.tags(one)} for one in arns]}
        if name == "tagging:GetResources":
            page = self.page("tagging", self.balancers, asked)
            arns = [one["LoadBalancerArn"] for one in page["rows"]]
            found = [{"ResourceARN": one, "Tags": self.tags(one)} for one in arns]
            return {"ResourceTagMappingList": found, **page["next"]}
        if name == "ec2:DescribeImages":
            image = {"ImageId": IMAGE, "State": "available", "OwnerId": "999999999999", "Public": True}
            is_own = "Owner.1" in asked
            return {"Images": [] if is_own else [image]}
        if name == "sts:GetCallerIdentity":
            return {"Account": ACCOUNT, "UserId": "AIDA", "Arn": f"arn:aws:iam::{ACCOUNT}:user/bench"}
        return {}

    @cached_property
    def lists(self) -> dict[str, tuple[str, list[dict[str, Any]]]]:
        """What the paged calls list, and under which key."""
        return {
            "ec2:DescribeVolumes": ("Volumes", self.volumes),
            "ec2:DescribeInstanceStatus": ("InstanceStatuses", [self.status(one) for one in self.instances]),
            "ec2:DescribeAvailabilityZones": (
                "AvailabilityZones",
                [{"ZoneName": zone, "ZoneId": f"euw1-az{zone[-1]}", "State": "available"} for zone in ZONES],
            ),
            "ec2:DescribeSubnets": ("Subnets", [self.subnet(zone) for zone in ZONES]),
            "ec2:DescribeRouteTables": ("RouteTables", [self.main_table(), *map(self.route_table, ZONES)]),
            "ec2:DescribeInternetGateways": (
                "InternetGateways",
                [{"InternetGatewayId": "igw-1", "Attachments": [{"VpcId": "vpc-1", "State": "available"}]}],
            ),
            "ec2:DescribeNatGateways": ("NatGateways", [self.gateway(zone) for zone in ZONES]),
            "ec2:DescribeRegions": ("Regions", [{"RegionName": "eu-west-1", "OptInStatus": "opted-in"}]),
            "elbv2:DescribeLoadBalancers": ("LoadBalancers", self.balancers),
            "elbv2:DescribeTargetGroups": ("TargetGroups", self.groups),
            "autoscaling:DescribeAutoScalingGroups": ("AutoScalingGroups", self.scaling),
        }

    def status(self, instance: dict[str, Any]) -> dict[str, Any]:
        """Return the checks of an instance."""
        ok = {"Status": "ok"}
        who = {"InstanceId": instance["InstanceId"], "InstanceState": instance["State"]}
        return {**who, "InstanceStatus": ok, "SystemStatus": ok}

    def subnet(self, zone: str) -> dict[str, Any]:
        """Return the subnet of a zone."""
        fields = {"VpcId": "vpc-1", "AvailableIpAddressCount": 4000}
        return {"SubnetId": f"subnet-{zone[-1]}", "AvailabilityZone": zone, **fields}

    def main_table(self) -> dict[str, Any]:
        """Return the way out of what has no table of its own."""
        out = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1", "State": "active"}
        return {"RouteTableId": "rtb-0", "VpcId": "vpc-1", "Associations": [{"Main": True}], "Routes": [out]}

    def route_table(self, zone: str) -> dict[str, Any]:
        """Return the way out of a zone's subnet: its own NAT gateway."""
        out = {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": f"nat-{zone[-1]}", "State": "active"}
        held = [{"SubnetId": f"subnet-{zone[-1]}", "Main": False}]
        return {"RouteTableId": f"rtb-{zone[-1]}", "VpcId": "vpc-1", "Associations": held, "Routes": [out]}

    def gateway(self, zone: str) -> dict[str, Any]:
        """Return the NAT gateway of a zone."""
        fields = {"SubnetId": f"subnet-{zone[-1]}", "VpcId": "vpc-1", "State": "available"}
        return {"NatGatewayId": f"nat-{zone[-1]}", "ConnectivityType": "public", **fields}

    def tags(self, balancer: str) -> list[dict[str, str]]:
        """Return the tags of a balancer."""
        return [{"Key": "Name", "Value": balancer.split("/")[2]}]

    def target(self, number: int) -> dict[str, Any]:
        """Return a healthy target."""
        return {"Target": {"Id": f"i-{number:017x}", "Port": 80}, "TargetHealth": {"State": "healthy"}}

    def listener(self, balancer: str) -> dict[str, Any]:
        """Return the one listener of a balancer."""
        group = arn("targetgroup", balancer.split("/")[2])
        return {
            "ListenerArn": balancer.replace(":loadbalancer/", ":listener/") + "/1",
            "LoadBalancerArn": balancer,
            "Port": 80,
            "Protocol": "HTTP",
            "DefaultActions": [{"Type": "forward", "TargetGroupArn": group}],
        }

    def page(self, service: str, rows: list[Any], asked: dict[str, list[str]]) -> dict[str, Any]:
        """Return one page of rows and the token of the next, as the service names it."""
        token = (asked.get("NextToken") or asked.get("Marker") or asked.get("PaginationToken") or ["0"])[0]
        start, size = int(token), PAGE[service]
        wanted = asked.get("MaxResults") or asked.get("PageSize") or asked.get("MaxRecords") or [str(size)]
        size = min(size, int(wanted[0]))
        more = start + size < len(rows)
        key = {"elbv2": "NextMarker", "tagging": "PaginationToken"}.get(service, "NextToken")
        return {"rows": rows[start : start + size], "next": {key: str(start + size)} if more else {}}


# Serialising by botocore's shapes --------------------------------------------------------------------------

_SESSION = botocore.session.Session()
_MODELS: dict[str, Any] = {}


def model(service: str) -> Any:
    """Return botocore's model of a service."""
    service = {"tagging": "resourcegroupstaggingapi"}.get(service, service)
    if service not in _MODELS:
        _MODELS[service] = _SESSION.get_service_model(service)
    return _MODELS[service]


def xml(shape: Any, value: Any, name: str) -> str:
    """Return a value as the query and EC2 protocols have it."""
    if shape.type_name == "structure":
        inner = "".join(
            xml(member, value[key], member.serialization.get("name", key))
            for key, member in shape.members.items()
            if key in value
        )
        return f"<{name}>{inner}</{name}>"
    if shape.type_name == "list":
        item = shape.member.serialization.get("name", "member")
        inner = "".join(xml(shape.member, one, item) for one in value)
        return inner if shape.serialization.get("flattened") else f"<{name}>{inner}</{name}>"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"<{name}>{escape(text)}</{name}>"


def serialised(service: str, operation: str, answer: dict[str, Any]) -> tuple[str, str]:
    """Return the body and its type."""
    described = model(service)
    protocol = described.metadata["protocol"]
    if protocol in ("json", "rest-json", "smithy-rpc-v2-cbor"):
        return "application/json", json.dumps(answer)
    shape = described.operation_model(operation).output_shape
    wrapper = shape.serialization.get("resultWrapper") if shape is not None else None
    inner = xml(shape, answer, wrapper or "R") if shape is not None else ""
    if protocol == "ec2":
        inner = inner.removeprefix("<R>").removesuffix("</R>") + "<requestId>1</requestId>"
    elif protocol == "query":
        inner += "<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>"
    else:
        return "application/xml", inner or "<R/>"
    return "text/xml", f"<{operation}Response>{inner}</{operation}Response>"


def in_lists(body: bytes) -> dict[str, list[str]]:
    """Return the plain arguments of a call in JSON, as a form has them: each in a list."""
    return {key: [str(one)] for key, one in json.loads(body or b"{}").items() if one}


SIGNING = {"elasticloadbalancing": "elbv2", "monitoring": "cloudwatch"}


class Handler(BaseHTTPRequestHandler):
    """Answers one call and counts it."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # One packet an answer: two would wait 40 ms for each other (Nagle, delayed ACK).
    disable_nagle_algorithm = True
    fleet: Fleet
    counts: ClassVar[Counter[str]] = Counter()
    cache: ClassVar[dict[str, tuple[str, bytes]]] = {}
    lock = threading.Lock()

    def log_message(self, *_: Any) -> None:
        """Keep no log."""

    def do_GET(self) -> None:
        """Answer counts, or a REST call."""
        if self.path == "/_counts":
            self.reply("application/json", json.dumps(self.counts).encode())
        elif self.path == "/_reset":
            self.counts.clear()
            self.reply("text/plain", b"ok")
        else:
            self.answer(b"")

    do_HEAD = do_PUT = do_DELETE = do_GET  # noqa: N815 (http.server's names)

    def do_POST(self) -> None:
        """Answer a call."""
        self.answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def answer(self, body: bytes) -> None:
        """Find out which call it is, and answer it."""
        scope = self.headers.get("Authorization", "").partition("Credential=")[2].split("/")
        signed = scope[3] if len(scope) > 3 else ""
        service = SIGNING.get(signed, signed)
        target = self.headers.get("X-Amz-Target", "")
        asked = parse_qs(body.decode(errors="replace")) if not target else in_lists(body)
        operation = target.rpartition(".")[2] or asked.get("Action", [""])[0]
        if service == "elbv2" and asked.get("Version", [""])[0] == "2012-06-01":
            service = "elb"
        with self.lock:
            self.counts[f"{service}:{operation or self.command + ' ' + self.path.split('?')[0]}"] += 1
        if not operation:
            kind = "application/json" if service not in ("route53", "s3", "cloudfront") else "application/xml"
            return self.reply(kind, b"{}" if kind.endswith("json") else b"<R/>")
        key = f"{service}:{operation}:{body.decode(errors='replace')}"
        if key not in self.cache:
            kind, text = serialised(service, operation, self.fleet.answer(service, operation, asked))
            self.cache[key] = kind, text.encode()
        return self.reply(*self.cache[key])

    def reply(self, kind: str, body: bytes) -> None:
        """Send an answer."""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """Serves without waiting for a sleepy handshake, and with room for a pool of clients."""

    request_queue_size = 256
    daemon_threads = True


def main() -> None:
    """Serve until ended."""
    size, port = int(sys.argv[1]), int(sys.argv[2])
    Handler.fleet = Fleet(size)
    server = Server(("127.0.0.1", port), Handler)
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
