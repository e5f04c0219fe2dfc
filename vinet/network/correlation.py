"""The cost volume: how well each pixel of the reference matches the pixels around it in a source."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vinet.kernels.threads import channels_last, fit_for_kernels, in_rows

RANGE_PX = 4
SIDE = 2 * RANGE_PX + 1
CANDIDATES = SIDE * SIDE
BLOCK = 16
"""Reference pixels to one matrix product: wider ones compute more that nobody wants, narrower ones are all overhead."""


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
    if reference.device.type == "cpu" and dtype == torch.bfloat16:
        dtype = torch.float32  # which compiled loops take
    volume: Tensor = _CostVolume.apply(reference.to(dtype), source.to(dtype))
    return volume


def compiled_evidence(
    reference: Tensor, source: Tensor, start: Tensor | None = None, *, beside_reference: bool = True
) -> Tensor:
    """Reference (B, C, H, W) beside its costs to each of its sources (B * S, C, H, W), and `start` (B * S, 2, H, W): written once."""
    from vinet.kernels.loops import correlate  # numba takes its time, and not everything needs it

    here, there = channels_last(reference), channels_last(source)
    offset = here.shape[3] if beside_reference else 0
    more = 0 if start is None else start.shape[1]
    found = np.empty((*there.shape[:3], offset + CANDIDATES + more), np.float32)
    in_rows(found, lambda first, last: correlate(here, there, found, first, last, offset))
    evidence = torch.from_numpy(found).permute(0, 3, 1, 2)
    if start is not None:
        evidence[:, offset + CANDIDATES :] = start
    return evidence


class _CostVolume(torch.autograd.Function):
    """Compiled loops, or else products of matrices; backward by hand, as autograd would build 81 padded gradients of the source."""

    @staticmethod
    def forward(context: Any, reference: Tensor, source: Tensor) -> Tensor:
        context.save_for_backward(reference, source)
        if fit_for_kernels(reference, source):
            return compiled_evidence(reference, source, beside_reference=False)
        return _banded_products(reference, source)

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


def _banded_products(reference: Tensor, source: Tensor) -> Tensor:
    """All dot products of BLOCK neighbouring reference pixels with the BLOCK + 8 source pixels that they can reach.

    Of each small matrix only the 9 diagonals are wanted; computing the rest is still several times faster than 81
    passes over both maps, because a matrix product reads them from the cache.
    """
    batch, channels, height, width = reference.shape
    blocks = -(-width // BLOCK)
    reach, rows, spare = BLOCK + 2 * RANGE_PX, height + 2 * RANGE_PX, blocks * BLOCK - width
    # Both maps get `rows` rows an image, so that one row index runs through the whole batch: row r meets row r + dy.
    left = functional.pad(reference.permute(0, 2, 3, 1), (0, 0, 0, spare, 0, 2 * RANGE_PX)).flatten(0, 1)
    right = functional.pad(source.permute(0, 2, 3, 1), (0, 0, RANGE_PX, RANGE_PX + spare, RANGE_PX, RANGE_PX))
    right = functional.pad(right.flatten(0, 1), (0, 0, 0, 0, 0, 2 * RANGE_PX))  # (batch * rows + 8, ..., channels)
    products = reference.new_empty(SIDE, blocks, batch * rows, BLOCK, reach)
    for dy in range(SIDE):
        for block in range(blocks):
            start = block * BLOCK
            window = right[dy : dy + batch * rows, start : start + reach].transpose(1, 2)
            torch.bmm(left[:, start : start + BLOCK], window, out=products[dy, block])
    by_dy, by_block, by_row, by_pixel, _ = products.stride()
    diagonals = products.as_strided(
        (batch, height, blocks, BLOCK, SIDE, SIDE), (by_row * rows, by_row, by_block, by_pixel + 1, by_dy, 1)
    )
    costs = diagonals.reshape(batch, height, blocks * BLOCK, CANDIDATES)[:, :, :width]
    return costs.permute(0, 3, 1, 2).div(channels)  # dense, channels last


def _shifted(padded: Tensor, channel: int, height: int, width: int) -> Tensor:
    top, left = divmod(channel, SIDE)
    return padded[:, :, top : top + height, left : left + width]
