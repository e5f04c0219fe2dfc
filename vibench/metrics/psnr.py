"""PSNR, the peak signal-to-noise ratio: how far pixels are from the truth, in decibels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vibench.clip import Case, Frame, Frames, Mask, as_mask, as_pair
from vibench.metric import MetricInfo, Series, seen_alike, truth_of

PEAK = 255.0
PERFECT_DB = 100.0
"""The value of a perfect frame, and the most that any frame can reach. Infinity would have no mean over frames."""


def psnr(frame: Frame, truth: Frame, region: Mask | None = None) -> float | None:
    """Return ``10 log10(255² / MSE)`` of two frames, uint8 (H, W, 3), in decibels: from 0 to 100, higher is better.

    The squared error is averaged over all channels of the pixels in ``region``, bool (H, W), or of the whole frame
    where that is None. An empty region gives None. Below 100 dB the number equals that of
    ``skimage.metrics.peak_signal_noise_ratio(data_range=255)``. Other dtypes and shapes raise InputError.
    """
    frame, truth = as_pair(frame, truth)
    region = None if region is None else as_mask(region, frame, "region")
    difference = frame.astype(np.int32) - truth.astype(np.int32)
    inside = difference if region is None else difference[region]
    if not inside.size:
        return None
    error = float(np.mean(np.square(inside)))
    return PERFECT_DB if error == 0 else min(PERFECT_DB, 10 * float(np.log10(PEAK**2 / error)))


class PSNR:
    """PSNR of every frame, over the whole frame, over its hole alone, and over what should have been left alone."""

    info = MetricInfo(
        name="psnr",
        title="PSNR",
        unit="dB",
        better="higher",
        source="peak 255 on the uint8 composite; mean over frames; a perfect frame counts 100 dB",
    )

    def measure(self, frames: Frames, case: Case) -> Mapping[str, Series]:
        """Return one value per frame in the regions ``frame`` (all pixels), and those of ``seen_alike``."""
        truth = truth_of(case)
        found = {"frame": Series.of([psnr(frame, true) for frame, true in zip(frames, truth, strict=True)])}
        for clip, regions in seen_alike(frames, case):
            for region, masks in regions.items():
                found[region] = Series.of([psnr(*triple) for triple in zip(clip, truth, masks, strict=True)])
        return found
