"""Data that is kept elsewhere than on the instances of the in-memory cloud."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nospof.adapters.memory.account import serves
from nospof.adapters.memory.machines import Machines
from nospof.model.external import Holder, Stores


class StoresBehind(Machines):
    """The part of the port that looks for data elsewhere."""

    def _set_up(self, zone_count: int) -> None:
        super()._set_up(zone_count)
        self._stores = Stores()

    def keep_elsewhere(self, stores: Stores) -> None:
        """Have stores beside the instances, and what of them cannot be read."""
        self._stores = stores

    @serves("ec2:DescribeNetworkInterfaces")
    def stores_behind(self, vpc_id: str, addresses: Sequence[str], file_systems: Sequence[str]) -> Stores:
        """See the port. What one call stands for here are several at AWS."""
        instances = (
            Holder(one.private_ip, "", one.id, one.zone, one.security_groups)
            for one in self._instances.values()
            if one.vpc_id == vpc_id and one.state != "terminated"
        )
        holders = {one.address: one for one in (*instances, *self._stores.holders)}
        asked = [holders[one] for one in sorted(set(addresses)) if one in holders]
        behind = [one for one in self._stores.file_systems if any(one.id in at.description for at in asked)]
        return replace(
            self._stores,
            holders=tuple(asked),
            databases=self._stores.databases if any("RDS" in one.description for one in asked) else (),
            file_systems=tuple(
                one for one in self._stores.file_systems if one.id in file_systems or one in behind
            ),
        )
