"""Turns shapes into pixels in whole numbers, so that no rounding differs between machines.

Coordinates come in units of 1/16 px. A pixel belongs to a shape when its centre does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vibench.clip import Mask
from vibench.masks.chance import Point

UNITS = 16
"""Steps per pixel."""

Vertex = tuple[int, int]
"""(x, y) in units of 1/16 px."""


def vertex(point: Point) -> Vertex:
    """Return the nearest point of the grid of 1/16 px."""
    return math.floor(point.x * UNITS + 0.5), math.floor(point.y * UNITS + 0.5)


def bounds(mask: Mask) -> tuple[slice, slice] | None:
    """Return the rows and columns of the smallest rectangle with all that a mask (H, W) marks; None of an empty one."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def fill_polygon(corners: Sequence[Vertex], height: int, width: int) -> Mask:
    """Return the inside of a closed polygon by the even-odd rule, clipped to the frame: bool (H, W).

    Every edge toggles the rest of each row that it crosses, from the first pixel centre right of the crossing.
    """
    x0, y0 = np.array(corners, dtype=np.int64).T[..., None]  # (N, 1)
    x1, y1 = np.roll(x0, -1, axis=0), np.roll(y0, -1, axis=0)
    rows = _centres(0, height)[None]  # (1, H)
    crossed = (y0 <= rows) != (y1 <= rows)  # (N, H)
    edge, row = np.nonzero(crossed)
    x0, y0, x1, y1 = (values[edge, 0] for values in (x0, y0, x1, y1))
    crossing = x0 + -(-(rows[0, row] - y0) * (x1 - x0) // (y1 - y0))  # rounded up to the next unit
    column = np.clip(-(-(crossing - UNITS // 2) // UNITS), 0, width)
    toggles = np.zeros((height, width + 1), dtype=np.int64)
    np.add.at(toggles, (row, column), 1)
    inside: Mask = np.cumsum(toggles, axis=1)[:, :width] % 2 == 1
    return inside


def add_capsule(canvas: Mask, start: Vertex, end: Vertex, radius: int) -> int:
    """Draw a thick line with round ends into ``canvas`` (changed in place); return how many pixels became True."""
    left, right = sorted((start[0], end[0]))
    top, bottom = sorted((start[1], end[1]))
    first_column, last_column = _span(left - radius, right + radius, canvas.shape[1])
    first_row, last_row = _span(top - radius, bottom + radius, canvas.shape[0])
    part = canvas[first_row:last_row, first_column:last_column]
    before = int(np.count_nonzero(part))
    part |= _capsule(_centres(first_row, last_row)[:, None], _centres(first_column, last_column), start, end, radius)
    return int(np.count_nonzero(part)) - before


def _capsule(y: NDArray[np.int64], x: NDArray[np.int64], start: Vertex, end: Vertex, radius: int) -> Mask:
    along_x, along_y = end[0] - start[0], end[1] - start[1]
    squared_length = along_x**2 + along_y**2
    from_x, from_y = x - start[0], y - start[1]
    progress = from_x * along_x + from_y * along_y
    across = np.abs(from_x * along_y - from_y * along_x)
    beside = (progress >= 0) & (progress <= squared_length) & (across <= math.isqrt(radius**2 * squared_length))
    if squared_length == 0:
        beside = np.zeros_like(beside)
    at_start = from_x**2 + from_y**2 <= radius**2
    at_end = (x - end[0]) ** 2 + (y - end[1]) ** 2 <= radius**2
    inside: Mask = beside | at_start | at_end
    return inside


def _centres(first: int, last: int) -> NDArray[np.int64]:
    return np.arange(first, last, dtype=np.int64) * UNITS + UNITS // 2


def _span(low: int, high: int, size: int) -> tuple[int, int]:
    return min(max(low // UNITS, 0), size), min(max(high // UNITS + 1, 0), size)
