import numpy as np
import pytest
from golden_metrics import EXPECTED, array
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from vibench.errors import InputError
from vibench.metrics.frechet import frechet_distance, frechet_warning

EXPECTED_DISTANCES = EXPECTED["frechet_distance"]


def golden(file: str) -> tuple[np.ndarray, np.ndarray]:
    return array(file, "real"), array(file, "fake")


def test_the_distance_reaches_the_sttn_family_s_digits() -> None:
    assert frechet_distance(*golden("activations.npz")) == pytest.approx(
        EXPECTED_DISTANCES["activations.npz"], abs=1e-12
    )


def test_with_fewer_clips_than_dimensions_the_family_s_matrix_root_is_off_by_a_millionth() -> None:
    file = "activations_rank_deficient.npz"
    difference = frechet_distance(*golden(file)) - EXPECTED_DISTANCES[file]
    assert 1e-7 < difference < 2e-6


def test_two_distributions_by_hand() -> None:
    """Means (0, 0) and (3, 0); variances (1, 4) and (9, 1) along the axes, uncorrelated: 9 + (1-3)² + (2-1)² = 14."""
    corners = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]]) * np.sqrt(1.5)
    assert frechet_distance(corners * [1, 2], corners * [3, 1] + [3, 0]) == pytest.approx(14)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_the_distance_equals_the_textbook_formula(seed: int) -> None:
    generator = np.random.default_rng(seed)
    ours, truth = generator.normal(size=(20, 4)), generator.normal(1, 2, size=(30, 4))
    first, second = np.cov(ours.T), np.cov(truth.T)
    root = sqrtm(first @ second).real
    expected = np.square(ours.mean(0) - truth.mean(0)).sum() + np.trace(first + second - 2 * root)
    assert frechet_distance(ours, truth) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("shape", [(5, 3), (4, 1024)])
def test_equal_sets_are_at_no_distance(shape: tuple[int, int]) -> None:
    vectors = np.random.default_rng(0).normal(size=shape)
    assert frechet_distance(vectors, vectors) == pytest.approx(0, abs=1e-6)


def test_the_distance_is_symmetric_and_grows_with_the_means() -> None:
    ours, truth = golden("activations.npz")
    assert frechet_distance(ours, truth) == pytest.approx(frechet_distance(truth, ours))
    assert frechet_distance(ours, ours + 2) == pytest.approx(8 * 4)


def test_one_clip_has_no_covariance() -> None:
    with pytest.raises(InputError, match="needs at least 2 clips on each side, not 1"):
        frechet_distance(np.zeros((1, 3)), np.zeros((5, 3)))


def test_few_clips_are_said_to_be_few() -> None:
    assert "20 clips estimate a distribution in 1024 dimensions" in (frechet_warning(20, 1024) or "")
    assert frechet_warning(2047, 1024) is not None
    assert frechet_warning(2048, 1024) is None
