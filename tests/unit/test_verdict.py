"""The verdict of a drill is exact arithmetic on what clients saw."""

from array import array
from dataclasses import replace

import pytest

from nospof.model.drill import Fault, LoadProgress, LoadResult, LoadSpec, Objective, Outcome
from nospof.planning.verdict import is_steady, judge, longest_gap, percentile, progress_at

EPOCH = 1_700_000_000.0
OK = Outcome.SERVED


def load(latencies, outcomes=None, *, rate=10.0, names=("",), instances=None, lateness=0.0, statuses=None):
    """A load of one request per latency, due at a steady rate."""
    count = len(latencies)
    return LoadResult(
        spec=LoadSpec("http://127.0.0.1/", rate, count / rate),
        started_at=EPOCH,
        due=[number / rate for number in range(count)],
        latencies=latencies,
        lateness=[lateness] * count,
        outcomes=outcomes or [OK] * count,
        statuses=statuses or [200] * count,
        instances=instances or [0] * count,
        instance_names=names,
    )


def outage(total=100, first=40, last=49, outcome=Outcome.NOT_CONNECTED, **more):
    """A load at 10/s of which the requests `first` to `last` failed."""
    outcomes = [outcome if first <= number <= last else OK for number in range(total)]
    return load([0.01] * total, outcomes, **more)


def fault(at, ended=None, detected=None, instance="i-1"):
    return Fault(
        "kill",
        instance,
        EPOCH + at,
        None if ended is None else EPOCH + ended,
        None if detected is None else EPOCH + detected,
    )


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([], 0.99, None),
        ([7], 0.5, 7),
        ([1, 2], 0.5, 1),
        ([1, 2, 3], 0.5, 2),
        (range(1, 101), 0.99, 99),
        (range(1, 101), 0.07, 7),
        (range(1, 101), 1.0, 100),
        (range(1, 1001), 0.999, 999),
        (range(1, 102), 0.99, 100),
    ],
)
def test_percentiles_are_values_that_were_measured(values, share, expected):
    assert percentile(list(values), share) == expected


def test_a_freeze_is_seen_by_every_request_it_kept_waiting():
    """1,000/s for 10 s, frozen from 4 s to 5 s: what was due meanwhile is answered at 5 s."""
    frozen = [max(0.001, 5.0 - number / 1000) if 4000 <= number < 5000 else 0.001 for number in range(10_000)]
    verdict = judge(load(frozen, rate=1000.0), [], Objective(max_gap_seconds=None))
    assert verdict.before.p99_seconds == pytest.approx(0.9, abs=0.002)
    assert verdict.before.p50_seconds == 0.001
    assert verdict.longest_gap_seconds == pytest.approx(1.0, abs=0.005)
    assert verdict.failed == 0
    assert verdict.passed


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (load([0.0] * 10), 0.1),
        (outage(), 1.1),
        (outage(first=0, last=9), 1.01),
        (outage(first=90, last=99), 1.09),
        (outage(first=0, last=99), 10.0),
        (load([0.0, 3.0, 0.0, 0.0]), 2.8),
        (load([2.5, 0.0, 0.0, 0.0, 0.0, 0.0], [OK, *[Outcome.TIMED_OUT] * 4, OK]), 2.0),
    ],
    ids=["healthy", "middle", "at first", "at last", "always", "late answer", "ends late"],
)
def test_the_longest_gap_is_time_without_a_good_answer(result, expected):
    assert longest_gap(result) == pytest.approx(expected, abs=1e-9)


def test_a_long_run_of_failures_is_a_gap_even_when_an_old_answer_drips_in():
    outcomes = [OK, *[Outcome.TIMED_OUT] * 20, OK]
    latencies = [1.05, *[0.5] * 20, 0.0]
    assert longest_gap(load(latencies, outcomes)) == pytest.approx(1.9)


def test_an_outage_is_told_in_words_and_numbers():
    verdict = judge(
        outage(statuses=[503] * 100, outcome=Outcome.BAD_STATUS), [fault(4.0, 6.0, 4.6)], Objective()
    )
    assert not verdict.passed
    assert verdict.failures == {"answered 503": 10}
    assert verdict.reasons == (
        "10 requests failed, 0 are allowed: 10 answered 503",
        "nobody was served for 1.10 s, 1 s are allowed",
    )
    effect = verdict.effects[0]
    assert effect.failed == 10
    assert effect.felt_after_seconds == 0.0
    assert effect.detect_seconds == pytest.approx(0.6)
    assert effect.recover_seconds == pytest.approx(1.01)
    assert verdict.says.startswith("failed: 10 requests failed")


def test_a_fault_nobody_felt_passes():
    instances = [1 if number < 40 else 2 for number in range(100)]
    result = load([0.01] * 100, names=("", "i-1", "i-2"), instances=instances)
    verdict = judge(result, [fault(4.0, 6.0)], Objective())
    assert verdict.passed
    assert verdict.reasons == ()
    assert verdict.before.served_by == {"i-1": 40}
    assert verdict.during.served_by == {"i-2": 20}
    assert verdict.after.served_by == {"i-2": 40}
    assert verdict.effects[0].felt_after_seconds is None
    assert verdict.effects[0].recover_seconds == 0.0


def test_phases_hold_every_request_once():
    verdict = judge(outage(), [fault(4.0, 4.2)], Objective())
    phases = (verdict.before, verdict.during, verdict.after)
    assert [phase.total for phase in phases] == [40, 11, 49]
    assert [phase.failed for phase in phases] == [0, 10, 0]


def test_what_lasts_longer_than_the_fault_is_still_during():
    verdict = judge(outage(last=59), [fault(4.0, 4.5)], Objective())
    assert verdict.after.failed == 0
    assert verdict.during.end_seconds == pytest.approx(6.01)


