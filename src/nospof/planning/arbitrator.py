"""Decide where the third vote stands: in a zone of its own, on the smallest machine."""

from __future__ import annotations

from collections.abc import Sequence

from nospof.errors import PreconditionFailed
from nospof.model.cloud import TAG_RUN, Image, Instance, LaunchRequest, Subnet
from nospof.model.layout import TAG_ARBITRATOR, Engine
from nospof.model.requests import PairRequest

DEBIAN = "136693071363"
"""The account that publishes Debian's images (wiki.debian.org/Cloud/AmazonEC2Image)."""
IMAGE_PATTERN = "debian-12-amd64-*"
"""What an arbitrator is made of, where nothing else is asked for."""

PROGRAMS: dict[Engine, tuple[str, str]] = {
    "galera": ("garbd", "galera-arbitrator-4"),
    "patroni": ("etcd", "etcd-server"),
}
"""The program that votes, and Debian's package of it."""

# What it needs is there already on an image made for it; then nothing is fetched.
FIRST_BOOT = """\
#!/bin/sh
# By nospof: this machine only votes. It gets the program for it, and the agent by which it is reached.
export DEBIAN_FRONTEND=noninteractive
if ! command -v {program} >/dev/null; then
    apt-get update && apt-get install -y --no-install-recommends {package}
    systemctl disable --now {service} 2>/dev/null
fi
if ! systemctl is-active --quiet amazon-ssm-agent; then
    from=https://s3.amazonaws.com/ec2-downloads-windows/SSMAgent/latest/debian_amd64/amazon-ssm-agent.deb
    command -v wget >/dev/null || {{ apt-get update && apt-get install -y wget ca-certificates; }}
    agent=$(mktemp --suffix .deb) && wget -q -O "$agent" "$from" && dpkg -i "$agent" && rm "$agent"
    systemctl enable --now amazon-ssm-agent
fi
"""


def arbitrator_subnet(
    subnets: Sequence[Subnet], source: Instance, member_zones: Sequence[str], request: PairRequest
) -> Subnet:
    """Return where the arbitrator goes: a zone in which no member is (C82).

    Raises:
        PreconditionFailed: there is none, or the one that is asked for is a member's.
    """
    taken = {source.zone, *filter(None, member_zones)}
    if request.arbitrator_zone in taken:
        raise PreconditionFailed(
            f"an arbitrator in {request.arbitrator_zone} fails together with the member there, and two of "
            "three votes with it. Choose a third zone with --arbitrator-zone, or leave it out. Nothing was "
            "changed."
        )
    own = next((one for one in subnets if one.id == source.subnet_id), None)
    is_public = own.is_public if own else False
    free = [
        one
        for one in subnets
        if one.free_addresses > 0 and one.zone not in taken and request.arbitrator_zone in ("", one.zone)
    ]
    if not free:
        where = request.arbitrator_zone or f"a zone other than {' and '.join(sorted(taken))}"
        raise PreconditionFailed(
            f"two that keep the data need a third vote, and {source.vpc_id} has no subnet with a free "
            f"address in {where}. Add one: aws ec2 create-subnet --vpc-id {source.vpc_id} "
            "--availability-zone ... --cidr-block .... Nothing was changed."
        )
    return min(free, key=lambda one: (one.is_public != is_public, one.zone, one.id))


def usable(image: Image | None, request: PairRequest) -> Image:
    """Return what an arbitrator is made of. Raises PreconditionFailed: there is no such image."""
    if image is None or image.state != "available":
        what = request.arbitrator_image or f"{IMAGE_PATTERN} of {DEBIAN}"
        state = f"is {image.state}" if image else "is not to be found"
        raise PreconditionFailed(
            f"the arbitrator's image {what} {state} in this region. Name another with --arbitrator-image: it "
            "needs systemd, and either apt or the program that votes and the SSM agent. Nothing was changed."
        )
    return image


def arbitrator_of(
    engine: Engine, service: str, source: Instance, image: Image, request: PairRequest, token: str
) -> LaunchRequest:
    """Return the arbitrator, in no subnet yet. Its security groups and its role are its source's."""
    program, package = PROGRAMS[engine]
    return LaunchRequest(
        token=f"{token}-arbitrator",
        image_id=image.id,
        type=request.arbitrator_type,
        subnet_id="",
        security_groups=source.security_groups,
        profile_arn=source.profile_arn,
        key_name=source.key_name,
        tags={"Name": f"{service} arbitrator", TAG_RUN: token, TAG_ARBITRATOR: service},
        user_data=FIRST_BOOT.format(
            program=program, package=package, service="garb" if engine == "galera" else "etcd"
        ),
    )
