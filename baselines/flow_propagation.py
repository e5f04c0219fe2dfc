"""Follow each missing pixel along optical flow to the frame that shows it: the strongest classical baseline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import cv2
import numpy as np

from vibench.clip import Frame, Frames, Holed, Mask
from vibench.errors import InputError
from vibench.method import Window, windows
from vinet.propagation import filled_frame, followed, smooth_grey

OVERLAP = 8
"""So many frames on either side does a window see of its neighbours."""
WINDOW_BYTES = 640 * 2**20
"""What the arrays of a window may take; 432x240 has room for some 900 frames, 1280x720 for 85, with a hole of 6 %."""


class FlowPropagation:
    """Follow optical flow to the nearest frames, earlier and later, that show a pixel, and blend what they show.

    How pixels are followed: ``vinet.propagation``. What neither direction finds, Telea fills.

    A clip that is too long for the memory of ``WINDOW_BYTES`` is filled in windows, each of which sees ``OVERLAP``
    frames of its neighbours; ``window`` is the number of frames in one, 0 for as many as there is room for.
    """

    knows = "whole clip"

    def __init__(self, passes: int = 2, window: int = 0) -> None:
        if not isinstance(passes, int) or not 1 <= passes <= 10:
            raise InputError(f"flow_propagation: passes is {passes!r}; it must be a whole number from 1 to 10")
        if not isinstance(window, int) or (window != 0 and window < 4 * OVERLAP):
            raise InputError(f"flow_propagation: window is {window!r}; it must be 0 or {4 * OVERLAP} frames or more")
        self.passes, self.window = passes, window

    def describe(self) -> Mapping[str, Any]:
        """What memory a window takes."""
        return {"window_bytes": WINDOW_BYTES, "bytes_per_pixel": 6}

    def __call__(self, holed: Holed) -> Frames:
        """Fill all frames, each from the others in its window."""
        filled = np.empty_like(holed.frames)
        for t, frame in enumerate(self.stream_windows(holed.frames, holed.masks)):
            filled[t] = frame
        return filled

    def stream_windows(self, frames: Iterable[Frame], masks: Iterable[Mask]) -> Iterator[Frame]:
        """Fill window after window, so that frames come in bursts."""
        for window in windows(
            frames, masks, overlap=OVERLAP, most_frames=self.window, most_bytes=WINDOW_BYTES, bytes_of=_bytes
        ):
            yield from _filled_window(window, self.passes)


def _bytes(mask: Mask) -> int:
    """What a frame takes in a window: itself, its holes, grey and grown mask 6 a pixel; two origins 32 a hole pixel."""
    return 6 * mask.size + 32 * int(np.count_nonzero(mask))


def _filled_window(window: Window, passes: int) -> Iterator[Frame]:
    frames, masks = window.frames, window.masks
    grey = [smooth_grey(frame, mask) for frame, mask in zip(frames, masks, strict=True)]
    for left in range(passes - 1, -1, -1):
        past, future = followed(masks, grey)
        for t in range(len(frames)) if left else range(window.begin, window.end):
            filled = filled_frame(frames, masks[t], past[t], future[t], t)
            if not left:
                yield filled
                continue
            # A smooth patch that moves with its hole drags the flow around it along; a filled hole drags it much less.
            grey[t] = np.asarray(cv2.cvtColor(filled, cv2.COLOR_RGB2GRAY), np.uint8)
