"""Pixels followed along flow through a whole clip: which frames show what a hole hides, and where in them.

Flow: Kroeger et al. 2016 (DIS), Laplace-completed inside holes. Coordinates, not colours, are carried from frame to
frame, so that a pixel is interpolated once however far it comes from.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse import linalg

from vinet.dis import SMALLEST_PX, Flow, away_from_holes, dis

MARGIN_PX = 6
"""DIS matches 8 px patches, so flow nearer than this to a hole has seen the hole's edge and is completed instead."""
COARSE = 4
"""Flow inside holes is smooth: it is solved for at a quarter of the size."""
NEVER = np.iinfo(np.int32).max

Grey = NDArray[np.uint8]
"""(H, W)."""
Mask = NDArray[np.bool_]
"""(H, W), True = hole."""
Frames = NDArray[np.uint8]
"""(T, H, W, 3) RGB."""
Masks = NDArray[np.bool_]
"""(T, H, W), True = hole."""


class Origin(NamedTuple):
    """Where pixels of one frame come from, arrays of one shape: frame, place in it, and how many frames away it is.

    ``age`` is 0 where the pixel itself is visible and NEVER where nothing was found.
    """

    frame: NDArray[np.int32]
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    age: NDArray[np.int32]


class Ways(NamedTuple):
    """Where the hole pixels (N,) of every frame come from: along the earlier frames, and along the later ones."""

    past: list[Origin]
    future: list[Origin]


def followed(masks: Masks, greys: Sequence[Grey]) -> Ways:
    """Follow the hole pixels of a clip along the flow between the brightnesses of neighbouring frames.

    What a hole in a brightness is filled with decides how well the flow around it can be measured.
    """
    # Grown by a pixel: a colour interpolated at the very border of a hole would be half black.
    grown = np.stack([np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((3, 3)))) > 0 for mask in masks])

    def flow(t: int, to: int) -> Flow:
        return _flow(greys[t], greys[to], masks[t], masks[to])

    order = range(len(masks))
    return Ways(_origins(masks, grown, order, flow), _origins(masks, grown, order[::-1], flow))


def smooth_grey(frame: NDArray[np.uint8], mask: Mask) -> Grey:
    """Brightness of a frame (H, W, 3) RGB, the hole filled smoothly: no edge may stand where a hole begins."""
    grey = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.float32)[..., None]
    return _completed(grey, mask)[..., 0].round().clip(0, 255).astype(np.uint8)


def filled_frame(frames: Frames, mask: Mask, past: Origin, future: Origin, t: int) -> NDArray[np.uint8]:
    """Frame t (H, W, 3) with what both ways show, the nearer the heavier; what neither shows, Telea fills."""
    filled: NDArray[np.uint8] = frames[t].copy()
    if not mask.any():
        return filled
    y, x = np.nonzero(mask)
    ages = np.stack([past.age, future.age]).astype(np.float64)
    colours = np.stack([sampled(frames, origin) for origin in (past, future)])
    weights = np.where(ages < NEVER, 1 / ages, 0)
    found = weights.sum(axis=0) > 0
    blended = (weights[..., None] * colours).sum(axis=0) / np.maximum(weights.sum(axis=0), 1e-12)[:, None]
    filled[y[found], x[found]] = np.floor(blended[found] + 0.5).astype(np.uint8)
    rest = mask.copy()
    rest[y[found], x[found]] = False
    if rest.any():
        filled[:] = cv2.inpaint(filled, rest.astype(np.uint8), 3.0, cv2.INPAINT_TELEA)
    return filled


def sampled(frames: Frames, origin: Origin) -> NDArray[np.float64]:
    """Colours (N, 3) at the origins of N pixels, bilinear; 0 where there is none."""
    colours = np.zeros((len(origin.age), 3))
    found = origin.age < NEVER
    places = np.stack([origin.frame[found].astype(np.float64), origin.y[found], origin.x[found]])
    for channel in range(3):
        colours[found, channel] = ndimage.map_coordinates(
            frames[..., channel], places, np.float64, order=1, mode="nearest"
        )
    return colours


def _flow(first: Grey, second: Grey, first_mask: Mask, second_mask: Mask) -> Flow:
    """Flow from ``first`` to ``second`` (H, W, 2), measured away from both holes and smooth inside them."""
    height, width = first.shape
    if min(height, width) < SMALLEST_PX:
        return np.zeros((height, width, 2), np.float32)
    flow = dis(first, second)
    return _completed(flow, ~away_from_holes(flow, first_mask, second_mask, MARGIN_PX))


