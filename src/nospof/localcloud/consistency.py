"""Eventual consistency on demand: a new id is not known at once, and a read may be of before a change.

Off until switched on. AWS promises neither how long it takes nor that two reads agree (EC2 API reference,
"Eventual consistency"), and most of its servers learn of a change so quickly that nobody is prepared.
"""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from nospof.localcloud.awserrors import AwsError

SERVICES = ("ec2", "elbv2")
MOST_ANSWERS = 2000
MOST_CHANGES = 1000
MADE_BY = {
    "RunInstances": ("i", "vol", "eni"),
    "CreateImage": ("ami",),
    "CopyImage": ("ami",),
    "CreateSnapshot": ("snap",),
    "CreateSnapshots": ("snap",),
    "CreateVolume": ("vol",),
    "CreateSecurityGroup": ("sg",),
}
UNKNOWN = {
    "i": ("InvalidInstanceID.NotFound", "The instance ID '{}' does not exist"),
    "vol": ("InvalidVolume.NotFound", "The volume '{}' does not exist."),
    "eni": ("InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '{}' does not exist"),
    "ami": ("InvalidAMIID.NotFound", "The image id '[{}]' does not exist"),
    "snap": ("InvalidSnapshot.NotFound", "The snapshot '{}' does not exist."),
    "sg": ("InvalidGroup.NotFound", "The security group '{}' does not exist"),
}
ID = re.compile(r"\b(i|vol|eni|ami|snap|sg)-[0-9a-f]{8,17}\b")


Answer = tuple[int, dict[str, Any], Any]


class Consistency:
    """Answers for a while as servers do that have not heard of a change.

    Attributes:
        seconds: how long a change takes to be known; 0 where it is known at once.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = 0.0
        self._clock = clock
        self._lock = threading.Lock()
        self._made: dict[str, float] = {}
        self._changes: dict[tuple[str, str, str], deque[float]] = {}
        self._answers: dict[tuple[str, ...], tuple[float, Answer]] = {}

    def refuse_new_ids(self, service: str, parameters: str) -> None:
        """Refuse a call that names an id which is not known everywhere yet.

        Raises:
            AwsError: as of an id that does not exist.
        """
        if not self.seconds or service not in SERVICES:
            return
        for match in ID.finditer(parameters):
            with self._lock:
                made = self._made.get(match[0])
            if made is not None and self._clock() - made < self.seconds:
                code, says = UNKNOWN[match[1]]
                raise AwsError(code, says.format(match[0]))

    def earlier_answer(self, place: tuple[str, str, str], action: str, parameters: str) -> Answer | None:
        """Return what the same read answered before a change; None where the truth is due.

        Args:
            place: account, region and service.
        """
        if not self.seconds or place[2] not in SERVICES:
            return None
        with self._lock:
            told = self._answers.get((*place, action, parameters))
            changes = tuple(self._changes.get(place, ()))
        if told is None:
            return None
        # By the first change it does not know of: whoever asks for the same change again and again must
        # not keep the truth from himself.
        missed = next((moment for moment in changes if moment >= told[0]), None)
        return told[1] if missed is not None and self._clock() - missed < self.seconds else None

    def note_read(self, place: tuple[str, str, str], action: str, parameters: str, answer: Answer) -> None:
        """Keep the true answer to a read, for those who ask again too soon after a change."""
        if not self.seconds or place[2] not in SERVICES:
            return
        with self._lock:
            if len(self._answers) >= MOST_ANSWERS:
                self._answers.clear()
            self._answers[(*place, action, parameters)] = (self._clock(), answer)

    def note_change(self, place: tuple[str, str, str], action: str, body: Any) -> None:
        """Keep when something changed, and the ids that came of it."""
        if not self.seconds or place[2] not in SERVICES:
            return
        text = body.decode() if isinstance(body, bytes) else str(body)
        kinds = MADE_BY.get(action, ())
        now = self._clock()
        with self._lock:
            self._changes.setdefault(place, deque(maxlen=MOST_CHANGES)).append(now)
            for match in ID.finditer(text):
                if match[1] in kinds:
                    # A repeat with the same token tells the same id, which is as old as it was.
                    self._made.setdefault(match[0], now)
