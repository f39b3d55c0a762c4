"""What must be known before an instance is turned off: one small rule for each way it went wrong for others.

A rule looks at facts and returns a concern or nothing. Nothing is written before all of them were heard:
what is refused, what needs somebody's consent, what should be known, and what could not be checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from nospof.errors import PreconditionFailed
from nospof.model.auto_scaling import AutoScalingGroup
from nospof.model.cloud import Instance, Target
from nospof.planning.auto_scaling import auto_scaling
from nospof.planning.concerns import CONSENTS, Concern, Rule, SourceFacts, some
from nospof.planning.dead_man import starter
from nospof.planning.twin_rules import (
    hibernation,
    identity,
    interfaces,
    jobs,
    marketplace,
    node_ids,
    tenancy,
    user_data,
)

OWNERS = {
    "aws:cloudformation:stack-name": "the CloudFormation stack",
    "elasticbeanstalk:environment-name": "the Elastic Beanstalk environment",
    "eks:cluster-name": "the EKS cluster",
    "aws:ecs:clusterName": "the ECS cluster",
}
USABLE_KEY = "Enabled"


def state(facts: SourceFacts) -> Concern | None:
    """Only what runs or is off can be turned off and on (C09)."""
    source = facts.source
    if source.state in ("running", "stopped"):
        return None
    later = ". Wait until it runs" if source.state == "pending" else ""
    return Concern(
        "refused", f"{source.id} is {source.state}; only a running or a stopped instance can be cloned{later}"
    )


def company(facts: SourceFacts) -> Concern | None:
    """While a run has one member out, nobody takes the other: that would be both."""
    names = [one.id for one in facts.worked_on]
    if not names or facts.source.state != "running":
        return None
    return Concern(
        "refused",
        f"a run works on {some(names)} now, and {facts.source.id} serves meanwhile. Wait for it, or see "
        "nospof runs list",
    )


def spot(facts: SourceFacts) -> Concern | None:
    """A one-time Spot instance cannot be stopped, and a persistent one may not come back (C02)."""
    source, request = facts.source, facts.around.spot_request
    if source.lifecycle != "spot":
        return None
    named = f" (request {request})" if request else ""
    return Concern(
        "refused",
        f"{source.id} is a Spot instance{named}: a one-time request cannot be stopped, and a stopped one "
        "may not come back. Run the service on an On-Demand instance first",
    )


def root_kind(facts: SourceFacts) -> Concern | None:
    """An instance-store root is lost by a stop, and no image can be taken of it (C04)."""
    source = facts.source
    if source.root_device_type == "ebs":
        return None
    return Concern(
        "refused",
        f"the root disk of {source.id} is {source.root_device_type}: it cannot be stopped, and its "
        "disk is lost when it goes. Rebuild it on an EBS root first",
    )


def root_name(facts: SourceFacts) -> Concern | None:
    """The root disk is found by its own name, never by a usual one (C05)."""
    source = facts.source
    devices = [one.device for one in source.attachments]
    if source.root_device_type != "ebs" or not source.attachments or source.root_device in devices:
        return None
    return Concern(
        "refused",
        f"the root disk of {source.id} should be {source.root_device or '(not named)'}, and its disks are "
        f"{', '.join(devices)}: which one it boots from is not known. Look at it with: aws ec2 "
        f"describe-instances --instance-ids {source.id}",
    )


def stop_protection(facts: SourceFacts) -> Concern | None:
    """Somebody has said that it must not be stopped (C08)."""
    source = facts.source
    if not facts.is_stop_protected or source.state != "running":
        return None
    return Concern(
        "consent",
        f"{source.id} is protected against being stopped (disableApiStop)",
        f"Clear that with: aws ec2 modify-instance-attribute --instance-id {source.id} --no-disable-api-stop",
        "--override-stop-protection",
    )


def local_disks(facts: SourceFacts) -> Concern | None:
    """A stop wipes instance-store disks, and no image contains them (C06)."""
    source = facts.source
    if not facts.has_local_disks or source.state != "running":
        return None
    return Concern(
        "consent",
        f"{source.id} is a {source.type}, which comes with local disks (instance store): a stop "
        "wipes them, and no image contains them",
        "Move what is needed from them to an EBS volume first",
        "--local-disks-are-scratch",
    )


def boot(facts: SourceFacts) -> Concern | None:
    """A machine that survives a reboot may not survive a stop and a start (C07)."""
    traps = facts.inside.boot_traps
    if not traps or facts.source.state != "running":
        return None
    return Concern(
        "consent",
        f"{facts.source.id} may not boot again: {some(traps)}",
        "Mend /etc/fstab first (nofail, UUID=)",
        "--it-boots-again",
    )


def keys(facts: SourceFacts) -> Concern | None:
    """A volume whose key cannot be used keeps the instance from starting (C15)."""
    broken = [one for one in facts.around.keys if one.state != USABLE_KEY]
    if not broken:
        return None
    told = "; ".join(f"{one.arn} of {', '.join(one.volume_ids)} is {one.state}" for one in broken)
    return Concern(
        "refused", f"{facts.source.id} would not come back: its disks' key {told}. Enable it first"
    )


def key_grants(facts: SourceFacts) -> Concern | None:
    """Whoever starts it needs kms:CreateGrant on a key of your own, and no rehearsal tells (C14)."""
    own = [one.arn for one in facts.around.keys if one.manager == "CUSTOMER"]
    if not own or facts.source.state != "running":
        return None
    return Concern(
        "not checked",
        f"whether you may kms:CreateGrant on {', '.join(own)}; without it {facts.source.id} falls back to "
        "stopped when it is started",
    )


def address(facts: SourceFacts) -> Concern | None:
    """A public address that is no Elastic IP is gone with the stop, and soon somebody else's (C26)."""
    source, around = facts.source, facts.around
    if source.state != "running" or not source.public_ip or source.public_ip in around.elastic_addresses:
        return None
    known = some([one.name for one in around.records])
    names = f"; {known} in Route 53 point at it" if known else ""
    return Concern(
        "consent",
        f"the public address {source.public_ip} of {source.id} is released by the stop and another one is "
        f"given{names}; names at other DNS providers cannot be seen",
        "Give it an Elastic IP first",
        "--allow-address-change",
    )


