"""A MediaWiki that nobody here wrote, from one instance to two and back, while it is edited.

One story, told with the printed policies and no more: each part goes on where the one before ended. People
come in by HTTP, and what counts is what the wiki told them: an edit is one that it called a success. Its
connection to the database stays as it was installed, by the socket of its own machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support import ec2_words
from support.local_cloud import RunningCloud
from support.site import Site, allowed
from support.waiting import eventually
from support.wiki import HEALTH, IMAGES, Edits, Person, editing, inside, launch_wiki, need_wiki, picture

pytestmark = [pytest.mark.local_cloud, pytest.mark.applications, pytest.mark.timeout(900)]

ASKED = ("--port", "8080", "--health-path", HEALTH, "--service", "wiki", "--allow-address-change")
KEPT = ("--mend-tables", "--sync", IMAGES)
MADE = ("--listener-port", "8080", "--drain-seconds", "1", "--jobs-may-run-twice", "--yes")
JOB = (
    "* * * * * root curl -fs http://$NOSPOF_ADDRESS:9280/writer >/dev/null"
    " && php /usr/share/mediawiki/maintenance/runJobs.php --quiet && echo ran >>/var/lib/ran"
)
CRON = "/etc/cron.d/wiki"


class Story:
    """The wiki, and what those who edit it were told so far."""

    def __init__(self, cloud: RunningCloud, root: Path) -> None:
        self.cloud, self.site = cloud, Site(cloud, root / "home")
        self.told: list[Edits] = []
        self.uploads: dict[str, bytes] = {}
        self.source = launch_wiki(cloud)
        self.twin = ""

    def address(self, instance_id: str) -> str:
        """Return where an instance's own web server is."""
        shown = ec2_words.instance(self.cloud.client("ec2"), instance_id)
        return f"http://{shown['PrivateIpAddress']}:8080"

    @property
    def balancer(self) -> str:
        """Where clients come in once there are two."""
        (shown,) = self.cloud.client("elbv2").describe_load_balancers()["LoadBalancers"]
        return f"http://{shown['DNSName']}:8080"

    def members(self) -> list[str]:
        """Return the instances that keep the wiki's data now."""
        kept = [{"Name": "tag:nospof:data", "Values": ["galera"]}]
        found = self.cloud.client("ec2").describe_instances(Filters=kept)["Reservations"]
        return [one["InstanceId"] for each in found for one in each["Instances"]]

    def allowed(self, procedures: str, *command: str) -> Any:
        """Run a command as somebody who may do what the policies of these procedures say."""
        return allowed(self.site, procedures, *command)

    def while_edited(self, site: str, *command: str, procedures: str) -> Any:
        """Run a command under edits that go on before, meanwhile and afterwards."""
        with editing(site, f"p{len(self.told)}") as edits:
            self.told.append(edits)
            eventually(edits.more(20), "edits are acknowledged before")
            answer = self.allowed(procedures, *command)
            eventually(edits.more(20), "edits are acknowledged afterwards")
        return answer

    def lost(self, instance_id: str) -> set[str]:
        """Return what was ever acknowledged and is not in an instance's wiki, page and text."""
        acknowledged = {title for edits in self.told for title in edits.acknowledged}
        assert acknowledged
        person = Person(self.address(instance_id))
        return acknowledged - {title for title, text in person.texts().items() if text == title}

    def upload(self, person: Person, name: str) -> str:
        """Upload a picture as somebody; return where it is."""
        path = person.upload(name, picture(name))
        self.uploads[path] = picture(name)
        return path

    def lost_uploads(self, instance_id: str) -> set[str]:
        """Return the uploads that an instance does not have."""
        person = Person(self.address(instance_id))
        return {path for path, content in self.uploads.items() if not person.has(path, content)}

    def jobs_run(self) -> list[int]:
        """Have each machine do what its crontab says; return how often the job ran on source and twin."""
        run = f"cut -d' ' -f7- {CRON} | sh; cat /var/lib/ran 2>/dev/null | wc -l; rm -f /var/lib/ran"
        return [int(inside(self.cloud, one, run)) for one in (self.source, self.twin)]


