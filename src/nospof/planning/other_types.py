"""Which other types an instance may be started as, where its zone has no room for its own (C11).

Its owner's consent apart from --or-type: another type for a copy is nobody's loss, another type for the
instance that serves can be one (a licence, a size the application was tuned for). What is stopped and cannot
be started as before is off for good otherwise, so it is worth having.
"""

from __future__ import annotations

from collections.abc import Iterable

from nospof.errors import PreconditionFailed, UsageError
from nospof.model.cloud import Instance
from nospof.model.plans import PlannedCall
from nospof.model.requests import CloneRequest
from nospof.model.traits import TypeTraits


def other_types(request: CloneRequest, own: str) -> tuple[str, ...]:
    """Return the types of --or-type, best first, without the instance's own."""
    named = (kind.strip() for kind in request.or_types.split(","))
    return tuple(dict.fromkeys(kind for kind in named if kind and kind != own))


def start_types(request: CloneRequest, source: Instance) -> tuple[str, ...]:
    """Return the types the source may be started as, its own first; nothing where it keeps its own."""
    return (source.type, *other_types(request, source.type)) if request.or_type_for_source else ()


def refuse_what_cannot_start(source: Instance, request: CloneRequest, known: Iterable[TypeTraits]) -> None:
    """Refuse types that the disks of the source would not boot on.

    Args:
        known: what the source's own type and each other one is.

    Raises:
        UsageError: no other type is named.
        PreconditionFailed: one of another architecture, hypervisor or way to boot is named.
    """
    if not request.or_type_for_source:
        return
    if not other_types(request, source.type):
        raise UsageError("--or-type-for-source needs the other types: add --or-type TYPE")
    traits = {one.name: one for one in known}
    own = traits[source.type]
    against = [
        f"{one.name} {why}" for name, one in traits.items() if name != own.name and (why := unlike(own, one))
    ]
    if against:
        raise PreconditionFailed(
            f"{source.id} is a {own.name} and would not boot as another kind of machine: "
            f"{'; '.join(against)}. Name others with --or-type, or leave --or-type-for-source out. Nothing "
            "was changed."
        )


def unlike(own: TypeTraits, other: TypeTraits) -> str:
    """Return why disks that boot on one type may not boot on another; nothing where they will."""
    if not set(own.architectures) & set(other.architectures):
        return f"is {' or '.join(other.architectures)}, not {' or '.join(own.architectures)}"
    if own.hypervisor != other.hypervisor:
        return f"runs on {other.hypervisor or 'bare metal'}, not on {own.hypervisor or 'bare metal'}"
    if missing := sorted(set(own.boot_modes) - set(other.boot_modes)):
        return f"does not boot by {' or '.join(missing)}"
    return ""


def type_calls(source: Instance, types: tuple[str, ...]) -> tuple[PlannedCall, ...]:
    """Return the writes that have the source started as another type."""
    return tuple(
        PlannedCall(
            "ec2",
            "ModifyInstanceAttribute",
            {"InstanceId": source.id, "InstanceType": {"Value": kind}},
            f"where there is no room for {source.id} when it is started, make it a {kind}",
        )
        for kind in types[1:]
    )
