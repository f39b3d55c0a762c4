"""Certificates that sign themselves, for listeners that speak TLS."""

from __future__ import annotations

import datetime
import ssl
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from nospof.adapters.memory import MemoryCloud
from nospof.model.certificates import Certificate


def self_signed(*names: str, days: float = 90) -> tuple[bytes, bytes]:
    """Return a certificate for some names and its key, both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM), pem


def trusting(certificate: bytes) -> ssl.SSLContext:
    """Return what a client needs to trust a certificate, whatever address it is shown at."""
    context = ssl.create_default_context(cadata=certificate.decode())
    context.check_hostname = False
    return context


def import_certificate(acm: Any, *names: str, days: float = 90) -> tuple[str, bytes]:
    """Import a new certificate; return its ARN and itself."""
    certificate, key = self_signed(*names, days=days)
    answer = acm.import_certificate(Certificate=certificate, PrivateKey=key)
    return str(answer["CertificateArn"]), certificate


def memory_certificate(cloud: MemoryCloud, *names: str, days: float = 365, **about: Any) -> Certificate:
    """Have an issued certificate in the in-memory cloud; return it."""
    number = cloud.number("certificate")
    made = Certificate(
        f"arn:aws:acm:{cloud.region}:{cloud.account_id}:certificate/0000-{number:012}",
        names,
        **{
            "status": "ISSUED",
            "key_type": "EC_prime256v1",
            "expires_at": cloud.now() + days * 86_400,
            "type": "AMAZON_ISSUED",
            **about,
        },
    )
    cloud.put_certificate(made)
    return made
