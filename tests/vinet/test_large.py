"""Frames larger than training saw: filled small, and refined around their holes."""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vinet import weights
from vinet.choice import Choice
from vinet.config import VINetConfig
from vinet.errors import VINetError
from vinet.inference import Frame, Inpainter, Mask, Seen, Settings
from vinet.large import (
    MARGIN_PX,
    Holed,
    Pyramid,
    Refinement,
    doubled,
    halved,
    halvings_until_small,
    windows,
)

Video = tuple[list[Frame], list[Mask]]


def inpainter(**switches: Any) -> Inpainter:
    return Inpainter(weights.random_network(VINetConfig.compact(0.125, **{"given_flow": True, **switches})))


def moving_texture(height: int, width: int, frames: int) -> tuple[list[Frame], Video]:
    """A texture of 8 px that moves by 4 px a frame behind a still hole; the truth, and what a method sees."""
    coarse = np.random.default_rng(0).integers(0, 256, (height // 8, (width + 4 * frames) // 8, 3)).astype(np.uint8)
    texture = np.asarray(cv2.resize(coarse, (width + 4 * frames, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    truth = [texture[:, 4 * t : 4 * t + width] for t in range(frames)]
    mask = np.zeros((height, width), bool)
    mask[height // 2 - 12 : height // 2 + 12, width // 2 - 12 : width // 2 + 12] = True
    return truth, ([np.where(mask[..., None], 0, frame).astype(np.uint8) for frame in truth], [mask] * frames)


def filled(pyramid: Pyramid, video: Video) -> np.ndarray:
    return np.stack(list(pyramid.stream(*video)))


SIZES = [
    (1, 1, 0), (240, 432, 0), (288, 512, 0), (289, 512, 1), (480, 854, 1), (1280, 720, 2), (1080, 1920, 2),
    (2160, 3840, 3),
]  # fmt: skip


@pytest.mark.parametrize(("height", "width", "times"), SIZES)
def test_frames_are_halved_until_they_are_as_small_as_in_training(height: int, width: int, times: int) -> None:
    assert halvings_until_small(height, width) == times
    assert Pyramid(inpainter()).halvings_of(height, width) == times
    assert Pyramid(inpainter(), 1).halvings_of(height, width) == 1


def test_small_frames_are_the_networks_alone() -> None:
    _, video = moving_texture(64, 96, 4)
    one = inpainter()
    assert np.array_equal(filled(Pyramid(one), video), np.stack(list(one.stream(*video))))


@given(
    st.lists(st.tuples(st.integers(0, 299), st.integers(0, 499), st.integers(1, 60), st.integers(1, 60)), max_size=5)
)
def test_every_hole_pixel_lies_in_one_window_with_its_margin_around_it(holes: list[tuple[int, int, int, int]]) -> None:
    mask = np.zeros((300, 500), bool)
    for top, left, height, width in holes:
        mask[top : top + height, left : left + width] = True
    times = np.zeros(mask.shape, int)
    for place, hole in windows(mask):
        times[place] += hole
        rows, columns = np.nonzero(hole)
        for part, at, size in zip(place, (rows, columns), mask.shape, strict=True):
            assert part.start == max(0, part.start + at.min() - MARGIN_PX)
            assert part.stop == min(size, part.start + at.max() + 1 + MARGIN_PX)
    assert np.array_equal(times, mask)


def test_holes_far_apart_have_windows_of_their_own() -> None:
    mask = np.zeros((300, 500), bool)
    mask[10:20, 10:20] = mask[250:260, 480:490] = True
    assert [tuple((part.start, part.stop) for part in place) for place, _ in windows(mask)] == [
        ((0, 84), (0, 84)), ((186, 300), (416, 500)),
    ]  # fmt: skip
    assert not list(windows(np.zeros_like(mask)))


@given(st.integers(1, 41), st.integers(1, 41), st.integers(0, 9))
def test_a_halved_pixel_is_hole_where_a_hole_has_part_in_it_and_else_a_mean_of_known_ones(
    height: int, width: int, seed: int
) -> None:
    chance = np.random.default_rng(seed)
    mask = chance.random((height, width)) < 0.1
    frame = np.where(mask[..., None], 0, np.full((height, width, 3), (10, 100, 200))).astype(np.uint8)
    small = halved(Holed(frame, mask))
    assert small.mask.shape == (-(-height // 2), -(-width // 2))
    assert small.mask.any() == mask.any()
    assert (small.frame[small.mask] == 0).all() and (small.frame[~small.mask] == (10, 100, 200)).all()
    whole = Holed(frame, mask)
    assert np.array_equal(doubled(small.frame, whole)[~mask], frame[~mask])


def test_even_frames_are_halved_by_squares_of_four() -> None:
    mask = np.zeros((6, 8), bool)
    mask[3, 5] = True
    frame = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    small = halved(Holed(frame, mask))
    assert [tuple(at) for at in np.argwhere(small.mask)] == [(1, 2)]
    expected = frame.reshape(3, 2, 4, 2, 3).mean(axis=(1, 3))
    assert np.abs(small.frame[~small.mask] - expected[~small.mask]).max() <= 0.5


def test_outside_its_holes_a_refined_frame_is_the_input_and_one_without_holes_is_wholly() -> None:
    _, (frames, masks) = moving_texture(72, 100, 5)
    masks = [*masks[:2], np.zeros_like(masks[0]), *masks[3:]]
    output = filled(Pyramid(inpainter(), 1), (frames, masks))
    for frame, mask, result in zip(frames, masks, output, strict=True):
        assert np.array_equal(result[~mask], frame[~mask])
        assert not mask.any() or not np.array_equal(result[mask], frame[mask])


def test_what_other_frames_show_arrives_sharper_than_from_half_the_size() -> None:
    truth, (frames, masks) = moving_texture(96, 160, 16)
    network, _ = Choice().load()
    one = Inpainter(network)
    small = [halved(Holed(*pair)) for pair in zip(frames, masks, strict=True)]
    halves = one.stream((holed.frame for holed in small), (holed.mask for holed in small))
    drafts = [doubled(half, Holed(*pair)) for half, pair in zip(halves, zip(frames, masks, strict=True), strict=True)]

    def error(output: Any) -> float:
        return float(np.square(np.stack(list(output)).astype(float) - np.stack(truth))[np.stack(masks)].mean())

    assert error(filled(Pyramid(one, 1), (frames, masks))) < 0.75 * error(drafts)


class Watched(Inpainter):
    """Counts the pixels of all that is looked at."""

    pixels = 0

    def look(self, frame: Frame, mask: Mask) -> Seen:
        self.pixels += mask.size
        return super().look(frame, mask)


class Nothing:
    """Fills no hole."""

    def stream(self, frames: Iterable[Frame], masks: Iterable[Mask]) -> Iterator[Frame]:
        return (frame for frame, _ in zip(frames, masks, strict=True))


def pixels_looked_at(height: int, width: int, side: int) -> int:
    watched = Watched(weights.random_network(VINetConfig.compact(0.0625, given_flow=True)))
    mask = np.zeros((height, width), bool)
    mask[150 : 150 + side, 150 : 150 + side] = True
    list(Refinement(Nothing(), watched).stream([np.zeros((height, width, 3), np.uint8)] * 2, [mask] * 2))
    return watched.pixels


def test_the_work_of_refining_grows_with_the_hole_and_not_with_the_frame() -> None:
    small = pixels_looked_at(400, 400, 20)
    assert pixels_looked_at(400, 800, 20) == small
    window, larger = (20 + 2 * MARGIN_PX) ** 2, (80 + 2 * MARGIN_PX) ** 2
    assert pixels_looked_at(400, 800, 80) * window == small * larger


def test_each_frame_comes_out_once_the_frames_it_needs_are_in() -> None:
    _, (frames, masks) = moving_texture(48, 64, 16)
    read: list[int] = []

    def counted() -> Iterator[Frame]:
        for index, frame in enumerate(frames):
            read.append(index)
            yield frame

    stream = Pyramid(inpainter(), 1).stream(counted(), masks)
    for t in range(16):
        next(stream)
        assert max(read) == min(t + 6, 15)


@pytest.mark.parametrize(
    "switches", [{"given_flow": False}, {"recurrence": False}, {"neighbours": 1}, {"memory": False}]
)
def test_every_network_that_copies_pixels_along_flow_refines(switches: dict[str, Any]) -> None:
    _, video = moving_texture(50, 70, 3)
    output = filled(Pyramid(inpainter(**switches), 2), video)
    assert output.shape == (3, 50, 70, 3)
    assert np.array_equal(output, filled(Pyramid(inpainter(**switches), 2), video))


def test_without_recurrence_a_still_video_is_refined_alike_in_every_frame() -> None:
    _, (frames, masks) = moving_texture(50, 70, 1)
    still = Inpainter(inpainter().network, settings=Settings(recurrence=False, memory=False))
    output = filled(Pyramid(still, 1), (frames * 4, masks * 4))
    assert all(np.array_equal(frame, output[0]) for frame in output)


@pytest.mark.parametrize("switches", [{"pixel_composition": False}, {"given_flow": False, "flow_warping": False}])
def test_a_network_that_copies_no_pixels_fills_large_frames_as_they_are(switches: dict[str, Any]) -> None:
    assert Pyramid(inpainter(**switches)).halvings_of(720, 1280) == 0
    with pytest.raises(VINetError, match="copies pixels"):
        Pyramid(inpainter(**switches), 1)


@pytest.mark.parametrize("halvings", [-1, 7])
def test_a_number_of_halvings_that_cannot_be_is_refused(halvings: int) -> None:
    with pytest.raises(VINetError, match=f"0 to 6, not {halvings}"):
        Pyramid(inpainter(), halvings)


def test_an_empty_video_is_one_and_a_shorter_row_of_masks_a_broken_contract() -> None:
    _, (frames, masks) = moving_texture(48, 64, 3)
    assert list(Pyramid(inpainter()).stream([], [])) == []
    with pytest.raises(ValueError, match="shorter|longer"):
        list(Pyramid(inpainter(), 1).stream(frames, masks[:2]))


PEAK_OF_A_LARGE_STREAM = """
import sys
import numpy as np
from vinet.method import VINetMethod

height, width = 720, 1280
method = VINetMethod()  # the weights that come with the package
with open("/proc/self/clear_refs", "w") as marks:
    marks.write("5")
generator = np.random.default_rng(0)
mask = np.zeros((height, width), bool)
mask[220:500, 300:980] = True  # a car of DAVIS at this size
images = (generator.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(int(sys.argv[1])))
assert sum(1 for _ in method.stream(images, (mask for _ in range(int(sys.argv[1]))))) == int(sys.argv[1])
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the kernel's high-water mark")
def test_a_large_video_takes_less_than_two_gigabytes_interpreter_and_all() -> None:
    words = [sys.executable, "-c", PEAK_OF_A_LARGE_STREAM, "40"]
    peak = 1024 * int(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    print(f"peak {peak / 1e9:.2f} GB")
    assert peak < 2e9
