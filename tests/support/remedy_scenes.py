"""Estates in which something is wrong, at least one for each command that the audit may print."""

from __future__ import annotations

from typing import Any

from nospof.model.estate import Estate, Item, Use
from support.estates import A, B, account, balancer, group, instance, item, scaling, target

SOON = "2026-12-10T00:00:00+00:00"
READ_AT = 1_796_000_000.0
MACHINES = (instance("i-1", A), instance("i-2", B))
FRONT = (balancer(), group(), target("i-1"), target("i-2"), *MACHINES)
SUBNETS = tuple(
    item("subnet", SubnetId=f"subnet-{one[-1]}", AvailabilityZone=one, VpcId="vpc-1") for one in (A, B)
)


def scene(*items: Item, used: tuple[str, str] | None = None, **about: Any) -> Estate:
    """Return an account; both machines use one store, where it is named."""
    uses = tuple(Use(who, *used) for who in ("i-1", "i-2")) if used else ()
    return account(*items, uses=uses, read_at=READ_AT, **about)


def store(kind: str, key: str, *more: Item, **fields: Any) -> Estate:
    """Return a pair of machines with one store."""
    return scene(*FRONT, *SUBNETS, item(kind, **fields), *more, used=(kind, key))


def inside(name: str, zone: str, **fields: Any) -> Item:
    """Return a machine in a network."""
    return instance(name, zone, SubnetId=f"subnet-{zone[-1]}", VpcId="vpc-1", **fields)


def members(*rows: tuple[str, str, str]) -> list[dict[str, str]]:
    """Return the nodes of a cache."""
    return [
        {"CacheClusterId": name, "PreferredAvailabilityZone": zone, "CurrentRole": role}
        for name, zone, role in rows
    ]


def addressed(name: str, zone: str, public: str) -> tuple[Item, Item]:
    """Return a machine that keeps something on its disk, with a public address."""
    disk = item(
        "volume",
        VolumeId=f"vol-{name}",
        AvailabilityZone=zone,
        State="in-use",
        Attachments=[{"InstanceId": name}],
    )
    return instance(name, zone, PublicIpAddress=public, Tags=[]), disk


def record(*values: str, **fields: Any) -> Item:
    """Return a record of a public zone."""
    base = {"HostedZoneId": "/hostedzone/Z1", "Name": "www.example.org.", "Type": "A"}
    return item("record set", **base, ResourceRecords=[{"Value": one} for one in values], **fields)


def groups() -> dict[str, Estate]:
    """Return Auto Scaling groups with each setting that keeps them from healing."""
    one, two = {"i-1": A}, {"i-1": A, "i-2": B}
    front = (balancer(), group(), target("i-1"), instance("i-1", A))
    template = {"LaunchTemplate": {"LaunchTemplateId": "lt-1", "Version": "$Latest"}}
    about = item("launch template", LaunchTemplateId="lt-1", LatestVersionNumber=2, DefaultVersionNumber=1)

    def version(**data: Any) -> Item:
        data = {"ImageId": "ami-1", **data}
        fields = {"LaunchTemplateId": "lt-1", "VersionNumber": 2, "LaunchTemplateData": data}
        return item("launch template version", **fields)

    gone = item("image", ImageId="ami-1", State="deregistered")
    pinned = version(Placement={"AvailabilityZone": "eu-west-1c"})
    return {
        "a group of one": scene(*front, *SUBNETS, scaling("web", one, MaxSize=1)),
        "a group of one in subnets": scene(
            *front, *SUBNETS, scaling("web", one, VPCZoneIdentifier="subnet-a", MaxSize=4)
        ),
        "a group that EC2 alone asks for health": scene(*FRONT, scaling("web", two, HealthCheckType="EC2")),
        "a group that does not heal": scene(
            *FRONT, scaling("web", two, SuspendedProcesses=[{"ProcessName": "Launch"}])
        ),
        "a group that may go down to one": scene(*FRONT, scaling("web", two, MinSize=1)),
        "an image that is gone": scene(*FRONT, scaling("web", two, **template), about, version(), gone),
        "a template that pins a zone": scene(*FRONT, scaling("web", two, **template), about, pinned),
        "a subnet without room": scene(
            *FRONT,
            item("subnet", SubnetId="subnet-a", AvailabilityZone=A, AvailableIpAddressCount=0),
            scaling("web", two, VPCZoneIdentifier="subnet-a"),
        ),
    }


def classic(**fields: Any) -> Item:
    """Return a classic balancer with one machine."""
    base = {"LoadBalancerName": "old", "DNSName": "old", "Instances": [{"InstanceId": "i-1"}]}
    return item("classic load balancer", **base, **fields)


