"""A mask generator: one upright stripe."""

import numpy as np


def stripe(frames: int, height: int, width: int, seed: int, *, width_px: int = 8) -> np.ndarray:
    """A stripe at a place that the seed chooses, the same in every frame."""
    masks = np.zeros((frames, height, width), bool)
    start = seed % (width - width_px)
    masks[:, :, start : start + width_px] = True
    return masks
