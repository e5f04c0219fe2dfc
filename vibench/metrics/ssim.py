"""The structural similarity map that both SSIM metrics average, each over a window of its own.

Source: Wang, Bovik, Sheikh and Simoncelli, Image Quality Assessment: From Error Visibility to Structural Similarity,
IEEE TIP 2004, equations 6 and 13, with K1 = 0.01, K2 = 0.03 and L = 255.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vibench.clip import Frame, as_frame, as_pair
from vibench.errors import InputError

Image = NDArray[np.float64]
Smooth = Callable[[Image], Image]
"""A function that gives, for a float64 (H, W) image, the weighted mean over a window around each pixel.

The result has the size of the image, and the weights sum to 1.
"""

C1 = (0.01 * 255) ** 2
C2 = (0.03 * 255) ** 2


def ssim_map(frame: Frame, truth: Frame, smooth: Smooth, covariance_factor: float = 1.0) -> Image:
    """Return the similarity of two frames, uint8 (H, W, 3), at every pixel and channel: float64 (H, W, 3) in -1..1.

    ``smooth`` is the window. ``covariance_factor`` turns the variances and covariances of a population into those of a
    sample; for a window of n equally weighted pixels it is n / (n - 1). Frames of other dtypes or shapes raise
    InputError.
    """
    frame, truth = as_pair(frame, truth)
    # One channel at a time: its planes stay in the processor's cache, which makes this twice as fast.
    channels = zip(np.moveaxis(frame, -1, 0), np.moveaxis(truth, -1, 0), strict=True)
    return np.dstack([channel_map(ours, true, smooth, covariance_factor) for ours, true in channels])


def channel_map(
    frame: NDArray[np.generic], truth: NDArray[np.generic], smooth: Smooth, covariance_factor: float = 1.0
) -> Image:
    """Return the similarity of one channel, two arrays (H, W) of any real dtype in 0..255; see ``ssim_map``."""
    x, y = frame.astype(np.float64, order="C"), truth.astype(np.float64, order="C")
    mean_x, mean_y = smooth(x), smooth(y)
    means_product = mean_x * mean_y
    means_squared = mean_x * mean_x + mean_y * mean_y
    # Only the sum of the two variances enters, so one pass of the window serves both.
    variances = covariance_factor * (smooth(x * x + y * y) - means_squared)
    covariance = covariance_factor * (smooth(x * y) - means_product)
    similar: Image = (2 * means_product + C1) * (2 * covariance + C2) / ((means_squared + C1) * (variances + C2))
    return similar


def check_size(frame: Frame, window_px: int, name: str) -> None:
    """Raise InputError where no window of ``window_px`` x ``window_px`` fits into ``frame``, uint8 (H, W, 3)."""
    height, width = as_frame(frame).shape[:2]
    if min(height, width) < window_px:
        raise InputError(f"{name} has a window of {window_px}x{window_px} px; frames of {width}x{height} are smaller")
