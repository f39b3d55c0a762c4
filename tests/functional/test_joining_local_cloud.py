"""A service behind a balancer becomes a pair there: its clients see nothing of it, nor of its undoing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import pytest

from support.site import Site, clients_of, only, world
from support.standing import (
    classic_healths,
    healths,
    put_behind_a_balancer,
    put_behind_a_classic_balancer,
)
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud

JOIN = ("--stateless", "--yes", "--live", "--jobs-may-run-twice")


def put_behind(site: Site, kind: str, instance_id: str) -> tuple[str, Callable[[], dict[str, str]]]:
    """Put an instance behind a balancer of a kind; return its address, and what says the health of all."""
    if kind == "classic":
        address = put_behind_a_classic_balancer(site.cloud, kind, instance_id)
        return address, lambda: classic_healths(site.cloud, kind)
    group, address = put_behind_a_balancer(site.cloud, kind, instance_id, is_network=kind == "network")
    return address, lambda: healths(site.cloud, group)


@pytest.mark.parametrize("kinds", [("application",), ("classic", "network")], ids=" and ".join)
def test_c101_a_twin_joins_the_balancers_its_source_is_behind_and_leaves_them_again(site, kinds):
    source = site.launch("behind")
    fronts = [put_behind(site, kind, source) for kind in kinds]
    before = world(site)
    plan = site.nospof("pair", source, *JOIN, "--plan")
    assert plan.returncode == 0, plan.stderr
    assert "no name changes" in plan.stdout

    with ExitStack() as stack:
        clients = [stack.enter_context(clients_of(address)) for address, _ in fronts]
        joined = site.answer("pair", source, *JOIN)
        twin = joined["result"]["members"][1]
        assert [health() for _, health in fronts] == [{source: "healthy", twin: "healthy"}] * len(fronts)
        assert joined["result"]["watched_requests"] == 20 * len(fronts)
        between = world(site)
        assert [between[what] for what in ("target groups", "balancers", "rules")] == [
            before[what] for what in ("target groups", "balancers", "rules")
        ]
        undone = site.nospof("runs", "undo", joined["run_id"], "--yes", **only(site, "undo"))
    assert undone.returncode == 0, undone.stderr
    for answers in clients:
        assert len(answers) > 20
        assert set(answers) == {200}
    for _, health in fronts:
        eventually(lambda health=health: health() == {source: "healthy"})
    assert world(site) == before
