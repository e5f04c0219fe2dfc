"""SSIM as STTN, FuseFormer, E2FGVI and ProPainter publish it: a uniform window of 65x65 px.

Source: ``core/metrics.py`` of MCG-NKU/E2FGVI, which calls scikit-image with ``win_size=65``.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from vibench.clip import Case, Frame, Frames, Mask, as_mask
from vibench.metric import MetricInfo, Series, kept_alike, truth_of
from vibench.metrics.ssim import Image, check_size, ssim_map

WINDOW_PX = 65
SAMPLE_COVARIANCE = WINDOW_PX**2 / (WINDOW_PX**2 - 1)


def ssim_sttn(frame: Frame, truth: Frame, region: Mask | None = None) -> float | None:
    """Return the mean structural similarity of two frames, uint8 (H, W, 3): from -1 to 1, higher is better.

    It equals ``skimage.metrics.structural_similarity(win_size=65, data_range=255, channel_axis=2)``. The mean is over
    RGB and over the pixels whose 65x65 window lies inside the frame; with ``region``, bool (H, W), over those of them
    that lie in it. It is None where there are none. Frames of other dtypes or shapes, or frames smaller than the
    window, raise InputError.
    """
    check_size(frame, WINDOW_PX, "ssim-sttn")
    whole = slice(WINDOW_PX // 2, -(WINDOW_PX // 2))
    similar = ssim_map(frame, truth, _smooth, SAMPLE_COVARIANCE)[whole, whole]
    if region is not None:
        similar = similar[as_mask(region, frame, "region")[whole, whole]]
    return float(similar.mean()) if similar.size else None


class SSIMSttn:
    """SSIM of every whole frame with a window of 65 px, as STTN, E2FGVI and ProPainter publish it."""

    info = MetricInfo(
        name="ssim-sttn",
        title="SSIM (65 px window)",
        unit="",
        better="higher",
        source="MCG-NKU/E2FGVI core/metrics.py: uniform 65x65 window, sample covariance, range 255, mean over RGB",
    )

    def measure(self, frames: Frames, case: Case) -> Mapping[str, Series]:
        """Return one value per frame in the region ``frame`` and those of ``case.kept``; see ``ssim_sttn``."""
        truth = truth_of(case)
        found = {"frame": Series.of([ssim_sttn(frame, true) for frame, true in zip(frames, truth, strict=True)])}
        for region, clip, masks in kept_alike(frames, case):
            found[region] = Series.of([ssim_sttn(*triple) for triple in zip(clip, truth, masks, strict=True)])
        return found


def _smooth(image: Image) -> Image:
    # Sums of whole numbers are exact in float64, so running sums lose nothing against summing each window anew.
    sums = cv2.boxFilter(image, cv2.CV_64F, (WINDOW_PX, WINDOW_PX), normalize=False)
    return np.asarray(sums) / WINDOW_PX**2