def machines() -> dict[str, Estate]:
    """Return what can be wrong with machines and what stands before them."""
    event = {"Code": "system-reboot", "NotBefore": SOON, "InstanceEventId": "e-1", "Description": "reboot"}
    announced = [item("instance status", InstanceId=one, Events=[event]) for one in ("i-1", "i-2")]
    placed = {"Placement": {"AvailabilityZone": A, "GroupName": "spread"}}
    only_a = {"AvailabilityZones": [{"ZoneName": A, "SubnetId": "subnet-a"}]}
    alone, disk = addressed("i-1", A, "1.1.1.1")
    task = {"serviceArn": "arn:s", "serviceName": "web", "clusterArn": "arn:c", "desiredCount": 1}
    running = {"taskArn": "t-1", "group": "service:web", "clusterArn": "arn:c", "lastStatus": "RUNNING"}
    details = [{"details": [{"name": "privateIPv4Address", "value": "10.0.0.7"}]}]
    return {
        "a machine alone": scene(alone, disk),
        "a machine alone with an old snapshot": scene(
            alone,
            disk,
            item("snapshot", SnapshotId="s", VolumeId="vol-i-1", StartTime="2020-01-01T00:00:00Z"),
        ),
        "one target": scene(balancer(), group(), target("i-1"), instance("i-1", A)),
        "two targets in a zone": scene(
            balancer(zones=(A,), **only_a),
            group(),
            target("i-1"),
            target("i-2"),
            instance("i-1", A),
            instance("i-2", A),
            *SUBNETS,
        ),
        "a target in a zone that is off": scene(
            balancer(zones=(A,), **only_a), group(), target("i-1"), target("i-2"), *MACHINES, *SUBNETS
        ),
        "a stopped machine": scene(
            balancer(), group(), target("i-1", state="unused"), instance("i-1", A, State={"Name": "stopped"})
        ),
        "a stopped spare": scene(
            balancer(),
            group(),
            target("i-1"),
            target("i-2", state="unused"),
            instance("i-1", A),
            instance("i-2", B, State={"Name": "stopped"}),
        ),
        "a slow check": scene(
            balancer(),
            group(HealthCheckIntervalSeconds=300, UnhealthyThresholdCount=10),
            target("i-1"),
            target("i-2"),
            *MACHINES,
        ),
        "a check that takes a redirect": scene(
            balancer(), group(Matcher={"HttpCode": "200-399"}), target("i-1"), target("i-2"), *MACHINES
        ),
        "maintenance of both": scene(*FRONT, *announced),
        "maintenance of the only one": scene(
            balancer(), group(), target("i-1"), instance("i-1", A), announced[0]
        ),
        "an unread placement group": scene(
            balancer(),
            group(),
            target("i-1"),
            target("i-2"),
            instance("i-1", A, **placed),
            instance("i-2", A, **placed),
        ),
        "a classic balancer with one": scene(
            classic(AvailabilityZones=[A, B]),
            instance("i-1", A),
        ),
        "a classic balancer in a zone": scene(classic(AvailabilityZones=[A]), instance("i-1", A)),
        "a classic balancer in a subnet": scene(
            classic(AvailabilityZones=[A], Subnets=["subnet-a"]), instance("i-1", A), *SUBNETS
        ),
        "an impaired spare": scene(
            *FRONT, item("instance status", InstanceId="i-2", SystemStatus={"Status": "impaired"})
        ),
        "one task": scene(
            balancer(),
            group(TargetType="ip"),
            target("10.0.0.7"),
            item("container service", **task),
            item("task", **running, availabilityZone=A, attachments=details),
        ),
        "a function in one zone": scene(
            balancer(),
            group(TargetType="lambda"),
            target("arn:f"),
            *SUBNETS,
            item("function", FunctionName="f", FunctionArn="arn:f", VpcConfig={"SubnetIds": ["subnet-a"]}),
        ),
    }


