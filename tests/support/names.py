"""A pair in memory with names that lead to its first instance, and cut-overs of them."""

from __future__ import annotations

from typing import Any

from nospof.adapters.memory import MemoryCloud
from nospof.model.names import RecordSet
from nospof.model.requests import CutOverRequest, PairRequest, RollbackRequest
from nospof.procedures.registry import PROCEDURES
from nospof.runtime.codec import from_plain
from nospof.runtime.memory import MemorySteps
from nospof.services.undoing import rollback_request
from support.memory_world import memory_world, one_instance
from support.undoing import run_of

WWW = "www.example.org"


def paired_with_names(*names: str, ttl: int = 300) -> MemoryCloud:
    """Return a pair, and in the zone Z1 names that lead to the first instance."""
    cloud = one_instance()
    request = PairRequest(cloud.the_instance.id, service="www", stateless=True)
    MemorySteps("pair-1").tell(PROCEDURES["pair"].story, memory_world(cloud), request)
    cloud.add_zone("example.org")
    for name in names or (WWW,):
        cloud.put_record("Z1", record_of(cloud, name, ttl))
    cloud.calls.clear()
    return cloud


def record_of(cloud: MemoryCloud, name: str = WWW, ttl: int = 300) -> RecordSet:
    """Return the record of a name that leads to the first instance."""
    return RecordSet(name, "A", ttl, (cloud.the_instance.public_ip,))


def moved(**asked: Any) -> tuple[MemoryCloud, RollbackRequest]:
    """Return a cloud whose name was led to the pair, and the request that leads it back."""
    cloud, request, steps = paired_with_names(), cut_over_request(**asked), MemorySteps("cut-over-1")
    steps.tell(PROCEDURES["cut-over"].story, memory_world(cloud), request)
    cloud.calls.clear()
    return cloud, rollback_request(run_of("cut-over", request, steps), from_plain)


def cut_over_request(**asked: Any) -> CutOverRequest:
    """Return a request that is done soon."""
    return CutOverRequest("www", **{"steps": (50, 100), "watch_seconds": 5, **asked})
