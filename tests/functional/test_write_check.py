"""A pair whose twin has to take a write first, given by its operator."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from support.site import Site
from support.waiting import eventually

pytestmark = pytest.mark.local_cloud

GUESTBOOK = """\
#!{python}
import http.server, os

class Guestbook(http.server.BaseHTTPRequestHandler):
    entries = b""
    def do_GET(self): self.say(Guestbook.entries or b"empty")
    def do_POST(self):
        Guestbook.entries += self.rfile.read(int(self.headers["Content-Length"])) + b" "
        self.say(b"thanks")
    def say(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer((os.environ["NOSPOF_ADDRESS"], 8081), Guestbook).serve_forever()
"""
CHECK = """\
import os, sys, urllib.request
url, mark = os.environ["NOSPOF_TWIN_URL"], "from-" + os.environ["NOSPOF_TWIN"]
if not os.path.exists(sys.argv[1]):
    sys.exit("nobody may write yet")
urllib.request.urlopen(url + "/book", mark.encode(), timeout=10).close()
with urllib.request.urlopen(url + "/book", timeout=10) as page:
    read = page.read().decode()
with open(sys.argv[1], "a") as told:
    told.write(url + " " + str(read.count(mark)) + "\\n")
sys.exit(mark not in read)
"""


def registered(site: Site) -> list[str]:
    elb = site.cloud.client("elbv2")
    (group,) = elb.describe_target_groups()["TargetGroups"]
    health = elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
    return [one["Target"]["Id"] for one in health]


def test_c60_the_source_joins_only_once_the_twin_took_a_write_and_gave_it_back(
    site: Site, tmp_path: Path
) -> None:
    source = site.launch("guestbook")
    at = site.cloud.endpoint.dir / "machines" / source / "disk/etc/services/guestbook"
    at.write_text(GUESTBOOK.format(python=sys.executable))
    at.chmod(0o755)
    site.cloud.client("ec2").reboot_instances(InstanceIds=[source])
    check, told = tmp_path / "check.py", tmp_path / "told"
    check.write_text(CHECK)

    asked = ["pair", source, "--service", "guestbook", "--stateless", "--yes", "--allow-address-change"]
    asked += [
        "--port",
        "8081",
        "--listener-port",
        "8081",
        "--write-check",
        f"{sys.executable} {check} {told}",
    ]
    refused = site.nospof(*asked)
    assert refused.returncode == 4, refused.stderr
    assert "it ended with 1: nobody may write yet" in refused.stderr
    assert source not in registered(site)

    told.touch()
    resumed = site.answer("runs", "resume", site.the_run()["id"])["result"]
    eventually(lambda: sorted(registered(site)) == sorted(resumed["members"]))
    own, through = told.read_text().splitlines()
    assert own.endswith(":8081 1")
    assert through.startswith(resumed["url"])
    assert through.endswith(" 2")
