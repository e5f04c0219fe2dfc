"""SSIM with the 11x11 Gaussian window of its authors.

Source: Wang, Bovik, Sheikh and Simoncelli, Image Quality Assessment: From Error Visibility to Structural Similarity,
IEEE TIP 2004. Equal to piq and to scikit-image with ``gaussian_weights``; torchmetrics pads the frames and differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from vibench.clip import Case, Frame, Frames, Mask, as_mask
from vibench.metric import MetricInfo, Series, seen_alike, truth_of
from vibench.metrics.ssim import Image, check_size, ssim_map

Pixel = TypeVar("Pixel", bound=np.generic)

RADIUS_PX = 5
WEIGHTS = cv2.getGaussianKernel(2 * RADIUS_PX + 1, 1.5, cv2.CV_64F)


def ssim_gaussian(frame: Frame, truth: Frame, region: Mask | None = None) -> float | None:
    """Return the mean structural similarity of two frames, uint8 (H, W, 3): from -1 to 1, higher is better.

    The mean is over RGB and over the pixels whose 11x11 window lies inside the frame; with ``region``, bool (H, W),
    over those of them that lie in it. It is None where there are none. Frames of other dtypes or shapes, or frames
    smaller than the window, raise InputError.
    """
    similar = similarity(frame, truth)
    return float(similar.mean()) if region is None else _mean_inside(similar, valid(as_mask(region, frame, "region")))


def similarity(frame: Frame, truth: Frame) -> Image:
    """Return the map whose mean is SSIM, float64 (H - 10, W - 10, 3): one value per pixel with a whole window."""
    check_size(frame, 2 * RADIUS_PX + 1, "ssim-gaussian")
    return valid(ssim_map(frame, truth, smooth))


def smooth(image: Image) -> Image:
    """Return the Gaussian mean of standard deviation 1.5 px over 11x11 px of a float64 (H, W) image, in its size."""
    return np.asarray(cv2.sepFilter2D(image, cv2.CV_64F, WEIGHTS, WEIGHTS))


def valid(picture: NDArray[Pixel]) -> NDArray[Pixel]:
    """Return the pixels of a picture (H, W, ...) whose whole window lies inside it."""
    return picture[RADIUS_PX:-RADIUS_PX, RADIUS_PX:-RADIUS_PX]


class SSIMGaussian:
    """SSIM of every frame with the Gaussian window of its authors, as piq and scikit-image compute it."""

    info = MetricInfo(
        name="ssim-gaussian",
        title="SSIM (Gaussian)",
        unit="",
        better="higher",
        source="Wang et al. 2004: 11x11 Gaussian 1.5, range 255, mean over RGB and over pixels with a whole window",
    )

    def measure(self, frames: Frames, case: Case) -> Mapping[str, Series]:
        """Return one value per frame in the regions ``frame`` (all pixels), and those of ``seen_alike``."""
        found: dict[str, list[float | None]] = {"frame": []}
        for clip, regions in seen_alike(frames, case):
            for index, (frame, truth) in enumerate(zip(clip, truth_of(case), strict=True)):
                similar = similarity(frame, truth)
                if clip is frames:
                    found["frame"].append(float(similar.mean()))
                for region, masks in regions.items():
                    found.setdefault(region, []).append(_mean_inside(similar, valid(masks[index])))
        return {region: Series.of(values) for region, values in found.items()}


def _mean_inside(similar: Image, hole: Mask) -> float | None:
    return float(similar[hole].mean()) if hole.any() else None
