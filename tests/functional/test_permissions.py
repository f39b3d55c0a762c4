"""Least privilege, proved: each procedure passes with the policy nospof prints for it."""

from __future__ import annotations

from typing import Any

import pytest

from nospof.model.permissions import policy
from support.iam_keys import new_key
from support.site import Site

pytestmark = pytest.mark.local_cloud

CONSENTS = ("--allow-address-change", "--jobs-may-run-twice")
CLONE = ("--port", "8080", "--path", "/health", *CONSENTS)
PAIR = ("--port", "8080", "--listener-port", "8080", "--health-path", "/health", "--stateless", *CONSENTS)
PLANS = {
    "clone": ("clone", *CLONE),
    "clone in its zone": ("clone", "--same-zone", *CLONE),
    "pair": ("pair", *PAIR),
}


def only(site: Site, *statements: dict[str, Any]) -> dict[str, str]:
    """Return the variables of somebody who may do just this."""
    return {name.upper(): value for name, value in new_key(site.cloud, *statements).items()}


def test_the_printed_policy_is_the_one_that_is_tried_here(site):
    assert site.answer("permissions", "clone") == policy("clone")


@pytest.mark.parametrize("which", PLANS)
def test_a_plan_is_allowed_whole_with_the_policy(site, which):
    instance_id = site.launch("planned")
    name, *options = PLANS[which]
    done = site.nospof(name, instance_id, *options, "--plan", **only(site, *policy(name)["Statement"]))
    assert done.returncode == 0, done.stderr
