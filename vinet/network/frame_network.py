"""The network of the method `frame_baseline`: what is left of VINet when a frame is all there is."""

import torch
from torch import Tensor, nn

from vinet.config import VINetConfig
from vinet.network.continuation import SmoothComposition
from vinet.network.decoder import Decoder
from vinet.network.encoder import Encoder
from vinet.network.layers import GatedConv


class FrameNetwork(nn.Module):
    """VINet's encoder, bottleneck and decoder on one frame: no sources, no recurrence, no memory, the same widths."""

    def __init__(self, config: VINetConfig) -> None:
        super().__init__()
        self.config = config
        eighth = config.channels[-1]
        self.encoder = Encoder(config)
        self.bottleneck = nn.Sequential(
            GatedConv(eighth, eighth),
            GatedConv(eighth, eighth, dilation=2),
            GatedConv(eighth, eighth, dilation=4),
            GatedConv(eighth, eighth, dilation=8),
        )
        self.decoder = Decoder(config)
        if config.smooth_composition:
            self.smooth = SmoothComposition()

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Holed frame (B, 3, H, W) in [-1, 1], holes at 0, and mask (B, 1, H, W), 1 = hole -> image, about -1 to 1."""
        features = self.encoder(image, mask)
        decoded: Tensor = self.decoder(self.bottleneck(features.eighth), features.quarter, features.half)
        if self.config.smooth_composition:
            decoded, _ = self.smooth(decoded, image, mask)
        return decoded


def parameters(network: nn.Module) -> int:
    """Numbers in all parameters."""
    return sum(values.numel() for values in network.parameters())


def rounded(output: Tensor) -> Tensor:
    """(B, 3, H, W) in -1..1 -> uint8 (B, H, W, 3), rounded half up."""
    return ((output + 1) * 127.5 + 0.5).floor().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
