"""The decoder: bottleneck features and two composed maps to an image."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from vinet.config import VINetConfig
from vinet.network.layers import GatedStackConv, GatedUpConv, StackConv


class Decoder(nn.Module):
    """From 1/8 to the image; kernels are stored with the depth of 1 that the released checkpoint gives them."""

    def __init__(self, config: VINetConfig) -> None:
        super().__init__()
        full, half, quarter, eighth = config.channels
        self.doubles_size = config.double
        self.dc0 = GatedStackConv(eighth, eighth)
        self.dc1 = GatedStackConv(eighth, eighth)
        self.dc1_1 = GatedUpConv(eighth, quarter)
        self.dc2_1 = GatedStackConv(2 * quarter, quarter)
        self.dc2_bt1 = GatedStackConv(quarter, quarter, dilation=2)
        self.dc2_bt2 = GatedStackConv(quarter, quarter, dilation=4)
        self.dc2_bt3 = GatedStackConv(quarter, quarter, dilation=8)
        self.dc2_2 = GatedUpConv(quarter, half)
        self.dc3_1 = GatedStackConv(2 * half, half)
        self.dc3_2 = GatedStackConv(half, half)
        self.dc4 = GatedUpConv(half, full)
        self.dc5 = GatedStackConv(full, full // 2)
        self.dc6 = StackConv(full // 2, 3, gain=1.0)

    def forward(self, features: Tensor, composed_quarter: Tensor, composed_half: Tensor) -> Tensor:
        """Maps at 1/8, 1/4 and 1/2 -> image (B, 3, H, W), about -1 to 1 but not squashed into it."""
        x = self.dc1_1(self.dc1(self.dc0(features)))  # (B, channels[2], H / 4, W / 4)
        x = self.dc2_1(torch.cat([x, composed_quarter], dim=1))
        x = self.dc2_2(self.dc2_bt3(self.dc2_bt2(self.dc2_bt1(x))))  # (B, channels[1], H / 2, W / 2)
        x = self.dc3_2(self.dc3_1(torch.cat([x, composed_half], dim=1)))
        x = self.dc4(x)  # (B, channels[0], H, W)
        if self.doubles_size:
            x = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        image: Tensor = self.dc6(self.dc5(x))
        return image