def _completed(values: NDArray[np.float32], hole: Mask) -> NDArray[np.float32]:
    """(H, W, C) with the hole filled by the solution of Laplace's equation at a quarter of the size."""
    if not hole.any():
        return values
    if hole.all():
        return np.zeros_like(values)
    height, width = hole.shape
    size = max(1, -(-width // COARSE)), max(1, -(-height // COARSE))
    weight = _resized((~hole).astype(np.float32)[..., None], size, cv2.INTER_AREA)
    known = _resized(values * ~hole[..., None], size, cv2.INTER_AREA) / weight.clip(1e-6)
    coarse = _harmonic(known, weight[..., 0] < 1e-3)
    return np.where(hole[..., None], _resized(coarse, (width, height), cv2.INTER_LINEAR), values)


def _harmonic(values: NDArray[np.float32], unknown: Mask) -> NDArray[np.float32]:
    """(H, W, C) whose unknown values are each the mean of their four neighbours; the border reflects."""
    if not unknown.any():
        return values
    height, width = unknown.shape
    index = np.full(unknown.shape, -1)
    index[unknown] = np.arange(unknown.sum())
    y, x = np.nonzero(unknown)
    rows, columns, right = [], [], np.zeros((len(y), values.shape[2]))
    degree = np.zeros(len(y))
    for step_y, step_x in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        beside_y, beside_x = y + step_y, x + step_x
        inside = (beside_y >= 0) & (beside_y < height) & (beside_x >= 0) & (beside_x < width)
        own, beside_y, beside_x = np.nonzero(inside)[0], beside_y[inside], beside_x[inside]
        degree[own] += 1
        free = unknown[beside_y, beside_x]
        rows.append(own[free])
        columns.append(index[beside_y[free], beside_x[free]])
        np.add.at(right, own[~free], values[beside_y[~free], beside_x[~free]])
    off = sparse.coo_matrix(
        (np.ones(sum(map(len, rows))), (np.concatenate(rows), np.concatenate(columns))), (len(y),) * 2
    )
    # A hole that touches no known pixel would make the system singular; the tiny pull to 0 decides it.
    solved = linalg.splu((sparse.diags(degree + 1e-9) - off).tocsc()).solve(right)
    filled = values.copy()
    filled[unknown] = solved
    return filled


def _origins(masks: Masks, grown: Masks, order: range, flow: Callable[[int, int], Flow]) -> list[Origin]:
    """The origins of every frame's hole pixels (N,), found by walking the clip in ``order``.

    ``flow(t, to)`` leads from frame t to the frame ``to``, which is walked before it. Whole frames of origins are held
    for two frames only.
    """
    x, y = _grid(*masks.shape[1:])
    found: dict[int, Origin] = {}
    earlier: Origin | None = None
    for before, t in zip([None, *order], order, strict=False):
        hole = grown[t]
        origin = Origin(np.full(hole.shape, t, np.int32), x.copy(), y.copy(), np.where(hole, NEVER, 0).astype(np.int32))
        if before is not None and earlier is not None and hole.any():
            _follow(origin, grown, t, flow(t, before), earlier)
        found[t] = Origin(*(part[masks[t]] for part in origin))
        earlier = origin
    return [found[t] for t in range(len(masks))]


def _follow(origin: Origin, masks: Masks, t: int, flow: Flow, earlier: Origin) -> None:
    """Fill in the origins of frame t's hole pixels from where their flow lands in the frame walked before."""
    hole = masks[t]
    y, x = np.nonzero(hole)
    to_x, to_y = x + flow[y, x, 0], y + flow[y, x, 1]
    near_x, near_y = np.rint(to_x).astype(np.int64), np.rint(to_y).astype(np.int64)
    inside = (near_x >= 0) & (near_x < hole.shape[1]) & (near_y >= 0) & (near_y < hole.shape[0])
    y, x, to_x, to_y, near_x, near_y = (part[inside] for part in (y, x, to_x, to_y, near_x, near_y))
    reached = earlier.age[near_y, near_x] != NEVER
    y, x, to_x, to_y, near_x, near_y = (part[reached] for part in (y, x, to_x, to_y, near_x, near_y))
    frame, from_x, from_y = (part[near_y, near_x] for part in (earlier.frame, earlier.x, earlier.y))
    fine_x, fine_y = from_x + (to_x - near_x), from_y + (to_y - near_y)
    # Fractions of a pixel add up from frame to frame; where they would lead back into a hole, the whole pixel is right.
    column, row = (
        np.rint(part).astype(np.int64).clip(0, size - 1)
        for part, size in ((fine_x, hole.shape[1]), (fine_y, hole.shape[0]))
    )
    visible = ~masks[frame, row, column]
    origin.frame[y, x] = frame
    origin.x[y, x] = np.where(visible, fine_x, from_x)
    origin.y[y, x] = np.where(visible, fine_y, from_y)
    origin.age[y, x] = earlier.age[near_y, near_x] + 1


def _grid(height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return x, y


def _resized(values: NDArray[np.float32], size: tuple[int, int], how: int) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(values, size, interpolation=how), np.float32).reshape(size[1], size[0], -1)
