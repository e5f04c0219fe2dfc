"""Every registered method keeps its promises, and each classical one is what it says it is."""

from __future__ import annotations

import importlib
import tracemalloc
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
from patchmatch import patch_match
from skimage.restoration import inpaint_biharmonic

from baselines.biharmonic import Biharmonic
from baselines.flow_propagation import FlowPropagation
from baselines.last_seen import LastSeen
from baselines.navier_stokes import NavierStokes
from baselines.patchmatch import PatchMatch
from baselines.telea import Telea
from baselines.temporal_median import TemporalMedian
from vibench import plugins
from vibench.clip import Clip, Frames, Holed, Masks
from vibench.data.layouts import open_dataset
from vibench.data.synthetic import Scene, render
from vibench.errors import UserError
from vibench.machine.worker import described
from vibench.masks import moving_square, stationary_square
from vibench.method import StreamingMethod
from vibench.plugins import Spec

METHODS = [name for name in plugins.names("methods") if name != "from_disk" and not name.startswith("example-")]


def cut(frames: Frames, masks: Masks) -> Holed:
    holed = frames.copy()
    holed[masks] = 0
    return Holed("case", holed, masks)


def noise(frames: int, height: int, width: int) -> Frames:
    generator = np.random.default_rng(5)
    blurred = [
        cv2.GaussianBlur(generator.integers(0, 256, (height, width, 3), np.uint8), (0, 0), 1.5) for _ in range(frames)
    ]
    return np.stack(blurred)


def error(filled: Frames, truth: Frames, masks: Masks) -> float:
    """Mean squared error in the hole."""
    return float(np.square(filled.astype(float) - truth)[masks].mean())


@pytest.fixture(scope="module")
def panning() -> Clip:
    return render(Scene("pan", 96, 128, 14, camera="pan", camera_speed=0.02, object_size=0, seed=7))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_says_what_it_knows(name: str) -> None:
    assert described(plugins.make("methods", Spec.parse(name), device="cpu"))["knows"]


def test_what_a_method_knows_may_be_an_attribute_and_only_a_text_counts() -> None:
    assert described(TemporalMedian(window=3)) == {"knows": "3 frames around"}
    wrong = Telea()
    wrong.knows = 3  # type: ignore[assignment]
    assert described(wrong) == {}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("shape", [(1, 40, 48), (5, 33, 47), (8, 64, 80)])
def test_frames_come_back_in_the_same_shape_the_same_every_time_and_the_input_is_not_touched(
    name: str, shape: tuple[int, int, int]
) -> None:
    method = plugins.make("methods", Spec.parse(name), device="cpu")
    holed = cut(noise(*shape), moving_square(*shape, 3))
    before = zlib.crc32(holed.frames.tobytes()), zlib.crc32(holed.masks.tobytes())
    filled = method(holed)
    assert filled.dtype == np.uint8 and filled.shape == holed.frames.shape
    np.testing.assert_array_equal(method(holed), filled)
    assert (zlib.crc32(holed.frames.tobytes()), zlib.crc32(holed.masks.tobytes())) == before
    if isinstance(method, StreamingMethod):
        np.testing.assert_array_equal(np.stack(list(method.stream(holed.frames, holed.masks))), filled)


CLASSICAL = [
    "telea", "navier_stokes", "biharmonic", "patchmatch", "temporal_median", "last_seen", "flow_propagation", "identity"
]  # fmt: skip


@pytest.mark.parametrize("name", CLASSICAL)
def test_an_empty_mask_changes_nothing(name: str) -> None:
    frames = noise(4, 40, 48)
    filled = plugins.make("methods", Spec.parse(name))(cut(frames, np.zeros(frames.shape[:3], bool)))
    np.testing.assert_array_equal(filled, frames)


@pytest.mark.parametrize("name", CLASSICAL)
def test_pixels_outside_the_hole_are_kept(name: str) -> None:
    frames, masks = noise(4, 40, 48), moving_square(4, 40, 48, 1)
    filled = plugins.make("methods", Spec.parse(name))(cut(frames, masks))
    np.testing.assert_array_equal(filled[~masks], frames[~masks])


@pytest.mark.parametrize("name", CLASSICAL)
def test_a_clip_that_is_all_hole_still_comes_back(name: str) -> None:
    masks = np.ones((3, 24, 24), bool)
    filled = plugins.make("methods", Spec.parse(name))(cut(noise(3, 24, 24), masks))
    assert filled.shape == (3, 24, 24, 3)


