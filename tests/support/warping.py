"""Pictures sampled where a flow points to, by scipy: an oracle for exact motion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def warped(image: NDArray[np.generic], flow: NDArray[np.float32]) -> NDArray[np.float64]:
    """``image`` (H, W, C) sampled bilinearly where ``flow`` (H, W, 2) points to."""
    y, x = np.mgrid[0 : flow.shape[0], 0 : flow.shape[1]].astype(np.float64)
    places = [y + flow[..., 1], x + flow[..., 0]]
    planes = [
        ndimage.map_coordinates(plane.astype(np.float64), places, order=1, mode="nearest")
        for plane in np.moveaxis(image, -1, 0)
    ]
    return np.stack(planes, axis=-1)