def grounds() -> dict[str, Estate]:
    """Return what can be wrong with what stands under machines."""
    placed = {"Placement": {"AvailabilityZone": A, "HostId": "h-1"}}
    spot = {"InstanceLifecycle": "spot", "InstanceType": "m5.large"}
    host = item("dedicated host", HostId="h-1", State="available", HostRecovery="off")
    below = [item("rack position", InstanceId=one, NetworkNodes=["nn-1"]) for one in ("i-1", "i-2")]
    both = ("i-1", "i-2")
    front = FRONT[:4]
    web = scaling("web", {"i-1": A, "i-2": B}, LaunchTemplate={"LaunchTemplateId": "lt-1"})
    template = item("launch template", LaunchTemplateId="lt-1", DefaultVersionNumber=1)
    named = {"CapacityReservationTarget": {"CapacityReservationId": "cr-1"}}
    version = item(
        "launch template version",
        LaunchTemplateId="lt-1",
        VersionNumber=1,
        LaunchTemplateData={"CapacityReservationSpecification": named},
    )
    ending = item(
        "capacity reservation",
        CapacityReservationId="cr-1",
        EndDateType="limited",
        EndDate="2027-03-01T00:00Z",
    )
    return {
        "one host": scene(*front, *(instance(one, A, **placed) for one in both), host),
        "a machine that stays off": scene(
            *FRONT[:5], instance("i-2", B, MaintenanceOptions={"AutoRecovery": "disabled"})
        ),
        "a machine with local disks": scene(
            *FRONT[:5],
            instance("i-2", B, InstanceType="i3.large", Tags=[]),
            item("instance type", InstanceType="i3.large", InstanceStorageSupported=True),
        ),
        "one spot pool": scene(*front, *(instance(one, A, **spot) for one in both)),
        "a reservation that ends": scene(*FRONT, web, template, version, ending),
        "one network node": scene(*front, *(instance(one, A) for one in both), *below),
    }


def stores() -> dict[str, Estate]:
    """Return what can be wrong with stores."""
    base = {"DBInstanceIdentifier": "orders", "AvailabilityZone": A, "DBInstanceStatus": "available"}
    rows = [{"DBInstanceIdentifier": "m1"}]
    member = item("database", DBInstanceIdentifier="m1", AvailabilityZone=A, DBClusterIdentifier="c")
    keyed = {**base, "MultiAZ": True, "SecondaryAvailabilityZone": B, "KmsKeyId": "k"}
    ending = item("key", KeyId="k", KeyState="PendingDeletion", DeletionDate=SOON)
    node = {"NodeGroupId": "1", "NodeGroupMembers": members(("s-1", A, "primary"))}
    two = {"NodeGroupId": "1", "NodeGroupMembers": members(("s-1", A, "primary"), ("s-2", B, "replica"))}
    way = item("mount target", MountTargetId="mt-1", FileSystemId="fs-1", AvailabilityZoneName=A)
    domain = {"InstanceCount": 1, "InstanceType": "m6g.large.search"}
    return {
        "a database alone": store("database", "orders", **base, MultiAZ=False),
        "a database without backups": store(
            "database", "orders", **base, MultiAZ=True, BackupRetentionPeriod=0, DeletionProtection=False
        ),
        "a cluster of one": store(
            "database cluster",
            "c",
            member,
            DBClusterIdentifier="c",
            Engine="aurora-mysql",
            DBClusterMembers=rows,
            DeletionProtection=False,
        ),
        "a database whose key ends": store("database", "orders", ending, **keyed),
        "a database whose key is off": store(
            "database", "orders", item("key", KeyId="k", KeyState="Disabled"), **keyed
        ),
        "a warehouse alone": store(
            "warehouse",
            "w",
            ClusterIdentifier="w",
            AvailabilityZone=A,
            MultiAZ="disabled",
            AutomatedSnapshotRetentionPeriod=0,
        ),
        "a cache alone": store(
            "cache", "s", ReplicationGroupId="s", AutomaticFailover="disabled", NodeGroups=[node]
        ),
        "a cache whose replica does not take over": store(
            "cache", "s", ReplicationGroupId="s", AutomaticFailover="disabled", NodeGroups=[two]
        ),
        "files with one way": store("file system", "fs-1", way, FileSystemId="fs-1"),
        "files that are fast on credit": store(
            "file system",
            "fs-1",
            way,
            item("mount target", MountTargetId="mt-2", FileSystemId="fs-1", AvailabilityZoneName=B),
            FileSystemId="fs-1",
            ThroughputMode="bursting",
            SizeInBytes={"Value": 2**30},
        ),
        "a broker alone": store(
            "broker",
            "b-1",
            BrokerId="b-1",
            DeploymentMode="SINGLE_INSTANCE",
            EngineType="RabbitMQ",
            SubnetIds=["subnet-a"],
        ),
        "a search node alone": store("search domain", "s", DomainName="s", ClusterConfig=domain),
        "Windows files in one zone": store(
            "FSx file system",
            "fs-2",
            FileSystemId="fs-2",
            SubnetIds=["subnet-a"],
            WindowsConfiguration={"DeploymentType": "SINGLE_AZ_2"},
        ),
    }


