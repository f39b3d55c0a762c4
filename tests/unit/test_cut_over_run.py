"""A cut-over told: what clients are answered at each step, what brings the names back, and what stops it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from nospof.adapters.memory import MemoryCloud, MemoryService
from nospof.errors import CloudError, PreconditionFailed, ProcedureFailed
from nospof.model.cutting_over import CutOverResult, Ending, Measured
from nospof.model.names import RecordSet
from nospof.procedures.cut_over import cut_over
from nospof.procedures.registry import rollback_plan
from nospof.procedures.rollback import rollback
from nospof.runtime.codec import from_plain, returned_by, to_plain
from nospof.runtime.memory import Killed, MemorySteps
from nospof.services.undoing import mover_of, rollback_request
from support.memory_world import memory_world
from support.names import WWW, cut_over_request, moved, paired_with_names, record_of
from support.undoing import run_of

TOKEN = "cut-over-1"


def tell(cloud: MemoryCloud, steps: MemorySteps | None = None, **asked: Any) -> CutOverResult:
    steps = steps or MemorySteps(TOKEN)
    return steps.tell(cut_over, memory_world(cloud), cut_over_request(**asked))


def there(cloud: MemoryCloud, name: str = WWW) -> tuple[RecordSet, ...]:
    return cloud.record_sets("Z1", name)


def breaks_at_weight(cloud: MemoryCloud, weight: int, service: MemoryService) -> None:
    """Let the twin serve worse from the moment the balancer has this share of the name."""
    twin = cloud.instances()[1].id

    def look() -> None:
        if any(record.weight == weight and record.alias for record in cloud._record_sets["Z1"].values()):
            cloud.serve(twin, service)
        else:
            cloud.later(1, look)

    look()


def test_a_name_is_remembered_shortly_then_shared_then_moved():
    cloud = paired_with_names(ttl=3600)
    seen: dict[tuple[RecordSet, ...], float] = {}

    def look() -> None:
        seen.setdefault(tuple(one for _, one in sorted(cloud._record_sets["Z1"].items())), cloud.now())
        cloud.later(1, look)

    look()
    result = tell(cloud)
    assert [[(one.ttl_seconds, one.weight, bool(one.alias)) for one in records] for records in seen] == [
        [(3600, None, False)],
        [(60, None, False)],
        [(60, 50, False), (0, 50, True)],
        [(0, None, True)],
    ]
    _, since_short, since_shared, since_moved = seen.values()
    assert since_shared - since_short >= 3600
    assert since_moved - since_shared >= 60 + 5
    assert result.outcome is Ending.MOVED
    assert result.names[0].before == (record_of(cloud, ttl=3600),)
    assert result.names[0].after == there(cloud)
    assert there(cloud)[0].alias.dns_name == cloud.load_balancers()[0].dns_name
    assert [(one.share, one.is_worse) for one in result.watched] == [(50, False), (100, False)]


def test_names_are_back_byte_for_byte_when_the_pair_serves_worse():
    """The balancer's own check asks for "/" and sees nothing of it; clients do."""
    cloud = paired_with_names(WWW, "a.example.org")
    before = there(cloud), there(cloud, "a.example.org")
    breaks_at_weight(cloud, 50, MemoryService(paths={"/shop": 503}))
    result = tell(cloud, path="/shop")
    assert result.outcome is Ending.RETURNED
    assert (there(cloud), there(cloud, "a.example.org")) == before
    last = result.watched[-1]
    assert last.is_worse
    assert "503" in last.measured.first_failure
    assert last.measured.not_whole == ""
    assert last.measured.failed <= 3
    assert cloud.is_in_sync(f"C-{cloud._numbers['C']:017x}")


