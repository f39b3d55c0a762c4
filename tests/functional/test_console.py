"""The console in a real browser: sign in, look, ask for a plan, have it done, take it apart."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from support.balanced import balanced
from support.ec2_words import launch, running
from support.local_cloud import RunningCloud
from support.served import Served, served
from support.site import Site

CHROMIUM = shutil.which("chromium") or ""
pytestmark = [
    pytest.mark.local_cloud,
    pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed"),
]
WIDE, PHONE = {"width": 1200, "height": 900}, {"width": 390, "height": 844}
LONG_MS = 120_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Root has no sandbox; the pages are our own.
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        with playwright.chromium.launch(executable_path=CHROMIUM, args=options) as one:
            yield one


class Visitor:
    """Somebody with a browser; what it complained of is a fault."""

    def __init__(self, browser: Browser, server: Served, role: str = "operator", **settings: object) -> None:
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

    def leaves_content(self) -> None:
        assert self.complaints == []
        assert self.asked == {self.address.removeprefix("http://")}, "something came from elsewhere"
        self.context.close()


def shown(page: Page, procedure: str) -> None:
    """Ask for the plan of what the form says."""
    page.get_by_role("button", name="Show what it would do").click()
    expect(page.locator("#plan")).to_be_visible()
    expect(page.locator("#command")).to_contain_text(f"nospof {procedure}")


def test_an_instance_is_cloned_and_the_clone_taken_apart_by_clicks(browser: Browser, site: Site) -> None:
    source = site.launch("blog")
    with served(site) as server:
        visitor = Visitor(browser, server)
        page = visitor.page
        page.get_by_role("link", name="blog").click()
        expect(page.locator("svg.picture")).to_be_visible()
        page.get_by_role("link", name="Clone").click()
        page.fill("[name=port]", "8080")
        page.fill("[name=path]", "/health")
        page.get_by_text("More").click()
        page.check("[name=allow_address_change]")
        shown(page, f"clone {source}")
        page.fill("[name=port]", "80")
        page.get_by_role("button", name="Do it").click()
        expect(page.locator("#told")).to_contain_text("show it again")
        page.fill("[name=port]", "8080")
        page.get_by_role("button", name="Do it").click()
        page.wait_for_url("**/runs/clone-*")
        page.reload()  # in mid-run: it shows what the journal has, and goes on
        expect(page.locator("#state")).to_have_text("done", timeout=LONG_MS)
        assert page.locator("#steps li").count() == len(
            site.answer("runs", "show", site.the_run()["id"])["steps"]
        )
        page.get_by_role("link", name="Take apart").click()
        shown(page, "runs undo")
        page.get_by_role("button", name="Do it").click()
        page.wait_for_url("**/runs/undo-*")
        expect(page.locator("#state")).to_have_text("done", timeout=LONG_MS)
        visitor.leaves_content()
    assert [one["state"] for one in site.answer("runs", "list")] == ["done", "done"]
    assert site.state(source) == "running"


def test_a_server_that_is_killed_in_mid_run_and_back_is_picked_up_by_the_page(
    browser: Browser, site: Site
) -> None:
    source = site.launch("killed")
    with served(site) as first:
        visitor = Visitor(browser, first)
        run_id = first.begin(
            "clone",
            {"instance_id": source, "port": 8080, "path": "/health", "allow_address_change": True},
            "a",
        )
        visitor.go(f"/runs/{run_id}")
        expect(visitor.page.locator("#steps li").first).to_be_visible(timeout=LONG_MS)
        first.kill()
        with served(site, "--port", str(first.port)):
            expect(visitor.page.locator("#state")).to_have_text("done", timeout=LONG_MS)
            visitor.context.close()


def test_a_viewer_on_a_phone_in_the_dark_reads_everything_and_changes_nothing(
    browser: Browser, site: Site, local_cloud: RunningCloud
) -> None:
    members = [running(local_cloud.client("ec2"), launch(local_cloud)) for _ in range(2)]
    balanced(local_cloud, members, "shop")
    with served(site) as server:
        visitor = Visitor(browser, server, "viewer", viewport=PHONE, color_scheme="dark")
        page = visitor.page
        for path in ("/services", "/services/shop", "/audit?what_if=fail%20zone:us-east-1a", "/runs"):
            visitor.go(path)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= PHONE["width"], (path, wide)
        visitor.go("/act/drill?service=shop")
        assert page.get_by_role("button", name="Do it").count() == 0
        assert "Log" not in page.locator("nav").inner_text()
        visitor.leaves_content()


def test_who_is_not_signed_in_is_led_to_where_one_is_and_back(browser: Browser, site: Site) -> None:
    with served(site) as server, browser.new_context() as context:
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{server.port}/runs")
        page.fill("#token", "guess")
        page.keyboard.press("Enter")
        expect(page.locator("#told")).to_contain_text("not one of this server")
        page.fill("#token", server.tokens["viewer"])
        page.keyboard.press("Enter")
        page.wait_for_url("**/runs")
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/login")
        page.goto(f"http://127.0.0.1:{server.port}/runs")
        page.wait_for_url("**/login?next=/runs")
