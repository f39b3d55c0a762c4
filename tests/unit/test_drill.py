"""What a drill makes of a load whose program takes its time to begin."""

from dataclasses import dataclass

import pytest

from nospof.model.drill import LoadProgress
from nospof.procedures.drill import BEGIN_SECONDS, wait_begun
from support.memory_world import memory_world, one_instance


@dataclass
class SlowLoad:
    """A load from which requests fall due only so many seconds after it was asked for."""

    clock: object
    begins_at: float

    def snapshot(self):
        return LoadProgress(due=1) if self.clock.now() >= self.begins_at else LoadProgress()


@pytest.mark.parametrize(("delay", "waited"), [(0.0, 0.0), (7.0, 7.0), (1000.0, BEGIN_SECONDS)])
def test_the_time_before_the_fault_is_counted_from_the_first_request(delay, waited):
    cloud = one_instance()
    began = cloud.clock.now()
    world = memory_world(cloud)
    assert waited <= wait_begun(world, SlowLoad(cloud.clock, began + delay)) - began < waited + 2
