"""What should be known of a copy before it is made: one small rule for each, as in `preflight`."""

from __future__ import annotations

from nospof.planning.concerns import Concern, SourceFacts, some


def marketplace(facts: SourceFacts) -> Concern | None:
    """A Marketplace product counts twice once there are two (C23)."""
    codes = facts.around.product_codes
    if not codes:
        return None
    return Concern(
        "warning",
        f"{facts.source.id} runs the AWS Marketplace product {', '.join(codes)}: the twin needs the "
        "subscription too and may count as a second licence",
    )


def tenancy(facts: SourceFacts) -> Concern | None:
    """A dedicated host is part of a licence; the twin goes to one as well, if there is one."""
    around = facts.around
    if around.tenancy != "host":
        return None
    where = f"on the dedicated host {around.host_id}" if around.host_id else "on a dedicated host"
    return Concern(
        "warning",
        f"{facts.source.id} runs {where}; the twin goes to whichever of yours takes instances without being "
        "named, and cannot be launched where none does",
    )


def hibernation(facts: SourceFacts) -> Concern | None:
    """A copy cannot hibernate: that is settled when an instance is launched, and takes an encrypted root."""
    if not facts.around.traits.can_hibernate:
        return None
    return Concern("warning", f"{facts.source.id} can hibernate; the twin cannot, it stops like any other")


def interfaces(facts: SourceFacts) -> Concern | None:
    """Further network interfaces keep their fixed addresses, and the twin gets none like them."""
    more = facts.around.more_interfaces
    if not more:
        return None
    return Concern("warning", f"the twin gets one network interface, and not what {some(more)} is for")


def user_data(facts: SourceFacts) -> Concern | None:
    """A first-boot script must not run again on the twin by itself: it is launched without it (C51)."""
    source = facts.source.id
    if facts.copies_user_data and not facts.around.has_user_data:
        return Concern("refused", f"no user data of {source} could be read, and --copy-user-data wants it")
    if facts.copies_user_data:
        return Concern(
            "warning",
            f"the user data of {source} runs on the twin too, from its first boot: what it sets up, it sets "
            "up a second time; machine id and host name stay the source's where it gives no other",
        )
    if not facts.around.has_user_data:
        return None
    return Concern(
        "warning",
        f"{source} was launched with user data; the twin is launched without it, so that nothing is set up "
        "a second time (--copy-user-data gives it that instead of nospof's own)",
    )


def identity(facts: SourceFacts) -> Concern | None:
    """The script that gives the twin an identity of its own is read from the metadata service (C49)."""
    traits = facts.around.traits
    if traits.is_windows:
        return Concern(
            "warning",
            f"{facts.source.id} runs Windows: the twin keeps its name and SID. Run EC2Launch's Sysprep on "
            "it before the two meet in a domain",
        )
    if facts.copies_user_data or traits.http_endpoint != "disabled":
        return None
    return Concern(
        "warning",
        f"the metadata service of {facts.source.id} is off, and so is the twin's: it cannot read what would "
        "give it its own machine id, host name and SSH host keys, and keeps the source's",
    )


def node_ids(facts: SourceFacts) -> Concern | None:
    """Software that keeps its machine's name in a file takes the twin for its source (C52)."""
    found = [mark.name for mark in facts.inside.marks if mark.kind == "node id"]
    if not found:
        return None
    return Concern(
        "warning",
        f"the twin has the same {some(found)} as {facts.source.id}: software that knows its machine by such "
        "a file takes the two for one. Give the twin its own before both serve",
    )


def jobs(facts: SourceFacts) -> Concern | None:
    """Cron jobs and workers of the source run on the twin as well, from its first boot (C54)."""
    found = facts.inside.jobs
    if not found:
        return None
    return Concern(
        "consent",
        f"these run on the twin too, from its first boot: {some(found)}. Against one database they do "
        "everything twice",
        "Turn them off or guard them first",
        "--jobs-may-run-twice",
    )
