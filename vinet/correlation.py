"""The cost volume: how well each pixel of the reference matches the pixels around it in a source."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

RANGE_PX = 4
SIDE = 2 * RANGE_PX + 1
CANDIDATES = SIDE * SIDE


def displacements(like: Tensor) -> Tensor:
    """(81, 2): the displacement (dx, dy) in pixels behind each channel of a cost volume, on the device of `like`."""
    steps = torch.arange(-RANGE_PX, RANGE_PX + 1, device=like.device, dtype=like.dtype)
    dy, dx = torch.meshgrid(steps, steps, indexing="ij")
    return torch.stack([dx, dy], dim=-1).flatten(0, 1)


def cost_volume(reference: Tensor, source: Tensor) -> Tensor:
    """Mean over channels of reference(y, x) * source(y + dy, x + dx), 0 outside, for both displacements in -4..4.

    Takes two (B, C, H, W) and returns (B, 81, H, W), channel (dy + 4) * 9 + (dx + 4).
    """
    dtype = torch.promote_types(reference.dtype, source.dtype)  # they may differ under autocast
    volume: Tensor = _CostVolume.apply(reference.to(dtype), source.to(dtype))
    return volume


class _CostVolume(torch.autograd.Function):
    """81 products of shifted views; autograd through them would build 81 padded copies of the source's gradient."""

    @staticmethod
    def forward(context: Any, reference: Tensor, source: Tensor) -> Tensor:
        context.save_for_backward(reference, source)
        batch, channels, height, width = reference.shape
        padded = functional.pad(source, (RANGE_PX,) * 4)
        costs = reference.new_empty(batch, CANDIDATES, height, width)
        for channel in range(CANDIDATES):
            torch.sum(reference * _shifted(padded, channel, height, width), dim=1, out=costs[:, channel])
        return costs.div_(channels)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        reference, source = context.saved_tensors
        channels, height, width = reference.shape[1:]
        gradient = gradient / channels
        padded = functional.pad(source, (RANGE_PX,) * 4)
        to_reference, to_padded = torch.zeros_like(reference), torch.zeros_like(padded)
        for channel in range(CANDIDATES):
            weight = gradient[:, channel : channel + 1]
            to_reference.addcmul_(_shifted(padded, channel, height, width), weight)
            _shifted(to_padded, channel, height, width).addcmul_(reference, weight)
        return to_reference, to_padded[..., RANGE_PX:-RANGE_PX, RANGE_PX:-RANGE_PX]


def _shifted(padded: Tensor, channel: int, height: int, width: int) -> Tensor:
    top, left = divmod(channel, SIDE)
    return padded[:, :, top : top + height, left : left + width]
