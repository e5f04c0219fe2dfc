"""Resizing and dilation reach the bytes of the families whose names they bear, and keep the laws of resizing."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vibench.clip import Frames, Masks
from vibench.errors import InputError
from vibench.media.resize import FILTERS, dilate, resize_frames, resize_masks


def sha256(array: NDArray[np.uint8]) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


@pytest.fixture(scope="module")
def truth(golden: Path) -> Frames:
    return np.load(golden / "metrics" / "inputs.npz")["truth"]


@pytest.fixture(scope="module")
def holes(golden: Path) -> Masks:
    return np.load(golden / "metrics" / "inputs.npz")["holes"]


@pytest.fixture(scope="module")
def expected(golden: Path) -> dict[str, dict[str, float]]:
    return json.loads((golden / "metrics" / "expected.json").read_text())["sttn_family"]


def test_both_families_resizes_are_reproduced_to_the_byte(truth: Frames, expected: dict[str, dict[str, float]]) -> None:
    goldens = expected["resize_to_108x60"]
    bicubic = resize_frames(truth[:1], 108, 60, "pillow-bicubic")[0]
    bilinear = resize_frames(truth[:1], 108, 60, "opencv-bilinear")[0]
    assert sha256(bicubic) == goldens["pillow_default_bicubic_sha256"]
    assert sha256(bilinear) == goldens["opencv_bilinear_sha256"]
    difference = np.abs(bicubic.astype(int) - bilinear)
    assert (difference.mean(), difference.max()) == (goldens["mean_abs_difference"], goldens["max_abs_difference"])


def test_masks_shrink_to_the_familys_pixels(holes: Masks, expected: dict[str, dict[str, float]]) -> None:
    assert resize_masks(holes[:1], 108, 60).sum() == expected["resize_to_108x60"]["mask_nearest_pixels"]


def test_the_familys_dilation_is_reproduced_to_the_byte(holes: Masks, expected: dict[str, dict[str, float]]) -> None:
    hole = holes[:1].copy()
    hole[0, 0, 0] = True
    grown = dilate(hole, 4)
    goldens = expected["dilation"]
    assert (hole.sum(), grown.sum()) == (goldens["pixels_before"], goldens["pixels_after"])
    assert sha256(grown.astype(np.uint8)) == goldens["sha256_of_uint8_0_1_bytes"]


@pytest.mark.parametrize("filter", sorted(FILTERS))
def test_a_filter_keeps_a_flat_frame_flat_and_leaves_its_own_size_alone(filter: str) -> None:
    flat = np.full((2, 40, 60, 3), 77, dtype=np.uint8)
    for width, height in ((20, 10), (90, 75), (61, 39)):
        resized = resize_frames(flat, width, height, filter)
        assert resized.shape == (2, height, width, 3) and (resized == 77).all()
    clip = np.random.default_rng(0).integers(0, 256, (1, 40, 60, 3), dtype=np.uint8)
    assert np.array_equal(resize_frames(clip, 60, 40, filter), clip)


def test_filters_give_different_data_sets(truth: Frames) -> None:
    shrunk = {sha256(resize_frames(truth[:1], 108, 60, filter)) for filter in FILTERS}
    assert len(shrunk) == len(FILTERS)


def test_area_is_the_mean_of_whole_blocks(truth: Frames) -> None:
    halves = truth.reshape(6, 60, 2, 80, 2, 3).mean(axis=(2, 4))
    assert np.abs(resize_frames(truth, 80, 60, "area") - halves).max() <= 0.5


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 3), st.integers(1, 30), st.integers(1, 30), st.integers(0, 6), st.integers(0, 99))
def test_dilation_is_the_ball_of_the_city_block_distance(t: int, h: int, w: int, iterations: int, seed: int) -> None:
    masks = np.random.default_rng(seed).random((t, h, w)) < 0.05
    y, x = np.mgrid[0:h, 0:w]
    expected = np.zeros_like(masks)
    for frame, row, column in np.argwhere(masks):
        expected[frame] |= abs(y - row) + abs(x - column) <= iterations
    assert np.array_equal(dilate(masks, iterations), expected)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (
            lambda frames: resize_frames(frames, 10, 10, "bicubic"),
            "no resize filter is called 'bicubic'; there are area",
        ),
        (lambda frames: resize_frames(frames, 0, 10, "area"), "cannot be resized to 0x10"),
        (lambda frames: dilate(frames[..., 0] > 9, -1), "cannot be dilated -1 times"),
    ],
)
def test_an_impossible_request_is_one_sentence(truth: Frames, call, reason: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=reason):
        call(truth)