def failing_over(**primary: Any) -> list[Item]:
    """Return the two records of a name that should turn to its second when its first fails."""
    return [
        record("1.1.1.1", SetIdentifier="1", Failover="PRIMARY", **primary),
        record("2.2.2.2", SetIdentifier="2", Failover="SECONDARY"),
    ]


def networks() -> dict[str, Estate]:
    """Return what can be wrong with ways out, names and certificates."""
    front = (balancer(), group(), target("i-1"), target("i-2"), inside("i-1", A), inside("i-2", B), *SUBNETS)
    gateway = item("NAT gateway", NatGatewayId="nat-1", SubnetId="subnet-a", VpcId="vpc-1", State="available")

    def table(**route: Any) -> Item:
        return item(
            "route table",
            RouteTableId="rtb-1",
            VpcId="vpc-1",
            Associations=[{"Main": True}],
            Routes=[{"DestinationCidrBlock": "0.0.0.0/0", **route}],
        )

    leg = item(
        "VPC endpoint",
        VpcEndpointId="vpce-1",
        VpcEndpointType="Interface",
        VpcId="vpc-1",
        ServiceName="com.amazonaws.eu-west-1.secretsmanager",
        PrivateDnsEnabled=True,
        State="available",
        SubnetIds=["subnet-a"],
    )
    ended = {"CertificateArn": "arn:cert", "DomainName": "www.example.org", "Status": "ISSUED"}
    secure = item(
        "listener",
        ListenerArn="arn:l",
        LoadBalancerArn="arn:www",
        Certificates=[{"CertificateArn": "arn:cert"}],
        DefaultActions=[{"Type": "forward", "TargetGroupArn": "arn:group:www"}],
    )
    hosts = (instance("i-1", A, PublicIpAddress="1.1.1.1"), instance("i-2", B, PublicIpAddress="2.2.2.2"))
    alias = item(
        "record set",
        HostedZoneId="/hostedzone/Z1",
        Name="www.example.org.",
        Type="A",
        AliasTarget={"DNSName": "www.elb.amazonaws.com.", "EvaluateTargetHealth": False},
    )
    named = (balancer(DNSName="www.elb.amazonaws.com"), *front[1:])
    disabled = item("health check", Id="c", HealthCheckConfig={"Type": "HTTP", "Disabled": True})
    equal = [record(value, SetIdentifier=value, Weight=1) for value in ("1.1.1.1", "2.2.2.2")]
    return {
        "one gateway": scene(*front, gateway, table(NatGatewayId="nat-1")),
        "a route that leads nowhere": scene(*front, table(NatGatewayId="nat-9", State="blackhole")),
        "one line": scene(
            *front,
            item(
                "VPN connection",
                VpnConnectionId="vpn-1",
                State="available",
                CustomerGatewayId="cgw-1",
                VpnGatewayId="vgw-1",
            ),
            table(GatewayId="vgw-1"),
        ),
        "an endpoint with one leg": scene(*front, leg),
        "a certificate that ends": scene(
            *front, secure, item("certificate", **ended, Type="IMPORTED", NotAfter=SOON)
        ),
        "a domain that ends": scene(
            *named,
            alias,
            item("registered domain", DomainName="example.org", Expiry=SOON, AutoRenew=False),
        ),
        "two answers without checks": scene(record("1.1.1.1", "2.2.2.2"), *hosts),
        "equal weights without checks": scene(*equal, *hosts),
        "a primary without a check": scene(*failing_over(), *hosts),
        "a primary with a disabled check": scene(*failing_over(HealthCheckId="c"), disabled, *hosts),
    }


def secrets() -> dict[str, Estate]:
    """Return what can be wrong with what tasks ask for when they start."""
    arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x"
    asks = [{"name": "web", "secrets": [{"valueFrom": arn}]}]
    definition = item("task definition", taskDefinitionArn="td", containerDefinitions=asks)
    running = {"group": "service:web", "lastStatus": "RUNNING"}
    tasks = [item("task", taskArn=f"t-{zone}", availabilityZone=zone, **running) for zone in (A, B)]
    service = {"serviceArn": "arn:s", "serviceName": "web", "desiredCount": 2, "taskDefinition": "td"}
    deleted = item("secret", ARN=arn, Name="x", DeletedDate=SOON)
    return {"a secret that ends": store("container service", "arn:s", *tasks, definition, deleted, **service)}


SCENES: dict[str, Estate] = {
    **machines(),
    **grounds(),
    **groups(),
    **stores(),
    **secrets(),
    **networks(),
}
