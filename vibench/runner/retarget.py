"""Retargeting (VINet paper, section 4.5): a video squeezed without squeezing the object in it.

The background behind the object is filled by a method, the filled frames are squeezed along one axis, and the object is
pasted back in its own proportions where the squeezed one would have been.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from vibench.clip import Frame, Mask
from vibench.errors import InputError
from vibench.machine.processes import exit_on_termination
from vibench.media.beside import Say, unheard
from vibench.media.masks import MaskSource, open_masks
from vibench.media.pairing import fitting_masks
from vibench.plugins import Spec
from vibench.runner.around import whole
from vibench.runner.inpaint import (
    check_memory,
    filled,
    filling,
    open_rewritten,
    open_to_fill,
    pairs_of,
    refuse_input_as_output,
)

Axis = Literal["width", "height"]
FEATHER_PX = 1.0
"""Standard deviation of the pasted object's edge: a hard one is seen to crawl."""


def retarget(
    video: str | Path,
    mask: str | Path,
    method: str | Spec,
    output: str | Path,
    *,
    factor: float,
    axis: Axis = "width",
    device: str = "auto",
    dilation_iterations: int = 4,
    mask_threshold: int | None = None,
    sound: bool = True,
    time_limit_seconds: float | None = None,
    in_process: bool = False,
    python: str = "",
    say: Say = unheard,
    progress: Callable[[int | None], Callable[[], None]] | None = None,
) -> int:
    """Write ``video`` squeezed to ``factor`` (0.1 to 1) of its width or height; return the number of frames.

    ``mask`` marks the object that keeps its shape; its surroundings of ``dilation_iterations`` pixels are filled with
    it. Times, sound, limits, ``mask_threshold``, ``in_process``, ``python``, ``say`` and memory are as in ``inpaint``.
    Raises InputError where files do not fit together or the object does not fit into the squeezed frame, and
    MethodFailed where the method fails.
    """
    if not 0.1 <= factor <= 1:
        raise InputError(f"the factor is {factor}; it must be from 0.1 to 1")
    if axis not in ("width", "height"):
        raise InputError(f"the axis is {axis!r}; it is width or height")
    video, mask, output = Path(video), Path(mask), Path(output)
    source = open_to_fill(video, say)
    refuse_input_as_output(output, video, mask)
    masks = fitting_masks(source, open_masks(mask, source.height, source.width, mask_threshold), say)
    height, width = _squeezed_size(source.height, source.width, factor, axis)
    if _largest_extent(masks, axis) > (width if axis == "width" else height):
        raise InputError(f"the object of {mask} is wider than the squeezed frame of {width}x{height}; squeeze less")
    with (
        exit_on_termination(),
        open_rewritten(output, height, width, source, video if sound else None, say) as writer,
        filling(method, device, in_process, python) as host,
    ):
        view = whole(source)
        check_memory(host, view, say)
        advance = progress(source.frames) if progress else lambda: None
        pairs, count = pairs_of(source.timed(), masks, dilation_iterations), 0
        for behind, (timed, thing, _) in filled(host, pairs, view, time_limit_seconds):
            squeezed = np.asarray(cv2.resize(behind, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
            writer.write(pasted(squeezed, timed.frame, thing), timed.begins, timed.lasts)
            count += 1
            advance()
    return count


def pasted(canvas: Frame, frame: Frame, thing: Mask) -> Frame:
    """``canvas`` with the object of ``frame`` in its own size.

    The object's centre keeps its relative place, and all of it stays inside.
    """
    if not thing.any():
        return canvas
    (top, left), (bottom, right) = (extreme(np.argwhere(thing), axis=0) for extreme in (np.min, np.max))
    offset = []
    for low, high, before, after in zip((top, left), (bottom, right), thing.shape, canvas.shape[:2], strict=True):
        centre = (low + high) / 2
        offset.append(int(np.clip(round(centre * after / before - centre), -low, after - 1 - high)))
    shift = np.array([[1, 0, offset[1]], [0, 1, offset[0]]], np.float64)
    size = (canvas.shape[1], canvas.shape[0])
    colours = cv2.warpAffine(frame, shift, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    share = cv2.warpAffine(thing.astype(np.float32), shift, size, flags=cv2.INTER_NEAREST)
    share = np.minimum(share, np.asarray(cv2.GaussianBlur(share, (0, 0), FEATHER_PX)) * 2 - 1).clip(0, 1)[..., None]
    mixed: Frame = (share * colours + (1 - share) * canvas + 0.5).astype(np.uint8)
    return mixed


def _squeezed_size(height: int, width: int, factor: float, axis: Axis) -> tuple[int, int]:
    """Height and width in pixels, even, as most video formats want it."""
    if axis == "width":
        return height, max(2, 2 * round(width * factor / 2))
    return max(2, 2 * round(height * factor / 2)), width


def _largest_extent(objects: MaskSource, axis: Axis) -> int:
    """Pixels from the first to the last column (or row) of the object in the frame where it is largest."""
    largest = 0
    for mask in objects:
        lines = np.flatnonzero(mask.any(axis=0 if axis == "width" else 1))
        largest = max(largest, int(np.ptp(lines)) + 1 if len(lines) else 0)
        if objects.still:
            break
    return largest
