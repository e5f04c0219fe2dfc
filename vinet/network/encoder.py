"""The encoder: one holed image to features at four scales."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vinet.config import VINetConfig
from vinet.network.layers import GatedConv


class Features(NamedTuple):
    """Maps of one image at four scales of the encoder's own full size (half the image's in double mode)."""

    full: Tensor  # (B, channels[0], H, W)
    half: Tensor  # (B, channels[1], H / 2, W / 2)
    quarter: Tensor  # (B, channels[2], H / 4, W / 4)
    eighth: Tensor  # (B, channels[3], H / 8, W / 8)
    own_for_flow: "Features | None" = None
    """The same image by the flow heads' own encoder, where there is one."""

    @property
    def for_flow(self) -> "Features":
        """What flow heads match."""
        return self if self.own_for_flow is None else self.own_for_flow

    @property
    def scales(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """From 1/1 to 1/8."""
        return self.full, self.half, self.quarter, self.eighth

    def each(self, change: Callable[[Tensor], Tensor]) -> "Features":
        """All maps changed in the same way."""
        own = None if self.own_for_flow is None else self.own_for_flow.each(change)
        full, half, quarter, eighth = map(change, self.scales)
        return Features(full, half, quarter, eighth, own)


class Encoder(nn.Module):
    """Eight gated convolutions."""

    def __init__(self, config: VINetConfig) -> None:
        super().__init__()
        full, half, quarter, eighth = config.channels
        self.ec0 = GatedConv(5, full, stride=2 if config.double else 1)
        self.ec1 = GatedConv(full, half, stride=2)
        self.ec2 = GatedConv(half, half)
        self.ec3_1 = GatedConv(half, quarter, stride=2)
        self.ec3_2 = GatedConv(quarter, quarter)
        self.ec4_1 = GatedConv(quarter, eighth, stride=2)
        self.ec4 = GatedConv(eighth, eighth)
        self.ec5 = GatedConv(eighth, eighth)

    def forward(self, image: Tensor, mask: Tensor) -> Features:
        """Image (B, 3, H, W) in [-1, 1] with holes at 0 and its mask (B, 1, H, W), 1 = hole."""
        full = self.ec0(torch.cat([image, torch.ones_like(mask), mask], dim=1))
        half = self.ec2(self.ec1(full))
        quarter = self.ec3_2(self.ec3_1(half))
        eighth = self.ec5(self.ec4(self.ec4_1(quarter)))
        return Features(full, half, quarter, eighth)
