"""MAWE: how much a clip changes beyond its motion, divided by how much it moves.

Source: Henschel et al., StreamingT2V, CVPR 2025, and its code (Picsart-AI-Research/StreamingT2V, branch
StreamingModelscope, ``mawe.py``; its README names OpenRAIL-M). Flow of the output by RAFT carries each pixel forward
to the nearest whole place; what it is there is compared with what was carried. Dividing by the motion rewards clips
that move; one that stands still divides by about 0.

It is not the warping error of Lai et al. that ``warping-error-*`` are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from vibench.clip import Case, Flows, Frame, Frames, Mask, as_frames
from vibench.errors import InputError
from vibench.metric import MetricInfo, Series
from vibench.metrics.flow import sources as flow_sources
from vibench.metrics.flow.motion import Flow

SIDE_PX = 720
MOTION_WEIGHT = 9.5


def squared_up(frames: Frames) -> Frames:
    """Return frames, uint8 (T, H, W, 3), at 720 x 720 px, bilinear without smoothing, so that the aspect is lost."""
    pictures = torch.from_numpy(np.ascontiguousarray(as_frames(frames))).permute(0, 3, 1, 2)
    larger = [
        torch.nn.functional.interpolate(one[None].float(), (SIDE_PX, SIDE_PX), mode="bilinear", align_corners=False)
        for one in pictures
    ]
    return torch.cat(larger).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()


def carried(frame: Frame, flow: Flow) -> tuple[Frame, Mask]:
    """Return a frame, uint8 (H, W, 3), carried along its flow, (H, W, 2), and which places are known, bool (H, W).

    Each pixel lands on the nearest whole place, halves on the even one; of several that land on one, the last in
    row-major order stays; places on which none lands are 0 and not known.
    """
    height, width = frame.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    x, y = (np.rint(place + flow[..., axis]).astype(np.int64) for axis, place in enumerate((columns, rows)))
    lands = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    target = (y * width + x)[lands]
    # The last of equal targets, told by its place from the end, since numpy promises no order for assignments.
    places, last = np.unique(target[::-1], return_index=True)
    there, known = np.zeros((height * width, 3), np.uint8), np.zeros(height * width, np.bool_)
    there[places] = frame[lands][::-1][last]
    known[places] = True
    return there.reshape(frame.shape), known.reshape(height, width)


def warp_error(frame: Frame, following: Frame, flow: Flow) -> float | None:
    """Return the mean squared difference, in 0..255², of the next frame and this one carried to it.

    The mean is over RGB and over the known places; it is None where there are none.
    """
    there, known = carried(frame, flow)
    difference = following[known].astype(np.float64) - there[known]
    return float(np.square(difference).mean()) if difference.size else None


def mawe(frames: Frames, flows: Flows | Sequence[Flow]) -> list[float | None]:
    """Return the value of each pair of frames, uint8 (T, H, W, 3), with the flow (H, W, 2) from one to the next, in px.

    It is the warp error divided by 9.5 times the mean length of the flow: from 0, lower is better. MAWE is the mean.
    A value is None where nothing moves, or no place is known.
    """
    values: list[float | None] = []
    for frame, following, flow in zip(frames[:-1], frames[1:], flows, strict=True):
        error = warp_error(frame, following, flow)
        motion = float(np.linalg.norm(flow.astype(np.float64), axis=-1).mean())
        values.append(None if error is None or motion == 0 else error / (MOTION_WEIGHT * motion))
    return values


class MAWE:
    """Motion-aware warp error of every pair of frames, with RAFT's flow of the output at 720 x 720 px."""

    def __init__(self, info: MetricInfo, source: flow_sources.FlowSource) -> None:
        self.info = info
        self.resources = source.resources
        self._source = source

    def measure(self, frames: Frames, case: Case) -> Mapping[str, Series]:
        """Return one value per pair in the region ``frame``; a single frame raises InputError."""
        if len(frames) < 2:
            raise InputError("the clip has one frame; mawe compares neighbours and needs at least two")
        larger = squared_up(frames)
        return {"frame": Series.of(mawe(larger, self._source.forward(larger)))}


def raft(device: str = "cpu") -> MAWE:
    """MAWE of StreamingT2V: warp error over motion, by RAFT's flow of the output at 720 x 720 px.

    Raises MissingResource where RAFT's weights (21 MB, BSD-3) can neither be found nor downloaded.
    """
    source = flow_sources.raft(device)
    info = MetricInfo(
        name="mawe",
        title="MAWE",
        unit="",
        better="lower",
        has_floor=True,
        needs=frozenset(),
        source="Henschel et al. 2025, Picsart-AI-Research/StreamingT2V mawe.py: warp error / (9.5 mean motion) at "
        f"720 x 720 px; flow of the output by {source.identity}; every frame",
    )
    return MAWE(info, source)
