"""Optical flow as the temporal metrics use it: backward warping and what of it can be trusted.

Source: Lai et al., Learning Blind Video Temporal Consistency, ECCV 2018, section 3.1 of the supplement; occlusion after
Ruder, Dosovitskiy and Brox, Artistic Style Transfer for Videos, GCPR 2016, equations 5 to 7. Equal to the first
authors' code (``evaluate_WarpError.py``, ``detect_occlusion``).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from vibench.clip import Flows, Mask, Masks

Flow = NDArray[np.float32]
"""(H, W, 2): (u, v) in pixels, right and down."""

Picture = NDArray[np.float32]
"""(H, W, C) of any range."""


class Motion(NamedTuple):
    """How a clip of T frames moves: forward flow (T - 1, H, W, 2), and which pixels of frame t are seen in t + 1."""

    forward: Flows
    visible: Masks


def warp(picture: Picture, flow: Flow) -> Picture:
    """Fetch ``picture`` at ``x + flow(x)``, bilinearly; places outside it give its nearest border pixel.

    With the flow from frame t to t + 1 this brings frame t + 1 back to frame t.
    """
    height, width = flow.shape[:2]
    displacement = torch.from_numpy(np.ascontiguousarray(flow, np.float32))
    across = 2 * (displacement[..., 0] + torch.arange(width)) / max(width - 1, 1) - 1
    down = 2 * (displacement[..., 1] + torch.arange(height)[:, None]) / max(height - 1, 1) - 1
    # cv2.remap rounds places to 1/32 px, which moves pixels over the threshold of `occluded`.
    fetched = torch.nn.functional.grid_sample(
        torch.from_numpy(np.ascontiguousarray(picture, np.float32)).permute(2, 0, 1)[None],
        torch.stack([across, down], dim=-1)[None],
        padding_mode="border",
        align_corners=True,
    )
    warped: Picture = fetched[0].permute(1, 2, 0).numpy()
    return warped


def occluded(forward: Flow, backward: Flow) -> Mask:
    """Pixels of the first frame that the second does not show, or that lie on a motion boundary; bool (H, W).

    ``forward`` is w_f, from the first frame to the second; w_b' is ``backward`` warped to the first frame by w_f. A
    pixel counts where ``|w_b' + w_f|² > 0.01 (|w_b'|² + |w_f|²) + 0.5`` or ``|∇u|² + |∇v|² > 0.01 |w_f|² + 0.002``.
    """
    returned = warp(backward, forward)
    length = _squared_length(forward)
    inconsistent = _squared_length(returned + forward) > 0.01 * (_squared_length(returned) + length) + 0.5
    return np.asarray(inconsistent | on_boundary(forward))


def on_boundary(flow: Flow) -> Mask:
    """Pixels where the motion itself has an edge, ``|∇u|² + |∇v|² > 0.01 |w|² + 0.002``; bool (H, W)."""
    return np.asarray(_squared_gradient(flow) > 0.01 * _squared_length(flow) + 0.002)


def motion_of(forward: Flows, backward: Flows) -> Motion:
    """Flow in both directions (T - 1, H, W, 2) -> forward flow and the pixels on which it can be trusted."""
    visible = [~occluded(there, back) for there, back in zip(forward, backward, strict=True)]
    return Motion(forward, np.stack(visible))


def known_motion(forward: Flows, visible: Masks) -> Motion:
    """Forward flow (T - 1, H, W, 2) with known occlusions: trusted where visible and not on a motion boundary."""
    return Motion(forward, visible & ~np.stack([on_boundary(flow) for flow in forward]))


def _squared_length(flow: Flow) -> NDArray[np.float32]:
    return np.asarray(np.square(flow).sum(axis=-1))


def _squared_gradient(flow: Flow) -> NDArray[np.float32]:
    """Squared forward differences of both components in both directions; none beyond the last row and column."""
    total = np.zeros(flow.shape[:2], np.float32)
    total[:, :-1] += _squared_length(flow[:, 1:] - flow[:, :-1])
    total[:-1] += _squared_length(flow[1:] - flow[:-1])
    return total