@pytest.mark.parametrize("name", [name for name in CLASSICAL if name != "identity"])
def test_a_flat_colour_is_filled_with_itself(name: str) -> None:
    frames = np.full((4, 40, 48, 3), (200, 30, 90), np.uint8)
    filled = plugins.make("methods", Spec.parse(name))(cut(frames, moving_square(4, 40, 48, 1)))
    assert np.abs(filled.astype(int) - frames).max() <= 3  # OpenCV's Telea rounds up to 3 levels away


@pytest.mark.parametrize(("method", "code"), [(Telea, cv2.INPAINT_TELEA), (NavierStokes, cv2.INPAINT_NS)])
@pytest.mark.parametrize("radius_px", [1.0, 3.0, 7.5])
def test_opencv_s_methods_are_opencv_s(method: Any, code: int, radius_px: float) -> None:
    holed = cut(noise(3, 40, 48), stationary_square(3, 40, 48, 2))
    expected = [
        cv2.inpaint(frame, mask.astype(np.uint8), radius_px, code)
        for frame, mask in zip(holed.frames, holed.masks, strict=True)
    ]
    np.testing.assert_array_equal(method(radius_px=radius_px)(holed), np.stack(expected))


def test_biharmonic_is_scikit_image_s() -> None:
    holed = cut(noise(2, 32, 40), stationary_square(2, 32, 40, 2))
    expected = [
        inpaint_biharmonic(frame / 255, mask, channel_axis=-1, split_into_regions=True)
        for frame, mask in zip(holed.frames, holed.masks, strict=True)
    ]
    assert np.abs(Biharmonic()(holed) - 255 * np.stack(expected).clip(0, 1)).max() <= 0.501


def visible(masks: Masks, t: int, y: int, x: int) -> list[int]:
    return [other for other in range(len(masks)) if not masks[other, y, x] and other != t]


def test_last_seen_takes_the_nearest_frame_and_the_earlier_of_two() -> None:
    frames, masks = noise(7, 24, 32), moving_square(7, 24, 32, 4, size=0.4, speed=0.2)
    filled = LastSeen()(cut(frames, masks))
    checked = 0
    for t, y, x in np.argwhere(masks):
        if seen := visible(masks, t, y, x):
            nearest = min(seen, key=lambda other: (abs(other - t), other))
            np.testing.assert_array_equal(filled[t, y, x], frames[nearest, y, x])
            checked += 1
    assert checked > 100


def test_temporal_median_is_the_lower_median_of_what_is_visible() -> None:
    frames, masks = noise(7, 24, 32), moving_square(7, 24, 32, 4, size=0.4, speed=0.2)
    filled = TemporalMedian()(cut(frames, masks))
    checked = 0
    for t, y, x in np.argwhere(masks):
        if seen := visible(masks, t, y, x):
            expected = np.percentile(frames[seen, y, x], 50, axis=0, method="lower")
            np.testing.assert_array_equal(filled[t, y, x], expected)
            checked += 1
    assert checked > 100


def test_patchmatch_is_pypatchmatch_s_and_takes_nothing_from_elsewhere() -> None:
    """A texture of two colours is filled with these two: patches are copied, where diffusion would mix them."""
    frames = np.kron(np.indices((12, 16)).sum(0) % 2, np.ones((4, 4)))[None, ..., None].repeat(3, -1)
    frames = np.where(frames > 0, np.uint8(230), np.uint8(20))
    masks = np.zeros((1, 48, 64), bool)
    masks[:, 16:30, 20:40] = True
    holed = cut(frames, masks)
    patch_match.set_random_seed(0)
    expected = patch_match.inpaint(holed.frames[0], masks[0], patch_size=3)
    np.testing.assert_array_equal(PatchMatch()(holed)[0], expected)
    between = (expected[masks[0]] > 60) & (expected[masks[0]] < 190)
    assert between.mean() < 0.2
    telea = Telea()(holed)[0][masks[0]]
    assert ((telea > 60) & (telea < 190)).mean() > between.mean()


WINDOWED = [FlowPropagation, LastSeen]


