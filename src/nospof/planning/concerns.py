"""What is looked at before an instance is turned off, and what a rule says of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from nospof.model.auto_scaling import AutoScalingGroup
from nospof.model.cloud import Instance, Target
from nospof.model.starts import Starter
from nospof.model.surroundings import Inside, Surroundings, Whereabouts

Level = Literal["refused", "consent", "warning", "not checked"]

CONSENTS = {
    "local_disks_are_scratch": "--local-disks-are-scratch",
    "allow_address_change": "--allow-address-change",
    "override_stop_protection": "--override-stop-protection",
    "suspend_auto_scaling": "--suspend-auto-scaling",
    "it_boots_again": "--it-boots-again",
    "jobs_may_run_twice": "--jobs-may-run-twice",
}
"""The fields of a request that accept a concern, and the options that set them."""

SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class SourceFacts:
    """What the rules look at.

    `nospof` is where nospof itself lives; `worked_on` are those beside the source that a run works on now.
    `scaling` is its Auto Scaling group, read where it may be kept from acting, and `seats` how the balancers
    that this group asks find the source. `starter` is the role as which the cloud would start it, where that
    was asked for.
    """

    source: Instance
    auto_scaling_group: str
    is_stop_protected: bool
    has_local_disks: bool
    around: Surroundings = field(default_factory=Surroundings)
    inside: Inside = field(default_factory=Inside)
    nospof: Whereabouts = field(default_factory=Whereabouts)
    worked_on: tuple[Instance, ...] = ()
    copies_user_data: bool = False
    scaling: AutoScalingGroup | None = None
    seats: tuple[Target, ...] = ()
    starter: Starter | None = None


@dataclass(frozen=True)
class Concern:
    """Something about turning this instance off.

    Args:
        says: what it is, as a sentence without its stop.
        instead: what to do about it first.
        consent: the option that accepts it.
    """

    level: Level
    says: str
    instead: str = ""
    consent: str = ""

    @property
    def refusal(self) -> str:
        """What it is, what to do about it, and the option that accepts it."""
        accepts = (
            f"{', or a' if self.instead else '. A'}ccept that with {self.consent}" if self.consent else ""
        )
        return f"{self.says}{f'. {self.instead}' if self.instead else ''}{accepts}"


Rule = Callable[[SourceFacts], Concern | None]


def some(names: Sequence[str]) -> str:
    """Return the first few of a list, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
