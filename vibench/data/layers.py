"""Layers: photos in motion, one in front of the other, and the exact motion of what they show."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vibench.clip import ExactFlow
from vibench.data.photos import Photo, Points

EDGE_PX = 2.0
"""A pixel nearer to an outline than this does not count as visible, since it or a neighbour may mix both layers."""

Affine = NDArray[np.float64]
"""A (3, 3) matrix that acts on (x, y, 1)."""


class Shape(Protocol):
    """What has an outline: it knows how far points are from it."""

    def distance(self, points: Points) -> NDArray[np.float64]:
        """Return the signed distance (...) of ``points`` (2, ...), negative inside."""
        ...


@dataclass(frozen=True)
class Layer:
    """A photo in motion; ``place(t)`` maps pixels of frame t to the layer, whose unit is ``photo_px`` photo pixels."""

    photo: Photo
    photo_px: float
    place: Callable[[int], Affine]
    outline: Shape | None = None

    def colours(self, t: int, pixels: Points) -> NDArray[np.float64]:
        """Return the colours (..., 3) that the layer shows at ``pixels`` (2, ...) of frame t."""
        return self.at(moved(self.place(t), pixels))

    def at(self, points: Points) -> NDArray[np.float64]:
        """Return the colours (..., 3) of ``points`` (2, ...) of the layer."""
        middle = np.reshape(self.photo.centre, (2,) + (1,) * (points.ndim - 1))
        return self.photo.at(points * self.photo_px + middle)

    def distance(self, t: int, pixels: Points) -> NDArray[np.float64]:
        """Return how far ``pixels`` (2, ...) of frame t are from the outline: negative inside, -inf without outline."""
        return self.away(moved(self.place(t), pixels))

    def away(self, points: Points) -> NDArray[np.float64]:
        """Return how far ``points`` (2, ...) of the layer are from its outline: negative inside, -inf without one."""
        return np.full(points.shape[1:], -np.inf) if self.outline is None else self.outline.distance(points)

    def motion(self, start: int, end: int, pixels: Points) -> Points:
        """Return where the points that ``pixels`` (2, ...) of frame ``start`` show lie in frame ``end``."""
        return moved(np.linalg.inv(self.place(end)) @ self.place(start), pixels)


def exact_flow(frames: int, pixels: Points, world: Layer, thing: Layer | None) -> ExactFlow:
    """Return the motion of ``frames`` frames at ``pixels`` (2, H, W): with ``thing`` where it covers half a pixel."""
    pairs = [(t, t + 1) for t in range(frames - 1)]
    shape = (len(pairs), *pixels.shape[1:])
    forward, backward = np.zeros((*shape, 2), np.float32), np.zeros((*shape, 2), np.float32)
    visible = np.zeros(shape, np.bool_)
    for t, following in pairs:
        ahead = _shown_motion(t, following, pixels, world, thing)
        forward[t] = np.moveaxis(ahead - pixels, 0, -1)
        backward[t] = np.moveaxis(_shown_motion(following, t, pixels, world, thing) - pixels, 0, -1)
        visible[t] = _seen_again(t, following, pixels, ahead, thing)
    return ExactFlow(forward, backward, visible)


def _shown_motion(start: int, end: int, pixels: Points, world: Layer, thing: Layer | None) -> Points:
    """Where each pixel of frame ``start`` goes: with the object where that covers half of it, else with the world."""
    target = world.motion(start, end, pixels)
    if thing is not None:
        on_object = thing.distance(start, pixels) <= 0
        target[:, on_object] = thing.motion(start, end, pixels[:, on_object])
    return target


def _seen_again(t: int, following: int, pixels: Points, target: Points, thing: Layer | None) -> NDArray[np.bool_]:
    height, width = pixels.shape[1:]
    x, y = target
    seen: NDArray[np.bool_] = (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
    if thing is not None:
        here, there = thing.distance(t, pixels), thing.distance(following, target)
        seen &= (np.abs(here) > EDGE_PX) & (np.abs(there) > EDGE_PX) & ((here > 0) == (there > 0))
    return seen


def blur_px(photo_px: float) -> float:
    """The blur in photo pixels that keeps a photo sampled ``photo_px`` apart from aliasing."""
    return 0.5 * max(photo_px, 1.0)


def grid(height: int, width: int) -> Points:
    """Return the places (2, height, width) of a frame's pixels."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    return np.stack([x, y])


def moved(affine: Affine, points: Points) -> Points:
    """Return ``points`` (2, ...) after ``affine``."""
    return np.tensordot(affine[:2, :2], points, 1) + affine[:2, 2].reshape((2,) + (1,) * (points.ndim - 1))


def translation(x: float, y: float) -> Affine:
    """Return the map that adds (x, y)."""
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], dtype=np.float64)


def rotation(radians: float, scale: float = 1.0) -> Affine:
    """Return the map that turns around the origin, and stretches from it by ``scale``."""
    cosine, sine = scale * math.cos(radians), scale * math.sin(radians)
    return np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])


def quantised(colours: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Round colours to the nearest grey level, halves to even ones, and cut them to 0..255."""
    return np.clip(np.rint(colours), 0, 255).astype(np.uint8)
