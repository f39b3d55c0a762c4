"""The console in a real browser: sign in, look, ask for a plan, have it done, take it apart."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from support.balanced import balanced
from support.ec2_words import launch, running
from support.local_cloud import RunningCloud
from support.served import Served, served
from support.site import Site, world

CHROMIUM = shutil.which("chromium") or ""
pytestmark = [
    pytest.mark.local_cloud,
    pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed"),
]
WIDE, PHONE = {"width": 1200, "height": 900}, {"width": 390, "height": 844}
expect.set_options(timeout=120_000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Root has no sandbox; the pages are our own.
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        with playwright.chromium.launch(executable_path=CHROMIUM, args=options) as one:
            yield one


class Visitor:
    """Somebody with a browser; what it complained of is a fault."""

    def __init__(
        self, browser: Browser, server: Served, shots: Path, role: str = "operator", **settings: object
    ) -> None:
        self._shots = shots
        self.context: BrowserContext = browser.new_context(
            **{"viewport": WIDE, **settings}  # type: ignore[arg-type]
        )
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", lambda said: self.complaints.append(said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.asked: set[str] = set()
        self.page.on("request", lambda request: self.asked.add(request.url.split("/")[2]))
        self.address = f"http://127.0.0.1:{server.port}"
        self.page.goto(f"{self.address}/")
        self.page.fill("#token", server.tokens[role])
        self.page.keyboard.press("Enter")
        self.page.wait_for_url("**/services")

    def go(self, path: str) -> None:
        self.page.goto(f"{self.address}{path}")

    def shoots(self, name: str) -> None:
        """Keep what the page looks like, beside what else the test keeps."""
        number = len([*self._shots.glob("*.png")])
        self.page.screenshot(path=self._shots / f"{number:02} {name}.png", full_page=True)

    def leaves_content(self) -> None:
        assert self.complaints == []
        assert self.asked == {self.address.removeprefix("http://")}, "something came from elsewhere"
        self.context.close()


def shown(page: Page, procedure: str) -> None:
    """Ask for the plan of what the form says."""
    page.locator("#act button").click()
    expect(page.locator("#plan")).to_be_visible()
    expect(page.locator("#command")).to_contain_text(f"nospof {procedure}")


def ended(page: Page) -> None:
    """Wait until the run on the page is done, and look at what it came to."""
    expect(page.locator("#state")).to_have_text("done")
    expect(page.locator("#outcome")).to_be_visible()


def do_it(page: Page, procedure: str) -> None:
    page.get_by_role("button", name="Do it").click()
    page.wait_for_url(f"**/runs/{procedure}-*")


def test_the_whole_story_is_clicked_through(browser: Browser, site: Site, tmp_path: Path) -> None:
    source = site.launch("blog")
    before = world(site)
    with served(site) as server:
        visitor = Visitor(browser, server, tmp_path)
        look_around_and_make_it_two(visitor, source)
        paired = site.the_run()["id"]
        assert visitor.page.locator("#steps li").count() == len(site.answer("runs", "show", paired)["steps"])
        event = {"instance": source, "code": "system-reboot", "seconds": 3600}
        assert site.cloud.admin("POST", "event", event)[0] == 200
        take_what_is_announced(visitor)
        drill(visitor)
        take_apart(visitor, paired)
        visitor.leaves_content()
    assert [one["state"] for one in site.answer("runs", "list")] == ["done"] * 4
    after = world(site)
    for part in ("instances", "images", "balancers", "target groups"):
        assert after[part] == before[part], part


def look_around_and_make_it_two(visitor: Visitor, source: str) -> None:
    page = visitor.page
    page.get_by_role("link", name="Audit").click()
    expect(page.locator(".verdict.bad")).to_be_visible()
    visitor.shoots("audit")
    page.get_by_role("link", name="Services").click()
    page.get_by_role("link", name="blog").click()
    expect(page.locator("svg.picture")).to_be_visible()
    visitor.shoots("one instance")
    page.get_by_role("link", name="Make it two").click()
    page.fill("[name=port]", "8080")
    page.fill("[name=health_path]", "/health")
    page.get_by_text("More").click()
    page.fill("[name=listener_port]", "8080")
    page.fill("[name=drain_seconds]", "1")
    page.check("[name=allow_address_change]")
    page.check("[name=stateless]")
    shown(page, f"pair {source}")
    expect(page.locator("#facts")).to_contain_text("off, as far as can be expected")
    expect(page.locator("#warnings li").first).to_be_visible()
    visitor.shoots("the plan of a pair")
    page.fill("[name=port]", "80")
    page.get_by_role("button", name="Do it").click()
    expect(page.locator("#told")).to_contain_text("show it again")
    page.fill("[name=port]", "8080")
    do_it(page, "pair")
    expect(page.locator("#now")).to_be_visible()
    page.reload()  # in mid-run: it shows what the journal has, and goes on
    visitor.shoots("a pair being made")
    ended(page)
    visitor.shoots("a pair made")


def take_what_is_announced(visitor: Visitor) -> None:
    page = visitor.page
    visitor.go("/services?fresh=true")
    page.get_by_role("link", name="blog").click()
    expect(page.get_by_text("system-reboot").first).to_be_visible()
    expect(page.locator("#live").get_by_text("serves", exact=True)).to_have_count(2)
    visitor.shoots("a pair with something announced")
    page.get_by_role("link", name="Take what is announced").click()
    page.get_by_text("More").click()
    page.check("[name=now]")
    shown(page, "maintain apply blog")
    do_it(page, "apply")
    ended(page)
    visitor.shoots("what was announced is taken")


def drill(visitor: Visitor) -> None:
    page = visitor.page
    visitor.go("/act/drill?service=blog")
    page.get_by_text("More").click()
    page.fill("[name=seconds]", "12")
    shown(page, "drill blog")
    do_it(page, "drill")
    expect(page.locator("svg.plot path.served").first).to_be_visible()
    expect(page.locator("svg.plot")).to_contain_text("broken")
    visitor.shoots("a drill under way")
    ended(page)
    expect(page.locator("#outcome")).to_contain_text("passed: 0 of")
    visitor.shoots("a drill")
    visitor.go("/services/blog")
    expect(page.get_by_role("heading", name="Last drills")).to_be_visible()


def take_apart(visitor: Visitor, paired: str) -> None:
    page = visitor.page
    page.get_by_role("link", name="Runs").click()
    visitor.shoots("runs")
    page.get_by_role("link", name=paired).click()
    page.get_by_role("link", name="Take apart").click()
    shown(page, "runs undo")
    expect(page.locator("#warnings")).to_contain_text("--clients-are-back")
    page.check("[name=clients_are_back]")
    shown(page, "runs undo")
    do_it(page, "undo")
    ended(page)
    visitor.shoots("taken apart")


def test_a_server_that_is_killed_in_mid_run_and_back_is_picked_up_by_the_page(
    browser: Browser, site: Site, tmp_path: Path
) -> None:
    source = site.launch("killed")
    with served(site) as first:
        visitor = Visitor(browser, first, tmp_path)
        run_id = first.begin(
            "clone",
            {"instance_id": source, "port": 8080, "path": "/health", "allow_address_change": True},
            "a",
        )
        visitor.go(f"/runs/{run_id}")
        expect(visitor.page.locator("#steps li").first).to_be_visible()
        first.kill()
        with served(site, "--port", str(first.port)):
            expect(visitor.page.locator("#state")).to_have_text("done")
            visitor.context.close()


def test_a_viewer_on_a_phone_in_the_dark_reads_everything_and_changes_nothing(
    browser: Browser, site: Site, local_cloud: RunningCloud, tmp_path: Path
) -> None:
    members = [running(local_cloud.client("ec2"), launch(local_cloud)) for _ in range(2)]
    balanced(local_cloud, members, "shop")
    with served(site) as server:
        visitor = Visitor(browser, server, tmp_path, "viewer", viewport=PHONE, color_scheme="dark")
        page = visitor.page
        for path in ("/services", "/services/shop", "/audit?what_if=fail%20zone:us-east-1a", "/runs"):
            visitor.go(path)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= PHONE["width"], (path, wide)
            visitor.shoots(path[1:9].replace("/", " "))
            assert page.locator("a.act, button.danger").count() == 0
        assert not {"Log", "Act"} & {*page.locator("nav a").all_inner_texts()}
        visitor.leaves_content()
        visitor = Visitor(browser, server, tmp_path, "viewer")
        for path in ("/act", "/act/drill?service=shop", "/deeds"):
            visitor.go(path)
            expect(visitor.page.locator("main")).to_contain_text("this is for operators")
        visitor.context.close()


def test_who_is_not_signed_in_is_led_to_where_one_is_and_back(browser: Browser, site: Site) -> None:
    with served(site) as server, browser.new_context() as context:
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{server.port}/runs?after=")
        page.fill("#token", "guess")
        page.keyboard.press("Enter")
        expect(page.locator("#told")).to_contain_text("not one of this server")
        page.fill("#token", server.tokens["viewer"])
        page.keyboard.press("Enter")
        page.wait_for_url("**/runs?after=")
        for elsewhere in (
            "//attacker.example",
            "/%5Cattacker.example",
            "/%09/attacker.example",
            "javascript:1",
        ):
            page.goto(f"http://127.0.0.1:{server.port}/login?next={elsewhere}")
            page.fill("#token", server.tokens["viewer"])
            page.keyboard.press("Enter")
            page.wait_for_url("**/services")
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/login")
        page.goto(f"http://127.0.0.1:{server.port}/runs")
        page.wait_for_url("**/login?next=/runs")
