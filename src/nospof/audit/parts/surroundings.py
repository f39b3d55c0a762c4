"""What a machine needs around itself, as a look inside found it: names, network cards, memory, boot, dates.

Nothing here is about data. What one look cannot settle counts in the pessimistic reading only, or is
asked of a person.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network

from nospof.audit.builder import Builder
from nospof.model.item import Item, Record
from nospof.model.topology import AnyOf, Node, On, Requirement

AMAZON = ("169.254.169.253", "fd00:ec2::253")
"""Every VPC's resolver answers there too (VPC user guide, Amazon DNS server)."""
LARGEST_VPC = 16
JOBS_SHOWN = 3
SOON_SECONDS = 30 * 86_400
ON_DISK = ("ext2", "ext3", "ext4", "xfs", "btrfs", "vfat")
"""What a boot waits for; file systems of other machines do not stop it."""


# Jobs ----------------------------------------------------------------------------------------------------


def ask_jobs(b: Builder, looks: dict[str, Item]) -> None:
    """Ask what runs at its own times: on several machines it runs more than once, on one alone it stops."""
    where: dict[str, list[str]] = {}
    for name, look in looks.items():
        by_views = [
            f"what is due in WordPress when a page is viewed ({one.text('path')} has no DISABLE_WP_CRON)"
            for one in look.rows("web.found")
            if one.text("setting") == "DISABLE_WP_CRON" and not one.text("value")
        ]
        for job in dict.fromkeys([*(one.text("name") for one in look.rows("jobs.found")), *by_views]):
            where.setdefault(job, []).append(name)
    shared: dict[tuple[str, ...], list[str]] = {}
    for job, names in where.items():
        shared.setdefault(tuple(names), []).append(job)
    for who, jobs in shared.items():
        more = f" and {len(jobs) - JOBS_SHOWN} more" if len(jobs) > JOBS_SHOWN else ""
        shown = f"{', '.join(jobs[:JOBS_SHOWN])}{more}"
        if len(who) > 1:
            b.ask(f"may each of {', '.join(who)} run this at the same time: {shown}?")
        elif len(looks) > 1:
            b.ask(f"is this missed while {who[0]} is down, where alone it runs: {shown}?")


# Names ---------------------------------------------------------------------------------------------------


def ask_names(b: Builder, name: str, look: Item) -> None:
    """Let a machine perhaps need the resolvers it asks: what it has asked before it may remember."""
    asked = dict.fromkeys(one.text("address") for one in look.rows("resolvers.found"))
    if not asked or any(is_amazons(b, name, one) for one in asked):
        return
    b.also_needs(name, "serving", AnyOf(tuple(resolver(b, one) for one in asked)), certain=False)


def is_amazons(b: Builder, name: str, address: str) -> bool:
    """Whether a resolver is the VPC's, or stands on the machine itself and asks nobody knows whom."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return True
    if address in AMAZON or parsed.is_loopback:
        return True
    if b.estate.find("instance", address) is not None or not isinstance(parsed, IPv4Address):
        return False
    item = b.service.item_of.get(name)
    subnet = b.estate.find("subnet", item.text("SubnetId")) if item is not None else None
    return subnet is not None and may_be_vpcs(parsed, subnet.text("CidrBlock"))


def may_be_vpcs(address: IPv4Address, subnet: str) -> bool:
    """Whether an address is the second of some network around a subnet: there a VPC has its resolver."""
    try:
        inner = ip_network(subnet)
    except ValueError:
        return False
    if not isinstance(inner, IPv4Network):
        return False
    around = (
        inner.supernet(new_prefix=one) for one in range(min(LARGEST_VPC, inner.prefixlen), inner.prefixlen)
    )
    return any(one.network_address + 2 == address for one in (*around, inner))


def resolver(b: Builder, address: str) -> Requirement:
    """Return what depends on a resolver: one of our machines, or somebody's of whom nothing is known."""
    item = b.estate.find("instance", address)
    if item is not None:
        return b.of(item)
    node = f"resolver {address}"
    if node in b.nodes:
        return On(node)
    return b.add(Node(node, faults=(b.event(node, "resolver", node),), kind="resolver", label=node))


# Hardware ------------------------------------------------------------------------------------------------