@pytest.mark.parametrize("method", WINDOWED)
def test_a_clip_that_fits_one_window_is_filled_as_a_whole_and_the_limits_only_divide_it(
    method: Any, panning: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module(method.__module__)
    holed = cut(panning.frames, moving_square(*panning.frames.shape[:3], 9))
    whole = method()(holed)
    np.testing.assert_array_equal(np.stack(list(method().stream_windows(holed.frames, holed.masks))), whole)
    monkeypatch.setattr(module, "OVERLAP", 2)
    np.testing.assert_array_equal(method(window=len(holed.frames))(holed), whole)
    monkeypatch.setattr(module, "OVERLAP", len(holed.frames))
    np.testing.assert_array_equal(method(window=0)(holed), whole)
    monkeypatch.setattr(module, "OVERLAP", 2)
    parts = method(window=8)(holed)
    assert parts.shape == whole.shape and not np.array_equal(parts, whole)
    assert error(parts, panning.frames, holed.masks) < 3 * error(whole, panning.frames, holed.masks)
    monkeypatch.setattr(module, "WINDOW_BYTES", 8 * sum(map(module._bytes, holed.masks)) // len(holed.masks))
    assert not np.array_equal(method()(holed), whole), "too little memory for the whole clip"


@pytest.mark.parametrize("method", WINDOWED)
def test_memory_does_not_grow_with_the_clip(method: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the frames, streamed in windows, take no more than the stated bytes and some for what is not arrays."""
    module = importlib.import_module(method.__module__)
    monkeypatch.setattr(module, "OVERLAP", 3)
    frame, mask = noise(1, 240, 320)[0], stationary_square(1, 240, 320, 2)[0]
    monkeypatch.setattr(module, "WINDOW_BYTES", 12 * module._bytes(mask))
    peaks = []
    for count in (24, 60):
        tracemalloc.start()
        try:
            given = (np.roll(frame, t, axis=1) for t in range(count))
            assert sum(1 for _ in method().stream_windows(given, (mask for _ in range(count)))) == count
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]
    assert peaks[1] < 2 * module.WINDOW_BYTES + 100 * mask.size, "what is stated, and single frames of numbers"


def test_flow_propagation_follows_a_moving_camera(panning: Clip) -> None:
    """Every pixel of a hole narrower than the camera's way is visible in some frame; the rest is interpolation."""
    masks = np.zeros(panning.frames.shape[:3], bool)
    masks[:, 40:56, 60:74] = True
    holed = cut(panning.frames, masks)
    ours = error(FlowPropagation()(holed), panning.frames, masks)
    others = {name: error(plugins.make("methods", Spec.parse(name))(holed), panning.frames, masks)
              for name in ("telea", "navier_stokes", "biharmonic", "temporal_median", "last_seen")}  # fmt: skip
    assert ours < 0.5 * min(others.values()), others


def test_flow_propagation_never_takes_the_black_of_another_hole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flow of 0.45 px a frame adds up over a hole that stands still, past the pixel that rounding led to."""
    frames = noise(24, 48, 64) // 2 + 120
    masks = np.zeros(frames.shape[:3], bool)
    masks[:, 12:36, 16:48] = True
    for t in range(0, 24, 6):  # now and then a part of the hole is open, with the rest of it close by
        masks[t, 12:36, 24:28] = False
    drift = np.full((48, 64, 2), 0.45, np.float32)
    monkeypatch.setattr("vinet.propagation._flow", lambda *_: drift)
    assert FlowPropagation()(cut(frames, masks)).min() >= frames.min() - 1


def test_a_second_pass_of_flow_propagation_helps_on_a_moving_camera(panning: Clip) -> None:
    masks = stationary_square(*panning.frames.shape[:3], 9)
    holed = cut(panning.frames, masks)
    first, second = (error(FlowPropagation(passes=passes)(holed), panning.frames, masks) for passes in (1, 2))
    assert second < first


@pytest.mark.parametrize(
    "spec",
    [
        "telea[radius_px=0]", "navier_stokes[radius_px=-1]",
        "flow_propagation[passes=0]", "flow_propagation[passes=1.5]", "flow_propagation[window=31]",
        "last_seen[window=95]", "patchmatch[radius_px=0]", "patchmatch[radius_px=31]",
        "temporal_median[window=-1]", "frame_baseline[weights=absent.safetensors]",
    ],
)  # fmt: skip
def test_an_option_out_of_range_is_one_sentence(spec: str) -> None:
    with pytest.raises(UserError, match=r"\w"):
        plugins.make("methods", Spec.parse(spec))


def test_the_frame_baseline_is_trained_and_sees_one_frame_only() -> None:
    frames = open_dataset("bundled", None, None).load("fence", limit_frames=4).frames
    masks = stationary_square(*frames.shape[:3], 3)
    method = plugins.make("methods", Spec.parse("frame_baseline"))
    together = method(cut(frames, masks))
    alone = np.concatenate([method(cut(frames[t : t + 1], masks[t : t + 1])) for t in range(4)])
    np.testing.assert_array_equal(together, alone)
    assert error(together, frames, masks) < error(np.full_like(frames, 128), frames, masks)
    assert len(method.describe()["weights_sha256"]) == 64
