"""Machines whose root is the computer's own, with their disk laid over it."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from nospof.adapters.machine.ssm import answer_of, script
from nospof.localcloud.images import build_overlay_root
from nospof.localcloud.machines.disks import TreeCopy
from support.ec2_words import launch
from support.ec2_words import running as running_instance
from support.local_cloud import RunningCloud
from support.machines import Bench, isolation_or_skip
from support.waiting import eventually

UNIT = """\
[Service]
Restart=always
ExecStart=/bin/sh -c 'id -un >>/var/lib/ran; exec sleep 600'
[Install]
WantedBy=multi-user.target
"""


@pytest.fixture
def image(tmp_path: Path) -> Path:
    isolation_or_skip("namespace")
    build_overlay_root(tmp_path / "image")
    return tmp_path / "image"


@pytest.fixture
def running(bench: Bench, image: Path) -> Bench:
    bench.machine("i-1", image)
    bench.boot()
    return bench


def test_it_has_the_computers_programs_and_writes_to_its_own_disk(running: Bench) -> None:
    mounts = Path("/proc/self/mounts").read_text()
    seen = running.run(
        "pwd; cat /etc/nospof-mine; echo mine >/etc/nospof-mine; hostname; ls /home; echo $NOSPOF_DISK"
    )
    assert seen.stdout.split() == ["/", "overlay", *sorted(os.listdir("/home")), "/"]
    assert (running.hypervisor.disk("i-1") / "etc/nospof-mine").read_text() == "mine\n"
    assert not Path("/etc/nospof-mine").exists()
    with tempfile.NamedTemporaryFile(dir="/tmp") as file:
        assert running.run(f"test -e {file.name}").exit_code == 1
    assert running.run("ls -A /sys").stdout == ""
    running.shut_down()
    assert running.hypervisor.exit_reason("i-1") == "powered-off"
    assert Path("/proc/self/mounts").read_text() == mounts


@pytest.mark.parametrize("how", ["running", "off"])
def test_an_image_of_it_has_what_was_changed_replaced_and_deleted(
    running: Bench, tmp_path: Path, how: str
) -> None:
    before = sorted(os.listdir("/etc/skel")), Path("/etc/debian_version").read_text()
    script = """
        set -e
        rm /etc/debian_version
        rm -r /etc/skel; mkdir /etc/skel; echo new >/etc/skel/new
        chown nobody /etc/skel/new; chmod 4750 /etc/skel/new
        python3 -c 'import os; os.setxattr("/etc/skel/new", "user.kind", b"rare")'
        mkdir -p /srv/deep; ln -s ../skel/new /srv/deep/link; mv /etc/issue /srv/issue
    """
    assert running.run(script).stderr == ""
    if how == "off":
        running.shut_down()
    running.hypervisor.snapshot("i-1", tmp_path / "copy")
    running.machine("i-2", tmp_path / "copy")
    running.boot("i-2")
    seen = running.run(
        "ls /etc/debian_version /etc/issue; ls -A /etc/skel; stat -c '%U %a' /etc/skel/new\n"
        "readlink /srv/deep/link\n"
        'test -s /srv/issue && python3 -c \'import os; print(os.getxattr("/etc/skel/new", "user.kind"))\'',
        "i-2",
    )
    assert seen.stdout.splitlines() == ["new", "nobody 4750", "../skel/new", "b'rare'"]
    assert seen.stderr.count("No such file") == 2
    assert (sorted(os.listdir("/etc/skel")), Path("/etc/debian_version").read_text()) == before


def test_a_live_copy_follows_a_directory_that_hides_and_what_is_taken_back(
    running: Bench, tmp_path: Path
) -> None:
    copy = TreeCopy(running.hypervisor.disk("i-1"), tmp_path / "copy")
    set_one = 'import os; os.setxattr("/srv", "user.kind", b"rare")'
    running.run(f"python3 -c '{set_one}'")
    running.run("rm -r /etc/skel; mkdir /etc/skel; touch /etc/skel/new /etc/passing; rm /etc/issue")
    copy.refresh()
    assert "trusted.overlay.opaque" in os.listxattr(tmp_path / "copy/etc/skel")
    assert os.lstat(tmp_path / "copy/etc/issue").st_rdev == 0
    assert "user.kind" in os.listxattr(tmp_path / "copy/srv")
    running.run('python3 -c \'import os; os.removexattr("/srv", "user.kind")\'')
    running.run("rm -r /etc/skel; rm /etc/passing; echo again >/etc/issue")
    copy.refresh()
    assert "user.kind" not in os.listxattr(tmp_path / "copy/srv")
    assert not (tmp_path / "copy/etc/skel").is_dir()
    assert (tmp_path / "copy/etc/issue").read_text() == "again\n"
    assert not (tmp_path / "copy/etc/passing").exists()


def test_only_its_own_units_start_and_a_reboot_empties_run_and_tmp(running: Bench) -> None:
    running.run(f"cat >/etc/systemd/system/one.service <<'END'\n{UNIT}END\nsystemctl enable --now one")
    running.run("touch /run/old /tmp/old; mkdir /run/lock/old")
    assert running.run("systemctl is-active one").stdout == "active\n"
    running.run("reboot")
    eventually(lambda: running.hypervisor.boot_count("i-1") == 2, "it reboots")
    eventually(running.answers, "it answers again")
    assert running.run("ls -d /run/old /tmp/old /run/lock/old").stdout == ""
    assert running.run("ls -ld /run/lock").stdout.startswith("drwxrwxrwt")
    eventually(lambda: running.run("cat /var/lib/ran").stdout == "root\n" * 2, "the unit runs again")
    python = Path(os.path.realpath(sys.executable)).name
    assert set(running.run("ps -eo comm=").stdout.split()) == {python, "ps", "sh", "sleep"}


def test_a_unit_that_the_computer_has_enabled_is_not_enabled_on_the_machine(
    bench: Bench, image: Path
) -> None:
    # As if it came from below: what counts is the machine's own disk.
    bench.machine("i-1", image)
    bench.boot()
    for name in sorted(os.listdir("/etc/systemd/system/multi-user.target.wants"))[:1]:
        assert bench.run(f"systemctl is-enabled {name}").stdout in ("disabled\n", "static\n")
        assert bench.run(f"systemctl is-active {name}").stdout == "inactive\n"
        assert bench.run(f"systemctl enable {name}").exit_code == 0
        assert bench.run(f"systemctl is-enabled {name}").stdout == "enabled\n"


def test_the_probe_sees_the_machine_and_not_the_computer(running: Bench) -> None:
    running.run(f"cat >/etc/systemd/system/one.service <<'END'\n{UNIT}END")
    result = running.run(script())
    document, problem = answer_of(result.stdout)
    assert (problem, result.exit_code) == ("", 0)
    assert document
    for section in ("devices", "mounts", "swap", "fstab", "listening", "connections"):
        assert document[section]["found"] == [], json.dumps(document[section])
    assert document["memory"]["status"] == "not applicable"
    assert {"name": "one.service", "restart": "always"} in document["units"]["found"]


def test_a_machine_without_a_namespace_cannot_be_one(tmp_path: Path, image: Path) -> None:
    bench = Bench(tmp_path / "machines", "session")
    bench.machine("i-1", image)
    with pytest.raises(PermissionError, match="only root can start"):
        bench.hypervisor.boot("i-1")
    assert bench.hypervisor.state("i-1") == "off"
    bench.close()


def test_debians_mariadb_runs_as_its_package_has_it(running: Bench, tmp_path: Path) -> None:
    if not (Path("/usr/lib/systemd/system/mariadb.service").exists() and shutil.which("mariadbd")):
        message = "needs MariaDB (package mariadb-server)"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    own = 'printf "[mysqld]\\nbind-address=%s\\n" "$NOSPOF_ADDRESS" >/etc/mysql/mariadb.conf.d/99-own.cnf'
    started = running.run(f"{own}; systemctl enable --now mariadb; systemctl is-active mariadb")
    assert started.stdout == "active\n", started.stderr
    said = running.run('mariadb -e "create database shop; create table shop.t (a int primary key)"')
    assert (said.exit_code, said.stderr) == (0, "")
    running.shut_down()
    running.hypervisor.snapshot("i-1", tmp_path / "copy")
    running.machine("i-2", tmp_path / "copy")
    running.boot("i-2")
    # Started first: a MariaDB that is told to end while it starts may never hear of it.
    running.run(f"systemctl start mariadb; {own}; systemctl restart mariadb", "i-2", 120)
    assert running.run('mariadb -Ne "show tables from shop"', "i-2").stdout == "t\n"
    assert running.run("systemctl stop mariadb; systemctl is-active mariadb", "i-2").stdout == "inactive\n"


@pytest.mark.local_cloud
def test_an_instance_of_its_image_is_imaged_through_the_api(
    local_cloud: RunningCloud, ec2: Any, image: Path
) -> None:
    instance_id = running_instance(ec2, launch(local_cloud, image="nospof-overlay-root"))
    command = {"InstanceIds": [instance_id], "DocumentName": "AWS-RunShellScript"}
    ssm = local_cloud.client("ssm")
    written = ["echo kept >/etc/kept; rm /etc/debian_version"]
    sent = eventually(lambda: ssm.send_command(**command, Parameters={"commands": written})["Command"])
    asked = {"CommandId": sent["CommandId"], "InstanceId": instance_id}
    eventually(lambda: ssm.get_command_invocation(**asked)["Status"] == "Success", "it is written")
    image_id = ec2.create_image(InstanceId=instance_id, Name="over", NoReboot=True)["ImageId"]
    shown = eventually(lambda: available(ec2, image_id), "the image is available")
    copy = local_cloud.endpoint.dir / "images" / shown["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    assert (copy / "etc/kept").read_text() == "kept\n"
    assert stat.S_ISCHR((copy / "etc/debian_version").lstat().st_mode)
    ec2.terminate_instances(InstanceIds=[instance_id])


def available(ec2: Any, image_id: str) -> Any:
    (shown,) = ec2.describe_images(ImageIds=[image_id])["Images"]
    return shown if shown["State"] == "available" else None
