"""The two clocks, and which of them may be believed."""

from __future__ import annotations

import time

from vibench.machine.stopwatch import Load, Reading, is_disturbed, own_clock, read_clocks, read_load


def test_sleep_passes_on_the_wall_clock_alone() -> None:
    before = read_clocks()
    time.sleep(0.2)
    passed = read_clocks().since(before)
    assert passed.wall >= 0.19
    assert passed.cpu < 0.1


def test_stolen_share() -> None:
    assert Load(200, 25).stolen_share(Load(100, 5)) == 0.2
    assert Load(0, 0).stolen_share(Load(0, 0)) == 0.0
    assert 0.0 <= read_load().stolen_share(Load(0, 0)) <= 1.0


def test_steal_or_many_switches_disturb() -> None:
    assert is_disturbed(Reading(1, 1, 0, 0), 0.1)
    assert is_disturbed(Reading(1, 1, 0, 100), 0.0)
    assert not is_disturbed(Reading(1, 1, 50, 3), 0.0)


def test_processor_time_is_believed_only_of_one_thread_that_never_waits() -> None:
    works, waits = [Reading(1, 1, 0, 9)] * 3, [Reading(1, 1, 2, 0)] * 3
    assert own_clock(works, 1, "cpu") == "cpu"
    assert own_clock(waits, 1, "cpu") == own_clock(works, 2, "cpu") == own_clock(works, 1, "cuda") == "wall"
