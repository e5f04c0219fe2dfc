"""Gated and plain convolutions, which everything else is made of; attributes have the checkpoint's names."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

PLAIN_GAIN = 2.0
"""He et al.'s: keeps the second moment through a ReLU."""
GATED_GAIN = 7.0
"""The same for sigmoid(gate) * relu(phi), which lets about a seventh of the second moment through."""


def draw(kernel: Tensor, gain: float) -> None:
    """Normal values of variance gain / fan-in, in place."""
    nn.init.normal_(kernel, std=math.sqrt(gain / kernel[0].numel()))


def gated(features: Tensor, negative_slope: float = 0.0) -> Tensor:
    """First half of the channels (phi) through a leaky ReLU, times the sigmoid of the second (gate)."""
    # A leaky ReLU lets a positive factor through, so the product can come first: one pass over memory instead of two.
    return leaky(functional.glu(features, dim=1), negative_slope)


def leaky(features: Tensor, negative_slope: float) -> Tensor:
    """Leaky ReLU of what a layer has just made: in place where no gradient needs its input."""
    return functional.leaky_relu(features, negative_slope, inplace=not torch.is_grad_enabled())


def blended(first: Tensor, second: Tensor, share: Tensor) -> Tensor:
    """(1 - share) first + share second, as `torch.lerp`, of any mixture of precisions, as autocast leaves it."""
    dtype = torch.promote_types(torch.promote_types(first.dtype, second.dtype), share.dtype)
    return torch.lerp(first.to(dtype), second.to(dtype), share.to(dtype))


class GatedConv(nn.Module):
    """3x3 gated convolution without bias."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, 2 * outputs, 3, stride, padding=dilation, dilation=dilation, bias=False)
        draw(self.conv.weight, GATED_GAIN)

    def forward(self, features: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H / stride, W / stride)."""
        return gated(self.conv(features))


class StackConv(nn.Module):
    """A convolution over a stack of maps, stored as a Conv3d kernel (depth, 3, 3) and computed in two dimensions.

    Only one output map is ever wanted, so the stack is `depth * inputs` channels of an ordinary convolution.
    """

    def __init__(
        self, inputs: int, outputs: int, *, depth: int = 1, dilation: int = 1, gain: float = GATED_GAIN
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, depth, 3, 3))
        draw(self.weight, gain)
        self.dilation = dilation

    def forward(self, stack: Tensor) -> Tensor:
        """(B, depth * inputs, H, W), map after map -> (B, outputs, H, W)."""
        return functional.conv2d(stack, self._kernel(), padding=self.dilation, dilation=self.dilation)

    def flat(self) -> nn.Conv2d:
        """The same as an ordinary convolution with a kernel of its own."""
        kernel = self._kernel().detach()
        with torch.device("meta"):
            flat = nn.Conv2d(kernel.shape[1], len(kernel), 3, padding=self.dilation, dilation=self.dilation, bias=False)
        flat.weight = nn.Parameter(kernel, requires_grad=False)
        return flat

    def _kernel(self) -> Tensor:
        return self.weight.transpose(1, 2).flatten(1, 2)  # (outputs, depth * inputs, 3, 3)


class GatedStackConv(nn.Module):
    """Gated `StackConv`."""

    def __init__(self, inputs: int, outputs: int, *, depth: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv = StackConv(inputs, 2 * outputs, depth=depth, dilation=dilation)

    def forward(self, stack: Tensor) -> Tensor:
        """(B, depth * inputs, H, W) -> (B, outputs, H, W)."""
        return gated(self.conv(stack))


class GatedUpConv(nn.Module):
    """Bilinear enlargement by two, then a gated convolution whose phi half is leaky."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        enlarge = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.conv = nn.Sequential(enlarge, StackConv(inputs, 2 * outputs))

    def forward(self, features: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, 2H, 2W)."""
        return gated(self.conv(features), negative_slope=0.2)


class Leaky(nn.Module):
    """Leaky ReLU behind a convolution."""

    SLOPE = 0.1

    def forward(self, features: Tensor) -> Tensor:
        """Any shape -> the same."""
        return leaky(features, self.SLOPE)


def plain(inputs: int, outputs: int, dilation: int = 1) -> nn.Sequential:
    """3x3 convolution with bias, then leaky ReLU of slope 0.1."""
    return nn.Sequential(linear(inputs, outputs, dilation, PLAIN_GAIN), Leaky())


def mask_layers(inputs: int, hidden: int, opening: float) -> nn.Sequential:
    """Three convolutions (B, inputs, H, W) -> (B, 1, H, W), a mask before its sigmoid; `opening` is its first bias."""
    last = linear(hidden, 1)
    nn.init.constant_(last.get_parameter("bias"), opening)
    return nn.Sequential(plain(inputs, hidden), plain(hidden, hidden, dilation=2), last)


def linear(inputs: int, outputs: int, dilation: int = 1, gain: float = 1.0) -> nn.Conv2d:
    """3x3 convolution with bias and nothing after it."""
    convolution = nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation)
    draw(convolution.weight, gain)
    nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
    return convolution
