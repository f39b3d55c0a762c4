"""HTTPS listeners: real TLS at the balancer, and what AWS refuses about certificates."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from support.backends import LISTENER_PORT, get
from support.certificates import import_certificate, trusting
from support.elbv2_world import World, refusal
from support.local_cloud import client
from support.waiting import eventually

POLICY = "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"
SECURE_PORT = LISTENER_PORT + 1


@pytest.fixture(scope="module")
def acm(world: World) -> Any:
    return client(world.url, "acm")


def wish(balancer: dict[str, Any], arn: str, group: str, **changes: Any) -> dict[str, Any]:
    """Return the words of an HTTPS listener."""
    return {
        "LoadBalancerArn": balancer["LoadBalancerArn"],
        "Protocol": "HTTPS",
        "Port": SECURE_PORT,
        "SslPolicy": POLICY,
        "Certificates": [{"CertificateArn": arn}],
        "DefaultActions": [{"Type": "forward", "TargetGroupArn": group}],
    } | changes


def test_tls_ends_at_the_balancer_and_the_target_is_told_what_the_client_spoke(
    world: World, acm: Any
) -> None:
    one, _ = world.instance()
    balancer, group = world.balancer(), world.group()
    arn, certificate = import_certificate(acm, "shop.example.org")
    world.elbv2.create_listener(**wish(balancer, arn, group))
    world.register(group, one)
    world.until(group, one, "healthy", "")
    url = f"https://{balancer['DNSName']}:{SECURE_PORT}"
    status, seen, _ = get(f"{url}/headers", host="shop.example.org", trust=trusting(certificate))
    assert status == 200
    told = dict(line.lower().split(": ", 1) for line in seen.splitlines()[1:] if line)
    assert told["x-forwarded-proto"] == "https"
    assert told["x-forwarded-port"] == str(SECURE_PORT)
    assert told["x-forwarded-for"].startswith("127.")
    assert told["host"] == "shop.example.org"

    old = trusting(certificate)
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2
    assert get(f"{url}/", trust=old)[0] == 200
    (listener,) = world.elbv2.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    only_new = "ELBSecurityPolicy-TLS13-1-3-2021-06"
    world.elbv2.modify_listener(ListenerArn=listener["ListenerArn"], SslPolicy=only_new)
    eventually(lambda: refuses(f"{url}/", old))

    other_arn, other = import_certificate(acm, "shop.example.org")
    world.elbv2.modify_listener(
        ListenerArn=listener["ListenerArn"], Certificates=[{"CertificateArn": other_arn}]
    )
    eventually(lambda: not refuses(f"{url}/", trusting(other)))
    assert refuses(f"{url}/", trusting(certificate))


def refuses(url: str, trust: ssl.SSLContext) -> bool:
    """Whether client and balancer do not come together."""
    try:
        get(url, trust=trust)
    except OSError:
        return True
    return False


def test_an_http_listener_redirects_to_https_with_host_path_and_query(world: World, acm: Any) -> None:
    balancer, group = world.balancer(), world.group()
    arn, _ = import_certificate(acm, "shop.example.org")
    world.elbv2.create_listener(**wish(balancer, arn, group))
    redirect = {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
    world.elbv2.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=LISTENER_PORT,
        DefaultActions=[{"Type": "redirect", "RedirectConfig": redirect}],
    )
    url = f"http://{balancer['DNSName']}:{LISTENER_PORT}/cart?item=7"

    def location() -> str:
        try:
            status, _, headers = get(url, host="shop.example.org")
        except OSError:
            return ""
        assert status == 301
        return headers["location"]

    eventually(location)
    assert location() == "https://shop.example.org/cart?item=7"


def test_a_certificate_that_is_missing_unknown_or_not_issued_is_refused(world: World, acm: Any) -> None:
    balancer, group = world.balancer(), world.group()
    create = world.elbv2.create_listener
    arn, _ = import_certificate(acm, "shop.example.org")
    asked = acm.request_certificate(DomainName="shop.example.org", ValidationMethod="DNS")["CertificateArn"]
    unknown = arn[:-12] + "000000000000"
    assert refusal(create, **wish(balancer, arn, group, Certificates=[])) == "ValidationError"
    assert refusal(create, **wish(balancer, unknown, group)) == "CertificateNotFound"
    assert refusal(create, **wish(balancer, asked, group)) == "UnsupportedCertificate"
    assert refusal(create, **wish(balancer, arn, group, SslPolicy="TLS-1.4")) == "SSLPolicyNotFound"
    assert refusal(create, **wish(balancer, arn, group, Protocol="HTTP")) == "ValidationError"
