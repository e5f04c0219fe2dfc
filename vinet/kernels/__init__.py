"""The operations that run compiled loops on a CPU, behind one switch.

The network calls `warp`, `cost_volume` and `evidence` and does not see how they are computed: by loops that numba
compiles where `usable` allows them, and by PyTorch's own operators everywhere else. `WinogradConv2d`, the layer that
the published network gets on a CPU, asks `usable` too. Modules of this package that import numba are imported at the
first use.
"""

from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from vinet.kernels import plain
from vinet.kernels.plain import CANDIDATES, RANGE_PX, beside_each

__all__ = ["CANDIDATES", "RANGE_PX", "beside_each", "cost_volume", "evidence", "usable", "warp"]

HAS_NUMBA = find_spec("numba") is not None

WIDE = 64
"""Channels from which a compiled warp, which reads whole pixels, beats `grid_sample`; it also leaves a better
layout."""


def usable(*maps: Tensor) -> bool:
    """The switch: True where all maps are float32 on a CPU, no gradient is recorded and nothing is being traced.

    Without numba it is off, and PyTorch's operators compute the same more slowly, in another order of rounding.
    """
    suitable = all(plane.device.type == "cpu" and plane.dtype == torch.float32 for plane in maps)
    return suitable and HAS_NUMBA and not torch.is_grad_enabled() and not torch.compiler.is_compiling()


def warp(image: Tensor, flow: Tensor, *, clamp: bool = False) -> Tensor:
    """Sample an image bilinearly where its flow points.

    Args:
        image: maps (B, C, H, W).
        flow: (B, 2, H, W) in pixels; output (x, y) is the image at (x + flow[0], y + flow[1]).
        clamp: outside the image lies its border's value instead of 0.

    Returns:
        (B, C, H, W).
    """
    if image.shape[1] >= WIDE and usable(image, flow):
        from vinet.kernels import compiled

        return compiled.warp(image, flow, clamp)
    return plain.warp(image, flow, clamp)


def cost_volume(reference: Tensor, source: Tensor) -> Tensor:
    """Match every pixel of the reference with the 9x9 pixels around its place in the source.

    Channel (dy + 4) * 9 + (dx + 4) is the mean over channels of reference(y, x) * source(y + dy, x + dx), and 0 where
    that lies outside. Takes two (B, C, H, W), returns (B, 81, H, W).
    """
    dtype = torch.promote_types(reference.dtype, source.dtype)  # they may differ under autocast
    if reference.device.type == "cpu" and dtype == torch.bfloat16:
        dtype = torch.float32  # compiled loops take nothing else
    volume: Tensor = _CostVolume.apply(reference.to(dtype), source.to(dtype))
    return volume


class _CostVolume(torch.autograd.Function):
    """A backward pass by hand, because autograd would build 81 padded gradients of the source."""

    @staticmethod
    def forward(context: Any, reference: Tensor, source: Tensor) -> Tensor:
        context.save_for_backward(reference, source)
        if usable(reference, source):
            from vinet.kernels import compiled

            return compiled.cost_volume(reference, source)
        return plain.cost_volume(reference, source)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        reference, source = context.saved_tensors
        return plain.cost_volume_gradients(reference, source, gradient)


def evidence(reference: Tensor, source: Tensor, start: Tensor | None = None) -> Tensor:
    """Put together what a flow head looks at.

    Args:
        reference: maps (B, C, H, W).
        source: maps of the S sources of each reference, (B * S, C, H, W), warped by `start` where there is one.
        start: the flow that the head improves, (B * S, 2, H, W) in pixels.

    Returns:
        (B * S, C + 81 [+ 2], H, W): the reference, its cost volume with the source and `start`.
    """
    if usable(reference, source):
        from vinet.kernels import compiled

        return compiled.evidence(reference, source, start)
    reference = beside_each(reference, len(source) // len(reference))
    parts = [reference, cost_volume(reference, source)]
    return torch.cat(parts if start is None else [*parts, start], dim=1)
