"""Free-form strokes: brush lines with round joints, drifting together over the frame."""

from __future__ import annotations

import itertools
import math

import numpy as np

from vibench.clip import Mask, Masks
from vibench.masks.chance import DIRECTIONS, Chance, Point, bouncing_path, in_range, shorter_side, whole_in_range
from vibench.masks.raster import UNITS, Vertex, add_capsule, vertex

MAX_AREA = 0.5
"""A piece of a stroke that would grow the hole beyond this fraction of the frame is left out."""


def free_form(
    frames: int,
    height: int,
    width: int,
    seed: int,
    *,
    strokes: int = 5,
    brush: float = 0.08,
    length: float = 0.35,
    speed: float = 0.01,
) -> Masks:
    """Random brush strokes that are drawn once and move to and fro by up to a fifth of the frame.

    Each stroke has 3 to 8 pieces. ``strokes`` is their number, 1 to 16. As fractions of the shorter side, ``brush`` is
    their mean width, 0.02 to 0.25, ``length`` that of the longest piece, 0.05 to 0.5, and ``speed`` their way per
    frame, 0 to 0.5. The idea is the free-form mask of Yu et al. 2019 and Chang et al. 2019; the distribution is our
    own.
    """
    short = shorter_side(frames, height, width)
    count = whole_in_range("strokes", strokes, 1, 16)
    brush_px = in_range("brush", brush, 0.02, 0.25) * short
    length_px = in_range("length", length, 0.05, 0.5) * short
    step_px = in_range("speed", speed, 0, 0.5) * short
    chance = Chance(seed)
    # The canvas is the frame with a margin for the brush all around.
    margin = math.ceil(brush_px) + 2
    canvas = np.zeros((height + 2 * margin, width + 2 * margin), dtype=np.bool_)
    lines = [_stroke(chance, height, width, brush_px, length_px) for _ in range(count)]
    _paint(canvas, lines, margin, MAX_AREA * height * width)
    # Strokes begin in the middle three fifths: shifted by one fifth they stay in the frame, and no frame is empty.
    reach = Point(0.2 * width - 1, 0.2 * height - 1)
    path = bouncing_path(chance, frames, Point(-reach.x, -reach.y), reach, step_px)
    return np.stack([_shifted(canvas, shift, margin) for shift in path])


def _stroke(chance: Chance, height: int, width: int, brush_px: float, length_px: float) -> list[tuple[Point, float]]:
    """Draw vertices, each with the brush radius of the piece that ends there; a piece turns by at most 90 degrees."""
    place = Point(chance.between(0.2, 0.8) * width, chance.between(0.2, 0.8) * height)
    heading = chance.whole(0, 63)
    vertices = [(place, 0.0)]
    for _ in range(chance.whole(3, 8)):
        heading += chance.whole(-16, 16)
        reach = chance.between(0.3, 1.0) * length_px
        towards = DIRECTIONS[heading % 64]
        place = Point(
            min(max(place.x + towards[0] * reach, 0.0), float(width)),
            min(max(place.y + towards[1] * reach, 0.0), float(height)),
        )
        vertices.append((place, max(chance.between(0.35, 0.65) * brush_px, 1.0)))
    return vertices


def _paint(canvas: Mask, strokes: list[list[tuple[Point, float]]], margin: int, limit: float) -> None:
    """Draw the strokes into ``canvas``, piece by piece, leaving out what would bring it above ``limit`` pixels."""
    painted = 0
    for stroke in strokes:
        for (start, _), (end, radius) in itertools.pairwise(stroke):
            trial = canvas.copy()
            added = add_capsule(trial, _moved(start, margin), _moved(end, margin), math.floor(radius * UNITS + 0.5))
            if painted + added <= limit:
                canvas[...] = trial
                painted += added


def _moved(point: Point, margin: int) -> Vertex:
    return vertex(Point(point.x + margin, point.y + margin))


def _shifted(canvas: Mask, shift: Point, margin: int) -> Mask:
    """Move ``canvas`` by ``shift``, rounded to whole pixels, and cut off its margin; what comes in is no hole."""
    left, top = margin - math.floor(shift.x + 0.5), margin - math.floor(shift.y + 0.5)
    padded = np.pad(canvas, ((max(-top, 0), 0), (max(-left, 0), 0)))
    inside = padded[max(top, 0) :, max(left, 0) :]
    height, width = canvas.shape[0] - 2 * margin, canvas.shape[1] - 2 * margin
    return np.pad(inside, ((0, max(height - inside.shape[0], 0)), (0, max(width - inside.shape[1], 0))))[
        :height, :width
    ]