def own_machine(facts: SourceFacts) -> Concern | None:
    """Whoever stops the machine he runs on, or his own journal, cannot start it again (C28)."""
    source, nospof = facts.source, facts.nospof
    if nospof.instance_id == source.id:
        return Concern(
            "refused", f"nospof itself is on {source.id}: it would turn itself off. Run it elsewhere"
        )
    if {source.private_ip, source.public_ip} & set(nospof.journal_addresses) - {""}:
        return Concern(
            "refused",
            f"nospof's own database is on {source.id}: without it nobody could go on. Set "
            "NOSPOF_DATABASE_URL to another one",
        )
    return None


def quota(facts: SourceFacts) -> Concern | None:
    """A quota without room for the twin is known before the stop (C35)."""
    around = facts.around
    if around.vcpu_quota is None or not around.vcpus:
        return None
    if around.vcpus_used + around.vcpus <= around.vcpu_quota:
        return None
    return Concern(
        "refused",
        f"the twin needs {around.vcpus} vCPUs, {around.vcpus_used} of {around.vcpu_quota:g} are in use: it "
        "could not be launched. Ask for more: aws service-quotas request-service-quota-increase "
        f"--service-code ec2 --quota-code {around.quota_code} --desired-value "
        f"{around.vcpus_used + around.vcpus}",
    )


def capacity(facts: SourceFacts) -> Concern | None:
    """A stop gives the capacity back (C11)."""
    if facts.source.state != "running":
        return None
    return Concern(
        "warning", "a stopped instance gives its capacity back; a start may have to wait for new capacity"
    )


