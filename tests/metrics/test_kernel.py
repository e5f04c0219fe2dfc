"""Kernel distances: the digits of four libraries, what is biased and what is not, and an interval that holds."""

from __future__ import annotations

import hashlib
from itertools import product

import numpy as np
import pytest
from golden_removal import EXPECTED, array, rules
from numpy.typing import NDArray

from vibench.errors import InputError
from vibench.metrics.frechet import frechet_distance
from vibench.metrics.kernel import JEDI, JEDI_FACTOR, KID, Estimator, kernel_distance, paired_distance

GOLDEN = EXPECTED["kernel"]
Vectors = NDArray[np.float64]


def drawn() -> tuple[Vectors, Vectors]:
    first = rules().samples("kernel/x", 40, 1024, 0.0)
    return first, rules().samples("kernel/y", 33, 1024, 0.12)


def test_the_features_are_those_that_the_originals_saw() -> None:
    for vectors, name in zip(drawn(), "xy", strict=True):
        assert hashlib.sha256(vectors.tobytes()).hexdigest() == GOLDEN[f"sha256_{name}"]
        assert (vectors[:, :8] == array("kernel_features.npz", name)).all()


@pytest.mark.parametrize(
    ("key", "estimator"),
    [
        ("clean_fid_unbiased_first_m", "unbiased"),
        ("torchmetrics_unbiased_first_m", "unbiased"),
        ("piq_unbiased_first_m", "unbiased"),
        ("piq_biased_first_m", "biased"),
        ("piq_u-statistic_first_m", "u-statistic"),
    ],
)
def test_kid_s_kernel_reaches_the_digits_of_each_library(key: str, estimator: Estimator) -> None:
    x, y = (vectors[: GOLDEN["m"]] for vectors in drawn())
    assert kernel_distance(x, y, KID, estimator) == pytest.approx(GOLDEN["float64"][key], abs=1e-12)


def test_jedi_s_kernel_reaches_its_digits() -> None:
    expected, (x, y) = GOLDEN["float64"], drawn()
    assert JEDI_FACTOR * kernel_distance(x, y, JEDI, "biased") == pytest.approx(expected["jedi_times_100"], abs=1e-11)
    assert kernel_distance(x, y, KID, "biased") == pytest.approx(expected["jedi_degree3_coef1_all"], abs=1e-12)
    assert kernel_distance(x, x, JEDI, "biased") == expected["equal_sets"]["jedi"]


def test_clean_fid_s_mean_over_subsets_is_that_of_its_draws() -> None:
    (x, y), chance, found = drawn(), np.random.RandomState(7), []
    for _ in range(3):  # the second argument is drawn first
        second = y[chance.choice(len(y), 10, replace=False)]
        found.append(kernel_distance(x[chance.choice(len(x), 10, replace=False)], second))
    assert np.mean(found) == pytest.approx(GOLDEN["float64"]["clean_fid_3_subsets_of_10_seed7"], abs=1e-12)


def test_equal_sets_are_at_no_distance_but_by_kid_s_estimator() -> None:
    x = drawn()[0][: GOLDEN["m"]]
    assert kernel_distance(x, x) == pytest.approx(GOLDEN["float64"]["equal_sets"]["clean_fid_unbiased"], abs=1e-12)
    assert kernel_distance(x, x, estimator="biased") == kernel_distance(x, x, estimator="u-statistic") == 0
    assert paired_distance(x, x) == (0, 0, 0)


@pytest.mark.parametrize("estimator", ["biased", "unbiased", "u-statistic"])
def test_it_is_symmetric_and_blind_to_the_order_of_clips(estimator: Estimator) -> None:
    x, y = (vectors[:20] for vectors in drawn())
    distance = kernel_distance(x, y, KID, estimator)
    assert kernel_distance(y, x, KID, estimator) == pytest.approx(distance)
    assert kernel_distance(x[::-1], y[::-1], KID, estimator) == pytest.approx(distance)
    if estimator != "u-statistic":  # which needs partners
        assert kernel_distance(x[::-1], y, KID, estimator) == pytest.approx(distance)


