"""Worse masks: each differs from the mask in the way that its name says, and in no other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from vibench.clip import Masks
from vibench.masks import loose, moving_object


@pytest.fixture(scope="module")
def masks() -> Masks:
    return moving_object(12, 60, 80, seed=5)


@pytest.mark.parametrize("px", [1, 3, 40])
def test_erosion_and_dilation_are_those_of_scipy(masks: Masks, px: int) -> None:
    cross = ndimage.generate_binary_structure(2, 1)
    for ours, name, border in ((loose.eroded, "binary_erosion", 1), (loose.dilated, "binary_dilation", 0)):
        theirs = [getattr(ndimage, name)(mask, cross, iterations=px, border_value=border) for mask in masks]
        np.testing.assert_array_equal(ours(masks, px), theirs)


def test_a_box_is_the_smallest_rectangle_around_the_mask(masks: Masks) -> None:
    for mask, box in zip(masks, loose.boxed(masks), strict=True):
        rows, columns = np.nonzero(mask)
        around = np.zeros_like(mask)
        around[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = True
        np.testing.assert_array_equal(box, around)
    assert not loose.boxed(np.zeros((2, 8, 8), bool)).any()


def test_a_late_mask_is_that_of_earlier_frames(masks: Masks) -> None:
    late = loose.late(masks, 3)
    np.testing.assert_array_equal(late[3:], masks[:-3])
    np.testing.assert_array_equal(late[:3], masks[[0, 0, 0]])
    np.testing.assert_array_equal(loose.late(masks, 99), masks[[0] * len(masks)])


@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.01, 0.99), frames=st.integers(1, 30))
def test_the_share_of_missing_masks_is_exact_and_the_others_stay(seed: int, share: float, frames: int) -> None:
    masks = np.ones((frames, 8, 8), bool)
    left = loose.missing(masks, share, seed).reshape(frames, -1)
    assert set(map(tuple, left.tolist())) <= {(True,) * 64, (False,) * 64}
    assert int((~left[:, 0]).sum()) == int(share * frames + 0.5)
    np.testing.assert_array_equal(loose.missing(masks, share, seed).reshape(frames, -1), left)


@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1), px=st.integers(1, 12))
def test_a_shift_moves_every_frame_alike_and_by_that_far(seed: int, px: int) -> None:
    point = np.zeros((3, 40, 40), bool)
    point[:, 20, 20] = True
    moved = loose.shifted(point, px, seed)
    places = np.argwhere(moved)[:, 1:] - 20
    assert len(places) == 3 and (places == places[0]).all()
    assert float(np.hypot(*places[0])) == pytest.approx(px, abs=0.75)  # to the nearest whole pixel of each axis


def test_a_shift_beyond_the_frame_leaves_no_hole() -> None:
    assert not loose.shifted(np.ones((1, 8, 8), bool), 64, 1).any()


def test_different_cases_draw_different_directions_and_frames(masks: Masks) -> None:
    assert len({loose.shifted(masks, 8, seed).tobytes() for seed in range(8)}) > 4
    assert len({loose.missing(masks, 0.5, seed).tobytes() for seed in range(8)}) > 4
