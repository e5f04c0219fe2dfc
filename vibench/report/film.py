"""A video of several methods side by side, each under its name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vibench.clip import Frame, Frames
from vibench.errors import InputError
from vibench.results.kept_case import KeptCase

LABEL_PX = 22
GAP_PX = 4
TEXT_PX = 14


def width_px(pictures: int, width: int) -> int:
    """Width of the video: the pictures and the gaps between them, made even, as players want it."""
    return _even(pictures * width + (pictures - 1) * GAP_PX)


def write_side_by_side(path: Path, case: KeptCase) -> int:
    """Write input, outputs and truth of ``case`` in step; return the number of frames. InputError for a wrong suffix."""
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


def label(text: str, width: int) -> Frame:
    """``text`` in white on black, (LABEL_PX, width, 3), cut with dots where it is too long."""
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
    frame = np.zeros((*size, 3), np.uint8)
    for place, (name, shown) in enumerate(zip(labels, pictures, strict=True)):
        height, width = shown.shape[1:3]
        x = place * (width + GAP_PX)
        frame[:LABEL_PX, x : x + width] = name
        frame[LABEL_PX : LABEL_PX + height, x : x + width] = shown[index]
    return frame


def _even(size: int) -> int:
    return size + size % 2
