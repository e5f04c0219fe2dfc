"""Time and memory of a method over clips of growing size or length, and the power law of their growth."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median_low

import numpy as np

from vibench.data.probe import Probe
from vibench.machine.timing import Timing, timed_fill
from vibench.method import Method
from vibench.protocol import quantise

AREAS = (0.25, 0.5, 1.0, 2.0)
LENGTHS = (0.5, 1.0, 2.0, 4.0)
LEAST_FRAMES = 4
MULTIPLE_PX = 8
LEAST_PX = 32


@dataclass(frozen=True)
class Shape:
    """Size and length of a clip."""

    width_px: int
    height_px: int
    frames: int

    @property
    def pixels(self) -> int:
        """Of one frame."""
        return self.width_px * self.height_px


@dataclass(frozen=True)
class Point:
    """One shape and what it took: the repetition of median time."""

    shape: Shape
    timing: Timing


@dataclass(frozen=True)
class Growth:
    """``value`` grows as x to the power ``exponent``, with the standard error of the fit (None from two points)."""

    exponent: float
    standard_error: float | None


def shapes_by_size(base: Shape) -> list[Shape]:
    """``AREAS`` times the pixels of ``base``, sides rounded to ``MULTIPLE_PX``; none below ``LEAST_PX``."""
    sizes = {(_side(base.width_px, area), _side(base.height_px, area)) for area in AREAS}
    return [Shape(*size, base.frames) for size in sorted(sizes, key=lambda size: size[0] * size[1])]


def shapes_by_length(base: Shape) -> list[Shape]:
    """``LENGTHS`` times the frames of ``base``."""
    lengths = {max(LEAST_FRAMES, round(base.frames * length)) for length in LENGTHS}
    return [Shape(base.width_px, base.height_px, frames) for frames in sorted(lengths)]


def _side(length: int, area: float) -> int:
    return max(LEAST_PX, MULTIPLE_PX * round(length * math.sqrt(area) / MULTIPLE_PX))


def measured(method: Method, shape: Shape, device: str, repeats: int) -> Point:
    """Fill a made clip ``repeats`` times."""
    holed = Probe.make(shape.width_px, shape.height_px, shape.frames).cases[0].holed()
    to_uint8: Callable[..., np.ndarray] = partial(quantise, how="round")
    timings = [timed_fill(method, holed, device, to_uint8)[1] for _ in range(repeats)]
    middle = median_low(timing.seconds for timing in timings)
    return Point(shape, next(timing for timing in timings if timing.seconds == middle))


def growth(x: Sequence[float], y: Sequence[float]) -> Growth | None:
    """Least squares on a doubly logarithmic scale; None where fewer than two values of ``x`` differ or a value is not positive."""
    from scipy.stats import linregress

    if len(set(x)) < 2 or min(y) <= 0:
        return None
    found = linregress(np.log(x), np.log(y))
    return Growth(float(found.slope), float(found.stderr) if len(x) > 2 else None)
