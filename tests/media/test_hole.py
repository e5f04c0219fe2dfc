"""A mask means what it shows: white is the hole, whatever holds it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from video_files import box, write_film

from vibench.clip import Masks
from vibench.errors import InputError
from vibench.media.masks import open_masks, read_masks

BOX = box() > 0
Write = Callable[[Path], Path]


def read(path: Path, count: int = 1, threshold: int | None = None) -> Masks:
    masks = open_masks(path, 48, 64, threshold)
    return read_masks(path, count, 48, 64, masks_of=masks)


def paint(colour: tuple[int, int, int], ground: tuple[int, int, int] = (0, 0, 0)) -> NDArray[np.uint8]:
    return np.where(BOX[..., None], np.array(colour, np.uint8), np.array(ground, np.uint8))


def image(picture: NDArray[np.uint8], name: str = "m.png", **options: object) -> Write:
    def write(folder: Path) -> Path:
        Image.fromarray(picture).save(folder / name, **options)
        return folder / name

    return write


def palette(first: int) -> Write:
    """Black and white with a palette whose first entry is ``first``."""

    def write(folder: Path) -> Path:
        picture = Image.fromarray(np.where((first == 255) == BOX, 0, 1).astype(np.uint8), mode="P")
        picture.putpalette([first] * 3 + [255 - first] * 3)
        picture.save(folder / "m.png")
        return folder / "m.png"

    return write


def array(values: NDArray[np.generic]) -> Write:
    def write(folder: Path) -> Path:
        np.save(folder / "m.npy", values)
        return folder / "m.npy"

    return write


def film(picture: NDArray[np.uint8], codec: str = "libx264", pixels: str = "yuv420p", name: str = "m.mkv") -> Write:
    def write(folder: Path) -> Path:
        frames = np.stack([picture if picture.ndim == 3 else np.stack([picture] * 3, -1)] * 3)
        return write_film(folder / name, frames, codec=codec, pixels=pixels)

    return write


NOISE = np.random.default_rng(0).integers(0, 6, BOX.shape)
NOISY = np.where(BOX, 255 - NOISE, NOISE).astype(np.uint8)
ANNOTATION = np.zeros((48, 64), np.uint8)
ANNOTATION[BOX] = 1

EXACT: dict[str, Write] = {
    "black and white": image(box()),
    "0 and 1": image((box() > 0).astype(np.uint8)),
    "0 and 7": image((box() > 0).astype(np.uint8) * 7),
    "1 bit": image(BOX),
    "a palette that begins with white": palette(255),
    "a palette that begins with black": palette(0),
    "grey in colour": image(np.stack([box()] * 3, -1)),
    "white paint on a transparent layer": image(np.dstack([np.full((48, 64, 3), 255, np.uint8), box()])),
    "red paint on a transparent layer": image(np.dstack([np.full((48, 64, 3), (255, 0, 0), np.uint8), box()])),
    "black paint on a transparent layer": image(np.dstack([np.zeros((48, 64, 3), np.uint8), box()])),
    "grey paint with alpha": image(np.dstack([np.full((48, 64), 255, np.uint8), box()])),
    "black and white, all opaque": image(np.dstack([np.stack([box()] * 3, -1), np.full((48, 64), 255, np.uint8)])),
    "red on black": image(paint((255, 0, 0))),
    "dark blue on black": image(paint((0, 0, 64))),
    "noise of a codec, kept as PNG": image(NOISY),
    "a lossless array of bytes": array(box()),
    "an array of 0 and 1": array((box() > 0).astype(np.uint8)),
    "an array of bool": array(BOX),
    "an array with noise": array(NOISY),
    "lossless WebP": image(np.stack([box()] * 3, -1), "m.webp", lossless=True),
}  # fmt: skip

FILMS: dict[str, tuple[Write, float]] = {
    "H.264": (film(box()), 0.01),
    "FFV1": (film(box(), "ffv1", "bgr0"), 0),
    "0 and 1 in FFV1": (film((box() > 0).astype(np.uint8), "ffv1", "bgr0"), 0),
    "0 and 1 in grey FFV1": (film((box() > 0).astype(np.uint8), "ffv1", "gray"), 0),
    "red in H.264": (film(paint((255, 0, 0))), 0.02),
    "blue in H.264": (film(paint((0, 0, 255))), 0.02),
    "red in FFV1": (film(paint((255, 0, 0)), "ffv1", "bgr0"), 0),
    "noise in FFV1": (film(NOISY, "ffv1", "bgr0"), 0),
    "PNG in MOV": (film(box(), "png", "rgb24", "m.mov"), 0),
}


@pytest.mark.parametrize("kind", EXACT)
def test_what_shows_the_box_is_the_box(tmp_path: Path, kind: str) -> None:
    assert np.array_equal(read(EXACT[kind](tmp_path))[0], BOX)


@pytest.mark.parametrize("kind", FILMS)
def test_a_video_that_shows_the_box_is_the_box(tmp_path: Path, kind: str) -> None:
    write, tolerance = FILMS[kind]
    assert np.mean(read(write(tmp_path), 3) != BOX) <= tolerance


@pytest.mark.parametrize("quality", [50, 75, 95])
def test_jpeg_shows_the_box_up_to_its_edge(tmp_path: Path, quality: int) -> None:
    assert np.mean(read(image(box(), "m.jpg", quality=quality)(tmp_path))[0] != BOX) < 0.01
    assert np.mean(read(image(paint((255, 0, 0)), "m.jpg", quality=quality)(tmp_path))[0] != BOX) < 0.03


def test_a_one_bit_film_of_zeros_and_ones_in_h264_is_read_by_the_whole_film(tmp_path: Path) -> None:
    frames = np.zeros((4, 48, 64, 3), np.uint8)
    frames[2:] = (box() > 0)[..., None]
    write_film(tmp_path / "m.mp4", frames, options={"crf": "1"})
    found = read(tmp_path / "m.mp4", 4)
    assert not found[:2].any() and np.mean(found[2:] != BOX) < 0.02


def test_black_frames_of_a_lossy_film_stay_empty(tmp_path: Path) -> None:
    frames = np.zeros((6, 48, 64, 3), np.uint8)
    frames[3:] = box()[..., None]
    found = read(write_film(tmp_path / "m.mp4", frames), 6)
    assert not found[:3].any() and found[3:].any(axis=(1, 2)).all()


def test_soft_edges_are_cut_at_half_and_where_one_says(tmp_path: Path) -> None:
    soft = cv2.GaussianBlur(box(), (0, 0), 2)
    for write in (image(soft), array(soft), film(soft, "ffv1", "bgr0")):
        path = write(tmp_path)
        count = 3 if path.suffix == ".mkv" else 1
        assert np.array_equal(read(path, count)[0], soft >= 128)
        assert np.array_equal(read(path, count, threshold=30)[0], soft >= 30)


def test_annotations_of_objects_mark_all_that_is_not_background(tmp_path: Path) -> None:
    labels = ANNOTATION.copy()
    labels[30:40, 30:50] = 8
    picture = Image.fromarray(labels, mode="P")
    picture.putpalette([0, 0, 0, 128, 0, 0] + [0, 128, 0] * 6 + [64, 0, 0] + [0] * 741)
    picture.save(tmp_path / "m.png")
    assert np.array_equal(read(tmp_path / "m.png")[0], labels > 0)


def test_two_colours_on_black_are_both_holes(tmp_path: Path) -> None:
    picture = paint((255, 0, 0))
    picture[30:40, 30:50] = (0, 255, 0)
    for write, count in ((image(picture), 1), (film(picture), 3)):
        found = read(write(tmp_path), count)[0]
        assert found[12:18, 12:28].all() and found[32:38, 32:48].all() and not found[:8].any()


PHOTO = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
REFUSED: dict[str, tuple[Write, str]] = {
    "a photo": (image(PHOTO), "is not a binary mask|is a coloured image"),
    "a photo as JPEG": (image(PHOTO, "m.jpg"), "is not a mask: .* neither black nor white"),
    "a photo as H.264": (film(PHOTO), "is not a mask: .* neither black nor white"),
    "a photo with transparent parts": (image(np.dstack([PHOTO, box()])), r"with transparent parts \(alpha\)"),
    "red on white": (image(paint((255, 0, 0), (255, 255, 255))), "is a coloured image"),
    "grey labels": (image(np.where(BOX, 85, 0).astype(np.uint8) + (box() > 0) * (np.arange(64) > 20).astype(np.uint8)),
                    "is not a binary mask: it holds 3 values from 0 to 86"),
    "grey labels beside white": (image(np.where(np.arange(64) > 55, 255, np.where(BOX, 85, 0)).astype(np.uint8)),
                                 "is not a binary mask: it holds 3 values from 0 to 255"),
    "a dim film": (film(np.where(BOX, 60, 0).astype(np.uint8)), "its brightest level is .* of 255"),
    "another size of the same shape": (image(np.asarray(cv2.resize(box(), (32, 24), interpolation=0))),
                                       "is 32x24 and the frames of the clip are 64x48; they must have one size"),
    "all white": (image(np.full((48, 64), 255, np.uint8)), "marks every pixel of every frame.* is it inverted"),
    "all black": (image(np.zeros((48, 64), np.uint8)), "marks no pixel in any frame"),
    "all transparent": (image(np.zeros((48, 64, 4), np.uint8)), "marks no pixel in any frame"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_mask_is_refused_in_one_sentence(tmp_path: Path, kind: str) -> None:
    write, reason = REFUSED[kind]
    path = write(tmp_path)
    with pytest.raises(InputError, match=reason) as caught:
        read(path, 3 if path.suffix == ".mkv" else 1)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_a_chosen_threshold_takes_any_grey_picture(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(64, dtype=np.uint8) * 4, (48, 1))
    assert np.array_equal(read(image(ramp)(tmp_path), threshold=100)[0], ramp >= 100)
    with pytest.raises(InputError, match="threshold of the mask is 0; it must be from 1 to 255"):
        open_masks(tmp_path / "m.png", 48, 64, 0)


def test_an_animated_mask_is_a_sequence_and_a_still_gif_is_one_mask(tmp_path: Path) -> None:
    moved = [np.roll(box(), 3 * t, axis=1) for t in range(3)]
    pictures = [Image.fromarray(mask) for mask in moved]
    for name in ("m.png", "m.gif", "m.tif"):
        pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:])
        assert np.array_equal(read(tmp_path / name, 3), np.stack(moved) > 0), name
    pictures[0].save(tmp_path / "still.gif")
    assert np.array_equal(read(tmp_path / "still.gif", 5), np.stack([BOX] * 5))
