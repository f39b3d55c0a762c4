"""What a look inside a machine means for turning it off and for copying it."""

from __future__ import annotations

from typing import Any

from nospof.model.external import Used
from nospof.model.item import item_of
from nospof.model.machine import Looked
from nospof.model.surroundings import Listening, WebSetting
from nospof.procedures.looking import MACHINE, inside_of, look_inside
from support.memory_world import memory_world, one_instance

NONE = {"status": "none", "found": []}
QUIET: dict[str, Any] = dict.fromkeys(
    ("fstab", "mounts", "jobs", "engines", "sessions", "written", "files"), NONE
)


def inside(**sections: Any) -> Any:
    return inside_of(item_of(MACHINE, {**QUIET, MACHINE.id: "i-1", **sections}))


def found(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"status": "found", "found": list(rows)}


def test_a_quiet_machine_has_nothing_to_tell() -> None:
    assert inside() == inside_of(item_of(MACHINE, {**QUIET, MACHINE.id: "i-1"}))
    assert (inside().boot_traps, inside().jobs, inside().keeps, inside().unread) == ((), (), (), ())


def test_c07_a_mount_that_is_not_there_keeps_it_from_booting() -> None:
    line = {"point": "/data", "type": "ext4", "nofail": False, "by_kernel_name": True}
    (trap,) = inside(fstab=found(line)).boot_traps
    assert "/data" in trap
    assert inside(fstab=found({**line, "nofail": True})).boot_traps == ()


def test_c54_jobs_are_named() -> None:
    assert inside(jobs=found({"kind": "cron", "name": "/etc/cron.d/drupal"})).jobs == (
        "cron /etc/cron.d/drupal",
    )


def test_c69_c71_what_it_keeps_is_named() -> None:
    kept = inside(engines=found({"engine": "mariadb"}), sessions=found({"directory": "/var/lib/php"})).keeps
    assert kept == ("engines mariadb", "sessions /var/lib/php")


def test_a_section_that_was_not_read_is_named_and_not_taken_for_empty() -> None:
    (told,) = inside(jobs={"status": "unreadable", "reason": "not root"}).unread
    assert told == "jobs of i-1: not root"


def test_c74_who_listens_and_how_servers_are_set_is_taken_over() -> None:
    setting = {"server": "nginx", "setting": "keepalive_timeout", "value": "65", "path": "/etc/nginx.conf"}
    seen = inside(
        web=found(setting), listening=found({"address": "10.0.0.2", "port": 80, "process": "nginx"})
    )
    assert seen.web == (WebSetting(**setting),)
    assert (seen.listening, seen.web_unread) == ((Listening(80, "nginx"),), "")
    unread = inside(web={"status": "unreadable", "reason": "not root"})
    assert (unread.web_unread, unread.unread) == ("web servers of i-1: not root", ())


def test_c99_c100_what_it_uses_of_others_is_taken_over_and_its_own_disks_are_not() -> None:
    disk = {"point": "/", "type": "ext4", "device": "nvme0n1", "server": "", "export": ""}
    lent = {"point": "/srv", "type": "nfs4", "device": "", "server": "fs-1", "export": "/"}
    line = {"address": "10.0.1.5", "port": 3306, "process": "php-fpm"}
    seen = inside(mounts=found(disk, lent), connections=found(line))
    assert seen.uses == (Used("fs-1", point="/srv"), Used("10.0.1.5", 3306, process="php-fpm"))
    assert seen.uses_unread == ""
    unread = inside(connections={"status": "unreadable", "reason": "not root"})
    assert (unread.uses_unread, unread.unread) == ("connections of i-1: not root", ())


def test_a_machine_nobody_can_look_into_says_so() -> None:
    cloud = one_instance()
    world = memory_world(cloud)
    assert "nobody here can look" in look_inside(world, cloud.the_instance).unread[0]


def test_a_machine_that_gives_no_answer_says_why() -> None:
    class Mute:
        def look(self, instance_ids: Any) -> Any:
            return iter([Looked(one, problem="not managed by SSM") for one in instance_ids])

    cloud = one_instance()
    world = memory_world(cloud)
    mute = type(world)(**{**vars(world), "machines": Mute()})
    assert look_inside(mute, cloud.the_instance).unread == (
        f"what is inside {cloud.the_instance.id}: not managed by SSM",
    )
