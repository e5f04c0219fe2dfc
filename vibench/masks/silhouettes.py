"""Silhouettes of moving objects: smooth closed outlines that deform while they move, or those of real objects."""

from __future__ import annotations

import math

import numpy as np

from vibench.clip import Mask, Masks
from vibench.errors import InputError
from vibench.masks.chance import DIRECTIONS, Chance, Point, bouncing_path, in_range, shorter_side
from vibench.masks.raster import Vertex, fill_polygon, vertex

SPOKES = 8
"""Directions in which an outline's radius is drawn; must divide 64."""

KEY_FRAMES = 12
"""Frames from one random shape of a deforming outline to the next."""

SIZES = {"small": 0.25, "medium": 0.45, "large": 0.7}
"""Mean diameter, as a fraction of the shorter side."""

DEFORMATIONS = {"none": 0.0, "low": 0.2, "high": 0.5}
"""How far the radius strays from its mean."""

DISPLACEMENTS = {"none": 0.0, "low": 0.005, "high": 0.03}
"""Way per frame, as a fraction of the shorter side."""


def moving_object(
    frames: int,
    height: int,
    width: int,
    seed: int,
    *,
    size: float = 0.4,
    deformation: float = 0.4,
    speed: float = 0.02,
    silhouettes: Masks | None = None,
) -> Masks:
    """A smooth outline that deforms while it moves on a straight line and is reflected at the borders.

    ``size`` is its mean diameter as a fraction of the shorter side, 0.02 to 0.8. ``deformation`` is how far its radius
    strays from the mean, as a fraction of it, 0 to 0.5. ``speed`` is its way per frame as a fraction of the shorter
    side, 0 to 0.5. Its centre stays inside the frame. With ``silhouettes``, bool (N, H, W) of a real object, those are
    played forth and back instead, scaled so that the object's largest extent over time is ``size``.
    """
    short = shorter_side(frames, height, width)
    diameter_px = in_range("size", size, 0.02, 0.8) * short
    stray = in_range("deformation", deformation, 0, 0.5)
    step_px = in_range("speed", speed, 0, 0.5) * short
    chance = Chance(seed)
    edge = Point(diameter_px / 4, diameter_px / 4)
    path = bouncing_path(chance, frames, edge, Point(width - edge.x, height - edge.y), step_px)
    if silhouettes is not None:
        shapes = _scaled(silhouettes, max(math.floor(diameter_px), 1))
        order = np.resize(np.r_[0 : len(shapes), len(shapes) - 2 : 0 : -1], frames)
        return np.stack([_placed(shapes[i], c, height, width) for i, c in zip(order, path, strict=True)])
    radii = outline_radii(chance, frames, diameter_px / 2, stray)
    return np.stack([_blob(centre, radius, height, width) for centre, radius in zip(path, radii, strict=True)])


def devil_blob(
    frames: int,
    height: int,
    width: int,
    seed: int,
    *,
    size: str = "medium",
    deformation: str = "low",
    displacement: str = "low",
) -> Masks:
    """A blob in levels of size, deformation and displacement, the three ways in which DEVIL varies holes.

    ``size`` is small, medium or large; ``deformation`` and ``displacement`` are none, low or high. The idea is that of
    Szeto and Corso, The DEVIL Is in the Details, CVPR 2022; the numbers behind the levels are our own.
    """
    return moving_object(
        frames,
        height,
        width,
        seed,
        size=_level("size", size, SIZES),
        deformation=_level("deformation", deformation, DEFORMATIONS),
        speed=_level("displacement", displacement, DISPLACEMENTS),
    )


def outline_radii(chance: Chance, frames: int, mean_px: float, stray: float) -> list[list[float]]:
    """Return a list of ``SPOKES`` radii per frame, which change smoothly from one random shape to the next."""
    shapes = [
        [mean_px * (1 + stray * chance.between(-1, 1)) for _ in range(SPOKES)]
        for _ in range((frames - 1) // KEY_FRAMES + 2)
    ]
    radii = []
    for t in range(frames):
        before, after = shapes[t // KEY_FRAMES], shapes[t // KEY_FRAMES + 1]
        part = t % KEY_FRAMES / KEY_FRAMES
        ease = part * part * (3 - 2 * part)
        radii.append([a + ease * (b - a) for a, b in zip(before, after, strict=True)])
    return radii


def outline(centre: Point, radii: list[float]) -> list[Vertex]:
    """Return the smooth closed outline of ``radii`` around ``centre``; corners are cut three times (Chaikin 1974)."""
    spokes = DIRECTIONS[:: 64 // len(radii)]
    points = [(centre.x + r * x, centre.y + r * y) for r, (x, y) in zip(radii, spokes, strict=True)]
    for _ in range(3):
        following = points[1:] + points[:1]
        points = [
            (a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]))
            for a, b in zip(points, following, strict=True)
            for share in (0.25, 0.75)
        ]
    return [vertex(Point(*point)) for point in points]


def _blob(centre: Point, radii: list[float], height: int, width: int) -> Mask:
    mask = fill_polygon(outline(centre, radii), height, width)
    _mark(mask, centre)
    return mask


def _mark(mask: Mask, centre: Point) -> None:
    """Keep the centre pixel, so that an outline smaller than a pixel is still a hole."""
    row = min(math.floor(centre.y), mask.shape[0] - 1)
    mask[row, min(math.floor(centre.x), mask.shape[1] - 1)] = True


def _scaled(silhouettes: Masks, extent_px: int) -> Masks:
    """Cut out the object's box over all frames and scale it, by nearest pixels, to a longer side of ``extent_px``."""
    if silhouettes.ndim != 3 or silhouettes.dtype != np.bool_ or not silhouettes.any():
        raise InputError("the given silhouettes must be bool (N, H, W) with an object in them")
    rows, columns = (np.flatnonzero(silhouettes.any(axis=axes)) for axes in ((0, 2), (0, 1)))
    box = silhouettes[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    longer = max(box.shape[1:])
    height, width = (max(side * extent_px // longer, 1) for side in box.shape[1:])
    row = (2 * np.arange(height) + 1) * box.shape[1] // (2 * height)
    column = (2 * np.arange(width) + 1) * box.shape[2] // (2 * width)
    return box[:, row[:, None], column[None]]


def _placed(shape: Mask, centre: Point, height: int, width: int) -> Mask:
    mask = np.zeros((height, width), dtype=np.bool_)
    rows, columns = np.nonzero(shape)
    rows = rows + math.floor(centre.y) - shape.shape[0] // 2
    columns = columns + math.floor(centre.x) - shape.shape[1] // 2
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    mask[rows[inside], columns[inside]] = True
    _mark(mask, centre)
    return mask


def _level(option: str, value: str, levels: dict[str, float]) -> float:
    if value not in levels:
        raise InputError(f"mask option {option}={value!r} must be one of {', '.join(levels)}")
    return levels[value]
