"""Worse masks: what a mask becomes that a person draws too small, a box, or a tracker that lags and loses the object.

All are pure functions of bool (T, H, W), True = hole, and of a seed where chance has a part.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from vibench.clip import Masks
from vibench.masks.chance import Chance
from vibench.masks.raster import bounds

CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


def eroded(masks: Masks, px: int) -> Masks:
    """Shrink by a 3x3 cross, ``px`` times; what lies outside the frame counts as hole. A frame may become empty."""
    return _each(masks, lambda mask: cv2.erode(mask, CROSS, iterations=px))


def dilated(masks: Masks, px: int) -> Masks:
    """Grow by a 3x3 cross, ``px`` times."""
    return _each(masks, lambda mask: cv2.dilate(mask, CROSS, iterations=px))


def shifted(masks: Masks, px: int, seed: int) -> Masks:
    """Move all frames by ``px`` in one of 64 directions that the seed draws; what comes from outside is no hole."""
    towards = Chance(seed).direction()
    x, y = round(px * towards.x), round(px * towards.y)
    moved = np.zeros_like(masks)
    height, width = masks.shape[1:]
    if abs(x) < width and abs(y) < height:
        moved[:, max(0, y) : height + min(0, y), max(0, x) : width + min(0, x)] = masks[
            :, max(0, -y) : height - max(0, y), max(0, -x) : width - max(0, x)
        ]
    return moved


def boxed(masks: Masks) -> Masks:
    """Replace the mask of each frame by its bounding rectangle; an empty one stays empty."""
    boxes = np.zeros_like(masks)
    for mask, box in zip(masks, boxes, strict=True):
        if (place := bounds(mask)) is not None:
            box[place] = True
    return boxes


def late(masks: Masks, frames: int) -> Masks:
    """Give every frame the mask of so many frames before; the first ones have that of the first."""
    return masks[np.maximum(0, np.arange(len(masks)) - frames)]


def missing(masks: Masks, share: float, seed: int) -> Masks:
    """Leave the mask out of ``share`` of the frames, to the nearest whole number, which the seed draws."""
    chance, left = Chance(seed), list(range(len(masks)))
    kept = masks.copy()
    for _ in range(int(share * len(masks) + 0.5)):
        kept[left.pop(chance.whole(0, len(left) - 1))] = False
    return kept


def _each(masks: Masks, change: Callable[[np.ndarray], np.ndarray]) -> Masks:
    return np.stack([change(mask.astype(np.uint8)) for mask in masks]).astype(np.bool_)
