"""Resizing frames and masks by named filters, and dilating masks.

Clips of 432x240 px are different data under each filter, so that the protocol names the one to use, and nothing else
resizes. The filters and the papers whose decision they reproduce:

* ``area``: OpenCV's INTER_AREA where the clip shrinks on both sides (each output pixel is the exact mean of the input
  area under it: antialiased, no ringing, no new values outside the range), its bicubic where a side grows. Ours.
* ``pillow-bicubic``: Pillow's antialiased bicubic; the decision of STTN and E2FGVI (``Image.resize``'s default).
* ``opencv-bilinear``: OpenCV's INTER_LINEAR, which aliases when shrinking; the decision of ProPainter.
* ``pillow-lanczos``, ``pillow-bilinear``, ``pillow-box``: Pillow's antialiased filters, for other papers.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image

from vibench.clip import Frame, Frames, Masks, check_frames
from vibench.errors import InputError

CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
"""The 3x3 cross by which the STTN family grows holes."""


def resize_frames(frames: Frames, width_px: int, height_px: int, filter: str) -> Frames:
    """Resize uint8 (T, H, W, 3) to ``height_px`` x ``width_px``; unchanged, whatever the filter, at that size already.

    ``filter`` is a key of ``FILTERS``. Raises InputError for an unknown filter or a size below 1.
    """
    check_frames(frames)
    if filter not in FILTERS:
        raise InputError(f"no resize filter is called {filter!r}; there are {', '.join(sorted(FILTERS))}")
    _check_size(width_px, height_px)
    if frames.shape[1:3] == (height_px, width_px):
        return frames
    return np.stack([FILTERS[filter](frame, width_px, height_px) for frame in frames])


def resize_masks(masks: Masks, width_px: int, height_px: int) -> Masks:
    """Resize bool (T, H, W) by the nearest pixel, as Pillow finds it, which keeps masks binary."""
    _check_size(width_px, height_px)
    if masks.shape[1:] == (height_px, width_px):
        return masks
    nearest = Image.Resampling.NEAREST
    pictures = (Image.fromarray(mask.astype(np.uint8)).resize((width_px, height_px), nearest) for mask in masks)
    return np.stack([np.asarray(picture) for picture in pictures]).astype(np.bool_)


def dilate(masks: Masks, iterations: int) -> Masks:
    """Grow the True region of bool (T, H, W) by a 3x3 cross, ``iterations`` times; outside the frame all is False.

    The evaluation code of STTN, E2FGVI and ProPainter does it four times to every hole. Negative ``iterations`` raise
    InputError.
    """
    if iterations < 0:
        raise InputError(f"a mask cannot be dilated {iterations} times; give 0 or more")
    if iterations == 0:
        return masks
    grown = [cv2.dilate(mask.astype(np.uint8), CROSS, iterations=iterations) for mask in masks]
    return np.stack(grown).astype(np.bool_)


def kept_regions(holes: Masks, margin_px: int = 0) -> dict[str, Masks]:
    """Return what a method should leave alone, bool (T, H, W) by the name of the region.

    ``kept`` is all outside the holes. With a margin there is also ``kept-Npx``, all outside the holes after they were
    dilated so many times.
    """
    margins = (0, margin_px) if margin_px else (0,)
    return {f"kept-{margin}px" if margin else "kept": ~dilate(holes, margin) for margin in margins}


def _check_size(width_px: int, height_px: int) -> None:
    if min(width_px, height_px) < 1:
        raise InputError(f"a clip cannot be resized to {width_px}x{height_px}; both sides must be at least 1 px")


def _pillow(resampling: Image.Resampling) -> Callable[[Frame, int, int], Frame]:
    def resize(frame: Frame, width_px: int, height_px: int) -> Frame:
        return np.asarray(Image.fromarray(frame).resize((width_px, height_px), resampling))

    return resize


def _opencv_bilinear(frame: Frame, width_px: int, height_px: int) -> Frame:
    return cv2.resize(frame, (width_px, height_px), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def _area(frame: Frame, width_px: int, height_px: int) -> Frame:
    shrinks = width_px <= frame.shape[1] and height_px <= frame.shape[0]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cv2.resize(frame, (width_px, height_px), interpolation=how).astype(np.uint8, copy=False)


FILTERS: dict[str, Callable[[Frame, int, int], Frame]] = {
    "area": _area,
    "opencv-bilinear": _opencv_bilinear,
    "pillow-bicubic": _pillow(Image.Resampling.BICUBIC),
    "pillow-bilinear": _pillow(Image.Resampling.BILINEAR),
    "pillow-box": _pillow(Image.Resampling.BOX),
    "pillow-lanczos": _pillow(Image.Resampling.LANCZOS),
}
