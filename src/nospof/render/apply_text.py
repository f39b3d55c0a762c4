"""What came of a service's announced maintenance, as text."""

from __future__ import annotations

from nospof.model.applying import ApplyResult, MemberTaken

DONE_BY = {
    "stop-start": "stopped and started on other hardware",
    "reboot": "rebooted",
    "aws": "drained while AWS did it",
    "move": "its events begin at another time",
}


def apply_text(result: ApplyResult) -> str:
    """Return a line for each member whose turn is over."""
    if not result.members:
        return f"nothing is announced for {result.service}, so nothing was done"
    return "\n".join(member_text(one) for one in result.members)


def member_text(one: MemberTaken) -> str:
    """Return what became of a member and of what was announced for it."""
    said = [DONE_BY[one.way]] if one.way else []
    if one.seconds_out_of_service:
        said.append(f"back in service after {one.seconds_out_of_service:.1f} s out of it")
    said += [f"cleared: {', '.join(one.cleared)}"] if one.cleared else []
    said += [f"STILL ANNOUNCED: {', '.join(one.left)}"] if one.left and one.way != "move" else []
    said += [one.says] if one.says else []
    return f"{one.instance_id}: {'; '.join(said)}"
