"""Plans and results as text a person reads at 3 a.m."""

from __future__ import annotations

from datetime import UTC, datetime

from nospof.model.applying import ApplyResult
from nospof.model.cutting_over import CutOverResult, Ending, RollbackResult
from nospof.model.drill import Phase, Verdict
from nospof.model.layout import MemberState, Seat
from nospof.model.names import says_of
from nospof.model.plans import Plan
from nospof.model.results import (
    CloneResult,
    DataCheck,
    DataStatus,
    DrillResult,
    Noticed,
    PairResult,
    RejoinResult,
    TimeOff,
    UndoResult,
    way_back,
)
from nospof.model.sharing import FilesState, Partner
from nospof.model.writes import WriteVerdict
from nospof.render.apply_text import apply_text
from nospof.render.backup_text import told_of_backups
from nospof.render.maintain_text import maintenance_text
from nospof.services.procedures import Outcome


def plan_text(plan: Plan) -> str:
    """Return a plan: what, what it promises, each call, and what to know before saying yes."""
    lines = [f"Plan: {plan.says}", f"Promise: {plan.guarantee}"]
    if plan.expected_seconds_off:
        low, high = plan.expected_seconds_off
        lines.append(f"Time off to expect: {low} to {high} s")
    lines += [f"{key.capitalize()}: {value}" for key, value in plan.details.items()]
    lines.append("Calls, in this order:" if plan.calls else "Calls: none")
    width = max((len(call.permission) for call in plan.calls), default=0)
    lines += [f"  {n:2} {call.permission:{width}}  {call.says}" for n, call in enumerate(plan.calls, 1)]
    named = {call.permission for call in plan.calls}
    beside = [action for action in plan.permissions if action not in named]
    if beside:
        lines.append(f"They also need: {', '.join(beside)}")
    if plan.warnings:
        lines.append("Know before you say yes:")
        lines += [f"  - {warning}" for warning in plan.warnings]
    return "\n".join(lines)


def time_off_text(time_off: TimeOff) -> str:
    """Return the time off with its parts."""
    parts = [
        f"stop {time_off.stop:.1f}",
        f"image call {time_off.image_call:.1f}",
        f"start {time_off.start:.1f}",
    ]
    if time_off.first_good_answer is None:
        parts.append("first good answer not measured")
    else:
        parts.append(f"first good answer {time_off.first_good_answer:.1f}")
    return f"{time_off.total:.1f} s off: {', '.join(parts)}"


def data_text(found: DataStatus) -> str:
    """Return how a service's data is kept, a line for each who keeps it or votes."""
    verdict = "not in step" if found.wrong else "in step"
    layout = found.layout
    kept = [f"kept by {layout.engine.capitalize()} as {layout.cluster}"] if layout else []
    kept += [f"files by Syncthing: {', '.join(found.directories)}"] if found.directories else []
    kept += ["files on EFS"] if found.mounted else []
    lines = [f"{found.service}: {verdict}; {'; '.join(kept)}"]
    lines += members_lines(found.members)
    lines += files_lines(found.files)
    lines += [
        f"  {member}  {one.directory} on {one.there}"
        for member, state in found.mounted
        for one in state.mounts
    ]
    lines += [f"  - {one}" for one in found.wrong]
    if layout and any(not one.startswith("files: ") for one in found.wrong):
        lines.append(f"Bring it in step: nospof data rejoin {found.service}")
    return "\n".join(lines)


def members_lines(members: tuple[tuple[Seat, MemberState], ...]) -> list[str]:
    """Return a line for each machine with a vote."""
    lines = []
    for seat, state in members:
        said = ", ".join(filter(None, (state.says, state.position and f"at {state.position}")))
        votes = f", sees {state.votes} votes" if state.votes else ""
        what = state.problem or f"{state.role or 'unknown'}{votes}{f' ({said})' if said else ''}"
        lines.append(f"  {seat.instance_id}  {seat.zone or 'zone not told'}  {seat.address}  {what}")
    return lines


def files_lines(files: tuple[tuple[Partner, FilesState], ...]) -> list[str]:
    """Return a line for each machine that has the files."""
    lines = []
    for one, state in files:
        way = (
            f"{state.needs} files on the way ({state.need_bytes:,} bytes)"
            if state.needs
            else "nothing on the way"
        )
        said = [way, state.says, f"looked through {state.scanned}" if state.scanned else ""]
        said += [f"{state.conflicts} conflicts"] if state.conflicts else []
        what = state.problem or f"{state.role or 'unknown'} ({', '.join(filter(None, said))})"
        lines.append(f"  {one.instance_id}  {one.zone or 'zone not told'}  {one.address}  files: {what}")
    return lines


