"""A series replayed from hand-made blocks: when it is over, and what it does about disturbed ones."""

from __future__ import annotations

import numpy as np

from vibench.machine.stopwatch import Clock, Reading
from vibench.regress.blocks import BlockSeries, Burst, TimedBlock

QUIET, PUSHED = Reading(0.05, 0.05, 0, 0), Reading(0.05, 0.05, 0, 50)


def block(old: float, new: float, passed: Reading = QUIET, wall_new: float | None = None) -> TimedBlock:
    def burst(cpu: float, wall: float) -> Burst:
        return Burst({"wall": wall, "cpu": cpu}, {"wall": wall, "cpu": cpu}, passed)

    slow = burst(new, new if wall_new is None else wall_new)
    return TimedBlock((burst(old, old), burst(old, old)), (slow, slow), 0.0, 0.0)


def replay(ratio: float, blocks: int, clock: Clock = "cpu", passed: Reading = QUIET) -> BlockSeries:
    series = BlockSeries(clock, 1.10)
    for noise in np.exp(np.random.default_rng(0).normal(0, 0.01, blocks)).tolist():
        if not series.over:
            series.add(block(1.0, ratio * noise, passed))
    return series


def test_a_clear_ratio_is_over_at_the_first_look() -> None:
    series = replay(1.5, 100)
    assert len(series.blocks) == 9
    assert {finding.word for finding in series.findings()} == {"slower"}


def test_equal_versions_are_the_same() -> None:
    assert {finding.word for finding in replay(1.0, 100).findings()} == {"same"}


def test_too_few_blocks_are_unclear_and_say_so() -> None:
    finding = replay(1.5, 8).findings()[0]
    assert finding.outcome == "unclear"
    assert "only 8 of the 9 blocks" in finding.note


def test_blocks_disturbed_on_the_wall_clock_do_not_end_a_series() -> None:
    series = replay(1.5, 30, "wall", PUSHED)
    assert (series.over, series.disturbed) == (False, 30)
    assert series.findings()[0].note.endswith("disturbed by other load")


def test_context_switches_do_not_disturb_processor_time() -> None:
    assert replay(1.5, 30, "cpu", PUSHED).disturbed == 0


def test_clocks_that_contradict_each_other_are_unclear() -> None:
    series = BlockSeries("cpu", 1.10)
    for _ in range(9):
        series.add(block(1.0, 1.5, wall_new=0.5))
    assert "contradict" in series.findings()[0].note
    assert series.findings()[0].outcome == "unclear"


def test_a_burst_is_the_median_of_its_calls_per_frame() -> None:
    calls = [[0.8, 0.4, 0, 1, 0.2, 0.1], [1.6, 0.8, 1, 0, 0.3, 0.2], [2.4, 1.2, 0, 0, 0.4, 0.3]]
    burst = Burst.of(calls, frames=8)
    assert burst.frame == {"wall": 0.2, "cpu": 0.1}
    assert burst.first == {"wall": 0.3, "cpu": 0.2}
    assert burst.passed[2:] == (1, 1)
