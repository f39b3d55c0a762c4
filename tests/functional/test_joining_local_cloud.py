"""A service behind a balancer becomes a pair there: its clients see nothing of it, nor of its undoing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.site import Site, clients_of, only, world
from support.standing import (
    classic_healths,
    healths,
    put_behind_a_classic_balancer,
    put_behind_an_application_balancer,
)
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud

JOIN = ("--stateless", "--yes", "--live", "--jobs-may-run-twice")


def put_behind(site: Site, kind: str, instance_id: str) -> tuple[str, Callable[[], dict[str, str]]]:
    """Put an instance behind a balancer of a kind; return its address, and what says the health of all."""
    if kind == "classic":
        address = put_behind_a_classic_balancer(site.cloud, kind, instance_id)
        return address, lambda: classic_healths(site.cloud, kind)
    group, address = put_behind_an_application_balancer(site.cloud, kind, instance_id)
    return address, lambda: healths(site.cloud, group)


@pytest.mark.parametrize("kind", ["application", "classic"])
def test_c101_a_twin_joins_the_balancer_its_source_is_behind_and_leaves_it_again(site, kind):
    source = site.launch(f"behind-{kind}")
    address, health = put_behind(site, kind, source)
    before = world(site)
    plan = site.nospof("pair", source, *JOIN, "--plan")
    assert plan.returncode == 0, plan.stderr
    assert "no name changes" in plan.stdout

    with clients_of(address) as answers:
        joined = site.answer("pair", source, *JOIN)
        twin = joined["result"]["members"][1]
        assert health() == {source: "healthy", twin: "healthy"}
        assert joined["result"]["watched_requests"] == 20
        between = world(site)
        assert [between[kind] for kind in ("target groups", "balancers", "rules")] == [
            before[kind] for kind in ("target groups", "balancers", "rules")
        ]
        undone = site.nospof("runs", "undo", joined["run_id"], "--yes", **only(site, "undo"))
    assert undone.returncode == 0, undone.stderr
    assert len(answers) > 20
    assert set(answers) == {200}
    eventually(lambda: health() == {source: "healthy"})
    assert world(site) == before
