"""The nearest moment in time at which a place was visible: right where the camera stands still."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vibench.clip import Frame, Frames, Holed, Mask, Masks
from vibench.errors import InputError
from vibench.method import windows

OVERLAP = 24
"""So many frames on either side does a window see of its neighbours."""
WINDOW_BYTES = 640 * 2**20
"""What the arrays of a window may take; 432x240 has room for some 1500 frames, 1280x720 for 170, with a hole of 6 %."""
NEVER = np.iinfo(np.int32).max // 2


class LastSeen:
    """Take each hole pixel from the nearest frame in which that place is visible, or else from Telea's method.

    Of two equally near frames the earlier one is taken. One pass forth and one back over the clip, or, where it is too
    long for the memory of ``WINDOW_BYTES``, over windows that see ``OVERLAP`` frames of their neighbours; ``window`` is
    the number of frames in one, 0 for as many as there is room for.
    """

    knows = "whole clip"

    def __init__(self, window: int = 0) -> None:
        if not isinstance(window, int) or (window != 0 and window < 4 * OVERLAP):
            raise InputError(f"last_seen: window is {window!r}; it must be 0 or {4 * OVERLAP} frames or more")
        self.window = window

    def describe(self) -> Mapping[str, Any]:
        """What memory a window takes."""
        return {"window_bytes": WINDOW_BYTES, "bytes_per_pixel": 4}

    def __call__(self, holed: Holed) -> Frames:
        """Fill all frames, each from the nearest others in its window."""
        filled = np.empty_like(holed.frames)
        for t, frame in enumerate(self.stream_windows(holed.frames, holed.masks)):
            filled[t] = frame
        return filled

    def stream_windows(self, frames: Iterable[Frame], masks: Iterable[Mask]) -> Iterator[Frame]:
        """Fill window after window, so that frames come in bursts."""
        for window in windows(
            frames, masks, overlap=OVERLAP, most_frames=self.window, most_bytes=WINDOW_BYTES, bytes_of=_bytes
        ):
            order = range(len(window.frames))
            earlier, later = _last(window.masks, order), _last(window.masks, order[::-1])
            for t in range(window.begin, window.end):
                yield _filled(window.frames, window.masks[t], earlier[t], later[t], t)


def _bytes(mask: Mask) -> int:
    """What a frame takes in a window: itself and its holes 4 a pixel, two moments 8 a hole pixel."""
    return 4 * mask.size + 8 * int(np.count_nonzero(mask))


def _last(masks: Masks, order: range) -> list[NDArray[np.int32]]:
    """For each frame's hole pixels (N,) the frame that showed their place last, walking in ``order``, or NEVER."""
    last = np.full(masks.shape[1:], NEVER, np.int32)
    found: dict[int, NDArray[np.int32]] = {}
    for t in order:
        last[~masks[t]] = t
        found[t] = last[masks[t]]
    return [found[t] for t in range(len(masks))]


def _filled(frames: Frames, mask: Mask, earlier: NDArray[np.int32], later: NDArray[np.int32], t: int) -> Frame:
    filled: Frame = frames[t].copy()
    nearest = np.where(abs(t - earlier) <= abs(later - t), earlier, later)
    known = nearest < NEVER
    y, x = np.nonzero(mask)
    filled[y[known], x[known]] = frames[nearest[known], y[known], x[known]]
    rest = mask.copy()
    rest[y[known], x[known]] = False
    if rest.any():
        filled[rest] = 0
        filled[:] = cv2.inpaint(filled, rest.astype(np.uint8), 3.0, cv2.INPAINT_TELEA)
    return filled
