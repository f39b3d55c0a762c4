"""Certificates of Certificate Manager, and what a listener that ends TLS needs."""

from __future__ import annotations

from dataclasses import dataclass

SECURITY_POLICY = "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"
"""TLS 1.3 and 1.2: what AWS recommends and its console chooses. The API chooses an older one (Elastic
Load Balancing, "Security policies for your Application Load Balancer")."""

KEY_TYPES = (
    "RSA_1024",
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "EC_prime256v1",
    "EC_secp384r1",
    "EC_secp521r1",
)
"""Asked for by name: ListCertificates leaves all but the two oldest out otherwise."""


@dataclass(frozen=True)
class Certificate:
    """A certificate as Certificate Manager lists it.

    `status`, `key_type` and `type` are AWS's words: ISSUED, RSA_2048, AMAZON_ISSUED. `names` are those it
    covers, `*.` for one label; `expires_at` is seconds since the epoch, 0 for one that never began.
    """

    arn: str
    names: tuple[str, ...]
    status: str
    key_type: str
    expires_at: float
    type: str = ""
