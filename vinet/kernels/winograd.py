"""Wide 3x3 convolutions on a CPU with a quarter of the multiplications: Winograd's F(4x4, 3x3).

Lavin and Gray, *Fast Algorithms for Convolutional Neural Networks*, CVPR 2016. A tile of 6x6 pixels is transformed (B), its 36
values are multiplied by those of the transformed kernel (G), all channels in one matrix product, and transformed back (A) to
4x4 pixels: 36 multiplications where a convolution needs 144. PyTorch has none of this on a CPU.
"""

import math
import threading
from collections.abc import Iterator
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.flop_counter import register_flop_formula

from vinet.kernels.loops import FAR, NEAR, backward, forward
from vinet.kernels.threads import channels_last, fit_for_kernels, in_parts
from vinet.network.layers import Leaky, StackConv, leaky

OUTPUT_PX = 4
TILE_PX = 6
VALUES = TILE_PX * TILE_PX
BLOCK = 64
"""Tiles to one matrix product: their 36 values of 128 channels, before and after, stay in a core's own cache."""
LEAST_PRODUCTS = 1024
"""Inputs times outputs: below it, the transforms cost what the products save."""
MOST_WASTE = 1.5
"""Pixels computed for each that is wanted: where dilation leaves a few pixels to a grid, tiles are mostly air."""
EXACT = ("encoder1", "encoder2", "flow_encoder", "flownet")
"""Parts of a network that stay as they are: all others build on what these round, and they are a tenth of the cost."""
POINTS = (0, NEAR, -NEAR, FAR, -FAR)


