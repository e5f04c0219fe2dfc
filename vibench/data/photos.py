"""What synthetic clips are made of: free photos from scikit-image's wheel as endless smooth planes, and outlines.

All photos are in the public domain or CC0 (scikit-image's docstrings name each photographer): astronaut (NASA), chelsea
(Stefan van der Walt), coffee (Rachel Michetti), rocket (SpaceX), hubble_deep_field (NASA), retina (CC0), brick,
gravel (CC0, CC0Textures) and grass (CC0, linolafett).
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vibench.errors import InputError

SCENES = ("astronaut", "chelsea", "coffee", "rocket")
"""Photos that can be the background, since they have structure of all sizes everywhere."""

PHOTOS = (*SCENES, "hubble_deep_field", "retina")

SURFACES = {"brick": (1.25, 0.85, 0.7), "grass": (0.75, 1.0, 0.5), "gravel": (1.05, 1.0, 0.9)}
"""Grey photos of walls and floors, and the red, green and blue by which they are coloured."""

Points = NDArray[np.float64]
"""(2, ...): the coordinates x and y."""


@dataclass(frozen=True)
class Photo:
    """A photo continued by its mirror images in all directions and interpolated by cubic splines."""

    name: str
    coefficients: NDArray[np.float32]
    """(3, H, W): spline coefficients of the red, green and blue planes."""

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) of the middle, in pixels; the centre of the first pixel is (0, 0)."""
        return (self.coefficients.shape[2] - 1) / 2, (self.coefficients.shape[1] - 1) / 2

    def at(self, points: Points) -> NDArray[np.float64]:
        """Return colours (..., 3), 0..255 and slightly beyond, at ``points`` (2, ...) in pixels of the photo."""
        planes = [
            ndimage.map_coordinates(plane, points[::-1], order=3, mode="mirror", prefilter=False, output=np.float64)
            for plane in self.coefficients
        ]
        return np.stack(planes, axis=-1)


@dataclass(frozen=True)
class Outline:
    """The smooth closed outline of an object: radius ``mean_px * (1 + sum of waves)`` around the origin.

    A wave is (count, height, phase): how often it goes around, its height relative to the mean, its phase in radians.
    """

    mean_px: float
    waves: tuple[tuple[int, float, float], ...]

    @classmethod
    def drawn(cls, chance: random.Random, mean_px: float) -> Outline:
        """Draw a random outline of two, three and four waves, whose radius is within 45 % of the mean."""
        waves = tuple((count, chance.uniform(0.1, 0.3) / count, math.tau * chance.random()) for count in (2, 3, 4))
        return cls(mean_px, waves)

    def distance(self, points: Points) -> NDArray[np.float64]:
        """Return the signed distance (...) of ``points`` (2, ...), negative inside; near the outline it is exact."""
        angle, radius = np.arctan2(points[1], points[0]), np.hypot(points[0], points[1])
        relative, slope = np.ones_like(angle), np.zeros_like(angle)
        for count, height, phase in self.waves:
            relative += height * np.cos(count * angle + phase)
            slope -= count * height * np.sin(count * angle + phase)
        signed: NDArray[np.float64] = (radius - self.mean_px * relative) / np.sqrt(1 + (slope / relative) ** 2)
        return signed


def size_px(name: str) -> tuple[int, int]:
    """Return (width, height) of a photo."""
    height, width = _pixels(name).shape[:2]
    return width, height


@lru_cache(maxsize=8)
def photo(name: str, blur_px: float) -> Photo:
    """Return a photo blurred by a Gaussian of ``blur_px``, to be sampled ``2 * blur_px`` apart without aliasing."""
    planes = np.moveaxis(_pixels(name), -1, 0).astype(np.float32)
    smooth = [ndimage.gaussian_filter(plane, blur_px, mode="mirror") for plane in planes]
    return Photo(name, np.stack([ndimage.spline_filter(plane, order=3, mode="mirror") for plane in smooth]))


@lru_cache(maxsize=8)
def _pixels(name: str) -> NDArray[np.uint8]:
    if name not in PHOTOS and name not in SURFACES:
        raise InputError(f"there is no photo {name!r}; there are {', '.join((*PHOTOS, *SURFACES))}")
    from skimage import data

    found: NDArray[np.uint8] = getattr(data, name)()
    if name in SURFACES:
        found = np.clip(np.rint(found[..., None] * SURFACES[name]), 0, 255).astype(np.uint8)
    pixels: NDArray[np.uint8] = found[..., :3]
    return pixels
