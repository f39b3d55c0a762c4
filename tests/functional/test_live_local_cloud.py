"""A copy of a database that is written to: whole with its writes held, and never wrongly called so."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import ec2_words
from support.mariadb import asked, put_mariadb
from support.site import SITE, Site
from support.waiting import eventually

REPAIR = "marked as crashed"
"""What the server says of a table that cannot roll back and was not closed."""

pytestmark = pytest.mark.local_cloud


def disk(site: Site, instance_id: str) -> Path:
    return site.cloud.endpoint.dir / "machines" / instance_id / "disk"


def run_inside(site: Site, instance_id: str, script: str) -> None:
    ssm = site.cloud.client("ssm")
    sent = ssm.send_command(
        InstanceIds=[instance_id], DocumentName="AWS-RunShellScript", Parameters={"commands": [script]}
    )
    command = {"CommandId": sent["Command"]["CommandId"], "InstanceId": instance_id}
    eventually(lambda: ssm.get_command_invocation(**command)["Status"] == "Success")


def acknowledged(disk_of: Path) -> int:
    """Return the last row that a writer was told is there."""
    path = disk_of / "acknowledged"
    lines = path.read_text().rpartition("\n")[0].split() if path.exists() else []
    return int(lines[-1]) if lines else 0


def contents(site: Site, instance_id: str) -> tuple[int, int, int, str]:
    """Return the database of a twin whose writer is quiet: rows, the last of them, its log."""
    at = disk(site, instance_id)
    rows = eventually(lambda: asked(at, "select count(*), max(id) from shop.orders"))
    count, last = map(int, rows.split())
    visits = int(asked(at, "select count(*) from shop.visits"))
    return count, last, visits, (at / "var/log/mariadb.log").read_text()


def consistency(site: Site, image_id: str) -> tuple[str, set[str]]:
    """Return how an image is marked, and how its snapshots are."""
    ec2 = site.cloud.client("ec2")
    (image,) = ec2.describe_images(ImageIds=[image_id])["Images"]
    named = [{"Name": "tag:Name", "Values": [image["Name"]]}]
    snapshots = ec2.describe_snapshots(Filters=named)["Snapshots"]
    marks = [
        {tag["Key"]: tag["Value"] for tag in one["Tags"]}["nospof:consistency"] for one in (image, *snapshots)
    ]
    return marks[0], set(marks[1:])


def twin_with_a_quiet_writer(site: Site, image_id: str) -> str:
    """Launch a copy that writes nothing of its own."""
    launched = ec2_words.launch(site.cloud, ImageId=image_id, UserData="#!/bin/sh\ntouch quiet\n")
    return ec2_words.running(site.cloud.client("ec2"), launched)


def test_c20_a_database_at_full_speed_is_copied_whole_and_without_a_hold_it_needs_repair(
    site: Site,
) -> None:
    source = site.launch("shop")
    at = disk(site, source)
    put_mariadb(at)
    run_inside(site, source, 'kill -HUP "$NOSPOF_INIT_PID"')
    eventually(lambda: acknowledged(at) > 200, "the writer writes")

    # Killed while it holds: the machine lets go by itself, and nobody calls that image consistent.
    live = ("clone", source, *SITE, "--live", "--yes")
    killed = site.nospof(*live, "--hold-seconds", "5", NOSPOF_FAILPOINT="after create_image")
    assert killed.returncode == -9, killed.stderr
    stalled = acknowledged(at)
    eventually(lambda: acknowledged(at) > stalled + 50, "it writes again", timeout_seconds=15)
    assert consistency(site, site.cloud.image_named(f"nospof-{site.the_run()['id']}")) == ("crash", {"crash"})

    made = site.answer(*live)["result"]
    assert made["consistency"] == "application", made
    assert made["consistency_says"].startswith("MariaDB held for ")
    assert consistency(site, made["image_id"]) == ("application", {"application"})
    now = acknowledged(at)
    eventually(lambda: acknowledged(at) > now, "the source writes on")

    twin = twin_with_a_quiet_writer(site, made["image_id"])
    count, last, visits, log = contents(site, twin)
    assert count == last >= acknowledged(disk(site, twin)) > 200
    assert visits in (last, last - 1)
    assert REPAIR not in log
    assert "rolled back" not in log

    plain = site.cloud.client("ec2").create_image(InstanceId=source, Name="plain", NoReboot=True)["ImageId"]
    eventually(
        lambda: (
            site.cloud.client("ec2").describe_images(ImageIds=[plain])["Images"][0]["State"] == "available"
        )
    )
    assert REPAIR in contents(site, twin_with_a_quiet_writer(site, plain))[3]
