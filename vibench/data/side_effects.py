"""Side effects of an object: what its shadow, its reflection, its light and its mirror image make of the background.

Each takes the colours of a frame, the places in the world that its pixels show, and the object as it stands there, and
returns other colours. Places are in pixels of the world, and y points down. A shadow, a reflection and a mirror image
are the object seen through another affine map, so that they are as exact as the object itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vibench.data.layers import Affine, Layer, moved, translation
from vibench.data.photos import Points

Effect = Literal["shadow", "reflection", "light", "mirror", "glass"]

Colours = NDArray[np.float64]
"""(..., 3) RGB, 0..255 and slightly beyond."""

SHADOW_LEFT, FLATNESS, LEAN, PENUMBRA = 0.45, 0.34, -0.8, 0.03
"""The share of light in a shadow; its length per height of the object; how far it leans; the width of its border."""

REFLECTED, REFLECTION_REACH = 0.55, 0.45
"""The share of a reflection in the floor's colours right under the feet, and where it has faded."""

LIGHT_GAIN, LIGHT_REACH, LIGHT_HEIGHT = np.array([1.6, 1.2, 0.6]), 0.5, 0.3
"""By which share of itself a wall gets brighter in the middle; how far that goes; how high above the feet."""

MIRROR_MIDDLE, MIRROR_HALF_SIZE, MIRROR_SCALE, SILVER = (0.0, -0.14), (0.5, 0.26), 0.75, 0.9
"""Where a mirror hangs and how large it is; the size of an image in it; the share of the image in its colours."""

GLASS = np.array([0.45, 0.85, 0.6])
"""The share of red, green and blue that tinted glass lets through."""


@dataclass(frozen=True)
class Standing:
    """The object at one moment: its layer, whose origin is at its feet, and where in the world these are.

    ``side`` is what all lengths in this file are relative to: the frame's shorter side in pixels.
    """

    thing: Layer
    feet: tuple[float, float]
    side: float

    def copy(self, matrix: tuple[float, float, float, float], feet: tuple[float, float] | None = None) -> Copy:
        """Return the object after a linear map (a, b, c, d) from places around ``feet`` to those around its own."""
        x, y = feet or self.feet
        a, b, c, d = matrix
        return Copy(self.thing, np.array([[a, b, 0], [c, d, 0], [0, 0, 1]]) @ translation(-x, -y))


@dataclass(frozen=True)
class Copy:
    """The object as it appears in a place that ``place`` maps to itself."""

    thing: Layer
    place: Affine

    def cover(self, here: Points, border_px: float = 1.0) -> NDArray[np.float64]:
        """Return how far places (2, ...) are covered, 0 to 1, with a border of so many pixels of the object."""
        cover: NDArray[np.float64] = np.clip(0.5 - self.thing.away(moved(self.place, here)) / border_px, 0, 1)
        return cover

    def over(self, colours: Colours, here: Points, share: NDArray[np.float64]) -> Colours:
        """Return ``colours`` (..., 3) with those of the copy in front of them, by a ``share`` (...) of 0 to 1."""
        seen = share > 0
        mixed = colours.copy()
        weight = share[seen, None]
        mixed[seen] = weight * self.thing.at(moved(self.place, here[:, seen])) + (1 - weight) * colours[seen]
        return mixed


def shadow(colours: Colours, here: Points, it: Standing) -> Colours:
    """A cast shadow: the object laid on the floor, with a soft border."""
    return colours * (1 - (1 - SHADOW_LEFT) * _laid(here, it)[..., None])


def glass(colours: Colours, here: Points, it: Standing) -> Colours:
    """The tinted light that a semi-transparent object lets through onto the floor."""
    return colours * (1 - (1 - GLASS) * _laid(here, it)[..., None])


def reflection(colours: Colours, here: Points, it: Standing) -> Colours:
    """A reflection on a polished floor: the object upside down, fading with the distance from its feet."""
    upside_down = it.copy((1, 0, 0, -1))
    below = (here[1] - it.feet[1]) / it.side
    fading = np.where(below > 0, np.clip(1 - below / REFLECTION_REACH, 0, 1), 0)
    return upside_down.over(colours, here, REFLECTED * fading * upside_down.cover(here))


def light(colours: Colours, here: Points, it: Standing) -> Colours:
    """The light of a lantern on what is around it, of which nothing is left at ``LIGHT_REACH``."""
    x, y = it.feet
    away = np.hypot(here[0] - x, here[1] - y + LIGHT_HEIGHT * it.side) / (LIGHT_REACH * it.side)
    lit: Colours = colours * (1 + LIGHT_GAIN * (np.clip(1 - away**2, 0, None) ** 2)[..., None])
    return lit


def mirror(colours: Colours, here: Points, it: Standing) -> Colours:
    """The object's image in a mirror on the wall: smaller, the other way round, and moving less."""
    x, y = it.feet
    image = it.copy((-1 / MIRROR_SCALE, 0, 0, 1 / MIRROR_SCALE), (0.6 * x - 0.16 * it.side, y - 0.13 * it.side))
    inside = np.clip(0.5 - in_mirror(here / it.side) * it.side, 0, 1)
    return image.over(colours, here, SILVER * inside * image.cover(here))


def in_mirror(relative: Points) -> NDArray[np.float64]:
    """Return the signed distance of places (2, ...), relative to the side, from the mirror's edge; negative inside."""
    across, up = (np.abs(relative[axis] - MIRROR_MIDDLE[axis]) - MIRROR_HALF_SIZE[axis] for axis in (0, 1))
    distance: NDArray[np.float64] = np.maximum(across, up)
    return distance


EFFECTS: dict[Effect, Callable[[Colours, Points, Standing], Colours]] = {
    "shadow": shadow,
    "reflection": reflection,
    "light": light,
    "mirror": mirror,
    "glass": glass,
}


def _laid(here: Points, it: Standing) -> NDArray[np.float64]:
    """How far places (2, ...) lie in the shadow that the object casts on the floor before it, 0 to 1."""
    cover: NDArray[np.float64] = it.copy((1, -LEAN, 0, -1 / FLATNESS)).cover(here, PENUMBRA * it.side)
    return cover
