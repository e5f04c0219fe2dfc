"""Follow each missing pixel along optical flow to the frame that shows it: the strongest classical baseline."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse import linalg

from vibench.clip import Frame, Frames, Holed, Mask, Masks
from vibench.errors import InputError
from vinet.dis import SMALLEST_PX, Flow, away_from_holes, dis

MARGIN_PX = 6
"""DIS matches 8 px patches, so flow nearer than this to a hole has seen the hole's edge and is completed instead."""
COARSE = 4
"""Flow inside holes is smooth: it is solved for at a quarter of the size."""
NEVER = np.iinfo(np.int32).max


class Origin(NamedTuple):
    """Where the pixels of one frame come from, (H, W) each: frame, place in it, and how many frames away it is.

    ``age`` is 0 where the pixel itself is visible and NEVER where nothing was found.
    """

    frame: NDArray[np.int32]
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    age: NDArray[np.int32]


class FlowPropagation:
    """Follow optical flow to the nearest frames, earlier and later, that show a pixel, and blend what they show.

    Flow: Kroeger et al. 2016 (DIS), Laplace-completed inside holes. Coordinates, not colours, are carried from frame to
    frame, so that a pixel is interpolated once however far it comes from. What neither direction finds, Telea fills.
    """

    def __init__(self, passes: int = 2) -> None:
        if not isinstance(passes, int) or not 1 <= passes <= 10:
            raise InputError(f"flow_propagation: passes is {passes!r}; it must be a whole number from 1 to 10")
        self.passes = passes

    def __call__(self, holed: Holed) -> Frames:
        """Fill all frames, each from all others."""
        frames, masks = holed.frames, holed.masks
        # Grown by a pixel: a colour interpolated at the very border of a hole would be half black.
        grown = np.stack([np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((3, 3)))) > 0 for mask in masks])
        grey = [_smooth_grey(frame, mask) for frame, mask in zip(frames, masks, strict=True)]
        for _ in range(self.passes):
            filled = _propagated(frames, masks, grown, grey)
            # A smooth patch that moves with its hole drags the flow around it along; a filled hole drags it much less.
            grey = [np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8) for frame in filled]
        return filled


def _propagated(frames: Frames, masks: Masks, grown: Masks, grey: list[NDArray[np.uint8]]) -> Frames:
    forth = [_flow(grey[t], grey[t + 1], masks[t], masks[t + 1]) for t in range(len(frames) - 1)]
    back = [_flow(grey[t + 1], grey[t], masks[t + 1], masks[t]) for t in range(len(frames) - 1)]
    past = _origins(grown, [None, *back], range(len(frames)))
    future = _origins(grown, [*forth, None], range(len(frames) - 1, -1, -1))
    return np.stack([_filled(frames, masks[t], past[t], future[t], t) for t in range(len(frames))])


def _smooth_grey(frame: Frame, mask: Mask) -> NDArray[np.uint8]:
    """Brightness with the hole filled smoothly, so that no edge stands where the hole begins."""
    grey = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.float32)[..., None]
    return _completed(grey, mask)[..., 0].round().clip(0, 255).astype(np.uint8)


def _flow(first: NDArray[np.uint8], second: NDArray[np.uint8], first_mask: Mask, second_mask: Mask) -> Flow:
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


def _origins(masks: Masks, flows: list[Flow | None], order: range) -> list[Origin]:
    """Find the origins of every frame by walking the clip in ``order``.

    ``flows[t]`` leads from frame t to the one that is walked before it.
    """
    height, width = masks.shape[1:]
    x, y = _grid(height, width)
    found: dict[int, Origin] = {}
    for before, t in zip([None, *order], order, strict=False):
        hole = masks[t]
        origin = Origin(
            np.full((height, width), t, np.int32), x.copy(), y.copy(), np.where(hole, NEVER, 0).astype(np.int32)
        )
        flow = flows[t]
        if before is not None and flow is not None and hole.any():
            _follow(origin, masks, t, flow, found[before])
        found[t] = origin
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


def _filled(frames: Frames, mask: Mask, past: Origin, future: Origin, t: int) -> Frame:
    filled: Frame = frames[t].copy()
    if not mask.any():
        return filled
    y, x = np.nonzero(mask)
    ages = np.stack([past.age[y, x], future.age[y, x]]).astype(np.float64)
    colours = np.stack([_sampled(frames, origin, y, x) for origin in (past, future)])
    weights = np.where(ages < NEVER, 1 / ages, 0)
    found = weights.sum(axis=0) > 0
    blended = (weights[..., None] * colours).sum(axis=0) / np.maximum(weights.sum(axis=0), 1e-12)[:, None]
    filled[y[found], x[found]] = np.floor(blended[found] + 0.5).astype(np.uint8)
    rest = mask.copy()
    rest[y[found], x[found]] = False
    if rest.any():
        filled[:] = cv2.inpaint(filled, rest.astype(np.uint8), 3.0, cv2.INPAINT_TELEA)
    return filled


def _sampled(frames: Frames, origin: Origin, y: NDArray[np.int64], x: NDArray[np.int64]) -> NDArray[np.float64]:
    """Colours (N, 3) of the pixels (y, x) at their origins, bilinear; 0 where there is none."""
    colours = np.zeros((len(y), 3))
    found = origin.age[y, x] < NEVER
    y, x = y[found], x[found]
    places = np.stack([origin.frame[y, x].astype(np.float64), origin.y[y, x], origin.x[y, x]])
    for channel in range(3):
        colours[found, channel] = ndimage.map_coordinates(
            frames[..., channel], places, np.float64, order=1, mode="nearest"
        )
    return colours


def _grid(height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return x, y


def _resized(values: NDArray[np.float32], size: tuple[int, int], how: int) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(values, size, interpolation=how), np.float32).reshape(size[1], size[0], -1)
