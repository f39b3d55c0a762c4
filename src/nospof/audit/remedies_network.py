"""Remedies for entries, networks, certificates and recovery: commands, and the estate as it would be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nospof.audit.builder import Service
from nospof.audit.parts.entry import records_of_name, targets_of
from nospof.audit.proposal import Proposal
from nospof.model.estate import Estate, Item, Record, item_of
from nospof.model.findings import Finding
from nospof.model.kinds import KINDS


def remedy_for(estate: Estate, service: Service, finding: Finding) -> Proposal | None:
    """Return what would mend a finding about entries, networks, certificates or recovery; None for others.

    Args:
        estate: what the service rests on.
        service: the service.
        finding: one of the service's.
    """
    found = REMEDIES.get(finding.rule)
    return found(estate, service, finding) if found else None


def only_live(estate: Estate, *commands: str) -> tuple[str, ...]:
    """Return commands for an account; a description has nothing yet that they could name."""
    return commands if estate.is_whole else ()


def items_in(service: Service, finding: Finding, *kinds: str) -> list[Item]:
    """Return the items of some kinds that stand for what a finding is about, in order of their nodes."""
    found = (service.item_of.get(member) for member in finding.members)
    return [one for one in found if one is not None and one.kind.name in kinds]


# Ways out -------------------------------------------------------------------------------------------------


def own_way_out(estate: Estate, service: Service, finding: Finding) -> Proposal | None:
    """Propose gateways that no single zone takes away."""
    if finding.order == 0:
        if closed := items_in(service, finding, "VPC endpoint"):
            names = " and ".join(one.label for one in closed)
            return Proposal(f"let the owner of the service accept the endpoint {names}, or make it anew")
        if stopped := items_in(service, finding, "instance"):
            command = f"aws ec2 start-instances --instance-ids {' '.join(one.id for one in stopped)}"
            return Proposal("start the NAT instance again", only_live(estate, command))
        return Proposal(
            "point the routes that lead nowhere to a gateway that exists",
            only_live(
                estate,
                "aws ec2 describe-route-tables --filters Name=route.state,Values=blackhole",
                "aws ec2 replace-route --route-table-id <id> --destination-cidr-block 0.0.0.0/0 "
                "--nat-gateway-id <a gateway that exists>",
            ),
        )
    gateways = [one for one in service.item_of.values() if one.kind.name == "NAT gateway"]
    gateways = [one for one in gateways if one.text("AvailabilityMode", "zonal") != "regional"]
    if not gateways:
        if any(service.topology.by_name[one].kind == "NAT instance" for one in service.item_of):
            return Proposal("replace the NAT instance with a NAT gateway of the regional mode")
        return more_legs(estate, service, finding)
    commands = []
    for item in gateways:
        commands.append(
            f"aws ec2 create-nat-gateway --availability-mode regional --vpc-id {item.text('VpcId')}"
        )
        commands += [
            f"aws ec2 replace-route --route-table-id {table.id} {destination(row)} "
            "--nat-gateway-id <the new one>"
            for table in estate.where("route table", "Routes.NatGatewayId", item.id)
            for row in table.rows("Routes")
            if row.text("NatGatewayId") == item.id
        ]

    def changes(old: Estate) -> Estate:
        for item in gateways:
            old = old.changed("NAT gateway", item.id, AvailabilityMode="regional")
        return old

    names = ", ".join(one.label for one in gateways)
    says = f"replace {names} with a NAT gateway of the regional mode, or with one in each zone"
    return Proposal(says, only_live(estate, *dict.fromkeys(commands)), changes)


def legs_of(estate: Estate, endpoint: Item) -> set[str]:
    """Return the events of the zones that an endpoint has legs in."""
    return {f"zone:{zone_of(estate, one)}" for one in endpoint.texts("SubnetIds")}


def destination(route: Record) -> str:
    """Return the option that names where a route leads."""
    if block := route.text("DestinationIpv6CidrBlock"):
        return f"--destination-ipv6-cidr-block {block}"
    if prefixes := route.text("DestinationPrefixListId"):
        return f"--destination-prefix-list-id {prefixes}"
    return f"--destination-cidr-block {route.text('DestinationCidrBlock') or '0.0.0.0/0'}"


def more_legs(estate: Estate, service: Service, finding: Finding) -> Proposal | None:
    """Propose a leg of an endpoint in another zone."""
    item = next(
        (
            one
            for one in service.item_of.values()
            if one.kind.name == "VPC endpoint"
            and (one.id == finding.event or legs_of(estate, one) == {finding.event})
        ),
        None,
    )
    if item is None:
        return None
    used = {zone_of(estate, one) for one in item.texts("SubnetIds")}
    free = [
        one
        for one in estate.of("subnet")
        if one.text("VpcId") == item.text("VpcId") and one.text("AvailabilityZone") not in used
    ]
    says = f"give the endpoint {item.label} a leg in another zone"
    if not free:
        return Proposal(says)
    command = f"aws ec2 modify-vpc-endpoint --vpc-endpoint-id {item.id} --add-subnet-ids {free[0].id}"
    subnets = [*item.texts("SubnetIds"), free[0].id]
    return Proposal(
        f"{says}, in {free[0].text('AvailabilityZone')}",
        only_live(estate, command),
        lambda old: old.changed("VPC endpoint", item.id, SubnetIds=subnets),
    )


def zone_of(estate: Estate, subnet: str) -> str:
    """Return the zone of a subnet."""
    item = estate.find("subnet", subnet)
    return item.text("AvailabilityZone") if item else ""


def second_appliance(_estate: Estate, _service: Service, _finding: Finding) -> Proposal:
    """Propose an appliance in each zone."""
    return Proposal(
        "give each zone an appliance and an endpoint of its own, and route each subnet to its own"
    )


def second_line(_estate: Estate, _service: Service, _finding: Finding) -> Proposal:
    """Propose a second line to the other site."""
    return Proposal("add a line that ends at another device, and with Direct Connect at another site")


# What ends on a day ---------------------------------------------------------------------------------------


def renewing_certificate(estate: Estate, service: Service, finding: Finding) -> Proposal | None:
    """Propose a certificate that renews itself."""
    items = items_in(service, finding, "certificate", "edge certificate", "server certificate")
    if not items:
        return None
    item = items[0]
    domain = item.text("DomainName") if item.kind.name != "server certificate" else item.label
    region = " --region us-east-1" if item.kind.name == "edge certificate" else ""
    command = f"aws acm request-certificate --domain-name {domain} --validation-method DNS{region}"
    says = f"request a certificate for {domain} that AWS renews, validated by DNS, and use it instead"
    commands = only_live(estate, command, *users_of(estate, item))
    if item.kind.name == "server certificate":
        return Proposal(says, commands, lambda old: old.without(item.kind.name, item.id))
    fresh: dict[str, Any] = {
        "Type": "AMAZON_ISSUED",
        "Status": "ISSUED",
        "NotAfter": None,
        "RenewalSummary": None,
        "DomainValidationOptions": [{"DomainName": domain, "ValidationMethod": "DNS"}],
    }
    return Proposal(says, commands, lambda old: old.changed(item.kind.name, item.id, **fresh))


def users_of(estate: Estate, item: Item) -> list[str]:
    """Return the commands that give the listeners of a certificate another one."""
    keys = list(item.keys)
    return [
        f"aws elbv2 modify-listener --listener-arn {one.id} --certificates CertificateArn=<the new one>"
        for one in estate.where("listener", "Certificates.CertificateArn", *keys)
    ]


def renewing_domain(estate: Estate, service: Service, finding: Finding) -> Proposal | None:
    """Propose that the registration renews itself."""
    for item in items_in(service, finding, "registered domain"):
        command = f"aws route53domains enable-domain-auto-renew --domain-name {item.id} --region us-east-1"
        return Proposal(
            f"let the registration of {item.id} renew itself",
            only_live(estate, command),
            changing("registered domain", item.id, AutoRenew=True),
        )
    return None


def changing(kind: str, key: str, **fields: Any) -> Callable[[Estate], Estate]:
    """Return the change of some fields of one item."""
    return lambda old: old.changed(kind, key, **fields)


# Names ----------------------------------------------------------------------------------------------------


def checked_records(estate: Estate, service: Service, finding: Finding) -> Proposal | None:
    """Propose a health check on every answer of a name, so that clients get the ones that are left."""
    stops = {*finding.stops, *finding.members}
    items = [
        item
        for node, item in service.item_of.items()
        if item.kind.name == "record set" and (node in stops or item.id == service.entry.id)
    ]
    for item in items:
        records = records_of_name(estate, item)
        values = targets_of(item)
        if len(records) == 1 and len(values) < 2:
            continue
        host = item.text("Name").rstrip(".")
        addresses = values if len(records) == 1 else [one for each in records for one in targets_of(each)]
        commands = [
            "aws route53 create-health-check --caller-reference <anything new> --health-check-config "
            f"Type=HTTP,{checked(one)},ResourcePath=/,RequestInterval=10,FailureThreshold=3"
            for one in addresses
        ]
        zone = item.text("HostedZoneId")
        commands.append(
            f"aws route53 change-resource-record-sets --hosted-zone-id {zone} --change-batch "
            "<one record for each address, with its check>"
        )
        return Proposal(
            f"check each answer of {host}, so that one that fails is left out",
            only_live(estate, *commands),
            lambda old, item=item: with_checks(old, item),  # type: ignore[misc]
        )
    return None


def checked(host: str) -> str:
    """Return what a health check asks: an address, or a name."""
    is_address = ":" in host or host.replace(".", "").isdigit()
    return f"{'IPAddress' if is_address else 'FullyQualifiedDomainName'}={host}"


def with_checks(estate: Estate, item: Item) -> Estate:
    """Return the estate with one checked record for each answer of a name."""
    records = records_of_name(estate, item)
    fresh: list[Item] = []
    for record in records:
        rows = record.rows("ResourceRecords")
        spread = [{"ResourceRecords": [dict(row.fields)]} for row in rows] or [{}]
        for number, part in enumerate(spread, 1):
            name = record.text("SetIdentifier") or ("" if number == 1 and len(records) == 1 else "answer")
            fields = {**record.fields, **part, "HealthCheckId": f"check-{record.id}-{number}"}
            if len(records) == 1:
                fields["MultiValueAnswer"] = True
            if number > 1 or not name:
                name = f"{name or 'answer'}-{number}" if number > 1 else name
            fields["SetIdentifier"] = name or None
            fresh.append(item_of(KINDS["record set"], fields, record.call, record.location))
    for record in records:
        estate = estate.without("record set", record.id)
    return estate.plus(*fresh)


def lasting_address(estate: Estate, _service: Service, finding: Finding) -> Proposal | None:
    """Propose an Elastic IP for a machine that clients reach by a passing address."""
    item = estate.find("instance", finding.members[0])
    if item is None:
        return None
    commands = (
        "aws ec2 allocate-address --domain vpc",
        f"aws ec2 associate-address --instance-id {item.id} --allocation-id <the new one>",
    )
    fields = {
        "AllocationId": f"nospof-{item.id}",
        "InstanceId": item.id,
        "PublicIp": item.text("PublicIpAddress"),
    }
    return Proposal(
        f"give {item.label} an Elastic IP, and let the name lead there",
        only_live(estate, *commands),
        lambda old: old.plus(item_of(KINDS["address"], fields)),
    )


# Recovery -------------------------------------------------------------------------------------------------


def usable_image(estate: Estate, service: Service, finding: Finding) -> Proposal | None:
    """Propose an image that exists."""
    if finding.order != 0 or all("secret " in one for one in finding.members):
        return None
    says = "let the launch template name an image that exists, and protect that from deregistration"
    images = [one for one in service.item_of.values() if one.kind.name == "image"]
    templates = [one for one in service.item_of.values() if one.kind.name == "launch template version"]
    commands = [
        f"aws ec2 create-launch-template-version --launch-template-id {one.text('LaunchTemplateId')} "
        "--source-version '$Default' --launch-template-data ImageId=<the new image>"
        for one in templates
    ]
    commands.append("aws ec2 enable-image-deregistration-protection --image-id <the new image>")

    def changes(old: Estate) -> Estate:
        for item in images:
            old = old.changed("image", item.id, State="available", ImageAllowed=True)
        return old

    return Proposal(says, only_live(estate, *commands), changes if images else None)


def unpinned_template(estate: Estate, _service: Service, finding: Finding) -> Proposal | None:
    """Propose a template version that leaves the place to the group."""
    item = estate.find("launch template version", finding.members[0])
    if item is None:
        return None
    data = dict(item.fields.get("LaunchTemplateData") or {})
    placement = {k: v for k, v in (data.get("Placement") or {}).items() if k != "AvailabilityZone"}
    rows = [{k: v for k, v in row.items() if k != "SubnetId"} for row in data.get("NetworkInterfaces") or ()]
    data |= {"Placement": placement, "NetworkInterfaces": rows}
    command = (
        f"aws ec2 create-launch-template-version --launch-template-id {item.text('LaunchTemplateId')} "
        f"--source-version {item.text('VersionNumber')} --launch-template-data <without zone and subnet>"
    )
    return Proposal(
        "leave the zone and the subnet to the group: a template version without them",
        only_live(estate, command),
        changing("launch template version", item.id, LaunchTemplateData=data),
    )


def group_change(
    says: str, arguments: str, *, verb: str = "update-auto-scaling-group", **fields: Any
) -> Callable[[Estate, Service, Finding], Proposal]:
    """Return a remedy that sets fields of an Auto Scaling group."""

    def remedy(estate: Estate, _service: Service, finding: Finding) -> Proposal:
        key = finding.members[0]
        command = f"aws autoscaling {verb} --auto-scaling-group-name {key}{arguments}"
        return Proposal(
            says.format(group=key),
            only_live(estate, command),
            changing("auto scaling group", key, **fields),
        )

    return remedy


def room(estate: Estate, _service: Service, finding: Finding) -> Proposal:
    """Propose more addresses."""
    command = f"aws ec2 describe-network-interfaces --filters Name=subnet-id,Values={finding.members[0]}"
    return Proposal("free addresses of the subnet, or use a larger one", only_live(estate, command))


def snapshot(estate: Estate, _service: Service, finding: Finding) -> Proposal | None:
    """Propose a snapshot now, and one every day."""
    item = estate.find("volume", finding.members[0])
    if item is None:
        return None
    machine = next((row.text("InstanceId") for row in item.rows("Attachments")), "")
    which = f"InstanceId={machine}" if machine else "InstanceId=<its machine>"
    fields = {
        "SnapshotId": f"nospof-{item.id}",
        "VolumeId": item.id,
        "State": "completed",
        "StartTime": estate.read_at,
    }
    return Proposal(
        f"take a snapshot of {item.id} now, and let AWS Backup take one every day",
        only_live(estate, f"aws ec2 create-snapshots --instance-specification {which}"),
        lambda old: old.plus(item_of(KINDS["snapshot"], fields)),
    )


REMEDIES: dict[str, Callable[[Estate, Service, Finding], Proposal | None]] = {
    "NSP108": second_appliance,
    "NSP109": second_line,
    "NSP302": snapshot,
    "NSP303": snapshot,
    "NSP404": group_change(
        "let {group} replace what its balancer finds dead",
        " --health-check-type ELB --health-check-grace-period 300",
        HealthCheckType="ELB",
    ),
    "NSP407": checked_records,
    "NSP501": usable_image,
    "NSP502": unpinned_template,
    "NSP503": own_way_out,
    "NSP504": lasting_address,
    "NSP506": room,
    "NSP508": group_change("let {group} heal again", "", verb="resume-processes", SuspendedProcesses=[]),
    "NSP601": own_way_out,
    "NSP602": more_legs,
    "NSP701": renewing_certificate,
    "NSP702": renewing_domain,
    "NSP801": group_change("let {group} never go below two members", " --min-size 2", MinSize=2),
}
