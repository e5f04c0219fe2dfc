"""The model behind docs/scale.md: queues whose outcome can be computed by hand, and laws."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

MAKE = Path(__file__).parents[2] / "docs" / "make"
pytestmark = pytest.mark.skipif(not MAKE.is_dir(), reason="needs a checkout, not a wheel")
sys.path.insert(0, str(MAKE))
scale_model = pytest.importorskip("scale_model")
Cluster, Stage, simulate, OWN = scale_model.Cluster, scale_model.Stage, scale_model.simulate, scale_model.OWN


def test_equal_cases_fill_workers_in_rounds() -> None:
    assert simulate(Cluster(4), [10.0] * 9, ()).makespan == 30.0
    assert simulate(Cluster(4, start=(Stage(OWN, 5.0),)), [10.0] * 9, ()).makespan == 35.0


def test_what_is_shared_serves_one_after_the_other() -> None:
    outcome = simulate(Cluster(4, {"disk": 1}), [0.0] * 8, (Stage("disk", 1.0),))
    assert outcome.makespan == 8.0
    # Four wait 0, 1, 2 and 3 s at first, and each then waits for the three others.
    assert outcome.waited == 6.0 + 4 * 3.0
    assert simulate(Cluster(4, {"disk": 2}), [0.0] * 8, (Stage("disk", 1.0),)).makespan == 4.0


def test_a_shard_ends_when_its_own_cases_have_ended() -> None:
    outcome = simulate(Cluster(2), [1.0, 1.0, 1.0, 5.0], (), shard_of=[0, 0, 0, 1].__getitem__)
    assert outcome.makespan == 5.0
    assert outcome.idle == 2.0
    assert outcome.waste == pytest.approx(1 - 8 / 10)


def test_a_straggler_at_the_end_is_waited_for_by_all() -> None:
    assert simulate(Cluster(4), [1.0] * 8 + [20.0], ()).makespan == 22.0


def test_preemptions_are_as_many_as_their_rate_says_and_cost_half_a_case_each() -> None:
    seconds, rate = 600.0, 0.05
    outcome = simulate(Cluster(64, preemptions_an_hour=rate), [seconds] * 20_000, ())
    hours = (outcome.useful + outcome.lost) / 3600
    expected = rate * hours
    assert abs(outcome.preemptions - expected) < 4 * np.sqrt(expected)
    # Within a case, the end comes anywhere: half of it is lost on average, give or take its deviation / sqrt(n).
    assert abs(outcome.lost / outcome.preemptions - seconds / 2) < 4 * seconds / np.sqrt(12 * outcome.preemptions)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(0, 100), min_size=1, max_size=40), st.integers(1, 6), st.floats(0, 2), st.floats(0, 20),
    st.booleans(),
)  # fmt: skip
def test_time_is_neither_made_nor_lost(
    seconds: list[float], workers: int, disk: float, rate: float, shards: bool
) -> None:
    cluster = Cluster(workers, {"disk": 1}, (Stage(OWN, 1.0),), rate, 7.0)
    shard_of = (lambda case: case % workers) if shards else None
    outcome = simulate(cluster, seconds, (Stage("disk", disk),), shard_of)
    spent = outcome.useful + outcome.lost + outcome.started + outcome.waited + outcome.idle
    assert spent == pytest.approx(workers * outcome.makespan)
    assert outcome.useful == pytest.approx(sum(seconds) + disk * len(seconds))
    assert outcome.makespan >= max(outcome.useful / workers, max(seconds) + disk)
