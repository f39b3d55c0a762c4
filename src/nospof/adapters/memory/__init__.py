"""The in-memory cloud: the reference every other implementation of the port is compared with.

It needs no network, no process and no waiting: time is a number that `sleep` moves. Use it to try
a procedure, or to test code that is built on nospof.
"""

from nospof.adapters.memory.account import Call, MemoryClock, Timings
from nospof.adapters.memory.cloud import MemoryCloud
from nospof.adapters.memory.probe import MemoryProbe
from nospof.adapters.memory.site import MemoryService

__all__ = ["Call", "MemoryClock", "MemoryCloud", "MemoryProbe", "MemoryService", "Timings"]