def check_text(found: DataCheck) -> str:
    """Return whether members have the same, and where they do not."""
    who = " and ".join(found.members)
    what = [f"{found.rows} rows in {found.tables} tables"] if found.tables else []
    what += [f"{found.files} files" + in_part(found.files_in_part)] if found.files else []
    same = f"{who} have the same {' and '.join(what) or 'files on EFS, and no tables'}"
    lines = [f"{found.service}: {same}"]
    if found.different:
        lines = [f"{found.service}: members differ", *(f"  - {one}" for one in found.different)]
    elif found.not_compared:
        lines = [f"{found.service}: {same}, as far as they were compared"]
    return "\n".join([*lines, *(f"  - not compared: {one}" for one in found.not_compared)])


def in_part(count: int) -> str:
    """Return how many large files were compared by their ends."""
    return f" ({count} large ones by size, beginning and end)" if count else ""


def noticed_text(found: Noticed) -> str:
    """Return what was noticed in a line: when, of which service, what."""
    when = datetime.fromtimestamp(found.at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    took = f" ({found.seconds:.1f} s)" if found.seconds else ""
    why = f": {found.problem}" if found.problem else ""
    about = f"{found.service}: " if found.service else ""
    return f"{when}  {about}{found.says}{took}{why}"


def describe_result(outcome: Outcome) -> str:
    """Return what a run achieved and what to do next."""
    result = outcome.result
    if isinstance(result, CloneResult):
        return clone_text(result)
    if isinstance(result, PairResult):
        return pair_text(result)
    if isinstance(result, DrillResult):
        return verdict_text(result.verdict)
    if isinstance(result, ApplyResult):
        return apply_text(result)
    if told := maintenance_text(outcome.run_id, result):
        return told
    if isinstance(result, UndoResult):
        return undo_text(result)
    if isinstance(result, RejoinResult):
        began = f"; {result.began} began" if result.began else ""
        return "\n".join([f"the data of {result.service} is in step{began}", *members_lines(result.members)])
    if isinstance(result, CutOverResult):
        return cut_over_text(outcome.run_id, result)
    if isinstance(result, RollbackResult):
        names = ", ".join(result.names)
        return f"{names}: as before {result.run_id}; who keeps to the TTL has forgotten the balancer"
    return told_of_backups(result) or str(result)


def clone_text(result: CloneResult) -> str:
    """Return what a clone made, how long the source was off, and what comes next."""
    kind = "" if result.twin.type == result.source.type else f", a {result.twin.type},"
    lines = [
        f"{result.twin.id}{kind} in {result.twin.zone} is the twin of {result.source.id} in "
        f"{result.source.zone}"
    ]
    if result.time_off:
        lines.append(time_off_text(result.time_off))
    elif result.is_live:
        lines.append(live_text(result))
    elif result.no_room:
        lines.append(f"{result.source.id} was off until there was room for it again: {result.no_room}")
    elif result.source.state == "running":
        lines.append("time off not known: an earlier attempt was interrupted while the source was off")
    if result.source.state == "running" and (result.time_off and result.time_off.first_good_answer is None):
        lines.append(
            "nobody looked whether the service works again: it did not answer where it was asked before"
        )
    if result.source.state != "running":
        lines.append(f"{result.source.id} is {result.source.state}, as before; a pair needs it running")
    lines += result.identities
    lines += other_type_lines(result)
    lines.append(
        f"next: nospof pair {result.source.id} --with {result.twin.id} --port {result.port} "
        f"--health-path {result.path}"
    )
    lines.append("      and --stateless, if it keeps nothing that changes")
    return "\n".join(lines)


def live_text(result: CloneResult) -> str:
    """Return what a copy of an instance that ran is worth."""
    never_off, why = f"{result.source.id} was never off", result.consistency_says
    if result.consistency == "application":
        return f"{never_off}; its copy is application-consistent" + (f": {why}" if why else "")
    return f"{never_off}; its copy is only crash-consistent ({why}): check its data before it serves"


def other_type_lines(result: CloneResult) -> list[str]:
    """Return what is to be known where the source became one of another type, and how to go back."""
    source = result.source
    if result.runs_as in ("", source.type):
        return []
    return [
        f"{source.id} runs as a {result.runs_as}, for there was no room for it as a {source.type}",
        way_back(source.id, source.type),
    ]


def pair_text(result: PairResult) -> str:
    """Return what a pair is and what comes next."""
    lines = [
        f"{result.service} is served by {' and '.join(result.members)} in {' and '.join(result.zones)}",
        f"{result.url}: {result.watched_failures} of {result.watched_requests} watched requests failed"
        if result.watched_requests
        else f"{result.url}: not watched from here; its own check finds both healthy",
    ]
    if result.clone and result.clone.time_off:
        lines.append(time_off_text(result.clone.time_off))
    elif result.clone and result.clone.is_live:
        lines.append(live_text(result.clone))
    lines += [*result.clone.identities, *other_type_lines(result.clone)] if result.clone else ()
    lines += [f"next: {step}" for step in result.next_steps]
    by_name = f" --name {result.names[0]}" if result.names else ""
    lines.append(f"then: nospof audit --service {result.service}, and nospof drill {result.service}{by_name}")
    return "\n".join(lines)


def cut_over_text(run_id: str, result: CutOverResult) -> str:
    """Return where the names lead, what was measured, and the way back."""
    lines = [f"{name.name} is {says_of(name.after)}" for name in result.names]
    if result.outcome is Ending.RETURNED:
        lines.insert(0, f"returned: the pair of {result.service} served worse, and every name is as before")
    lines.append(f"  before: {result.baseline.says}")
    lines += [
        f"  {one.share} %: {one.measured.says}{' - worse' if one.is_worse else ''}" for one in result.watched
    ]
    lines += [f"stays: {one}" for one in result.left]
    if result.outcome is Ending.RETURNED:
        lines.append(f"find out why, then try again: nospof cut-over {result.service}")
    else:
        lines.append(f"the way back, while the old address is yours: nospof runs undo {run_id}")
    return "\n".join(lines)


def undo_text(result: UndoResult) -> str:
    """Return what is served by whom again, what went, and what is left."""
    lines = [f"{result.instance_id} serves alone again, at {result.url}"]
    lines += [f"  gone: {what}" for what in result.removed]
    lines += [f"  left alone: {what}" for what in result.left_alone]
    return "\n".join(lines)


def verdict_text(verdict: Verdict) -> str:
    """Return a verdict: what failed, for how long nobody was served, how it looked before and after."""
    lines = [verdict.says]
    lines += [f"  {count} {kind}" for kind, count in verdict.failures.items()]
    if verdict.effects:
        lines += [phase_text(phase.name, phase) for phase in (verdict.before, verdict.during, verdict.after)]
    else:
        lines.append(phase_text("in all", verdict.before))
    for effect in verdict.effects:
        after = effect.detect_seconds
        noticed = (
            "not seen to be noticed" if after is None else f"noticed by the balancer after {after:.1f} s"
        )
        lines.append(f"  {effect.fault.kind} of {effect.fault.instance_id}: {noticed}")
    lines += [f"  note: {warning}" for warning in verdict.warnings]
    lines += [writes_text(one) for one in verdict.writes]
    return "\n".join(lines)


def writes_text(verdict: WriteVerdict) -> str:
    """Return what became of one kind of write."""
    lines = [f"writes to {verdict.what}: {verdict.counts}"]
    lines += [f"  {count} {kind}" for kind, count in verdict.failures.items()]
    if verdict.kept_unacknowledged:
        lines.append(f"  {verdict.kept_unacknowledged} were not acknowledged and are there all the same")
    lines += [f"  note: {warning}" for warning in verdict.warnings]
    return "\n".join(lines)


def phase_text(name: str, phase: Phase) -> str:
    """Return one stretch of the load: failures, latencies over good answers, and who gave them."""
    served = ", ".join(f"{who} {count}" for who, count in sorted(phase.served_by.items()) if who)
    latencies = f"p50 {ms(phase.p50_seconds)}, p99 {ms(phase.p99_seconds)}, slowest {ms(phase.max_seconds)}"
    return (
        f"  {name:7} {phase.failed} of {phase.total} failed, {latencies}\n"
        f"          served by: {served or 'unknown'}"
    )


def ms(seconds: float | None) -> str:
    """Return a latency in milliseconds."""
    return "-" if seconds is None else f"{seconds * 1000:.1f} ms"
