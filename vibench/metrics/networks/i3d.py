"""Inception I3D, the network whose features are compared by VFID, up to the mean of its last mixed layer.

Source: Carreira and Zisserman, Quo Vadis, Action Recognition?, CVPR 2017, figure 3; sizes of the branches from Szegedy
et al., Going Deeper with Convolutions, CVPR 2015, table 1. Convolutions and pools are padded like TensorFlow's SAME,
in which the weights were trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

Size = tuple[int, int, int]

FEATURES = 1024


class Unit(nn.Module):
    """Convolution, batch normalisation without scale, ReLU; (N, C, T, H, W)."""

    mean: Tensor
    variance: Tensor

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.stride: Size = (stride, stride, stride)
        self.weight = nn.Parameter(torch.empty(outputs, inputs, kernel, kernel, kernel))
        self.bias = nn.Parameter(torch.empty(outputs))
        self.register_buffer("mean", torch.empty(outputs))
        self.register_buffer("variance", torch.empty(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, C, T, H, W), normalise the result and set its negative values to 0."""
        kernel: Size = (self.weight.shape[2], self.weight.shape[3], self.weight.shape[4])
        x = functional.conv3d(same_padded(x, kernel, self.stride), self.weight, stride=self.stride)
        # In training mode the clip is normalised by its own statistics; the stored ones are left as they are.
        mean, variance = (None, None) if self.training else (self.mean, self.variance)
        x = functional.batch_norm(x, mean, variance, bias=self.bias, training=self.training, eps=1e-3)
        return functional.relu_(x)


class Pool(nn.Module):
    """Max pooling with SAME padding. It pads with zeros, since what is pooled is never negative."""

    def __init__(self, kernel: Size, stride: Size) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        """Return the largest value of each window of (N, C, T, H, W)."""
        return functional.max_pool3d(same_padded(x, self.kernel, self.stride), self.kernel, self.stride)


class Mixed(nn.Module):
    """Four branches side by side: 1x1; 1x1 then 3x3; 1x1 then 3x3 (5x5 in the paper of 2015); pool then 1x1."""

    def __init__(self, inputs: int, one: int, two: tuple[int, int], three: tuple[int, int], four: int) -> None:
        super().__init__()
        self.Branch_0 = nn.ModuleDict({"Conv3d_0a_1x1": Unit(inputs, one, 1)})
        self.Branch_1 = _reduced(inputs, *two)
        self.Branch_2 = _reduced(inputs, *three)
        self.Branch_3 = nn.ModuleDict({"pool": Pool((3, 3, 3), (1, 1, 1)), "Conv3d_0b_1x1": Unit(inputs, four, 1)})

    def forward(self, x: Tensor) -> Tensor:
        """Return the results of all branches on (N, C, T, H, W), concatenated along their channels."""
        results = []
        for branch in (self.Branch_0, self.Branch_1, self.Branch_2, self.Branch_3):
            result = x
            for layer in branch.values():
                result = layer(result)
            results.append(result)
        return torch.cat(results, dim=1)


class I3D(nn.Sequential):
    """The network from (N, 3, T, H, W) to Mixed_5c, (N, 1024, T / 8, H / 32, W / 32) with sizes rounded up."""

    def __init__(self) -> None:
        super().__init__()
        spatial: Size = (1, 2, 2)
        layers = {
            "Conv3d_1a_7x7": Unit(3, 64, 7, stride=2),
            "MaxPool3d_2a_3x3": Pool((1, 3, 3), spatial),
            "Conv3d_2b_1x1": Unit(64, 64, 1),
            "Conv3d_2c_3x3": Unit(64, 192, 3),
            "MaxPool3d_3a_3x3": Pool((1, 3, 3), spatial),
            "Mixed_3b": Mixed(192, 64, (96, 128), (16, 32), 32),
            "Mixed_3c": Mixed(256, 128, (128, 192), (32, 96), 64),
            "MaxPool3d_4a_3x3": Pool((3, 3, 3), (2, 2, 2)),
            "Mixed_4b": Mixed(480, 192, (96, 208), (16, 48), 64),
            "Mixed_4c": Mixed(512, 160, (112, 224), (24, 64), 64),
            "Mixed_4d": Mixed(512, 128, (128, 256), (24, 64), 64),
            "Mixed_4e": Mixed(512, 112, (144, 288), (32, 64), 64),
            "Mixed_4f": Mixed(528, 256, (160, 320), (32, 128), 128),
            "MaxPool3d_5a_2x2": Pool((2, 2, 2), (2, 2, 2)),
            "Mixed_5b": Mixed(832, 256, (160, 320), (32, 128), 128),
            "Mixed_5c": Mixed(832, 384, (192, 384), (48, 128), 128),
        }
        for name, layer in layers.items():
            self.add_module(name, layer)


def pooled_features(network: I3D, clip: Tensor) -> NDArray[np.float32]:
    """Return the mean of Mixed_5c over time and place, float32 (1024,), of one clip (3, T, H, W).

    The clip's values are in the range that the network is to see, 0..1 or -1..1.
    """
    with torch.inference_mode():
        mixed: Tensor = network(clip[None])
    return np.asarray(mixed.mean(dim=(2, 3, 4))[0].cpu().numpy())


def from_flax(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    """Turn a Flax checkpoint's arrays into the state of ``I3D``, without the layers that classify actions."""
    parts = {"kernel": "weight", "bias": "bias", "mean": "mean", "var": "variance"}
    state = {}
    for path, array in arrays.items():
        _, *layers, _, part = path.split("/")
        if layers[0] == "Logits":
            continue
        turned = array.transpose(4, 3, 0, 1, 2) if part == "kernel" else array.reshape(-1)
        state[".".join([*layers, parts[part]])] = torch.from_numpy(np.ascontiguousarray(turned))
    return state


def same_padded(x: Tensor, kernel: Size, stride: Size) -> Tensor:
    """Pad (N, C, T, H, W) with zeros so that each side gives ``ceil(size / stride)``; an odd one goes behind."""
    padding: list[int] = []
    for size, width, step in zip(reversed(x.shape[2:]), reversed(kernel), reversed(stride), strict=True):
        total = max(width - (size % step or step), 0)
        padding += [total // 2, total - total // 2]
    return functional.pad(x, padding) if any(padding) else x


def _reduced(inputs: int, narrow: int, outputs: int) -> nn.ModuleDict:
    return nn.ModuleDict({"Conv3d_0a_1x1": Unit(inputs, narrow, 1), "Conv3d_0b_3x3": Unit(narrow, outputs, 3)})