def test_a_fault_that_is_not_undone_lasts_to_the_end():
    verdict = judge(outage(), [fault(4.0)], Objective())
    assert verdict.after.total == 0
    assert verdict.during.total == 60


def test_a_request_under_way_when_the_fault_comes_fails_by_it():
    """Due 0.05 s before the fault, cut 0.1 s after it: not a sign of an unsteady service."""
    outcomes = [Outcome.CUT_UNANSWERED if number == 39 else OK for number in range(100)]
    latencies = [0.15 if number == 39 else 0.01 for number in range(100)]
    verdict = judge(load(latencies, outcomes), [fault(3.95, 5.0)], Objective(max_failed=1))
    assert verdict.passed
    assert verdict.effects[0].failed == 1
    assert verdict.effects[0].felt_after_seconds == 0.0
    assert verdict.before.failed == 1


def test_faults_in_turn_each_answer_for_their_own_failures():
    failing = {*range(20, 25), *range(60, 62)}
    outcomes = [Outcome.TIMED_OUT if number in failing else OK for number in range(100)]
    faults = [fault(6.0, 7.0, instance="i-2"), fault(2.0, 3.0)]
    verdict = judge(load([0.01] * 100, outcomes), faults, Objective(max_failed=7, max_recover_seconds=0.3))
    assert [effect.fault.instance_id for effect in verdict.effects] == ["i-1", "i-2"]
    assert [effect.failed for effect in verdict.effects] == [5, 2]
    assert [effect.recover_seconds for effect in verdict.effects] == [
        pytest.approx(0.51),
        pytest.approx(0.21),
    ]
    assert verdict.reasons == ("recovery from the kill of i-1 took 0.51 s, 0.3 s are allowed",)


@pytest.mark.parametrize(
    ("result", "faults", "reason"),
    [
        (
            outage(first=10, last=12),
            [fault(5.0, 6.0)],
            "not steady: 3 requests failed before the first fault",
        ),
        (load([0.0] * 100), [fault(-1.0, 2.0)], "nothing was measured before the first fault"),
        (load([0.0] * 100), [fault(10.5, 11.0)], "a fault came after the last request"),
        (outage(first=50, last=99), [fault(5.0, 6.0)], "did not recover from the kill of i-1"),
        (load([0.2] * 100), [fault(5.0, 6.0)], "99th percentile rose to 0.200 s"),
    ],
    ids=["not steady", "no before", "too late", "not recovered", "slow"],
)
def test_a_drill_that_shows_nothing_or_too_little_does_not_pass(result, faults, reason):
    lenient = Objective(max_failed=100, max_gap_seconds=None, max_p99_seconds=0.1)
    verdict = judge(result, faults, lenient)
    assert not verdict.passed
    assert any(reason in given for given in verdict.reasons), verdict.reasons


def test_failures_allowed_by_the_objective_pass():
    assert judge(outage(), [fault(4.0, 6.0)], Objective(max_failed=10, max_gap_seconds=1.2)).passed
    assert not judge(outage(), [fault(4.0, 6.0)], Objective(max_failed=9, max_gap_seconds=1.2)).passed


def test_failures_have_no_part_in_percentiles():
    """A refused connection is quick; counting it would make an outage look fast."""
    result = outage()
    slow = replace(result, latencies=[0.0001 if code else 0.01 for code in result.outcomes])
    assert judge(slow, [fault(4.0, 6.0)], Objective()).during.p50_seconds == 0.01


def test_a_late_generator_is_confessed():
    assert (
        "generator itself was up to 0.200 s late"
        in judge(load([0.2] * 50, lateness=0.2), [], Objective()).warnings[0]
    )
    assert judge(load([0.2] * 50, lateness=0.001), [], Objective()).warnings == ()


def test_raw_arrays_and_lists_give_one_verdict():
    listed = outage()
    packed = replace(listed, due=array("d", listed.due), outcomes=array("B", listed.outcomes))
    assert judge(packed, [fault(4.0, 6.0)], Objective()) == judge(listed, [fault(4.0, 6.0)], Objective())


BOTH = {"i-1": 50, "i-2": 50}


@pytest.mark.parametrize(
    ("progress", "expected", "reasons"),
    [
        (LoadProgress(5, 100, 100, 0, BOTH), ("i-1", "i-2"), ()),
        (LoadProgress(5, 100, 99, 0, BOTH), ("i-1",), ()),
        (LoadProgress(5, 100, 100, 0), (), ()),
        (
            LoadProgress(5, 100, 99, 1, BOTH),
            ("i-1",),
            ("1 of 100 requests failed before anything was broken",),
        ),
        (LoadProgress(5, 100, 100, 0, {"i-1": 100}), ("i-2", "i-1"), ("no good answer came from i-2",)),
        (
            LoadProgress(5, 100, 100, 0),
            ("i-1",),
            ("no answer says which instance gave it, so who serves is not known",),
        ),
        (LoadProgress(0, 1, 1, 0, {"i-1": 1}), (), ("1 good answers so far, 10 are needed to judge",)),
    ],
    ids=["both", "one in flight", "nobody expected", "failed", "silent member", "nameless", "too few"],
)
def test_steady_means_nothing_failed_and_all_members_answered(progress, expected, reasons):
    steadiness = is_steady(progress, expected)
    assert steadiness.reasons == reasons
    assert steadiness.is_steady == (not reasons)


def test_progress_of_a_recorded_load_is_what_was_known_then():
    result = outage(names=("", "i-1"), instances=[1] * 100)
    progress = progress_at(result, 4.205)
    assert (progress.due, progress.served, progress.failed, progress.in_flight) == (43, 40, 2, 1)
    assert progress.served_by == {"i-1": 40}
