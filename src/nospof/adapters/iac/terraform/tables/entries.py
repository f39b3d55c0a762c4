"""How Terraform's records, edges, interfaces and certificates say what the estate asks of them."""

from __future__ import annotations

from nospof.adapters.iac.terraform.cells import (
    Fields,
    Translation,
    at,
    each,
    given,
    inside,
    link,
    links_to,
    listed,
    rows,
)
from nospof.model.estate import UNKNOWN

ZONE = Translation(
    "hosted zone",
    "zone_id",
    {
        "Name": at("name"),
        "Config.PrivateZone": lambda block, _links: (
            block.get("private_zone") is True
            or "vpc" in (block.expressions or {})
            or bool(block.blocks("vpc"))
        ),
    },
    others=("id", "arn"),
)
_ANSWERS = (
    "load balancer",
    "classic load balancer",
    "distribution",
    "accelerator",
    "address",
    "instance",
    "API domain",
    "bucket",
    "VPC endpoint",
    "database",
    "database cluster",
    "cache",
    "cache cluster",
    "network interface",
)
RECORD = Translation(
    "record set",
    "",
    {
        "HostedZoneId": link("zone_id", "hosted zone"),
        "Name": at("name"),
        "Type": at("type"),
        "SetIdentifier": given("set_identifier"),
        "TTL": given("ttl"),
        "Weight": inside("weighted_routing_policy", at("weight")),
        "Failover": inside("failover_routing_policy", at("type")),
        "Region": inside("latency_routing_policy", at("region")),
        "GeoLocation.ContinentCode": inside("geolocation_routing_policy", given("continent")),
        "GeoLocation.CountryCode": inside("geolocation_routing_policy", given("country")),
        "GeoLocation.SubdivisionCode": inside("geolocation_routing_policy", given("subdivision")),
        "GeoProximityLocation.Bias": inside("geoproximity_routing_policy", given("bias")),
        "CidrRoutingConfig.LocationName": inside("cidr_routing_policy", given("location_name")),
        "MultiValueAnswer": given("multivalue_answer_routing_policy"),
        "HealthCheckId": link("health_check_id", "health check"),
        "AliasTarget.DNSName": inside("alias", link("name", *_ANSWERS, is_needed=True)),
        "AliasTarget.EvaluateTargetHealth": inside("alias", at("evaluate_target_health", False)),
        "ResourceRecords": each(links_to("records", *_ANSWERS, is_needed=True), "Value"),
    },
)
HEALTH_CHECK = Translation(
    "health check",
    "id",
    {
        "HealthCheckConfig.Type": at("type"),
        "HealthCheckConfig.IPAddress": link("ip_address", "address", "instance"),
        "HealthCheckConfig.FullyQualifiedDomainName": link("fqdn", *_ANSWERS),
        "HealthCheckConfig.RequestInterval": at("request_interval", 30),
        "HealthCheckConfig.FailureThreshold": at("failure_threshold", 3),
        "HealthCheckConfig.Disabled": at("disabled", False),
        "HealthCheckConfig.Inverted": at("invert_healthcheck", False),
        "HealthCheckConfig.ChildHealthChecks": links_to("child_healthchecks", "health check"),
        "HealthCheckConfig.HealthThreshold": given("child_health_threshold"),
    },
    others=("arn",),
)
_BEHAVIOUR: Fields = {
    "PathPattern": given("path_pattern"),
    "TargetOriginId": at("target_origin_id"),
    "AllowedMethods.Items": listed("allowed_methods"),
}
DISTRIBUTION = Translation(
    "distribution",
    "id",
    {
        "DomainName": at("domain_name"),
        "Enabled": at("enabled", True),
        "Aliases.Items": listed("aliases"),
        "Origins.Items": rows(
            "origin",
            {"Id": at("origin_id"), "DomainName": link("domain_name", *_ANSWERS, is_needed=True)},
        ),
        "OriginGroups.Items": rows(
            "origin_group",
            {
                "Id": at("origin_id"),
                "Members.Items": rows("member", {"OriginId": at("origin_id")}),
                "FailoverCriteria.StatusCodes.Items": inside("failover_criteria", listed("status_codes")),
            },
        ),
        "DefaultCacheBehavior.TargetOriginId": inside("default_cache_behavior", at("target_origin_id")),
        "DefaultCacheBehavior.AllowedMethods.Items": inside(
            "default_cache_behavior", listed("allowed_methods")
        ),
        "CacheBehaviors.Items": rows("ordered_cache_behavior", _BEHAVIOUR),
        "ViewerCertificate.ACMCertificateArn": inside(
            "viewer_certificate", link("acm_certificate_arn", "certificate")
        ),
        "ViewerCertificate.IAMCertificateId": inside(
            "viewer_certificate", link("iam_certificate_id", "server certificate")
        ),
    },
    others=("arn", "domain_name"),
)
ACCELERATOR = Translation(
    "accelerator",
    "id",
    {"DnsName": at("dns_name"), "Enabled": at("enabled", True)},
    others=("arn", "dns_name", "dual_stack_dns_name"),
)
ACCELERATOR_LISTENER = Translation(
    "accelerator listener",
    "id",
    {
        "AcceleratorArn": link("accelerator_arn", "accelerator", is_needed=True),
        "Protocol": at("protocol"),
        "PortRanges": rows("port_range", {"FromPort": at("from_port"), "ToPort": at("to_port")}),
    },
    others=("arn",),
)
ENDPOINT_GROUP = Translation(
    "endpoint group",
    "id",
    {
        "ListenerArn": link("listener_arn", "accelerator listener", is_needed=True),
        "EndpointGroupRegion": given("endpoint_group_region"),
        "TrafficDialPercentage": at("traffic_dial_percentage", 100),
        "HealthCheckIntervalSeconds": at("health_check_interval_seconds", 30),
        "ThresholdCount": at("threshold_count", 3),
        "EndpointDescriptions": rows(
            "endpoint_configuration",
            {
                "EndpointId": link("endpoint_id", "load balancer", "instance", "address", is_needed=True),
                "Weight": at("weight", 128),
            },
        ),
    },
    others=("arn",),
)
CERTIFICATE = Translation(
    "certificate",
    "arn",
    {
        "DomainName": at("domain_name"),
        "Status": at("status"),
        "Type": lambda block, _links: (
            "AMAZON_ISSUED"
            if block.get("validation_method", "NONE") in ("DNS", "EMAIL")
            else "IMPORTED"
            if isinstance(block.get("certificate_body"), str)
            else UNKNOWN
        ),
        "NotAfter": at("not_after"),
        "DomainValidationOptions": each(listed("validation_method"), "ValidationMethod"),
    },
    others=("id",),
)
REST_API = Translation(
    "REST API",
    "id",
    {"endpointConfiguration.types": inside("endpoint_configuration", listed("types"))},
    others=("arn", "execution_arn"),
)
HTTP_API = Translation(
    "HTTP API",
    "id",
    {"ApiEndpoint": at("api_endpoint"), "ProtocolType": at("protocol_type")},
    others=("arn", "api_endpoint", "execution_arn"),
)
INTEGRATION = Translation(
    "HTTP API integration",
    "id",
    {
        "ApiId": link("api_id", "HTTP API", is_needed=True),
        "IntegrationType": at("integration_type"),
        "IntegrationUri": link("integration_uri", "function", "listener", "load balancer", is_needed=True),
        "ConnectionId": given("connection_id"),
    },
)
SERVER_CERTIFICATE = Translation(
    "server certificate", "id", {"Arn": at("arn"), "Expiration": at("expiration")}, ("arn",)
)

ENTRIES = {
    "aws_route53_zone": (ZONE,),
    "aws_route53_record": (RECORD,),
    "aws_route53_health_check": (HEALTH_CHECK,),
    "aws_cloudfront_distribution": (DISTRIBUTION,),
    "aws_globalaccelerator_accelerator": (ACCELERATOR,),
    "aws_globalaccelerator_listener": (ACCELERATOR_LISTENER,),
    "aws_globalaccelerator_endpoint_group": (ENDPOINT_GROUP,),
    "aws_api_gateway_rest_api": (REST_API,),
    "aws_apigatewayv2_api": (HTTP_API,),
    "aws_apigatewayv2_integration": (INTEGRATION,),
    "aws_acm_certificate": (CERTIFICATE,),
    "aws_iam_server_certificate": (SERVER_CERTIFICATE,),
}
