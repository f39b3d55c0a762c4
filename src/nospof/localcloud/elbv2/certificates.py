"""The certificates of HTTPS listeners: moto's Certificate Manager keeps them, a listener names them."""

from __future__ import annotations

from typing import Any

from moto.acm.exceptions import CertificateNotFound
from moto.acm.models import AWS_ROOT_CA, acm_backends
from moto.elbv2.exceptions import ELBClientError, ValidationError
from moto.elbv2.ssl_policies import SSL_POLICIES

ISSUED = "ISSUED"
DEFAULT_POLICY = "ELBSecurityPolicy-2016-08"


def pem_of(backend: Any, arn: str) -> str:
    """Return a certificate with its key and chain as one text.

    Raises:
        ValueError: there is no such certificate.
    """
    try:
        bundle = acm_backends[backend.account_id][backend.region_name].get_certificate(arn)
    except CertificateNotFound as error:
        raise ValueError(f"the certificate {arn} does not exist") from error
    # moto adds its own root to every chain, whoever signed the certificate.
    chain = bundle.chain.replace(AWS_ROOT_CA, b"").strip()
    return b"\n".join(part.strip() for part in (bundle.cert, bundle.key, chain) if part).decode() + "\n"


def tls_versions(policy: str) -> tuple[str, str]:
    """Return the oldest and the newest version of TLS of a security policy, in OpenSSL's words."""
    versions = sorted(SSL_POLICIES[policy]["ssl_protocols"])
    oldest, newest = ("TLSv1.0" if one == "TLSv1" else one for one in (versions[0], versions[-1]))
    return oldest, newest


def check(backend: Any, protocol: str, certificates: list[dict[str, str]], policy: str | None) -> None:
    """Refuse a listener whose certificate or policy AWS would refuse.

    Args:
        certificates: as the call gives them.
        policy: the security policy asked for, if any.
    """
    if protocol != "HTTPS":
        if certificates:
            raise ValidationError(f"A certificate cannot be specified for {protocol} listeners")
        return
    if len(certificates) != 1:
        raise ValidationError("A certificate must be specified for HTTPS listeners, and only one")
    if policy is not None and policy not in SSL_POLICIES:
        raise ELBClientError("SSLPolicyNotFound", f"SSL policy '{policy}' not found")
    arn = certificates[0].get("CertificateArn", "")
    try:
        bundle = acm_backends[backend.account_id][backend.region_name].get_certificate(arn)
    except CertificateNotFound as error:
        raise ELBClientError("CertificateNotFound", f"Certificate '{arn}' not found") from error
    if bundle.status != ISSUED:
        raise ELBClientError(
            "UnsupportedCertificate",
            f"The certificate '{arn}' must have a fully-qualified domain name, a supported signature, and a "
            "supported key size.",
        )
