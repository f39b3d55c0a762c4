"""The hidden hosts machines stand on: four in every zone.

Nobody sees a host on AWS, but its loss, its maintenance and its lack of room are felt: a stop and
start moves an instance, a spread placement group never shares one, and a full zone refuses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from nospof.localcloud.awserrors import no_capacity
from nospof.localcloud.cloud import current

HOSTS_PER_ZONE = 4
ROOM_PER_HOST = 256


def choose_host(instances: Iterable[Any], instance: Any, strategy: str, avoid: int | None = None) -> int:
    """Return the number of the host an instance is put on.

    Args:
        instances: every instance of the region.
        instance: the one to place; its zone and placement group are read.
        strategy: the group's strategy, or an empty string.
        avoid: the host it just left: after a stop, AWS starts it elsewhere when it can.

    Raises:
        AwsError: InsufficientInstanceCapacity.
    """
    zone, group = instance.placement.zone, instance.placement.group_name
    neighbours = [
        other
        for other in instances
        if other is not instance and other.placement.zone == zone and other.state in ("pending", "running")
    ]
    load = Counter(other.host for other in neighbours)
    allowed = [host for host in range(HOSTS_PER_ZONE) if load[host] < ROOM_PER_HOST]
    members = {other.host for other in neighbours if group and other.placement.group_name == group}
    if strategy == "spread":
        allowed = [host for host in allowed if host not in members]
    elif strategy == "cluster" and members:
        allowed = [host for host in allowed if host in members]
    if not allowed or (instance.instance_type, zone) in current().full:
        raise no_capacity(instance.instance_type, zone)
    elsewhere = [host for host in allowed if host != avoid]
    return min(elsewhere or allowed, key=lambda host: (load[host], host))
