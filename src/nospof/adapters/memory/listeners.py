"""Listeners of the in-memory cloud's load balancers, and the certificates they end TLS with."""

from __future__ import annotations

from dataclasses import replace

from nospof.adapters.memory.account import refused, serves
from nospof.adapters.memory.balancing import Balancing
from nospof.model.certificates import Certificate
from nospof.model.cloud import Listener


class Listeners(Balancing):
    """Which port of a balancer does what."""

    def _set_up(self, zone_count: int) -> None:
        super()._set_up(zone_count)
        self._certificates: dict[str, Certificate] = {}

    def put_certificate(self, certificate: Certificate) -> None:
        """Have a certificate, without a call of the port."""
        self._certificates[certificate.arn] = certificate

    @serves("acm:ListCertificates")
    def certificates(self) -> tuple[Certificate, ...]:
        """See the port."""
        return tuple(self._certificates[arn] for arn in sorted(self._certificates))

    @serves("elasticloadbalancing:DescribeListeners")
    def listeners(self, balancer_arn: str) -> tuple[Listener, ...]:
        """See the port."""
        self._balancer(balancer_arn, "elasticloadbalancing:DescribeListeners")
        found = [listener for listener in self._listeners.values() if listener.balancer_arn == balancer_arn]
        return tuple(sorted(found, key=lambda listener: listener.port))

    @serves("elasticloadbalancing:CreateListener", writes=True)
    def create_listener(
        self, balancer_arn: str, port: int, target_group_arn: str, certificate_arn: str = ""
    ) -> Listener:
        """See the port."""
        operation = "elasticloadbalancing:CreateListener"
        self._balancer(balancer_arn, operation)
        group = self._group(target_group_arn, operation)
        found = self._listener_on(balancer_arn, port)
        if found is not None:
            return found
        if group.balancer_arns not in ((), (balancer_arn,)):
            says = f"{group.name} already belongs to another load balancer"
            raise refused(operation, "TargetGroupAssociationLimit", says)
        if certificate_arn:
            certificate = self.find(self._certificates, certificate_arn, operation, "CertificateNotFound")
            if certificate.status != "ISSUED":
                raise refused(operation, "UnsupportedCertificate", f"{certificate_arn} is not issued")
        protocol = "HTTPS" if certificate_arn else "HTTP"
        made = self._listen(balancer_arn, port, protocol, ((target_group_arn, 1),))
        self._target_groups[group.arn] = replace(group, balancer_arns=(balancer_arn,))
        self._joined_at.setdefault(group.arn, self.now())
        return made

    @serves("elasticloadbalancing:CreateListener", writes=True)
    def create_redirect(self, balancer_arn: str, port: int, to_port: int) -> Listener:
        """See the port."""
        self._balancer(balancer_arn, "elasticloadbalancing:CreateListener")
        found = self._listener_on(balancer_arn, port)
        return found or self._listen(balancer_arn, port, "HTTP", redirects_to=f"https:{to_port}")

    def _listener_on(self, balancer_arn: str, port: int) -> Listener | None:
        there = (one for one in self._listeners.values() if one.balancer_arn == balancer_arn)
        return next((one for one in there if one.port == port), None)

    def _listen(
        self,
        balancer_arn: str,
        port: int,
        protocol: str,
        forwards_to: tuple[tuple[str, int], ...] = (),
        redirects_to: str = "",
    ) -> Listener:
        arn = self._arn("listener/app", self._balancers[balancer_arn].name)
        made = Listener(arn, balancer_arn, port, protocol, forwards_to, redirects_to)
        self._listeners[arn] = made
        return made

    def listener_at(self, dns_name: str, port: int) -> Listener | None:
        """Return what listens there; None where nothing does.

        Raises:
            LookupError: the name does not resolve.
        """
        for balancer in self._balancers.values():
            if balancer.dns_name == dns_name and balancer.state == "active":
                return self._listener_on(balancer.arn, port)
        raise LookupError(dns_name)
