"""The ledger of acknowledged writes: what was promised is held against what is there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nospof.errors import UsageError
from nospof.model.drill import LoadResult, LoadSpec, Objective, Outcome
from nospof.model.writes import ReadBack, WriteLedger, WriteOutcome, WriteSpec
from nospof.planning.verdict import judge, judge_writes, ledger_of, longest_stall, with_writes

KEPT, FAILED, CONFLICT = WriteOutcome.ACKNOWLEDGED, WriteOutcome.FAILED, WriteOutcome.CONFLICT


def ledger(*outcomes, every=0.1, failures=None):
    """A ledger of writes w-0, w-1, ..., each with its outcome a tenth of a second after the last."""
    count = len(outcomes)
    return WriteLedger(
        seconds=count * every,
        ids=[f"w-{number}" for number in range(count)],
        ended=[number * every for number in range(count)],
        outcomes=outcomes,
        failures=failures or {},
    )


def service(*numbers, place="the service", error=""):
    return ReadBack(place, [f"w-{number}" for number in numbers], error)


def test_everything_acknowledged_and_there_passes():
    verdict = judge_writes(
        ledger(*[KEPT] * 3), [service(0, 1, 2), service(2, 1, 0, place="i-1")], Objective()
    )
    assert verdict.passed
    assert (verdict.total, verdict.acknowledged, verdict.failed, verdict.lost_count) == (3, 3, 0, 0)
    assert verdict.says.startswith("passed: 0 of 3 acknowledged writes lost, 0 failed")


def test_c88_an_acknowledged_write_that_is_not_there_is_lost_and_named():
    verdict = judge_writes(ledger(*[KEPT] * 12), [service(*range(2), *range(3, 10), 11)], Objective())
    assert not verdict.passed
    assert verdict.lost == {"the service": ("w-2", "w-10")}
    assert verdict.reasons == ("2 acknowledged writes are not at the service: w-2, w-10",)
    assert verdict.says.startswith("failed: 2 acknowledged writes")


def test_a_write_that_only_one_member_misses_is_lost_once():
    found = [service(0, 1), service(0, place="i-1"), service(0, place="i-2")]
    verdict = judge_writes(ledger(KEPT, KEPT), found, Objective())
    assert verdict.lost == {"i-1": ("w-1",), "i-2": ("w-1",)}
    assert verdict.lost_count == 1


def test_a_failed_write_may_be_there_or_not():
    for there in ((0,), (0, 1)):
        verdict = judge_writes(
            ledger(KEPT, FAILED, failures={"timed out": 1}), [service(*there)], Objective()
        )
        assert verdict.passed
        assert (verdict.failed, verdict.kept_unacknowledged) == (1, len(there) - 1)


def test_what_is_there_twice_is_a_duplicate_acknowledged_or_not():
    verdict = judge_writes(ledger(KEPT, FAILED), [service(0, 0, 1, 1, 1)], Objective())
    assert not verdict.passed
    assert verdict.duplicates == {"the service": ("w-0", "w-1")}


def test_one_write_that_fails_at_the_end_is_no_outage():
    assert judge_writes(ledger(KEPT, KEPT, FAILED), [service(0, 1)], Objective()).passed


def test_ids_of_others_are_nobodys_loss():
    assert judge_writes(ledger(KEPT), [service(0, 7, 8)], Objective()).kept_unacknowledged == 0


def test_c79_conflicts_are_counted_apart():
    verdict = judge_writes(ledger(KEPT, CONFLICT, FAILED), [service(0)], Objective())
    assert (verdict.acknowledged, verdict.failed, verdict.conflicts) == (1, 2, 1)


def test_many_lost_writes_are_all_kept_and_some_named():
    verdict = judge_writes(ledger(*[KEPT] * 20), [service()], Objective())
    assert len(verdict.lost["the service"]) == 20
    assert verdict.reasons[0].endswith("w-0, w-1, w-2, w-3, w-4 and 15 more")


@pytest.mark.parametrize(
    ("written", "found", "reason"),
    [
        (ledger(), [service()], "no write was acknowledged"),
        (ledger(FAILED, FAILED), [service(0)], "no write was acknowledged"),
        (ledger(KEPT, KEPT, FAILED, CONFLICT, FAILED), [service(0, 1)], "were not taken any more"),
        (ledger(KEPT), [], "nothing was read back"),
        (ledger(KEPT), [service(error="the page answers 502")], "could not be read back from the service"),
    ],
    ids=["no writes", "none acknowledged", "not recovered", "nothing read", "not readable"],
)
def test_what_was_not_seen_is_no_success(written, found, reason):
    verdict = judge_writes(written, found, Objective())
    assert not verdict.passed
    assert reason in verdict.reasons[0]


def test_a_page_that_cannot_be_read_is_no_loss():
    verdict = judge_writes(ledger(KEPT), [service(error="timed out")], Objective())
    assert verdict.lost == {}


def test_a_member_that_cannot_be_asked_is_told_of():
    verdict = judge_writes(ledger(KEPT), [service(0), service(place="i-2", error="timed out")], Objective())
    assert verdict.passed
    assert verdict.warnings == ("not read back from i-2: timed out",)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (ledger(*[KEPT] * 10), 0.1),
        (ledger(KEPT, KEPT, *[FAILED] * 5, KEPT, KEPT, KEPT), 0.6),
        (ledger(*[FAILED] * 4, *[KEPT] * 6), 0.4),
        (ledger(*[KEPT] * 4, *[CONFLICT] * 6), 0.7),
        (ledger(*[FAILED] * 10), 1.0),
    ],
    ids=["steady", "middle", "at first", "at last", "always"],
)
def test_c91_the_longest_stall_is_time_without_an_acknowledgement(written, expected):
    assert longest_stall(written) == pytest.approx(expected)


def test_an_objective_may_bound_failures_and_stalls():
    written = ledger(KEPT, FAILED, FAILED, KEPT, failures={"answered 503": 2})
    strict = Objective(max_failed_writes=1, max_stall_seconds=0.2)
    assert judge_writes(written, [service(0, 3)], strict).reasons == (
        "2 writes failed, 1 are allowed: 2 answered 503",
        "no write was acknowledged for 0.30 s, 0.2 s are allowed",
    )
    assert judge_writes(written, [service(0, 3)], Objective(max_failed_writes=2)).passed


WRITES = WriteSpec("w", "{id}")


def test_a_verdict_passes_only_with_all_that_was_written():
    reads = judge(load([Outcome.SERVED] * 20, [200] * 20), (), Objective(max_gap_seconds=None))
    good = judge_writes(ledger(KEPT), [service(0)], Objective())
    bad = replace(judge_writes(ledger(KEPT), [service()], Objective()), what="/comments")
    assert with_writes(reads, ()) == reads
    assert with_writes(reads, (good,)).passed
    verdict = with_writes(reads, (good, bad))
    assert verdict.reasons == ("/comments: 1 acknowledged writes are not at the service: w-0",)
    assert not verdict.passed


def load(outcomes, statuses, writes=WRITES):
    count = len(outcomes)
    return LoadResult(
        spec=LoadSpec(
            "http://127.0.0.1/", 10.0, count / 10, method="POST" if writes else "GET", writes=writes
        ),
        started_at=0.0,
        due=[number / 10 for number in range(count)],
        latencies=[0.05] * count,
        lateness=[0.0] * count,
        outcomes=outcomes,
        statuses=statuses,
        instances=[0] * count,
    )


def test_only_the_status_that_was_agreed_on_acknowledges():
    ok, bad, late = Outcome.SERVED, Outcome.BAD_STATUS, Outcome.TIMED_OUT
    written = ledger_of(load([ok, ok, bad, late], [201, 200, 503, 0]))
    assert written.acknowledged == {"w-0"}
    assert written.ids == ["w-0", "w-1", "w-2", "w-3"]
    assert written.ended == pytest.approx([0.05, 0.15, 0.25, 0.35])
    assert written.failures == {
        "answered 200, which acknowledges nothing": 1,
        "answered 503": 1,
        "timed out": 1,
    }


def test_reads_have_no_ledger():
    with pytest.raises(ValueError, match="no writes"):
        ledger_of(load([Outcome.SERVED], [200], writes=None))


@pytest.mark.parametrize("prefix", ["", "1", "a b", "a_b", "a/b", "a" * 65])
def test_ids_can_be_told_from_everything_else_on_a_page(prefix):
    with pytest.raises(UsageError):
        WriteSpec(prefix, "{id}")


@pytest.mark.parametrize(("method", "writes"), [("POST", None), ("GET", WRITES)])
def test_a_method_that_does_not_fit_is_refused(method, writes):
    with pytest.raises(UsageError):
        LoadSpec("http://127.0.0.1/", 1.0, 1.0, method=method, writes=writes)
