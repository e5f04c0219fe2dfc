"""Arrays that a user passes: each usual mistake is told in one sentence, and what that says to pass is right."""

from __future__ import annotations

from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pytest
import torch
from golden_metrics import golden_case, golden_composite, noisy_pair
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from vibench.clip import Case, as_frame, as_frames, as_mask, as_masks, as_pair, check_pair
from vibench.errors import InputError
from vibench.metrics.patch_consistency import Corner, patch_consistency
from vibench.metrics.psnr import PSNR, psnr
from vibench.metrics.seam import seam
from vibench.metrics.ssim import ssim_map
from vibench.metrics.ssim_gaussian import smooth, ssim_gaussian
from vibench.metrics.ssim_sttn import ssim_sttn

CLIP, _ = noisy_pair(0, 20, 30, 4)
HOLES = np.zeros((4, 20, 30), bool)
HOLES[:, 5:9, 5:20] = True
GREY = CLIP[..., 0]

MENDED: dict[str, tuple[Any, str]] = {
    "floats from 0 to 1": (CLIP / 255, r"float64 \(4, 20, 30, 3\) in 0..1; .*\(255 \* frames\).round"),
    "floats from -1 to 1": (CLIP / 127.5 - 1, "in -1..1"),
    "floats from 0 to 255": (CLIP.astype(np.float32), r"float32 .* in 0..255; .*frames.round\(\).astype\('uint8'\)"),
    "floats beyond 255": (CLIP * 1.5 - 9.0, r"float64 .* from -9 to .*frames.clip\(0, 255\)"),
    "half precision": ((CLIP / 255).astype(np.float16), "float16 .* in 0..1"),
    "64-bit integers": (CLIP.astype(np.int64), r"int64 .* in 0..255; .*frames.astype\('uint8'\)"),
    "16 bits a channel": (CLIP.astype(np.uint16) * 257, r"uint16 .*16 bits a channel.*\(frames / 257\).round"),
    "8 bits in 16": (CLIP.astype(np.uint16), r"uint16 .* in 0..255; .*frames.astype\('uint8'\)"),
    "black and white": (CLIP > 100, "frames are bool"),
    "one frame": (CLIP[0], r"\(20, 30, 3\), which is one frame; .*frames\[None\]"),
    "one frame, channels first": (CLIP[0].transpose(2, 0, 1), "one frame with the channels first"),
    "channels first": (CLIP.transpose(0, 3, 1, 2), r"\(4, 3, 20, 30\), with the channels first; .*np.moveaxis"),
    "channels first and floats": (CLIP.transpose(0, 3, 1, 2) / 255, "in 0..1, with the channels first"),
    "with transparency": (np.concatenate([CLIP, CLIP[..., :1]], axis=-1), r"four channels \(RGBA\); .*\[..., :3\]"),
    "one channel": (CLIP[..., :1], r"one channel \(grey\); .*np.repeat"),
    "without channels": (GREY, r"without channels \(grey\); .*np.repeat\(frames\[..., None\]"),
    "a batch of one clip": (CLIP[None], r"one more axis in front; .*frames\[0\]"),
    "a torch tensor": (torch.from_numpy(CLIP), r"a torch tensor; .*frames.detach\(\).cpu\(\).numpy\(\)"),
    "a list of frames": (list(CLIP), r"a list; .*np.stack\(frames\)"),
    "a tuple of tensors": (tuple(map(torch.from_numpy, CLIP)), r"a tuple; .*torch.stack\(frames\)"),
    "a list of pictures": ([Image.fromarray(frame) for frame in CLIP], "a list; .*convert"),
    "a picture": (Image.fromarray(CLIP[0]), "a PIL image; .*convert"),
}

HOPELESS: dict[str, tuple[Any, str]] = {
    "not a number": (np.where(CLIP > 250, np.nan, CLIP), "numbers that are NaN or infinite"),
    "no frames": (CLIP[:0], r"frames are empty, of shape \(0, 20, 30, 3\)"),
    "no width": (CLIP[:, :, :0], "frames are empty"),
    "five channels": (np.zeros((4, 20, 30, 5), np.uint8), "in which no order of axes is known"),
    "a picture of depth 2": (np.zeros((4, 20), np.uint8), "no order of axes"),
    "10 bits in 16": (CLIP.astype(np.uint16) * 4, "uint16 .* from 0 to 1020; pass uint8"),
    "complex numbers": (CLIP * 1j, "complex128"),
    "texts": (np.array(["a"]), "<U1"),
    "a path": (Path("clip.mp4"), r"read_frames\(Path\('clip.mp4'\)\)"),
    "nothing": (None, "frames are a NoneType; pass a numpy array, uint8 .T, H, W, 3. in 0..255"),
}


