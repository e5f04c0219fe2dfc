from math import floor

import numpy as np
import pytest
from golden_metrics import array
from hypothesis import given, settings
from hypothesis import strategies as st

from vibench.metrics.flow.motion import motion_of, occluded, warp


def warp_by_the_formula(picture: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Bilinear, pixel by pixel; the four neighbours are clamped to the picture one by one."""
    height, width = flow.shape[:2]
    result = np.zeros_like(picture)
    for y in range(height):
        for x in range(width):
            u, v = x + float(flow[y, x, 0]), y + float(flow[y, x, 1])
            for row, down in ((floor(v), 1 - (v - floor(v))), (floor(v) + 1, v - floor(v))):
                for column, across in ((floor(u), 1 - (u - floor(u))), (floor(u) + 1, u - floor(u))):
                    inside = picture[min(max(row, 0), height - 1), min(max(column, 0), width - 1)]
                    result[y, x] += down * across * inside
    return result


def occluded_by_the_formula(forward: np.ndarray, backward: np.ndarray) -> np.ndarray:
    """The inequalities of the design page, pixel by pixel, on forward flow w_f and backward flow warped to it, w_b'."""
    height, width = forward.shape[:2]
    returned = warp_by_the_formula(backward, forward)
    result = np.zeros((height, width), bool)
    for y in range(height):
        for x in range(width):
            w_f, w_b = forward[y, x].astype(float), returned[y, x].astype(float)
            right = forward[y, x + 1] - w_f if x + 1 < width else np.zeros(2)
            below = forward[y + 1, x] - w_f if y + 1 < height else np.zeros(2)
            squared_gradients = sum(right**2 + below**2)
            result[y, x] = (
                sum((w_b + w_f) ** 2) > 0.01 * (sum(w_b**2) + sum(w_f**2)) + 0.5
                or squared_gradients > 0.01 * sum(w_f**2) + 0.002
            )
    return result


def random_flow(seed: int, height: int = 9, width: int = 12) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 3, (height, width, 2)).astype(np.float32)


def smooth_flow(seed: int) -> np.ndarray:
    """A slow zoom about a random place, with a jump at a random column."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:14, :17].astype(np.float32)
    flow = np.stack([columns - generator.uniform(0, 17), rows - generator.uniform(0, 14)], -1) * 0.02
    flow[:, generator.integers(17) :] += 2
    return flow.astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
def test_warp_equals_the_formula(seed: int) -> None:
    picture = np.random.default_rng(seed).random((9, 12, 3)).astype(np.float32)
    flow = random_flow(seed)
    np.testing.assert_allclose(warp(picture, flow), warp_by_the_formula(picture, flow), atol=3e-6)


def test_warp_by_a_whole_pixel_shifts_and_repeats_the_border() -> None:
    picture = np.arange(6, dtype=np.float32).reshape(2, 3, 1)
    flow = np.zeros((2, 3, 2), np.float32)
    flow[..., 0] = 1
    np.testing.assert_allclose(warp(picture, flow)[..., 0], [[1, 2, 2], [4, 5, 5]], atol=1e-6)


def test_no_flow_changes_nothing() -> None:
    picture = np.random.default_rng(0).random((5, 7, 3)).astype(np.float32)
    np.testing.assert_allclose(warp(picture, np.zeros((5, 7, 2), np.float32)), picture, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 99))
def test_a_warped_picture_stays_between_its_extremes_at_any_size(height: int, width: int, seed: int) -> None:
    picture = np.random.default_rng(seed).random((height, width, 2)).astype(np.float32)
    warped = warp(picture, random_flow(seed, height, width))
    assert warped.shape == picture.shape
    assert picture.min() - 1e-6 <= warped.min()
    assert warped.max() <= picture.max() + 1e-6


def test_occlusion_is_that_of_the_original_code_pixel_for_pixel() -> None:
    motion = motion_of(array("inputs.npz", "flow_forward"), array("inputs.npz", "flow_backward"))
    np.testing.assert_array_equal(~motion.visible, array("occlusion.npz", "occlusion"))


@pytest.mark.parametrize("seed", range(6))
def test_occlusion_equals_the_formulas(seed: int) -> None:
    forward = smooth_flow(seed)
    backward = -smooth_flow(seed + 3 * (seed % 2))
    found = occluded(forward, backward)
    np.testing.assert_array_equal(found, occluded_by_the_formula(forward, backward))
    assert 0 < found.sum() < found.size


def test_nothing_is_occluded_where_all_moves_alike() -> None:
    forward = np.full((6, 8, 2), 1.5, np.float32)
    assert not occluded(forward, -forward).any()


def test_a_pixel_whose_way_back_ends_elsewhere_is_occluded() -> None:
    forward = np.full((6, 8, 2), 1.0, np.float32)
    assert occluded(forward, forward).all()
