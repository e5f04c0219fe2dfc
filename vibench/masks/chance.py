"""Random numbers of the mask generators: a reproducible stream, checks of options, and paths over the frame."""

from __future__ import annotations

import math
import random
from typing import NamedTuple

from vibench.errors import InputError

MIN_SIDE_PX = 8
"""In smaller frames there is no room for a hole and its surroundings."""

# 64 directions around the circle, rounded to steps of 1/4096, since C libraries differ in the last digit.
DIRECTIONS = tuple(
    (round(4096 * math.cos(math.tau * k / 64)) / 4096, round(4096 * math.sin(math.tau * k / 64)) / 4096)
    for k in range(64)
)


class Point(NamedTuple):
    """A place in the frame, in pixels; the top left corner of the frame is (0, 0)."""

    x: float
    y: float


class Chance:
    """A source of random numbers that uses ``random.Random(seed).random()`` only, whose sequence Python guarantees."""

    def __init__(self, seed: int) -> None:
        # A negative seed would be taken as its absolute value.
        self._draw = random.Random(seed if seed >= 0 else f"{seed}").random

    def between(self, low: float, high: float) -> float:
        """Draw a number from ``low`` up to ``high``."""
        return low + (high - low) * self._draw()

    def whole(self, low: int, high: int) -> int:
        """Draw a whole number from ``low`` to ``high``, both included."""
        return low + int(self._draw() * (high - low + 1))

    def direction(self) -> Point:
        """Draw one of 64 vectors of length 1."""
        return Point(*DIRECTIONS[self.whole(0, 63)])


def shorter_side(frames: int, height: int, width: int) -> int:
    """Return the shorter side in pixels; raise InputError unless there is a frame and room for a hole in it."""
    if frames < 1:
        raise InputError(f"a mask cannot have {frames} frames; at least 1 is needed")
    if min(height, width) < MIN_SIDE_PX:
        raise InputError(f"masks need frames of at least {MIN_SIDE_PX}x{MIN_SIDE_PX} px, not {width}x{height}")
    return min(height, width)


def in_range(name: str, value: float, low: float, high: float) -> float:
    """Return ``value``; raise InputError where it is not a number from ``low`` to ``high``."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InputError(f"mask option {name}={value!r} must be a number from {low} to {high}")
    return value


def whole_in_range(name: str, value: int, low: int, high: int) -> int:
    """Return ``value``; raise InputError where it is not a whole number from ``low`` to ``high``."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError(f"mask option {name}={value!r} must be a whole number from {low} to {high}")
    return value


def bouncing_path(chance: Chance, frames: int, low: Point, high: Point, step_px: float) -> list[Point]:
    """Return one point per frame on a straight line that is reflected at the box from ``low`` to ``high``.

    The start and the direction are random; the way per frame is ``step_px``.
    """
    start = Point(chance.between(low.x, high.x), chance.between(low.y, high.y))
    towards = chance.direction()
    return [
        Point(
            _reflected(start.x + towards.x * step_px * t, low.x, high.x),
            _reflected(start.y + towards.y * step_px * t, low.y, high.y),
        )
        for t in range(frames)
    ]


def _reflected(value: float, low: float, high: float) -> float:
    span = high - low
    if span <= 0:
        return low
    along = (value - low) % (2 * span)
    return low + (along if along <= span else 2 * span - along)
