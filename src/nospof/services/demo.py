"""What the demonstration does beside the procedures: launch a site, watch it under load and writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from nospof.errors import PreconditionFailed
from nospof.model.answers import Answer
from nospof.model.cloud import IngressRule, Instance, LaunchRequest
from nospof.model.drill import LoadSpec, Objective, Verdict
from nospof.model.results import PairResult
from nospof.model.writes import WriteWish
from nospof.planning.verdict import judge, with_writes
from nospof.ports.world import World
from nospof.procedures.clone import url_of
from nospof.procedures.power import bring_back
from nospof.procedures.waiting import wait_for
from nospof.procedures.writing import places_of, verdicts_on, wait_until_taken, writing

T = TypeVar("T")

SITE_SECONDS = 60.0
LONGEST_LOAD_SECONDS = 300.0


def launch_site(world: World, image_name: str, name: str, port: int, paths: Sequence[str]) -> Instance:
    """Launch one instance of an image, open to everybody, and return it once these pages of it answer well.

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
    for path in paths:

        def look(url: str = url_of(site, port, path)) -> Answer:
            return world.probe.get(url, timeout_seconds=5.0)

        wait_for(world, f"{name} to answer", look, lambda one: one.is_good, within_seconds=SITE_SECONDS)
    return world.cloud.instance(site.id)


def under_load(
    world: World, pair: PairResult, rate_per_second: int, wishes: Sequence[WriteWish], act: Callable[[], T]
) -> tuple[T, Verdict]:
    """Do something while clients read and write on schedule; return what it gave and what became of them.

    Args:
        pair: the service.
        rate_per_second: how often its first page is asked for.
        wishes: what is written meanwhile, and read back from the service and from each member.
        act: what is done.
    """
    spec = LoadSpec(f"{pair.url}/", rate_per_second, LONGEST_LOAD_SECONDS)
    with (
        writing(world, pair.url, wishes, seconds=LONGEST_LOAD_SECONDS) as written,
        world.load.start(spec) as load,
    ):
        value = act()
        wait_until_taken(world, written)
        load.stop()
        seen = judge(load.finish(), (), Objective())
        (group,) = (one for one in world.cloud.target_groups() if one.arn == pair.target_group_arn)
        places = places_of(world, pair.url, group, world.cloud.targets(group.arn))
        return value, with_writes(seen, verdicts_on(world, written, places, Objective()))
