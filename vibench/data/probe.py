"""The clips that `vibench regress` measures: short, computed, with a hole in the middle, the same for both versions."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vibench.clip import Case, Frames, digest

CLIPS = 3
SEED = 20_190_616


@dataclass(frozen=True)
class Probe:
    """``CLIPS`` cases of one size; the first is the one that is timed."""

    cases: tuple[Case, ...]

    @property
    def digest(self) -> str:
        """The first digits of a hash of all pixels; numbers of probes with different digests are not compared."""
        parts = [digest(array) for case in self.cases for array in (case.frames, case.holes)]
        return hashlib.sha256("".join(parts).encode()).hexdigest()[:16]

    @classmethod
    def make(cls, width_px: int, height_px: int, frames: int) -> Probe:
        """Make clips that drift by one to three pixels a frame, with a hole of a third of each side."""
        return cls(tuple(_case(index, width_px, height_px, frames) for index in range(CLIPS)))


def _case(index: int, width: int, height: int, frames: int) -> Case:
    generator = np.random.default_rng([SEED, index])
    step = index + 1
    texture = _texture(generator, height, width + frames * step)
    clip = np.stack([texture[:, t * step : t * step + width] for t in range(frames)])
    holes = np.zeros((frames, height, width), bool)
    for t in range(frames):
        left = width // 3 + t * step % max(1, width // 4)
        holes[t, height // 3 : height - height // 3, left : left + max(1, width // 3)] = True
    return Case(name=f"probe-{index}", frames=clip, holes=holes, truth=clip)


def _texture(generator: np.random.Generator, height: int, width: int) -> Frames:
    """Return noise that is smooth at three scales, uint8 (height, width, 3) in 20..235, so that a shift shows."""
    total: NDArray[np.float64] = np.zeros((height, width, 3))
    for cell, weight in ((32, 0.5), (16, 0.3), (8, 0.2)):
        grid = generator.uniform(0, 1, (height // cell + 2, width // cell + 2, 3))
        total += weight * _enlarged(_enlarged(grid, cell, 0, height), cell, 1, width)
    return np.rint(20 + 215 * total).astype(np.uint8)


def _enlarged(grid: NDArray[np.float64], cell: int, axis: int, size: int) -> NDArray[np.float64]:
    """Interpolate linearly along one axis, with ``cell`` pixels between grid points."""
    place = np.arange(size) / cell
    low = place.astype(int)
    part = (place - low).reshape([-1 if dimension == axis else 1 for dimension in range(3)])
    between: NDArray[np.float64] = (1 - part) * grid.take(low, axis) + part * grid.take(low + 1, axis)
    return between
