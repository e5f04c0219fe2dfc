"""A mask generator: one upright bar."""

import numpy as np

from vibench.clip import Masks
from vibench.errors import InputError


def bar(frames: int, height: int, width: int, seed: int, *, width_px: int = 8) -> Masks:
    """A bar at a place that the seed chooses, the same in every frame."""
    if width_px >= width:
        raise InputError(f"a bar of {width_px} px leaves nothing of a frame of {width}")
    masks = np.zeros((frames, height, width), bool)
    start = seed % (width - width_px)
    masks[:, :, start : start + width_px] = True
    return masks
