"""ReMOVE: how alike the features of what was filled and of the rest of the frame are, without any truth.

Source: Chandrasekar et al., ReMOVE: A Reference-free Metric for Object Erasure, CVPR Workshops 2024, and its code
(chandrasekaraditya/ReMOVE, MIT), in features of SAM's ViT-H. Papers rarely say whether they crop, so both ways have
a name here.

The mask is stretched over all 64 x 64 cells of the features, but a picture that is not square fills only a part of
them. So mask and features do not coincide, and the padding counts as known: in all video of 16:9 where nothing is
cropped. That is how the number is defined, and how it is computed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vibench.clip import Case, Frame, Frames, Mask
from vibench.metric import MetricInfo, Series
from vibench.metrics.networks import sam
from vibench.metrics.networks.pretrained import Backbone, load

Grey = NDArray[np.uint8]
"""A mask as its file holds it, (H, W) in 0..255: only 255 is hole."""

MARGIN_PX = 16


class Crop(NamedTuple):
    """A square of ``size_px`` whose upper left pixel is (``left``, ``top``); it may reach beyond the frame."""

    left: int
    top: int
    size_px: int

    def cut(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the pixels of a picture (H, W, ...) in the square, fewer where it reaches beyond the frame."""
        return picture[self.top : self.top + self.size_px, self.left : self.left + self.size_px]


def crop_around(grey: Grey) -> Crop | None:
    """Return the square that ``--crop`` looks at; None where no pixel of the mask is 255.

    Its corner is that of the hole's bounding box, less a margin: 16 px where that fits on all sides, else what fits.
    The side is the longer one of the box and two margins, so that the hole is not in the middle.
    """
    height, width = grey.shape
    rows, columns = np.nonzero(grey == 255)
    if not len(rows):
        return None
    top, bottom, left, right = int(rows.min()), int(rows.max()), int(columns.min()), int(columns.max())
    side = max(right - left, bottom - top) + 1
    room = min(left, top, height - bottom, width - right)
    margin = MARGIN_PX if room >= MARGIN_PX else max(0, room)
    return Crop(left - margin, top - margin, side + 2 * margin)


def hole_cells(grey: Grey) -> Mask:
    """Return the cells of the features that count as hole, bool (64, 64): those whose bicubic mean is exactly 255."""
    from PIL import Image

    cells: Mask = np.asarray(Image.fromarray(grey).resize((sam.CELLS, sam.CELLS))) == 255
    return cells


def remove(features: NDArray[np.float32], cells: Mask) -> float | None:
    """Return the cosine between the mean feature of the hole's cells and that of all others: higher is better.

    ``features`` are float32 (C, 64, 64), ``cells`` bool (64, 64). It is None where no cell is hole, or none is not.
    """
    if not cells.any() or cells.all():
        return None
    inside, outside = (features[:, part].astype(np.float64).mean(axis=1) for part in (cells, ~cells))
    return float(inside @ outside / (np.linalg.norm(inside) * np.linalg.norm(outside)))


class ReMOVE:
    """ReMOVE of every frame, of the whole of it or of a square around the hole."""

    def __init__(self, info: MetricInfo, backbone: Backbone, cropped: bool) -> None:
        self.info = info
        self.resources = backbone.resources
        self._backbone = backbone
        self._cropped = cropped

    def measure(self, frames: Frames, case: Case) -> Mapping[str, Series]:
        """Return one value per frame in the region ``hole``."""
        return {"hole": Series.of([self._value(*pair) for pair in zip(frames, case.holes, strict=True)])}

    def seconds_per_frame(self) -> float | None:
        """Return how long a frame takes on a CPU, measured on one; None elsewhere."""
        blank = np.zeros((sam.SIDE_PX, sam.SIDE_PX, 3), np.uint8)
        return self._backbone.seconds(lambda: sam.encoded(self._backbone, blank))

    def _value(self, frame: Frame, hole: Mask) -> float | None:
        grey = hole.astype(np.uint8) * 255
        if self._cropped:
            crop = crop_around(grey)
            if crop is None:
                return None
            frame, grey = np.ascontiguousarray(crop.cut(frame)), crop.cut(grey)
        cells = hole_cells(grey)
        return remove(sam.features(self._backbone, frame), cells) if cells.any() else None


def whole(weights: str | None = None, device: str = "cpu") -> ReMOVE:
    """ReMOVE of the whole frame: cosine of SAM's mean features in the hole and outside it.

    ``weights`` is the file of SAM's ViT-H; see ``vibench.metrics.networks.pretrained.load``, also for errors.
    """
    return _remove("remove-sam", "ReMOVE", "whole frame", False, weights, device)


def cropped(weights: str | None = None, device: str = "cpu") -> ReMOVE:
    """ReMOVE with --crop: the same in a square around the hole.

    ``weights`` is the file of SAM's ViT-H; see ``vibench.metrics.networks.pretrained.load``, also for errors.
    """
    return _remove("remove-sam-crop", "ReMOVE, crop", "with --crop", True, weights, device)


def _remove(name: str, title: str, how: str, crop: bool, weights: str | None, device: str) -> ReMOVE:
    backbone = load(sam.HUGE, weights, device)
    info = backbone.info(
        name,
        title,
        f"Chandrasekar et al. 2024, chandrasekaraditya/ReMOVE main.py, {how}; every frame, long side 1024 px",
    )
    return ReMOVE(info, backbone, crop)
