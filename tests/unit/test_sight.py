"""What a run says it is doing, as others see it."""

from itertools import pairwise

import pytest

from nospof.model.drill import LoadProgress
from nospof.model.sight import LoadSeen, Sight
from nospof.runtime.sight import MOST_LOADS, Shown, read_sight
from support.memory_world import Silent


class Steps:
    """A listener that keeps what it is told."""

    def __init__(self):
        self.told = []

    def step_began(self, name):
        self.told.append(f"began {name}")

    def step_ended(self, name, error=""):
        self.told.append(f"ended {name}{error}")

    def step_replayed(self, name):
        self.told.append(f"replayed {name}")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "clone-1.now.json"


def load(seconds, due=0):
    return LoadProgress(seconds, due, due, 0, {"i-a": due})


def test_others_see_the_step_and_what_it_is_doing_and_nothing_once_it_has_ended(file):
    steps = Steps()
    shown = Shown(file, steps, Silent())
    assert read_sight(file) == Sight()
    shown.step_began("take the image")
    shown._written_at = 0.0
    shown.progress("pending", 0.4)
    seen = read_sight(file)
    assert (seen.step, seen.says, seen.done) == ("take the image", "pending", 0.4)
    shown.step_ended("take the image")
    shown.step_replayed("launch")
    assert read_sight(file) == Sight()
    assert steps.told == ["began take the image", "ended take the image", "replayed launch"]


def test_what_comes_fast_is_written_when_it_is_time_and_the_last_of_it_with_the_steps_end(file):
    shown = Shown(file, Steps(), None)
    shown.step_began("break")
    for tenth in range(20):
        shown.loaded("before the fault", load(tenth / 10, tenth))
    assert read_sight(file).loads == ()
    shown.step_ended("break")
    assert [one.load.seconds for one in read_sight(file).loads] == [0.0, 0.5, 1.0, 1.5]


def test_a_new_phase_is_kept_at_once_and_an_earlier_attempts_load_is_not(file):
    first = Shown(file, Steps(), None)
    first.loaded("before the fault", load(8.0))
    first.loaded("broken", load(8.1))
    first.step_ended("break")
    again = Shown(file, Steps(), None)
    again.step_began("break")
    assert [one.phase for one in read_sight(file).loads] == ["before the fault", "broken"]
    again.loaded("before the fault", load(0.1))
    again.step_ended("break")
    assert read_sight(file).loads == (LoadSeen("before the fault", load(0.1)),)


def test_a_long_load_is_kept_thinner_and_whole(file):
    shown = Shown(file, Steps(), None)
    for half in range(4 * MOST_LOADS):
        shown.loaded("after the fault", load(half / 2, half))
    shown.step_ended("break")
    seen = [one.load.seconds for one in read_sight(file).loads]
    assert len(seen) <= MOST_LOADS
    assert (seen[0], seen == sorted(seen)) == (0.0, True)
    assert seen[-1] > 2 * MOST_LOADS - 10
    assert max(later - one for one, later in pairwise(seen)) <= 8.0


@pytest.mark.parametrize("text", ["", "{", "[]", '{"step": 1, "loads": [{}]}'])
def test_what_another_version_wrote_is_nothing_to_go_by(file, text):
    file.write_text(text)
    assert read_sight(file) == Sight()


def test_a_run_goes_on_where_nobody_can_be_shown_anything(tmp_path):
    shown = Shown(tmp_path / "gone" / "x.now.json", Steps(), Silent())
    shown.step_began("launch")
    shown.progress("pending")
    shown.step_ended("launch")
