"""What AWS announces, told for each service: what it means, who is left, what to do."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from nospof.adapters.mail import read_notice
from nospof.adapters.memory import MemoryCloud
from nospof.adapters.settings import parse_settings
from nospof.cli.events_text import calendar, events_text, window_text
from nospof.errors import CloudError, UsageError
from nospof.model.cloud import InstanceStatus, MaintenanceEvent
from nospof.model.events import Announced, EventsFound, Notice
from nospof.model.requests import PairRequest
from nospof.model.settings import ServiceWish, Settings
from nospof.model.window import window_of
from nospof.planning.events import LOST, MEANINGS, UNKNOWN, meaning_of, split
from nospof.procedures.maintain import MOVED_BY_STOP_AND_START
from nospof.procedures.pair import pair
from nospof.runtime.memory import MemorySteps
from nospof.services.events import Asked, events_of
from support.memory_world import memory_world, one_instance

DAY = 86_400.0


class Account:
    """A pair called www on the reference cloud, and a third instance that serves alone."""

    def __init__(self) -> None:
        self.cloud = one_instance()
        request = PairRequest(self.cloud.the_instance.id, service="www", stateless=True)
        self.one, self.other = MemorySteps("before").tell(pair, memory_world(self.cloud), request).members

    def found(self, notice: Notice | None = None) -> EventsFound:
        return events_of([asked(self.cloud)], notice)


def asked(cloud: MemoryCloud, name: str = "here") -> Asked:
    return Asked(name, "", lambda: memory_world(cloud))


@pytest.fixture
def account() -> Account:
    return Account()


def test_nothing_is_ahead_where_nothing_is_announced(account: Account) -> None:
    found = account.found()
    assert (found.ahead, found.over, found.unread) == ((), (), ())
    assert events_text(found).startswith("No announced events ahead in 123456789012 eu-central-1")


def test_an_event_of_a_member_is_told_with_who_serves_meanwhile_and_what_to_do(account: Account) -> None:
    event = account.cloud.announce(account.one, movable_seconds=7 * DAY)
    (one,) = account.found().ahead
    assert [(each.name, each.others) for each in one.serving] == [("www", (account.other,))]
    assert (one.urgency, one.because) == ("normal", "others serve meanwhile")
    assert one.do[0] == f"nospof maintain take {account.one}"
    assert one.do[1] == "nospof maintain apply www"
    assert f"--instance-event-id {event.id}" in one.do[2]


def test_c45_a_later_time_is_offered_only_where_aws_takes_one(account: Account) -> None:
    account.cloud.announce(account.one)
    (one,) = account.found().ahead
    assert one.do == (f"nospof maintain take {account.one}", "nospof maintain apply www")


def test_c45_every_code_is_told_and_a_new_one_is_taken_for_one_that_interrupts(account: Account) -> None:
    assert set(MEANINGS) == MOVED_BY_STOP_AND_START
    account.cloud.announce(account.one, "foo-bar", description="something new")
    found = account.found()
    (one,) = found.ahead
    assert (one.happens, one.urgency, one.do) == (UNKNOWN.happens, "high", ())
    assert "AWS says: something new" in events_text(found)


def test_c45_the_retirement_of_an_instance_store_loses_what_is_on_it() -> None:
    assert meaning_of("instance-retirement", "instance-store") is LOST
    assert meaning_of("instance-stop", "instance-store") is LOST
    assert meaning_of("system-reboot", "instance-store") is not LOST


def test_a_member_that_is_the_only_healthy_one_is_critical(account: Account) -> None:
    account.cloud.announce(account.one)
    account.cloud.stop_instance(account.other)
    account.cloud.clock.sleep(120)
    (one,) = account.found().ahead
    assert (one.urgency, one.because) == ("critical", "nobody else serves www")
    assert one.do == (f"nospof pair {account.one}",)


def test_c46_both_in_one_window_are_told_and_each_of_the_two_is_critical(account: Account) -> None:
    account.cloud.announce(account.one, in_seconds=DAY)
    account.cloud.announce(account.other, "instance-stop", in_seconds=DAY + 3600)
    account.cloud.announce(account.other, "foo-bar", in_seconds=5 * DAY)
    found = account.found()
    (together,) = found.together
    assert (together.service, set(together.instance_ids)) == ("www", {account.one, account.other})
    assert [one.urgency for one in found.ahead] == ["critical", "critical", "high"]
    assert "ALL OF www AT ONCE" in events_text(found)


def test_c46_windows_that_only_touch_are_not_at_once(account: Account) -> None:
    account.cloud.announce(account.one, in_seconds=DAY, for_seconds=3600)
    account.cloud.announce(account.other, in_seconds=DAY + 3600, for_seconds=3600)
    assert account.found().together == ()


def test_c41_the_text_tells_that_one_is_over_and_its_time_does_not(account: Account) -> None:
    account.cloud.announce(account.one, description="[CANCELED] scheduled maintenance")
    found = account.found()
    assert (found.ahead, [one.instance_id for one in found.over]) == ((), [account.one])
    due = MaintenanceEvent("e", "system-reboot", "scheduled reboot", found.read_at - DAY)
    live, over = split([InstanceStatus("i-1", "running", "ok", "ok", (due,))])
    assert (live, over) == ([("i-1", due)], [])
    assert window_text(due, found.read_at).endswith("(it may happen at any moment now)")


def test_an_event_of_one_behind_no_balancer_says_so() -> None:
    cloud = one_instance()
    cloud.announce(cloud.the_instance.id)
    (one,) = events_of([asked(cloud)]).ahead
    assert (one.urgency, one.serving) == ("high", ())
    assert one.do == (f"nospof pair {cloud.the_instance.id}",)


def test_a_region_that_cannot_be_read_hides_no_other_and_is_named(account: Account) -> None:
    account.cloud.announce(account.one)

    def refuse():
        raise CloudError("not allowed", operation="ec2:DescribeInstances")

    found = events_of([asked(account.cloud), Asked("ops eu-west-1", "ops", refuse)])
    assert len(found.ahead) == 1
    assert found.unread[0].startswith("ops eu-west-1: ")
    assert "NOT READ: ops eu-west-1" in events_text(found)
    with pytest.raises(CloudError):
        events_of([Asked("ops eu-west-1", "ops", refuse)])


# The mail -------------------------------------------------------------------------------------------------

MAIL = """\
From: AWS <no-reply@example.com>
Subject: Amazon EC2 maintenance [EU-CENTRAL-1]
Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/html; charset="utf-8"
Content-Transfer-Encoding: quoted-printable