def regard_hardware(b: Builder, name: str, look: Item) -> None:
    """Let a machine need one card of each bond, and perhaps be off where its memory has failed."""
    bonds = look.rows("bonds.found")
    for one in bonds:
        up, down = one.texts("up"), one.texts("down")
        cards = tuple(card(b, name, one.text("name"), each, is_up=each in up) for each in (*up, *down))
        if cards:
            # Of several bonds nobody knows which one the service goes through.
            b.also_needs(name, "serving", AnyOf(cards), certain=len(bonds) == 1)
    broken = [one for one in look.rows("memory.found") if (one.number("uncorrected") or 0) > 0]
    for one in look.rows("memory.found"):
        if corrected := one.number("corrected"):
            says = f"{one.text('name')} has corrected {corrected:.0f} so far; what errs often fails"
            b.ask(f"do the memory errors of {look.id} rise? {says}")
    if broken and name not in b.service.state_of:
        where = ", ".join(f"{one.text('name')}: {one.number('uncorrected'):.0f}" for one in broken)
        b.is_off(name, f"in doubt: its memory could not correct errors ({where})", certain=False)


def card(b: Builder, name: str, bond: str, label: str, *, is_up: bool) -> On:
    """Add a network card of a machine."""
    node = f"network card {label} of {name}"
    if not is_up:
        b.is_off(node, f"without a link in {bond}")
    fault = b.event(node, "network card", node)
    return b.add(Node(node, faults=(fault,), kind="network card", label=node))


# Boot and dates ------------------------------------------------------------------------------------------


def device_at(look: Item, point: str) -> str:
    """Return the device that is mounted at a point, if any."""
    rows = [one for one in look.rows("mounts.found") if one.text("point") == point]
    return rows[-1].text("device") if rows else ""


def store_under(look: Item, device: str, above: tuple[str, ...] = ()) -> str:
    """Return the disk of an instance store that a device is on or made of, if it is."""
    rows = (one for one in look.rows("devices.found") if one.text("name") == device)
    found = next(rows, None)
    if found is None or device in above:
        return ""
    if found.flag("instance_store"):
        return device
    parts = (store_under(look, one, (*above, device)) for one in found.texts("parts"))
    return next((one for one in parts if one), "")


def is_waited_for(line: Record) -> bool:
    """Whether a boot stops when what a line of fstab speaks of is not there."""
    return (
        line.text("point") not in ("", "/", "none")
        and not line.flag("nofail")
        and line.text("type") in ON_DISK
    )


def boot_traps(look: Item) -> tuple[tuple[str, str], ...]:
    """Return the mount points without which a machine does not boot, and why they will not be there."""
    is_told = look.text("mounts.status") in ("found", "none")
    mounted = {one.text("point") for one in look.rows("mounts.found")}
    found = []
    for one in look.rows("fstab.found"):
        point = one.text("point")
        if not is_waited_for(one):
            continue
        if store := store_under(look, device_at(look, point)):
            found.append((point, f"it is on {store}, which is empty after a stop"))
        elif is_told and point not in mounted:
            found.append((point, "nothing is mounted there now"))
    return tuple(found)


def note_boot(b: Builder, look: Item) -> None:
    """Note what a machine's boot takes for granted, and memory that is shorter after a stop."""
    trapped = {point for point, _ in boot_traps(look)}
    for one in look.rows("fstab.found"):
        point = one.text("point")
        if point in trapped or not is_waited_for(one):
            continue
        says = f"{look.id} boots only with {point}, which is there now: fstab has no nofail"
        named = ", and names it as the kernel may not next time" if one.flag("by_kernel_name") else ""
        b.assume(says + named)
    for one in look.rows("swap.found"):
        if store := store_under(look, one.text("device")):
            b.assume(f"{look.id} has memory enough without its swap, which is gone after a stop ({store})")


def date(b: Builder, name: str, look: Item) -> None:
    """Let the near end of a local certificate perhaps hit its machine: nobody saw which one is shown.

    What renews by itself does so a month ahead, so a later end says nothing.
    """
    for one in look.rows("certificates.found"):
        ends_at = one.number("ends_at") or 0
        if 0 < ends_at < b.estate.read_at + SOON_SECONDS:
            path = one.text("path")
            label = f"end of the certificate {path} of {look.id}"
            event = b.event(f"certificate:{look.id}:{path}", "certificate", label, ends_at)
            b.change(name, possible_domains=(*b.nodes[name].possible_domains, event))
