"""The ELBv2 calls that moto answers differently from AWS, and the patching of moto."""

from __future__ import annotations

import re
from typing import Any

import moto.elb.urls
from moto.core.responses import ActionResult, EmptyResult
from moto.elbv2 import models as moto_models
from moto.elbv2 import responses as moto_responses
from moto.elbv2.exceptions import (
    DuplicateListenerError,
    ELBClientError,
    InvalidConfigurationRequest,
    LoadBalancerNotFoundError,
    TargetGroupNotFoundError,
    TargetNotRunning,
    ValidationError,
)

from nospof.localcloud.balancer import Balancer, Listener, check_structure, why_it_cannot_listen
from nospof.localcloud.elbv2 import balancing, certificates, translation
from nospof.localcloud.elbv2.models import FakeLoadBalancer, FakeTargetGroup

_PROTOCOLS = ("HTTP", "HTTPS", "TCP")
_NAME = re.compile(r"(?!.*--)(?!-)[A-Za-z0-9-]{1,32}(?<!-)")


class ELBV2Response(moto_responses.ELBV2Response):
    """moto's ELBv2 with AWS's refusals, and health from the balancers."""

    def create_load_balancer(self) -> ActionResult:
        """Refuse what AWS refuses; return the same balancer for the same request."""
        name = str(self._get_param("Name", ""))
        if not _NAME.fullmatch(name):
            raise ValidationError(f"The load balancer name '{name}' is not valid")
        zones = self._zones()
        kind = self._get_param("Type", "application")
        if len(zones) != len(set(zones)):
            raise InvalidConfigurationRequest(
                "A load balancer cannot be attached to multiple subnets in the same Availability Zone"
            )
        if kind == "application" and len(zones) == 1:
            raise ValidationError(
                "At least two subnets in two different Availability Zones must be specified"
            )
        for existing in self.elbv2_backend.load_balancers.values():
            if existing.name == name:
                if not self._is_same(existing, kind):
                    raise ELBClientError(
                        "DuplicateLoadBalancerName",
                        f"A load balancer with the same name '{name}' exists, but with different settings",
                    )
                return ActionResult({"LoadBalancers": [existing]})
        return super().create_load_balancer()

    def delete_load_balancer(self) -> ActionResult:
        """Delete a balancer unless it is protected."""
        balancer = self.elbv2_backend.load_balancers.get(self._get_param("LoadBalancerArn"))
        if balancer is not None and balancer.attrs.get("deletion_protection.enabled") == "true":
            raise ELBClientError(
                "OperationNotPermitted",
                f"Load balancer '{balancer.arn}' cannot be deleted because deletion protection is enabled",
            )
        return super().delete_load_balancer()

    def describe_load_balancers(self) -> ActionResult:
        """Name what is not found: moto returns another balancer when the first name was found."""
        balancers = self.elbv2_backend.load_balancers
        names = {balancer.name for balancer in balancers.values()}
        if set(self._get_param("LoadBalancerArns") or []) - set(balancers):
            raise LoadBalancerNotFoundError()
        if missing := sorted(set(self._get_param("Names") or []) - names):
            raise ELBClientError("LoadBalancerNotFound", f"Load balancers '[{', '.join(missing)}]' not found")
        return super().describe_load_balancers()

    def create_target_group(self) -> ActionResult:
        """Return the same target group for the same request; refuse another one of that name."""
        for existing in self.elbv2_backend.target_groups.values():
            if existing.name == self._get_param("Name") and self._is_same_group(existing):
                return ActionResult({"TargetGroups": [existing]})
        return super().create_target_group()

    def describe_target_groups(self) -> ActionResult:
        """Describe target groups with the balancers that use them now: moto never forgets one."""
        for group in self.elbv2_backend.target_groups.values():
            users = translation.users_of(self.elbv2_backend, group.arn)
            group.load_balancer_arns = [balancer.arn for balancer in users]
        return super().describe_target_groups()

    def modify_target_group(self) -> ActionResult:
        """Change a health check, the matcher included."""
        group = self.elbv2_backend.target_groups.get(self._get_param("TargetGroupArn"))
        result = super().modify_target_group()
        matcher = self._get_param("Matcher") or {}
        if group is not None and matcher.get("HttpCode"):
            group.matcher["HttpCode"] = matcher["HttpCode"]
        return result

    def create_listener(self) -> ActionResult:
        """Refuse a port that is taken, cannot be opened, or has a protocol no balancer here speaks."""
        arn = self._get_param("LoadBalancerArn")
        balancer = self.elbv2_backend.load_balancers.get(arn)
        if balancer is None:
            raise LoadBalancerNotFoundError()
        self._check_port(balancer, self._get_param("Port"), self._get_param("Protocol"), "")
        certificates.check(
            self.elbv2_backend,
            self._get_param("Protocol"),
            self._get_param("Certificates") or [],
            self._get_param("SslPolicy"),
        )
        self._check_rule(arn, [], self._get_param("DefaultActions") or [])
        return super().create_listener()

    def modify_listener(self) -> ActionResult:
        """Change a listener under the same conditions as for a new one."""
        arn = self._get_param("ListenerArn")
        (listener,) = self.elbv2_backend.describe_listeners(None, [arn])
        balancer = self.elbv2_backend.load_balancers[listener.load_balancer_arn]
        protocol = self._get_param("Protocol") or listener.protocol
        self._check_port(balancer, self._get_param("Port"), protocol, arn)
        given = self._get_param("Certificates") or []
        kept = [{"CertificateArn": one} for one in listener.certificates[:1] if protocol == "HTTPS"]
        certificates.check(self.elbv2_backend, protocol, given or kept, self._get_param("SslPolicy"))
        if actions := self._get_param("DefaultActions"):
            self._check_rule(balancer.arn, [], actions)
        return super().modify_listener()

    def create_rule(self) -> ActionResult:
        """Refuse a rule the balancer could not follow."""
        (listener,) = self.elbv2_backend.describe_listeners(None, [self._get_param("ListenerArn")])
        self._check_rule(
            listener.load_balancer_arn, self._get_param("Conditions") or [], self._get_param("Actions") or []
        )
        return super().create_rule()

    def modify_rule(self) -> ActionResult:
        """Refuse a change the balancer could not follow."""
        rules = self.elbv2_backend.describe_rules(None, [self._get_param("RuleArn")])
        (listener,) = self.elbv2_backend.describe_listeners(None, [rules[0].listener_arn])
        actions = self._get_param("Actions") or [action.data for action in rules[0].actions]
        self._check_rule(listener.load_balancer_arn, self._get_param("Conditions") or [], actions)
        return super().modify_rule()

    def modify_load_balancer_attributes(self) -> ActionResult:
        """Refuse a profile that does not exist."""
        for attribute in self._get_param("Attributes") or []:
            if attribute["Key"] == translation.PROFILE_KEY and attribute["Value"] not in ("alb", "retry"):
                raise ValidationError(f"The value of '{translation.PROFILE_KEY}' must be 'alb' or 'retry'")
        return super().modify_load_balancer_attributes()

    def describe_target_health(self) -> ActionResult:
        """Answer what the balancer itself says of each target."""
        group: Any = self.elbv2_backend.target_groups.get(self._get_param("TargetGroupArn"))
        if group is None:
            raise TargetGroupNotFoundError()
        known = balancing.current().healths(self.elbv2_backend, group)
        statuses = []
        for wish in self._get_param("Targets") or [{}]:
            found = [
                group.status(registration["Id"], int(registration["Port"]), health)
                for registration, health in known
                if wish.get("Id") in (None, registration["Id"])
                and wish.get("Port") in (None, int(registration["Port"]))
            ]
            if not found and wish:
                port = int(wish.get("Port") or group.port)
                found = [group.status(wish["Id"], port, balancing.NOT_REGISTERED)]
            statuses += found
        return ActionResult({"TargetHealthDescriptions": statuses})

    def register_targets(self) -> ActionResult:
        """Register targets; an instance must be running."""
        for target in self._get_param("Targets") or []:
            instance = self.elbv2_backend.ec2_backend.get_instance_by_id(target["Id"])
            if instance is not None and instance.state != "running":
                raise TargetNotRunning(instance_id=target["Id"])
        return super().register_targets()

    def deregister_targets(self) -> ActionResult:
        """Take targets out of service. One that is not registered is no error, as on AWS."""
        group = self.elbv2_backend.target_groups.get(self._get_param("TargetGroupArn"))
        if group is None:
            raise TargetGroupNotFoundError()
        group.deregister(self._get_param("Targets") or [])
        return EmptyResult()

    def _subnets(self) -> list[str]:
        mapped = [mapping["SubnetId"] for mapping in self._get_param("SubnetMappings") or []]
        return [*(self._get_param("Subnets") or []), *mapped]

    def _zones(self) -> list[str]:
        ec2 = self.elbv2_backend.ec2_backend
        return [ec2.get_subnet(subnet).availability_zone for subnet in self._subnets()]

    def _is_same(self, existing: Any, kind: str) -> bool:
        return (
            existing.type == kind
            and (existing.scheme or "internet-facing") == self._get_param("Scheme", "internet-facing")
            and {subnet.id for subnet in existing.subnets} == set(self._subnets())
            and set(existing.security_groups or []) == set(self._get_param("SecurityGroups") or [])
            and existing.ip_address_type == self._get_param("IpAddressType", "ipv4")
        )

    def _is_same_group(self, existing: Any) -> bool:
        given = {
            "protocol": self._get_param("Protocol"),
            "port": self._get_param("Port"),
            "vpc_id": self._get_param("VpcId"),
            "target_type": self._get_param("TargetType", "instance"),
            "health_check_protocol": self._get_param("HealthCheckProtocol"),
            "health_check_port": self._get_param("HealthCheckPort"),
            "health_check_path": self._get_param("HealthCheckPath"),
            "health_check_interval_seconds": self._get_param("HealthCheckIntervalSeconds"),
            "health_check_timeout_seconds": self._get_param("HealthCheckTimeoutSeconds"),
            "healthy_threshold_count": self._get_param("HealthyThresholdCount"),
            "unhealthy_threshold_count": self._get_param("UnhealthyThresholdCount"),
            "matcher": self._get_param("Matcher"),
        }
        return all(
            value is None or str(value) == str(getattr(existing, name, None)) for name, value in given.items()
        )

    def _check_port(self, balancer: Any, port: Any, protocol: Any, but_listener: str) -> None:
        """Refuse a port or protocol a listener cannot have."""
        if protocol is not None and protocol not in _PROTOCOLS:
            raise ELBClientError(
                "UnsupportedProtocol",
                f"Protocol {protocol} is not supported by the local cloud; use {' or '.join(_PROTOCOLS)}",
            )
        if port is None:
            return
        for listener in balancer.listeners.values():
            if int(listener.port) == int(port):
                if listener.arn == but_listener:
                    return
                raise DuplicateListenerError()
        if reason := why_it_cannot_listen(balancer.dns_name, int(port)):
            raise ValidationError(f"The listener port {port} cannot be opened on this computer: {reason}")

    def _check_rule(self, balancer_arn: str, conditions: list[Any], actions: list[Any]) -> None:
        """Refuse a rule the balancer could not follow, and a target group of another balancer."""
        try:
            rule = translation.rule_of(conditions, actions)
            check_structure(Balancer("127.0.0.1", (Listener(1, (rule,)),)))
        except (ValueError, KeyError) as error:
            raise ValidationError(str(error)) from error
        for action in actions:
            for group_arn, _ in translation.weights_of(action):
                for user in translation.users_of(self.elbv2_backend, group_arn):
                    if user.arn != balancer_arn:
                        raise ELBClientError(
                            "TargetGroupAssociationLimit",
                            "The following target groups cannot be associated with more than one load "
                            f"balancer: {group_arn}",
                        )


def install() -> None:
    """Put our classes in the place of moto's. Repeating it changes nothing."""
    moto_models.FakeTargetGroup = FakeTargetGroup  # type: ignore[misc]
    moto_models.FakeLoadBalancer = FakeLoadBalancer  # type: ignore[misc]
    # Classic and v2 share one address; the classic module decides which of the two answers.
    vars(moto.elb.urls)["ELBV2Response"] = ELBV2Response
