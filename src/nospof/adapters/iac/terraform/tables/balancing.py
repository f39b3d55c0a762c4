"""How Terraform's load balancers say what the estate asks of them."""

from __future__ import annotations

from nospof.adapters.iac.terraform.cells import (
    Fields,
    Translation,
    always,
    at,
    chosen,
    each,
    first_of,
    given,
    inside,
    link,
    links_to,
    listed,
    rows,
)

_WEIGHTED = rows(
    "target_group",
    {"TargetGroupArn": link("arn", "target group", is_needed=True), "Weight": at("weight", 1)},
)
ACTION: Fields = {
    "Type": at("type"),
    "TargetGroupArn": link("target_group_arn", "target group", is_needed=True),
    "ForwardConfig.TargetGroups": inside("forward", _WEIGHTED),
    "AuthenticateOidcConfig.Issuer": inside("authenticate_oidc", at("issuer")),
    "FixedResponseConfig.StatusCode": inside("fixed_response", at("status_code")),
    "RedirectConfig.StatusCode": inside("redirect", at("status_code")),
}

_MAPPED = rows(
    "subnet_mapping",
    {
        "SubnetId": link("subnet_id", "subnet", is_needed=True),
        "AllocationId": link("allocation_id", "address"),
    },
)

_SCHEME = chosen("internal", {True: "internal", False: "internet-facing"}, False)

LOAD_BALANCER = Translation(
    "load balancer",
    "arn",
    {
        "LoadBalancerName": at("name"),
        "DNSName": at("dns_name"),
        "Type": at("load_balancer_type", "application"),
        "Scheme": _SCHEME,
        "VpcId": link("vpc_id", "VPC"),
        "IpAddressType": at("ip_address_type"),
        "AvailabilityZones": first_of(
            _MAPPED, each(links_to("subnets", "subnet", is_needed=True), "SubnetId")
        ),
        "SecurityGroups": links_to("security_groups", "security group"),
    },
    others=("id", "name", "dns_name"),
)
CROSS_ZONE = Translation(
    "load balancer attribute",
    "",
    {
        "LoadBalancerArn": link("arn", "load balancer"),
        "Key": always("load_balancing.cross_zone.enabled"),
        "Value": at("enable_cross_zone_load_balancing", False),
    },
)

LISTENER = Translation(
    "listener",
    "arn",
    {
        "LoadBalancerArn": link("load_balancer_arn", "load balancer", is_needed=True),
        "Port": at("port"),
        "Protocol": given("protocol"),
        "Certificates": each(
            links_to("certificate_arn", "certificate", "server certificate"), "CertificateArn"
        ),
        "MutualAuthentication.TrustStoreArn": inside("mutual_authentication", given("trust_store_arn")),
        "DefaultActions": rows("default_action", ACTION),
    },
    others=("id",),
)

RULE = Translation(
    "listener rule",
    "arn",
    {
        "ListenerArn": link("listener_arn", "listener", is_needed=True),
        "Priority": given("priority"),
        "IsDefault": always(False),
        "Actions": rows("action", ACTION),
    },
    others=("id",),
)

_CHECK: Fields = {
    "HealthCheckEnabled": inside("health_check", at("enabled", True), True),
    "HealthCheckProtocol": inside("health_check", at("protocol", "HTTP")),
    "HealthCheckPath": inside("health_check", given("path")),
    "HealthCheckPort": inside("health_check", at("port", "traffic-port")),
    "HealthCheckIntervalSeconds": inside("health_check", at("interval", 30)),
    "HealthCheckTimeoutSeconds": inside("health_check", given("timeout")),
    "HealthyThresholdCount": inside("health_check", at("healthy_threshold", 3)),
    "UnhealthyThresholdCount": inside("health_check", at("unhealthy_threshold", 3)),
    "Matcher.HttpCode": inside("health_check", given("matcher")),
}

TARGET_GROUP = Translation(
    "target group",
    "arn",
    {
        "TargetGroupName": at("name"),
        "TargetType": at("target_type", "instance"),
        "Protocol": at("protocol"),
        "Port": at("port"),
        "VpcId": link("vpc_id", "VPC"),
        **_CHECK,
    },
    others=("id", "name", "arn_suffix"),
)

TARGET = Translation(
    "target",
    "",
    {
        "TargetGroupArn": link("target_group_arn", "target group", is_needed=True),
        "Target.Id": link("target_id", "instance", "load balancer", "function", is_needed=True),
        "Target.Port": given("port"),
        "Target.AvailabilityZone": given("availability_zone"),
        # A description promises that what it registers serves.
        "TargetHealth.State": always("healthy"),
    },
)

CLASSIC = Translation(
    "classic load balancer",
    "name",
    {
        "DNSName": at("dns_name"),
        "AvailabilityZones": listed("availability_zones"),
        "Subnets": links_to("subnets", "subnet", is_needed=True),
        "Scheme": _SCHEME,
        "Instances": each(links_to("instances", "instance", is_needed=True), "InstanceId"),
        "HealthCheck.Target": inside("health_check", at("target")),
        "HealthCheck.Interval": inside("health_check", at("interval")),
        "HealthCheck.Timeout": inside("health_check", at("timeout")),
        "HealthCheck.UnhealthyThreshold": inside("health_check", at("unhealthy_threshold")),
        "ListenerDescriptions": rows(
            "listener",
            {
                "Listener.LoadBalancerPort": at("lb_port"),
                "Listener.Protocol": at("lb_protocol"),
                "Listener.SSLCertificateId": link("ssl_certificate_id", "certificate", "server certificate"),
            },
        ),
    },
    others=("id", "arn", "dns_name"),
)

BALANCING = {
    **dict.fromkeys(("aws_lb", "aws_alb"), (LOAD_BALANCER, CROSS_ZONE)),
    **dict.fromkeys(("aws_lb_listener", "aws_alb_listener"), (LISTENER,)),
    **dict.fromkeys(("aws_lb_listener_rule", "aws_alb_listener_rule"), (RULE,)),
    **dict.fromkeys(("aws_lb_target_group", "aws_alb_target_group"), (TARGET_GROUP,)),
    **dict.fromkeys(("aws_lb_target_group_attachment", "aws_alb_target_group_attachment"), (TARGET,)),
    "aws_elb": (CLASSIC,),
}
