"""Figures: outlines of a person, a lantern, a bottle and a horse that stand at the origin, and how far points are.

The horse is the silhouette in scikit-image's wheel (CC0, Andreas Preuss); the others are drawn from rounded strokes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vibench.data.photos import Points
from vibench.errors import InputError

FigureName = Literal["person", "lantern", "bottle", "horse"]

Stroke = tuple[float, float, float, float, float, float]
"""A rounded stroke: x, y and radius of its beginning and of its end; the figure's height is 1, and up is -y."""

STROKES: dict[str, tuple[Stroke, ...]] = {
    "person": (
        (0.00, -0.90, 0.095, 0.00, -0.89, 0.090),
        (0.00, -0.80, 0.040, 0.00, -0.70, 0.060),
        (-0.07, -0.70, 0.065, 0.07, -0.70, 0.065),
        (0.00, -0.68, 0.125, 0.00, -0.46, 0.105),
        (-0.12, -0.69, 0.055, -0.22, -0.50, 0.042),
        (-0.22, -0.50, 0.042, -0.17, -0.34, 0.036),
        (0.12, -0.69, 0.055, 0.21, -0.52, 0.042),
        (0.21, -0.52, 0.042, 0.29, -0.40, 0.036),
        (-0.04, -0.44, 0.080, -0.10, -0.22, 0.056),
        (-0.10, -0.22, 0.056, -0.14, -0.04, 0.040),
        (0.05, -0.44, 0.080, 0.12, -0.24, 0.056),
        (0.12, -0.24, 0.056, 0.10, -0.04, 0.040),
        (-0.14, -0.03, 0.030, -0.07, -0.025, 0.025),
        (0.10, -0.03, 0.030, 0.18, -0.025, 0.025),
    ),
    "lantern": (
        (0.00, -0.97, 0.030, 0.00, -0.84, 0.030),
        (0.00, -0.82, 0.050, 0.00, -0.70, 0.190),
        (-0.18, -0.62, 0.070, 0.18, -0.62, 0.070),
        (0.00, -0.58, 0.240, 0.00, -0.30, 0.210),
        (-0.17, -0.10, 0.065, 0.17, -0.10, 0.065),
        (-0.14, -0.04, 0.040, 0.14, -0.04, 0.040),
    ),
    "bottle": (
        (0.00, -0.97, 0.055, 0.00, -0.94, 0.055),
        (0.00, -0.93, 0.045, 0.00, -0.74, 0.050),
        (0.00, -0.72, 0.060, 0.00, -0.54, 0.185),
        (0.00, -0.54, 0.185, 0.00, -0.19, 0.185),
        (-0.13, -0.05, 0.050, 0.13, -0.05, 0.050),
    ),
}


@dataclass(frozen=True)
class Figure:
    """A figure of ``height_px`` that stands at the origin; distances are in the same pixels."""

    name: FigureName
    height_px: float

    def __post_init__(self) -> None:
        if self.name not in get_args(FigureName):
            raise InputError(f"there is no figure {self.name!r}; there are {', '.join(get_args(FigureName))}")

    def distance(self, points: Points) -> NDArray[np.float64]:
        """Return the signed distance (...) of ``points`` (2, ...) from the outline, negative inside."""
        relative = points / self.height_px
        nearest = _horse(relative) if self.name == "horse" else _strokes(relative, STROKES[self.name])
        return nearest * self.height_px


def _strokes(points: Points, strokes: tuple[Stroke, ...]) -> NDArray[np.float64]:
    """The distance from the nearest stroke, whose radius changes evenly along its line."""
    nearest = np.full(points.shape[1:], np.inf)
    for x, y, radius, end_x, end_y, end_radius in strokes:
        along_x, along_y = end_x - x, end_y - y
        to_x, to_y = points[0] - x, points[1] - y
        share = np.clip((to_x * along_x + to_y * along_y) / (along_x**2 + along_y**2), 0, 1)
        away = np.hypot(to_x - share * along_x, to_y - share * along_y)
        np.minimum(nearest, away - radius - share * (end_radius - radius), out=nearest)
    return nearest


def _horse(points: Points) -> NDArray[np.float64]:
    distances, height = _horse_distances()
    x, y = points * height
    places = [y + distances.shape[0] - 1 - MARGIN_PX, x + (distances.shape[1] - 1) / 2]
    return np.asarray(ndimage.map_coordinates(distances, places, order=1, mode="nearest")) / height


MARGIN_PX = 40
"""So far around the silhouette of the horse distances are known; further away they stay as they are there."""


@lru_cache(maxsize=1)
def _horse_distances() -> tuple[NDArray[np.float64], int]:
    """Signed distances on the pixels of the silhouette, and its height in pixels."""
    from skimage import data

    dark = ~np.asarray(data.horse(), np.bool_)  # type: ignore[no-untyped-call]
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    inside = np.pad(dark[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], MARGIN_PX)
    outside = ndimage.distance_transform_edt(~inside)
    return np.where(inside, 0.5 - ndimage.distance_transform_edt(inside), outside - 0.5), int(rows[-1] - rows[0] + 1)
