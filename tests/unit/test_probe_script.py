"""The script that looks inside a machine, on machines made up of files."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from nospof.adapters.machine import probe_engines, probe_identity, probe_machine, probe_script, probe_web
from nospof.adapters.machine.probe_script import look, packed
from nospof.adapters.machine.ssm import SCHEMA, answer_of, script


def put(root: Path, name: str, text: str = "") -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def ebs(root: Path, name: str, volume: str) -> None:
    put(root, f"sys/block/{name}/device/model", "Amazon Elastic Block Store\n")
    put(root, f"sys/block/{name}/device/serial", f"vol{volume}\n")


def process(root: Path, pid: int, name: str, *command: str, sockets: tuple[int, ...] = ()) -> None:
    put(root, f"proc/{pid}/comm", f"{name}\n")
    put(root, f"proc/{pid}/cmdline", "\0".join([name, *command]))
    for at, inode in enumerate(sockets):
        (root / f"proc/{pid}/fd").mkdir(exist_ok=True)
        os.symlink(f"socket:[{inode}]", root / f"proc/{pid}/fd/{at}")


def tcp(here: str, there: str, state: str, inode: int) -> str:
    return f" 0: {here} {there} {state} 0:0 0:0 0 0 0 {inode} 1\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    process(tmp_path, 1, "systemd")
    return tmp_path


def found(root: Path, section: str) -> Any:
    return look(str(root))[section]["found"]


@pytest.mark.parametrize("level", ["raid0", "raid1", "raid5", "raid10"])
def test_an_array_is_told_by_its_level_and_its_volumes_even_on_partitions(root: Path, level: str) -> None:
    ebs(root, "nvme1n1", "0aa")
    ebs(root, "nvme2n1", "0bb")
    (root / "sys/block/nvme1n1/nvme1n1p1").mkdir()
    put(root, "sys/block/md0/md/level", level)
    put(root, "sys/block/md0/md/raid_disks", "2")
    put(root, "sys/block/md0/md/degraded", "1")
    put(root, "sys/block/md0/md/dev-nvme2n1/state", "faulty")
    for one in ("nvme1n1p1", "nvme2n1"):
        (root / "sys/block/md0/slaves" / one).mkdir(parents=True)
    put(root, "proc/mounts", "/dev/md0 /data ext4 rw 0 0\nproc /proc proc rw 0 0\n")
    array = next(one for one in found(root, "devices") if one["name"] == "md0")
    assert (array["level"], array["parts"]) == (level, ["nvme1n1", "nvme2n1"])
    assert (array["degraded"], array["failed"], array["disks"]) == (True, ["nvme2n1"], 2)
    volumes = {one["name"]: one["volume"] for one in found(root, "devices")}
    assert volumes["nvme1n1"] == "vol-0aa"
    assert [(one["point"], one["device"]) for one in found(root, "mounts")] == [("/data", "md0")]


def test_traps_of_fstab_are_told(root: Path) -> None:
    put(root, "etc/fstab", "UUID=1 / ext4 defaults 0 1\n/dev/xvdf /data ext4 defaults 0 0\n#/dev/a /b c d\n")
    assert [(one["point"], one["nofail"], one["by_kernel_name"]) for one in found(root, "fstab")] == [
        ("/", False, False),
        ("/data", False, True),
    ]


def test_who_is_connected_to_whom_with_the_process(root: Path) -> None:
    process(root, 7, "php-fpm", sockets=(70,))
    process(root, 8, "nginx", sockets=(80, 81))
    lines = [
        tcp("00000000:0050", "00000000:0000", "0A", 80),
        tcp("0201000A:0050", "0909090A:C000", "01", 81),  # a client's: not ours to need
        tcp("0201000A:C350", "0101000A:0CEA", "01", 70),
    ]
    put(root, "proc/net/tcp", "header\n" + "".join(lines))
    assert found(root, "listening") == [{"address": "0.0.0.0", "port": 80, "process": "nginx"}]  # noqa: S104 - what a server says, not where we bind
    assert found(root, "connections") == [{"address": "10.0.1.1", "port": 3306, "process": "php-fpm"}]


def test_a_database_is_found_and_its_secrets_stay(root: Path) -> None:
    process(root, 9, "mariadbd", "--datadir=/data/mysql", "--password=hunter2")
    address = "gcomm://10.0.0.1,10.0.0.2:4567"
    put(root, "etc/my.cnf", f"[mysqld]\nwsrep_on = ON\nwsrep_cluster_address={address}\npassword=hunter2\n")
    (engine,) = found(root, "engines")
    assert (engine["engine"], engine["directory"], engine["group"]) == ("mariadb", "/data/mysql", "galera")
    assert engine["peers"] == ["10.0.0.1", "10.0.0.2"]
    assert "hunter2" not in str(look(str(root)))


def test_a_standby_tells_its_primary_and_not_its_password(root: Path) -> None:
    process(root, 9, "postgres", "-D", "/pg")
    put(root, "pg/standby.signal")
    put(root, "pg/postgresql.auto.conf", "primary_conninfo = 'user=r password=hunter2 host=10.0.0.1'\n")
    (engine,) = found(root, "engines")
    assert (engine["role"], engine["peers"]) == ("replica", ["10.0.0.1"])
    assert "hunter2" not in str(look(str(root)))


SEATS = [{"id": f"i-{n}", "address": f"10.0.0.{n}", "zone": f"z{n}"} for n in (1, 2, 3)]


def layout(**about: Any) -> str:
    said = {"engine": "galera", "cluster": "shop", "members": SEATS[:2], "arbitrator": SEATS[2], **about}
    return json.dumps(said)


def test_a_layout_tells_who_votes_and_goes_before_what_a_process_says(root: Path) -> None:
    assert found(root, "votes") == []
    process(root, 9, "garbd", "-a", "gcomm://10.9.9.9", "-g", "old")
    put(root, "etc/nospof/layout.json", layout())
    rows = found(root, "votes")
    assert [(one["role"], one["id"], one["address"], one["zone"]) for one in rows] == [
        ("member", "i-1", "10.0.0.1", "z1"),
        ("member", "i-2", "10.0.0.2", "z2"),
        ("arbitrator", "i-3", "10.0.0.3", "z3"),
    ]
    assert {(one["by"], one["group"], one["cluster"]) for one in rows} == {("layout", "galera", "shop")}
    put(root, "etc/nospof/layout.json", layout(members=[], arbitrator=None))
    assert look(str(root))["votes"]["status"] == "none"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        layout(engine="mongodb"),
        layout(members={}),
        layout(members=[{"id": "i-1"}]),
        layout(members=["i-1"]),
        layout(cluster=7),
        layout(arbitrator=[1]),
    ],
)
def test_a_layout_that_is_none_is_unreadable_and_not_none(root: Path, text: str) -> None:
    put(root, "etc/nospof/layout.json", text)
    told = look(str(root))["votes"]
    assert (told["status"], told["found"]) == ("unreadable", [])


@pytest.mark.parametrize(
    "command",
    [
        ("-a", "gcomm://10.0.0.1:4567,10.0.0.2:4567?pc.wait_prim=no", "-g", "shop"),
        ("--address=gcomm://10.0.0.2,10.0.0.1", "--group=shop", "--options=socket.ssl_key=hunter2"),
        ("--cfg", "/etc/garb.cnf"),
    ],
)
def test_an_arbitrator_of_galera_names_the_members(root: Path, command: tuple[str, ...]) -> None:
    process(root, 9, "garbd", *command)
    put(root, "etc/garb.cnf", "address = gcomm://10.0.0.1,10.0.0.2\ngroup = shop\n")
    rows = found(root, "votes")
    assert [(one["by"], one["cluster"], one["address"]) for one in rows] == [
        ("garbd", "shop", "10.0.0.1"),
        ("garbd", "shop", "10.0.0.2"),
    ]
    assert "hunter2" not in str(look(str(root)))


@pytest.mark.parametrize(
    ("where", "text", "waits"),
    [
        ("pg/postgresql.conf", "#synchronous_standby_names = ''", "off"),
        ("pg/postgresql.conf", "synchronous_standby_names = ''\t# who has it too", "off"),
        ("pg/postgresql.conf", "synchronous_standby_names = 'FIRST 1 (b)'  # b", "on"),
        ("pg/postgresql.auto.conf", "synchronous_standby_names = '*'", "on"),
        ("pg/postgresql.conf", "synchronous_standby_names = '*'\nsynchronous_commit = local", "off"),
        ("pg/other", "", ""),
    ],
)
def test_c88_whether_a_write_waits_for_a_standby_is_read_from_the_settings(
    root: Path, where: str, text: str, waits: str
) -> None:
    process(root, 9, "postgres", "-D", "/pg")
    put(root, where, text + "\n")
    (engine,) = found(root, "engines")
    assert engine["synchronous"] == waits


@pytest.mark.parametrize(
    ("text", "waits"),
    [
        ('{"synchronous_mode": true}', "on"),
        ('{"synchronous_mode": "quorum"}', "on"),
        ('{"ttl": 30}', "off"),
        ("{", ""),
        ("[]", ""),
    ],
)
def test_c88_whether_members_of_patroni_wait_is_what_patroni_keeps(root: Path, text: str, waits: str) -> None:
    process(root, 9, "postgres", "-D", "/pg")
    process(root, 10, "patroni", "/usr/bin/patroni", "/etc/patroni.yml")
    put(root, "pg/patroni.dynamic.json", text)
    put(root, "pg/postgresql.conf", "synchronous_standby_names = '*'\n")
    (engine,) = found(root, "engines")
    assert (engine["group"], engine["synchronous"]) == ("patroni", waits)


def test_a_machine_that_is_a_directory_tells_its_data_as_the_machine_has_it(root: Path) -> None:
    process(root, 9, "postgres", "-D", f"{root}/pg")
    put(root, "pg/standby.signal")
    (engine,) = found(root, "engines")
    assert (engine["directory"], engine["role"]) == ("/pg", "replica")


def test_hardware_of_a_virtual_machine_is_not_applicable_and_of_metal_is_read(root: Path) -> None:
    put(root, "sys/class/dmi/id/sys_vendor", "Amazon EC2\n")
    put(root, "sys/class/dmi/id/product_name", "m5.large\n")
    put(root, "sys/devices/system/edac/mc/mc0/ce_count", "3\n")
    put(
        root,
        "proc/net/bonding/bond0",
        "Slave Interface: eth0\nMII Status: up\n\nSlave Interface: eth1\nMII Status: down\n",
    )
    assert {look(str(root))[one]["status"] for one in ("memory", "bonds", "routing")} == {"not applicable"}
    put(root, "sys/class/dmi/id/product_name", "m5.metal\n")
    assert found(root, "memory") == [{"name": "mc0", "corrected": 3, "uncorrected": 0}]
    assert found(root, "bonds") == [{"name": "bond0", "up": ["eth0"], "down": ["eth1"]}]


def test_hidden_processes_are_unreadable_and_not_none(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    assert look(str(tmp_path))["engines"]["status"] == "unreadable"


def test_uploads_and_sessions_are_told(root: Path) -> None:
    put(root, "var/www/files/a.png", "x")
    put(root, "var/lib/php/sessions/sess_1", "secret")
    assert found(root, "written") == [{"directory": "/var/www/files", "files": 1}]
    assert found(root, "sessions") == [{"directory": "/var/lib/php/sessions", "files": 1}]


def test_crontabs_of_packages_that_leave_it_to_their_timer_are_no_jobs_but_certbots_is(root: Path) -> None:
    guard = "09,39 * * * * root if [ ! -d /run/systemd/system ]; then {}; fi\n"
    put(root, "etc/cron.d/php", "# purges sessions\nPATH=/usr/bin\n\n" + guard.format("sessionclean"))
    put(root, "etc/cron.d/certbot", guard.format("certbot -q renew"))
    put(root, "etc/cron.d/edited", guard.format("sessionclean") + "0 3 * * * root send-invoices\n")
    put(root, "etc/cron.d/wiki", "* * * * * www-data runJobs\n")
    put(root, "etc/cron.d/empty", "# nothing yet\n")
    names = ["certbot", "edited", "empty", "wiki"]
    assert found(root, "jobs") == [{"kind": "cron", "name": f"/etc/cron.d/{one}"} for one in names]


def test_a_crontab_that_may_not_be_read_counts_as_a_job(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(root, "etc/cron.d/hidden", "* * * * * root test -d /run/systemd/system || clean\n")
    assert found(root, "jobs") == []
    real = os.open

    def forbidden(path: Any, *more: Any, **options: Any) -> int:
        if str(path).endswith("/hidden"):
            raise PermissionError(path)
        return real(path, *more, **options)

    monkeypatch.setattr(os, "open", forbidden)
    assert [one["name"] for one in found(root, "jobs")] == ["/etc/cron.d/hidden"]


def test_what_is_forbidden_is_unreadable_with_the_permission(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.listdir

    def listdir(path: Any) -> Any:
        if str(path).endswith("/spool/cron"):
            raise PermissionError(path)
        return real(path)

    monkeypatch.setattr(os, "listdir", listdir)
    answer = look(str(root))
    assert answer["jobs"]["status"] == "unreadable"
    assert "/var/spool/cron" in answer["jobs"]["reason"]
    assert answer["units"]["status"] == "none"


def test_pipes_loops_rubbish_and_links_out_do_no_harm(root: Path) -> None:
    (root / "etc/nginx").mkdir(parents=True)
    (root / "var/www").mkdir(parents=True)
    os.mkfifo(root / "etc/fstab")
    os.mkfifo(root / "etc/nginx/a.crt")
    os.symlink("/dev/zero", root / "etc/hostname")
    os.symlink("resolv.conf", root / "etc/resolv.conf")
    os.symlink(root / "var/www", root / "var/www/loop")
    os.symlink("/etc/passwd", root / "etc/machine-id")
    put(root, "proc/mounts", "\udcff\x00 broken".encode("utf-8", "surrogateescape").decode("latin-1") * 9)
    with (root / "etc/my.cnf").open("wb") as huge:
        huge.truncate(1 << 40)
    process(root, 9, "mysqld")
    answer = look(str(root))
    assert [
        name for name in ("fstab", "resolvers", "certificates", "identity") if answer[name]["found"]
    ] == []
    assert found(root, "engines")[0]["engine"] == "mysql"


def test_a_drop_in_says_whether_a_unit_is_started_again(root: Path) -> None:
    put(root, "etc/systemd/system/a.service", "[Service]\nRestart=no\n")
    put(root, "etc/systemd/system/a.service.d/nospof.conf", "[Service]\nRestart=always\n")
    put(root, "etc/systemd/system/b.service", "[Service]\nExecStart=/bin/true\n")
    assert found(root, "units") == [
        {"name": "a.service", "restart": "always"},
        {"name": "b.service", "restart": "no"},
    ]


def test_the_same_machine_gives_the_same_bytes_that_fit(root: Path) -> None:
    for number in range(150):
        put(root, f"etc/cron.d/{os.urandom(90).hex()}{number}")
        put(root, f"etc/systemd/system/{os.urandom(90).hex()}.service")
    line = packed(look(str(root)))
    assert line == packed(look(str(root)))
    assert len(line) <= probe_script.OUTPUT_CHARACTERS
    document, problem = answer_of(line)
    assert problem == ""
    assert document is not None
    assert "unreadable" in {document["jobs"]["status"], document["units"]["status"]}


def test_what_is_sent_is_of_python_3_6_and_answers_alone(root: Path) -> None:
    for module in (probe_machine, probe_engines, probe_identity, probe_web, probe_script):
        ast.parse(Path(module.__file__).read_text(), feature_version=(3, 6))
        assert "from __future__" not in Path(module.__file__).read_text()  # not in 3.6
    done = subprocess.run(["/bin/sh", "-c", script()], capture_output=True, text=True, timeout=60, check=True)
    document, problem = answer_of(done.stdout)
    assert (problem, document and document["schema"]) == ("", SCHEMA), sys.version
    bare = subprocess.run(
        ["/bin/sh", "-c", script().replace("python3", "nopython3").replace("/usr/", "/nowhere/")],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert answer_of(bare.stdout.replace("nopython3", "python3"))[1] == "there is no python3 on the machine"


@pytest.mark.parametrize("said", ["", f"{SCHEMA} !!", f"{SCHEMA} eJw=", f"{SCHEMA} aGFsbG8=", "hello"])
def test_an_answer_that_is_none_is_told_so(said: str) -> None:
    document, problem = answer_of(said)
    assert document is None
    assert problem


# When a file counts as changed ------------------------------------------------------------------------


def aged(path: Path, days: float) -> None:
    then = time.time() - days * 86_400
    os.utime(path, (then, then))


def test_a_file_of_last_week_counts_however_short_ago_the_machine_booted(root: Path) -> None:
    put(root, "proc/stat", f"btime {int(time.time())}\n")
    put(root, "var/www/upload.png")
    aged(root / "var/www/upload.png", 7)
    assert found(root, "written") == [{"directory": "/var/www", "files": 1}]
    aged(root / "var/www/upload.png", 40)
    assert found(root, "written") == []


def test_what_came_with_the_image_does_not_count_and_the_answer_says_since_when(root: Path) -> None:
    put(root, "srv/www/index.html")
    aged(root / "srv/www/index.html", 1)
    assert found(root, "written")  # nobody could tell when the machine was made
    put(root, "etc/machine-id", "0123\n")
    answer = look(str(root))["written"]
    assert answer["status"] == "none"
    assert answer["since"] == int((root / "etc/machine-id").stat().st_ctime)


def test_the_end_of_the_first_start_is_when_a_machine_was_made(root: Path) -> None:
    put(root, "etc/machine-id", "0123\n")
    put(root, "var/lib/cloud/instance/sem/config_scripts_user")
    aged(root / "var/lib/cloud/instance/sem/config_scripts_user", 3)
    for name, days in (("installed", 4.0), ("uploaded", 2.0)):
        put(root, f"srv/{name}/file")
        aged(root / f"srv/{name}/file", days)
    assert found(root, "written") == [{"directory": "/srv/uploaded", "files": 1}]


def test_a_machine_made_in_the_future_has_a_wrong_clock_and_everything_counts(root: Path) -> None:
    put(root, "var/lib/cloud/instance/sem/config_scripts_user")
    aged(root / "var/lib/cloud/instance/sem/config_scripts_user", -9)
    put(root, "srv/a")
    assert found(root, "written")


def test_directories_that_others_lend_are_not_entered(root: Path) -> None:
    put(
        root,
        "proc/mounts",
        "10.0.0.9:/up /srv/up nfs4 rw 0 0\n10.0.0.9:/s /var/lib/php/sessions nfs4 rw 0 0\n",
    )
    put(root, "srv/up/a.png")
    put(root, "srv/own/a.png")
    put(root, "var/lib/php/sessions/sess_1")
    assert found(root, "written") == [{"directory": "/srv/own", "files": 1}]
    assert found(root, "sessions") == []


@pytest.mark.parametrize(
    ("file", "says"),
    [
        (
            "etc/apache2/sites-enabled/blog.conf",
            'DocumentRoot /usr/share/blog\n  Alias /up "/var/lib/blog/up/"\n',
        ),
        (
            "etc/nginx/sites-enabled/blog",
            "server { root /usr/share/blog; location /up { alias /var/lib/blog/up; } }",
        ),
        (
            "etc/nginx/conf.d/blog.conf",
            "root /var/lib/blog;\nroot /var/lib/blog/up;\nroot $other/x;\nroot /var/lib/lent/a;",
        ),
    ],
)
def test_uploads_count_wherever_a_web_server_is_told_to_serve_them_and_what_packages_brought_does_not(
    root: Path, file: str, says: str
) -> None:
    for name in ("var/lib/blog/up", "usr/share/blog", "var/lib/other", "var/lib/lent/a"):
        put(root, f"{name}/file")
    put(root, "proc/mounts", "10.0.0.9:/a /var/lib/lent nfs4 rw 0 0\n")
    assert found(root, "written") == []
    put(root, file, says)
    assert found(root, "written") == [{"directory": "/var/lib/blog/up", "files": 1}]


@pytest.mark.parametrize(
    ("members", "joining", "is_in_step"), [(2, [], True), (2, ["KEY"], False), (1, [], False), (0, [], False)]
)
def test_uploads_that_another_member_has_too_are_told_as_such(
    root: Path, members: int, joining: list[str], is_in_step: bool
) -> None:
    sharing = {"members": [{}] * members, "directories": ["/srv/up"], "joining": joining}
    put(root, "etc/nospof/files.json", json.dumps(sharing))
    for name in ("srv/up/2026/11", "srv/uploads"):
        put(root, f"{name}/file")
    both = {"in_step": True} if is_in_step else {}
    assert found(root, "written") == [
        {"directory": "/srv/up/2026/11", "files": 1, **both},
        {"directory": "/srv/uploads", "files": 1},
    ]
    put(root, "etc/nospof/files.json", "[]")
    assert look(str(root))["written"]["status"] == "unreadable"


def test_hidden_directories_count_and_what_is_made_again_does_not(root: Path) -> None:
    for name in (".uploads", ".git", "__pycache__"):
        put(root, f"srv/{name}/file")
    assert found(root, "written") == [{"directory": "/srv/.uploads", "files": 1}]
