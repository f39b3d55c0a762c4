"""The local cloud's servers that have not heard of a change yet."""

from __future__ import annotations

import pytest

from nospof.localcloud.awserrors import AwsError
from nospof.localcloud.consistency import Consistency

EC2 = ("123456789012", "us-east-1", "ec2")
READ = ("DescribeInstances", '{"InstanceIds": ["i-0a1b2c3d"]}')
LAUNCHED = (
    b"<imageId>ami-11111111</imageId><instanceId>i-0a1b2c3d</instanceId><volumeId>vol-0a1b2c3d</volumeId>"
)


class Late(Consistency):
    """Servers that learn within two seconds, on a clock of their own."""

    def __init__(self) -> None:
        self.now = 100.0
        super().__init__(lambda: self.now)
        self.seconds = 2.0

    def knows(self, parameters: str) -> bool:
        try:
            self.refuse_new_ids("ec2", parameters)
        except AwsError:
            return False
        return True


@pytest.fixture
def late() -> Late:
    return Late()


def test_what_was_made_is_not_known_for_a_while_and_what_it_was_made_of_is(late: Late) -> None:
    late.note_change(EC2, "RunInstances", LAUNCHED)
    with pytest.raises(AwsError) as refused:
        late.refuse_new_ids("ec2", READ[1])
    assert refused.value.code == "InvalidInstanceID.NotFound"
    assert not late.knows("vol-0a1b2c3d")
    assert late.knows("ami-11111111")
    late.now += 2.0
    assert late.knows(READ[1])


def test_a_repeat_that_tells_an_id_again_does_not_make_it_new(late: Late) -> None:
    late.note_change(EC2, "RunInstances", LAUNCHED)
    late.now += 1.5
    late.note_change(EC2, "RunInstances", LAUNCHED)
    late.now += 0.5
    assert late.knows(READ[1])


def test_a_read_repeats_what_it_told_before_the_change_and_then_the_truth(late: Late) -> None:
    running, stopping = (200, {}, "running"), (200, {}, "stopping")
    late.note_read(EC2, *READ, running)
    assert late.earlier_answer(EC2, *READ) is None  # nothing has changed
    late.now += 1
    late.note_change(EC2, "StopInstances", b"")
    assert late.earlier_answer(EC2, *READ) == running
    late.now += 2
    assert late.earlier_answer(EC2, *READ) is None
    late.note_read(EC2, *READ, stopping)
    assert late.earlier_answer(EC2, *READ) is None


def test_a_change_that_is_asked_for_again_and_again_is_known_all_the_same(late: Late) -> None:
    late.note_read(EC2, *READ, (200, {}, "running"))
    for _ in range(4):
        late.now += 0.5
        late.note_change(EC2, "StopInstances", b"")
    assert late.earlier_answer(EC2, *READ) is not None
    late.now += 0.5
    assert late.earlier_answer(EC2, *READ) is None


def test_a_read_that_nobody_made_before_is_true(late: Late) -> None:
    late.note_change(EC2, "StopInstances", b"")
    assert late.earlier_answer(EC2, *READ) is None


def test_switched_off_it_keeps_nothing() -> None:
    at_once = Consistency()
    at_once.note_change(EC2, "RunInstances", LAUNCHED)
    at_once.note_read(EC2, *READ, (200, {}, ""))
    at_once.refuse_new_ids("ec2", READ[1])
    assert at_once.earlier_answer(EC2, *READ) is None
