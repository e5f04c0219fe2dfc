"""Flow from outside the network: OpenCV's DIS between two holed frames, completed in their holes."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Flow = NDArray[np.float32]
"""(H, W, 2): (u, v) in pixels."""

MARGIN_PX = 8
"""DIS matches 8 px patches: nearer to a hole than this its flow has seen the hole."""
SMALLEST_PX = 16
"""DIS needs some pixels to build a pyramid; anything smaller is taken to be still."""

SMALLEST_SHARE = 1e-6
"""Of a coarse pixel's area: less known than this is rounding, not knowledge."""


class HoledGrey(NamedTuple):
    """A frame as DIS sees it."""

    levels: NDArray[np.uint8]  # (H, W), holes filled smoothly from their surroundings
    hole: NDArray[np.bool_]  # (H, W)


def holed_grey(frame: NDArray[np.uint8], mask: NDArray[np.bool_]) -> HoledGrey:
    """Prepare a frame (H, W, 3) RGB: no edge may stand where a hole begins, or DIS would track the hole."""
    levels = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)[..., None]
    return HoledGrey(completed(levels, ~mask)[..., 0].round().clip(0, 255).astype(np.uint8), mask)


def dis_flow(reference: HoledGrey, source: HoledGrey) -> Flow:
    """Flow from reference to source (H, W, 2), measured away from their holes and smooth inside them."""
    height, width = reference.levels.shape
    if min(height, width) < SMALLEST_PX:
        return np.zeros((height, width, 2), np.float32)
    flow = dis(reference.levels, source.levels)
    return completed(flow, away_from_holes(flow, reference.hole, source.hole, MARGIN_PX))


def dis(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> Flow:
    """Flow (H, W, 2) between two grey frames (H, W) by dense inverse search (Kroeger et al. 2016), preset medium."""
    engine = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.asarray(engine.calc(first, second, None), np.float32)  # type: ignore[call-overload]


def away_from_holes(
    flow: Flow, hole: NDArray[np.bool_], source_hole: NDArray[np.bool_], margin_px: int
) -> NDArray[np.bool_]:
    """(H, W), True where a flow (H, W, 2) starts and ends at least `margin_px` away from both frames' holes."""
    height, width = hole.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    grown, source_grown = (_grown(plane, margin_px) for plane in (hole, source_hole))
    lands = cv2.remap(source_grown, x + flow[..., 0], y + flow[..., 1], cv2.INTER_NEAREST)
    return np.asarray((grown == 0) & (np.asarray(lands) == 0))


def completed(values: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(H, W, C) with what is not `known` (H, W) filled from a pyramid of means of what is; 0 if nothing is.

    Push-pull (Gortler et al., The Lumigraph, 1996): average known values down, then copy up where nothing was known.
    """
    height, width = known.shape
    if known.all() or min(height, width) == 1:
        average = values[known].mean(axis=0) if known.any() else 0
        return np.where(known[..., None], values, average).astype(np.float32)
    weight = known.astype(np.float32)[..., None]
    size = ((width + 1) // 2, (height + 1) // 2)
    mean_weight = _resized(weight, size, cv2.INTER_AREA)
    mean = _resized(values * weight, size, cv2.INTER_AREA) / mean_weight.clip(SMALLEST_SHARE)
    coarser = completed(mean, mean_weight[..., 0] > SMALLEST_SHARE)
    enlarged = _resized(coarser, (width, height), cv2.INTER_LINEAR)
    return np.where(known[..., None], values, enlarged).astype(np.float32)


def _grown(hole: NDArray[np.bool_], margin_px: int) -> NDArray[np.uint8]:
    side = 2 * margin_px + 1
    return np.asarray(cv2.dilate(hole.astype(np.uint8), np.ones((side, side), np.uint8)), np.uint8)


def _resized(values: NDArray[np.float32], size: tuple[int, int], filter_code: int) -> NDArray[np.float32]:
    resized = cv2.resize(values, size, interpolation=filter_code)
    return np.asarray(resized, np.float32).reshape(size[1], size[0], -1)
