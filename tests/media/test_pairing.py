"""Frames and masks pair by name, and what has no partner is named before anything is filled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from video_files import box, drifting, write_film

from vibench.errors import InputError
from vibench.media.frames import open_frames
from vibench.media.masks import open_masks
from vibench.media.pairing import fitting_masks


def fitted(folder: Path, frames: Sequence[str], masks: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names of the masks in the order in which they are used, and what was said."""
    for kind, names in (("frames", frames), ("masks", masks)):
        (folder / kind).mkdir()
        for index, name in enumerate(names):
            picture = box() if kind == "masks" else drifting(1)[0]
            Image.fromarray(np.roll(picture, index, axis=1)).save(folder / kind / name)
    said: list[str] = []
    source = open_frames(folder / "frames")
    return [file.name for file in fitting_masks(source, open_masks(folder / "masks", 48, 64), said.append).files], said


def numbered(*numbers: int, form: str = "{:05d}.png") -> list[str]:
    return [form.format(number) for number in numbers]


@pytest.mark.parametrize(
    ("frames", "masks", "used"),
    [
        (numbered(0, 1, 2, form="{:05d}.jpg"), numbered(0, 1, 2), numbered(0, 1, 2)),
        (numbered(1, 2, 3, form="frame_{:04d}.png"), numbered(1, 2, 3, form="mask{}.png"), ["mask1.png", "mask2.png",
         "mask3.png"]),
        (["a.png", "b.png", "c.png"], ["c.jpg", "b.png", "a.png"], ["a.png", "b.png", "c.jpg"]),
        (["x1.png", "a2.png"], ["b1.png", "y2.png"], ["y2.png", "b1.png"]),
    ],
)  # fmt: skip
def test_names_and_numbers_decide(tmp_path: Path, frames: list[str], masks: list[str], used: list[str]) -> None:
    assert fitted(tmp_path, frames, masks) == (used, [])


@pytest.mark.parametrize(
    ("frames", "masks", "sentence"),
    [
        (numbered(*range(6)), numbered(0, 1, 2, 4, 5, 6), "the frame .*00003.png has no mask of its name"),
        (numbered(*range(6)), numbered(0, 1, 2, 4, 5), "the frame .*00003.png has no mask of its name"),
        (numbered(*range(6)), numbered(*range(7)), "the mask .*00006.png has no frame of its name"),
        (numbered(0, 1, 2), numbered(1, 2, 3), "the frame .*00000.png has no mask"),
        (["a.png", "b.png"], ["c.png", "d.png", "e.png"], "holds more masks than the 2 frames"),
        (["a.png", "b.png", "g.png"], ["c.png", "d.png"], "holds 2 masks and the clip has more frames"),
    ],
)
def test_the_first_without_a_partner_is_named(
    tmp_path: Path, frames: list[str], masks: list[str], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        fitted(tmp_path, frames, masks)


def test_folders_without_a_common_name_pair_by_place_and_it_is_said(tmp_path: Path) -> None:
    used, said = fitted(tmp_path, ["a.png", "b.png"], ["c.png", "d.png"])
    assert used == ["c.png", "d.png"] and len(said) == 1 and "they pair by place" in said[0]


def test_a_gap_in_the_masks_of_a_video_is_said(tmp_path: Path) -> None:
    film = write_film(tmp_path / "in.mp4", drifting(5))
    (tmp_path / "masks").mkdir()
    for number in (0, 1, 2, 4, 5):
        Image.fromarray(box()).save(tmp_path / "masks" / f"{number:05d}.png")
    said: list[str] = []
    fitting_masks(open_frames(film), open_masks(tmp_path / "masks", 48, 64), said.append)
    assert len(said) == 1 and "leap from 00002.png to 00004.png" in said[0]


def test_a_hole_of_nearly_everything_gets_a_note(tmp_path: Path) -> None:
    Image.fromarray(255 - box()).save(tmp_path / "mask.png")
    film = write_film(tmp_path / "in.mp4", drifting(2))
    said: list[str] = []
    fitting_masks(open_frames(film), open_masks(tmp_path / "mask.png", 48, 64), said.append)
    assert len(said) == 1 and "is it inverted?" in said[0]
