"""Steps are found where a level changed, and not in noise: how often in noise is counted by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from step_alarms import NOISES, share

pytest.importorskip("ruptures", reason="needs ruptures: pip install 'vibench[history]'")

from vibench.results.steps import Step, _p, steps_in

DRAWS = 300


def places(values: NDArray[np.float64], smallest: float = 0.05) -> list[int]:
    return [step.index for step in steps_in(values.tolist(), smallest, logarithmic=True)]


@pytest.mark.parametrize("count", [4, 8, 20, 60])
@pytest.mark.parametrize("kind", list(NOISES)[:3])
def test_at_most_one_series_of_noise_in_a_hundred_has_a_step(kind: str, count: int) -> None:
    alarms = round(DRAWS * share(NOISES[kind], count, 1.0, DRAWS, seed=20_190_505))
    # Were the rate 1 in 100, 8 alarms and more would be seen in 1 of 100 such tests (binomial).
    assert alarms <= 7, f"{alarms} of {DRAWS}"


@pytest.mark.parametrize(("count", "factor", "least"), [(8, 1.3, 0.9), (12, 1.2, 0.9), (20, 1.15, 0.9)])
def test_a_step_in_the_middle_of_noise_of_three_per_cent_is_found_where_it_is(
    count: int, factor: float, least: float
) -> None:
    chance = np.random.default_rng(7)
    level = np.where(np.arange(count) < count // 2, 1.0, factor)
    found = [places(level * np.exp(chance.normal(0, 0.03, count))) for _ in range(100)]
    assert np.mean([len(one) == 1 and abs(one[0] - count // 2) <= 1 for one in found]) >= least


def test_a_slowdown_that_was_mended_is_two_steps_with_the_levels_between() -> None:
    values = [10.0, 10.1, 9.9, 10.0, 8.0, 8.1, 7.9, 8.0, 10.0, 10.1, 9.9, 10.0]
    first, second = steps_in(values, 0.05, logarithmic=True)
    assert (first.index, second.index) == (4, 8)
    assert first.after == second.before == pytest.approx(8.0, rel=1e-3)
    assert first.change == pytest.approx(-0.2, abs=1e-3) and second.change == pytest.approx(0.25, abs=2e-3)


def test_a_certain_change_that_is_smaller_than_asked_for_is_no_step() -> None:
    values = [100.0, 100.1] * 6 + [103.0, 103.1] * 6
    assert [step.index for step in steps_in(values, 0.02)] == [12]
    assert steps_in(values, 0.05) == []


def test_where_neighbours_are_equal_every_change_is_a_step_also_that_of_the_last_value() -> None:
    assert steps_in([30.0, 30.0, 30.0, 30.5], 0.001) == [Step(3, 30.0, 30.5)]
    assert [step.index for step in steps_in([1.0, 1.0, 2.0, 2.0, 2.0, 3.0], 0.001)] == [2, 5]
    assert steps_in([0.0, 0.0, 1.0, 1.0], 0.001)[0].change == float("inf")
    assert steps_in([30.0] * 9, 0.001) == [] and steps_in([30.0], 0.001) == [] and steps_in([], 0.001) == []


@given(
    st.lists(st.floats(0.1, 1e3), min_size=2, max_size=24),
    st.sampled_from([1e-3, 3.0, 1e6]),
)
def test_a_unit_changes_nothing_about_the_steps_and_levels_are_within_the_values(
    values: list[float], unit: float
) -> None:
    steps = steps_in(values, 0.05, logarithmic=True)
    indices = [step.index for step in steps]
    assert indices == sorted(set(indices)) and all(0 < index < len(values) for index in indices)
    for step in steps:
        assert abs(step.change) >= 0.05
        assert min(values) * (1 - 1e-9) <= min(step.before, step.after)
        assert max(step.before, step.after) <= max(values) * (1 + 1e-9)
    scaled = [step.index for step in steps_in([unit * value for value in values], 0.05, logarithmic=True)]
    assert len(scaled) == len(indices)


def test_the_test_between_levels_is_students() -> None:
    from scipy.stats import ttest_ind

    chance = np.random.default_rng(3)
    left, right = chance.normal(0, 1, 5), chance.normal(1, 1, 8)
    assert _p(left, right) == pytest.approx(ttest_ind(left, right).pvalue, rel=1e-9)
