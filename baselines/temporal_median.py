"""The median over time of what is visible at each place: right where the camera stands still."""

from __future__ import annotations

import cv2
import numpy as np

from vibench.clip import Frames, Holed
from vibench.errors import InputError


class TemporalMedian:
    """Take each hole pixel's median over the frames that show its place; what none shows, Telea's method fills.

    ``window`` looks only that many frames back and ahead; 0 looks at the whole clip. Time and memory grow with the
    number of hole places times the frames looked at.
    """

    def __init__(self, window: int = 0) -> None:
        if not isinstance(window, int) or window < 0:
            raise InputError(f"temporal_median: window is {window!r}; it must be a whole number of frames, 0 or more")
        self.window = window
        self.knows = f"{window} frames around" if window else "whole clip"

    def __call__(self, holed: Holed) -> Frames:
        """Fill all frames, each from the others."""
        filled = holed.frames.copy()
        never_seen = holed.masks.copy()
        for t in range(len(filled)):
            first, last = (max(0, t - self.window), t + self.window + 1) if self.window else (0, len(filled))
            y, x = np.nonzero(holed.masks[t])
            visible = ~holed.masks[first:last, y, x]
            seen = visible.any(axis=0)
            y, x, visible = y[seen], x[seen], visible[:, seen]
            filled[t, y, x] = _median(holed.frames[first:last, y, x], visible)
            never_seen[t, y, x] = False
        for frame, mask in zip(filled, never_seen, strict=True):
            if mask.any():
                frame[:] = cv2.inpaint(frame, mask.astype(np.uint8), 3.0, cv2.INPAINT_TELEA)
        return filled


def _median(values: Frames, visible: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Frames:
    """Lower median over axis 0 of ``values`` (T, N, 3) where ``visible`` (T, N); each column sees at least one."""
    # Hidden values sort behind all others, so the middle of the visible ones is at half their count.
    ordered = np.sort(np.where(visible[..., None], values.astype(np.uint16), 256), axis=0)
    middle = (visible.sum(axis=0) - 1) // 2
    medians: Frames = ordered[middle, np.arange(len(middle))].astype(np.uint8)
    return medians