def test_the_number_with_an_interval_is_the_u_statistic() -> None:
    x, y = (vectors[:12] for vectors in drawn())
    found = paired_distance(x, y)
    assert found.value == pytest.approx(kernel_distance(x, y, KID, "u-statistic"))
    assert found.low is not None and found.high is not None and found.low < found.value < found.high
    assert paired_distance(x[:5], y[:5])[1:] == (None, None)


def test_pairs_of_one_clip_and_of_two_repeats_are_not_compared_by_hand() -> None:
    x, y = np.array([[1.0], [2.0], [4.0]]), np.array([[0.0], [1.0], [1.0]])

    def term(i: int, j: int) -> float:
        one, other = (x[i, 0], y[i, 0]), (x[j, 0], y[j, 0])
        signs = {(0, 0): 1, (1, 1): 1, (0, 1): -1, (1, 0): -1}
        return float(sum(signs[a, b] * (one[a] * other[b] + 1) ** 3 for a, b in product((0, 1), repeat=2)))

    assert paired_distance(x, y).value == pytest.approx((term(0, 1) + term(0, 2) + term(1, 2)) / 3)
    assert paired_distance(x, y, clips=["a", "a", "b"]).value == pytest.approx((term(0, 2) + term(1, 2)) / 2)
    assert paired_distance(x, y, repeats=[0, 0, 1]).value == pytest.approx(term(0, 1))


def test_too_few_clips_and_sets_without_partners_are_refused() -> None:
    x = drawn()[0]
    for call in (
        lambda: kernel_distance(x[:1], x[:3]),
        lambda: paired_distance(x[:1], x[:1]),
        lambda: paired_distance(x[:2], x[:2], clips=["a", "a"]),
    ):
        with pytest.raises(InputError, match="at least 2 clips"):
            call()
    with pytest.raises(InputError, match="partners"):
        kernel_distance(x[:3], x[:4], estimator="u-statistic")
    with pytest.raises(InputError, match="pairs of vectors"):
        paired_distance(x[:3], x[:4])


DIMENSIONS = 16
SCALE = np.sqrt(1 / np.arange(1, DIMENSIONS + 1))


def paired_clips(chance: np.random.Generator, count: int) -> tuple[Vectors, Vectors]:
    """Vectors of true clips, and those of a method, which are the same but larger, shifted and noisy."""
    truth = chance.normal(size=(count, DIMENSIONS)) * SCALE + 0.4
    return 1.1 * truth + 0.2 + 0.5 * SCALE * chance.normal(size=truth.shape), truth


def test_few_clips_bias_a_frechet_distance_and_kid_s_estimator_but_not_the_u_statistic() -> None:
    chance = np.random.default_rng(1)
    large = paired_clips(chance, 3000)
    exact = kernel_distance(*large, KID, "u-statistic")
    sets = [paired_clips(chance, 10) for _ in range(400)]
    u_statistic = np.array([kernel_distance(*pair, KID, "u-statistic") for pair in sets])
    unbiased = np.array([kernel_distance(*pair) for pair in sets])
    error = u_statistic.std() / np.sqrt(len(sets))
    assert abs(u_statistic.mean() - exact) < 3 * error
    # Each clip's partner is in the other set.
    assert unbiased.mean() < exact - 10 * error
    frechet = np.mean([frechet_distance(*pair) for pair in sets])
    assert frechet > 1.3 * frechet_distance(*(vectors[:500] for vectors in large))


def test_the_interval_holds_the_true_distance_as_often_as_it_says() -> None:
    chance = np.random.default_rng(2)
    exact = kernel_distance(*paired_clips(chance, 3000), KID, "u-statistic")
    held = 0
    for _ in range(200):
        found = paired_distance(*paired_clips(chance, 20))
        assert found.low is not None and found.high is not None
        held += found.low <= exact <= found.high
    assert 0.90 <= held / 200 <= 0.99
