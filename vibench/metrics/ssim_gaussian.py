"""SSIM with the 11x11 Gaussian window of its authors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from vibench.clip import Case, Frames, Mask
from vibench.metric import MetricInfo, Series, truth_of
from vibench.metrics.ssim import Image, check_size, ssim_map

Pixel = TypeVar("Pixel", bound=np.generic)

RADIUS_PX = 5
WEIGHTS = cv2.getGaussianKernel(2 * RADIUS_PX + 1, 1.5, cv2.CV_64F)


def smooth(image: Image) -> Image:
    """Gaussian mean of standard deviation 1.5 px over 11x11 px, float64 (H, W), of the same size."""
    return np.asarray(cv2.sepFilter2D(image, cv2.CV_64F, WEIGHTS, WEIGHTS))


def valid(picture: NDArray[Pixel]) -> NDArray[Pixel]:
    """The pixels whose whole window lies inside the picture (H, W, ...)."""
    return picture[RADIUS_PX:-RADIUS_PX, RADIUS_PX:-RADIUS_PX]


class SSIMGaussian:
    """SSIM of every frame; equals piq and scikit-image (``gaussian_weights``), not torchmetrics, which pads."""

    info = MetricInfo(
        name="ssim-gaussian",
        title="SSIM (Gaussian)",
        unit="",
        better="higher",
        source="Wang et al. 2004: 11x11 Gaussian 1.5, range 255, mean over RGB and over pixels with a whole window",
    )

    def measure(self, frames: Frames, case: Case) -> Mapping[str, Series]:
        """Region ``frame``: mean of the map over pixels with a whole window; ``hole``: over those of them in the hole."""
        check_size(frames, 2 * RADIUS_PX + 1, self.info.name)
        whole, inside = [], []
        for frame, truth, hole in zip(frames, truth_of(case), case.holes, strict=True):
            similar = valid(ssim_map(frame, truth, smooth))
            whole.append(float(similar.mean()))
            inside.append(_mean_inside(similar, valid(hole)))
        return {"frame": Series.of(whole), "hole": Series.of(inside)}


def _mean_inside(similar: Image, hole: Mask) -> float | None:
    return float(similar[hole].mean()) if hole.any() else None
