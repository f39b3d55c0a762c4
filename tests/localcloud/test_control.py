"""Starting, stopping, losing and deleting local clouds: nothing is lost, nothing is left behind."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from nospof.localcloud import control
from nospof.localcloud.addresses import shared_directory
from nospof.localcloud.errors import LocalCloudError
from nospof.localcloud.machines.hypervisor import Hypervisor
from nospof.localcloud.machines.processes import stat_of
from support.ec2_words import get, healthy, instance, launch, machine, running, state, stopped, tagged
from support.local_cloud import RunningCloud
from support.nobody import as_nobody, home_of_nobody, python_of_nobody, uid
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud


def cloud(home: Path, name: str = "default") -> RunningCloud:
    return RunningCloud(control.start(name), home)


def killed(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: stat_of(pid) is None)


def claims_of(directory: Path) -> list[Path]:
    return [claim for claim in shared_directory().glob("127.*") if f'"{directory}"' in claim.read_text()]


def restarted_after_kill(before: RunningCloud) -> RunningCloud:
    killed(before.endpoint.pid)
    return cloud(before.home, before.endpoint.name)


def test_a_start_answers_and_a_second_start_returns_the_same(home: Path) -> None:
    first = control.start()
    assert control.start() == first
    status = control.status()
    assert (status["name"], status["pid"], status["dir"]) == ("default", first.pid, str(first.dir))
    assert control.environment()["AWS_ENDPOINT_URL"] == first.url
    assert first.dir.stat().st_mode & 0o077 == 0


def test_a_killed_gateway_adopts_its_machines_and_knows_all_it_had_answered_for(home: Path) -> None:
    before = cloud(home)
    ec2 = before.client("ec2")
    launched = launch(before, ClientToken="survivor", TagSpecifications=tagged("instance", "survivor"))
    instance_id = running(ec2, launched)
    eventually(lambda: get(launched["PrivateIpAddress"]) == 200)
    before.admin("POST", "event", {"instance": instance_id, "code": "system-reboot", "seconds": 3600})
    shown = instance(ec2, instance_id)
    killed(before.endpoint.pid)
    assert get(launched["PrivateIpAddress"]) == 200
    after = cloud(home)
    ec2 = after.client("ec2")
    assert instance(ec2, instance_id) == shown
    assert machine(after, instance_id)["boots"] == 1
    status = ec2.describe_instance_status(InstanceIds=[instance_id])["InstanceStatuses"][0]
    assert [event["Code"] for event in status["Events"]] == ["system-reboot"]
    assert (
        launch(after, ClientToken="survivor", TagSpecifications=tagged("instance", "survivor"))["InstanceId"]
        == instance_id
    )
    twin = launch(after)
    assert twin["PrivateIpAddress"] != launched["PrivateIpAddress"]


def test_what_a_killed_gateway_had_begun_is_finished_by_the_next(home: Path) -> None:
    before = cloud(home)
    ec2 = before.client("ec2")
    stopping = running(ec2, launch(before))
    imaged = running(ec2, launch(before))
    image_id = ec2.create_image(InstanceId=imaged, Name="half-done")["ImageId"]
    starting = launch(before)["InstanceId"]
    ec2.stop_instances(InstanceIds=[stopping])
    after = restarted_after_kill(before)
    ec2 = after.client("ec2")
    eventually(lambda: state(ec2, starting) == "running")
    eventually(lambda: state(ec2, stopping) == "stopped")
    assert machine(after, stopping)["machine"] == "off"
    eventually(lambda: ec2.describe_images(ImageIds=[image_id])["Images"][0]["State"] == "available")
    eventually(lambda: machine(after, imaged)["machine"] == "on")
    assert state(ec2, imaged) == "running"


def test_an_event_that_fell_due_while_the_cloud_was_down_is_carried_out_and_an_outage_goes_on(
    home: Path,
) -> None:
    before = cloud(home)
    ec2 = before.client("ec2")
    rebooted, dark = running(ec2, launch(before)), running(ec2, launch(before))
    healthy(ec2, rebooted)
    maintenance = {"code": "system-maintenance", "seconds": 0, "outage": "power", "out_seconds": 3600}
    before.admin("POST", "event", {"instance": dark, **maintenance})
    eventually(lambda: machine(before, dark)["machine"] == "off")
    due = before.admin("POST", "event", {"instance": rebooted, "code": "system-reboot", "seconds": 2})[1][
        "due"
    ]
    host = machine(before, rebooted)["host"]
    killed(before.endpoint.pid)
    eventually(lambda: datetime.now(UTC) > datetime.fromisoformat(due))
    after = cloud(home)
    ec2 = after.client("ec2")
    eventually(lambda: machine(after, rebooted)["boots"] == 2)
    assert machine(after, rebooted)["host"] != host

    def description(instance_id: str) -> str:
        answer = ec2.describe_instance_status(InstanceIds=[instance_id])
        return str(answer["InstanceStatuses"][0]["Events"][0]["Description"])

    eventually(lambda: description(rebooted) == "[Completed] scheduled reboot")
    assert (description(dark), machine(after, dark)["machine"]) == ("scheduled maintenance", "off")
    after.admin("POST", "scheduler", {"ahead_seconds": 3700})
    eventually(lambda: description(dark) == "[Completed] scheduled maintenance")
    eventually(lambda: machine(after, dark)["boots"] == 2)


def test_stop_powers_everything_off_and_start_boots_what_was_running(home: Path) -> None:
    before = cloud(home)
    ec2 = before.client("ec2")
    kept = launch(before)
    running(ec2, kept)
    off, lost = running(ec2, launch(before)), running(ec2, launch(before))
    stopped(ec2, off)
    before.admin("POST", "fault", {"instance": lost, "fault": "lose-by-reboot"})
    ec2.reboot_instances(InstanceIds=[lost])
    eventually(lambda: machine(before, lost)["machine"] == "off")
    control.stop()
    hypervisor = Hypervisor(before.endpoint.dir / "machines")
    assert {hypervisor.state(machine_id) for machine_id in hypervisor.machines()} == {"off"}
    with pytest.raises(LocalCloudError, match="does not run"):
        control.status()
    after = cloud(home)
    ec2 = after.client("ec2")
    healthy(ec2, kept["InstanceId"])
    eventually(lambda: get(kept["PrivateIpAddress"]) == 200)
    assert state(ec2, off) == "stopped"
    assert (state(ec2, lost), machine(after, lost)["machine"]) == ("running", "off")


def test_a_cloud_keeps_its_url_over_a_stop_and_a_kill(home: Path) -> None:
    with socket.socket() as free:  # not the first port: other clouds may come and go there
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    first = control.start(port=port)
    assert first.url == f"http://127.0.0.1:{port}"
    killed(first.pid)
    assert control.start().url == first.url
    control.stop()
    assert control.start().url == first.url


def test_stop_cleans_up_after_a_killed_gateway(home: Path) -> None:
    before = cloud(home)
    running(before.client("ec2"), launch(before))
    killed(before.endpoint.pid)
    control.stop()
    hypervisor = Hypervisor(before.endpoint.dir / "machines")
    assert {hypervisor.state(machine_id) for machine_id in hypervisor.machines()} == {"off"}


def test_reset_leaves_no_process_no_file_and_no_claim(home: Path) -> None:
    before = cloud(home)
    launched = launch(before)
    running(before.client("ec2"), launched)
    assert claims_of(before.endpoint.dir)
    control.reset()
    assert not before.endpoint.dir.exists()
    assert not claims_of(before.endpoint.dir)
    assert stat_of(before.endpoint.pid) is None
    assert get(launched["PrivateIpAddress"]) == 0
    control.reset()


def test_two_clouds_and_two_regions_never_share_an_address(home: Path) -> None:
    blocks = set()
    for name in ("one", "two"):
        endpoint = cloud(home, name)
        for region in ("us-east-1", "eu-central-1"):
            [vpc] = endpoint.client("ec2", region).describe_vpcs()["Vpcs"]
            assert vpc["CidrBlock"].endswith(".0.0/16")
            blocks.add(vpc["CidrBlock"])
    assert len(blocks) == 4


@pytest.mark.parametrize("name", ["", "../escape", "UPPER", "a" * 41, "with space"])
def test_a_name_that_is_no_name_is_refused(home: Path, name: str) -> None:
    with pytest.raises(LocalCloudError, match="cannot name a local cloud"):
        control.start(name)


def test_a_port_in_use_is_said_so(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LocalCloudError, match=f"port {port} of 127.0.0.1 cannot be used"):
            control.start(port=port)


def test_a_pid_used_by_another_process_is_not_the_gateway(home: Path) -> None:
    endpoint = control.start()
    killed(endpoint.pid)
    record = endpoint.dir / "endpoint.json"
    record.write_text(record.read_text().replace(str(endpoint.pid), str(os.getpid())))
    with pytest.raises(LocalCloudError, match="does not run"):
        control.find()
    control.stop()


def test_what_does_not_exist_is_said_so(home: Path) -> None:
    for question in (control.status, control.find, control.stop, control.environment):
        with pytest.raises(LocalCloudError, match="there is no local cloud 'nowhere'"):
            question("nowhere")


OWNER = """
    import fcntl, sys, time
    from pathlib import Path
    from nospof.localcloud import control
    lifeline = open(sys.argv[1], "w")
    fcntl.flock(lifeline, fcntl.LOCK_EX)
    print(control.start("hanging", lifeline=Path(sys.argv[1])).pid, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def owner(home: Path) -> Iterator[tuple[subprocess.Popen[str], RunningCloud]]:
    """A process that has started a cloud hanging on its life, and that cloud."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(OWNER), str(home / "lifeline")],
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout
        process.stdout.readline()
        yield process, RunningCloud(control.find("hanging"), home)
        process.kill()


def test_a_cloud_dies_with_the_owner_of_its_lifeline(
    owner: tuple[subprocess.Popen[str], RunningCloud],
) -> None:
    process, hanging = owner
    launched = launch(hanging)
    running(hanging.client("ec2"), launched)
    process.kill()
    eventually(lambda: stat_of(hanging.endpoint.pid) is None)
    assert not hanging.endpoint.dir.exists()
    assert not claims_of(hanging.endpoint.dir)
    assert get(launched["PrivateIpAddress"]) == 0


def test_what_is_left_when_owner_and_gateway_are_killed_is_swept(
    owner: tuple[subprocess.Popen[str], RunningCloud],
) -> None:
    process, hanging = owner
    launched = launch(hanging)
    running(hanging.client("ec2"), launched)
    eventually(lambda: get(launched["PrivateIpAddress"]) == 200)
    killed(hanging.endpoint.pid)
    assert control.sweep_abandoned() == ()
    process.kill()
    process.wait()
    assert get(launched["PrivateIpAddress"]) == 200
    assert control.sweep_abandoned() == ("hanging",)
    assert not hanging.endpoint.dir.exists()
    assert get(launched["PrivateIpAddress"]) == 0


def test_a_cloud_without_a_lifeline_is_never_swept(home: Path) -> None:
    endpoint = control.start()
    killed(endpoint.pid)
    assert control.sweep_abandoned() == ()
    assert endpoint.dir.exists()


def test_the_lock_of_a_lifeline_belongs_to_the_owner_alone(
    owner: tuple[subprocess.Popen[str], RunningCloud], home: Path
) -> None:
    running(owner[1].client("ec2"), launch(owner[1]))
    owner[0].kill()
    owner[0].wait()
    with (home / "lifeline").open("rb") as file:  # a machine that had inherited it would hold it for ever
        eventually(lambda: _locks(file))


def _locks(file: Any) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


AS_NOBODY = """
    import os, sys
    os.environ["NOSPOF_HOME"] = sys.argv[1]
    from pathlib import Path
    from nospof.localcloud import control
    from support.ec2_words import get, launch, running, states_until
    from support.local_cloud import RunningCloud
    from support.waiting import eventually
    cloud = RunningCloud(control.start("nobody"), Path(sys.argv[1]))
    try:
        ec2 = cloud.client("ec2")
        launched = launch(cloud)
        instance_id = running(ec2, launched)
        eventually(lambda: get(launched["PrivateIpAddress"]) == 200)
        ec2.stop_instances(InstanceIds=[instance_id])
        states_until(ec2, instance_id, "stopped")
        ec2.create_image(InstanceId=instance_id, Name="by-nobody", NoReboot=True)
    finally:
        control.reset("nobody")
    assert not cloud.endpoint.dir.exists()
    print("done as", os.getuid())
"""


@pytest.mark.skipif(os.getuid() != 0, reason="not root already: every other test shows it")
def test_everything_works_without_root() -> None:
    with home_of_nobody() as home:
        python = python_of_nobody(home)
        done = as_nobody(python, "-c", textwrap.dedent(AS_NOBODY), str(home), home=home)
        assert done.stdout == f"done as {uid()}\n", done.stderr


def test_the_port_of_a_cloud_that_is_down_is_kept_for_it(home: Path) -> None:
    """A shell that still has its address must not find a stranger there, with no instances in it."""
    for attempt in range(5):  # clouds of another home, which know nothing of it, may take the port meanwhile
        one = control.start(f"one-{attempt}")
        killed(one.pid)
        assert control.start(f"two-{attempt}").url != one.url
        if control.start(f"one-{attempt}").url == one.url:
            return
    pytest.fail("it came back at another address, five times")
