"""A MediaWiki that nobody here wrote, from one instance to two and back, while it is edited.

One story, told with the printed policies and no more: each part goes on where the one before ended. People
come in by HTTP, and what counts is what the wiki told them: an edit is one that it called a success. Its
connection to the database stays as it was installed, by the socket of its own machine.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from support.application import IS_WRITER
from support.local_cloud import RunningCloud
from support.waiting import eventually
from support.wiki import HEALTH, IMAGES, Wiki, need_wiki

pytestmark = [pytest.mark.local_cloud, pytest.mark.applications, pytest.mark.timeout(900)]

ASKED = ("--port", "8080", "--health-path", HEALTH, "--service", "wiki", "--allow-address-change")
KEPT = ("--mend-tables", "--sync", IMAGES)
MADE = ("--listener-port", "8080", "--drain-seconds", "1", "--jobs-may-run-twice")
RAN = "/var/lib/ran"
JOB = (
    f"* * * * * root {IS_WRITER}"
    f" && php /usr/share/mediawiki/maintenance/runJobs.php --quiet && echo ran >>{RAN}"
)
CRON = "/etc/cron.d/wiki"


@pytest.fixture
def wiki(local_cloud: RunningCloud, tmp_path: Path) -> Wiki:
    need_wiki()
    return Wiki(local_cloud, tmp_path / "home")


def jobs_run(wiki: Wiki) -> list[int]:
    """Have each machine do what its crontab says; return how often the job ran on source and twin."""
    wiki.minute(CRON)
    counted = f"cat {RAN} 2>/dev/null | wc -l; rm -f {RAN}"
    return [int(wiki.inside(one, counted)) for one in (wiki.source, wiki.twin)]


def what_is_in_the_way_is_named_and_no_more(wiki: Wiki) -> None:
    wiki.inside(wiki.source, f"echo '{JOB}' >{CRON}")
    wiki.upload(wiki.owner(wiki.address(wiki.source)), "Before.png")
    refused = wiki.site.nospof("pair", wiki.source, *ASKED, "--plan")
    assert refused.returncode == 3
    for table in ("searchindex", "oldimage", "querycache", "querycachetwo", "user_newtalk"):
        assert f"wiki.{table} " in refused.stderr
    refused = wiki.site.nospof("pair", wiki.source, *ASKED, "--mend-tables", "--jobs-may-run-twice", "--plan")
    assert refused.returncode == 3
    assert f"--sync {IMAGES} " in refused.stderr
    refused = wiki.site.nospof("pair", wiki.source, *ASKED, *KEPT, "--plan")
    assert refused.returncode == 3
    assert f"these run on the twin too, from its first boot: cron {CRON}. Against" in refused.stderr
    plan = wiki.allowed("pair", "pair", wiki.source, *ASKED, *KEPT, *MADE, "--plan")
    assert any("5 tables are changed first" in one for one in plan["warnings"])
    assert any("9280/writer" in one for one in plan["warnings"])


def one_becomes_two_while_it_is_edited(wiki: Wiki) -> None:
    pair = ("pair", wiki.source, *ASKED, *KEPT, *MADE, "--yes")
    wiki.while_written(wiki.address(wiki.source), *pair, procedures="pair")
    wiki.twin = wiki.other_member()
    for one in (wiki.source, wiki.twin):
        assert not wiki.lost(one)
        assert not wiki.lost_uploads(one)
    assert jobs_run(wiki) == [1, 0]
    wiki.upload(wiki.owner(wiki.address(wiki.twin)), "At the twin.png")
    eventually(lambda: not wiki.lost_uploads(wiki.source), "the source has the twin's upload")


def the_one_that_is_written_to_dies_and_nothing_acknowledged_is_lost(wiki: Wiki) -> None:
    person = wiki.owner(wiki.balancer)
    with wiki.written_to(wiki.balancer):
        wiki.kill(wiki.source)
    assert not wiki.lost(wiki.twin)
    assert not wiki.lost_uploads(wiki.twin)
    assert person.name() == "Admin", "who was let in by one is let in by the other"
    wiki.upload(person, "Alone.png")


def it_comes_back_and_has_what_it_missed(wiki: Wiki) -> None:
    wiki.while_written(wiki.balancer, "data", "rejoin", "wiki", "--yes", procedures="rejoin data")
    eventually(lambda: not wiki.lost_uploads(wiki.source), "it has the uploads that it missed")
    assert not wiki.lost(wiki.source)
    assert jobs_run(wiki) == [0, 1]


def back_to_one_with_all_that_was_ever_written(wiki: Wiki) -> None:
    wiki.upload(wiki.owner(wiki.address(wiki.twin)), "Last.png")
    undo = ("data", "undo", "wiki", "--clients-are-back", "--yes")
    wiki.while_written(wiki.address(wiki.source), *undo, procedures="undo data")
    assert not wiki.lost(wiki.source)
    assert not wiki.lost_uploads(wiki.source)
    engine = (
        "SELECT engine FROM information_schema.tables WHERE table_schema='wiki' AND table_name='searchindex'"
    )
    assert wiki.inside(wiki.source, f'mariadb -Ne "{engine}"') == "MyISAM\n"
    assert wiki.inside(wiki.source, f"find {IMAGES} -name '.*' -not -name .htaccess") == ""


def test_no_acknowledged_edit_or_upload_is_lost_from_one_instance_to_two_and_back(wiki: Wiki) -> None:
    what_is_in_the_way_is_named_and_no_more(wiki)
    one_becomes_two_while_it_is_edited(wiki)
    the_one_that_is_written_to_dies_and_nothing_acknowledged_is_lost(wiki)
    it_comes_back_and_has_what_it_missed(wiki)
    back_to_one_with_all_that_was_ever_written(wiki)