def test_a_name_that_cannot_go_back_keeps_no_other_from_it():
    cloud = paired_with_names("a.example.org", WWW)
    breaks_at_weight(cloud, 50, MemoryService(status=500))
    other = RecordSet("a.example.org", "A", 5, ("198.51.100.9",))

    class Meddled(MemorySteps):
        def do(self, name, function, *args, **kwargs):
            if name == "put the names back":
                cloud.replace_records("Z1", there(cloud, "a.example.org"), (other,))
            return super().do(name, function, *args, **kwargs)

    with pytest.raises(ProcedureFailed, match=r"a\.example\.org is not changed: it is A 198\.51\.100\.9"):
        tell(cloud, Meddled(TOKEN))
    assert there(cloud, "a.example.org") == (other,)
    assert there(cloud) == (record_of(cloud),)


def test_a_member_that_falls_sick_is_reason_enough():
    cloud = paired_with_names()
    twin = cloud.instances()[1].id
    breaks_at_weight(cloud, 50, MemoryService())
    cloud.later(60, lambda: cloud.impair(twin))
    result = tell(cloud)
    assert result.outcome is Ending.RETURNED
    assert there(cloud) == (record_of(cloud),)
    assert twin in result.watched[-1].measured.not_whole


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_return_that_was_cut_short_is_brought_to_its_end(when):
    names = told_and_returned().names
    for name in names[4:]:
        cloud = paired_with_names()
        breaks_at_weight(cloud, 50, MemoryService(status=500))
        steps = MemorySteps(TOKEN, f"{when} {name}")
        with pytest.raises(Killed):
            tell(cloud, steps)
        assert tell(cloud, steps).outcome is Ending.RETURNED
        assert there(cloud) == (record_of(cloud),)


def told_and_returned() -> MemorySteps:
    cloud, steps = paired_with_names(), MemorySteps(TOKEN)
    breaks_at_weight(cloud, 50, MemoryService(status=500))
    tell(cloud, steps)
    return steps


def test_c74_what_failed_before_anything_was_moved_is_no_reason_to_go_back():
    baseline = Measured(requests=100, failed=4)
    assert baseline.allows(200) == 10
    assert Measured(requests=100, failed=0).allows(240) == 2


def test_c74_what_is_broken_already_is_nothing_to_compare_with():
    cloud = paired_with_names()
    facts_are_read_by = cloud.clock.now()
    source = cloud.the_instance.id

    class Breaks(MemorySteps):
        def read(self, name, function, *args, **kwargs):
            if name.startswith("measure"):
                cloud.serve(source, MemoryService(status=500))
            return super().read(name, function, *args, **kwargs)

    with pytest.raises(PreconditionFailed, match="30 of 30 requests failed"):
        tell(cloud, Breaks(TOKEN))
    assert cloud.writes == []
    assert cloud.clock.now() > facts_are_read_by


@pytest.mark.parametrize("at", ["wait until nobody remembers it longer", "watch the pair serve 50 %"])
def test_what_somebody_else_made_of_a_name_is_never_overwritten(at):
    cloud = paired_with_names()
    other = RecordSet(WWW, "A", 5, ("198.51.100.9",))

    class Meddled(MemorySteps):
        def do(self, name, function, *args, **kwargs):
            answer = super().do(name, function, *args, **kwargs)
            if name == at:
                cloud._record_sets["Z1"] = {(WWW, "A", ""): other}
            return answer

    with pytest.raises(ProcedureFailed, match=r"www\.example\.org is not changed: it is A 198\.51\.100\.9"):
        tell(cloud, Meddled(TOKEN))
    assert there(cloud) == (other,)


def test_a_refusal_that_stays_is_told_as_it_is():
    cloud = paired_with_names(ttl=60)
    cloud.fail("replace_records", "InvalidChangeBatch", times=99)
    with pytest.raises(CloudError, match="InvalidChangeBatch"):
        tell(cloud)
    assert there(cloud) == (record_of(cloud, ttl=60),)


def test_a_change_whose_answer_was_lost_is_waited_for_by_the_clock():
    cloud = paired_with_names(ttl=60)
    cloud.fail("replace_records", "ReadTimeout", after=True)
    began = cloud.clock.now()
    tell(cloud)
    lost = cloud.clock.now() - began
    cloud = paired_with_names(ttl=60)
    began = cloud.clock.now()
    tell(cloud)
    assert lost - (cloud.clock.now() - began) > 50


