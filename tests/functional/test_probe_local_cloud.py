"""A look inside a real machine of the local cloud, through Systems Manager."""

from __future__ import annotations

import boto3
import pytest

from nospof.adapters.aws.cloud import AwsCloud
from nospof.adapters.machine.ssm import SsmMachines
from nospof.services.probing import probe_machines
from support.site import Site
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud


def machines(site: Site) -> SsmMachines:
    session = boto3.Session(
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - a placeholder
        region_name="us-east-1",
    )
    return SsmMachines(AwsCloud(session, endpoint=site.cloud.url), poll_seconds=0.05)


def test_the_demonstration_site_listens_and_keeps_nothing_that_changes(site: Site) -> None:
    instance_id = site.launch("probed")

    def listens() -> bool:
        (item,), _ = probe_machines(machines(site), [instance_id])
        return any(one.number("port") == 8080 for one in item.rows("listening.found"))

    eventually(listens, "the site listens")
    (item,), unread = probe_machines(machines(site), [instance_id, "i-00000000000000000"])
    assert [one.reason for one in unread] == ["not managed by SSM"]
    kept = ("engines", "sessions", "written", "files", "connections")
    assert {name: item.text(f"{name}.status") for name in kept} == dict.fromkeys(kept, "none")
    assert item.text("memory.status") == "not applicable"
    assert [one.text("name") for one in item.rows("units.found")] == ["web"]
    listening = [(one.text("address"), one.number("port")) for one in item.rows("listening.found")]
    assert len(listening) == 1  # other machines of this computer are none of its business


def test_a_pair_of_a_site_that_is_seen_to_keep_nothing_needs_nobodys_word(site: Site) -> None:
    source = site.launch("seen")
    asked = ["--plan", "--allow-address-change", "--port", "8080", "--health-path", "/health"]
    eventually(lambda: site.nospof("pair", source, *asked).returncode == 0, "the agent answers")
    kept = site.nospof("pair", source, *asked)
    assert "not checked: what is inside" not in kept.stdout
