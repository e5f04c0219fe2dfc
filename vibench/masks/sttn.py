"""Holes like STTN's training masks: one large random outline, at rest or wandering.

Source: ``create_random_shape_with_random_motion`` of researchmm/STTN ``core/utils.py``: the outline's box is a third
to all of the frame on each side, its radius is jagged by 6 to 8 corners, and it moves by up to 3 px a frame. The code
there draws from Python's and numpy's generators without a seed; the distribution here is our own.
"""

from __future__ import annotations

import math

import numpy as np

from vibench.clip import Mask, Masks
from vibench.masks.chance import Chance, Point, bouncing_path, in_range, shorter_side
from vibench.masks.raster import fill_polygon
from vibench.masks.silhouettes import outline

SPOKES = 8
TURN_FRAMES = 10
"""Frames after which a wandering outline takes another direction."""


def sttn_stationary(frames: int, height: int, width: int, seed: int) -> Masks:
    """A large smooth outline at one random place for the whole clip, like STTN's training masks.

    Its box measures a third to nine tenths of the frame on each side.
    """
    shorter_side(frames, height, width)
    mask = _shape(Chance(seed), height, width)
    return np.repeat(mask[None], frames, axis=0)


def sttn_moving(frames: int, height: int, width: int, seed: int, *, speed: float = 0.0125) -> Masks:
    """A large smooth outline that wanders within the frame and turns every tenth frame, like STTN's masks.

    ``speed`` is its longest way per frame as a fraction of the shorter side, 0 to 0.2 (0.0125 is 3 px of 240 px). It
    moves by whole pixels.
    """
    short = shorter_side(frames, height, width)
    step_px = in_range("speed", speed, 0, 0.2) * short
    chance = Chance(seed)
    shape = _trimmed(_shape(chance, height, width))
    free = Point(height - shape.shape[0], width - shape.shape[1])
    masks = np.zeros((frames, height, width), dtype=np.bool_)
    for mask, corner in zip(masks, _wander(chance, frames, free, step_px), strict=True):
        top, left = math.floor(corner.x + 0.5), math.floor(corner.y + 0.5)
        mask[top : top + shape.shape[0], left : left + shape.shape[1]] = shape
    return masks


def _shape(chance: Chance, height: int, width: int) -> Mask:
    box = Point(chance.between(1 / 3, 0.9) * width, chance.between(1 / 3, 0.9) * height)
    centre = Point(
        chance.between(box.x / 2, width - box.x / 2),
        chance.between(box.y / 2, height - box.y / 2),
    )
    radii = [chance.between(0.5, 1.0) for _ in range(SPOKES)]
    unit = 4096  # the outline is drawn on a fine grid, so that its two scales meet whole numbers only
    round_outline = outline(Point(0, 0), [unit * radius for radius in radii])
    corners = [
        (
            math.floor(centre.x * 16 + x * box.x / (2 * unit) + 0.5),
            math.floor(centre.y * 16 + y * box.y / (2 * unit) + 0.5),
        )
        for x, y in round_outline
    ]
    mask = fill_polygon(corners, height, width)
    mask[min(math.floor(centre.y), height - 1), min(math.floor(centre.x), width - 1)] = True
    return mask


def _trimmed(mask: Mask) -> Mask:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _wander(chance: Chance, frames: int, free: Point, step_px: float) -> list[Point]:
    place = Point(chance.between(0, free.x), chance.between(0, free.y))
    path: list[Point] = []
    while len(path) < frames:
        leg = bouncing_path(chance, TURN_FRAMES + 1, Point(0, 0), free, chance.between(0.3, 1.0) * step_px)
        moved = [Point(p.x - leg[0].x, p.y - leg[0].y) for p in leg]
        path += [_kept(Point(place.x + p.x, place.y + p.y), free) for p in moved[:TURN_FRAMES]]
        place = _kept(Point(place.x + moved[-1].x, place.y + moved[-1].y), free)
    return path[:frames]


def _kept(point: Point, free: Point) -> Point:
    return Point(min(max(point.x, 0.0), free.x), min(max(point.y, 0.0), free.y))
