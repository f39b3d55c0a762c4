"""How soon a browser shows the console's pages of an account with a hundred services, beside static pages.

The account is plain moto with a hundred pairs behind a balancer each. Each page is loaded several times in
headless Chromium, in a context of its own; the floor is the same bytes, saved, from Python's own file server.
"Read anew" is the page with everything asked of the cloud again, moto's own time included.
Run: python bench/console_pages.py
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

from playwright.sync_api import Browser, sync_playwright

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from support.local_cloud import RunningCloud, client
from support.moto_server import running_moto
from support.served import Served, served
from support.site import Site

SERVICES = 100
LOADS = 15
REGION = "eu-west-3"
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
WEIGHT = "[document.documentElement.outerHTML.length, document.querySelectorAll('*').length]"


@dataclass
class Endpoint:
    """Where clients of AWS are pointed at."""

    environment: dict[str, str]


class Silent(SimpleHTTPRequestHandler):
    """A file server that says nothing."""

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""

    def copyfile(self, source: Any, outputfile: Any) -> None:
        """Send a file; a browser that has gone does not want it."""
        with suppress(BrokenPipeError):
            super().copyfile(source, outputfile)


def fill(url: str) -> None:
    """Make the services: two instances of two zones each, a group and a balancer."""
    ec2, elb = client(url, "ec2", REGION), client(url, "elbv2", REGION)
    subnets = ec2.describe_subnets()["Subnets"][:2]
    image = ec2.register_image(Name="bench", RootDeviceName="/dev/sda1")["ImageId"]
    for number in range(SERVICES):
        name = f"service-{number:03}"
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}]
        members = [
            ec2.run_instances(
                ImageId=image, MinCount=1, MaxCount=1, SubnetId=one["SubnetId"], TagSpecifications=tags
            )["Instances"][0]["InstanceId"]
            for one in subnets
        ]
        made = elb.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=subnets[0]["VpcId"])
        group = made["TargetGroups"][0]["TargetGroupArn"]
        elb.register_targets(TargetGroupArn=group, Targets=[{"Id": one} for one in members])
        ids = [one["SubnetId"] for one in subnets]
        balancer = elb.create_load_balancer(Name=name, Subnets=ids)["LoadBalancers"][0]["LoadBalancerArn"]
        forward = [{"Type": "forward", "TargetGroupArn": group}]
        elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=forward)


@contextmanager
def files(directory: Path) -> Iterator[str]:
    """Serve a directory, and yield its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(directory)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def paints(browser: Browser, address: str, cookies: list[Any]) -> tuple[list[float], list[int]]:
    """Return when each load first showed something, in milliseconds, and the page's letters and elements."""
    found, weight = [], [0, 0]
    for _ in range(LOADS):
        with browser.new_context() as context:
            context.add_cookies(cookies)
            page = context.new_page()
            page.goto(address)
            page.wait_for_function(f"() => {PAINT} > 0")
            found.append(float(page.evaluate(PAINT)))
            weight = page.evaluate(WEIGHT)
    return found, weight


def measure(server: Served, browser: Browser) -> None:
    here = f"http://127.0.0.1:{server.port}"
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(here)
        page.fill("#token", server.tokens["operator"])
        page.keyboard.press("Enter")
        began = time.monotonic()
        page.wait_for_url("**/services", timeout=120_000)
        print(f"first page after signing in, account read: {time.monotonic() - began:.1f} s")
        cookies = context.cookies()
        print("\n| page | letters, elements | first paint p50 | longest | floor p50 | ratio |")
        print("|---|---|---|---|---|---|")
        with tempfile.TemporaryDirectory() as saved, files(Path(saved)) as floor:
            static = Path(saved) / "static"
            static.mkdir()
            for name in ("console.css", "console.js", "page.css", "page.js", "icon.svg"):
                (static / name).write_bytes(context.request.get(f"{here}/static/{name}").body())
            for path in ("/services", "/services/service-007", "/runs", "/act/pair"):
                (Path(saved) / "page.html").write_bytes(context.request.get(here + path).body())
                took, (letters, elements) = paints(browser, here + path, cookies)
                least, _ = paints(browser, f"{floor}/page.html", [])
                p50, least_p50 = statistics.median(took), statistics.median(least)
                print(
                    f"| {path} | {letters:,}, {elements:,} | {p50:.0f} ms | {max(took):.0f} ms "
                    f"| {least_p50:.0f} ms | {p50 / least_p50:.2f} |",
                    flush=True,
                )
        anew = []
        for _ in range(3):
            began = time.monotonic()
            context.request.get(f"{here}/services?fresh=true", timeout=120_000)
            anew.append(time.monotonic() - began)
        print(f"\n/services, read anew: {statistics.median(anew):.1f} s")


def main() -> None:
    with running_moto() as url, tempfile.TemporaryDirectory() as home:
        fill(url)
        environment = {
            "AWS_ENDPOINT_URL": url,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
        }
        site = Site(cast(RunningCloud, Endpoint(environment)), Path(home))
        root = ["--no-sandbox"] if os.geteuid() == 0 else []
        with (
            sync_playwright() as playwright,
            served(site) as server,
            playwright.chromium.launch(executable_path=shutil.which("chromium"), args=root) as browser,
        ):
            print(f"Chromium {browser.version}")
            measure(server, browser)


if __name__ == "__main__":
    main()
