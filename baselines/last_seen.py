"""The nearest moment in time at which a place was visible: right where the camera stands still."""

from __future__ import annotations

import cv2
import numpy as np

from vibench.clip import Frames, Holed


class LastSeen:
    """Take each hole pixel from the nearest frame in which that place is visible, or else from Telea's method.

    Of two equally near frames the earlier one is taken. One pass forth and one back over the clip.
    """

    def __call__(self, holed: Holed) -> Frames:
        """Fill all frames, each from the nearest others."""
        count = len(holed.frames)
        moments = np.arange(count)[:, None, None]
        seen = np.where(holed.masks, -1, moments)
        earlier = np.maximum.accumulate(seen, axis=0)
        later = np.minimum.accumulate(np.where(holed.masks, 2 * count, moments)[::-1], axis=0)[::-1]
        take_earlier = (earlier >= 0) & ((later >= count) | (moments - earlier <= later - moments))
        nearest = np.where(take_earlier, earlier, later)
        known = nearest < count
        y, x = np.mgrid[: holed.masks.shape[1], : holed.masks.shape[2]]
        filled: Frames = holed.frames[np.minimum(nearest, count - 1), y, x]
        for frame, mask in zip(filled, ~known, strict=True):
            if mask.any():
                frame[mask] = 0
                frame[:] = cv2.inpaint(frame, mask.astype(np.uint8), 3.0, cv2.INPAINT_TELEA)
        return filled
