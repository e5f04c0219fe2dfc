"""VBench's measures of steadiness that are plain arithmetic: temporal flickering, and consistency of given features.

Source: Huang et al., VBench, CVPR 2024, and its code (Vchitect/VBench, Apache-2.0, ``temporal_flickering.py``,
``subject_consistency.py``, ``background_consistency.py``).

Temporal flickering is meant for clips without motion, since it takes every change for flicker: a camera that moves
loses, and a clip that stands still is perfect. Read it beside the truth's own value.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vibench.clip import Case, Frames, as_frames
from vibench.errors import InputError
from vibench.metric import MetricInfo, Series


def steadiness(frames: Frames) -> list[float]:
    """Return ``(255 - mean |difference|) / 255`` of neighbouring frames: T - 1 values from 0 to 1, higher is steadier.

    ``frames`` are uint8 (T, H, W, 3). The mean of the values is VBench's temporal flickering. One frame raises
    InputError.
    """
    frames = as_frames(frames)
    if len(frames) < 2:
        raise InputError("the clip has one frame; temporal flickering compares neighbours and needs at least two")
    return [(255 - float(np.abs(b.astype(np.int16) - a).mean(dtype=np.float64))) / 255 for a, b in pairwise(frames)]


def consistency(features: NDArray[np.floating]) -> list[float]:
    """Return how alike each frame's feature is to those of the frame before and of the first: T - 1 values in 0..1.

    ``features`` are (T, D), one vector a frame. A value is the mean of the two cosines, of which those below 0 count
    as 0. VBench's number of a clip is the mean; its number of a set is the mean over all frames of all clips, but with
    several GPUs the subject's is the mean over clips.
    """
    unit = features.astype(np.float64) / np.linalg.norm(features.astype(np.float64), axis=1, keepdims=True)
    to_previous = np.maximum(0, np.sum(unit[1:] * unit[:-1], axis=1))
    to_first = np.maximum(0, unit[1:] @ unit[0])
    return [float(value) for value in (to_previous + to_first) / 2]


class TemporalFlickering:
    """One minus the mean absolute change from frame to frame, in 0..1; motion is not undone."""

    info = MetricInfo(
        name="vbench-temporal-flickering",
        title="temporal flickering (VBench)",
        unit="",
        better="higher",
        has_floor=True,
        needs=frozenset(),
        source="Huang et al. 2024, Vchitect/VBench temporal_flickering.py: (255 - mean |change|) / 255; every frame",
    )

    def measure(self, frames: Frames, case: Case) -> Mapping[str, Series]:
        """Return one value per pair of neighbours in the region ``frame``."""
        return {"frame": Series.of(steadiness(frames))}
