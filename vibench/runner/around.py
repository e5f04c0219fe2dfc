"""What of a large frame a method gets: a crop around the holes, so that a video costs what its holes cost."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vibench.errors import InputError
from vibench.masks.raster import bounds
from vibench.media.frames import FrameSource
from vibench.media.masks import MaskSource

LARGE_PX = 640 * 360
"""Frames of no more pixels are given whole: they cost little, and what is far away may show what a hole hides."""
MARGIN_PX = 64
"""At least so much is seen around the holes."""
MOST_SHARE = 0.5
"""A crop with a larger share of the frame's pixels is not worth what it hides."""


class View(NamedTuple):
    """The part of every frame that a method gets, and of how many frames (None: that is not known)."""

    frames: int | None
    rows: slice
    columns: slice

    @property
    def height(self) -> int:
        """Pixels."""
        return int(self.rows.stop - self.rows.start)

    @property
    def width(self) -> int:
        """Pixels."""
        return int(self.columns.stop - self.columns.start)

    @property
    def place(self) -> tuple[slice, slice]:
        """Rows and columns, as an index of a frame or a mask."""
        return self.rows, self.columns


def whole(source: FrameSource) -> View:
    """All of every frame."""
    return View(source.frames, slice(0, source.height), slice(0, source.width))


def around(source: FrameSource, masks: MaskSource, grown_px: int = 0) -> View:
    """The place of all holes with a margin, or all of the frame where it is small or the crop would not be.

    The margin is the largest side of a hole in one frame, at least ``MARGIN_PX``, beside the ``grown_px`` by which
    holes are dilated: what moves uncovers what it hid within about its own size. One place holds for all frames, since
    methods follow pixels from frame to frame, so a hole that crosses the picture keeps it whole. The masks are read
    once more. Raises InputError where they mark nothing.
    """
    view = whole(source)
    if source.height * source.width <= LARGE_PX:
        return view
    boxes = _boxes(masks)
    if not len(boxes):
        raise InputError(f"the mask {masks.path} marks no pixel in any frame that is filled; white (not 0) is the hole")
    (top, left), (bottom, right) = boxes[:, :2].min(0), boxes[:, 2:].max(0)
    margin = grown_px + max(MARGIN_PX, int((boxes[:, 2:] - boxes[:, :2]).max()))
    rows = slice(max(0, int(top) - margin), min(source.height, int(bottom) + margin))
    columns = slice(max(0, int(left) - margin), min(source.width, int(right) + margin))
    cropped = View(source.frames, rows, columns)
    return cropped if cropped.height * cropped.width <= MOST_SHARE * source.height * source.width else view


def _boxes(masks: MaskSource) -> NDArray[np.int64]:
    """Top, left, bottom, right of what each mask marks, int64 (N, 4), for those that mark something."""
    found = []
    for mask in masks:
        if (place := bounds(mask)) is not None:
            rows, columns = place
            found.append((rows.start, columns.start, rows.stop, columns.stop))
        if masks.still:
            break
    return np.array(found, np.int64).reshape(-1, 4)
