"""What the demonstration does beside the procedures: launch a site, watch it under load."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from nospof.errors import PreconditionFailed
from nospof.model.answers import Answer
from nospof.model.cloud import IngressRule, Instance, LaunchRequest
from nospof.model.drill import LoadSpec, Objective, Verdict
from nospof.planning.verdict import judge
from nospof.ports.world import World
from nospof.procedures.clone import url_of
from nospof.procedures.power import bring_back
from nospof.procedures.waiting import wait_for

T = TypeVar("T")

SITE_SECONDS = 60.0
LONGEST_LOAD_SECONDS = 300.0


def launch_site(world: World, image_name: str, name: str, port: int, path: str) -> Instance:
    """Launch one instance of an image, open to everybody, and return it once its site answers.

    Raises:
        PreconditionFailed: there is no such image.
    """
    image = world.cloud.image_named(image_name)
    if image is None:
        raise PreconditionFailed(f"there is no image named {image_name} in this account")
    request = LaunchRequest(f"launch-{name}", image.id, "t3.small", "", tags={"Name": name})
    site = bring_back(world, world.cloud.launch(request).id)
    for group in site.security_groups[:1]:
        world.cloud.allow(group, IngressRule(port, "0.0.0.0/0"))

    def look() -> Answer:
        return world.probe.get(url_of(site, port, path), timeout_seconds=1.0)

    wait_for(world, f"{name} to answer", look, lambda answer: answer.is_good, within_seconds=SITE_SECONDS)
    return world.cloud.instance(site.id)


def under_load(world: World, url: str, rate_per_second: int, act: Callable[[], T]) -> tuple[T, Verdict]:
    """Do something while clients come in on schedule; return what it gave and what the clients saw."""
    spec = LoadSpec(url, rate_per_second, LONGEST_LOAD_SECONDS)
    with world.load.start(spec) as load:
        value = act()
        load.stop()
        return value, judge(load.finish(), (), Objective())
