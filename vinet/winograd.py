"""Wide 3x3 convolutions on a CPU with a quarter of the multiplications: Winograd's F(4x4, 3x3).

Lavin and Gray, *Fast Algorithms for Convolutional Neural Networks*, CVPR 2016. A tile of 6x6 pixels is transformed (B),
its 36 values are multiplied by those of the transformed kernel (G), all channels in one matrix product, and transformed
back (A) to 4x4 pixels: 36 multiplications where a convolution needs 144. PyTorch has none of this on a CPU. B and A are
in `vinet.kernels.loops`, the convolution is `vinet.kernels.compiled.convolve`.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vinet.kernels import usable
from vinet.kernels.compiled import OUTPUT_PX, VALUES, Tiling, convolve
from vinet.kernels.loops import FAR, NEAR
from vinet.network.layers import Leaky, StackConv, leaky

LEAST_PRODUCTS = 1024
"""Inputs times outputs: below it, the transforms cost what the products save."""
MOST_WASTE = 1.5
"""Pixels computed for each that is wanted: where dilation leaves a few pixels to a grid, most of a tile is outside."""
EXACT = ("encoder1", "encoder2", "flow_encoder", "flownet")
"""Parts of a network that stay as they are: all others build on what these round, and they are a tenth of the cost."""
POINTS = (0, NEAR, -NEAR, FAR, -FAR)


def accelerate(network: nn.Module) -> int:
    """Put a `WinogradConv2d` in the place of every `suitable` convolution outside the parts `EXACT`; return how many.

    A leaky ReLU right behind a convolution becomes part of the new layer.
    """
    count = 0
    parts = [part for name, part in network.named_children() if name not in EXACT]
    for parent in [module for part in parts for module in part.modules()]:
        for name, layer in list(parent.named_children()):
            convolution = layer.flat() if isinstance(layer, StackConv) else layer
            if type(convolution) is nn.Conv2d and suitable(convolution):
                setattr(parent, name, WinogradConv2d(convolution, _activation(parent, name)))
                count += 1
    return count


def suitable(convolution: nn.Conv2d) -> bool:
    """Whether `WinogradConv2d` can take the place of a convolution and is faster on maps that are large enough."""
    same_size = convolution.padding == convolution.dilation and convolution.stride == (1, 1)
    wide = convolution.in_channels * convolution.out_channels >= LEAST_PRODUCTS
    return convolution.kernel_size == (3, 3) and same_size and convolution.groups == 1 and wide


def _activation(parent: nn.Module, name: str) -> float:
    """Take the leaky ReLU behind the layer `name` out of a sequence and return its slope; 1 where there is none."""
    behind = str(int(name) + 1) if isinstance(parent, nn.Sequential) else ""
    if not isinstance(getattr(parent, behind, None), Leaky):
        return 1.0
    setattr(parent, behind, nn.Identity())
    return Leaky.SLOPE


class WinogradConv2d(nn.Conv2d):
    """A 3x3 convolution of stride 1 with its kernel transformed, and the leaky ReLU behind it, in float32 on a CPU.

    It is the ordinary convolution where `vinet.kernels.usable` says no and where most of its tiles would lie outside.
    """

    transformed: Tensor
    """(36, inputs, outputs)."""

    def __init__(self, convolution: nn.Conv2d, negative_slope: float = 1.0) -> None:
        """Take over the parameters of `convolution`; a slope of 1 is no activation.

        Raises ValueError for a convolution that is not `suitable`.
        """
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
        computed = Tiling.of(batch, height, width, dilation).total * OUTPUT_PX**2
        if computed <= MOST_WASTE * batch * height * width and usable(features):
            return convolve(features, self.transformed, self.bias, self.negative_slope, dilation)
        output = super().forward(features)
        return output if self.negative_slope == 1 else leaky(output, self.negative_slope)


def transformed_kernel(kernel: Tensor) -> Tensor:
    """(outputs, inputs, 3, 3) -> (36, inputs, outputs): G g G^T, computed in double precision."""
    values = np.einsum("ia,ocab,jb->ijco", kernel_matrix(), kernel.double().numpy(), kernel_matrix())
    return torch.from_numpy(values.reshape(VALUES, *values.shape[2:]).astype(np.float32))


def kernel_matrix() -> NDArray[np.float64]:
    """G (6, 3): powers of each point over the product of its distances to the others; for infinity, the highest one."""
    rows = [
        [point**power / math.prod(point - other for other in POINTS if other != point) for power in range(3)]
        for point in POINTS
    ]
    return np.array([*rows, [0, 0, 1]])