class Written(MemorySteps):
    """A journal that keeps plain JSON, as the durable one does."""

    def do(self, name, function, *args, **kwargs):
        return self.through_json(name, function, super().do(name, function, *args, **kwargs))

    def read(self, name, function, *args, **kwargs):
        return self.through_json(name, function, super().read(name, function, *args, **kwargs))

    def through_json(self, name, function, answer):
        kind = returned_by(function)
        read_back = from_plain(json.loads(json.dumps(to_plain(answer, kind))), kind)
        assert read_back == answer, name
        return read_back


def test_every_answer_is_read_back_from_the_journal_as_it_was():
    cloud = paired_with_names()
    breaks_at_weight(cloud, 50, MemoryService(status=500))
    assert tell(cloud, Written(TOKEN)).outcome is Ending.RETURNED
    cloud, request = moved()
    Written("rollback-1").tell(rollback, memory_world(cloud), request)
    assert there(cloud) == (record_of(cloud),)


# Back ----------------------------------------------------------------------------------------------


def run_told(cloud: MemoryCloud, die_at: str = "", **asked: Any) -> Any:
    steps = MemorySteps(TOKEN, die_at)
    try:
        tell(cloud, steps, **asked)
    except Killed:
        assert die_at
    return run_of("cut-over", cut_over_request(**asked), steps)


@pytest.mark.parametrize(
    "die_at",
    ["", "after lead 50 % of www.example.org to the balancer", f"after let {WWW} be remembered for 60 s"],
)
def test_an_undo_puts_back_the_very_record_from_every_state(die_at):
    cloud = paired_with_names(WWW, "a.example.org")
    run = run_told(cloud, die_at)
    request = rollback_request(run, from_plain)
    result = MemorySteps("rollback-1").tell(rollback, memory_world(cloud), request)
    assert there(cloud) == (record_of(cloud),)
    assert there(cloud, "a.example.org") == (record_of(cloud, "a.example.org"),)
    assert WWW in result.names
    with pytest.raises(PreconditionFailed, match="stands as before"):
        rollback_plan(memory_world(cloud), request)


def test_an_undo_waits_until_nobody_remembers_the_balancer():
    cloud, request = moved()
    began = cloud.clock.now()
    MemorySteps("rollback-1").tell(rollback, memory_world(cloud), request)
    assert cloud.clock.now() - began >= 60 + cloud.timings.names


def test_an_undo_refuses_where_the_old_address_does_not_serve():
    cloud, request = moved()
    cloud.serve(cloud.the_instance.id, MemoryService(status=500))
    cloud.calls.clear()
    with pytest.raises(PreconditionFailed, match=r"answers 500, \d+ characters for www\.example\.org"):
        rollback_plan(memory_world(cloud), request)
    assert cloud.writes == []


def test_an_undo_refuses_where_somebody_else_has_the_name():
    cloud, request = moved()
    cloud.put_record("Z1", replace(there(cloud)[0], alias=None, values=("198.51.100.9",), ttl_seconds=5))
    with pytest.raises(PreconditionFailed, match=r"is A 198\.51\.100\.9, which cut-over-1 did not make"):
        rollback_plan(memory_world(cloud), request)


def test_a_run_that_ended_before_its_first_change_is_not_undone():
    cloud = paired_with_names()
    run = run_told(cloud, "before measure how the names are served now")
    with pytest.raises(PreconditionFailed, match="before its first change"):
        rollback_request(run, from_plain)


def test_a_pair_says_which_run_to_undo_first():
    cloud = paired_with_names()
    run = run_told(cloud)
    assert mover_of("www", (run,)) == TOKEN
    assert mover_of("shop", (run,)) == ""
    assert mover_of("www", (replace(run, state="refused"),)) == ""
    back = replace(run, id="rollback-1", procedure="rollback", request={"run_id": TOKEN}, state="done")
    assert mover_of("www", (run, back)) == ""
