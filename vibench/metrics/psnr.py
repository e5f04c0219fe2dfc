"""PSNR: how far pixels are from the truth, in decibels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vibench.clip import Case, Frame, Frames, Mask
from vibench.metric import MetricInfo, Series, truth_of

PEAK = 255.0
PERFECT_DB = 100.0
"""What a perfect frame counts, and the most that any frame can reach: infinity has no mean."""


def psnr(frame: Frame, truth: Frame, region: Mask | None = None) -> float | None:
    """``10 log10(255² / MSE)`` of two uint8 (H, W, 3) frames, at most 100 dB.

    The error is averaged over all channels of the pixels in ``region`` (bool (H, W); default the whole frame); None
    where the region is empty. Equal to ``skimage.metrics.peak_signal_noise_ratio(data_range=255)`` below 100 dB.
    """
    difference = frame.astype(np.int32) - truth.astype(np.int32)
    inside = difference if region is None else difference[region]
    if not inside.size:
        return None
    error = float(np.mean(np.square(inside)))
    return PERFECT_DB if error == 0 else min(PERFECT_DB, 10 * float(np.log10(PEAK**2 / error)))


class PSNR:
    """PSNR of every frame, over all of it and over its hole alone."""

    info = MetricInfo(
        name="psnr",
        title="PSNR",
        unit="dB",
        better="higher",
        source="peak 255 on the uint8 composite; mean over frames; a perfect frame counts 100 dB",
    )

    def measure(self, frames: Frames, case: Case) -> Mapping[str, Series]:
        """Regions ``frame`` and ``hole`` (error over hole pixels only), one value per frame."""
        truth = truth_of(case)
        triples = list(zip(frames, truth, case.holes, strict=True))
        return {
            "frame": Series.of([psnr(frame, true) for frame, true, _ in triples]),
            "hole": Series.of([psnr(frame, true, hole) for frame, true, hole in triples]),
        }
