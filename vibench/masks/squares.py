"""Square holes: one that stays, one that moves (the VINet paper's random and moving squares)."""

from __future__ import annotations

import math

import numpy as np

from vibench.clip import Masks
from vibench.masks.chance import Chance, Point, bouncing_path, in_range, shorter_side


def stationary_square(frames: int, height: int, width: int, seed: int, *, size: float = 0.375) -> Masks:
    """A square at one random place for the whole clip.

    ``size`` is its side as a fraction of the frame's shorter side, 0.02 to 0.9 (0.375: 48 px of 128 px).
    """
    return moving_square(frames, height, width, seed, size=size, speed=0.0)


def moving_square(
    frames: int, height: int, width: int, seed: int, *, size: float = 0.375, speed: float = 0.02
) -> Masks:
    """A square that moves on a straight line and is reflected at the frame's borders.

    ``size`` is its side as a fraction of the frame's shorter side, 0.02 to 0.9; ``speed`` is its way per frame as a
    fraction of the shorter side, 0 to 0.5.
    """
    short = shorter_side(frames, height, width)
    side = math.floor(in_range("size", size, 0.02, 0.9) * short + 0.5)
    side = min(max(side, 1), short - 1)
    step = in_range("speed", speed, 0, 0.5) * short
    masks = np.zeros((frames, height, width), dtype=np.bool_)
    free = Point(width - side, height - side)
    for mask, corner in zip(masks, bouncing_path(Chance(seed), frames, Point(0, 0), free, step), strict=True):
        left, top = math.floor(corner.x + 0.5), math.floor(corner.y + 0.5)
        mask[top : top + side, left : left + side] = True
    return masks
