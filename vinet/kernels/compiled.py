"""Warps, cost volumes and Winograd's convolution by compiled loops, on float32 tensors of a CPU.

Callers ask `vinet.kernels.usable` first. Loops run over NumPy arrays whose innermost axis is that of the channels;
tensors come in with any layout and leave channels last.
"""

import threading
from collections.abc import Iterator
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from vinet.kernels import loops
from vinet.kernels.plain import CANDIDATES
from vinet.kernels.threads import in_parts, in_rows

OUTPUT_PX = 4
"""Side of the square of pixels that one Winograd tile computes."""
TILE_PX = 6
"""Side of the square of pixels that it reads."""
VALUES = TILE_PX * TILE_PX
BLOCK = 64
"""Tiles to one matrix product: their 36 values of 128 channels, before and after, stay in a core's own cache."""


def warp(image: Tensor, flow: Tensor, clamp: bool) -> Tensor:
    """See `vinet.kernels.warp`."""
    planes, vectors = channels_last(image), flow.contiguous().numpy()
    warped = np.empty(planes.shape, np.float32)
    in_rows(warped, lambda first, last: loops.sample(planes, vectors, warped, first, last, clamp))
    return torch.from_numpy(warped).permute(0, 3, 1, 2)


def cost_volume(reference: Tensor, source: Tensor) -> Tensor:
    """See `vinet.kernels.cost_volume`."""
    return _matched(reference, source, before=0, after=0)


def evidence(reference: Tensor, source: Tensor, start: Tensor | None) -> Tensor:
    """See `vinet.kernels.evidence`; the three parts are written once, and not copied together afterwards."""
    found = _matched(reference, source, before=reference.shape[1], after=0 if start is None else start.shape[1])
    if start is not None:
        found[:, -start.shape[1] :] = start
    return found


def _matched(reference: Tensor, source: Tensor, before: int, after: int) -> Tensor:
    """The cost volume, with `before` channels of the reference in front and room for `after` channels behind."""
    here, there = channels_last(reference), channels_last(source)
    found = np.empty((*there.shape[:3], before + CANDIDATES + after), np.float32)
    in_rows(found, lambda first, last: loops.correlate(here, there, found, first, last, before))
    return torch.from_numpy(found).permute(0, 3, 1, 2)


def channels_last(maps: Tensor) -> NDArray[np.float32]:
    """(B, C, H, W) -> (B, H, W, C), C-contiguous, and a copy only where the maps were laid out otherwise."""
    array: NDArray[np.float32] = maps.contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1).numpy()
    return np.ascontiguousarray(array)


class Tiling(NamedTuple):
    """Tiles of (B, H, W): a dilated convolution is one on each of dilation² grids of every dilation-th pixel."""

    rows: int
    columns: int
    dilation: int
    total: int
    """Number of tiles of all items and grids together."""

    @classmethod
    def of(cls, batch: int, height: int, width: int, dilation: int) -> Self:
        """Enough tiles of 4x4 pixels to cover every grid."""
        rows, columns = (-(-size // (dilation * OUTPUT_PX)) for size in (height, width))
        return cls(rows, columns, dilation, batch * dilation**2 * rows * columns)


torch.library.define(
    "vinet::winograd", "(Tensor features, Tensor transformed, Tensor? bias, float slope, int dilation) -> Tensor"
)


def convolve(
    features: Tensor, transformed: Tensor, bias: Tensor | None, negative_slope: float, dilation: int
) -> Tensor:
    """Convolve with a transformed kernel, then apply a leaky ReLU; a slope of 1 is none.

    Takes (B, inputs, H, W) and a kernel (36, inputs, outputs), returns (B, outputs, H, W). It is an operator of torch,
    so that torch's counters of operations see it.
    """
    filled: Tensor = torch.ops.vinet.winograd(features, transformed, bias, negative_slope, dilation)
    return filled


def _convolved(
    features: Tensor, transformed: Tensor, bias: Tensor | None, negative_slope: float, dilation: int
) -> Tensor:
    batch, _, height, width = features.shape
    outputs = transformed.shape[-1]
    shifts = np.zeros(outputs, np.float32) if bias is None else bias.numpy()
    filled = np.empty((batch, height, width, outputs), np.float32)
    tiling = Tiling.of(batch, height, width, dilation)
    convolution = _Convolution(channels_last(features), transformed, shifts, negative_slope, filled, tiling)
    in_parts(tiling.total, BLOCK, convolution.tiles)
    return torch.from_numpy(filled).permute(0, 3, 1, 2)


torch.library.impl("vinet::winograd", "CPU", _convolved)


@register_flop_formula(torch.ops.vinet.winograd)
def _flop(features: list[int], transformed: list[int], *_: object, **__: object) -> int:
    """Count the operations of the convolution that is asked for, a quarter of which are really done."""
    batch, inputs, height, width = features
    return 2 * 9 * batch * height * width * inputs * transformed[-1]


class _Convolution(NamedTuple):
    planes: NDArray[np.float32]  # (B, H, W, inputs)
    kernel: Tensor  # (36, inputs, outputs)
    bias: NDArray[np.float32]  # (outputs,)
    negative_slope: float
    filled: NDArray[np.float32]  # (B, H, W, outputs), the result
    tiling: Tiling

    def tiles(self, starts: Iterator[int]) -> None:
        """Compute a block of tiles from each of `starts`; tiles share no pixel of the result, so no lock is needed."""
        rows, columns, dilation, total = self.tiling
        before, after = _SCRATCH.of(*self.kernel.shape[1:])
        values, products = before.numpy(), after.numpy()
        slope = np.float32(self.negative_slope)
        for first in starts:
            last = min(total, first + BLOCK)
            loops.forward(self.planes, values, first, last, rows, columns, dilation)
            torch.bmm(before[:, : last - first], self.kernel, out=after[:, : last - first])
            loops.backward(products, self.bias, slope, self.filled, first, last, rows, columns, dilation)


class _Scratch(threading.local):
    """Each thread's own memory, as large as its widest layer needs and kept, since fresh memory is zeroed first."""

    memory = np.empty(0, np.float32)

    def of(self, inputs: int, outputs: int) -> tuple[Tensor, Tensor]:
        """Room for a block's values before (36, tiles, inputs) and after (36, tiles, outputs) the product."""
        rows = VALUES * BLOCK
        if self.memory.size < rows * (inputs + outputs):
            self.memory = np.empty(rows * (inputs + outputs), np.float32)
        # Tensors are made anew each time: one of inference mode could not be written outside of it.
        values = torch.from_numpy(self.memory)
        before, after = values[: rows * inputs], values[rows * inputs : rows * (inputs + outputs)]
        return before.view(VALUES, BLOCK, inputs), after.view(VALUES, BLOCK, outputs)


_SCRATCH = _Scratch()
