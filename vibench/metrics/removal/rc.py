"""RC-S and RC-T of PROVE: how well what was filled belongs to its surroundings, and to itself in the next frame.

Source: PROVE, arXiv 2605.14534, and its code (xiaomi-research/prove, Apache-2.0, ``utils/metrics.py``), in tokens of
DINOv2-giant. Both look at a square around the hole, of 448 px, in the first 81 frames; neither sees the truth.

RC-S compares the tokens in the hole with those beside it, RC-T the tokens at the same places of two frames. RC-T does
not undo motion, so a moving camera costs as much as a flickering fill.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from vibench.clip import Case, Frame, Frames, Mask
from vibench.metric import Direction, MetricInfo, Series
from vibench.metrics.networks import dinov2
from vibench.metrics.networks.pretrained import Backbone, load

Grey = NDArray[np.uint8]
"""A mask as its file holds it, (H, W) in 0..255: from 128 on it is hole."""

Tokens = NDArray[np.float32]
"""(h, w, D): one vector for every 14 x 14 px of a picture."""

LONG_SIDE_PX = 448
MOST_FRAMES = 81
LEAST_PX = 200
"""Parts of a hole that have fewer pixels are left out, unless all have."""

PADDING = (123, 116, 103)
BANDWIDTH = 10.0
MORE_TOKENS_THAN = 5
PAIR_TOKENS = 5


class Box(NamedTuple):
    """A square in a frame: pixels ``left`` to ``right`` - 1 and ``top`` to ``bottom`` - 1."""

    left: int
    top: int
    right: int
    bottom: int

    def cut(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the pixels of a picture (H, W, ...) that lie in the square."""
        return picture[self.top : self.bottom, self.left : self.right]


class Window(NamedTuple):
    """One window of tokens: how many of them were compared with how many, and what came of it."""

    inside: int
    outside: int
    distance: float


def components(grey: Grey) -> list[Mask]:
    """Return the connected parts of a hole, each bool (H, W), those of fewer than 200 px left out.

    Pixels are connected along rows and columns. Where all parts are so small, the largest stay.
    """
    count, labels, facts, _ = cv2.connectedComponentsWithStats((grey > 127).astype(np.uint8), connectivity=4)
    areas = facts[1:, cv2.CC_STAT_AREA]
    least = min(LEAST_PX, int(areas.max())) if count > 1 else 0
    return [labels == 1 + index for index, area in enumerate(areas) if area >= least]


