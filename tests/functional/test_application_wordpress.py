"""A WordPress that nobody here wrote, from one instance to two and back, while people write in it.

One story, told with the printed policies and no more: each part goes on where the one before ended. People
come in by HTTP, and what counts is what WordPress told them: a comment is one that it led them to, a post one
that it said is published. What is due at its own time runs once, wherever the writer is.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from support.application import IS_WRITER
from support.blog import CONFIG, HEALTH, NAME, PLUGINS, UPLOADS, Blog, need_blog
from support.local_cloud import RunningCloud
from support.waiting import eventually

pytestmark = [pytest.mark.local_cloud, pytest.mark.applications, pytest.mark.timeout(900)]

ASKED = ("--port", "8080", "--health-path", HEALTH, "--service", "blog", "--allow-address-change")
KEPT = ("--sync", f"{UPLOADS},{PLUGINS}")
MADE = ("--listener-port", "8080", "--drain-seconds", "1", "--jobs-may-run-twice")
CRON = "/etc/cron.d/blog"
JOB = f"* * * * * root {IS_WRITER} && HTTP_HOST={NAME} php /usr/share/wordpress/wp-cron.php"
EVENTS = 5


@pytest.fixture
def blog(local_cloud: RunningCloud, tmp_path: Path) -> Blog:
    need_blog()
    return Blog(local_cloud, tmp_path / "home")


def runs_of_events(blog: Blog, label: str) -> list[tuple[str, str]]:
    """Have events fall due while both machines look for them at one moment; return each run, and where."""
    person = blog.owner(blog.address(blog.twin))
    events = [f"{label}-{number}" for number in range(EVENTS)]
    for one in events:
        person.schedule(one, 1)

    def all_ran() -> bool:
        blog.minute(CRON, 3)
        return {name for name, _ in person.runs()} >= set(events)

    eventually(all_ran, "each event ran")
    blog.minute(CRON, 3)
    return sorted(one for one in person.runs() if one[0] in events)


def once_at(blog: Blog, label: str, instance_id: str) -> list[tuple[str, str]]:
    """Return the runs of events that ran once, on an instance."""
    address = blog.address(instance_id).partition(":")[0]
    return [(f"{label}-{number}", address) for number in range(EVENTS)]


def what_is_in_the_way_is_named_and_no_more(blog: Blog) -> None:
    blog.upload(blog.owner(blog.address(blog.source)), "Before.png")
    refused = blog.site.nospof("pair", blog.source, *ASKED, "--plan")
    assert refused.returncode == 3
    assert f"--sync {PLUGINS},{UPLOADS} " in refused.stderr
    refused = blog.site.nospof("pair", blog.source, *ASKED, *KEPT, "--plan")
    assert refused.returncode == 3
    assert f"{HEALTH} answers 404 to a request made as the balancer will make it" in refused.stderr
    blog.inside(blog.source, f"ln -s {CONFIG} /etc/wordpress/config-default.php")
    plan = blog.allowed("pair", "pair", blog.source, *ASKED, *KEPT, *MADE, "--plan")
    assert any(f"define('DISABLE_WP_CRON', true); in {CONFIG}" in one for one in plan["warnings"])
    assert any("9280/writer" in one for one in plan["warnings"])
    blog.inside(blog.source, f"echo \"define('DISABLE_WP_CRON', true);\" >>{CONFIG}; echo '{JOB}' >{CRON}")


def one_becomes_two_while_people_write(blog: Blog) -> None:
    pair = ("pair", blog.source, *ASKED, *KEPT, *MADE, "--yes")
    made = blog.while_written(blog.address(blog.source), *pair, procedures="pair")
    assert not any("DISABLE_WP_CRON" in one for one in made.get("warnings", ()))
    blog.twin = blog.other_member()
    for one in (blog.source, blog.twin):
        assert not blog.lost(one)
        assert not blog.lost_uploads(one)
    blog.upload(blog.owner(blog.address(blog.twin)), "At the twin.png")
    eventually(lambda: not blog.lost_uploads(blog.source), "the source has the twin's upload")
    assert runs_of_events(blog, "two") == once_at(blog, "two", blog.source)


def the_one_that_is_written_to_dies_and_nothing_acknowledged_is_lost(blog: Blog) -> None:
    person = blog.owner(blog.balancer)
    with blog.written_to(blog.balancer):
        blog.kill(blog.source)
    assert not blog.lost(blog.twin)
    assert not blog.lost_uploads(blog.twin)
    assert person.name() == "admin", "who was let in by one is let in by the other"
    blog.upload(person, "Alone.png")


def it_comes_back_and_has_what_it_missed(blog: Blog) -> None:
    blog.while_written(blog.balancer, "data", "rejoin", "blog", "--yes", procedures="rejoin data")
    eventually(lambda: not blog.lost_uploads(blog.source), "it has the uploads that it missed")
    assert not blog.lost(blog.source)
    assert runs_of_events(blog, "back") == once_at(blog, "back", blog.twin)


def back_to_one_with_all_that_was_ever_written(blog: Blog) -> None:
    blog.upload(blog.owner(blog.address(blog.twin)), "Last.png")
    undo = ("data", "undo", "blog", "--clients-are-back", "--yes")
    blog.while_written(blog.address(blog.source), *undo, procedures="undo data")
    assert not blog.lost(blog.source)
    assert not blog.lost_uploads(blog.source)
    assert blog.inside(blog.source, f"find {UPLOADS} {PLUGINS} -name '.*'") == ""


def test_no_acknowledged_comment_post_or_upload_is_lost_from_one_instance_to_two_and_back(
    blog: Blog,
) -> None:
    what_is_in_the_way_is_named_and_no_more(blog)
    one_becomes_two_while_people_write(blog)
    the_one_that_is_written_to_dies_and_nothing_acknowledged_is_lost(blog)
    it_comes_back_and_has_what_it_missed(blog)
    back_to_one_with_all_that_was_ever_written(blog)
