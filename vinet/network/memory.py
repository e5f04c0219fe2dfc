"""The bottleneck and the convolutional LSTM behind it."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vinet.network.layers import GatedConv


class Bottleneck(nn.Module):
    """Four gated convolutions of growing dilation on reference and composed features at 1/8."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bt0 = GatedConv(2 * channels, channels)
        self.bt1 = GatedConv(channels, channels, dilation=2)
        self.bt2 = GatedConv(channels, channels, dilation=4)
        self.bt3 = GatedConv(channels, channels, dilation=8)

    def forward(self, reference: Tensor, composed: Tensor) -> Tensor:
        """Two (B, C, H / 8, W / 8) -> one."""
        features: Tensor = self.bt3(self.bt2(self.bt1(self.bt0(torch.cat([reference, composed], dim=1)))))
        return features


class State(NamedTuple):
    """What the ConvLSTM carries from one frame to the next, both (B, C, H / 8, W / 8)."""

    hidden: Tensor
    cell: Tensor


class ConvLSTM(nn.Module):
    """A convolutional LSTM; gates in the order in, forget, out, cell."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.Gates = nn.Conv2d(2 * channels, 4 * channels, 3, padding=1)

    def forward(self, features: Tensor, state: State | None) -> State:
        """Features (B, C, H, W) and the state before (None: zeros) -> the state after, whose `hidden` is the output."""
        if state is None:  # a hidden state of zeros contributes nothing: half of the kernel suffices
            kernel = self.Gates.weight[:, : features.shape[1]]
            gates = functional.conv2d(features, kernel, self.Gates.bias, padding=1)
        else:
            gates = self.Gates(torch.cat([features, state.hidden], dim=1))
        let_in, forget, let_out, candidate = gates.chunk(4, dim=1)
        cell = torch.sigmoid(let_in) * torch.tanh(candidate)
        if state is not None:
            cell = cell + torch.sigmoid(forget) * state.cell
        return State(torch.sigmoid(let_out) * torch.tanh(cell), cell)
