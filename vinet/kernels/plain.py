"""Warps and cost volumes by PyTorch's own operators, on any device, in any precision and with gradients."""

import torch
from torch import Tensor
from torch.nn import functional

RANGE_PX = 4
"""Farthest displacement in a cost volume, along either axis."""
SIDE = 2 * RANGE_PX + 1
CANDIDATES = SIDE * SIDE
"""Displacements in a cost volume, one to each channel."""
BLOCK = 16
"""Reference pixels to one matrix product: wider ones compute more that nobody wants, narrower ones are all overhead."""


def warp(image: Tensor, flow: Tensor, clamp: bool) -> Tensor:
    """See `vinet.kernels.warp`."""
    height, width = flow.shape[-2:]
    rows = torch.arange(height, device=flow.device, dtype=flow.dtype)
    columns = torch.arange(width, device=flow.device, dtype=flow.dtype)
    x = (columns + flow[:, 0]) * (2 / max(width - 1, 1)) - 1
    y = (rows[:, None] + flow[:, 1]) * (2 / max(height - 1, 1)) - 1
    grid = torch.stack([x, y], dim=-1)
    outside = "border" if clamp else "zeros"
    # The published weights were trained when align_corners was still true by default (before PyTorch 1.3).
    return functional.grid_sample(image, grid, mode="bilinear", padding_mode=outside, align_corners=True)


def cost_volume(reference: Tensor, source: Tensor) -> Tensor:
    """Multiply BLOCK neighbouring reference pixels with the BLOCK + 8 source pixels that they can reach, all at once.

    Only 9 diagonals of each small matrix are wanted. Computing the rest is still several times faster than 81 passes
    over both maps, because a matrix product reads them from the cache. See `vinet.kernels.cost_volume` for what is
    returned.
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


def cost_volume_gradients(reference: Tensor, source: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of both maps (B, C, H, W) from that of their cost volume (B, 81, H, W)."""
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


def beside_each(reference: Tensor, sources: int) -> Tensor:
    """Repeat (B, ...) to (B * sources, ...), each item beside its own sources, in the layout that it has."""
    if sources == 1:
        return reference
    return torch.cat([item for item in reference.chunk(len(reference)) for _ in range(sources)])
