"""A part of a video: which frames lie in it, which masks are theirs, and what the written file holds."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from command_line import Outcome
from PIL import Image
from video_files import HEIGHT, WIDTH, box, drifting, sound_of, times_of, write_film

from vibench.errors import InputError
from vibench.media.box import Box
from vibench.media.frames import read_frames
from vibench.media.part import Span, seconds
from vibench.media.video import iter_video
from vibench.runner.inpaint import inpaint

UNEVEN = [0, 40, 80, 120, 300, 340, 380, 900, 940, 1000]  # milliseconds


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Ten frames at uneven times with sound, in a file that loses nothing, and a mask beside it."""
    Image.fromarray(box()).save(tmp_path / "mask.png")
    return write_film(
        tmp_path / "in.mkv", drifting(10), UNEVEN, Fraction(1, 1000), codec="ffv1", pixels="bgr0", beep=0.2
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [("12", 12), ("0.25", "1/4"), ("1:02.5", "125/2"), ("1:00:00", 3600), ("90:00", 5400), (1.5, "3/2"), (3, 3)],
)
def test_times_are_read_exactly(text: str | float, value: str | int) -> None:
    assert seconds("--start", text) == Fraction(value)


@pytest.mark.parametrize("text", ["", "-1", "1:75", "1:60:00", "a", "1e3", "nan", "1:2:3:4", "1.", float("inf"), -2.0])
def test_what_is_no_time_is_said(text: str | float) -> None:
    with pytest.raises(InputError, match=r"--end .*is no time"):
        Span.parse(None, text)


def test_a_frame_belongs_to_the_part_in_which_it_begins(film: Path) -> None:
    def numbers(start: str | None, end: str | None) -> range:
        span = Span.parse(start, end)
        assert span is not None
        return span.frames(iter_video(film))

    assert numbers("0.08", "0.34") == range(2, 5)
    assert numbers("0.081", None) == range(3, 10)
    assert numbers(None, "0:00.1") == range(3)
    with pytest.raises(InputError, match=r"no frame .* from 0\.4 s to 0\.5 s; it lasts"):
        numbers("0.4", "0.5")
    with pytest.raises(InputError, match=r"no frame .* from 7 s to its end; it lasts"):
        numbers("7", None)
    with pytest.raises(InputError, match="--end 1 is not after --start 2"):
        Span.parse("2", "1")


def test_only_the_part_is_filled_and_the_whole_is_written_with_its_times_and_sound(
    film: Path, tmp_path: Path, vibench: Callable[..., Outcome]
) -> None:
    words = ("inpaint", str(film), "--mask", "mask.png", "-m", "telea", "--in-process", "-o", "out.mkv")
    status, out, err = vibench(*words, "--start", "0.08", "--end", "0:00.34")
    assert (status, out) == (0, "10 frames: out.mkv\n"), err
    before, after = read_frames(film)[0], read_frames(tmp_path / "out.mkv")[0]
    hole = box() > 0
    for number in range(10):
        expected = before[number].copy()
        if 2 <= number < 5:
            expected[hole] = 0
            expected = np.asarray(cv2.inpaint(expected, hole.astype(np.uint8), 3, cv2.INPAINT_TELEA))
        np.testing.assert_array_equal(after[number], expected)
    assert times_of(tmp_path / "out.mkv") == times_of(film)
    assert sound_of(tmp_path / "out.mkv") == sound_of(film)


class Ordered:
    """Paints holes with the number of the frame that it was given."""

    def stream(self, frames, masks):  # type: ignore[no-untyped-def]
        for number, (frame, mask) in enumerate(zip(frames, masks, strict=True)):
            assert not frame[mask].any()
            frame = frame.copy()
            frame[mask] = 1 + number
            yield frame


@pytest.mark.parametrize("masks", [range(10), range(2, 5)], ids=["of the whole", "of the part"])
@pytest.mark.parametrize("folder", [True, False], ids=["folder", "array"])
def test_masks_are_those_of_the_whole_or_of_the_part(film: Path, tmp_path: Path, masks: range, folder: bool) -> None:
    pictures = np.zeros((10, HEIGHT, WIDTH), np.uint8)
    for number in range(10):
        pictures[number, 10:14, 4 * number : 4 * number + 8] = 255
    given = tmp_path / ("masks" if folder else "masks.npy")
    if folder:
        given.mkdir()
        for number in masks:
            Image.fromarray(pictures[number]).save(given / f"{number}.png")
    else:
        np.save(given, pictures[masks.start : masks.stop])
    inpaint(film, given, f"{__name__}:Ordered", tmp_path / "out.mkv", start="0.08", end=0.34, in_process=True)
    expected = read_frames(film)[0]
    for order, number in enumerate(range(2, 5)):
        expected[number][pictures[number] > 0] = order + 1
    np.testing.assert_array_equal(read_frames(tmp_path / "out.mkv")[0], expected)


def test_masks_that_are_neither_are_refused(film: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "masks.npy", np.repeat(box()[None], 4, 0))
    with pytest.raises(InputError, match="more masks than the 3 frames"):
        inpaint(film, tmp_path / "masks.npy", "telea", tmp_path / "out.mkv", start=0.08, end=0.34)
    assert not (tmp_path / "out.mkv").exists()


def test_a_box_lies_in_the_first_frame_of_the_part(film: Path, tmp_path: Path) -> None:
    inpaint(film, Box(8, 8, 20, 20), "telea", tmp_path / "out.mkv", start=0.3, in_process=True)
    changed = (read_frames(film)[0] != read_frames(tmp_path / "out.mkv")[0]).any((1, 2, 3))
    assert list(changed) == [False] * 4 + [True] * 6
    first = np.argwhere((read_frames(film)[0][4] != read_frames(tmp_path / "out.mkv")[0][4]).any(-1))
    assert first.min() >= 8 and first.max() < 28


def test_a_part_of_a_folder_of_images_finds_masks_by_name(tmp_path: Path) -> None:
    for name in ("in", "masks"):
        (tmp_path / name).mkdir()
    frames = drifting(5)
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(tmp_path / "in" / f"shot{number + 7}.png")
        if number in (3, 4):
            Image.fromarray(box()).save(tmp_path / "masks" / f"{number + 7}.png")
    said: list[str] = []
    words = (tmp_path / "in", tmp_path / "masks", f"{__name__}:Ordered", tmp_path / "out.mkv")
    assert inpaint(*words, start=3 / 24, in_process=True, say=said.append) == 5
    out = read_frames(tmp_path / "out.mkv")[0]
    assert said == [] and [int(frame[12, 15].max()) for frame in out[3:]] == [1, 2]
    np.testing.assert_array_equal(out[:3], frames[:3])
