"""A pair behind TLS as a person makes it: the certificate found, real clients sent to HTTPS, the way back."""

from __future__ import annotations

from pathlib import Path

import pytest

from nospof.model.permissions import policy
from support import backends
from support.certificates import import_certificate, trusting
from support.iam_keys import new_key
from support.site import PAIR, Site

pytestmark = pytest.mark.local_cloud

NAME = "shop.example.org"
TLS = ("--certificate", "auto", "--name", NAME, "--https-port", "8443")


def key_for(site: Site, procedure: str) -> dict[str, str]:
    """Return the variables of somebody who may do just what a procedure needs."""
    key = new_key(site.cloud, *policy(procedure)["Statement"])
    return {name.upper(): value for name, value in key.items()}


def test_a_pair_ends_tls_at_its_balancer_and_an_undo_takes_that_away(site: Site, tmp_path: Path) -> None:
    source = site.launch("secured")
    without = site.nospof("pair", source, *PAIR, *TLS)
    assert without.returncode == 3, without.stderr
    assert f"aws acm request-certificate --domain-name {NAME}" in without.stderr

    arn, certificate = import_certificate(site.cloud.client("acm"), NAME, "*.example.net")
    import_certificate(site.cloud.client("acm"), "other.example.org")
    plan = site.nospof("pair", source, *PAIR, *TLS, "--plan")
    assert arn in plan.stdout
    issuer = tmp_path / "issuer.pem"
    issuer.write_bytes(certificate)
    trusted = {"SSL_CERT_FILE": str(issuer), **key_for(site, "pair")}
    made = site.nospof("pair", source, *PAIR, *TLS, "--format", "json", **trusted)
    assert made.returncode == 0, made.stderr

    elb = site.cloud.client("elbv2")
    balancers = elb.describe_load_balancers(Names=["nospof-secured"])["LoadBalancers"]
    address, balancer_arn = balancers[0]["DNSName"], balancers[0]["LoadBalancerArn"]
    status, _, headers = backends.get(f"http://{address}:8080/style.css?v=2", host=NAME)
    assert (status, headers["location"]) == (301, f"https://{NAME}:8443/style.css?v=2")
    trust = trusting(certificate)
    served = [backends.get(f"https://{address}:8443/health", host=NAME, trust=trust)[0] for _ in range(4)]
    assert served == [200] * 4
    (listener,) = [
        one
        for one in elb.describe_listeners(LoadBalancerArn=balancer_arn)["Listeners"]
        if one["Protocol"] == "HTTPS"
    ]
    assert listener["Certificates"] == [{"CertificateArn": arn}]

    run_id = site.the_run()["id"]
    undone = site.nospof("runs", "undo", run_id, "--yes", "--clients-are-back", **key_for(site, "undo"))
    assert undone.returncode == 0, undone.stderr
    names = [one["LoadBalancerName"] for one in elb.describe_load_balancers()["LoadBalancers"]]
    assert "nospof-secured" not in names
