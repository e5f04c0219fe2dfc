"""Seam: how visible the border of the hole is in the output. No truth is needed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vibench.clip import Case, Frame, Frames, Mask, as_frame, as_mask
from vibench.metric import MetricInfo, Series


def seam(frame: Frame, hole: Mask) -> float | None:
    """Return by how many grey levels neighbours across the hole's border differ more than the pairs beside them do.

    ``frame`` is uint8 (H, W, 3) and ``hole`` bool (H, W). A pair is two pixels that touch in a row or a column, and
    its difference is the mean absolute one over RGB. The pairs beside a pair across the border lie on its line, one
    pixel further in and one further out. The result is the mean over pairs across the border minus the mean over pairs
    beside it: from -255 to 255, near 0 where no border shows, lower is better. It is None where no border lies within
    the frame. Other dtypes and shapes raise InputError. The measure is our own.
    """
    frame = as_frame(frame)
    hole = as_mask(hole, frame)
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
    """How visible the hole's border is in every frame: the step across it minus the steps beside it."""

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
        """Return one value per frame in the region ``hole``."""
        return {"hole": Series.of([seam(frame, hole) for frame, hole in zip(frames, case.holes, strict=True)])}