@pytest.fixture
def story(local_cloud: RunningCloud, tmp_path: Path) -> Story:
    need_wiki()
    return Story(local_cloud, tmp_path)


def what_is_in_the_way_is_named_and_no_more(story: Story) -> None:
    inside(story.cloud, story.source, f"echo '{JOB}' >{CRON}")
    refused = story.site.nospof("pair", story.source, *ASKED, "--plan")
    assert refused.returncode == 3
    for table in ("searchindex", "oldimage", "querycache", "querycachetwo", "user_newtalk"):
        assert f"wiki.{table} " in refused.stderr
    refused = story.site.nospof("pair", story.source, *ASKED, *KEPT, "--plan")
    assert refused.returncode == 3
    assert f"these run on the twin too, from its first boot: cron {CRON}. Against" in refused.stderr
    plan = story.allowed("pair", "pair", story.source, *ASKED, *KEPT, *MADE[:-1], "--plan")
    assert any("5 tables are changed first" in one for one in plan["warnings"])
    assert any("9280/writer" in one for one in plan["warnings"])


def one_becomes_two_while_it_is_edited(story: Story) -> None:
    person = Person(story.address(story.source))
    person.log_in()
    story.upload(person, "Before.png")
    pair = ("pair", story.source, *ASKED, *KEPT, *MADE)
    story.while_edited(story.address(story.source), *pair, procedures="pair")
    story.twin = next(one for one in story.members() if one != story.source)
    for one in (story.source, story.twin):
        assert not story.lost(one)
        assert not story.lost_uploads(one)
    assert story.jobs_run() == [1, 0]
    person = Person(story.address(story.twin))
    person.log_in()
    story.upload(person, "At the twin.png")
    eventually(lambda: not story.lost_uploads(story.source), "the source has the twin's upload")


def the_one_that_is_written_to_dies_and_nothing_acknowledged_is_lost(story: Story) -> None:
    person = Person(story.balancer)
    person.log_in()
    with editing(story.balancer, "killed") as edits:
        story.told.append(edits)
        eventually(edits.more(20), "edits are acknowledged before")
        fault = {"instance": story.source, "fault": "kill"}
        assert story.cloud.admin("POST", "fault", fault)[0] == 200
        eventually(edits.more(20), "edits are acknowledged without it")
    assert not story.lost(story.twin)
    assert not story.lost_uploads(story.twin)
    assert person.name() == "Admin", "who was let in by one is let in by the other"
    story.upload(person, "Alone.png")


def it_comes_back_and_has_what_it_missed(story: Story) -> None:
    story.while_edited(story.balancer, "data", "rejoin", "wiki", "--yes", procedures="rejoin data")
    eventually(lambda: not story.lost_uploads(story.source), "it has the uploads that it missed")
    assert not story.lost(story.source)
    assert story.jobs_run() == [0, 1]


def back_to_one_with_all_that_was_ever_written(story: Story) -> None:
    person = Person(story.address(story.twin))
    person.log_in()
    story.upload(person, "Last.png")
    undo = ("data", "undo", "wiki", "--clients-are-back", "--yes")
    story.while_edited(story.address(story.source), *undo, procedures="undo data")
    assert not story.lost(story.source)
    assert not story.lost_uploads(story.source)
    engine = (
        "SELECT engine FROM information_schema.tables WHERE table_schema='wiki' AND table_name='searchindex'"
    )
    assert inside(story.cloud, story.source, f'mariadb -Ne "{engine}"') == "MyISAM\n"
    assert inside(story.cloud, story.source, f"find {IMAGES} -name '.*' -not -name .htaccess") == ""


def test_no_acknowledged_edit_or_upload_is_lost_from_one_instance_to_two_and_back(story: Story) -> None:
    what_is_in_the_way_is_named_and_no_more(story)
    one_becomes_two_while_it_is_edited(story)
    the_one_that_is_written_to_dies_and_nothing_acknowledged_is_lost(story)
    it_comes_back_and_has_what_it_missed(story)
    back_to_one_with_all_that_was_ever_written(story)