<p>Your instance <b>i-0123456789abc=
def0</b> in the eu-central-1 region, also i-1a2b3c4d in zone us-gov-west-1a.</p>
--b--
"""


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_mail_names_instances_and_regions_however_it_is_encoded(tmp_path: Path, line_end: str) -> None:
    file = tmp_path / "mail.eml"
    file.write_bytes(MAIL.replace("\n", line_end).encode())
    notice = read_notice(file)
    assert notice.instance_ids == ("i-0123456789abcdef0", "i-1a2b3c4d")
    assert notice.regions == ("eu-central-1", "us-gov-west-1")


def test_the_text_of_a_mail_alone_will_do(tmp_path: Path) -> None:
    (tmp_path / "mail.txt").write_text("Hello: your ami-0123456789abcdef0 runs as i-1a2b3c4d.\n")
    notice = read_notice(tmp_path / "mail.txt")
    assert (notice.instance_ids, notice.regions) == (("i-1a2b3c4d",), ())


@pytest.mark.parametrize(
    "text", ["", "Nothing of yours.", "Subject: x\n\nvpc-i-1a2b3c4d i-1a2b3c4 i-1a2b3c4de"]
)
def test_a_mail_that_names_no_instance_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "mail.eml").write_text(text)
    with pytest.raises(UsageError, match=r"mail\.eml: no instance is named in it"):
        read_notice(tmp_path / "mail.eml")


def test_a_mail_in_an_unknown_character_set_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    text = "Subject: x\nContent-Type: text/plain; charset=nobody-knows\n\nYour i-1a2b3c4d\n"
    (tmp_path / "mail.eml").write_text(text)
    assert read_notice(tmp_path / "mail.eml").instance_ids == ("i-1a2b3c4d",)


def test_what_a_mail_names_is_told_and_nothing_else_and_what_it_names_in_vain_is_named(
    account: Account,
) -> None:
    account.cloud.announce(account.one)
    account.cloud.announce(account.other)
    found = account.found(Notice("mail", (account.one, "i-1a2b3c4d")))
    assert [one.instance_id for one in found.ahead] == [account.one]
    assert found.unmatched == ("i-1a2b3c4d: no such instance in 123456789012 eu-central-1",)


def test_a_mail_about_what_was_taken_or_called_off_since_says_so(account: Account) -> None:
    account.cloud.announce(account.one, description="[Completed] done")
    found = account.found(Notice("mail", (account.one, account.other)))
    assert found.unmatched == (
        f"{account.one}: [Completed] done",
        f"{account.other}: nothing is announced for it now; it was taken already, or called off",
    )


# The owner's windows --------------------------------------------------------------------------------------


def in_window(account: Account, text: str) -> Announced:
    settings = Settings(services=(ServiceWish("www", maintenance=window_of(text)),))
    (one,) = events_of([asked(account.cloud)], settings=settings).ahead
    return one


def moment_of(account: Account, in_seconds: float) -> datetime:
    return datetime.fromtimestamp(account.cloud.now() + in_seconds, UTC)


def around(when: datetime) -> str:
    """Return the window of an hour that begins at a moment's hour, on its day."""
    return f"{when:%a} {when:%H}:00-{when:%H}:59"


