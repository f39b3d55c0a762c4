"""What came of maintenance, as text a person reads at 3 a.m."""

from __future__ import annotations

from typing import Any

from nospof.model.maintaining import BackResult, RunResult
from nospof.model.results import TakeResult


def maintenance_text(run_id: str, result: Any) -> str:
    """Return what came of maintenance; empty where it is the result of something else."""
    if isinstance(result, TakeResult):
        cleared = ", ".join(result.events_cleared) or "none of its events"
        return (
            f"{result.instance_id} is back in service after {result.seconds_out_of_service:.1f} s out of it; "
            f"cleared: {cleared}"
        )
    if isinstance(result, RunResult):
        return run_text(run_id, result)
    return back_text(result) if isinstance(result, BackResult) else ""


def run_text(run_id: str, found: RunResult) -> str:
    """Return who did a command, and what can be gone back to."""
    lines = [f"{found.service}: {' and '.join(one.instance_id for one in found.turns)} did: {found.command}"]
    for one in found.turns:
        image = f"; it can go back to {one.image_id}" if one.image_id else ""
        lines.append(f"  {one.instance_id}  out of service for {one.seconds_out_of_service:.1f} s{image}")
    if any(one.image_id for one in found.turns):
        lines.append(f"Go back, one after the other: nospof maintain back {run_id}")
        lines.append(f"Remove the images, when nobody needs them any more: nospof runs undo {run_id}")
    return "\n".join(lines)


def back_text(found: BackResult) -> str:
    """Return who went back, and what is left of what they were."""
    lines = [
        f"as {found.run_id} found them:",
        *(
            f"  {one.instance_id}  out of service for {one.seconds_out_of_service:.1f} s"
            for one in found.members
        ),
    ]
    lines.append("Their root volumes of before are kept. Remove them, when nobody needs what is on them:")
    lines += [f"  aws ec2 delete-volume --volume-id {one.old_volume}" for one in found.members]
    return "\n".join(lines)
