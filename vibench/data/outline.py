"""The smooth closed outline of a synthetic object, with its distance to any point."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vibench.data.photos import Points


@dataclass(frozen=True)
class Outline:
    """All points at radius ``mean_px * (1 + sum of waves)`` around the origin; a wave is (count, height, phase)."""

    mean_px: float
    waves: tuple[tuple[int, float, float], ...]

    @classmethod
    def drawn(cls, chance: random.Random, mean_px: float) -> Outline:
        """A random outline of two, three and four waves, its radius within 45 % of the mean."""
        waves = tuple((count, chance.uniform(0.1, 0.3) / count, math.tau * chance.random()) for count in (2, 3, 4))
        return cls(mean_px, waves)

    def distance(self, points: Points) -> NDArray[np.float64]:
        """Signed distance (...) of ``points`` (2, ...), negative inside; exact to first order near the outline."""
        angle, radius = np.arctan2(points[1], points[0]), np.hypot(points[0], points[1])
        relative, slope = np.ones_like(angle), np.zeros_like(angle)
        for count, height, phase in self.waves:
            relative += height * np.cos(count * angle + phase)
            slope -= count * height * np.sin(count * angle + phase)
        signed: NDArray[np.float64] = (radius - self.mean_px * relative) / np.sqrt(1 + (slope / relative) ** 2)
        return signed
