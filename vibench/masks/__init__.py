"""Mask generators: ``(frames, height, width, seed, **options) -> bool (T, H, W)``, True = hole.

Every size is a fraction of the frame's shorter side, and every speed a fraction of it per frame, so that one setting
means the same at 16 px and at 1080p. No frame is ever empty or full. The same arguments give the same bits on every
machine: random numbers come only from ``random.Random(seed).random()``, whose sequence Python promises to keep; numbers
from the C library's cosine are rounded at once to steps much larger than the differences between libraries; and shapes
are rasterised in integers. ``tests/masks/test_masks.py`` holds the hashes of the masks.
"""

from vibench.masks.silhouettes import devil_blob, moving_object
from vibench.masks.squares import moving_square, stationary_square
from vibench.masks.strokes import free_form
from vibench.masks.sttn import sttn_moving, sttn_stationary

__all__ = [
    "devil_blob",
    "free_form",
    "moving_object",
    "moving_square",
    "stationary_square",
    "sttn_moving",
    "sttn_stationary",
]
