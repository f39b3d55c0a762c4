"""A service behind a balancer becomes a pair there: its clients see nothing of it, nor of its undoing."""

from __future__ import annotations

import pytest

from support.site import Site, clients_of, only, world
from support.standing import healths, put_behind_an_application_balancer
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud

JOIN = ("--stateless", "--yes", "--live", "--jobs-may-run-twice")


def address_of(site: Site, balancer: str) -> str:
    (found,) = site.cloud.client("elbv2").describe_load_balancers(Names=[balancer])["LoadBalancers"]
    return str(found["DNSName"])


def test_c101_a_twin_joins_the_balancer_its_source_is_behind_and_leaves_it_again(site):
    source = site.launch("behind")
    group = put_behind_an_application_balancer(site.cloud, source, "theirs")
    before = world(site)
    plan = site.nospof("pair", source, *JOIN, "--plan")
    assert plan.returncode == 0, plan.stderr
    assert "no name changes" in plan.stdout

    with clients_of(address_of(site, "theirs")) as answers:
        joined = site.answer("pair", source, *JOIN)
        twin = joined["result"]["members"][1]
        assert healths(site.cloud, group) == {source: "healthy", twin: "healthy"}
        assert joined["result"]["watched_requests"] == 20
        between = world(site)
        assert [between[kind] for kind in ("target groups", "balancers", "rules")] == [
            before[kind] for kind in ("target groups", "balancers", "rules")
        ]
        undone = site.nospof("runs", "undo", joined["run_id"], "--yes", **only(site, "undo"))
    assert undone.returncode == 0, undone.stderr
    assert len(answers) > 20
    assert set(answers) == {200}
    eventually(lambda: healths(site.cloud, group) == {source: "healthy"})
    assert world(site) == before