def owner(facts: SourceFacts) -> Concern | None:
    """What a stack or a cluster made, it will not know a copy of (C24)."""
    tags = facts.source.tags
    owned = [f"{says} {tags[key]}" for key, says in OWNERS.items() if key in tags]
    owned += [
        f"the cluster {key.rpartition('/')[2]}" for key in tags if key.startswith("kubernetes.io/cluster/")
    ]
    if not owned:
        return None
    return Concern("warning", f"{facts.source.id} belongs to {' and '.join(owned)}; the twin will not")


RULES: tuple[Rule, ...] = (
    state,
    company,
    own_machine,
    auto_scaling,
    spot,
    root_kind,
    root_name,
    keys,
    quota,
    stop_protection,
    local_disks,
    boot,
    address,
    jobs,
    key_grants,
    marketplace,
    tenancy,
    hibernation,
    interfaces,
    user_data,
    identity,
    node_ids,
    capacity,
    owner,
    starter,
)
STOP_RULES: tuple[Rule, ...] = (state, company, auto_scaling, spot, root_kind, stop_protection)
"""What is looked at once more right before a stop: it may have changed since the plan was made."""
OFF_RULES = (
    company,
    own_machine,
    auto_scaling,
    spot,
    stop_protection,
    local_disks,
    boot,
    address,
    key_grants,
    capacity,
    starter,
)
"""What is of no matter where the instance is never off."""
LIVE_RULES: tuple[Rule, ...] = tuple(rule for rule in RULES if rule not in OFF_RULES)
"""What is looked at before a copy is made of an instance that is left running."""
TAKE_RULES: tuple[Rule, ...] = (*STOP_RULES, own_machine, keys, local_disks, boot, key_grants, starter)
"""What is looked at before a member is turned off and on again where it is."""


def heed(facts: SourceFacts, request: Any, rules: Sequence[Rule] = RULES) -> tuple[str, ...]:
    """Hear every rule and return what the operator should know, a sentence each.

    Raises:
        PreconditionFailed: what is refused, and what needs a consent that the request does not give; all
            of it at once.
    """
    heard = [concern for rule in rules if (concern := rule(facts))]
    given = {option for field, option in CONSENTS.items() if getattr(request, field, False)}
    offered = {option for field, option in CONSENTS.items() if hasattr(request, field)}
    against = [
        (one if one.consent in offered else replace(one, consent="")).refusal
        for one in heard
        if one.level == "refused" or (one.level == "consent" and one.consent not in given)
    ]
    if against:
        listed = against[0] if len(against) == 1 else "".join(f"\n  - {one}" for one in against) + "\n"
        raise PreconditionFailed(f"{listed.lstrip()}{'. ' if len(against) == 1 else ''}Nothing was changed.")
    said = [
        f"{one.says} (accepted with {one.consent})" if one.level == "consent" else one.says
        for one in heard
        if one.level in ("consent", "warning")
    ]
    unread = [one.says for one in heard if one.level == "not checked"]
    unread += [*facts.around.unread, *facts.inside.unread]
    return tuple(said + [f"not checked: {one}" for one in dict.fromkeys(unread)])


def refuse_what_must_not_stop(
    source: Instance,
    scaling: AutoScalingGroup | None,
    *,
    is_stop_protected: bool,
    seats: tuple[Target, ...] = (),
    worked_on: tuple[Instance, ...] = (),
    consents: Any = None,
) -> None:
    """Refuse an instance that would not survive being stopped; looked at again right before the stop.

    Args:
        consents: the request that may accept what needs a consent; None for none.

    Raises:
        PreconditionFailed: it must not be stopped.
    """
    facts = SourceFacts(
        source=source,
        auto_scaling_group=scaling.name if scaling else "",
        is_stop_protected=is_stop_protected,
        has_local_disks=False,
        worked_on=worked_on,
        scaling=scaling,
        seats=seats,
    )
    heed(facts, consents, STOP_RULES)