def test_a_window_before_the_event_is_named_and_nothing_has_to_be_moved(account: Account) -> None:
    account.cloud.announce(account.one, in_seconds=5 * DAY, movable_seconds=3 * DAY)
    one = in_window(account, around(moment_of(account, 2 * DAY)))
    assert one.windows[0].startswith("www: your window is before it, ")
    assert (one.urgency, "--not-before TIME" in one.do[-1]) == ("normal", True)


def test_a_window_between_the_event_and_its_deadline_is_where_it_can_be_moved(account: Account) -> None:
    account.cloud.announce(account.one, in_seconds=DAY, movable_seconds=5 * DAY)
    when = moment_of(account, 3 * DAY)
    one = in_window(account, around(when))
    assert "it can be moved into the one of" in one.windows[0]
    assert f"--not-before {when:%Y-%m-%dT%H}:00:00Z" in one.do[-1]
    assert one.urgency == "normal"


def test_a_deadline_nearer_than_the_window_is_told_as_too_late(account: Account) -> None:
    account.cloud.announce(account.one, in_seconds=DAY, movable_seconds=DAY)
    one = in_window(account, around(moment_of(account, 4 * DAY)))
    assert "is too late for it" in one.windows[0]
    assert (one.urgency, one.because) == ("high", "no maintenance window of yours is in time")


def test_a_window_that_is_now_is_before_an_event_that_is_soon(account: Account) -> None:
    account.cloud.announce(account.one, in_seconds=600)
    assert "your window is before it" in in_window(account, "daily 00:00-23:59").windows[0]


def test_a_window_is_read_from_the_settings_and_one_that_is_none_is_told_with_its_line() -> None:
    settings = parse_settings("services:\n  www:\n    maintenance: Sun 02:00-05:00 Europe/Berlin\n", "n.yaml")
    assert settings.services[0].maintenance == window_of("Sun 02:00-05:00 Europe/Berlin")
    with pytest.raises(UsageError, match=r"n\.yaml:3: services\.www\.maintenance: 'Noon' is no window"):
        parse_settings("services:\n  www:\n    maintenance: Noon\n", "n.yaml")


# The calendar ---------------------------------------------------------------------------------------------


def unfolded(text: str) -> list[str]:
    return text.replace("\r\n ", "").split("\r\n")


def test_a_calendar_has_an_entry_for_each_with_short_lines_and_the_same_id_each_time(
    account: Account,
) -> None:
    event = account.cloud.announce(account.one, description="a; b, c")
    text = calendar(account.found())
    assert max(len(line.encode()) for line in text.split("\r\n")) <= 75
    lines = unfolded(text)
    assert lines[0] == "BEGIN:VCALENDAR"
    assert lines[-2:] == ["END:VCALENDAR", ""]
    assert f"UID:{event.id}.{account.one}.eu-central-1.123456789012@nospof" in lines
    assert f"DTSTART:{datetime.fromtimestamp(event.not_before, UTC):%Y%m%dT%H%M%SZ}" in lines
    assert "SUMMARY:www: system-reboot" in lines
    account.cloud.clock.sleep(60)
    again = unfolded(calendar(account.found()))
    assert [line for line in lines if line.startswith("UID")] == [
        line for line in again if line.startswith("UID")
    ]


def test_one_that_was_called_off_before_its_time_is_cancelled_in_the_calendar(account: Account) -> None:
    account.cloud.announce(account.one, description="[Canceled] never mind")
    account.cloud.announce(account.one, in_seconds=-60, description="[Completed] done")
    status = [line for line in unfolded(calendar(account.found())) if line.startswith("STATUS")]
    assert status == ["STATUS:CONFIRMED", "STATUS:CANCELLED"]


def test_a_long_text_is_folded_between_letters_and_never_inside_one(account: Account) -> None:
    account.cloud.announce(account.one, description="[Canceled] " + "é" * 200)
    text = calendar(account.found())
    assert "é" * 200 in "".join(unfolded(text))
    assert max(len(line.encode()) for line in text.split("\r\n")) <= 75


def test_a_window_without_an_end_and_one_without_a_beginning_are_told_as_that() -> None:
    open_end = MaintenanceEvent("e", "instance-retirement", "", 1_764_900_000.0)
    assert "an end that AWS does not say (in 24 h)" in window_text(open_end, 1_764_900_000.0 - DAY)
    assert window_text(MaintenanceEvent("e", "x", "", 0.0), 0.0) == "At a time that AWS does not say"
