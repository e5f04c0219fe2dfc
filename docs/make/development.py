"""Cuts the seven clips of the development set: the one set that choices are made by, neither DAVIS nor bundled.

``python docs/make/development.py SOURCES OUTPUT`` takes five clips of Debian's package opencv-doc (of examples/data,
and two .mp4.gz of its pages, unpacked) and the two clips that no recipe trains on, all in the folder SOURCES, and
writes 24 frames of each, cut to 9:5 and scaled to 432x240, without loss. ``docs/make/development.toml`` is the protocol
for them.
"""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

FIRST_FRAMES = {
    "Megamind.avi": 30,  # it is black before
    "box.mp4": 0,
    "cup.mp4": 90,  # still before
    "px246.mp4": 0,
    "teddy.mp4": 0,
    "tree.avi": 30,
    "vtest.avi": 0,
}
FRAMES = 24
WIDTH_PX, HEIGHT_PX = 432, 240


def excerpt(path: Path, first: int) -> list[NDArray[np.uint8]]:
    """``FRAMES`` frames from ``first`` on, the middle of each in 9:5, scaled."""
    with av.open(str(path)) as container:
        decoded = islice(container.decode(video=0), first, first + FRAMES)
        frames = [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in decoded]
    if len(frames) < FRAMES:
        sys.exit(f"{path} has {len(frames)} frames from {first} on; the set needs {FRAMES}")
    height, width = frames[0].shape[:2]
    high = min(height, width * HEIGHT_PX // WIDTH_PX)
    wide = min(width, height * WIDTH_PX // HEIGHT_PX)
    top, left = (height - high) // 2, (width - wide) // 2
    cut = [frame[top : top + high, left : left + wide] for frame in frames]
    return [np.asarray(cv2.resize(part, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA)) for part in cut]


def write(frames: list[NDArray[np.uint8]], folder: Path) -> None:
    """One PNG a frame."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, frame in enumerate(frames):
        cv2.imwrite(str(folder / f"{index:05}.png"), frame[..., ::-1])


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    for name, first in FIRST_FRAMES.items():
        write(excerpt(Path(sys.argv[1]) / name, first), Path(sys.argv[2]) / Path(name).stem)
