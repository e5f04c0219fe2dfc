"""Seam: how visible the border of the hole is in the output. Needs no truth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vibench.clip import Case, Frame, Frames, Mask
from vibench.metric import MetricInfo, Series


def seam(frame: Frame, hole: Mask) -> float | None:
    """By how many grey levels neighbours across the hole's border differ more than the pairs next to them.

    Pairs are horizontal and vertical; the pairs next to one across the border lie one pixel further in and further out on
    its line. Mean absolute difference over RGB. Near 0 where nothing shows; None where no border lies within the frame.
    """
    across, beside = np.empty(0), np.empty(0)
    picture = frame.astype(np.float64)
    for pixels, inside in ((picture, hole), (picture.swapaxes(0, 1), hole.T)):
        steps = np.abs(np.diff(pixels, axis=0)).mean(axis=-1)
        border = inside[1:] != inside[:-1]
        near = np.zeros_like(border)
        near[1:] |= border[:-1]
        near[:-1] |= border[1:]
        across = np.append(across, steps[border])
        beside = np.append(beside, steps[near & ~border])
    return float(across.mean() - beside.mean()) if across.size and beside.size else None


class Seam:
    """Excess step across the hole's border in every frame."""

    info = MetricInfo(
        name="seam",
        title="seam",
        unit="grey levels",
        better="lower",
        has_floor=True,
        needs=frozenset(),
        source="ours: mean step between neighbours across the hole's border minus that of the pairs beside them",
    )

    def measure(self, frames: Frames, case: Case) -> Mapping[str, Series]:
        """Region ``hole``, one value per frame."""
        return {"hole": Series.of([seam(frame, hole) for frame, hole in zip(frames, case.holes, strict=True)])}
