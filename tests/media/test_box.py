"""A box is followed by optical flow, becomes masks, and a preview shows where it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from command_line import Outcome
from PIL import Image
from small_run import moving_texture
from video_files import write_film

from vibench.errors import InputError
from vibench.media.box import Box, followed
from vibench.media.frames import read_frames


def test_a_box_moves_with_what_it_holds() -> None:
    """The texture moves to the left by a pixel a frame, and so does the box."""
    frames = moving_texture(8, 96, 128, seed=1)
    places = list(followed(Box(60, 30, 32, 24), frames))
    assert len(places) == 8 and places[0] == Box(60, 30, 32, 24)
    np.testing.assert_allclose([place.x for place in places], 60 - np.arange(8), atol=0.5)
    np.testing.assert_allclose([place.y for place in places], 30, atol=0.5)


def test_a_box_marks_what_of_it_lies_in_the_frame() -> None:
    assert Box(-4, 2, 6, 3).mask(8, 8).sum() == 2 * 3
    assert not Box(-9, 2, 6, 3).mask(8, 8).any() and not Box(9, 9, 6, 3).mask(8, 8).any()


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,0,4", "-1,2,3,4", "a,b,c,d", "1.5,2,3,4"])
def test_what_is_no_box_is_said(text: str) -> None:
    with pytest.raises(InputError, match="write X,Y,WIDTH,HEIGHT"):
        Box.parse(text)


def test_a_box_is_filled_and_shown_first(vibench: Callable[..., Outcome], tmp_path: Path) -> None:
    frames = moving_texture(6, 64, 96, seed=2)
    write_film(tmp_path / "in.mkv", frames, codec="ffv1", pixels="bgr0")
    words = ("inpaint", "in.mkv", "--box", "40,20,20,16", "-o", "out.mkv", "-m", "telea", "--in-process")
    status, _, err = vibench(*words, "--preview", "strip.png")
    assert status == 0, err
    changed = (read_frames(tmp_path / "out.mkv")[0] != frames).any(-1)
    rows, columns = np.nonzero(changed.any(0))
    assert changed.reshape(6, -1).any(1).all(), "every frame is filled"
    assert rows.min() >= 19 and rows.max() <= 37 and columns.min() >= 33 and columns.max() <= 61
    with Image.open(tmp_path / "strip.png") as strip:
        assert strip.size == (6 * 360, 240)
        pixels = np.asarray(strip.convert("RGB")).astype(int)
    red = pixels[..., 0] - pixels[..., 1]
    assert red[110, 190] > 60 > abs(red[20, 20]) + 30


def test_a_box_in_a_folder_of_images_has_their_names(vibench: Callable[..., Outcome], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number, frame in enumerate(moving_texture(4, 64, 96, seed=3)):
        Image.fromarray(frame).save(tmp_path / "in" / f"shot_{number + 7}.png")
    status, _, err = vibench(
        "inpaint", "in", "--box", "40,20,20,16", "-o", "out.mp4", "-m", "telea", "--in-process", "--crf", "30"
    )
    assert (status, err.count("note")) == (0, 0), err


def test_words_that_do_not_fit_together_are_said(vibench: Callable[..., Outcome], tmp_path: Path) -> None:
    write_film(tmp_path / "in.mkv", moving_texture(3, 64, 96, seed=2), codec="ffv1", pixels="bgr0")
    for words, sentence in [
        ((), "name either --mask, or --box"),
        (("--box", "1,1,8,8", "--mask", "a.png"), "name either --mask, or --box"),
        (("--box", "400,20,8,8"), "lies outside the frame, which is 96x64"),
        (("--box", "4,2,8,8", "--crf", "20"), "has no effect on out.mkv"),
    ]:
        status, _, err = vibench("inpaint", "in.mkv", "-o", "out.mkv", "-m", "telea", "--in-process", *words)
        assert status == 2 and sentence in err, err
    assert not (tmp_path / "out.mkv").exists()