class Tiling(NamedTuple):
    """Tiles of (B, H, W): a dilated convolution is one on each of dilation² grids of every dilation-th pixel."""

    rows: int
    columns: int
    dilation: int
    total: int
    """Of all items and grids together."""

    @classmethod
    def of(cls, batch: int, height: int, width: int, dilation: int) -> Self:
        """Enough tiles of 4x4 pixels to cover every grid."""
        rows, columns = (-(-size // (dilation * OUTPUT_PX)) for size in (height, width))
        return cls(rows, columns, dilation, batch * dilation**2 * rows * columns)


class WinogradConv2d(nn.Conv2d):
    """A 3x3 convolution of stride 1 with its kernel transformed, and the leaky ReLU behind it, in float32 on a CPU.

    Where gradients are recorded, and where tiles would be mostly air, it is the ordinary convolution.
    """

    transformed: Tensor
    """(36, inputs, outputs)."""

    def __init__(self, convolution: nn.Conv2d, negative_slope: float = 1.0) -> None:
        """Take over the parameters of `convolution`; a slope of 1 is no activation. ValueError for one that is not `suitable`."""
        if not suitable(convolution):
            raise ValueError(f"not a wide 3x3 convolution of stride 1: {convolution}")
        with torch.device("meta"):
            super().__init__(
                convolution.in_channels,
                convolution.out_channels,
                3,
                padding=convolution.padding,  # type: ignore[arg-type]
                dilation=convolution.dilation,  # type: ignore[arg-type]
                bias=convolution.bias is not None,
            )
        self.weight, self.bias = convolution.weight, convolution.bias
        self.negative_slope = negative_slope
        self.register_buffer("transformed", transformed_kernel(self.weight.detach()), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H, W), channels last."""
        batch, _, height, width = features.shape
        dilation = int(self.dilation[0])
        tiling = Tiling.of(batch, height, width, dilation)
        airy = tiling.total * OUTPUT_PX**2 > MOST_WASTE * batch * height * width
        if airy or not fit_for_kernels(features):
            output = super().forward(features)
            return output if self.negative_slope == 1 else leaky(output, self.negative_slope)
        filled: Tensor = torch.ops.vinet.winograd(features, self.transformed, self.bias, self.negative_slope, dilation)
        return filled


torch.library.define(
    "vinet::winograd", "(Tensor features, Tensor transformed, Tensor? bias, float slope, int dilation) -> Tensor"
)


def convolved(
    features: Tensor, transformed: Tensor, bias: Tensor | None, negative_slope: float, dilation: int
) -> Tensor:
    """(B, inputs, H, W) and a transformed kernel -> (B, outputs, H, W); an operator of torch, so that its counters see it."""
    batch, _, height, width = features.shape
    outputs = transformed.shape[-1]
    shifts = np.zeros(outputs, np.float32) if bias is None else bias.numpy()
    filled = np.empty((batch, height, width, outputs), np.float32)
    tiling = Tiling.of(batch, height, width, dilation)
    convolution = _Convolution(channels_last(features), transformed, shifts, negative_slope, filled, tiling)
    in_parts(tiling.total, BLOCK, convolution.tiles)
    return torch.from_numpy(filled).permute(0, 3, 1, 2)


torch.library.impl("vinet::winograd", "CPU", convolved)


@register_flop_formula(torch.ops.vinet.winograd)
def _flop(features: list[int], transformed: list[int], *_: object, **__: object) -> int:
    """Those of the convolution that is asked for, a quarter of which are really done."""
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
        """Compute blocks of tiles from each of `starts`; tiles share no pixel of the result, so threads need no lock."""
        rows, columns, dilation, total = self.tiling
        before, after = _SCRATCH.of(*self.kernel.shape[1:])
        values, products = before.numpy(), after.numpy()
        slope = np.float32(self.negative_slope)
        for first in starts:
            last = min(total, first + BLOCK)
            forward(self.planes, values, first, last, rows, columns, dilation)
            torch.bmm(before[:, : last - first], self.kernel, out=after[:, : last - first])
            backward(products, self.bias, slope, self.filled, first, last, rows, columns, dilation)


class _Scratch(threading.local):
    """Each thread's own memory, as large as its widest layer needs; what is given back is zeroed when it comes again."""

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


def suitable(convolution: nn.Conv2d) -> bool:
    """Whether `WinogradConv2d` can take its place and is faster on maps that are large enough."""
    same_size = convolution.padding == convolution.dilation and convolution.stride == (1, 1)
    wide = convolution.in_channels * convolution.out_channels >= LEAST_PRODUCTS
    return convolution.kernel_size == (3, 3) and same_size and convolution.groups == 1 and wide


def transformed_kernel(kernel: Tensor) -> Tensor:
    """(outputs, inputs, 3, 3) -> (36, inputs, outputs): G g G^T, computed in double precision."""
    values = np.einsum("ia,ocab,jb->ijco", kernel_matrix(), kernel.double().numpy(), kernel_matrix())
    return torch.from_numpy(values.reshape(VALUES, *values.shape[2:]).astype(np.float32))


def kernel_matrix() -> NDArray[np.float64]:
    """G (6, 3): powers of each point over the product of its distances to the others, and the highest power for infinity."""
    rows = [
        [point**power / math.prod(point - other for other in POINTS if other != point) for power in range(3)]
        for point in POINTS
    ]
    return np.array([*rows, [0, 0, 1]])


def accelerate(network: nn.Module) -> int:
    """Put a `WinogradConv2d` wherever one is `suitable`, activation included, but in parts `EXACT`; returns how many there are."""
    count = 0
    parts = [part for name, part in network.named_children() if name not in EXACT]
    for parent in [module for part in parts for module in part.modules()]:
        for name, layer in list(parent.named_children()):
            convolution = layer.flat() if isinstance(layer, StackConv) else layer
            if type(convolution) is nn.Conv2d and suitable(convolution):
                setattr(parent, name, WinogradConv2d(convolution, _activation(parent, name)))
                count += 1
    return count


def _activation(parent: nn.Module, name: str) -> float:
    """Slope of the leaky ReLU right behind the layer `name` of a sequence, which is taken out; 1 where there is none."""
    behind = str(int(name) + 1) if isinstance(parent, nn.Sequential) else ""
    if not isinstance(getattr(parent, behind, None), Leaky):
        return 1.0
    setattr(parent, behind, nn.Identity())
    return Leaky.SLOPE
