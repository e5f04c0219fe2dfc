"""Film strips: a few frames of one clip side by side in one picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vibench.clip import Frames, Masks
from vibench.files import replacing

STRIP_FRAMES = 4
FRAME_WIDTH_PX = 240
GAP_PX = 3
OUTLINE = (255, 196, 0)
"""Amber: no natural picture is full of it, and it is seen on black and on white."""


def strip(frames: Frames, holes: Masks | None = None, cut: bool = False, width: int = FRAME_WIDTH_PX) -> Frames:
    """Frames (T, H, W, 3) in a row, (height, ..., 3), each ``width`` px wide at most and white between.

    ``holes`` are outlined; where ``cut``, their inside is black, as a method sees it.
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
        pictures += [picture, np.full((height, GAP_PX, 3), 255, np.uint8)]
    return np.concatenate(pictures[:-1], axis=1)


def write_strip(path: Path, frames: Frames, holes: Masks, cut: bool) -> tuple[int, int]:
    """Write a strip as JPEG and return its (width, height)."""
    from PIL import Image

    picture = Image.fromarray(strip(frames, holes, cut))
    with replacing(path) as partial:
        picture.save(partial, quality=90, subsampling=0)
    return picture.size