def square_around(hole: Mask) -> Box:
    """Return the square around a hole, bool (H, W) with at least one pixel, with a margin of a third of its side.

    The margin is the same on all sides, so that it is 0 where the hole touches the border of the frame.
    """
    height, width = hole.shape
    rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    side = max(right - left, bottom - top)
    # Python rounds halves to the even neighbour, as the authors' code does.
    x, y = round((left + right) / 2 - side / 2), round((top + bottom) / 2 - side / 2)
    margin = max(0, min(round(side / 3), x, y, width - x - side, height - y - side, side // 2))
    side_px = min(side + 2 * margin, height, width)
    x, y = (min(max(corner - margin, 0), length - side_px) for corner, length in ((x, width), (y, height)))
    return Box(x, y, x + side_px, y + side_px)


def enlarged(crop: Frame, long_side_px: int = LONG_SIDE_PX) -> Frame:
    """Return a crop, uint8 (H, W, 3), with its long side made 448 px and its sides padded to whole tokens.

    The size is computed in floating point and cut down, so that a crop of 71 px becomes 447 px and is padded by one.
    """
    height, width = _enlarged_size(crop.shape[:2], long_side_px)
    larger = cv2.resize(crop, (width, height), interpolation=cv2.INTER_LINEAR)
    below, right = -height % dinov2.PATCH_PX, -width % dinov2.PATCH_PX
    return np.asarray(cv2.copyMakeBorder(larger, 0, below, 0, right, cv2.BORDER_CONSTANT, value=PADDING), np.uint8)


def hole_tokens(crop: Grey, long_side_px: int = LONG_SIDE_PX) -> Mask:
    """Return which tokens of an enlarged crop touch the hole, bool (h, w), from the crop of its mask, uint8 (H, W).

    Anything above 0 counts, so that the ringing of a mask that was compressed makes tokens of the hole.
    """
    height, width = _enlarged_size(crop.shape, long_side_px)
    rows, columns = (np.arange(size) * source // size for size, source in zip((height, width), crop.shape, strict=True))
    patch = dinov2.PATCH_PX
    padded = np.pad(crop[rows][:, columns], ((0, -height % patch), (0, -width % patch)))
    blocks = padded.reshape(padded.shape[0] // patch, patch, padded.shape[1] // patch, patch)
    touched: Mask = blocks.max(axis=(1, 3)) > 0
    return touched


def _enlarged_size(shape: tuple[int, ...], long_side_px: int) -> tuple[int, int]:
    scale = long_side_px / max(shape[:2])
    return max(1, int(shape[0] * scale)), max(1, int(shape[1] * scale))


def discrepancy(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return 1000 times the squared maximum mean discrepancy of two sets of vectors, (n, D) and (m, D); 0 if equal.

    The vectors are scaled to unit length, and the kernel is a Gaussian of deviation 10. The diagonals count, as in the
    authors' code. It is computed in float64, since in float32 three digits are left of it.
    """
    x, y = (
        rows / np.linalg.norm(rows, axis=1, keepdims=True)
        for rows in (first.astype(np.float64), second.astype(np.float64))
    )

    def mean_kernel(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        squared = np.square(a).sum(1)[:, None] + np.square(b).sum(1)[None] - 2 * a @ b.T
        return float(np.exp(-np.maximum(squared, 0) / (2 * BANDWIDTH**2)).mean())

    return 1000 * (mean_kernel(x, x) + mean_kernel(y, y) - 2 * mean_kernel(x, y))


def spatial_windows(tokens: Tokens, hole: Mask) -> Iterator[Window]:
    """Yield the windows in which tokens of the hole are compared with known ones, in row-major order.

    A window with more than 5 tokens of each compares these. One that lies in the hole but for nothing is compared with
    all known tokens of the crop. Others are passed over.
    """
    known = tokens[~hole]
    for part in _windows(hole.shape):
        inside, outside = tokens[part][hole[part]], tokens[part][~hole[part]]
        if len(inside) > MORE_TOKENS_THAN and (len(outside) > MORE_TOKENS_THAN or (not len(outside) and len(known))):
            against = outside if len(outside) else known
            yield Window(len(inside), len(against), discrepancy(inside, against))


def temporal_windows(tokens: Tokens, following: Tokens, hole: Mask) -> Iterator[Window]:
    """Yield the windows with 5 or more tokens of the hole, whose tokens in two frames are compared, in row-major order.

    ``hole`` has the tokens that touch the hole of both frames.
    """
    for part in _windows(hole.shape):
        here, there = tokens[part][hole[part]], following[part][hole[part]]
        if len(here) >= PAIR_TOKENS:
            yield Window(len(here), len(there), discrepancy(here, there))


def _windows(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    side, stride = (max(1, int(share * max(shape) / 64)) for share in (16, 8))
    for top in range(0, shape[0] - side + 1, stride):
        for left in range(0, shape[1] - side + 1, stride):
            yield slice(top, top + side), slice(left, left + side)


def spatial_coherence(tokens: Tokens, hole: Mask) -> float | None:
    """Return RC-S of one part of a hole: ``exp(-d / 3)`` with the windows' mean discrepancy, 1 if there is none.

    ``tokens`` are float32 (h, w, D) and ``hole`` bool (h, w). It is None where no window can be compared.
    """
    distances = [window.distance for window in spatial_windows(tokens, hole)]
    return float(np.exp(-max(0.0, float(np.mean(distances))) / 3)) if distances else None


def temporal_incoherence(tokens: Tokens, following: Tokens, hole: Mask) -> float | None:
    """Return RC-T of a pair of frames: the windows' mean discrepancy, from 0; None where no window can be compared."""
    distances = [window.distance for window in temporal_windows(tokens, following, hole)]
    return float(np.mean(distances)) if distances else None


FindTokens = Callable[[Frame], Tokens]
"""A function that gives the tokens of a padded crop."""


def rc_s(frame: Frame, grey: Grey, find: FindTokens) -> float | None:
    """Return RC-S of one frame, uint8 (H, W, 3), with its mask, uint8 (H, W): from 0 to 1, higher is better.

    It is the mean over the parts of the hole. It is None where there is no hole, and where for any part no window can
    be compared: a hole that touches the border has no margin, and takes the frame's other holes with it.
    """
    found = []
    for hole in components(grey):
        box = square_around(hole)
        found.append(spatial_coherence(find(enlarged(box.cut(frame))), hole_tokens(box.cut(grey))))
    known = [value for value in found if value is not None]
    return float(np.mean(known)) if known and len(known) == len(found) else None


def rc_t(frames: Frames, holes: NDArray[np.bool_], find: FindTokens) -> float | None:
    """Return RC-T of two frames, uint8 (2, H, W, 3), with their holes, bool (2, H, W): from 0, lower is better.

    It is None where no window can be compared.
    """
    union: Mask = holes[0] | holes[1]
    if not union.any():
        return None
    box = square_around(union)
    first, second = (hole_tokens(box.cut(hole.astype(np.uint8))) for hole in holes)
    shared = first & second
    if not shared.any():
        return None
    here, there = (find(enlarged(box.cut(frame))) for frame in frames)
    return temporal_incoherence(here, there, shared)


class RC:
    """RC-S or RC-T of the first 81 frames; values of later frames are missing."""

    def __init__(self, info: MetricInfo, backbone: Backbone, temporal: bool) -> None:
        self.info = info
        self.resources = backbone.resources
        self._backbone = backbone
        self._temporal = temporal

    def measure(self, frames: Frames, case: Case) -> Mapping[str, Series]:
        """Return one value a frame (RC-S) or a pair of neighbours (RC-T) in the region ``hole``."""
        counted = range(min(len(frames), MOST_FRAMES) - self._temporal)
        left = len(frames) - self._temporal - len(counted)
        value = self._pair if self._temporal else self._frame
        return {"hole": Series.of([*(value(frames, case, index) for index in counted), *[None] * left])}

    def seconds_per_frame(self) -> float | None:
        """Return how long a frame with one hole takes on a CPU, measured on one crop; None elsewhere."""
        blank = np.zeros((LONG_SIDE_PX, LONG_SIDE_PX, 3), np.uint8)
        seconds = self._backbone.seconds(lambda: dinov2.last_hidden_state(self._backbone, blank))
        return None if seconds is None else seconds * (1 + self._temporal)

    def _frame(self, frames: Frames, case: Case, index: int) -> float | None:
        return rc_s(frames[index], case.holes[index].astype(np.uint8) * 255, self._tokens)

    def _pair(self, frames: Frames, case: Case, index: int) -> float | None:
        return rc_t(frames[index : index + 2], case.holes[index : index + 2], self._tokens)

    def _tokens(self, crop: Frame) -> Tokens:
        height, width = (side // dinov2.PATCH_PX for side in crop.shape[:2])
        return dinov2.tokens(self._backbone, crop)[1:].reshape(height, width, -1)


def spatial(weights: str | None = None, device: str = "cpu") -> RC:
    """RC-S: do the hole's tokens belong to those beside it; in the first 81 frames, 448 px around each hole.

    ``weights`` is the file of DINOv2-giant; see ``vibench.metrics.networks.pretrained.load``, also for errors.
    """
    return _rc("rc-s", "RC-S", "higher", "exp(-MMD / 3) of DINOv2 tokens in the hole and beside it", weights, device)


def temporal(weights: str | None = None, device: str = "cpu") -> RC:
    """RC-T: do the hole's tokens stay what they are from frame to frame; in the first 81 frames, motion not undone.

    ``weights`` is the file of DINOv2-giant; see ``vibench.metrics.networks.pretrained.load``, also for errors.
    """
    return _rc("rc-t", "RC-T", "lower", "MMD of DINOv2 tokens of two frames in their hole", weights, device)


def _rc(name: str, title: str, better: Direction, how: str, weights: str | None, device: str) -> RC:
    backbone = load(dinov2.GIANT, weights, device)
    info = backbone.info(
        name, title, f"PROVE, arXiv 2605.14534, xiaomi-research/prove: {how}; first 81 frames, crops of 448 px", better
    )
    return RC(info, backbone, temporal=name == "rc-t")
