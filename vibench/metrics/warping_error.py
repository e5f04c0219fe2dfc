"""Flow warping error: how much a clip changes from frame to frame beyond what its motion explains.

Source: Lai et al., Learning Blind Video Temporal Consistency, ECCV 2018, section 4.1. With the flow of the truth the
numbers equal those of the authors' ``evaluate_WarpError.py``. With the flow of the output itself no truth is needed,
but an output that stands still, is blurred or breaks the flow estimate looks steady. Look at the pictures too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from vibench.clip import Case, Frames, Masks, as_frames
from vibench.errors import InputError
from vibench.metric import MetricInfo, Need, Series, truth_of
from vibench.metrics.flow import sources as flow_sources
from vibench.metrics.flow.motion import Motion, known_motion, motion_of, warp

FindMotion = Callable[[Frames, Case], Motion]
"""A function that gives the motion by which the output frames of a case are warped."""

FindHole = Callable[[Masks, Motion], Masks]
"""A function from the holes, bool (T, H, W), to the pixels that region ``hole`` counts, bool (T - 1, H, W)."""


def squared(difference: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the square of differences of colours in 0..1; the mean of it is Lai et al.'s error."""
    return np.square(difference)


def grey_levels(difference: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the absolute difference of colours in 0..1, on the scale 0..255."""
    return np.abs(difference) * 255


def warped_differences(
    frames: Frames,
    motion: Motion,
    regions: Sequence[Masks | None] = (None,),
    cost: Callable[[NDArray[np.float32]], NDArray[np.float32]] = squared,
) -> list[list[float | None]]:
    """Return, for each region, one value per pair: the mean ``cost`` of frame t + 1 warped back minus frame t.

    ``frames`` are uint8 (T, H, W, 3) with at least two frames, and ``motion`` is how they move. The mean is over RGB
    and over the pixels of frame t that are visible in frame t + 1. A region, bool (T - 1, H, W) or longer, keeps those
    of them that lie in it; None keeps all. A value is None where no pixel is left. With the default cost, values are
    from 0 to 1, and lower is better. Frames of other dtypes or shapes raise InputError.
    """
    frames = as_frames(frames)
    if len(frames) < 2 or motion.visible.shape != (len(frames) - 1, *frames.shape[1:3]):
        raise InputError(
            f"frames are {frames.shape} and the motion is of {motion.visible.shape}; pass T - 1 flows of T frames"
        )
    means: list[list[float | None]] = [[] for _ in regions]
    for index, difference in enumerate(_warped_minus_here(frames, motion)):
        for region, found in zip(regions, means, strict=True):
            counted = motion.visible[index] if region is None else motion.visible[index] & region[index]
            costs = cost(difference[counted])
            found.append(float(costs.mean(dtype=np.float64)) if costs.size else None)
    return means


def _warped_minus_here(frames: Frames, motion: Motion) -> Iterator[NDArray[np.float32]]:
    """Yield, for each pair, frame t + 1 warped back minus frame t: float32 (H, W, 3) in -1..1."""
    here = frames[0].astype(np.float32) / 255
    for frame, flow in zip(frames[1:], motion.forward, strict=True):
        after = frame.astype(np.float32) / 255
        yield warp(after, flow) - here
        here = after


def begins_in_hole(holes: Masks, _: Motion) -> Masks:
    """Return the pixels of frame t that lie in its hole."""
    return holes[:-1]


def touches_hole(holes: Masks, motion: Motion) -> Masks:
    """Return DEVIL's region: pixels whose flow begins in the hole of frame t or ends in or beside that of frame t + 1.

    A flow ends beside a hole where bilinear interpolation gives a pixel of the hole any weight.
    """
    after = [
        warp(hole[..., None].astype(np.float32), flow)[..., 0]
        for hole, flow in zip(holes[1:], motion.forward, strict=True)
    ]
    return holes[:-1] | (np.stack(after) > 0)


class WarpedDifference:
    """Mean ``cost`` between neighbouring frames after their motion is undone; see ``warped_differences``."""

    def __init__(
        self,
        info: MetricInfo,
        motion: FindMotion,
        hole: FindHole = begins_in_hole,
        cost: Callable[[NDArray[np.float32]], NDArray[np.float32]] = squared,
        resources: Mapping[str, str] | None = None,
    ) -> None:
        self.info = info
        self.resources = dict(resources or {})
        self._motion, self._hole, self._cost = motion, hole, cost

    def measure(self, frames: Frames, case: Case) -> Mapping[str, Series]:
        """Return one value per pair of frames in ``frame``, ``hole`` and, where it is known, ``effect``.

        A single frame raises InputError.
        """
        motion = self._motion(frames, case)
        regions: dict[str, Masks | None] = {"frame": None, "hole": self._hole(case.holes, motion)}
        if case.effect is not None:
            regions["effect"] = self._hole(case.effect, motion)
        found = warped_differences(frames, motion, list(regions.values()), self._cost)
        return {region: Series.of(values) for region, values in zip(regions, found, strict=True)}


def exact() -> WarpedDifference:
    """Warping error with the known motion of a synthetic clip."""
    return WarpedDifference(_info("exact", "the clip's exact flow", EXACT), exact_motion)


def dis() -> WarpedDifference:
    """Warping error with OpenCV's DIS flow of the truth."""
    return WarpedDifference(
        _info("dis", f"flow of the truth by {flow_sources.dis().identity}"), _of_truth(flow_sources.dis())
    )


def raft(device: str = "cpu") -> WarpedDifference:
    """Warping error with torchvision's RAFT flow of the truth.

    Raises MissingResource where its weights can neither be found nor downloaded.
    """
    source = flow_sources.raft(device)
    return _of_network("raft", source)


def gmflow(device: str = "cpu") -> WarpedDifference:
    """Warping error with GMFlow's flow of the truth.

    Raises MissingResource where the package with its weights is not installed.
    """
    source = flow_sources.gmflow(device)
    return _of_network("gmflow", source)


def devil_exact() -> WarpedDifference:
    """Warping error with the known motion of a synthetic clip, its hole counted as DEVIL does."""
    return WarpedDifference(_info("devil-exact", f"the clip's exact flow; {DEVIL}", EXACT), exact_motion, touches_hole)


def devil_dis() -> WarpedDifference:
    """Warping error with OpenCV's DIS flow of the truth, its hole counted as DEVIL does."""
    source = flow_sources.dis()
    info = _info("devil-dis", f"flow of the truth by {source.identity}; {DEVIL}")
    return WarpedDifference(info, _of_truth(source), touches_hole)


def own_dis() -> WarpedDifference:
    """Warping error with OpenCV's DIS flow of the output itself, for cases without truth."""
    source = flow_sources.dis()
    info = _info("own-dis", f"flow of the output by {source.identity}", frozenset())
    return WarpedDifference(info, lambda frames, _: source.motion(frames))


def flicker_dis() -> WarpedDifference:
    """Mean absolute difference of neighbouring frames after DIS flow of the output undoes their motion."""
    source = flow_sources.dis()
    info = MetricInfo(
        name="flicker-dis",
        title="flicker (DIS)",
        unit="grey levels",
        better="lower",
        has_floor=True,
        needs=frozenset(),
        source="ours: mean absolute difference of frame t + 1 warped back and t; "
        f"flow of the output by {source.identity}",
    )
    return WarpedDifference(info, lambda frames, _: source.motion(frames), cost=grey_levels)


TRUTH: frozenset[Need] = frozenset({"truth"})
EXACT: frozenset[Need] = frozenset({"truth", "exact-flow"})
DEVIL = "hole: flow begins or ends in it (MichiganCOG/video-inpainting-evaluation, warp_error_mask)"


def exact_motion(_: Frames, case: Case) -> Motion:
    """Return the known motion of the case's truth.

    Where the flow is known both ways, Lai et al.'s rule says what is visible; elsewhere the known occlusions do. A
    clip of one frame raises InputError.
    """
    if case.flow is None:
        raise ValueError(f"case {case.name} has no exact flow, and the metric needs it")
    if len(case.flow.forward) == 0:
        raise InputError("the clip has one frame; warping error needs at least two")
    if case.flow.backward is not None:
        return motion_of(case.flow.forward, case.flow.backward)
    if case.flow.visible is None:
        raise ValueError(f"case {case.name} has neither backward flow nor occlusions")
    return known_motion(case.flow.forward, case.flow.visible)


def _of_network(name: str, source: flow_sources.FlowSource) -> WarpedDifference:
    info = _info(name, f"flow of the truth by {source.identity}")
    return WarpedDifference(info, _of_truth(source), resources=source.resources)


def _of_truth(source: flow_sources.FlowSource) -> FindMotion:
    return lambda _, case: source.motion(truth_of(case))


def _info(flow: str, how: str, needs: frozenset[Need] = TRUTH) -> MetricInfo:
    return MetricInfo(
        name=f"warping-error-{flow}",
        title=f"warping error ({flow})",
        unit="",
        better="lower",
        has_floor=True,
        needs=needs,
        source=f"Lai et al. 2018: MSE in [0, 1] over visible pixels, mean over pairs; {how}",
    )
