"""What clients notice of planned maintenance of a pair: of what goes as planned, and of what does not.

The demonstration's site is a pair in a local cloud, its comments and uploads in a PostgreSQL that both keep
in step. Clients read its first page 300 times a second and write to it meanwhile; `nospof maintain apply` is
a program of its own. Afterwards every acknowledged write is looked for, on each member. The first row is the
floor: the same load, with nothing done. Run: python bench/maintenance.py [numbers of rows, default all]
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from nospof.cli.demo import SITE
from support import ec2_words
from support.local_cloud import running_cloud
from support.maintained import Maintained, maintained
from support.site import Site
from support.waiting import eventually

RATE = 300
FLOOR_SECONDS = 30.0
APPLY = ("maintain", "apply", SITE, "--yes", "--format", "json")
PATIENCE_SECONDS = 280


class Night:
    """A pair, and nospof as a program beside it."""

    def __init__(self, site: Site, pair: Maintained) -> None:
        self.site, self.pair = site, pair
        self.first, self.second = pair.pair.members

    def apply(self, *more: str) -> str:
        """Take what is announced; return how it ended."""
        return self.ended(self.site.start(*APPLY, *more))

    def ended(self, program: subprocess.Popen[str]) -> str:
        """Wait for a program; return what it says it did, or why it did not."""
        out, err = program.communicate(timeout=PATIENCE_SECONDS)
        if program.returncode not in (0, 13):
            return f"exit {program.returncode}: {err.strip().splitlines()[-1][:60]}"
        found = json.loads(out)
        members = found.get("result", found).get("members", ())
        return "; ".join(
            f"{one['way'] or 'nothing to take'}, out {one['seconds_out_of_service']:.1f} s" for one in members
        )

    def while_it_drains(self, act: Callable[[], object]) -> str:
        """Take what is announced, and do something once a member drains."""
        program = self.site.start(*APPLY)
        targets, group = self.pair.world.cloud.targets, self.pair.pair.target_group_arn
        eventually(
            lambda: any(one.state == "draining" for one in targets(group)), "it drains", timeout_seconds=120
        )
        act()
        return self.ended(program)

    def admin(self, path: str, **asked: object) -> None:
        """Ask the local cloud itself."""
        status, answer = self.site.cloud.admin("POST", path, asked)
        assert status == 200, answer


def nothing(_night: Night) -> str:
    time.sleep(FLOOR_SECONDS)
    return "the floor"


def one_reboot(night: Night) -> str:
    night.pair.announce(night.first, "system-reboot")
    return night.apply()


def one_retirement(night: Night) -> str:
    night.pair.announce(night.second, "instance-retirement")
    return night.apply()


def both(night: Night) -> str:
    for one in (night.first, night.second):
        night.pair.announce(one, "system-reboot")
    return night.apply()


def called_off(night: Night) -> str:
    event = night.pair.announce(night.first, "system-reboot")
    return night.while_it_drains(lambda: night.admin("event/cancel", event=event))


def moved(night: Night) -> str:
    event = night.pair.announce(night.first, "system-reboot")
    return night.while_it_drains(lambda: night.admin("event/move", event=event, seconds=2 * 86400))


def reboot_that_never_comes_back(night: Night) -> str:
    night.pair.announce(night.second, "system-reboot")
    night.admin("fault", instance=night.second, fault="lose-by-reboot")
    return night.apply("--by", "reboot")


def aws_does_it(night: Night) -> str:
    night.pair.announce(night.second, "system-reboot", seconds=30)
    return night.apply("--by", "aws")


def killed(night: Night) -> str:
    night.pair.announce(night.first, "system-reboot")
    program = night.site.start(*APPLY)
    ec2 = night.site.cloud.client("ec2")
    eventually(lambda: ec2_words.state(ec2, night.first) != "running", "it stops", timeout_seconds=120)
    program.kill()
    program.communicate()
    run = night.site.the_run()["id"]
    return night.ended(night.site.start("runs", "resume", run, "--format", "json"))


def killed_at_each_step(night: Night) -> str:
    """Kill it before and after each step that a turn has, as the last turn that was not killed tells them."""
    night.pair.announce(night.first, "system-reboot")
    night.apply()
    steps = night.site.answer("runs", "show", night.site.the_run()["id"])["steps"]
    places = [f"{side} {one['name']}" for one in steps for side in ("before", "after")]
    night.pair.announce(night.first, "system-reboot")
    command = APPLY
    for place in places:
        done = night.site.nospof(*command, NOSPOF_FAILPOINT=place)
        assert done.returncode == -signal.SIGKILL, (place, done.returncode, done.stderr[-1000:])
        command = ("runs", "resume", night.site.the_run()["id"], "--format", "json")
    return f"{len(places)} times: {night.ended(night.site.start(*command))}"


ROWS: dict[str, Callable[[Night], str]] = {
    "nothing is done": nothing,
    "system-reboot of one": one_reboot,
    "instance-retirement of one": one_retirement,
    "system-reboot of both, in one window": both,
    "called off while it drains": called_off,
    "moved while it drains": moved,
    "a reboot that never comes back": reboot_that_never_comes_back,
    "nospof killed with -9 while the member is off": killed,
    "AWS does it, while the member is out": aws_does_it,
    "nospof killed with -9 before and after each step": killed_at_each_step,
}


def measure(night: Night, name: str) -> None:
    says, seen = night.pair.under_load(RATE, lambda: ROWS[name](night))
    kept = sum(one.acknowledged for one in seen.writes)
    lost, failed = (sum(getattr(one, what) for one in seen.writes) for what in ("lost_count", "failed"))
    print(
        f"| {name} | {seen.failed} of {seen.total:,} | {failed} of {kept + failed:,} | {lost} | {says} |",
        flush=True,
    )
    eventually(
        lambda: night.site.nospof("data", "status", SITE).returncode == 0, "in step", timeout_seconds=240
    )


def main() -> None:
    names = list(ROWS)
    wanted = [names[int(one)] for one in sys.argv[1:]] or names
    print("| case | failed GETs | failed writes | lost | what was done |\n|---|---|---|---|---|")
    with running_cloud("bench") as cloud, tempfile.TemporaryDirectory() as home:
        night = Night(Site(cloud, Path(home)), maintained(cloud))
        for name in wanted:
            measure(night, name)


if __name__ == "__main__":
    main()
