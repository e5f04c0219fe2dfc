"""A large frame costs what its holes cost: the method gets a crop, and outside the holes nothing changes."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from command_line import Outcome
from PIL import Image
from video_files import drifting, write_film

from vibench.errors import InputError
from vibench.media.frames import read_frames
from vibench.media.masks import open_masks
from vibench.media.video import Video
from vibench.runner.around import MARGIN_PX, around
from vibench.runner.inpaint import inpaint


def masks(folder: Path, *boxes: tuple[int, int, int, int], height: int = 720, width: int = 1280) -> Path:
    """One mask a box, which is top, left, bottom, right."""
    levels = np.zeros((len(boxes), height, width), np.uint8)
    for mask, (top, left, bottom, right) in zip(levels, boxes, strict=True):
        mask[top:bottom, left:right] = 255
    np.save(folder / "masks.npy", levels)
    return folder / "masks.npy"


def size(height: int = 720, width: int = 1280) -> Video:
    return Video(Path("absent"), height, width, 25.0, 2, False)


def seen(path: Path, grown_px: int = 0) -> tuple[int, int, int, int]:
    rows, columns = around(size(), open_masks(path, 720, 1280), grown_px).place
    return rows.start, columns.start, rows.stop, columns.stop


def test_the_margin_is_the_side_of_a_hole_and_the_place_holds_all_of_them(tmp_path: Path) -> None:
    assert seen(masks(tmp_path, (300, 400, 310, 420))) == (300 - MARGIN_PX, 400 - MARGIN_PX, 374, 484)
    assert seen(masks(tmp_path, (300, 400, 400, 450), (310, 420, 410, 470))) == (200, 300, 510, 570)
    assert seen(masks(tmp_path, (0, 0, 10, 10), (20, 20, 30, 30)), grown_px=4) == (0, 0, 98, 98)


@pytest.mark.parametrize(
    "boxes", [((100, 100, 500, 900),), ((0, 0, 10, 10), (700, 1270, 720, 1280))], ids=["a large hole", "one that moves"]
)
def test_a_crop_that_is_not_small_is_none(tmp_path: Path, boxes: tuple[tuple[int, int, int, int], ...]) -> None:
    assert seen(masks(tmp_path, *boxes)) == (0, 0, 720, 1280)


def test_small_frames_are_given_whole(tmp_path: Path) -> None:
    path = masks(tmp_path, (4, 4, 8, 8), height=360, width=640)
    view = around(size(360, 640), open_masks(path, 360, 640))
    assert (view.height, view.width) == (360, 640)


def test_masks_that_mark_nothing_where_it_counts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="marks no pixel in any frame that is filled"):
        seen(masks(tmp_path, (4, 4, 4, 8)))


class Grey:
    """Fills with grey, changes all else too, and says on whose size it worked."""

    def stream(self, frames, masks):  # type: ignore[no-untyped-def]
        for frame, mask in zip(frames, masks, strict=True):
            assert frame.shape[:2] == mask.shape and not frame[mask].any() and mask.any()
            yield np.full_like(frame, frame.shape[1] % 256)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    mask = np.zeros((480, 852), np.uint8)
    mask[200:240, 300:360] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    frames = drifting(4, 480, 852)
    return write_film(tmp_path / "in.mkv", frames, None, Fraction(1, 25), codec="ffv1", pixels="bgr0")


@pytest.mark.parametrize(("words", "width"), [((), 60 + 2 * MARGIN_PX), (("--whole-frame",), 852)])
def test_outside_the_hole_the_file_is_the_input(
    large: Path, tmp_path: Path, vibench: Callable[..., Outcome], words: tuple[str, ...], width: int
) -> None:
    command = ("inpaint", str(large), "--mask", "mask.png", "-m", f"{__name__}:Grey", "--in-process", "-o", "out.mkv")
    status, _, err = vibench(*command, *words)
    assert status == 0, err
    note = f"note: the method gets {width}x168 of 852x480 pixels, from 236,136 on, around the holes"
    assert (note in err) == (not words)
    expected = read_frames(large)[0]
    expected[:, 200:240, 300:360] = width % 256
    np.testing.assert_array_equal(read_frames(tmp_path / "out.mkv")[0], expected)


def test_a_dilated_hole_lies_in_the_crop(large: Path, tmp_path: Path) -> None:
    inpaint(
        large, tmp_path / "mask.png", f"{__name__}:Grey", tmp_path / "out.mkv", dilation_iterations=7, in_process=True
    )
    out, frames = read_frames(tmp_path / "out.mkv")[0], read_frames(large)[0]
    assert (out[:, 220, 293:367] == (60 + 2 * (MARGIN_PX + 7)) % 256).all()
    np.testing.assert_array_equal(out[:, 220, 285:293], frames[:, 220, 285:293])
