"""The time and memory of a method on clips of growing size or length, and the power law of their growth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low

import numpy as np

from vibench.data.probe import Probe
from vibench.machine.host import Host, method_failures
from vibench.machine.timing import Timing, timing_of

AREAS = (0.25, 0.5, 1.0, 2.0)
LENGTHS = (0.5, 1.0, 2.0, 4.0)
LEAST_FRAMES = 4
MULTIPLE_PX = 8
LEAST_PX = 32


@dataclass(frozen=True)
class Shape:
    """The size and length of a clip."""

    width_px: int
    height_px: int
    frames: int

    @property
    def pixels(self) -> int:
        """The number of pixels of one frame."""
        return self.width_px * self.height_px


@dataclass(frozen=True)
class Point:
    """A shape, and the time and memory that filling such a clip took, in the repetition of median time."""

    shape: Shape
    timing: Timing


@dataclass(frozen=True)
class Growth:
    """A quantity grows as x to the power ``exponent``.

    ``standard_error`` is that of the fit; it is None where there are only two points.
    """

    exponent: float
    standard_error: float | None


def shapes_by_size(base: Shape) -> list[Shape]:
    """Return shapes with ``AREAS`` times the pixels of ``base``.

    Widths and heights are multiples of ``MULTIPLE_PX``, and at least ``LEAST_PX``.
    """
    sizes = {(_side(base.width_px, area), _side(base.height_px, area)) for area in AREAS}
    return [Shape(*size, base.frames) for size in sorted(sizes, key=lambda size: size[0] * size[1])]


def shapes_by_length(base: Shape) -> list[Shape]:
    """Return shapes with ``LENGTHS`` times the frames of ``base``, each of at least ``LEAST_FRAMES`` frames."""
    lengths = {max(LEAST_FRAMES, round(base.frames * length)) for length in LENGTHS}
    return [Shape(base.width_px, base.height_px, frames) for frames in sorted(lengths)]


def _side(length: int, area: float) -> int:
    return max(LEAST_PX, MULTIPLE_PX * round(length * math.sqrt(area) / MULTIPLE_PX))


def measured(host: Host, shape: Shape, repeats: int, limit_seconds: float | None = None) -> Point:
    """Fill a made clip of ``shape`` ``repeats`` times; MethodFailed where the method does not fill it."""
    holed = Probe.make(shape.width_px, shape.height_px, shape.frames).cases[0].holed()
    with method_failures():
        fields = [host.fill(holed, limit_seconds=limit_seconds)[1] for _ in range(repeats)]
    timings = [timing_of(each) for each in fields if each is not None]
    middle = median_low(timing.seconds for timing in timings)
    return Point(shape, next(timing for timing in timings if timing.seconds == middle))


def growth(x: Sequence[float], y: Sequence[float]) -> Growth | None:
    """The power law from ``x`` to ``y`` by least squares of their logs.

    None where all values of ``x`` are equal or a value of ``y`` is not above 0.
    """
    from scipy.stats import linregress

    if len(set(x)) < 2 or min(y) <= 0:
        return None
    found = linregress(np.log(x), np.log(y))
    return Growth(float(found.slope), float(found.stderr) if len(x) > 2 else None)