# Mistakes that lose something of the clip, so that mending them does not give it back.
LOSSY = {"floats beyond 255", "black and white", "one channel", "without channels"}


@pytest.mark.parametrize("case", MENDED)
def test_what_the_sentence_says_to_pass_is_the_clip(case: str) -> None:
    """A picture takes two steps: it becomes an array first, and then a clip of one frame."""
    value = MENDED[case][0]
    for _ in range(2 if case == "a picture" else 1):
        with pytest.raises(InputError) as caught:
            as_frames(value)
        value = eval(str(caught.value).partition("0..255: ")[2], {"np": np, "torch": torch, "frames": value})
    assert as_frames(value) is value
    assert case in LOSSY or np.abs(value.astype(int) - CLIP[: len(value)]).max() <= 1


@pytest.mark.parametrize("case", [*MENDED, *HOPELESS])
def test_each_mistake_has_its_sentence(case: str) -> None:
    value, sentence = (MENDED | HOPELESS)[case]
    with pytest.raises(InputError, match=sentence) as caught:
        as_frames(value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_float_frames_are_refused_where_they_once_gave_100_decibels() -> None:
    first, second = noisy_pair(1)[0] / 255, noisy_pair(2)[0] / 255
    with pytest.raises(InputError, match=r"frame is float64 .* in 0..1; pass uint8 .H, W, 3. in 0..255"):
        psnr(first[0], second[0])


FUNCTIONS = {
    "psnr": lambda frame: psnr(frame, CLIP[0]),
    "psnr of the truth": lambda frame: psnr(CLIP[0], frame),
    "ssim_gaussian": lambda frame: ssim_gaussian(frame, CLIP[0]),
    "ssim_map": lambda frame: ssim_map(frame, CLIP[0], smooth),
    "ssim_sttn": lambda frame: ssim_sttn(frame, CLIP[0]),
    "seam": lambda frame: seam(frame, HOLES[0]),
    "patch_consistency": lambda frame: patch_consistency(frame, CLIP[0], Corner(0, 0)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_on_frames_look_at_what_they_get(name: str) -> None:
    for wrong in (CLIP[0] / 255, CLIP, torch.from_numpy(CLIP[0]), CLIP[0, ..., 0]):
        with pytest.raises(InputError, match=r"(frame|truth) is "):
            FUNCTIONS[name](wrong)


def test_a_clip_given_as_a_frame_is_sent_back() -> None:
    with pytest.raises(InputError, match=r"which is a clip; call this function frame by frame"):
        as_frame(CLIP)


def test_frames_of_two_sizes_are_both_named() -> None:
    with pytest.raises(InputError, match=r"frame is \(20, 30, 3\) and truth is \(19, 30, 3\)"):
        as_pair(CLIP[0], CLIP[0][:19])
    with pytest.raises(InputError, match=r"frames are \(4, 20, 30, 3\) and truth is \(3, 20, 30, 3\)"):
        check_pair(CLIP, CLIP[:3])


def test_one_mask_counts_for_every_frame() -> None:
    masks = as_masks(HOLES[0], CLIP)
    np.testing.assert_array_equal(masks, HOLES)
    assert as_masks(HOLES, CLIP) is HOLES


MASKS: dict[str, tuple[Any, str]] = {
    "0 and 255": (HOLES * np.uint8(255), r"uint8 \(4, 20, 30\) of 0/255; pass bool .*: holes > 0"),
    "0 and 1": (HOLES.astype(np.uint8), "of 0/1; .*: holes > 0"),
    "floats 0 and 1": (HOLES.astype(float), "float64 .* of 0/1; .*: holes > 0"),
    "a last axis": (HOLES[..., None], r": holes\[..., 0\]$"),
    "a channel axis of numbers": (HOLES[:, None] * np.uint8(255), r": holes\[:, 0\] > 0$"),
    "a torch tensor": (torch.from_numpy(HOLES), "holes are a torch tensor"),
}


@pytest.mark.parametrize("case", MASKS)
def test_what_the_sentence_says_to_pass_are_the_masks(case: str) -> None:
    value, sentence = MASKS[case]
    with pytest.raises(InputError, match=sentence) as caught:
        as_masks(value, CLIP)
    mended = eval(str(caught.value).partition("hole: ")[2], {"np": np, "holes": value})
    np.testing.assert_array_equal(as_masks(mended, CLIP), HOLES)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (HOLES & False, "holes are False everywhere"),
        (HOLES | True, "holes are True everywhere"),
        (HOLES[:3], r"bool \(3, 20, 30\) and the frames are 4 of 30x20 px"),
        (HOLES[:, :19], r"bool \(4, 19, 30\) and the frames are 4 of 30x20 px"),
        (GREY, r"uint8 \(4, 20, 30\) of \d+ values from \d+ to \d+; .*: holes > limit"),
        (np.full(HOLES.shape, np.nan), "holes are float64"),
        (None, "holes are a NoneType"),
    ],
)
def test_masks_that_mark_nothing_or_everything_or_do_not_fit_are_refused(value: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        as_masks(value, CLIP)


def test_a_region_of_another_size_is_refused_by_functions_on_frames() -> None:
    with pytest.raises(InputError, match=r"region is bool \(19, 30\) and the frame is 30x20 px"):
        psnr(CLIP[0], CLIP[0], HOLES[0, :19])
    with pytest.raises(InputError, match="hole is uint8 .* of 0/1; .*: hole > 0"):
        seam(CLIP[0], HOLES[0].astype(np.uint8))


def test_swapped_colours_are_seen_outside_the_holes_and_without_any() -> None:
    case, composite = golden_case(), golden_composite()
    assert case.truth is not None
    check_pair(composite, case.truth, case.holes)
    for holes in (None, case.holes):
        with pytest.raises(InputError, match=r"frames look BGR: .* pass RGB: frames\[..., ::-1\]"):
            check_pair(composite[..., ::-1], case.truth, holes)


def test_other_mistakes_are_not_taken_for_swapped_colours() -> None:
    frames, truth = noisy_pair(3)
    for other in (frames, frames[::-1], truth // 2, np.roll(truth, 9, axis=2), np.zeros_like(truth), 255 - truth):
        check_pair(other, truth)


sizes = st.tuples(st.integers(1, 3), st.integers(1, 8), st.integers(1, 8))


@settings(max_examples=50, deadline=None)
@given(st.data(), sizes)
def test_valid_arrays_pass_unchanged(data: st.DataObject, size: tuple[int, int, int]) -> None:
    frames = data.draw(arrays(np.uint8, (*size, 3)))
    masks = data.draw(arrays(np.bool_, size))
    before = frames.copy(), masks.copy()
    assert as_frames(frames) is frames
    assert as_frame(frames[0]).base is frames
    assert as_pair(frames[0], frames[0])[0].base is frames
    assert as_mask(masks[0], frames[0]).base is masks
    check_pair(frames, frames, masks)
    if masks.any() and not masks.all():
        assert as_masks(masks, frames) is masks
    np.testing.assert_array_equal(frames, before[0])
    np.testing.assert_array_equal(masks, before[1])


@settings(max_examples=200, deadline=None)
@given(
    arrays(
        st.sampled_from([np.uint8, np.uint16, np.int32, np.float16, np.float32, np.float64, np.bool_, np.complex64]),
        st.lists(st.sampled_from([0, 1, 2, 3, 4, 9]), min_size=0, max_size=5).map(tuple),
    )
)
def test_whatever_array_comes_it_passes_or_is_told_in_one_sentence(value: Any) -> None:
    frames = np.zeros((2, 9, 9, 3), np.uint8)
    for check in (as_frames, as_frame, lambda array: as_masks(array, frames), lambda array: as_mask(array, frames[0])):
        try:
            check(value)
        except InputError as error:
            assert "\n" not in str(error)


def test_looking_costs_little_beside_measuring() -> None:
    """All that a clip of 24 frames of 432x240 goes through before PSNR is measured, in processor time."""
    frames, truth = noisy_pair(5, 240, 432, 24)
    holes = np.zeros(frames.shape[:3], bool)
    holes[:, 60:180, 100:220] = True
    case, metric = Case("clip", truth, holes, truth), PSNR()

    def looking() -> None:
        as_masks(holes, as_frames(frames))
        check_pair(frames, as_frames(truth), holes)

    def seconds(call: Any) -> float:
        def once() -> float:
            start = process_time()
            call()
            return process_time() - start

        return min(once() for _ in range(7))

    assert seconds(looking) < 0.02 * seconds(lambda: metric.measure(frames, case))
