"""Listeners of Elastic Load Balancing, and the certificates they end TLS with."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from nospof.adapters.aws.connection import Connection
from nospof.errors import CloudError
from nospof.model.certificates import KEY_TYPES, SECURITY_POLICY, Certificate
from nospof.model.cloud import Listener

if TYPE_CHECKING:
    from mypy_boto3_elbv2.type_defs import ListenerTypeDef


class Listeners(Connection):
    """The part of the port that speaks of listeners and certificates."""

    @cached_property
    def acm(self) -> Any:
        """The client for Certificate Manager."""
        return self._client("acm", "acm:*")

    def certificates(self) -> tuple[Certificate, ...]:
        """See the port."""
        with self.reading("acm:ListCertificates"):
            pages = self.acm.get_paginator("list_certificates").paginate(Includes={"keyTypes": [*KEY_TYPES]})
            found = [one for page in pages for one in page["CertificateSummaryList"]]
        made = [as_certificate(one, self._names_of(one)) for one in found]
        return tuple(sorted(made, key=lambda one: one.arn))

    def _names_of(self, one: Any) -> list[str]:
        """Return a certificate's names: the list has the first hundred, and not every endpoint tells them."""
        listed = one.get("SubjectAlternativeNameSummaries")
        if listed and not one.get("HasAdditionalSubjectAlternativeNames"):
            return list(listed)
        arn = one["CertificateArn"]
        with self.reading("acm:DescribeCertificate", arn):
            told = self.acm.describe_certificate(CertificateArn=arn)["Certificate"]
        return list(told.get("SubjectAlternativeNames", ()))

    def listeners(self, balancer_arn: str) -> tuple[Listener, ...]:
        """See the port."""

        def ask() -> list[Listener]:
            with self.reading("elasticloadbalancing:DescribeListeners", balancer_arn):
                pages = self.elbv2.get_paginator("describe_listeners").paginate(LoadBalancerArn=balancer_arn)
                return [as_listener(one) for page in pages for one in page["Listeners"]]

        return tuple(sorted(self.patiently((balancer_arn,), ask), key=lambda listener: listener.port))

    def create_listener(
        self, balancer_arn: str, port: int, target_group_arn: str, certificate_arn: str = ""
    ) -> Listener:
        """See the port."""
        forward: Any = {"Type": "forward", "TargetGroupArn": target_group_arn}
        tls: dict[str, Any] = {
            "Certificates": [{"CertificateArn": certificate_arn}],
            "SslPolicy": SECURITY_POLICY,
        }
        return self._create(
            balancer_arn,
            port,
            (target_group_arn,),
            Protocol="HTTPS" if certificate_arn else "HTTP",
            DefaultActions=[forward],
            **(tls if certificate_arn else {}),
        )

    def create_redirect(self, balancer_arn: str, port: int, to_port: int) -> Listener:
        """See the port."""
        to: Any = {"Protocol": "HTTPS", "Port": str(to_port), "StatusCode": "HTTP_301"}
        actions: Any = [{"Type": "redirect", "RedirectConfig": to}]
        return self._create(balancer_arn, port, (), Protocol="HTTP", DefaultActions=actions)

    def _create(self, balancer_arn: str, port: int, uses: tuple[str, ...], **parameters: Any) -> Listener:
        def ask() -> Listener:
            with self.writing("elasticloadbalancing:CreateListener", balancer_arn):
                answer = self.elbv2.create_listener(LoadBalancerArn=balancer_arn, Port=port, **parameters)
            return as_listener(answer["Listeners"][0])

        look: Callable[[], Listener | None] = lambda: next(  # noqa: E731 - one expression, asked twice
            (one for one in self.listeners(balancer_arn) if one.port == port), None
        )
        found = look()
        if found is not None:
            return found
        try:
            return self.patiently((balancer_arn, *uses), ask)
        except CloudError as error:
            if error.code != "DuplicateListener":
                raise
            return self.until_found(look, error)


def as_certificate(one: Any, listed: list[str]) -> Certificate:
    """Return what Certificate Manager lists as ours; the common name is one of the names."""
    names = dict.fromkeys([one.get("DomainName", ""), *listed])
    ends = one.get("NotAfter")
    return Certificate(
        arn=one["CertificateArn"],
        names=tuple(name.lower() for name in names if name),
        status=one.get("Status", ""),
        key_type=one.get("KeyAlgorithm", ""),
        expires_at=ends.timestamp() if ends else 0.0,
        type=one.get("Type", ""),
    )


def as_listener(one: ListenerTypeDef) -> Listener:
    """Return boto3's listener as ours: what its default action forwards or redirects to."""
    forwards: list[tuple[str, int]] = []
    redirects_to = ""
    for action in one.get("DefaultActions", []):
        groups = action.get("ForwardConfig", {}).get("TargetGroups", [])
        if groups:
            forwards += [(group["TargetGroupArn"], group.get("Weight", 1)) for group in groups]
        elif "TargetGroupArn" in action:
            forwards.append((action["TargetGroupArn"], 1))
        elif to := action.get("RedirectConfig"):
            redirects_to = f"{to.get('Protocol', '').lower()}:{to.get('Port', '')}"
    return Listener(
        arn=one["ListenerArn"],
        balancer_arn=one["LoadBalancerArn"],
        port=one.get("Port", 0),
        protocol=one.get("Protocol", ""),
        forwards_to=tuple(forwards),
        redirects_to=redirects_to,
    )
