"""What a load says about a service: whether it is steady, and what the faults did to its clients.

Pure arithmetic on raw measurements: percentiles are exact, and every request counts from the
moment it was due, so that a frozen service cannot hide the requests it kept from being sent.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from math import ceil, inf

from nospof.model.drill import (
    Fault,
    FaultEffect,
    LoadProgress,
    LoadResult,
    Objective,
    Outcome,
    Phase,
    Steadiness,
    Verdict,
)
from nospof.model.writes import ReadBack, WriteLedger, WriteOutcome, WriteVerdict

LAST = 3
"""Where none of the last writes was acknowledged, the service does not take them any more."""
NAMED = 5
"""So many ids are named in a sentence; the verdict holds all of them."""
MAX_LATENESS_SECONDS = 0.05
"""A generator later than this in 1 % of its requests measures itself as much as the service."""


def is_steady(progress: LoadProgress, expected: Collection[str] = (), *, min_served: int = 10) -> Steadiness:
    """Judge the steady-state hypothesis: nothing failed, and all members gave good answers.

    Args:
        progress: the load so far.
        expected: the instances that must have answered; empty asks no such thing.
        min_served: with fewer good answers than this there is nothing to judge by.
    """
    reasons = []
    if progress.failed:
        reasons.append(f"{progress.failed} of {progress.due} requests failed before anything was broken")
    if progress.served < min_served:
        reasons.append(f"{progress.served} good answers so far, {min_served} are needed to judge")
    silent = sorted(set(expected) - progress.served_by.keys())
    if silent and progress.served and not progress.served_by:
        reasons.append("no answer says which instance gave it, so who serves is not known")
    elif silent:
        reasons.append(f"no good answer came from {', '.join(silent)}")
    return Steadiness(not reasons, tuple(reasons))


def progress_at(result: LoadResult, seconds: float) -> LoadProgress:
    """Return what was known of a load this many seconds after it began."""
    rows = range(result.total)
    due = sum(1 for row in rows if result.due[row] <= seconds)
    known = [row for row in rows if result.due[row] + result.latencies[row] <= seconds]
    served = [row for row in known if result.outcomes[row] == Outcome.SERVED]
    return LoadProgress(seconds, due, len(served), len(known) - len(served), _served_by(result, served))


def judge(result: LoadResult, faults: Sequence[Fault], objective: Objective) -> Verdict:
    """Compare what clients saw of the faults with the objective.

    "Before" is everything due before the first fault. "During" lasts until every fault is undone
    and the last failure is followed by a good answer; where a fault was not undone, it lasts to
    the end of the load.
    """
    faults = sorted(faults, key=lambda fault: fault.at)
    end = result.total / result.spec.rate_per_second
    begins = [fault.at - result.started_at for fault in faults]
    failed = [row for row in range(result.total) if result.outcomes[row] != Outcome.SERVED]
    causes = [_cause(begins, result.due[row], result.due[row] + result.latencies[row]) for row in failed]
    effects = tuple(
        _effect(result, fault, [row for row, cause in zip(failed, causes, strict=True) if cause == number])
        for number, fault in enumerate(faults)
    )
    broken = min(max(begins[0], 0.0), end) if begins else end
    mended = min(max((_mended(effect, result) for effect in effects), default=end), end)
    verdict = Verdict(
        passed=True,
        reasons=(),
        total=result.total,
        failed=len(failed),
        failures=dict(Counter(_failure(result, row) for row in failed).most_common()),
        longest_gap_seconds=longest_gap(result),
        resolution_seconds=1 / result.spec.rate_per_second,
        before=_phase("before", result, 0.0, broken),
        during=_phase("during", result, broken, mended),
        after=_phase("after", result, mended, inf),
        effects=effects,
        warnings=tuple(_warnings(result)),
    )
    reasons = (*_doubts(verdict, begins, end, causes.count(-1)), *_misses(verdict, objective))
    return replace(verdict, passed=not reasons, reasons=reasons)


def longest_gap(result: LoadResult) -> float:
    """Return the longest time, in seconds, in which no client got a good answer.

    That is the longer of two: the time between two good answers coming in, and the time from the
    first to the last of a run of requests due one after the other that all failed.
    """
    good = sorted(
        result.due[row] + result.latencies[row]
        for row in range(result.total)
        if result.outcomes[row] == Outcome.SERVED
    )
    end = result.total / result.spec.rate_per_second
    edges = [0.0, *good, max(end, good[-1] if good else 0.0)]
    between_answers = max(later - earlier for earlier, later in pairwise(edges))
    return max(between_answers, _longest_failed_run(result))


def ledger_of(result: LoadResult) -> WriteLedger:
    """Return the ledger of a load whose requests were writes.

    Raises:
        ValueError: they were reads.
    """
    spec = result.spec.writes
    if spec is None:
        raise ValueError("the requests of this load were no writes")
    rows = range(result.total)
    is_kept = [result.outcomes[r] == Outcome.SERVED and result.statuses[r] == spec.acknowledged for r in rows]
    failures = Counter(
        f"answered {result.statuses[row]}, which acknowledges nothing"
        if result.outcomes[row] == Outcome.SERVED
        else _failure(result, row)
        for row in rows
        if not is_kept[row]
    )
    return WriteLedger(
        seconds=result.total / result.spec.rate_per_second,
        ids=[spec.id_of(row) for row in rows],
        ended=[result.due[row] + result.latencies[row] for row in rows],
        outcomes=[WriteOutcome.ACKNOWLEDGED if kept else WriteOutcome.FAILED for kept in is_kept],
        failures=dict(failures.most_common()),
    )


def judge_writes(ledger: WriteLedger, found: Sequence[ReadBack], objective: Objective) -> WriteVerdict:
    """Hold the ledger of acknowledged writes against what was read back.

    Args:
        ledger: what became of each write.
        found: the first is what clients read, and must have been read; then the members, which are
            told of in a warning where they could not be asked.
        objective: what is demanded beyond nothing lost and nothing twice.
    """
    acknowledged = ledger.acknowledged
    seen = [place for place in found if not place.error]
    there = {id_ for place in seen for id_ in place.ids}
    lost = {place.place: in_order(acknowledged - set(place.ids)) for place in seen}
    twice = {
        place.place: in_order(id_ for id_, count in Counter(place.ids).items() if count > 1) for place in seen
    }
    verdict = WriteVerdict(
        passed=True,
        reasons=(),
        total=len(ledger.ids),
        acknowledged=len(acknowledged),
        failed=len(ledger.ids) - len(acknowledged),
        conflicts=sum(1 for outcome in ledger.outcomes if outcome == WriteOutcome.CONFLICT),
        failures=ledger.failures,
        lost={place: ids for place, ids in lost.items() if ids},
        duplicates={place: ids for place, ids in twice.items() if ids},
        kept_unacknowledged=len(there.intersection(ledger.ids) - acknowledged),
        longest_stall_seconds=longest_stall(ledger),
        warnings=tuple(f"not read back from {one.place}: {one.error}" for one in found[1:] if one.error),
    )
    reasons = (*_doubts_of_writes(verdict, found, _is_taken(ledger)), *_broken_promises(verdict, objective))
    return replace(verdict, passed=not reasons, reasons=reasons)


def with_writes(verdict: Verdict, writes: Sequence[WriteVerdict]) -> Verdict:
    """Return the verdict on a service together with those on what was written to it."""
    reasons = (*verdict.reasons, *(f"{one.what}: {reason}" for one in writes for reason in one.reasons))
    return replace(verdict, passed=not reasons, reasons=reasons, writes=tuple(writes))


def longest_stall(ledger: WriteLedger) -> float:
    """Return the longest time, in seconds, in which no write was acknowledged."""
    rows = zip(ledger.ended, ledger.outcomes, strict=True)
    good = sorted(ended for ended, outcome in rows if outcome == WriteOutcome.ACKNOWLEDGED)
    edges = [0.0, *good, max(ledger.seconds, good[-1] if good else 0.0)]
    return max(later - earlier for earlier, later in pairwise(edges))


def in_order(ids: Iterable[str]) -> tuple[str, ...]:
    """Return ids in the order they were given: by their number, not by its digits."""
    return tuple(sorted(ids, key=lambda id_: (len(id_), id_)))


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """Return the smallest of the sorted values that at least this share (0 to 1) does not exceed."""
    if not ordered:
        return None
    # ceil(0.07 * 100) is 8 in floating point: a hair less keeps the rank that was meant.
    return ordered[max(0, ceil(share * len(ordered) - 1e-9) - 1)]


def _longest_failed_run(result: LoadResult) -> float:
    longest, first = 0.0, None
    for row in range(result.total):
        if result.outcomes[row] == Outcome.SERVED:
            first = None
            continue
        first = result.due[row] if first is None else first
        longest = max(longest, result.due[row] - first)
    return longest


def _cause(begins: Sequence[float], due: float, failed: float) -> int:
    """Return the number of the fault that a failed request is put down to; -1 for none.

    The first fault that came while the request was under way, or else the last one before it.
    """
    number = bisect_left(begins, due)
    return number if number < len(begins) and begins[number] <= failed else number - 1


def _effect(result: LoadResult, fault: Fault, failed: Sequence[int]) -> FaultEffect:
    begin = fault.at - result.started_at
    if not failed:
        recovered: float | None = 0.0
    else:
        good = (
            result.due[row] + result.latencies[row]
            for row in range(failed[-1] + 1, result.total)
            if result.outcomes[row] == Outcome.SERVED
        )
        back = min(good, default=None)
        recovered = None if back is None else max(0.0, back - begin)
    return FaultEffect(
        fault=fault,
        failed=len(failed),
        felt_after_seconds=max(0.0, result.due[failed[0]] - begin) if failed else None,
        detect_seconds=None if fault.detected_at is None else fault.detected_at - fault.at,
        recover_seconds=recovered,
    )


def _mended(effect: FaultEffect, result: LoadResult) -> float:
    """Return when a fault and its effect were over, in seconds since the load began."""
    if effect.fault.ended_at is None or effect.recover_seconds is None:
        return inf
    begin = effect.fault.at - result.started_at
    return max(effect.fault.ended_at - result.started_at, begin + effect.recover_seconds)


def _phase(name: str, result: LoadResult, begin: float, end: float) -> Phase:
    rows = [row for row in range(result.total) if begin <= result.due[row] < end]
    served = [row for row in rows if result.outcomes[row] == Outcome.SERVED]
    latencies = sorted(result.latencies[row] for row in served)
    return Phase(
        name=name,
        begin_seconds=begin,
        end_seconds=max(begin, min(end, result.total / result.spec.rate_per_second)),
        total=len(rows),
        failed=len(rows) - len(served),
        p50_seconds=percentile(latencies, 0.5),
        p99_seconds=percentile(latencies, 0.99),
        max_seconds=percentile(latencies, 1.0),
        served_by=_served_by(result, served),
    )


def _served_by(result: LoadResult, served: Sequence[int]) -> dict[str, int]:
    counts = Counter(result.instances[row] for row in served)
    return {result.instance_names[at]: count for at, count in sorted(counts.items()) if at}


def _failure(result: LoadResult, row: int) -> str:
    outcome = Outcome(result.outcomes[row])
    return f"answered {result.statuses[row]}" if outcome is Outcome.BAD_STATUS else outcome.says


def _warnings(result: LoadResult) -> Iterator[str]:
    late = percentile(sorted(result.lateness), 0.99) or 0.0
    if late > MAX_LATENESS_SECONDS:
        yield (
            f"the load generator itself was up to {late:.3f} s late (99th percentile): the latencies "
            "contain its own delay; lower the rate or run it on a machine with less to do"
        )


def _doubts(verdict: Verdict, begins: Sequence[float], end: float, early: int) -> Iterator[str]:
    """Say why the load does not show what the faults did."""
    if not verdict.total:
        yield "no request was sent"
    if not begins:
        return
    if begins[0] <= 0 or not verdict.before.total:
        yield "nothing was measured before the first fault, so the steady state is not known"
    if begins[-1] >= end:
        yield "a fault came after the last request, so its effect is not known"
    if early > 0:
        yield f"the service was not steady: {early} requests failed before the first fault"


def _misses(verdict: Verdict, objective: Objective) -> Iterator[str]:
    """Say which demands of the objective were not met."""
    if verdict.failed > objective.max_failed:
        kinds = ", ".join(f"{count} {kind}" for kind, count in verdict.failures.items())
        yield f"{verdict.failed} requests failed, {objective.max_failed} are allowed: {kinds}"
    gap, max_gap = verdict.longest_gap_seconds, objective.max_gap_seconds
    if max_gap is not None and gap > max_gap:
        yield f"nobody was served for {gap:.2f} s, {max_gap:g} s are allowed"
    for effect in verdict.effects:
        yield from _slow_recovery(effect, objective)
    phases = (verdict.before, verdict.during, verdict.after)
    worst = max(phase.p99_seconds or 0.0 for phase in phases)
    if objective.max_p99_seconds is not None and worst > objective.max_p99_seconds:
        yield f"the 99th percentile rose to {worst:.3f} s, {objective.max_p99_seconds:g} s are allowed"


def _slow_recovery(effect: FaultEffect, objective: Objective) -> Iterator[str]:
    named = f"{effect.fault.kind} of {effect.fault.instance_id}"
    limit = objective.max_recover_seconds
    if effect.recover_seconds is None:
        yield f"the service did not recover from the {named} while the load lasted"
    elif limit is not None and effect.recover_seconds > limit:
        yield f"recovery from the {named} took {effect.recover_seconds:.2f} s, {limit:g} s are allowed"


def _is_taken(ledger: WriteLedger) -> bool:
    """Whether writes were acknowledged up to the end."""
    rows = sorted(zip(ledger.ended, ledger.outcomes, strict=True))
    return any(outcome == WriteOutcome.ACKNOWLEDGED for _, outcome in rows[-LAST:])


def _doubts_of_writes(verdict: WriteVerdict, found: Sequence[ReadBack], is_taken: bool) -> Iterator[str]:
    """Say why the writes show nothing, or not the whole of what was done to them."""
    if not verdict.acknowledged:
        yield "no write was acknowledged, so none could be lost"
    elif not is_taken:
        yield "writes were not taken any more when the last of them was made"
    if not found:
        yield "nothing was read back, so what was lost is not known"
    elif found[0].error:
        yield f"the writes could not be read back from {found[0].place}: {found[0].error}"


def _broken_promises(verdict: WriteVerdict, objective: Objective) -> Iterator[str]:
    """Say what was lost, what is there twice, and which demands were not met."""
    for place, ids in verdict.lost.items():
        yield f"{len(ids)} acknowledged writes are not at {place}: {_named(ids)}"
    for place, ids in verdict.duplicates.items():
        yield f"{len(ids)} writes are more than once at {place}: {_named(ids)}"
    limit = objective.max_failed_writes
    if limit is not None and verdict.failed > limit:
        kinds = ", ".join(f"{count} {kind}" for kind, count in verdict.failures.items())
        yield f"{verdict.failed} writes failed, {limit} are allowed: {kinds}"
    stall, longest = verdict.longest_stall_seconds, objective.max_stall_seconds
    if longest is not None and stall > longest:
        yield f"no write was acknowledged for {stall:.2f} s, {longest:g} s are allowed"


def _named(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
    return ", ".join(ids[:NAMED]) + more
