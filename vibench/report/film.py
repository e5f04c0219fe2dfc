"""A case as film: a strip of a few frames in one picture, or a video of several methods side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vibench.clip import Frame, Frames, Masks
from vibench.errors import InputError
from vibench.files import disk_errors, replacing
from vibench.results.kept_case import KeptCase, load_case

STRIP_FRAMES = 4
FRAME_WIDTH_PX = 240
STRIP_GAP_PX = 3
OUTLINE = (255, 196, 0)
"""Amber: no natural picture is full of it, and it is seen on black and on white."""

LABEL_PX = 22
GAP_PX = 4
TEXT_PX = 14


def strip(frames: Frames, holes: Masks | None = None, cut: bool = False, width: int = FRAME_WIDTH_PX) -> Frame:
    """Put frames (T, H, W, 3) in a row, each at most ``width`` px wide, with white between them: (height, ..., 3).

    Where ``cut``, the inside of ``holes`` (T, H, W) is black, as a method sees it, and their edge is outlined.
    """
    import cv2

    height = max(1, round(frames.shape[1] * min(1.0, width / frames.shape[2])))
    size = (min(width, frames.shape[2]), height)
    pictures = []
    for index, frame in enumerate(frames):
        picture = frame.copy()
        if cut and holes is not None:
            picture[holes[index]] = 0
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        if cut and holes is not None:
            inside = cv2.resize(holes[index].astype(np.uint8), size, interpolation=cv2.INTER_AREA)
            contours, _ = cv2.findContours(inside, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
            cv2.drawContours(picture, contours, -1, OUTLINE, 1)
        pictures += [picture, np.full((height, STRIP_GAP_PX, 3), 255, np.uint8)]
    return np.concatenate(pictures[:-1], axis=1)


def write_strip(path: Path, frames: Frames, holes: Masks, cut: bool) -> tuple[int, int]:
    """Write a strip as JPEG and return its (width, height) in pixels."""
    picture = strip(frames, holes, cut)
    write_picture(path, picture)
    return picture.shape[1], picture.shape[0]


def write_picture(path: Path, picture: Frame) -> None:
    """Write a picture (height, width, 3) as JPEG, whole or not at all."""
    from PIL import Image

    with replacing(path) as partial:
        Image.fromarray(picture).save(partial, quality=90, subsampling=0)


def write_video(run: Path | str, case: str, output: Path | str, methods: str | Sequence[str] = ()) -> int:
    """Write one video of a case of a run, with the input, the methods' outputs and the truth side by side.

    ``run`` is a run's folder, ``case`` the name of one of its cases, ``output`` a file that ends in .mp4, .mov or
    .m4v. ``methods`` chooses some of the run's methods by their labels, as a list or as one text with commas between
    them; all are shown where it is empty. Returns the number of frames. InputError where the run, the case or a method
    is unknown, its frames were not kept, or ``output`` cannot be written.
    """
    kept = load_case(Path(run), case, methods)
    path = Path(output)
    with disk_errors(path.parent):
        return write_side_by_side(path, kept)


def write_side_by_side(path: Path, case: KeptCase) -> int:
    """Write input, outputs and truth of ``case`` in step, each under its name; return the number of frames.

    InputError where ``path`` does not end as a video that players show.
    """
    from vibench.media.video_writer import COMPRESSED, open_writer

    if path.suffix.lower() not in COMPRESSED:
        raise InputError(f"{path} is no video that players show; end it in {', '.join(COMPRESSED)}")
    pictures = case.pictures()
    height, width = case.frames.shape[1:3]
    labels = [label(name, width) for name in pictures]
    size = (_even(height + LABEL_PX), width_px(len(pictures), width))
    with open_writer(path, *size, case.frames_per_second) as writer:
        for index in range(len(case.frames)):
            writer.write(_beside(labels, list(pictures.values()), index, size))
    return len(case.frames)


def width_px(pictures: int, width: int) -> int:
    """Return the width of the video: the pictures and the gaps between them, made even, as players want it."""
    return _even(pictures * width + (pictures - 1) * GAP_PX)


def label(text: str, width: int) -> Frame:
    """Draw ``text`` in white on black, (LABEL_PX, width, 3); one that is too long is cut and ends in dots."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(TEXT_PX)
    shown, room = text, width - 2 * GAP_PX
    while len(shown) > 1 and font.getlength(shown) > room:
        shown = shown.rstrip(".")[:-1] + "..."
        if shown == "...":
            break
    picture = Image.new("RGB", (width, LABEL_PX))
    ImageDraw.Draw(picture).text((GAP_PX, 2), shown, font=font, fill="white")
    return np.asarray(picture)


def _beside(labels: Sequence[Frame], pictures: Sequence[Frames], index: int, size: tuple[int, int]) -> Frame:
    """Draw frame ``index`` of all pictures in a row, each under its label; ``size`` is (height, width)."""
    frame = np.zeros((*size, 3), np.uint8)
    for place, (name, shown) in enumerate(zip(labels, pictures, strict=True)):
        height, width = shown.shape[1:3]
        x = place * (width + GAP_PX)
        frame[:LABEL_PX, x : x + width] = name
        frame[LABEL_PX : LABEL_PX + height, x : x + width] = shown[index]
    return frame


def _even(size: int) -> int:
    return size + size % 2
