"""Backups, and what came of restoring them, as text a person reads at 3 a.m."""

from __future__ import annotations

from collections.abc import Sequence

from nospof.model.backups import Backup, BackupResult, DiscardResult, Restored, told_moment

DAY = 86400.0
HOUR = 3600.0


def told_of_backups(result: object) -> str:
    """Return what a run achieved that was about backups; nothing of any other."""
    if isinstance(result, BackupResult):
        return backup_text(result)
    if isinstance(result, Restored):
        return restored_text(result)
    return discarded_text(result) if isinstance(result, DiscardResult) else ""


def backup_text(result: BackupResult) -> str:
    """Return what a backup is, what it cost the member, and what went for it."""
    taken = result.taken
    where = f", at {taken.position}" if taken.position else ""
    lines = [
        f"{taken.image_id} is a backup of {result.service} as of {told_moment(taken.taken_at)}{where}",
        f"{taken.instance_id} served nobody for {result.seconds_out_of_service:.1f} s; {taken.says}",
    ]
    if taken.consistency == "crash":
        lines.append("it is crash-consistent: files that were being written then may be torn")
    if result.restored:
        lines.append(restored_text(result.restored))
    else:
        lines.append(f"prove it: nospof maintain test-backup {result.service} {taken.image_id}")
    lines += [f"older ones: {one}" for one in result.removed]
    return "\n".join(lines)


def restored_text(restored: Restored) -> str:
    """Return whether a backup is proved, and how long that took."""
    if restored.problem:
        return f"NOT PROVED: {restored.image_id}: {restored.problem}. What was made of it is gone"
    what = f"{restored.tables} tables with {restored.rows} rows read in {restored.check_seconds:.1f} s"
    read = f"; {what}" if restored.position else ""
    return f"{restored.image_id} was restored in {restored.seconds:.1f} s{read}. What was made of it is gone"


def discarded_text(result: DiscardResult) -> str:
    """Return what went."""
    return "\n".join([f"{result.run_id} is taken back", *(f"gone: {one}" for one in result.removed)])


def backups_text(service: str, backups: Sequence[Backup], now: float) -> str:
    """Return the backups of a service, a line each."""
    if not backups:
        return f"{service} has no backup; take one: nospof maintain backup {service}"
    lines = [f"{'IMAGE':22} {'AGE':>8} {'GiB':>6}  {'STATE':10} POSITION, TEST"]
    for one in backups:
        age = age_text(now - one.taken_at) if one.taken_at else "-"
        state = one.state if one.taken_at or one.state != "available" else "unfinished"
        says = ", ".join(filter(None, (one.position, one.tested and f"tested {one.tested}")))
        lines.append(f"{one.image_id:22} {age:>8} {one.size_gib:>6}  {state:10} {says}".rstrip())
    if not any(one.is_complete for one in backups):
        lines.append(f"none of them can be restored; take one: nospof maintain backup {service}")
    return "\n".join(lines)


def age_text(seconds: float) -> str:
    """Return an age in the unit that suits it."""
    for unit, name in ((DAY, "d"), (HOUR, "h"), (60.0, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{max(0.0, seconds):.0f} s"
