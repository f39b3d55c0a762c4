"""Members that lost each other: who begins, who joins, and what is refused rather than lost."""

import pytest

from nospof.errors import NospofError, PreconditionFailed, UsageError
from nospof.model.layout import TAG_ARBITRATOR, TAG_DATA, Layout, MemberState, Seat
from nospof.model.requests import PairRequest, RejoinRequest
from nospof.planning.rejoin import Holding, how_far, plan_rejoin
from nospof.procedures.pair import pair
from nospof.procedures.rejoin import rejoin
from nospof.runtime.memory import MemorySteps
from nospof.services.comparing import data_check
from nospof.services.data import data_status
from support.memory_world import keep_data, memory_world, one_instance, stick

A, B, C = (Seat(f"i-{name}", f"10.0.0.{number}", f"z{number}") for number, name in enumerate("abc", 1))
DOWN = MemberState("down", False, "not Primary")
VOTES = Holding(C, MemberState("arbitrator", True))


def planned(first, second, begin="", engine="galera", states=(DOWN, DOWN)):
    holdings = (Holding(A, states[0], first), Holding(B, states[1], second), VOTES)
    return plan_rejoin(Layout(engine, "shop", (A, B), C), holdings, begin)


@pytest.mark.parametrize(
    ("engine", "first", "second", "begins"),
    [
        ("galera", "u:7", "u:9", "i-b"),
        ("galera", "u:9", "u:7", "i-a"),
        ("galera", "u:9", "u:9", "i-a"),
        ("patroni", "2/0/3000148", "2/0/3000060", "i-a"),
        ("patroni", "2/FF/0", "3/1/0", "i-b"),
        ("patroni", "10/0/1", "9/0/FF", "i-a"),
    ],
)
def test_c83_the_one_that_has_the_most_begins_and_the_other_joins(engine, first, second, begins):
    decided = planned(first, second, engine=engine)
    assert decided.first == begins
    assert decided.joining == tuple({"i-a", "i-b"} - {begins})


@pytest.mark.parametrize("unread", ["", "u:-1", "nonsense"])
def test_c83_one_whose_data_could_not_be_read_may_have_more_so_nobody_begins(unread):
    with pytest.raises(PreconditionFailed, match=r"i-b is could not be read.*--begin i-a"):
        planned("u:7", unread)


def test_the_owners_word_lets_one_begin_all_the_same():
    assert planned("u:7", "", begin="i-a").first == "i-a"
    with pytest.raises(PreconditionFailed, match="i-z keeps no data"):
        planned("u:7", "", begin="i-z")


def test_members_of_different_histories_are_for_their_owner_to_choose():
    with pytest.raises(PreconditionFailed, match="different histories"):
        planned("u:7", "v:9")


def test_where_one_takes_writes_the_others_join_it_however_far_they_are():
    serves = MemberState("primary", True)
    assert planned("u:7", "u:9", states=(serves, DOWN)) == planned("", "", states=(serves, DOWN))
    assert planned("u:7", "u:9", states=(serves, DOWN)).joining == ("i-b",)
    with pytest.raises(PreconditionFailed, match="i-a takes writes, so nobody has to begin"):
        planned("u:7", "u:9", begin="i-b", states=(serves, DOWN))


def test_two_that_both_take_writes_are_never_joined():
    serves = MemberState("primary", True)
    with pytest.raises(PreconditionFailed, match="both take writes"):
        planned("u:7", "u:9", states=(serves, serves))


def test_an_lsn_is_one_number():
    assert how_far("patroni", "3/16/B374D848") == ("0000000003", (0x16 << 32) + 0xB374D848)


def paired():
    cloud = one_instance()
    keep_data(cloud)
    result = pair(
        MemorySteps("run-1"), memory_world(cloud), PairRequest(cloud.the_instance.id, service="www")
    )
    return cloud, result.members


def test_both_down_and_back_loses_nothing_though_the_newest_writes_are_on_one_only():
    cloud, (source, twin) = paired()
    stick(cloud, source)
    assert cloud.write(twin, "only here")
    stick(cloud, twin)
    result = rejoin(MemorySteps("run-2"), memory_world(cloud), RejoinRequest("www"))
    assert result.began == twin
    assert cloud.rows_of(source) == cloud.rows_of(twin) == ("old", "only here")
    assert not data_status(memory_world(cloud), "www").wrong


def test_those_that_are_off_are_started_and_find_each_other():
    cloud, members = paired()
    (arbitrator,) = cloud.instances(TAG_ARBITRATOR)
    for one in (*members, arbitrator.id):
        cloud.stop_instance(one)
    cloud.clock.sleep(60)
    result = rejoin(MemorySteps("run-2"), memory_world(cloud), RejoinRequest("www"))
    assert result.began == ""
    assert {one.state for one in cloud.instances(TAG_DATA)} == {"running"}
    assert not data_status(memory_world(cloud), "www").wrong


def test_a_service_whose_data_nobody_keeps_is_told_so_with_those_that_are():
    cloud, _ = paired()
    with pytest.raises(UsageError, match="services whose data is: www"):
        rejoin(MemorySteps("run-2"), memory_world(cloud), RejoinRequest("shop"))


def test_status_tells_who_could_not_be_asked_and_never_takes_that_for_down():
    cloud, (source, twin) = paired()
    cloud.impair(twin)
    found = data_status(memory_world(cloud), "www")
    assert [one.split(":")[0] for one in found.unread] == [twin]
    assert any("cannot be asked" in one for one in found.wrong)
    assert {seat.instance_id: state.role for seat, state in found.members}[source] == "primary"


def test_members_that_carry_different_layouts_are_not_guessed_about():
    cloud, (source, _) = paired()
    server = cloud._machines[source].server
    server.layout = Layout("galera", server.layout.cluster, server.layout.members[:1])
    with pytest.raises(NospofError, match="say differently who belongs to them"):
        data_status(memory_world(cloud), "www")


def test_members_that_have_the_same_are_told_so_and_those_that_do_not_by_table():
    cloud, (_, twin) = paired()
    assert data_check(memory_world(cloud), "www").different == ()
    cloud._machines[twin].server.rows[-1:] = ["changed"]
    (told,) = data_check(memory_world(cloud), "www").different
    assert "1 rows (changed)" in told


def test_members_that_are_written_to_meanwhile_are_not_called_different():
    cloud, (source, _) = paired()
    cloud._machines[source].server.rows.append("just now")
    found = data_check(memory_world(cloud), "www")
    assert not found.different
    (told,) = found.not_compared
    assert told.startswith("rows: ")
    assert told.endswith("it was written to each time it was read")


def test_nobody_waits_for_a_member_that_the_cloud_knows_to_be_off():
    cloud, (source, twin) = paired()
    cloud.stop_instance(source)
    cloud.clock.sleep(60)
    steps = MemorySteps("run-2")
    rejoin(steps, memory_world(cloud), RejoinRequest("www"))
    begun = steps.names.index(f"have nobody wait for {source}")
    assert begun < steps.names.index(f"start {source}")
    assert cloud.instance(twin).state == "running"


def test_a_member_that_was_terminated_is_not_waited_for():
    cloud, (_, twin) = paired()
    cloud.terminate(twin)
    cloud.clock.sleep(60)
    with pytest.raises(NospofError, match=f"{twin} of www are no more"):
        rejoin(MemorySteps("run-2"), memory_world(cloud), RejoinRequest("www"))
