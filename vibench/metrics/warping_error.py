"""Flow warping error: how much a clip changes from frame to frame beyond what its motion explains.

Source: Lai et al., Learning Blind Video Temporal Consistency, ECCV 2018, section 4.1, with the flow of the truth. Reaches
the digits of the authors' ``evaluate_WarpError.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from vibench.clip import Case, Frames, Masks
from vibench.errors import InputError
from vibench.flow import Motion, motion_of, warp
from vibench.flow_sources import FlowSource
from vibench.flow_sources import dis as dis_source
from vibench.flow_sources import raft as raft_source
from vibench.metric import MetricInfo, Need, Series, truth_of


def warping_errors(frames: Frames, motion: Motion, regions: Masks | None = None) -> list[float | None]:
    """Per pair, MSE in [0, 1] between frame t and frame t + 1 warped back, over the visible pixels of frame t.

    ``regions`` (T, H, W) or (T - 1, H, W) narrows them further; None where no pixel is left.
    """
    errors: list[float | None] = []
    for index, (flow, visible) in enumerate(zip(*motion, strict=True)):
        counted = visible if regions is None else visible & regions[index]
        here, after = (frame.astype(np.float32) / 255 for frame in frames[index : index + 2])
        squared = np.square(warp(after, flow) - here)[counted]
        errors.append(float(squared.mean(dtype=np.float64)) if squared.size else None)
    return errors


class WarpingError:
    """Warping error with the motion that ``motion`` finds for a case; it is found once for all methods of a case."""

    def __init__(self, info: MetricInfo, motion: Callable[[Case], Motion]) -> None:
        self.info = info
        self._find = motion
        self._last: tuple[str, Motion] | None = None

    def measure(self, frames: Frames, case: Case) -> Mapping[str, Series]:
        """Regions ``frame`` and ``hole`` (pixels of frame t in its hole), one value per pair of frames."""
        motion = self._motion(case)
        return {
            "frame": Series.of(warping_errors(frames, motion)),
            "hole": Series.of(warping_errors(frames, motion, case.holes)),
        }

    def _motion(self, case: Case) -> Motion:
        if self._last is None or self._last[0] != case.truth_digest:
            self._last = None  # frees the last case's flow before this one's is made
            self._last = case.truth_digest, self._find(case)
        return self._last[1]


def exact() -> WarpingError:
    """With the known motion of a synthetic clip."""
    return WarpingError(_info("exact", "the clip's exact flow", frozenset({"truth", "exact-flow"})), _exact_motion)


def dis() -> WarpingError:
    """With OpenCV's DIS flow of the truth."""
    return _estimated("dis", dis_source())


def raft(device: str = "cpu") -> WarpingError:
    """With torchvision's RAFT flow of the truth; MissingResource where its weights cannot be had."""
    return _estimated("raft", raft_source(device))


def _estimated(name: str, source: FlowSource) -> WarpingError:
    info = _info(name, f"flow of the truth by {source.identity}", frozenset({"truth"}))
    return WarpingError(info, lambda case: source.motion(truth_of(case)))


def _exact_motion(case: Case) -> Motion:
    if case.flow is None:
        raise ValueError(f"case {case.name} has no exact flow, and the metric needs it")
    if len(case.flow.forward) == 0:
        raise InputError("the clip has one frame; warping error needs at least two")
    return motion_of(case.flow.forward, case.flow.backward)


def _info(flow: str, how: str, needs: frozenset[Need]) -> MetricInfo:
    return MetricInfo(
        name=f"warping-error-{flow}",
        title=f"warping error ({flow})",
        unit="",
        better="lower",
        has_floor=True,
        needs=needs,
        source=f"Lai et al. 2018: MSE in [0, 1] over visible pixels, mean over pairs; {how}",
    )
