"""Mask generators: never empty, never full, the same bits for ever."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vibench.clip import Masks, digest
from vibench.errors import InputError
from vibench.masks import (
    devil_blob,
    free_form,
    moving_object,
    moving_square,
    stationary_square,
    sttn_moving,
    sttn_stationary,
)
from vibench.masks.raster import UNITS, add_capsule, fill_polygon

Generator = Callable[..., Masks]
GENERATORS: list[Generator] = [
    stationary_square,
    moving_square,
    free_form,
    moving_object,
    sttn_stationary,
    sttn_moving,
    devil_blob,
]
every_generator = pytest.mark.parametrize("generator", GENERATORS, ids=lambda generator: generator.__name__)

# Most draws are small, one in ten has a side of up to 1080p and beyond: rasterising those is what takes the time.
sides = st.one_of(*[st.integers(16, 160)] * 9, st.integers(160, 1920))
lengths = st.one_of(*[st.integers(1, 8)] * 9, st.integers(8, 60))
seeds = st.integers(-(2**31), 2**63)
OPTIONS = {
    stationary_square: {"size": st.floats(0.02, 0.9)},
    moving_square: {"size": st.floats(0.02, 0.9), "speed": st.floats(0, 0.5)},
    free_form: {
        "strokes": st.integers(1, 16),
        "brush": st.floats(0.02, 0.25),
        "length": st.floats(0.05, 0.5),
        "speed": st.floats(0, 0.5),
    },
    moving_object: {"size": st.floats(0.02, 0.8), "deformation": st.floats(0, 0.5), "speed": st.floats(0, 0.5)},
    sttn_stationary: {},
    sttn_moving: {"speed": st.floats(0, 0.2)},
    devil_blob: {
        "size": st.sampled_from(["small", "medium", "large"]),
        "deformation": st.sampled_from(["none", "low", "high"]),
        "displacement": st.sampled_from(["none", "low", "high"]),
    },
}


@every_generator
@settings(max_examples=200, deadline=None)
@given(data=st.data(), frames=lengths, height=sides, width=sides, seed=seeds)
def test_no_frame_is_ever_empty_or_full(
    generator: Generator, data: st.DataObject, frames: int, height: int, width: int, seed: int
) -> None:
    if frames * height * width > 40_000_000:
        frames = max(1, 40_000_000 // (height * width))
    options = data.draw(st.fixed_dictionaries({}, optional=OPTIONS[generator]))
    masks = generator(frames, height, width, seed, **options)
    assert masks.shape == (frames, height, width) and masks.dtype == np.bool_
    covered = masks.mean(axis=(1, 2))
    assert (covered > 0).all() and (covered < 1).all()


@every_generator
def test_the_bits_never_change(generator: Generator) -> None:
    """Published manifests hold these hashes: a generator that must change gets a new name instead."""
    small = digest(generator(7, 48, 64, 11))
    large = digest(generator(3, 240, 432, 2019))
    assert (small[:16], large[:16]) == GOLDEN[generator.__name__]


GOLDEN = {
    "devil_blob": ("6380a1df257b8dbb", "a0fc9e23e9f2c772"),
    "sttn_moving": ("7822ea063b548b97", "2ff0357b98acb6a8"),
    "sttn_stationary": ("393cceb020ee5560", "efaa81feb912e976"),
    "free_form": ("c46b6252b2ee85fa", "60cf52d1fd5a72da"),
    "moving_object": ("b23dc0eba8e0db2d", "d7131c4455625a8f"),
    "moving_square": ("1be29a8061bce24d", "caed1680c6971e48"),
    "stationary_square": ("7fc77c0454c52f73", "e403df0c6eb1923f"),
}


@every_generator
def test_another_seed_is_another_mask(generator: Generator) -> None:
    assert (generator(2, 64, 64, 1) != generator(2, 64, 64, 2)).any()
    assert (generator(2, 64, 64, 1) != generator(2, 64, 64, -1)).any()


@every_generator
def test_a_longer_clip_begins_like_a_shorter_one(generator: Generator) -> None:
    assert np.array_equal(generator(20, 60, 80, 5)[:1], generator(1, 60, 80, 5))


@pytest.mark.parametrize(
    "generator", [moving_square, free_form, moving_object, sttn_moving, devil_blob], ids=lambda g: g.__name__
)
def test_moving_holes_move_and_still_ones_do_not(generator: Generator) -> None:
    masks = generator(30, 120, 160, 0)
    assert (masks[0] != masks[-1]).any()
    still = stationary_square(30, 120, 160, 0)
    assert (still == still[0]).all()


@every_generator
def test_a_hole_covers_the_same_part_of_a_small_and_of_a_large_frame(generator: Generator) -> None:
    small, large = generator(1, 64, 96, 3).mean(), generator(1, 512, 768, 3).mean()
    assert abs(small - large) < 0.1 * large


@pytest.mark.parametrize("option", ["size", "deformation", "displacement"])
def test_each_level_of_a_blob_shows_in_what_it_names(option: str) -> None:
    levels = {"size": ("small", "large")}.get(option, ("none", "high"))
    still: dict[str, str] = {"deformation": "none", "displacement": "none"}
    low, high = (devil_blob(13, 240, 432, 4, **{**still, option: level}) for level in levels)
    if option == "size":
        assert 2 * low.mean() < high.mean()
    else:
        assert (low[0] == low[-1]).all() and (high[0] != high[-1]).any()


def test_a_square_has_the_size_it_is_asked_for() -> None:
    assert stationary_square(2, 100, 200, 0, size=0.3).sum() == 2 * 30 * 30


def test_given_silhouettes_keep_their_shape() -> None:
    ring = np.zeros((3, 40, 40), dtype=np.bool_)
    ring[:, 10:30, 10:30] = True
    ring[:, 15:25, 15:25] = False
    masks = moving_object(5, 100, 100, 0, size=0.4, speed=0.0, silhouettes=ring)
    # 40 px across with a 20 px opening, and the one centre pixel that is always kept.
    assert (masks.sum(axis=(1, 2)) == 40 * 40 - 20 * 20 + 1).all()


def test_a_polygon_covers_its_pixel_centres() -> None:
    square = [(2 * UNITS, UNITS), (5 * UNITS, UNITS), (5 * UNITS, 4 * UNITS), (2 * UNITS, 4 * UNITS)]
    expected = np.zeros((6, 7), dtype=np.bool_)
    expected[1:4, 2:5] = True
    assert np.array_equal(fill_polygon(square, 6, 7), expected)


def test_a_polygon_beyond_the_frame_is_clipped() -> None:
    around = [(-99, -99), (999, -99), (999, 999), (-99, 999)]
    assert fill_polygon(around, 5, 4).all()
    assert not fill_polygon([(x + 5000, y) for x, y in around], 5, 4).any()


def test_a_capsule_covers_what_is_nearer_than_its_radius() -> None:
    canvas = np.zeros((30, 40), dtype=np.bool_)
    start, end, radius = (5 * UNITS, 9 * UNITS), (30 * UNITS, 20 * UNITS), 4 * UNITS
    added = add_capsule(canvas, start, end, radius)
    y, x = np.mgrid[0:30, 0:40] + 0.5
    along = np.clip(((x - 5) * 25 + (y - 9) * 11) / (25**2 + 11**2), 0, 1)
    distance = np.hypot(x - 5 - 25 * along, y - 9 - 11 * along)
    assert added == canvas.sum()
    assert np.array_equal(canvas, distance <= 4)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: stationary_square(0, 64, 64, 0), "cannot have 0 frames"),
        (lambda: moving_square(3, 64, 4, 0), "at least 8x8 px, not 4x64"),
        (lambda: moving_square(3, 64, 64, 0, size=1.5), "size=1.5 must be a number from 0.02 to 0.9"),
        (lambda: moving_square(3, 64, 64, 0, size="big"), "size='big' must be a number"),
        (lambda: moving_object(3, 64, 64, 0, deformation=float("nan")), "deformation=nan must be"),
        (lambda: free_form(3, 64, 64, 0, strokes=2.5), "strokes=2.5 must be a whole number from 1 to 16"),
        (lambda: devil_blob(3, 64, 64, 0, size="huge"), "size='huge' must be one of small, medium, large"),
        (lambda: moving_object(3, 64, 64, 0, silhouettes=np.zeros((1, 8, 8), dtype=np.bool_)), "with an object"),
    ],
)
def test_an_impossible_request_is_one_sentence(call: Callable[[], Masks], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        call()
