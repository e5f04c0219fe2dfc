"""SSIM as STTN, FuseFormer, E2FGVI and ProPainter publish it: a uniform window of 65x65 px."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from vibench.clip import Case, Frame, Frames
from vibench.metric import MetricInfo, Series, truth_of
from vibench.metrics.ssim import Image, check_size, ssim_map

WINDOW_PX = 65
SAMPLE_COVARIANCE = WINDOW_PX**2 / (WINDOW_PX**2 - 1)


def ssim_sttn(frame: Frame, truth: Frame) -> float:
    """``structural_similarity(win_size=65, data_range=255, channel_axis=2)`` of scikit-image for two uint8 frames.

    The mean is over the channels and over the pixels whose whole window lies inside the frame.
    """
    margin = WINDOW_PX // 2
    similar = ssim_map(frame, truth, _smooth, SAMPLE_COVARIANCE)
    return float(similar[margin:-margin, margin:-margin].mean())


class SSIMSttn:
    """SSIM of every frame, whole frames only: the number of this family has no other region."""

    info = MetricInfo(
        name="ssim-sttn",
        title="SSIM (65 px window)",
        unit="",
        better="higher",
        source="MCG-NKU/E2FGVI core/metrics.py: uniform 65x65 window, sample covariance, range 255, mean over RGB",
    )

    def measure(self, frames: Frames, case: Case) -> Mapping[str, Series]:
        """Region ``frame``, one value per frame; InputError where frames are smaller than the window."""
        check_size(frames, WINDOW_PX, self.info.name)
        pairs = zip(frames, truth_of(case), strict=True)
        return {"frame": Series.of([ssim_sttn(frame, truth) for frame, truth in pairs])}


def _smooth(image: Image) -> Image:
    # Sums of whole numbers are exact in float64, so running sums lose nothing against summing each window anew.
    sums = cv2.boxFilter(image, cv2.CV_64F, (WINDOW_PX, WINDOW_PX), normalize=False)
    return np.asarray(sums) / WINDOW_PX**2
