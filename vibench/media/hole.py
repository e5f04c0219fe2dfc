"""Which pixels of a picture that somebody made as a mask are the hole.

The colours that are shown decide, whatever container holds them: white is the hole and black is not. These pictures are
understood without a choice of the user's:

* two levels, of which one is 0 (0 and 1, 0 and 255): the other one is the hole;
* soft edges and the noise of JPEG and video codecs: levels from ``DEFAULT_THRESHOLD`` on are the hole, as long as what
  lies between black and white is the edge of something white;
* paint of any colour on black: a pixel is as bright as its brightest channel. In a palette image, which is how
  annotations of objects are kept, all that is not black is the hole.

Anything else (a photo, several grey labels, colours without black) is refused, unless a threshold is chosen.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from vibench.clip import Mask
from vibench.errors import InputError

Levels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

DEFAULT_THRESHOLD = 128
"""The lowest level of the hole, of 255, in a picture that has more than two levels."""

DARK, BRIGHT = 64, 192
"""Levels between these two are neither black nor white."""

MOST_BETWEEN = 0.3
"""A picture of which a larger share is neither black nor white is no mask with soft edges."""

NOISE_SHARE = 0.02
"""So much of a mask may be neither black nor white anywhere: codecs do it."""

_FLAT_PX = 16
_COLOUR_SPREAD = 48  # between the channels of one pixel; codecs give grey pixels less
_NOISE = 8


def levels_of_paint(picture: Levels, path: Path, lossy: bool, is_palette: bool = False) -> Levels:
    """Turn uint8 (H, W, 3) RGB into levels, uint8 (H, W): grey as it is, paint on black by its brightest channel.

    Raises InputError for colours without black. ``lossy`` says that a codec may have changed colours a little.
    """
    brightest: Levels = picture.max(axis=-1)
    spread = brightest - picture.min(axis=-1)
    coloured = np.count_nonzero(spread > (_COLOUR_SPREAD if lossy else 0))
    if coloured <= (spread.size // 1000 if lossy else 0):
        return brightest
    if not (brightest < DARK if lossy else brightest == 0).any():
        raise InputError(
            f"{path} is a coloured image; a mask is grey: 0 outside the hole, 255 inside, or paint on black"
        )
    return np.where(brightest > 0, 255, 0).astype(np.uint8) if is_palette else brightest


def hole_in(levels: Levels, path: Path, lossy: bool, threshold: int | None = None, peak: int = 255) -> Mask:
    """Turn levels, uint8 (H, W), into a mask, bool (H, W), True inside the hole.

    ``threshold`` is the lowest level of the hole, 1 to 255, where the user chose one. ``peak`` is the highest level in
    all masks of the clip. ``lossy`` says that a codec may have changed levels a little. ``path`` is for the error.
    Raises InputError where the picture is no mask.
    """
    if threshold is not None:
        return levels >= threshold
    if lossy and peak <= 1:
        return levels > 0  # a mask of 0 and 1
    found = np.flatnonzero(np.bincount(levels.ravel(), minlength=256))
    if not lossy and (len(found) == 1 or (len(found) == 2 and found[0] == 0)):
        return levels > 0
    if lossy and peak < DEFAULT_THRESHOLD:
        raise InputError(
            f"{path} is not a mask: its brightest level is {peak} of 255; white (255) is the hole, "
            "or choose its lowest level with --mask-threshold"
        )
    between = (levels >= DARK) & (levels < BRIGHT)
    share = float(between.mean())
    is_edge = share <= NOISE_SHARE or (share <= MOST_BETWEEN and _is_edge(levels, between))
    if lossy and not is_edge:
        raise InputError(
            f"{path} is not a mask: {share:.0%} of it is neither black nor white; "
            "choose the lowest level of the hole with --mask-threshold"
        )
    if not lossy and (not is_edge or len(found) == 2 or found[-1] < DEFAULT_THRESHOLD or _is_labels(levels)):
        raise InputError(
            f"{path} is not a binary mask: it holds {len(found)} values from {found[0]} to {found[-1]}; use 0 outside "
            "the hole and 255 inside, or choose the lowest value of the hole with --mask-threshold"
        )
    return levels >= DEFAULT_THRESHOLD


def _is_edge(levels: Levels, between: Mask) -> bool:
    """Whether nearly all that is between black and white lies near both of them."""
    reach = max(8, sum(levels.shape) // 40)
    square = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    near_white, near_black = (
        cv2.dilate(kind.astype(np.uint8), square) > 0 for kind in (levels >= BRIGHT, levels < DARK)
    )
    return float((near_white & near_black)[between].mean()) >= 1 - NOISE_SHARE


def _is_labels(levels: Levels) -> bool:
    """Whether some level between noise and white fills an area, as labels do and soft edges do not."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    flat = cv2.erode(levels, cross) == cv2.dilate(levels, cross)
    return int(np.count_nonzero(flat & (levels >= _NOISE) & (levels < BRIGHT))) > max(_FLAT_PX, levels.size // 1000)
